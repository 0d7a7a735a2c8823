//! The package that the role installs: the real one where it was built, or the binary alone in one.

use crate::progress::say;
use crate::{tool, workspace};
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};

const CONTROL: &str = "Package: hftune\nVersion: 0~lab\nArchitecture: amd64\nMaintainer: hftune\n\
    Description: The binary alone, for the lab\n";

/// The newest `hftune_*_amd64.deb` of `target/dist`, or one that is made now.
pub fn debian(binary: &Path, logs: &Path) -> Result<PathBuf> {
    if let Some(built) = newest(&workspace::target_dir()?.join("dist")) {
        say(format!("the package is {}", built.display()));
        return Ok(built);
    }
    let tree = logs.join("package");
    fs::create_dir_all(tree.join("DEBIAN"))?;
    fs::create_dir_all(tree.join("usr/bin"))?;
    fs::write(tree.join("DEBIAN/control"), CONTROL)?;
    // What mode the folders get is the developer's umask; the package's are those of a system.
    tool::run(
        tool::command("install")
            .args(["-m", "755"])
            .arg(binary)
            .arg(tree.join("usr/bin/hftune")),
    )?;
    tool::run(
        tool::command("chmod")
            .args(["-R", "u=rwX,go=rX"])
            .arg(&tree),
    )?;
    let package = logs.join("hftune_0~lab_amd64.deb");
    let mut build = tool::command("dpkg-deb");
    build
        .args(["--root-owner-group", "-Znone", "--build"])
        .arg(&tree)
        .arg(&package);
    tool::run_logged(&mut build, &logs.join("package.log"))?;
    Ok(package)
}

fn newest(folder: &Path) -> Option<PathBuf> {
    let packages = fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path());
    packages
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("hftune_") && name.ends_with("_amd64.deb")
        })
        .max_by_key(|path| {
            path.metadata()
                .and_then(|metadata| metadata.modified())
                .ok()
        })
}
