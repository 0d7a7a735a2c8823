//! What packages are made of, and what they say about themselves.

use anyhow::{Context, Result};
use jiff::Timestamp;
use std::fs;
use std::path::{Path, PathBuf};

/// The name of the package, and of the program.
pub const NAME: &str = "hftune";

/// One line about it.
pub const SUMMARY: &str = "tune a Linux server for low latency, with proofs and full undo";

/// The rest, in lines.
pub const DESCRIPTION: [&str; 5] = [
    "hftune turns a stock server into a low-latency trading server: kernel",
    "arguments, interrupts, memory, power, network ports and kernel bypass. It",
    "proves that every setting is saved, live and in effect, and undoes every",
    "change byte for byte. Installing it changes nothing on the host: \"hftune",
    "plan\" shows what \"hftune setup\" would do.",
];

/// Who answers for the packages. The project has no address of its own; the domain is one that never exists (RFC 2606).
pub const MAINTAINER: &str = "The hftune maintainers <maintainers@hftune.invalid>";

/// The licence of everything in them, as the workspace states it.
pub const LICENCE: &str = env!("CARGO_PKG_LICENSE");

/// What packages are made of.
pub struct Sources {
    /// The checkout.
    pub checkout: PathBuf,
    /// The static binary.
    pub binary: PathBuf,
    /// The folder with the terms of what others wrote and the binary holds.
    pub notices: PathBuf,
    /// The version of the packages.
    pub version: String,
    /// When every file is said to have been changed, in seconds since 1970; what makes equal input equal bytes.
    pub time: u32,
}

impl Sources {
    /// The content of a file of the checkout.
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        read(&self.checkout.join(path))
    }

    /// The files of a folder of the checkout whose names end so, sorted; none where there is no such folder.
    pub fn files(&self, folder: &str, ending: &str) -> Result<Vec<String>> {
        let dir = self.checkout.join(folder);
        if dir.is_dir() {
            files(&dir, ending)
        } else {
            Ok(Vec::new())
        }
    }

    /// The time, in words of `strftime`.
    pub fn date(&self, format: &str) -> Result<String> {
        Ok(Timestamp::from_second(i64::from(self.time))?
            .strftime(format)
            .to_string())
    }
}

/// The content of a file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The files of a folder whose names end so, sorted.
pub fn files(dir: &Path, ending: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() && name.ends_with(ending) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}
