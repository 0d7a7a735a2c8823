//! What the operator wants, with every value decided: the layers of TOML files are merged before it gets here.
//!
//! One set of types serves a whole profile and a single layer of it. A key that a layer leaves out gets the value that
//! leaves the host alone ([`Profile::default`]), so that every layer is read, checked and located in its own file; the
//! built-in profile names every key.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{IfName, SysctlKey};
use crate::{CpuSet, Size};

pub mod nic;
mod resolved;
mod schema;
mod valid;
pub mod vma;

pub use nic::Nic;
pub use resolved::{Origin, Resolved};
pub use valid::textfile_dir;
pub use vma::Vma;

/// The word that leaves the host's own value.
pub const KEEP: &str = "keep";

/// A resolved profile.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Name, as in `extends = "hft"`.
    #[serde(deserialize_with = "valid::name")]
    pub name: String,
    /// One sentence about it.
    #[serde(deserialize_with = "valid::description")]
    pub description: String,
    /// The split of the CPUs.
    pub cpus: Cpus,
    /// Kernel parameters.
    #[serde(deserialize_with = "valid::sysctl")]
    #[schemars(schema_with = "schema::by_kernel_name::<SysctlValue>")]
    pub sysctl: BTreeMap<SysctlKey, SysctlValue>,
    /// Kernel boot arguments, by name.
    #[serde(deserialize_with = "valid::boot")]
    #[schemars(schema_with = "schema::by_kernel_name::<BootValue>")]
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
    /// Receive packet steering.
    pub rps: Rps,
    /// Workqueues of the kernel.
    pub workqueue: Workqueue,
    /// What the kernel does by itself, time and again.
    pub kernel: Kernel,
    /// Network ports.
    pub nic: Nic,
    /// Kernel bypass through libvma.
    pub vma: Vma,
    /// Services.
    pub services: Services,
    /// Resource limits.
    pub limits: Limits,
    /// Watching for drift.
    pub drift: Drift,
}

/// Which CPUs serve the OS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cpus {
    /// These CPUs serve the OS; overrides the rule.
    #[serde(
        deserialize_with = "valid::housekeeping",
        skip_serializing_if = "Option::is_none"
    )]
    pub housekeeping: Option<CpuSet>,
    /// So many whole cores serve the OS; overrides the rule.
    #[serde(
        deserialize_with = "valid::housekeeping_cores",
        skip_serializing_if = "Option::is_none"
    )]
    pub housekeeping_cores: Option<u32>,
    /// So many whole cores of each of these NUMA nodes ("0" = 1) serve the OS; overrides the rule.
    #[serde(
        deserialize_with = "valid::cores_by_node",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub housekeeping_cores_by_node: BTreeMap<String, u32>,
    /// The rule: on a host of at least so many cores ("6" = 2) so many serve the OS; the highest step that fits decides.
    /// Below the lowest step one core does.
    #[serde(deserialize_with = "valid::cores_by_size")]
    pub housekeeping_rule: BTreeMap<String, u32>,
    /// The ports that the application trades through; empty: every VMA-capable port, else every port that is up.
    pub nics: Vec<IfName>,
}

/// A sysctl's value: an integer, text, or the word "keep", which leaves the host's own value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, try_from = "valid::RawSysctlValue")]
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
            Self::Text(text) if text == KEEP => None,
            Self::Text(text) => Some(text.clone()),
        }
    }
}

/// A boot argument's value: a template in which `{isolated}` and `{housekeeping}` stand for CPU lists, `true` for an
/// argument without a value, `false` for an argument that is not to be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, try_from = "valid::RawBootValue")]
pub enum BootValue {
    /// Present without a value, or not set.
    Flag(bool),
    /// `name=value`.
    Text(String),
}

/// Huge pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HugePages {
    /// Size of a page: 2M or 1G on x86.
    #[serde(deserialize_with = "valid::page_size")]
    pub size: Size,
    /// Pages in all, spread evenly over the nodes that have memory. 0 leaves the pool alone.
    pub count: u64,
    /// Pages per node ("0" = 512), instead of the even spread.
    #[serde(deserialize_with = "valid::nodes")]
    pub nodes: BTreeMap<String, u64>,
}

impl Default for HugePages {
    fn default() -> Self {
        Self {
            size: Size(2 << 20),
            count: 0,
            nodes: BTreeMap::new(),
        }
    }
}

