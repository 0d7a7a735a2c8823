//! What the operator wants of network ports.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::KEEP;
use crate::host::Nic as Port;
use crate::knob::{FEATURE, FLAG, Knob, NumberKnob, WORDS};
use crate::names::{IfName, is_pci_address};

/// The word for the most that a port can do.
const MAX: &str = "max";

/// Every port that has a device.
pub const EVERY_PORT: &str = "*";

/// `[nic]`: which ports are tuned, and to what. A port gets what all get, then what its driver gets, then what its PCI
/// address gets, then what its name gets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Nic {
    /// The ports that setup tunes, besides those of `hftune nic tune`.
    pub ports: Vec<Chosen>,
    /// What every tuned port gets.
    pub all: Knobs,
    /// What ports of a driver get, by its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub driver: BTreeMap<String, Knobs>,
    /// What the ports at a PCI address get.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pci: BTreeMap<PciAddress, Knobs>,
    /// What the port of a name gets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub port: BTreeMap<IfName, Knobs>,
}

impl Nic {
    /// What a port gets; what is kept is not in it.
    pub fn of(&self, port: &Port) -> BTreeMap<Knob, Wanted> {
        let driver = port.driver.as_ref().and_then(|name| self.driver.get(name));
        let pci = port.pci_address.as_ref().and_then(|at| {
            let mut sections = self.pci.iter();
            sections.find(|(known, _)| known.0 == *at).map(|(_, of)| of)
        });
        let name = port.name.parse().ok();
        let named = name.and_then(|name: IfName| self.port.get(&name));
        let mut wanted = BTreeMap::new();
        for section in [Some(&self.all), driver, pci, named].into_iter().flatten() {
            for (knob, value) in &section.0 {
                match value {
                    Value::Keep => wanted.remove(knob),
                    Value::Wanted(value) => wanted.insert(knob.clone(), *value),
                };
            }
        }
        wanted
    }

    /// Whether a port is one of those that are tuned.
    pub fn chooses(&self, port: &Port) -> bool {
        self.ports.iter().any(|chosen| chosen.is(port))
    }
}

/// A port as an operator names it: the name of an interface, a PCI address, or `*` for every one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Chosen(String);

impl Chosen {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it means this port.
    pub fn is(&self, port: &Port) -> bool {
        self.0 == EVERY_PORT
            || self.0 == port.name
            || port.pci_address.as_deref() == Some(self.as_str())
    }

    /// Whether it names one port, which therefore has to be there.
    pub fn names_one(&self) -> bool {
        self.0 != EVERY_PORT
    }
}

impl From<&IfName> for Chosen {
    fn from(name: &IfName) -> Self {
        Self(name.as_str().to_owned())
    }
}

impl<'de> Deserialize<'de> for Chosen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // No name of an interface has a colon, so that the two cannot be mistaken for each other.
        if text == EVERY_PORT || is_pci_address(&text) || text.parse::<IfName>().is_ok() {
            return Ok(Self(text));
        }
        Err(D::Error::custom(format!(
            "{text:?} is no port: expected the name of an interface like \"ens1f0\", a PCI address like \
             \"0000:3b:00.0\", or \"*\" for every port"
        )))
    }
}

/// A PCI address like 0000:3b:00.0.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct PciAddress(String);

impl<'de> Deserialize<'de> for PciAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if is_pci_address(&text) {
            return Ok(Self(text));
        }
        Err(D::Error::custom(format!(
            "{text:?} is no PCI address: expected one like \"0000:3b:00.0\", domain and all; hftune nic list shows them"
        )))
    }
}

/// Values by knob.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Knobs(pub BTreeMap<Knob, Value>);

/// The value of a knob in a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// The port's own.
    Keep,
    /// A value.
    Wanted(Wanted),
}

/// A value that a knob is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// On or off.
    Switch(bool),
    /// A number.
    Number(u32),
    /// The most that the port can do.
    Most,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(true) => f.write_str("on"),
            Self::Switch(false) => f.write_str("off"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Most => f.write_str(MAX),
        }
    }
}

impl JsonSchema for Value {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "boolean" },
                { "type": "integer", "minimum": 0, "maximum": u32::MAX },
                { "enum": [MAX, KEEP] }
            ]
        })
    }
}

/// The words that are known are listed, so that an editor can offer them; features and flags have names of the driver's.
impl JsonSchema for Knobs {
    fn schema_name() -> Cow<'static, str> {
        "Knobs".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<Value>();
        let known: serde_json::Map<_, _> = WORDS
            .iter()
            .filter(|word| !word.ends_with("NAME"))
            .map(|word| ((*word).to_owned(), value.clone().into()))
            .collect();
        let named = format!("^({FEATURE}|{FLAG}).");
        json_schema!({
            "type": "object",
            "properties": known,
            "patternProperties": { named: value },
            "additionalProperties": false
        })
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Keep => serializer.serialize_str(KEEP),
            Self::Wanted(Wanted::Switch(on)) => serializer.serialize_bool(*on),
            Self::Wanted(Wanted::Number(number)) => serializer.serialize_u32(*number),
            Self::Wanted(Wanted::Most) => serializer.serialize_str(MAX),
        }
    }
}

/// A value as TOML has it.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a number, true, false, \"max\" or \"keep\""
)]
enum Raw {
    Switch(bool),
    Number(i64),
    Word(String),
}

/// Reads the value of a knob, so that an error is at its place.
struct ValueOf<'k>(&'k Knob);

impl<'de> DeserializeSeed<'de> for ValueOf<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        let has_most = matches!(
            self.0,
            Knob::Number(
                NumberKnob::RingRx
                    | NumberKnob::RingTx
                    | NumberKnob::ChannelsRx
                    | NumberKnob::ChannelsTx
                    | NumberKnob::ChannelsCombined
            )
        );
        let value = match &raw {
            Raw::Word(word) if word == KEEP => Some(Value::Keep),
            Raw::Word(word) if word == MAX && has_most => Some(Value::Wanted(Wanted::Most)),
            Raw::Switch(on) if !self.0.is_number() => Some(Value::Wanted(Wanted::Switch(*on))),
            Raw::Number(number) if self.0.is_number() => u32::try_from(*number)
                .ok()
                // A ring, or a channel, of nothing is none.
                .filter(|number| {
                    *number > 0
                        || !matches!(
                            self.0,
                            Knob::Number(NumberKnob::RingRx | NumberKnob::RingTx)
                        )
                })
                .map(|number| Value::Wanted(Wanted::Number(number))),
            _ => None,
        };
        value.ok_or_else(|| {
            let expected = match (self.0.is_number(), has_most) {
                (true, true) => "a whole number, \"max\" or \"keep\"",
                (true, false) => "a whole number, not negative, or \"keep\"",
                (false, _) => "true, false or \"keep\"",
            };
            D::Error::custom(format!("{} cannot be so: expected {expected}", self.0))
        })
    }
}

impl<'de> Deserialize<'de> for Knobs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = Knobs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Knobs, A::Error> {
                let mut knobs = BTreeMap::new();
                while let Some(knob) = map.next_key::<Knob>()? {
                    let value = map.next_value_seed(ValueOf(&knob))?;
                    knobs.insert(knob, value);
                }
                Ok(Knobs(knobs))
            }
        }
        deserializer.deserialize_map(Table)
    }
}
