//! A plan: the settings whose state differs, and the exact steps that would be taken.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cpu_plan::CpuPlan;
use crate::finding::Skipped;
use crate::setting::When;
use crate::transaction::After;

/// What `setup` would do. Its JSON is the contract of `hftune plan --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Plan {
    /// "hftune/plan/1".
    pub schema: &'static str,
    /// Name of the profile.
    pub profile: String,
    /// The split of the CPUs.
    pub cpus: CpuPlan,
    /// Settings whose state differs.
    pub changes: Vec<Change>,
    /// Settings of the profile that are not set on this host.
    pub skipped: Vec<Skipped>,
    /// What the operator should know before saying yes.
    pub warnings: Vec<String>,
    /// How many settings are as desired already.
    pub unchanged: usize,
    /// The steps, in the order in which they are taken.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The version of the JSON contract.
    pub const SCHEMA: &'static str = "hftune/plan/1";

    /// Whether the machine must be rebooted for the changes to take effect.
    pub fn needs_reboot(&self) -> bool {
        self.changes
            .iter()
            .any(|change| change.when == When::Reboot)
    }
}

/// A setting whose state differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The setting's id.
    pub id: String,
    /// What it is now.
    pub from: String,
    /// What it will be.
    pub to: String,
    /// When that takes effect.
    pub when: When,
    /// Why the profile wants it, or why it is put back.
    pub why: String,
}

/// One step: a target that is not as it should be, and the settings it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Step {
    /// The settings that need it; empty for what is put back because the profile no longer wants it.
    pub ids: Vec<String>,
    /// What is made of it.
    #[serde(flatten)]
    pub after: After,
}
