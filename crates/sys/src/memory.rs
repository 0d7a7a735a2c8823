//! A directory tree in memory: what an archive holds. Nothing of it is ever on a disk.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::resolve::resolve;

/// Mode of a directory that the archive does not name.
const DIR_MODE: u32 = 0o755;

/// What a tree may hold at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Files, links and directories, those too that are only implied by what is below them.
    pub(crate) nodes: usize,
    /// Bytes of their paths and names, as they are stored.
    pub(crate) path_bytes: u64,
}

/// The tree, by absolute paths.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: BTreeMap<PathBuf, Node>,
    left: Limits,
}

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
    TooMuch,
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
    /// An empty tree.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            nodes: BTreeMap::from([("/".into(), Node::dir(DIR_MODE))]),
            left: limits,
        }
    }

    /// Takes room for a node of that path, and for its name in the directory above.
    fn take_room(&mut self, path: &Path, node: &Node) -> Result<(), Clash> {
        let length = |path: &Path| path.as_os_str().len() as u64;
        let target = match node {
            Node::Link { target } => length(target),
            _ => 0,
        };
        let name = path.file_name().map_or(0, |name| name.len() as u64);
        let bytes = length(path) + name + target;
        self.left = Limits {
            nodes: self.left.nodes.checked_sub(1).ok_or(Clash::TooMuch)?,
            path_bytes: (self.left.path_bytes)
                .checked_sub(bytes)
                .ok_or(Clash::TooMuch)?,
        };
        Ok(())
    }

    /// Puts a node into the tree, with the directories above it. The path is absolute and has no dots in it.
    pub(crate) fn insert(&mut self, path: &Path, node: Node) -> Result<(), Clash> {
        match (self.nodes.get_mut(path), &node) {
            (None, _) => {}
            // A directory may be named again, as the one above another.
            (Some(Node::Dir { mode, .. }), Node::Dir { mode: new, .. }) => {
                *mode = *new;
                return Ok(());
            }
            (Some(Node::Link { .. }), Node::Dir { .. }) => return Err(Clash::ThroughLink),
            (Some(_), _) => return Err(Clash::Twice),
        }
        self.take_room(path, &node)?;
        if let (Some(above), Some(name)) = (path.parent(), path.file_name()) {
            if !self.nodes.contains_key(above) {
                self.insert(above, Node::dir(DIR_MODE))?;
            }
            match self.nodes.get_mut(above) {
                Some(Node::Dir { names, .. }) => names.insert(name.to_owned()),
                Some(Node::Link { .. }) => return Err(Clash::ThroughLink),
                _ => return Err(Clash::BelowFile),
            };
        }
        self.nodes.insert(path.to_owned(), node);
        Ok(())
    }

    /// The tree below one of its directories.
    pub(crate) fn below(self, top: &Path) -> Self {
        let below = |(path, node): (PathBuf, Node)| {
            let path = Path::new("/").join(path.strip_prefix(top).ok()?);
            Some((path, node))
        };
        Self {
            nodes: self.nodes.into_iter().filter_map(below).collect(),
            left: self.left,
        }
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
        let link = |path: &Path| match self.nodes.get(path)? {
            Node::Link { target } => Some(target.clone()),
            _ => None,
        };
        let path = resolve(path, follow, link).ok_or(Errno::LOOP)?;
        self.nodes.get(&path).ok_or_else(|| {
            let mut above = path
                .ancestors()
                .skip(1)
                .filter_map(|dir| self.nodes.get(dir));
            match above.next() {
                Some(Node::File { .. }) => Errno::NOTDIR,
                _ => Errno::NOENT,
            }
        })
    }
}
