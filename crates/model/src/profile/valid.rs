//! What a value of a profile may be. Each check says what was expected; the TOML reader adds the place.
//!
//! Much of what is let through here ends up in a file that a shell, GRUB or systemd reads, so that the checks list what
//! is allowed and not what is forbidden.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{BootValue, KEEP, SysctlValue, ThpMode};
use crate::names::SysctlKey;
use crate::{CpuSet, Size};

/// Reads a `T`, then lets `check` refuse it.
fn checked<'de, D: Deserializer<'de>, T: Deserialize<'de>, E: Display>(
    deserializer: D,
    check: impl FnOnce(&T) -> Result<(), E>,
) -> Result<T, D::Error> {
    let value = T::deserialize(deserializer)?;
    check(&value).map_err(D::Error::custom)?;
    Ok(value)
}

/// Refuses with `message` unless `good`.
fn ensure(good: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if good { Ok(()) } else { Err(message()) }
}

pub(super) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(deserializer, |name: &String| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        ensure(
            (1..=64).contains(&name.len()) && name.chars().all(allowed),
            || {
                format!(
                    "{name:?} is not a profile's name: expected 1 to 64 letters, digits, dots, dashes or underscores"
                )
            },
        )
    })
}

pub(super) fn description<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(deserializer, |text: &String| {
        ensure(!text.chars().any(char::is_control), || {
            "a description is one line of text".to_owned()
        })
    })
}

pub(super) fn housekeeping<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<CpuSet>, D::Error> {
    checked(deserializer, |cpus: &CpuSet| {
        ensure(!cpus.is_empty(), || {
            "it names no CPU: expected a list like \"0-1\"; leave the key out to have hftune choose"
                .to_owned()
        })
    })
    .map(Some)
}

pub(super) fn housekeeping_cores<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    checked(deserializer, |cores: &u32| {
        ensure(*cores > 0, || "the OS needs at least 1 core".to_owned())
    })
    .map(Some)
}

pub(super) fn minutes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    checked(deserializer, |minutes: &u32| {
        ensure((1..=1440).contains(minutes), || {
            format!("{minutes} minutes: expected 1 to 1440")
        })
    })
}

pub(super) fn directory_or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<String, D::Error> {
    checked(deserializer, |path: &String| {
        textfile_dir(path).map_err(|e| e.to_string())
    })
}

/// Whether a text may be the directory of the metrics: none, or an absolute path that a unit file can name.
pub fn textfile_dir(path: &str) -> crate::Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,".contains(c);
    let good = path.is_empty()
        || (path.starts_with('/') && path.chars().all(allowed) && !path.contains("/../"));
    if good {
        return Ok(());
    }
    Err(crate::Error::new(
        crate::Kind::Usage,
        format!(
            "{path:?} is no directory for metrics: expected an absolute path of letters, digits and /._-+@:,"
        ),
    ))
}

/// A sysctl's value as TOML has it.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(
    untagged,
    expecting = "expected an integer, a text like \"4096 131072 134217728\", or \"keep\""
)]
pub(super) enum RawSysctlValue {
    Number(i64),
    Text(String),
}

impl TryFrom<RawSysctlValue> for SysctlValue {
    type Error = String;

    fn try_from(raw: RawSysctlValue) -> Result<Self, String> {
        let text = match raw {
            RawSysctlValue::Number(number) => return Ok(Self::Number(number)),
            RawSysctlValue::Text(text) => text,
        };
        // A tab is how the kernel itself separates the numbers of tcp_rmem.
        let bad = |c: char| c.is_control() && c != '\t';
        ensure(!text.trim().is_empty() && !text.contains(bad), || {
            format!(
                "{text:?} is not a sysctl's value: expected one line of text, or \"keep\" for the host's own value"
            )
        })?;
        Ok(Self::Text(text))
    }
}

/// A key of `[sysctl]`, checked where its line is still known.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct OwnSysctl(SysctlKey);

impl<'de> Deserialize<'de> for OwnSysctl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let key: SysctlKey = text.parse().map_err(|_| {
            D::Error::custom(format!(
                "{text:?} is not the name of a sysctl: expected one like vm.swappiness"
            ))
        })?;
        // In sysctl.d a leading dash is not part of the name (sysctl.d(5)).
        if key.as_str().starts_with('-') {
            return Err(D::Error::custom(format!(
                "\"{key}\" is not the name of a sysctl: it starts with a dash"
            )));
        }
        if key.path() == "vm/nr_hugepages" {
            return Err(D::Error::custom(
                "huge pages are set by count in [hugepages], not by vm.nr_hugepages",
            ));
        }
        Ok(Self(key))
    }
}

