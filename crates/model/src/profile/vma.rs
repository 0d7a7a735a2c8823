//! What the operator wants of libvma.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::KEEP;
use crate::names::IfName;
use crate::vma::check;
use crate::vma::param::{Param, Takes};

/// The word that leaves the choice of a CPU to hftune.
pub const AUTO: &str = "auto";

/// `[vma]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Vma {
    /// Whether libvma and what it needs are installed.
    pub install: bool,
    /// The ports whose sockets it takes, besides those of `hftune vma configure`.
    pub ports: Vec<IfName>,
    /// Whether one thread alone uses the sockets of each application, so that locks may be dropped.
    pub one_socket_thread: bool,
    /// The directory of the applications that `vma-app@NAME.service` starts.
    #[serde(deserialize_with = "directory")]
    pub applications: String,
    /// The user whom these applications run as; empty: one that systemd makes up for each.
    #[serde(deserialize_with = "user")]
    pub user: String,
    /// Parameters and their values.
    pub parameters: Parameters,
}

impl Default for Vma {
    fn default() -> Self {
        Self {
            install: false,
            ports: Vec::new(),
            one_socket_thread: false,
            applications: "/opt/hft-apps".to_owned(),
            user: String::new(),
            parameters: Parameters::default(),
        }
    }
}

impl Vma {
    /// Whether anything of libvma is wanted.
    pub fn is_wanted(&self) -> bool {
        self.install || !self.ports.is_empty()
    }
}

/// Values by parameter; "keep" leaves libvma's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Parameters(pub BTreeMap<String, Value>);

impl Parameters {
    /// Parameters with the text of their values, those left out that keep libvma's own.
    pub fn set(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().filter_map(|(name, value)| match value {
            Value::Text(text) if text == KEEP => None,
            value => Some((name.as_str(), value.to_string())),
        })
    }
}

/// A value as TOML has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number, a text or \"keep\"")]
pub enum Value {
    /// A number.
    Number(i64),
    /// Anything else.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// The name of a parameter, refused where its line is still known.
#[derive(PartialEq, Eq)]
struct Name(&'static Param);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match (check::param(&name), check::name(&name)) {
            (Some(param), None) => Ok(Self(param)),
            (_, Some(problem)) => Err(D::Error::custom(format!(
                "{}: {}",
                problem.what, problem.remedy
            ))),
            (None, None) => Err(D::Error::custom(format!("{name:?} is no parameter"))),
        }
    }
}

/// Reads the value of a parameter, so that an error is at its place.
struct ValueOf(&'static Param);

impl<'de> DeserializeSeed<'de> for ValueOf {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let text = value.to_string();
        let chosen_here = text == AUTO && self.0.takes == Takes::Cpus;
        if text == KEEP || chosen_here {
            return Ok(value);
        }
        // It becomes a line of a file that systemd reads (systemd.exec(5), EnvironmentFile=).
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._/:%,+@-*".contains(c);
        if text.is_empty() || !text.chars().all(allowed) {
            return Err(D::Error::custom(format!(
                "{text:?} cannot be the value of {}: expected letters, digits and ._/:%,+@-*",
                self.0.name
            )));
        }
        match check::value(self.0, &text) {
            Some(problem) => Err(D::Error::custom(format!(
                "{}: {}",
                problem.what, problem.remedy
            ))),
            None => Ok(value),
        }
    }
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = Parameters;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parameters, A::Error> {
                let mut parameters = BTreeMap::new();
                while let Some(Name(param)) = map.next_key::<Name>()? {
                    let value = map.next_value_seed(ValueOf(param))?;
                    parameters.insert(param.name.to_owned(), value);
                }
                Ok(Parameters(parameters))
            }
        }
        deserializer.deserialize_map(Table)
    }
}

fn directory<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._/-+".contains(c);
    let good = text.len() > 1
        && text.starts_with('/')
        && !text.ends_with('/')
        && text.chars().all(allowed)
        && !text.split('/').any(|part| part == "." || part == "..");
    if good {
        return Ok(text);
    }
    Err(D::Error::custom(format!(
        "{text:?} is no directory for applications: expected an absolute path like \"/opt/hft-apps\""
    )))
}

fn user<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    let good = name.len() <= 31
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    if name.is_empty() || good {
        return Ok(name);
    }
    Err(D::Error::custom(format!(
        "{name:?} is not the name of a user: expected one like \"trader\", or \"\""
    )))
}
