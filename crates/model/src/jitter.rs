//! What a measurement of gaps found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A measurement of some CPUs of a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Jitter {
    /// "hftune/jitter/1".
    pub schema: String,
    /// When it began, UTC.
    pub time: String,
    /// The name of the machine.
    pub host: String,
    /// The release of its kernel.
    pub kernel: String,
    /// The length of each pass, in seconds.
    pub seconds: f64,
    /// Steps of the counter in a nanosecond.
    pub counter_ghz: f64,
    /// What makes the result doubtful, or less than it could be.
    pub warnings: Vec<String>,
    /// The CPUs.
    pub cpus: Vec<Cpu>,
}

/// The schema of [`Jitter`].
pub const SCHEMA: &str = "hftune/jitter/1";

/// One CPU. Without a trace, unless it says so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cpu {
    /// Its number.
    pub cpu: u32,
    /// How often the loop turned.
    pub turns: u64,
    /// What a turn took, in nanoseconds, gaps left out.
    pub loop_ns: f64,
    /// The least that two turns can be apart, in nanoseconds: what the loop resolves.
    pub resolution_ns: f64,
    /// What counts as a gap, in nanoseconds, and why.
    pub threshold_ns: f64,
    /// As above.
    pub threshold_basis: String,
    /// The gaps.
    pub gaps: Gaps,
    /// The share of the time that gaps took.
    pub lost_share: f64,
    /// Page faults and switches to other threads while the loop ran, and turns on another CPU.
    pub faults: u64,
    /// As above.
    pub switches: u64,
    /// As above.
    pub migrations: u64,
    /// The histogram of gaps: the greatest length of each step in nanoseconds, and how many there are.
    pub histogram: Vec<(f64, u64)>,
    /// What the kernel counted on this CPU meanwhile.
    pub counted: Vec<Counted>,
    /// The pass in which the kernel was traced.
    pub traced: Option<Traced>,
    /// What made the gaps of that pass.
    pub causes: Vec<CauseShare>,
}

/// Gaps in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gaps {
    /// How many.
    pub count: u64,
    /// How many in a second.
    pub per_second: f64,
    /// The length that half of them do not exceed, in nanoseconds.
    pub p50_ns: f64,
    /// That of 99 %.
    pub p99_ns: f64,
    /// That of 99.9 %.
    pub p999_ns: f64,
    /// The longest.
    pub max_ns: f64,
}

/// What the kernel counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Counted {
    /// An interrupt, a softirq, or "steal".
    pub what: String,
    /// How often; steal in hundredths of a second.
    pub count: u64,
}

/// The traced pass, whose numbers are its own: tracing makes gaps longer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Traced {
    /// The gaps.
    pub gaps: Gaps,
    /// What a turn took.
    pub loop_ns: f64,
    /// Gaps from so many nanoseconds on were named; shorter ones are counted only.
    pub named_from_ns: f64,
    /// Gaps that were to be named, and those for which there is a name.
    pub to_name: u64,
    /// As above.
    pub named: u64,
    /// Gaps that no room was left for, and events that the kernel had no room for.
    pub dropped: u64,
    /// As above.
    pub events_lost: u64,
    /// The longest gaps and some others: when, in seconds from the start, how long in nanoseconds, and the place of the
    /// cause in `causes`.
    pub timeline: Vec<(f64, f64, usize)>,
}

/// The cause of a gap in which the kernel did nothing: what took the CPU is below it.
pub const NO_EVENT: &str = "no kernel event: firmware or hypervisor";

/// The cause of a gap that the trace does not tell of.
pub const UNTRACED: &str = "not traced";

impl CauseShare {
    /// Whether the kernel did it, so that a setting may remove it.
    pub fn is_of_kernel(&self) -> bool {
        self.cause != NO_EVENT && self.cause != UNTRACED
    }
}

/// The time that one cause took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CauseShare {
    /// What it was.
    pub cause: String,
    /// Gaps.
    pub count: u64,
    /// All of their time, in nanoseconds.
    pub lost_ns: f64,
    /// The longest, in nanoseconds.
    pub max_ns: f64,
    /// The setting that would remove it.
    pub setting: Option<String>,
}
