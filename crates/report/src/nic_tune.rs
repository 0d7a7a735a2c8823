//! The report of `nic tune`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hftune_model::finding::Finding;
use hftune_model::plan::Change;
use schemars::JsonSchema;
use serde::Serialize;

use crate::transactions::{NotDone, Setup, setup};
use crate::verify;

/// The result of `hftune nic tune`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Tuned {
    /// [`Tuned::SCHEMA`].
    pub schema: &'static str,
    /// Id of the transaction; `None` where nothing had to be changed.
    pub transaction: Option<String>,
    /// What was changed.
    pub changed: Vec<Change>,
    /// What was not, and why.
    pub not_changed: Vec<NotDone>,
    /// How often the link of each port came or went meanwhile.
    pub carrier_changes: BTreeMap<String, u64>,
}

impl Tuned {
    /// The form of the JSON object.
    pub const SCHEMA: &'static str = "hftune/nic-tune/1";

    /// What was done, and what the links did meanwhile.
    pub fn new(done: Setup, carrier_changes: BTreeMap<String, u64>) -> Self {
        Self {
            schema: Self::SCHEMA,
            transaction: done.transaction,
            changed: done.changed,
            not_changed: done.not_changed,
            carrier_changes,
        }
    }
}

/// The result in words: what was changed, what the links did, and what is not as the profile has it.
pub fn human(
    profile: &str,
    tuned: &Tuned,
    not_made: &[NotDone],
    findings: &[Finding],
    told: &[Finding],
    width: usize,
) -> String {
    let done = Setup {
        schema: tuned.schema,
        transaction: tuned.transaction.clone(),
        changed: tuned.changed.clone(),
        not_changed: Vec::new(),
        reboot_required: false,
    };
    let mut out = setup(&done, not_made, width);
    for (port, changes) in &tuned.carrier_changes {
        let _ = match changes {
            0 => writeln!(out, "{port}: the link stayed as it was"),
            1 => writeln!(out, "{port}: the link came or went once"),
            n => writeln!(out, "{port}: the link came or went {n} times"),
        };
    }
    out.push('\n');
    out.push_str(&verify::human(
        &verify::Verified {
            profile,
            all: findings,
            shown: told,
            notes: &[],
        },
        width,
    ));
    out
}