pub(super) fn sysctl<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<SysctlKey, SysctlValue>, D::Error> {
    let map = BTreeMap::<OwnSysctl, SysctlValue>::deserialize(deserializer)?;
    Ok(map.into_iter().map(|(key, value)| (key.0, value)).collect())
}

/// A boot argument's value as TOML has it.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(
    untagged,
    expecting = "expected true, false, or a text like \"{isolated}\""
)]
pub(super) enum RawBootValue {
    Flag(bool),
    Number(i64),
    Text(String),
}

impl TryFrom<RawBootValue> for BootValue {
    type Error = String;

    fn try_from(raw: RawBootValue) -> Result<Self, String> {
        let text = match raw {
            RawBootValue::Flag(flag) => return Ok(Self::Flag(flag)),
            RawBootValue::Number(number) => number.to_string(),
            RawBootValue::Text(text) => text,
        };
        let plain = text.replace("{isolated}", "").replace("{housekeeping}", "");
        if plain.contains(['{', '}']) {
            return Err(format!(
                "{text:?}: expected only {{isolated}} and {{housekeeping}} in braces"
            ));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".,:=/+@%~^_-".contains(c);
        ensure(!text.is_empty() && plain.chars().all(allowed), || {
            format!(
                "{text:?} is not a boot argument's value: expected letters, digits and .,:=/+@%~^_- without white space, \
                 quotes, $ or backslash"
            )
        })?;
        Ok(Self::Text(text))
    }
}

/// A key of `[boot]`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct BootName(String);

impl<'de> Deserialize<'de> for BootName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        checked(deserializer, |name: &String| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            ensure(
                name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') && name.chars().all(allowed),
                || format!("{name:?} is not a boot argument's name: expected letters, digits, dots, dashes or underscores"),
            )
        })
        .map(Self)
    }
}

pub(super) fn boot<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, BootValue>, D::Error> {
    let map = BTreeMap::<BootName, BootValue>::deserialize(deserializer)?;
    Ok(map
        .into_iter()
        .map(|(name, value)| (name.0, value))
        .collect())
}

/// A size as TOML has it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected \"2M\" or \"1G\"")]
enum RawSize {
    Bytes(u64),
    Text(String),
}

pub(super) fn page_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
    let (size, text) = match RawSize::deserialize(deserializer)? {
        RawSize::Bytes(bytes) => (Some(Size(bytes)), bytes.to_string()),
        RawSize::Text(text) => (text.parse().ok(), text),
    };
    size.filter(|size| size.0.is_power_of_two() && size.0 >= 64 << 10)
        .ok_or_else(|| {
            D::Error::custom(format!(
                "{text:?} is not the size of a huge page: expected \"2M\" or \"1G\""
            ))
        })
}

/// A key of `[hugepages.nodes]`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct NodeNumber(String);

impl<'de> Deserialize<'de> for NodeNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        checked(deserializer, |name: &String| {
            // Compared as text with what the kernel calls its nodes, hence no "00".
            ensure(
                name.parse::<u16>().is_ok_and(|n| n.to_string() == *name),
                || format!("{name:?} is not the number of a NUMA node: expected one like 0"),
            )
        })
        .map(Self)
    }
}

pub(super) fn nodes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, u64>, D::Error> {
    let map = BTreeMap::<NodeNumber, u64>::deserialize(deserializer)?;
    Ok(map
        .into_iter()
        .map(|(node, pages)| (node.0, pages))
        .collect())
}

pub(super) fn cores_by_node<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, u32>, D::Error> {
    let map = BTreeMap::<NodeNumber, u32>::deserialize(deserializer)?;
    Ok(map
        .into_iter()
        .map(|(node, cores)| (node.0, cores))
        .collect())
}

/// A key of `[cpus.housekeeping_rule]`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct CoreCount(String);

impl<'de> Deserialize<'de> for CoreCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        checked(deserializer, |name: &String| {
            ensure(
                name.parse::<u16>()
                    .is_ok_and(|n| n > 0 && n.to_string() == *name),
                || format!("{name:?} is not a number of cores: expected one like 8"),
            )
        })
        .map(Self)
    }
}

pub(super) fn cores_by_size<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, u32>, D::Error> {
    let map = BTreeMap::<CoreCount, u32>::deserialize(deserializer)?;
    map.into_iter()
        .map(|(size, cores)| {
            ensure(cores > 0, || "the OS needs at least 1 core".to_owned())
                .map(|()| (size.0, cores))
                .map_err(D::Error::custom)
        })
        .collect()
}

