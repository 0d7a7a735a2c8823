//! A directory tree in place of the machine, for the tests of the domains.

use std::path::Path;

use hftune_sys::Root;
use hftune_sys::write::Metadata;

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
