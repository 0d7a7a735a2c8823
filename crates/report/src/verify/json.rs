//! The contract of `hftune verify --format json`.

use std::collections::BTreeMap;

use hftune_model::finding::Finding;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Verified, counts};

/// What `hftune verify --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report<'f> {
    /// "hftune/verify/1".
    schema: &'static str,
    /// Name of the profile.
    profile: &'f str,
    /// How many settings have each verdict; every verdict is there.
    summary: BTreeMap<&'static str, usize>,
    /// The settings; with --failed those that are not as desired.
    settings: &'f [Finding],
    /// What other tools do that is no finding.
    notes: &'f [String],
}

/// One JSON object.
pub fn json(verified: &Verified<'_>) -> String {
    crate::to_json(&Report {
        schema: "hftune/verify/1",
        profile: verified.profile,
        summary: counts(verified.all)
            .into_iter()
            .map(|(verdict, n)| (verdict.word(), n))
            .collect(),
        settings: verified.shown,
        notes: verified.notes,
    })
}
