//! Where a path leads below a root, links followed.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use crate::Root;

/// As many links in a row as the kernel follows (path_resolution(7)).
pub(crate) const MAX_LINKS: usize = 40;

/// The path without links in it; the last component is followed if `follow` says so. What does not exist is kept as it
/// is, and nothing leads above the root. `None` where the links lead in a circle.
pub(crate) fn resolve(
    path: &Path,
    follow: bool,
    mut link: impl FnMut(&Path) -> Option<PathBuf>,
) -> Option<PathBuf> {
    let mut todo: Vec<OsString> = components(path).collect();
    let mut done = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = todo.pop() {
        if part == ".." {
            done.pop();
            continue;
        }
        done.push(part);
        if todo.is_empty() && !follow {
            break;
        }
        if let Some(target) = link(&done) {
            links += 1;
            if links > MAX_LINKS {
                return None;
            }
            done.pop();
            if target.is_absolute() {
                done = PathBuf::from("/");
            }
            todo.extend(components(&target));
        }
    }
    Some(done)
}

/// The components of a path, the last one first, as they go on a stack.
pub(crate) fn components(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components()
        .rev()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
}

/// Resolves the paths of one root, and remembers every link that it looked at.
#[derive(Debug, Default)]
pub(crate) struct Resolver {
    targets: RefCell<HashMap<PathBuf, Option<String>>>,
}

impl Resolver {
    /// The path without links in it; as it is where they lead in a circle.
    pub(crate) fn resolve(&self, root: &Root, path: &Path, follow: bool) -> PathBuf {
        let resolved = resolve(path, follow, |path| {
            let mut targets = self.targets.borrow_mut();
            let target = targets
                .entry(path.to_owned())
                .or_insert_with(|| root.read_link(path));
            target.as_ref().map(PathBuf::from)
        });
        resolved.unwrap_or_else(|| path.to_owned())
    }

    /// The links that were met, with their targets.
    pub(crate) fn into_links(self) -> BTreeMap<PathBuf, String> {
        self.targets
            .into_inner()
            .into_iter()
            .filter_map(|(path, target)| Some((path, target?)))
            .collect()
    }
}
