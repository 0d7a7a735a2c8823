//! A directory tree in memory: what an archive holds. Nothing of it is ever on a disk.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::resolve::resolve;

/// Mode of a directory that the archive does not name.
const DIR_MODE: u32 = 0o755;

/// The tree, by absolute paths.
#[derive(Debug)]
pub(crate) struct Tree(BTreeMap<PathBuf, Node>);

#[derive(Debug)]
pub(crate) enum Node {
    File {
        content: Vec<u8>,
        mode: u32,
    },
    Dir {
        names: BTreeSet<OsString>,
        mode: u32,
    },
    Link {
        target: PathBuf,
    },
}

/// Why something cannot be put into a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clash {
    ThroughLink,
    BelowFile,
    Twice,
}

impl Default for Tree {
    fn default() -> Self {
        Self(BTreeMap::from([("/".into(), Node::dir(DIR_MODE))]))
    }
}

impl Node {
    pub(crate) fn dir(mode: u32) -> Self {
        Self::Dir {
            names: BTreeSet::new(),
            mode,
        }
    }
}

impl Tree {
    /// Puts a node into the tree, with the directories above it. The path is absolute and has no dots in it.
    pub(crate) fn insert(&mut self, path: &Path, node: Node) -> Result<(), Clash> {
        match (self.0.get_mut(path), &node) {
            (None, _) => {}
            // A directory may be named again, as the one above another.
            (Some(Node::Dir { mode, .. }), Node::Dir { mode: new, .. }) => {
                *mode = *new;
                return Ok(());
            }
            (Some(Node::Link { .. }), Node::Dir { .. }) => return Err(Clash::ThroughLink),
            (Some(_), _) => return Err(Clash::Twice),
        }
        if let (Some(above), Some(name)) = (path.parent(), path.file_name()) {
            if !self.0.contains_key(above) {
                self.insert(above, Node::dir(DIR_MODE))?;
            }
            match self.0.get_mut(above) {
                Some(Node::Dir { names, .. }) => names.insert(name.to_owned()),
                Some(Node::Link { .. }) => return Err(Clash::ThroughLink),
                _ => return Err(Clash::BelowFile),
            };
        }
        self.0.insert(path.to_owned(), node);
        Ok(())
    }

    /// The tree below one of its directories.
    pub(crate) fn below(self, top: &Path) -> Self {
        let below = |(path, node): (PathBuf, Node)| {
            let path = Path::new("/").join(path.strip_prefix(top).ok()?);
            Some((path, node))
        };
        Self(self.0.into_iter().filter_map(below).collect())
    }

    pub(crate) fn read(&self, path: &Path) -> Result<Vec<u8>, Errno> {
        match self.node(path, true)? {
            Node::File { content, .. } => Ok(content.clone()),
            Node::Dir { .. } => Err(Errno::ISDIR),
            Node::Link { .. } => Err(Errno::LOOP),
        }
    }

    pub(crate) fn list(&self, path: &Path) -> Result<Vec<String>, Errno> {
        match self.node(path, true)? {
            Node::Dir { names, .. } => Ok(names
                .iter()
                .filter_map(|name| name.to_str().map(str::to_owned))
                .collect()),
            _ => Err(Errno::NOTDIR),
        }
    }

    pub(crate) fn read_link(&self, path: &Path) -> Option<String> {
        match self.node(path, false).ok()? {
            Node::Link { target } => target.to_str().map(str::to_owned),
            _ => None,
        }
    }

    /// Type and permission bits, as `st_mode` has them.
    pub(crate) fn stat(&self, path: &Path) -> Option<u32> {
        let (kind, mode) = match self.node(path, false).ok()? {
            Node::File { mode, .. } => (FileType::RegularFile, *mode),
            Node::Dir { mode, .. } => (FileType::Directory, *mode),
            Node::Link { .. } => (FileType::Symlink, 0o777),
        };
        Some(kind.as_raw_mode() | mode & 0o7777)
    }

    fn node(&self, path: &Path, follow: bool) -> Result<&Node, Errno> {
        let link = |path: &Path| match self.0.get(path)? {
            Node::Link { target } => Some(target.clone()),
            _ => None,
        };
        let path = resolve(path, follow, link).ok_or(Errno::LOOP)?;
        self.0.get(&path).ok_or_else(|| {
            let mut above = path.ancestors().skip(1).filter_map(|dir| self.0.get(dir));
            match above.next() {
                Some(Node::File { .. }) => Errno::NOTDIR,
                _ => Errno::NOENT,
            }
        })
    }
}