/// Transparent huge pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Thp {
    /// `/sys/kernel/mm/transparent_hugepage/enabled`.
    pub enabled: ThpMode,
    /// `/sys/kernel/mm/transparent_hugepage/defrag`.
    pub defrag: ThpMode,
}

impl Default for Thp {
    fn default() -> Self {
        Self {
            enabled: ThpMode::Keep,
            defrag: ThpMode::Keep,
        }
    }
}

/// A mode of transparent huge pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", try_from = "valid::RawThpMode")]
#[schemars(!try_from)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Power {
    /// cpufreq governor, or "keep".
    #[serde(deserialize_with = "valid::governor")]
    pub governor: String,
    /// Energy bias (0 performance .. 15 power save) where there is no cpufreq driver; -1 keeps.
    #[serde(deserialize_with = "valid::energy_bias")]
    pub energy_bias: i32,
    /// Deepest idle state left to the isolated CPUs, by its exit latency in microseconds; -1 keeps all. C1 takes 1 or 2.
    #[serde(deserialize_with = "valid::idle_latency")]
    pub max_idle_latency_us: i64,
}

impl Default for Power {
    fn default() -> Self {
        Self {
            governor: KEEP.to_owned(),
            energy_bias: -1,
            max_idle_latency_us: -1,
        }
    }
}

/// Device interrupts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Irq {
    /// Whether every movable IRQ and the default for new ones go to the housekeeping CPUs.
    pub housekeeping: bool,
}

/// Kernel threads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Threads {
    /// Whether every kernel thread that can move goes to the housekeeping CPUs.
    pub housekeeping: bool,
}

/// Receive packet steering (RPS).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rps {
    /// Whether no packet is steered to an isolated CPU.
    pub housekeeping: bool,
}

/// Workqueues of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Workqueue {
    /// Whether work that is bound to no CPU goes to the housekeeping CPUs.
    pub housekeeping: bool,
}

/// What the kernel does by itself, time and again, on every CPU; -1 keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Kernel {
    /// Seconds between two looks for corrected machine check errors; 0 looks no more.
    #[serde(deserialize_with = "valid::seconds_of_a_day")]
    pub check_interval: i64,
    /// Merging of equal pages: 0 off, 1 on, 2 off and undone.
    #[serde(deserialize_with = "valid::ksm_run")]
    pub ksm_run: i64,
    /// Nanoseconds of a second that ordinary threads get on an isolated CPU beside a real-time one.
    #[serde(deserialize_with = "valid::nanoseconds_of_a_second")]
    pub fair_server_runtime: i64,
}

impl Default for Kernel {
    fn default() -> Self {
        Self {
            check_interval: -1,
            ksm_run: -1,
            fair_server_runtime: -1,
        }
    }
}

/// Services.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Services {
    /// Units that are stopped and masked while the profile is in force.
    #[serde(deserialize_with = "valid::units")]
    pub off: Vec<String>,
}

/// Resource limits of logins (limits.d); units need `LimitMEMLOCK=` of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Who: a user, `@group`, or `*`.
    #[serde(deserialize_with = "valid::limits_domain")]
    pub domain: String,
    /// Memory that may be locked: "unlimited", KiB, or "keep".
    #[serde(deserialize_with = "valid::memlock")]
    pub memlock: String,
    /// Highest real-time priority, 0 to 99; -1 keeps.
    #[serde(deserialize_with = "valid::rtprio")]
    pub rtprio: i32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            domain: "*".to_owned(),
            memlock: KEEP.to_owned(),
            rtprio: -1,
        }
    }
}

/// Watching for drift: a timer that verifies, and tells what changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Drift {
    /// Whether the timer is there, besides that of `hftune drift enable`.
    pub watch: bool,
    /// Minutes between two runs.
    #[serde(deserialize_with = "valid::minutes")]
    pub every_minutes: u32,
    /// Where the metrics go; empty: the directory that node_exporter has, else one of hftune's own.
    #[serde(deserialize_with = "valid::directory_or_none")]
    pub textfile_dir: String,
}

impl Default for Drift {
    fn default() -> Self {
        Self {
            watch: false,
            every_minutes: 15,
            textfile_dir: String::new(),
        }
    }
}
