//! A profile that is written by hftune: values over those of the built-in profile, each with a remark.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use hftune_model::profile::KEEP;
use hftune_model::{Error, Result};

use super::load::BUILT_IN;
use super::{layer, overrides};

/// Values by key, like `sysctl.vm.swappiness`, with where each comes from.
#[derive(Debug, Default)]
pub struct Overlay {
    leaves: BTreeMap<String, (toml::Value, String)>,
}

impl Overlay {
    /// One that leaves the host everything that the built-in profile would change.
    pub fn keeping_all() -> Result<Self> {
        let mut overlay = Self::default();
        for key in built_in_keys()? {
            if let Some(value) = kept(&key) {
                overlay.leaves.insert(key, (value, String::new()));
            }
        }
        Ok(overlay)
    }

    /// Sets a value; the error says why it cannot be one.
    pub fn set(&mut self, key: &str, value: impl Into<toml::Value>, remark: &str) -> Result<()> {
        let value = value.into();
        let key = overrides::checked(key, &value)?;
        self.leaves.insert(key, (value, remark.to_owned()));
        Ok(())
    }

    /// Leaves a value to the host; false where the profile has no way to say so.
    pub fn keep(&mut self, key: &str, remark: &str) -> bool {
        let Some(value) = kept(key) else {
            return false;
        };
        self.leaves
            .insert(key.to_owned(), (value, remark.to_owned()));
        true
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&toml::Value> {
        self.leaves.get(key).map(|(value, _)| value)
    }

    /// How many values there are, those that are only kept aside.
    pub fn len(&self) -> usize {
        self.leaves
            .iter()
            .filter(|(key, (value, _))| kept(key).as_ref() != Some(value))
            .count()
    }

    /// Whether it leaves everything to the host.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text of the profile, checked as any other: `intro` is its first lines, without their comment signs.
    pub fn render(&self, intro: &str) -> Result<String> {
        let mut text = String::new();
        for line in intro.lines() {
            text.push_str(format!("# {line}").trim_end());
            text.push('\n');
        }
        text.push_str("extends = \"hft\"\n");
        let mut tables: BTreeMap<Vec<&str>, Vec<(&str, &toml::Value, &str)>> = BTreeMap::new();
        for (key, (value, remark)) in &self.leaves {
            let parts = layer::parts(key);
            let (name, table) = parts.split_last().expect("a key has a name");
            tables
                .entry(table.to_vec())
                .or_default()
                .push((name, value, remark));
        }
        for (table, leaves) in &tables {
            if !table.is_empty() {
                let names: Vec<String> = table.iter().map(|name| word(name)).collect();
                let _ = writeln!(text, "\n[{}]", names.join("."));
            }
            for (name, value, remark) in leaves {
                if !remark.is_empty() {
                    let _ = writeln!(text, "# {}", remark.replace(char::is_control, " "));
                }
                let _ = writeln!(text, "{} = {value}", word(name));
            }
        }
        layer::parse(&text, Path::new("the new profile"))?;
        Ok(text)
    }
}

/// A key as TOML writes it: bare where it may be.
fn word(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(bare) {
        return name.to_owned();
    }
    toml::Value::String(name.to_owned()).to_string()
}

/// The keys of the built-in profile.
fn built_in_keys() -> Result<Vec<String>> {
    let (name, text) = BUILT_IN[0];
    let layer = layer::parse(text, Path::new(name))
        .map_err(|e| Error::invalid(format!("the built-in profile is not valid: {e}")))?;
    Ok(layer.leaves.into_iter().map(|leaf| leaf.key).collect())
}

/// The value that leaves the host its own.
fn kept(key: &str) -> Option<toml::Value> {
    let (table, name) = key.split_once('.')?;
    Some(match (table, name) {
        ("sysctl" | "thp", _) | ("power", "governor") | ("limits", "memlock") => KEEP.into(),
        ("boot", _) | ("irq" | "threads" | "rps" | "workqueue", "housekeeping") => false.into(),
        ("hugepages", "count") => 0.into(),
        ("power", "energy_bias" | "max_idle_latency_us") | ("limits", "rtprio") | ("kernel", _) => {
            (-1).into()
        }
        ("services", "off") => toml::Value::Array(Vec::new()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use hftune_model::profile::Profile;

    use super::*;
    use crate::profile::load;

    #[test]
    fn what_keeps_all_wants_nothing() {
        let text = Overlay::keeping_all().unwrap().render("x\n\ny").unwrap();
        assert!(
            text.starts_with("# x\n#\n# y\nextends = \"hft\"\n"),
            "{text}"
        );
        let dir = tempfile::tempdir().unwrap();
        let root = hftune_sys::Root::tree(dir.path()).unwrap();
        root.write_atomic(
            "/p.toml",
            text.as_bytes(),
            &hftune_sys::write::Metadata {
                mode: 0o644,
                uid: hftune_sys::identity::owner().0,
                gid: hftune_sys::identity::owner().1,
                xattrs: Vec::new(),
            },
        )
        .unwrap();
        let profile = load(&root, Some(&dir.path().join("p.toml")), &[])
            .unwrap()
            .profile;
        let nothing = Profile::default();
        assert!(profile.sysctl.values().all(|value| value.text().is_none()));
        assert_eq!(profile.thp, nothing.thp);
        assert_eq!(profile.power, nothing.power);
        assert_eq!(profile.services, nothing.services);
        assert_eq!(profile.limits, nothing.limits);
        assert_eq!(profile.irq, nothing.irq);
        assert_eq!(profile.hugepages.count, 0);
    }

    #[test]
    fn wrong_values_are_refused_one_by_one() {
        let mut overlay = Overlay::default();
        assert!(overlay.set("thp.enabled", "perhaps", "").is_err());
        assert!(overlay.set("sysctl.net/ipv4/tcp_sack", 0, "a:1").is_ok());
        assert!(overlay.set("boot.a b", "x", "").is_err());
        assert_eq!(overlay.len(), 1);
        let text = overlay.render("").unwrap();
        assert!(
            text.contains("# a:1\n\"net.ipv4.tcp_sack\" = 0\n"),
            "{text}"
        );
    }
}
