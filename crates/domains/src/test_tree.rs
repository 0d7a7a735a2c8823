//! A directory tree in place of the machine, and what domains decide from, for their tests.

use std::path::Path;

use hftune_model::cpu_plan::CpuPlan;
use hftune_model::host::Host;
use hftune_model::profile::Profile;
use hftune_sys::Root;
use hftune_sys::write::Metadata;

use crate::Context;

/// Hands `check` what a domain decides from, where the CPUs of the first list serve the OS and the second is isolated.
pub(crate) fn with_split<R>(
    host: &Host,
    profile: &Profile,
    (housekeeping, isolated): (&str, &str),
    check: impl FnOnce(&Context<'_>) -> R,
) -> R {
    let cpus = CpuPlan {
        housekeeping: housekeeping.parse().expect("list"),
        isolated: isolated.parse().expect("list"),
        ..CpuPlan::default()
    };
    check(&Context {
        host,
        profile,
        cpus: &cpus,
        binary: Path::new("/usr/bin/hftune"),
        force: false,
    })
}

/// A tree of these files, by path and text; a text that begins with `-> ` makes a link. It goes when the first is dropped.
pub(crate) fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let root = Root::tree(dir.path()).expect("root");
    let (uid, gid) = hftune_sys::identity::owner();
    let metadata = Metadata {
        mode: 0o644,
        uid,
        gid,
        xattrs: Vec::new(),
    };
    for (path, text) in files {
        root.make_dirs(Path::new(path).parent().expect("parent"), 0o755)
            .expect("directory");
        match text.strip_prefix("-> ") {
            Some(target) => root.write_link(path, target).expect("link"),
            None => root
                .write_atomic(path, text.as_bytes(), &metadata)
                .expect("file"),
        }
    }
    (dir, root)
}
