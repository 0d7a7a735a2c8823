//! What the last setup was asked for, so that units and later commands mean the same.
//!
//! Units apply the profile as it was at setup, however the file is edited later; `plan` and `verify` without options
//! use the same file and the same overrides as that setup.

use std::path::PathBuf;

use hftune_model::setting::Artifact;
use hftune_model::{CpuSet, Error, Result, profile::Profile};
use hftune_sys::Root;
use serde::{Deserialize, Serialize};

/// Where it is kept.
pub const PATH: &str = "/var/lib/hftune/in-force.json";

/// The options that decide what is desired.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choices {
    /// `--profile FILE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<PathBuf>,
    /// `--housekeeping LIST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub housekeeping: Option<CpuSet>,
    /// `--force`.
    #[serde(default)]
    pub force: bool,
}

/// The profile in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InForce {
    /// "hftune/in-force/1".
    pub schema: String,
    /// What the operator chose.
    pub choices: Choices,
    /// The profile as it was resolved then.
    pub profile: Profile,
}

const SCHEMA: &str = "hftune/in-force/1";

impl InForce {
    /// The record of a setup.
    pub fn new(choices: Choices, profile: Profile) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            choices,
            profile,
        }
    }

    /// Reads it; `None` where no setup was made.
    pub fn read(root: &Root) -> Result<Option<Self>> {
        let Some(text) = root.read_text_if_present(PATH)? else {
            return Ok(None);
        };
        serde_json::from_str(&text).map(Some).map_err(|e| {
            Error::invalid(format!("it cannot be understood: {e}"))
                .at(root.shown(PATH.as_ref()))
                .line(e.line())
                .hint("hftune setup --profile FILE writes it again")
        })
    }

    /// The file that a setup leaves.
    pub fn artifact(&self) -> Artifact {
        let mut content =
            serde_json::to_string_pretty(self).expect("a profile is maps, lists and scalars");
        content.push('\n');
        Artifact::File {
            path: PATH.into(),
            content,
            mode: 0o644,
        }
    }
}
