//! Drift: a setting that is not what it was when hftune looked last.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, Verdict};

/// What a run saw of a setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Seen {
    /// Its verdict.
    pub verdict: Verdict,
    /// The value that the kernel held, or what was read of it otherwise; empty where nothing could be read.
    pub value: String,
    /// The value that was desired.
    pub wanted: String,
    /// The first run that saw this verdict, in seconds since 1970.
    pub since: u64,
}

impl Seen {
    /// What is seen now, after what was seen before.
    pub fn of(finding: &Finding, before: Option<&Self>, now: u64) -> Self {
        let proofs = [&finding.live, &finding.effect, &finding.saved];
        let value = proofs.into_iter().find_map(|proof| proof.value());
        Self {
            verdict: finding.verdict,
            value: value.unwrap_or_default().to_owned(),
            wanted: finding.desired.clone(),
            since: before
                .filter(|before| before.verdict == finding.verdict)
                .map_or(now, |before| before.since),
        }
    }
}

/// A setting that changed between two runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The setting.
    pub id: String,
    /// What the last run saw; `None` where it is new.
    pub before: Option<Seen>,
    /// What this one sees; `None` where it is gone, with the device that it was about.
    pub after: Option<Seen>,
    /// What mends it.
    pub fix: Option<String>,
    /// Who is likely to have done it.
    pub author: Author,
    /// Whether the machine was booted in between.
    pub rebooted: bool,
}

/// Who is likely to have changed a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// hftune itself: the transaction.
    Hftune(String),
    /// Whoever changed the profile, which wanted another value.
    Profile,
    /// What wins over the setting: the reason, which names it.
    Wins(String),
    /// A file that sets it and changed since the last run.
    File(PathBuf),
    /// A service that runs and does such things.
    Rival(String),
    /// Nobody knows.
    Unknown,
}
