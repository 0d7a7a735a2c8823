//! An apt that reads sources of our choice: the machine's own configuration and lists stay as they are.

use super::apt_sources::{self, Source};
use crate::tool;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Other package managers may be at work, also on a fresh machine: wait for their lock.
const APT: [&str; 6] = [
    "-qq",
    "-y",
    "--no-install-recommends",
    "-o",
    "DPkg::Lock::Timeout=300",
    "-o=Dpkg::Use-Pty=0",
];

/// An `apt-get` that asks nothing and waits its turn.
pub fn apt_get() -> Command {
    let mut command = tool::command("apt-get");
    command.args(APT).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Installs packages out of the machine's own sources, whose lists are fetched anew.
pub fn apt_install(packages: &[&str], log: &Path) -> Result<()> {
    tool::run_logged(apt_get().arg("update"), log)?;
    tool::run_logged(apt_get().arg("install").args(packages), log)
}

/// A folder of sources and package lists.
pub struct PrivateApt {
    folder: PathBuf,
}

impl PrivateApt {
    /// Makes the folder, which knows no source yet.
    pub fn new(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        // apt runs in other folders than we do.
        let folder = folder.canonicalize()?;
        let apt = Self { folder };
        fs::create_dir_all(apt.parts())?;
        fs::create_dir_all(apt.lists().join("partial"))?;
        Ok(apt)
    }

    /// Adds the sources of the machine.
    pub fn add_the_machines_own(&self) -> Result<()> {
        for file in apt_sources::files(Path::new("/etc/apt")) {
            let name = file.file_name().expect("a file has a name");
            fs::copy(&file, self.parts().join(name))?;
        }
        Ok(())
    }

    /// Adds a source.
    pub fn add(&self, source: &Source) -> Result<()> {
        Ok(fs::write(
            self.parts().join("lab.sources"),
            source.to_deb822(),
        )?)
    }

    /// An `apt-get` that reads these sources.
    pub fn get(&self) -> Command {
        let mut command = apt_get();
        for option in [
            "Dir::Etc::sourcelist=/dev/null",
            &format!("Dir::Etc::sourceparts={}", self.parts().display()),
            &format!("Dir::State::lists={}", self.lists().display()),
            "Dir::Cache::pkgcache=",
            "Dir::Cache::srcpkgcache=",
            "APT::Sandbox::User=root",
        ] {
            command.args(["-o", option]);
        }
        command
    }

    /// Downloads a package, without what it depends on, into the folder.
    pub fn download(&self, package: &str, log: &Path) -> Result<PathBuf> {
        let mut get = self.get();
        get.args(["download", package]).current_dir(&self.folder);
        tool::run_logged(&mut get, log)?;
        fs::read_dir(&self.folder)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .with_context(|| format!("apt-get download left no package of {package}"))
    }

    /// Removes the folder.
    pub fn remove(self) -> Result<()> {
        Ok(fs::remove_dir_all(self.folder)?)
    }

    fn parts(&self) -> PathBuf {
        self.folder.join("sources.list.d")
    }

    fn lists(&self) -> PathBuf {
        self.folder.join("lists")
    }
}
