//! What the last setup was asked for, so that units and later commands mean the same.
//!
//! Units apply the profile as it was at setup, however the file is edited later; `plan` and `verify` without options
//! use the same file and the same overrides as that setup.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hftune_model::names::IfName;
use hftune_model::profile::{Origin, Profile, Resolved};
use hftune_model::setting::Artifact;
use hftune_model::{CpuSet, Error, Kind, Result};
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
    /// The ports of `hftune nic tune`, each with its device, which is known by it when the interface is renamed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ports: BTreeMap<IfName, Option<String>>,
    /// The ports of `hftune vma configure`, each with its device.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vma_ports: BTreeMap<IfName, Option<String>>,
    /// `hftune vma install`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vma_install: bool,
    /// `hftune drift enable` or `disable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Watch>,
    /// `--force`.
    #[serde(default)]
    pub force: bool,
}

/// What the operator wants of the watch for drift, whatever the profile says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// Whether it is there.
    pub enabled: bool,
    /// `--textfile-dir DIR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub textfile_dir: Option<String>,
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
        let in_force: Self = serde_json::from_str(&text).map_err(|e| {
            Error::invalid(format!("it cannot be understood: {e}"))
                .at(root.shown(PATH.as_ref()))
                .line(e.line())
        })?;
        if in_force.schema != SCHEMA {
            let what = format!("it is of {:?}, expected {SCHEMA:?}", in_force.schema);
            return Err(Error::invalid(what).at(root.shown(PATH.as_ref())));
        }
        Ok(Some(in_force))
    }

    /// The same, where a damaged record, or one of another version, counts as none: the warning says so. Otherwise
    /// `setup`, which writes it again, could not run either.
    pub fn read_or_warn(root: &Root) -> Result<(Option<Self>, Option<String>)> {
        match Self::read(root) {
            Ok(in_force) => Ok((in_force, None)),
            Err(e) if e.kind == Kind::NeedsRoot => Err(e),
            Err(e) => {
                let warning = format!(
                    "{e}; what the last setup chose is therefore not known, and hftune setup [--profile FILE] writes it again"
                );
                Ok((None, Some(warning)))
            }
        }
    }

    /// The profile as it was resolved then, with the origin of each value.
    pub fn into_resolved(self) -> Resolved {
        let values =
            serde_json::to_value(&self.profile).expect("a profile is maps, lists and scalars");
        let mut origins = BTreeMap::new();
        for (key, value) in values.as_object().into_iter().flatten() {
            keys(key, value, &mut origins);
        }
        Resolved {
            profile: self.profile,
            origins,
            layers: vec![Origin::LastSetup.to_string()],
        }
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

/// The keys of the values below a key, as a profile writes them.
fn keys(key: &str, value: &serde_json::Value, origins: &mut BTreeMap<String, Origin>) {
    match value {
        serde_json::Value::Object(table) => {
            for (name, value) in table {
                keys(&format!("{key}.{name}"), value, origins);
            }
        }
        serde_json::Value::Null => {}
        _ => {
            origins.insert(key.to_owned(), Origin::LastSetup);
        }
    }
}
