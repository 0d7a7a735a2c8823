//! A parameter of libvma: an environment variable that the library reads when it is loaded.
//!
//! Source of all facts in this module and its table: libvma 9.8.84, `src/vma/util/sys_vars.{h,cpp}` (defaults, ranges,
//! presets) and `src/vma/main.cpp` (what is printed at start).

use schemars::JsonSchema;
use serde::Serialize;

/// A parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Param {
    /// The variable.
    pub name: &'static str,
    /// What it may be.
    pub takes: Takes,
    /// What it is where nobody sets it, as libvma prints it; empty: nothing.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// What else one should know; may be empty.
    pub note: &'static str,
    /// How much it matters for latency.
    pub latency: Latency,
    /// Whether libvma acts on it.
    pub status: Status,
}

/// What a parameter may be.
///
/// Numbers go through atoi(3), so that text is 0 and nobody says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Takes {
    /// 0 or 1.
    Switch,
    /// A number in this range.
    Number {
        /// The least.
        least: i64,
        /// The most.
        most: i64,
        /// What libvma does with another one.
        beyond: Beyond,
    },
    /// One of these numbers, each with its meaning.
    Choice {
        /// The numbers.
        of: &'static [(i64, &'static str)],
        /// What libvma does with another one.
        beyond: Beyond,
    },
    /// CPUs: -1 for none, a list like 0,4,7-10, or a mask like 0x11.
    Cpus,
    /// A preset, by name or number.
    Preset,
    /// A level of the log, by name or number.
    Level,
    /// The path of a file or a directory.
    Path,
    /// An IPv4 address.
    Address,
    /// Any word.
    Word,
}

/// What libvma does with a number that it does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Beyond {
    /// The default, with a warning on standard output.
    DefaultWithWarning,
    /// The default, and nobody says so.
    DefaultInSilence,
    /// The nearest bound, with a warning on standard output.
    BoundWithWarning,
    /// The nearest bound, and nobody says so.
    BoundInSilence,
    /// It is used as it is, whatever comes of it.
    Used,
}

/// How much a parameter matters for latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Latency {
    /// Much.
    High,
    /// Some.
    Medium,
    /// Hardly.
    Low,
}

/// Whether libvma acts on a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It does.
    Active,
    /// It does, under this name that replaced it: another variable wins over it.
    OldNameOf(&'static str),
    /// It reads it, and does nothing with it.
    Ignored,
    /// It is for those who look for faults in libvma.
    Debug,
    /// Only a library that was built for it does (`--enable-time-measure`).
    SpecialBuild,
}

impl Latency {
    /// Its word in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

impl Takes {
    /// What may be written, in words.
    pub fn allowed(self) -> String {
        match self {
            Self::Switch => "0 or 1".to_owned(),
            Self::Number { least, most, .. } => match (least, most) {
                (i64::MIN, i64::MAX) => "a whole number".to_owned(),
                (least, i64::MAX) => format!("{least} or more"),
                (-1, most) => format!("-1 (without end), or 0 to {most}"),
                (least, most) => format!("{least} to {most}"),
            },
            Self::Choice { of, .. } => of
                .iter()
                .map(|(number, meaning)| format!("{number} {meaning}"))
                .collect::<Vec<_>>()
                .join(", "),
            Self::Cpus => "-1, a list like 0,4,7-10, or a mask like 0x11".to_owned(),
            Self::Preset => super::presets::NAMES
                .iter()
                .map(|(name, _)| *name)
                .collect::<Vec<_>>()
                .join(", "),
            Self::Level => "none, panic, error, warn, info, details, debug".to_owned(),
            Self::Path => "a path; the first %d becomes the process id".to_owned(),
            Self::Address => "an IPv4 address".to_owned(),
            Self::Word => "a word".to_owned(),
        }
    }

    /// The same, short enough for a column.
    pub fn short(self) -> String {
        match self {
            Self::Switch => "0, 1".to_owned(),
            Self::Number { least, most, .. } => match (least, most) {
                (i64::MIN, i64::MAX) => "number".to_owned(),
                (least, i64::MAX) => format!("{least}.."),
                (least, most) => format!("{least}..{most}"),
            },
            Self::Choice { of, .. } => of
                .iter()
                .map(|(number, _)| number.to_string())
                .collect::<Vec<_>>()
                .join(", "),
            Self::Cpus => "CPUs".to_owned(),
            Self::Preset => "preset".to_owned(),
            Self::Level => "level".to_owned(),
            Self::Path => "path".to_owned(),
            Self::Address => "IPv4".to_owned(),
            Self::Word => "word".to_owned(),
        }
    }

    /// Whether libvma reads it with atoi(3).
    pub fn is_number(self) -> bool {
        matches!(
            self,
            Self::Switch | Self::Number { .. } | Self::Choice { .. }
        )
    }
}

/// What atoi(3) makes of a text: white space, a sign and digits, and 0 where there are none.
pub fn atoi(text: &str) -> i64 {
    let text = text.trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end]
        .parse::<i64>()
        .map_or(0, |number| sign * number)
}

/// Whether a text is a whole number and nothing else.
pub fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}
