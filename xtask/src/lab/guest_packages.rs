//! Debian packages for a guest, which has no network: they are downloaded here and installed there.

use super::apt_private::PrivateApt;
use super::apt_sources;
use super::guest::{Guest, Options, SHUTDOWN};
use super::image::Image;
use super::machine::Clock;
use super::ports::Ports;
use super::recipe::SUITE;
use crate::progress::say;
use crate::skip::skip;
use crate::tool;
use anyhow::Result;
use std::fs;
use std::path::Path;

/// Where packages come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// The sources of this machine.
    Release,
    /// The backports of the guest's release.
    Backports,
}

/// A copy of an image, kept in `folder`, with packages installed and what a shell line made of them.
pub fn image(
    image: &Image,
    from: From,
    packages: &[&str],
    then: &str,
    folder: &Path,
) -> Result<Image> {
    say(format!("installing {} in a guest", packages.join(", ")));
    fs::create_dir_all(folder)?;
    let copy = image.copied(folder)?;
    let options = Options {
        keep_changes: true,
        clock: Clock::Host,
        ports: Ports::OfEveryScenario,
    };
    let guest = Guest::boot(&copy, folder, options)?;
    install(&guest, from, packages, folder)?;
    guest.control().read(then)?;
    guest.power_off(SHUTDOWN)?;
    Ok(copy)
}

/// Installs packages, and whatever of their dependencies the guest lacks. `folder` takes the logs, and the packages for a while.
fn install(guest: &Guest, from: From, packages: &[&str], folder: &Path) -> Result<()> {
    let control = guest.control();
    let status = folder.join("status");
    control.get("/var/lib/dpkg/status", &status)?;
    let archives = folder.join("archives");
    fs::create_dir_all(archives.join("partial"))?;
    let log = folder.join("apt.log");
    let apt = PrivateApt::new(&folder.join("apt"))?;
    apt.add_the_machines_own()?;
    if from == From::Backports {
        let sources = apt_sources::read(Path::new("/etc/apt"))?;
        let Some(backports) = apt_sources::backports_of(&sources, SUITE) else {
            return Err(skip(format!(
                "no package source of this machine serves {SUITE}, from which its backports could be derived"
            )));
        };
        apt.add(&backports)?;
    }
    tool::run_logged(apt.get().arg("update"), &log)?;
    let mut get = apt.get();
    for option in [
        format!("Dir::State::status={}", status.display()),
        format!("Dir::Cache::archives={}", archives.display()),
    ] {
        get.args(["-o", &option]);
    }
    if from == From::Backports {
        get.args(["--target-release", &format!("{SUITE}-backports")]);
    }
    get.args(["--download-only", "install"]).args(packages);
    tool::run_logged(&mut get, &log)?;
    apt.remove()?;

    control.read("mkdir -p /root/debs")?;
    for entry in fs::read_dir(&archives)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "deb") {
            let name = path.file_name().expect("a file").to_string_lossy();
            control.put(&path, &format!("/root/debs/{name}"), 0o644)?;
        }
    }
    fs::remove_dir_all(&archives)?;
    control.read_slowly(
        "DEBIAN_FRONTEND=noninteractive dpkg -i --force-depends /root/debs/*.deb; code=$?; rm -r /root/debs; exit $code",
    )?;
    Ok(())
}
