//! The programs of Prometheus: those that are installed, else Debian's packages, unpacked and not installed, so that no
//! service is started.

use crate::lab::PrivateApt;
use crate::progress::say;
use crate::skip::skip;
use crate::tool;
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the programs are.
pub struct Programs {
    /// node_exporter.
    pub exporter: PathBuf,
    /// The judge of metrics and rules.
    pub promtool: PathBuf,
    /// The server.
    pub prometheus: PathBuf,
}

const EXPORTER: &str = "prometheus-node-exporter";
const PACKAGES: [&str; 2] = [EXPORTER, "prometheus"];

impl Programs {
    /// Those that are there, else those of the packages, which are kept below `work`.
    pub fn find_or_unpack(work: &Path) -> Result<Self> {
        let installed = Self::of(tool::find);
        if let Some(programs) = installed {
            return Ok(programs);
        }
        let unpacked = work.join("programs");
        let below = |name: &str| Some(unpacked.join("usr/bin").join(name)).filter(|p| p.is_file());
        if Self::of(below).is_none() {
            fs::create_dir_all(&unpacked)?;
            unpack(work, &unpacked)
                .map_err(|e| skip(format!("{} cannot be had: {e:#}", PACKAGES.join(" and "))))?;
        }
        Self::of(below).ok_or_else(|| skip("the packages of Prometheus hold other programs"))
    }

    fn of(find: impl Fn(&str) -> Option<PathBuf>) -> Option<Self> {
        Some(Self {
            exporter: find(EXPORTER).or_else(|| find("node_exporter"))?,
            promtool: find("promtool")?,
            prometheus: find("prometheus")?,
        })
    }
}

fn unpack(work: &Path, into: &Path) -> Result<()> {
    say("unpacking Debian's packages of Prometheus");
    let log = work.join("packages.log");
    let apt = PrivateApt::new(&work.join("apt"))?;
    apt.add_the_machines_own()?;
    tool::run_logged(apt.get().arg("update"), &log)?;
    for package in PACKAGES {
        let file = apt.download(package, &log)?;
        tool::run_logged(tool::command("dpkg").arg("-x").arg(&file).arg(into), &log)?;
        // The next download is told by being the only package in the folder.
        fs::remove_file(file)?;
    }
    apt.remove()
}
