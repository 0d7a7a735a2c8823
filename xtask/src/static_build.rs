//! The static release binary: one file that runs on any x86-64 Linux, whatever its C library.

use crate::{progress::say, tool, workspace};
use anyhow::Result;
use std::path::PathBuf;

/// A target named outright keeps build scripts and procedural macros out of the static link.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds `hftune` and returns its path.
pub fn hftune() -> Result<PathBuf> {
    say("building the static hftune");
    let mut cargo = tool::command(&workspace::cargo());
    cargo
        .args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "hftune",
            "--target",
            TARGET,
        ])
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .current_dir(workspace::root());
    tool::run(&mut cargo)?;
    Ok(workspace::target_dir()?.join(TARGET).join("release/hftune"))
}
