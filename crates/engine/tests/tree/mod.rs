//! A directory tree in place of a machine.
#![allow(
    clippy::disallowed_methods,
    dead_code,
    reason = "a test makes the trees that hftune reads, and needs some of the ways to do so"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use hftune_engine::host::read;
use hftune_model::host::Host;
use hftune_sys::{Reader, Root};
use tempfile::TempDir;

/// A directory tree in place of a machine.
pub struct Tree(pub TempDir);

impl Tree {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("temporary directory"))
    }

    pub fn path(&self, path: &str) -> PathBuf {
        let path = self.0.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().expect("below the tree")).expect("directory");
        path
    }

    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        fs::write(self.path(path), content).expect("file");
        self
    }

    pub fn dir(self, path: &str) -> Self {
        fs::create_dir_all(self.path(path)).expect("directory");
        self
    }

    pub fn link(self, path: &str, target: &str) -> Self {
        symlink(target, self.path(path)).expect("link");
        self
    }

    /// CPUs 0 to 3, each a core of its own.
    pub fn cpus(self) -> Self {
        (0..4).fold(
            self.file("/sys/devices/system/cpu/online", "0-3\n"),
            |tree, cpu| {
                tree.file(
                    &format!("/sys/devices/system/cpu/cpu{cpu}/topology/core_cpus_list"),
                    format!("{cpu}\n"),
                )
            },
        )
    }

    pub fn host(&self) -> Host {
        host_below(self.0.path())
    }
}

/// What the machine in a directory is.
pub fn host_below(dir: &Path) -> Host {
    let root = Root::tree(dir).expect("tree");
    read(&Reader::new(&root))
}
