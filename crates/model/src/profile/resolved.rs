//! A profile together with where each of its values came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use super::Profile;

/// Where a value of a profile came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A profile that is part of hftune.
    BuiltIn(&'static str),
    /// A line of a file, counted from 1.
    File(PathBuf, usize),
    /// An option of the command.
    CommandLine,
    /// The profile as the last setup resolved it.
    LastSetup,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(name) => write!(f, "built-in {name}"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::CommandLine => f.write_str("command line"),
            Self::LastSetup => f.write_str("the last setup"),
        }
    }
}

crate::text_schema::text_schema!(
    Origin,
    "Where a value came from: built-in NAME, FILE:LINE, command line, the last setup"
);

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A profile with every layer merged.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The profile.
    pub profile: Profile,
    /// Where each value came from, by its key: `thp.enabled`, `sysctl.vm.swappiness`, `boot.isolcpus`.
    pub origins: BTreeMap<String, Origin>,
    /// The layers from the lowest to the one that has the last word: "built-in hft", a file, "command line".
    pub layers: Vec<String>,
}
