//! `cargo xtask faults`: every system call of a setup and of a rollback that changes something, killed, refused or cut short, on
//! directory trees. `cargo test` tries a sample of them.

use crate::{tool, workspace};
use anyhow::Result;
use std::path::Path;

/// In memory: what is tested is what is left, not a disk.
const MEMORY: &str = "/dev/shm";

/// Runs the whole sweep and prints how many points were tried.
pub fn run() -> Result<()> {
    let mut command = tool::command(&workspace::cargo());
    command
        .args([
            "test",
            "--package",
            "hftune",
            "--test",
            "faults",
            "--",
            "--nocapture",
        ])
        .current_dir(workspace::root())
        .env("HFTUNE_FAULTS", "all");
    if Path::new(MEMORY).is_dir() {
        command.env("TMPDIR", MEMORY);
    }
    tool::run(&mut command)
}
