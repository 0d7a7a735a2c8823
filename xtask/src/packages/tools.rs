//! The tools of two distributions, installed with apt where they are missing.

use crate::lab::apt_install;
use crate::progress::say;
use crate::skip::skip;
use crate::tool;
use anyhow::{Result, ensure};
use std::path::Path;

/// Programs, and the packages of Debian that have them.
const TOOLS: [(&str, &str); 9] = [
    ("busybox", "busybox-static"),
    ("fish", "fish"),
    ("groff", "groff"),
    ("lintian", "lintian"),
    ("man", "man-db"),
    ("rpm", "rpm"),
    ("rpmlint", "rpmlint"),
    ("shellcheck", "shellcheck"),
    ("zsh", "zsh"),
];

/// Installs what is missing.
pub fn ensure(log: &Path) -> Result<()> {
    let missing: Vec<&str> = missing().collect();
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        return Err(skip(
            "packages are installed into folders with chroot(2), which needs root",
        ));
    }
    if missing.is_empty() {
        return Ok(());
    }
    if tool::find("apt-get").is_none() {
        return Err(skip(format!(
            "{} must be installed, and this machine has no apt-get",
            missing.join(", ")
        )));
    }
    say(format!("installing {} with apt", missing.join(", ")));
    apt_install(&missing, log)?;
    let still: Vec<&str> = self::missing().collect();
    ensure!(
        still.is_empty(),
        "apt installed {still:?} without their programs"
    );
    Ok(())
}

fn missing() -> impl Iterator<Item = &'static str> {
    TOOLS
        .iter()
        .filter(|(program, _)| tool::find(program).is_none())
        .map(|(_, package)| *package)
}
