//! What the operator wants, with every value decided: the layers of TOML files are merged before it gets here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::{IfName, SysctlKey};
use crate::{CpuSet, Size};

/// A resolved profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Name, as in `extends = "hft"`.
    pub name: String,
    /// One sentence about it.
    #[serde(default)]
    pub description: String,
    /// The split of the CPUs.
    pub cpus: Cpus,
    /// Kernel parameters.
    pub sysctl: BTreeMap<SysctlKey, SysctlValue>,
    /// Kernel boot arguments, by name.
    pub boot: BTreeMap<String, BootValue>,
    /// Huge pages.
    pub hugepages: HugePages,
    /// Transparent huge pages.
    pub thp: Thp,
    /// Clock frequency and idle states.
    pub power: Power,
    /// Device interrupts.
    pub irq: Irq,
    /// Kernel threads.
    pub threads: Threads,
    /// Services.
    pub services: Services,
    /// Resource limits.
    pub limits: Limits,
}

/// Which CPUs serve the OS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Cpus {
    /// These CPUs serve the OS; overrides the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub housekeeping: Option<CpuSet>,
    /// So many whole cores serve the OS; overrides the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub housekeeping_cores: Option<u32>,
    /// The ports that the application trades through; empty: every VMA-capable port, else every port that is up.
    #[serde(default)]
    pub nics: Vec<IfName>,
}

/// A sysctl's value: an integer, text, or the word "keep", which leaves the host's own value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "an integer, a text like \"4096 131072 134217728\", or \"keep\"")]
pub enum SysctlValue {
    /// A number.
    Number(i64),
    /// Anything else, as the kernel takes it.
    Text(String),
}

impl SysctlValue {
    /// The text to write; `None` for "keep".
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Number(number) => Some(number.to_string()),
            Self::Text(text) if text == "keep" => None,
            Self::Text(text) => Some(text.clone()),
        }
    }
}

/// A boot argument's value: a template in which `{isolated}` and `{housekeeping}` stand for CPU lists, `true` for an
/// argument without a value, `false` for an argument that is not to be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "true, false, or a text like \"{isolated}\"")]
pub enum BootValue {
    /// Present without a value, or not set.
    Flag(bool),
    /// `name=value`.
    Text(String),
}

/// Huge pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HugePages {
    /// Size of a page: 2M or 1G on x86.
    pub size: Size,
    /// Pages in all, spread evenly over the nodes that have memory. 0 leaves the pool alone.
    pub count: u64,
    /// Pages per node ("0" = 512), instead of the even spread.
    #[serde(default)]
    pub nodes: BTreeMap<String, u64>,
}

/// Transparent huge pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thp {
    /// `/sys/kernel/mm/transparent_hugepage/enabled`.
    pub enabled: ThpMode,
    /// `/sys/kernel/mm/transparent_hugepage/defrag`.
    pub defrag: ThpMode,
}

/// A mode of transparent huge pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThpMode {
    /// Everywhere.
    Always,
    /// Where the application asks.
    Madvise,
    /// Nowhere.
    Never,
    /// Leave the host's own value.
    Keep,
}

impl ThpMode {
    /// The kernel's word; `None` for keep.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Always => Some("always"),
            Self::Madvise => Some("madvise"),
            Self::Never => Some("never"),
            Self::Keep => None,
        }
    }
}

/// Clock frequency and idle states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Power {
    /// cpufreq governor, or "keep".
    pub governor: String,
    /// Energy bias (0 performance .. 15 power save) where there is no cpufreq driver; -1 keeps.
    pub energy_bias: i32,
    /// Deepest idle state left to the isolated CPUs, by its exit latency in microseconds; -1 keeps all. C1 takes 1 or 2.
    pub max_idle_latency_us: i64,
}

/// Device interrupts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Irq {
    /// Whether every movable IRQ and the default for new ones go to the housekeeping CPUs.
    pub housekeeping: bool,
}

/// Kernel threads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threads {
    /// Whether every kernel thread that can move goes to the housekeeping CPUs.
    pub housekeeping: bool,
}

/// Services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Services {
    /// Units that are stopped and masked while the profile is in force.
    pub off: Vec<String>,
}

/// Resource limits of logins (limits.d); units need `LimitMEMLOCK=` of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Who: a user, `@group`, or `*`.
    pub domain: String,
    /// Memory that may be locked: "unlimited", KiB, or "keep".
    pub memlock: String,
    /// Highest real-time priority, 0 to 99; -1 keeps.
    pub rtprio: i32,
}
