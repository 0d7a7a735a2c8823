//! The floor: a program that only starts and reads the files that hftune reads.

use crate::tool;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Source of the floor: compiled on its own, so that it carries nothing that hftune does not need.
const FLOOR: &str = include_str!("floor.rs");

/// The files and directories that a command opens, each once. Paths are below `root` where the command works on a tree.
pub(super) fn opened(command: &Command, root: Option<&Path>, log: &Path) -> Result<Vec<PathBuf>> {
    // hftune ends with the exit code of its findings; the log is what counts.
    tool::command("strace")
        .args([
            "-f",
            "-qq",
            "-s",
            "4096",
            "-e",
            "trace=openat,openat2",
            "-o",
        ])
        .arg(log)
        .arg(command.get_program())
        .args(command.get_args())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cannot start strace")?;
    let text = std::fs::read_to_string(log)?;
    let call = if root.is_some() { "openat2(" } else { "open" };
    let files: BTreeSet<PathBuf> = text
        .lines()
        .filter(|line| line.contains(call))
        .filter(|line| !line.contains(" = -1 ") && !line.contains("O_PATH"))
        .filter_map(|line| Some(line.split_once('"')?.1.split_once('"')?.0))
        .filter_map(|path| match root {
            Some(root) => Some(root.join(path)),
            None => path.starts_with('/').then(|| path.into()),
        })
        .collect();
    Ok(files.into_iter().collect())
}

/// Compiles the floor into `dir`.
pub(super) fn build(dir: &Path) -> Result<PathBuf> {
    super::compile(dir, "floor", FLOOR)
}

/// The floor on these files.
pub(super) fn on(floor: &Path, list: &Path, files: &[PathBuf]) -> Result<Command> {
    let lines: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    std::fs::write(list, lines.join("\n") + "\n")?;
    let mut command = tool::command(&floor.to_string_lossy());
    command.arg(list);
    Ok(command)
}
