//! Writing the lab's own files into a guest's tree.

use super::recipe::GuestFile;
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Writes `files` below `tree`, with mode 0644 and their folders.
pub fn write(tree: &Path, files: &[GuestFile]) -> Result<()> {
    for file in files {
        let path = tree.join(file.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, file.text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Makes a link below `tree`, replacing what is there.
pub fn link(tree: &Path, target: &str, path: &str) -> Result<()> {
    let path = tree.join(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    if path.symlink_metadata().is_ok() {
        fs::remove_file(&path)?;
    }
    symlink(target, &path).with_context(|| format!("cannot link {}", path.display()))
}
