//! How often CPUs were disturbed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The schema of [`Quiet`].
pub const SCHEMA: &str = "hftune/quiet/1";

/// What reached some CPUs in a stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quiet {
    /// "hftune/quiet/1".
    pub schema: String,
    /// When it began, UTC.
    pub time: String,
    /// How long it was, in seconds.
    pub seconds: f64,
    /// What keeps something from being known.
    pub warnings: Vec<String>,
    /// The CPUs.
    pub cpus: Vec<Cpu>,
}

/// One CPU. The numbers are events in a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cpu {
    /// Its number.
    pub cpu: u32,
    /// Interrupts of its own timer.
    pub timer: f64,
    /// Interrupts that other CPUs sent.
    pub ipi: f64,
    /// Interrupts of devices.
    pub device: f64,
    /// Softirqs.
    pub softirq: f64,
    /// Switches between threads; `None` where nobody counted them.
    pub switches: Option<f64>,
    /// Whether that is what full isolation gives.
    pub quiet: bool,
    /// What it was, most often first.
    pub causes: Vec<Cause>,
}

/// What reached a CPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cause {
    /// What it was.
    pub cause: String,
    /// How often in all.
    pub count: u64,
    /// The setting that would remove it.
    pub setting: Option<String>,
}

/// The most of each in a second that an isolated CPU sees where isolation works, with a thread that runs alone on it or with
/// none: in a window of ten seconds, one event.
pub const LIMIT: f64 = 0.1;
