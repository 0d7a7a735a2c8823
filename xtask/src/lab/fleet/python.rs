//! What Ansible's modules need beside `python3-minimal`: the standard library, out of Debian's package of it.

use crate::lab::apt_private::PrivateApt;
use crate::lab::apt_sources;
use crate::lab::control::Control;
use crate::lab::recipe;
use crate::progress::say;
use crate::skip::skip;
use crate::tool;
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};

/// Pure Python, and extensions that need no more libraries than are there.
const PACKAGE: &str = "libpython3.11-stdlib";

/// The package's file, downloaded once.
pub fn library(logs: &Path) -> Result<PathBuf> {
    let kept = logs.with_extension("python.deb");
    if kept.is_file() {
        return Ok(kept);
    }
    let sources = apt_sources::read(Path::new("/etc/apt"))?;
    let Some(source) = apt_sources::debian(&sources, recipe::SUITE) else {
        return Err(skip(format!(
            "{PACKAGE} is in Debian {}, and this machine's package sources (/etc/apt) name no Debian archive",
            recipe::SUITE
        )));
    };
    say(format!("downloading {PACKAGE}"));
    let log = logs.join("python.log");
    let apt = PrivateApt::new(&logs.join("apt"))?;
    apt.add(&source)?;
    tool::run_logged(apt.get().arg("update"), &log)?;
    let package = apt.download(PACKAGE, &log)?;
    fs::copy(package, &kept)?;
    apt.remove()?;
    Ok(kept)
}

/// Unpacks it in the guest, beside its package manager: what it depends on is not there.
pub fn install(control: &Control, package: &Path) -> Result<()> {
    control.put(package, "/var/tmp/python.deb", 0o644)?;
    control
        .read("dpkg --extract /var/tmp/python.deb / && rm /var/tmp/python.deb && python3 -c 'import shutil, json'")
        .map(drop)
}
