//! Where the workspace and its target directory are.

use crate::tool;
use anyhow::{Context, Result};
use std::env;
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask
        .parent()
        .expect("xtask lies inside the workspace")
        .to_path_buf()
}

/// The cargo that runs us, or the one on the path.
pub fn cargo() -> String {
    env::var("CARGO").unwrap_or_else(|_| "cargo".into())
}

/// The target directory, asked of cargo: a developer may have moved it.
pub fn target_dir() -> Result<PathBuf> {
    let metadata = metadata(&["--no-deps"])?;
    let dir = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target_directory")?;
    Ok(PathBuf::from(dir))
}

/// What cargo says of the workspace and its packages (cargo-metadata(1)).
pub fn metadata(arguments: &[&str]) -> Result<serde_json::Value> {
    let mut command = tool::command(&cargo());
    command
        .args(["metadata", "--format-version", "1"])
        .args(arguments)
        .current_dir(root());
    Ok(serde_json::from_str(&tool::read(&mut command)?)?)
}
