//! Which CPUs serve the OS and which the application, and why.

use schemars::JsonSchema;
use serde::Serialize;

use crate::CpuSet;

/// The split of the CPUs. The JSON fields are part of the contract of `hftune plan --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct CpuPlan {
    /// CPUs for the OS and the interrupts.
    pub housekeeping: CpuSet,
    /// CPUs for the application; empty where nothing can be isolated.
    pub isolated: CpuSet,
    /// The isolated CPUs on the nodes of the trading NICs.
    pub nic_local: CpuSet,
    /// The reasons, in sentences.
    pub why: String,
}
