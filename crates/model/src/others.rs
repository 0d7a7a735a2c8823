//! What other tools set on this host, as their own configuration has it.

use schemars::JsonSchema;
use serde::Serialize;

/// A kernel value that another tool writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct Claim {
    /// The unit that writes it, like tuned.service.
    pub owner: String,
    /// What its configuration calls it, like "[vm] transparent_hugepages".
    pub word: String,
    /// Where it writes: a path below `/proc` or `/sys`, or a pattern of such paths as glob(7) has it.
    pub path: String,
    /// What it writes. `>N` and `<N` of tuned: only where the value would otherwise be lower, or higher.
    pub value: String,
    /// Whether only the tool itself can work out the value, which then is as the file has it.
    pub unresolved: bool,
    /// Whether the tool applies `/etc/sysctl.d` after it has written, so that a line there wins.
    pub yields: bool,
    /// The file that says so.
    pub file: String,
    /// The line in it, counted from 1; 0 where it is the tool's default and in no file.
    pub line: usize,
}

/// Why it is not known what a tool writes, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct UnknownClaims {
    /// The unit, like tuned.service.
    pub owner: String,
    /// Why.
    pub why: String,
}

/// The tuned profile that is in force, or will be when tuned starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct Tuned {
    /// Names of the active profiles, the first loaded first; empty where tuned takes the one that it recommends.
    pub profiles: Vec<String>,
    /// auto or manual (`/etc/tuned/profile_mode`).
    pub mode: Option<String>,
    /// The files of these profiles and of those that they include, in the order in which they are merged.
    pub files: Vec<String>,
    /// Where boot arguments of tuned's are: "file:line".
    pub boot_arguments: Vec<String>,
    /// Scripts that it runs, whose effect cannot be told.
    pub scripts: Vec<String>,
    /// The CPUs that its scheduler plugin keeps threads and interrupts off, as the profile has it.
    pub isolated_cores: Option<String>,
}

/// A setting of a network port that another tool makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct PortSetting {
    /// The interface; `None` for every port that the file fits and that cannot be named from it.
    pub port: Option<String>,
    /// What is set, in NetworkManager's words: ring-rx, coalesce-rx-usecs, feature-gro, pause-rx, channels-combined.
    pub knob: String,
    /// Its value, as the file has it.
    pub value: String,
    /// Who sets it.
    pub owner: PortOwner,
    /// The name of the connection that it belongs to, where NetworkManager sets it.
    pub connection: Option<String>,
    /// The file that says so.
    pub file: String,
    /// The line in it, counted from 1.
    pub line: usize,
    /// Whether the file may not be for this port: it asks for something that is not known of the port.
    pub uncertain: bool,
}

/// Who sets up a network port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Default, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PortOwner {
    /// A connection profile, at every activation.
    #[default]
    NetworkManager,
    /// `ETHTOOL_OPTS` of an ifcfg file, at every activation.
    Ifcfg,
    /// A `.link` file, when the device appears.
    SystemdLink,
    /// tuned's net plugin, when tuned starts and when the device appears.
    Tuned,
}
