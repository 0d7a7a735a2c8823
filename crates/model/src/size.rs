//! Amounts of memory as people write them: `2M`, `1G`, `4096`.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// An amount of memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Size(pub u64);

impl Size {
    /// From kibibytes, the unit of `/proc/meminfo`.
    pub fn from_kib(kib: u64) -> Self {
        Self(kib.saturating_mul(1024))
    }

    /// In kibibytes, rounded down.
    pub fn kib(self) -> u64 {
        self.0 / 1024
    }
}

impl FromStr for Size {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            Error::invalid(format!("\"{text}\" is not a size")).hint("write a size like 2M or 1G")
        };
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let shift = match &text[digits.len()..] {
            "" => 0,
            "K" | "k" | "KiB" => 10,
            "M" | "m" | "MiB" => 20,
            "G" | "g" | "GiB" => 30,
            _ => return Err(bad()),
        };
        let number: u64 = digits.parse().map_err(|_| bad())?;
        number.checked_mul(1 << shift).map(Self).ok_or_else(bad)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
            let one = 1u64 << shift;
            if self.0 >= one {
                return if self.0.is_multiple_of(one) {
                    write!(f, "{} {unit}", self.0 / one)
                } else {
                    #[allow(clippy::cast_precision_loss, reason = "one decimal is shown")]
                    let value = self.0 as f64 / one as f64;
                    write!(f, "{value:.1} {unit}")
                };
            }
        }
        write!(f, "{} B", self.0)
    }
}

impl schemars::JsonSchema for Size {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        if generator.contract().is_serialize() {
            schemars::json_schema!({ "type": "integer", "minimum": 0, "description": "In bytes" })
        } else {
            schemars::json_schema!({ "type": ["integer", "string"], "description": "Bytes, or a size like 2M or 1G" })
        }
    }
}

impl serde::Serialize for Size {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Size {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged, expecting = "a size like \"2M\" or \"1G\"")]
        enum Either {
            Bytes(u64),
            Text(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Bytes(bytes) => Ok(Self(bytes)),
            Either::Text(text) => text
                .parse()
                .map_err(|e: Error| serde::de::Error::custom(e.what)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_sizes() {
        assert_eq!("2M".parse::<Size>().expect("2M"), Size(2 << 20));
        assert_eq!("1G".parse::<Size>().expect("1G").to_string(), "1 GiB");
        assert_eq!(Size(1536 << 20).to_string(), "1.5 GiB");
        for bad in [
            "",
            "M",
            "2X",
            "-1M",
            "99999999999999999999",
            "99999999999999G",
            "1 M",
        ] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }
}
