//! Layers merged key by key: tables deep, everything else replaced.

use std::collections::BTreeMap;

use hftune_model::profile::{Origin, Profile};
use hftune_model::{Error, Result};
use serde::Deserialize;

use super::layer::parts;

/// Values and where they came from, by key.
#[derive(Debug, Default)]
pub(super) struct Merged {
    leaves: BTreeMap<String, (toml::Value, Origin)>,
}

impl Merged {
    /// Lays the values of one layer over those of the layers below.
    pub(super) fn lay(&mut self, layer: impl IntoIterator<Item = (String, toml::Value, Origin)>) {
        let layer: Vec<_> = layer.into_iter().collect();
        let sets = |prefix: &str| layer.iter().any(|(key, ..)| key.starts_with(prefix));
        // Two ways to say one thing: the later layer's way replaces the other one.
        if sets("cpus.housekeeping") {
            self.leaves
                .retain(|key, _| !key.starts_with("cpus.housekeeping"));
        }
        if layer.iter().any(|(key, ..)| key == "hugepages.count") && !sets("hugepages.nodes.") {
            self.leaves
                .retain(|key, _| !key.starts_with("hugepages.nodes."));
        }
        for (key, value, origin) in layer {
            self.leaves.insert(key, (value, origin));
        }
    }

    /// Forgets a value, so that it does not pass to the layers above.
    pub(super) fn forget(&mut self, key: &str) {
        self.leaves.remove(key);
    }

    /// The profile and the origins of its values.
    pub(super) fn finish(self) -> Result<(Profile, BTreeMap<String, Origin>)> {
        let mut table = toml::Table::new();
        let mut origins = BTreeMap::new();
        for (key, (value, origin)) in self.leaves {
            insert(&mut table, &parts(&key), value);
            origins.insert(key, origin);
        }
        let profile = Profile::deserialize(table).map_err(|e| {
            Error::invalid(format!("the merged profile is not valid: {}", e.message()))
        })?;
        Ok((profile, origins))
    }
}

/// Puts a value into a table of tables.
pub(super) fn insert(table: &mut toml::Table, parts: &[&str], value: toml::Value) {
    match parts {
        [] => {}
        [name] => {
            table.insert((*name).to_owned(), value);
        }
        [name, rest @ ..] => {
            let inner = table
                .entry(*name)
                .or_insert_with(|| toml::Value::Table(toml::Table::new()));
            if let toml::Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}
