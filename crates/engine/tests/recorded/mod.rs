//! Recorded trees of real machines, in the folder that `HFTUNE_SNAPSHOTS` names.
#![allow(
    clippy::disallowed_methods,
    reason = "a test unpacks the trees that hftune reads"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The recorded machines, unpacked, by name. None where they are not at hand, which is said.
pub fn machines() -> Vec<(String, TempDir)> {
    let Some(folder) = std::env::var_os("HFTUNE_SNAPSHOTS") else {
        println!("skipped: HFTUNE_SNAPSHOTS does not name the folder of recorded machines");
        return Vec::new();
    };
    let mut machines = Vec::new();
    for kind in ["sysinfo", "hwloc"] {
        let dir = Path::new(&folder).join(kind);
        for entry in fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
            let archive = entry.expect("entry").path();
            let name = archive
                .file_name()
                .expect("a file")
                .to_string_lossy()
                .into_owned();
            let tree = tempfile::tempdir().expect("temporary directory");
            let unpacked = Command::new("tar")
                .arg("-xf")
                .arg(&archive)
                .arg("-C")
                .arg(tree.path())
                .status();
            assert!(unpacked.expect("tar").success(), "{name}");
            machines.push((name, tree));
        }
    }
    assert!(
        !machines.is_empty(),
        "the folder of recorded machines is empty"
    );
    machines
}

/// The tree of a machine: the archives of hwloc have a folder around it.
pub fn top(tree: &TempDir) -> PathBuf {
    let only = || {
        let mut entries = fs::read_dir(tree.path()).ok()?;
        Some(entries.next()?.ok()?.path())
    };
    if tree.path().join("proc").is_dir() {
        tree.path().to_owned()
    } else {
        only().expect("one folder")
    }
}