/// A mode of transparent huge pages as TOML has it.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"always\", \"madvise\", \"never\" or \"keep\""
)]
pub(super) enum RawThpMode {
    Text(String),
}

impl TryFrom<RawThpMode> for ThpMode {
    type Error = String;

    fn try_from(RawThpMode::Text(word): RawThpMode) -> Result<Self, String> {
        match word.as_str() {
            "always" => Ok(Self::Always),
            "madvise" => Ok(Self::Madvise),
            "never" => Ok(Self::Never),
            KEEP => Ok(Self::Keep),
            _ => Err(format!(
                "{word:?} is not a mode: expected \"always\", \"madvise\", \"never\" or \"keep\""
            )),
        }
    }
}

/// The governors of drivers/cpufreq.
const GOVERNORS: [&str; 6] = [
    "performance",
    "powersave",
    "schedutil",
    "ondemand",
    "conservative",
    "userspace",
];

pub(super) fn governor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(deserializer, |word: &String| {
        ensure(word == KEEP || GOVERNORS.contains(&word.as_str()), || {
            format!(
                "{word:?} is not a governor: expected {} or \"keep\"",
                GOVERNORS.join(", ")
            )
        })
    })
}

pub(super) fn energy_bias<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    checked(deserializer, |bias: &i32| {
        ensure((-1..=15).contains(bias), || {
            format!(
                "{bias} is not an energy bias: expected 0 (performance) to 15 (power save), or -1 for the host's own"
            )
        })
    })
}

/// A whole number from -1, which keeps, to `most`.
fn up_to<'de, D: Deserializer<'de>>(
    deserializer: D,
    most: i64,
    expected: &str,
) -> Result<i64, D::Error> {
    checked(deserializer, |number: &i64| {
        ensure((-1..=most).contains(number), || {
            format!(
                "{number} is too much or too little: expected {expected}, or -1 for the host's own"
            )
        })
    })
}

pub(super) fn seconds_of_a_day<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<i64, D::Error> {
    up_to(deserializer, 86_400, "0 to 86400 seconds")
}

pub(super) fn ksm_run<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    up_to(deserializer, 2, "0, 1 or 2")
}

pub(super) fn nanoseconds_of_a_second<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<i64, D::Error> {
    up_to(deserializer, 1_000_000_000, "0 to 1000000000 nanoseconds")
}

pub(super) fn idle_latency<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    checked(deserializer, |us: &i64| {
        ensure((-1..=i64::from(i32::MAX)).contains(us), || {
            format!("{us} is not a latency: expected microseconds, or -1 for all idle states")
        })
    })
}

pub(super) fn units<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    const KINDS: [&str; 6] = ["service", "socket", "timer", "path", "target", "mount"];
    checked(deserializer, |units: &Vec<String>| {
        units.iter().try_for_each(|unit| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || ":_.\\@-".contains(c);
            let good = unit.len() <= 255
                && !unit.starts_with(['-', '.'])
                && unit.chars().all(allowed)
                && unit
                    .rsplit_once('.')
                    .is_some_and(|(name, kind)| !name.is_empty() && KINDS.contains(&kind));
            ensure(good, || {
                format!(
                    "{unit:?} is not the name of a unit: expected one like \"irqbalance.service\""
                )
            })
        })
    })
}

pub(super) fn limits_domain<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<String, D::Error> {
    checked(deserializer, |domain: &String| {
        let name = domain.strip_prefix('@').unwrap_or(domain);
        let good = name.len() <= 64
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        ensure(domain == "*" || good, || {
            format!(
                "{domain:?} is nobody: expected a user like \"trader\", a group like \"@trading\", or \"*\" for all"
            )
        })
    })
}

pub(super) fn memlock<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(deserializer, |amount: &String| {
        let number = !amount.is_empty()
            && amount.bytes().all(|b| b.is_ascii_digit())
            && amount.parse::<u64>().is_ok();
        ensure(amount == "unlimited" || amount == KEEP || number, || {
            format!(
                "{amount:?} is not an amount of memory: expected \"unlimited\", KiB like \"4194304\", or \"keep\""
            )
        })
    })
}

pub(super) fn rtprio<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    checked(deserializer, |priority: &i32| {
        ensure((-1..=99).contains(priority), || {
            format!(
                "{priority} is not a real-time priority: expected 0 to 99, or -1 for the host's own"
            )
        })
    })
}
