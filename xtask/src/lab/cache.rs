//! Where built images are kept between runs, and the lock that keeps two labs from building one at once.

use anyhow::{Context, Result, bail};
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The cache's folder, locked until dropped.
pub struct Cache {
    dir: PathBuf,
    _lock: File,
}

impl Cache {
    /// Opens the cache, waiting for another lab that is building.
    pub fn open() -> Result<Self> {
        let dir = dir()?;
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let lock = File::create(dir.join("lock"))?;
        lock.lock()?;
        Ok(Self { dir, _lock: lock })
    }

    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder of one cached thing.
    pub fn entry(&self, kind: &str, key: &str) -> PathBuf {
        self.dir.join(format!("{kind}-{key}"))
    }

    /// An empty folder in which the thing is built before it is renamed into place: what is in place is whole.
    pub fn begin(&self, kind: &str) -> Result<PathBuf> {
        let partial = self.dir.join(format!("{kind}.partial"));
        remove_tree(&partial)?;
        fs::create_dir(&partial)?;
        Ok(partial)
    }

    /// Moves what was built into place, and drops older ones of its kind: an image is half a gigabyte.
    pub fn commit(&self, partial: &Path, kind: &str, key: &str) -> Result<PathBuf> {
        for entry in fs::read_dir(&self.dir)?.flatten() {
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with(&format!("{kind}-"))
            {
                remove_tree(&entry.path())?;
            }
        }
        let entry = self.entry(kind, key);
        fs::rename(partial, &entry)?;
        Ok(entry)
    }
}

fn dir() -> Result<PathBuf> {
    if let Some(dir) = env::var_os("HFTUNE_LAB_CACHE").filter(|dir| !dir.is_empty()) {
        return Ok(PathBuf::from(dir));
    }
    let base = match env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => {
            PathBuf::from(env::var_os("HOME").context("set HFTUNE_LAB_CACHE: there is no HOME")?)
                .join(".cache")
        }
    };
    Ok(base.join("hftune-lab"))
}

/// Removes a tree, but never through a mount that an interrupted debootstrap left inside: that would be `/proc`.
pub fn remove_tree(tree: &Path) -> Result<()> {
    if !tree.exists() {
        return Ok(());
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    if let Some(mount) = mount_inside(&mounts, tree) {
        bail!("{mount} is still mounted, from an interrupted run; unmount it: umount {mount}");
    }
    fs::remove_dir_all(tree).with_context(|| format!("cannot remove {}", tree.display()))
}

fn mount_inside<'a>(mountinfo: &'a str, tree: &Path) -> Option<&'a str> {
    mountinfo
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .find(|point| Path::new(point).starts_with(tree))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mounts_below_the_tree_count() {
        let mounts =
            "22 1 0:20 / /proc rw - proc proc rw\n40 22 0:33 / /c/tree/proc rw - proc proc rw\n";
        assert_eq!(
            mount_inside(mounts, Path::new("/c/tree")),
            Some("/c/tree/proc")
        );
        assert_eq!(mount_inside(mounts, Path::new("/c/tre")), None);
    }
}
