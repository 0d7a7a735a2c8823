//! What verify found of a setting: three proofs, a verdict, a reason and a remedy.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::setting::{Setting, When};

/// One proof: what was read, and whether it is as desired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// It was read and is as desired.
    Holds(String),
    /// It was read and is not as desired.
    Differs(String),
    /// It was read and will be as desired without anybody's doing, at the latest after a reboot: the reason.
    Pending(String, String),
    /// It was read and is the nearest to what was asked that the kernel or the device can hold: the reason.
    Rounded(String, String),
    /// It was read, is not as desired, and something named in the reason wins over it.
    Overridden(String, String),
    /// It cannot be read: the reason.
    Unknown(String),
    /// Only root may read it: the reason.
    NotPermitted(String),
    /// There is nothing to read for this setting: the reason.
    None(String),
    /// What the setting is about does not exist on this host: the reason.
    NotApplicable(String),
}

impl Proof {
    /// The value that was read.
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::Holds(value)
            | Self::Differs(value)
            | Self::Pending(value, _)
            | Self::Rounded(value, _)
            | Self::Overridden(value, _) => Some(value),
            _ => None,
        }
    }

    /// Holds where `holds` is true, otherwise differs.
    pub fn of(holds: bool, value: impl Into<String>) -> Self {
        if holds {
            Self::Holds(value.into())
        } else {
            Self::Differs(value.into())
        }
    }
}

/// The value that was read, or null where the proof cannot be had: the reason says why.
impl JsonSchema for Proof {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Proof".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<String>::json_schema(generator)
    }
}

impl Serialize for Proof {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

/// The verdict on a setting.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Saved, live and in effect, as far as each exists for it.
    Ok,
    /// Not as desired.
    Wrong,
    /// A later file or another tool wins; it is named.
    Overridden,
    /// Saved; the running kernel follows at the next boot.
    RebootPending,
    /// Does not exist on this host.
    NotApplicable,
    /// The kernel, the firmware or a guard of hftune forbids it.
    NotPermitted,
    /// The kernel took the nearest value it can hold.
    Rounded,
    /// Could not be read.
    Unknown,
}

impl Verdict {
    /// All verdicts, in the order in which reports list them.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Wrong,
        Self::Overridden,
        Self::RebootPending,
        Self::NotApplicable,
        Self::NotPermitted,
        Self::Rounded,
        Self::Unknown,
    ];

    /// Whether `verify` counts it as a finding (exit 3).
    pub fn is_finding(self) -> bool {
        matches!(
            self,
            Self::Wrong | Self::Overridden | Self::NotPermitted | Self::Unknown
        )
    }
}

impl Verdict {
    /// Its word in reports and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Wrong => "wrong",
            Self::Overridden => "overridden",
            Self::RebootPending => "reboot-pending",
            Self::NotApplicable => "not-applicable",
            Self::NotPermitted => "not-permitted",
            Self::Rounded => "rounded",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What verify found of one setting. The JSON fields are part of the contract of `hftune verify --format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// The setting's id.
    pub id: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The desired value.
    pub desired: String,
    /// Survives the next boot.
    pub saved: Proof,
    /// The kernel holds it now.
    pub live: Proof,
    /// The kernel acts on it.
    pub effect: Proof,
    /// Why the verdict is what it is; for a proof that cannot be had, why.
    pub reason: String,
    /// The command or edit that mends it.
    pub fix: Option<String>,
}

/// The three proofs of a setting, as a domain read them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proofs {
    /// Survives the next boot.
    pub saved: Proof,
    /// The kernel holds it now.
    pub live: Proof,
    /// The kernel acts on it.
    pub effect: Proof,
    /// The remedy, where it is another than `hftune setup`.
    pub fix: Option<String>,
}

impl Finding {
    /// Judges a setting by its proofs.
    pub fn judge(setting: &Setting, proofs: Proofs) -> Self {
        let Proofs {
            saved,
            live,
            effect,
            fix,
        } = proofs;
        let named = [("saved", &saved), ("live", &live), ("effect", &effect)];
        let (verdict, reason) = verdict(setting.when, named);
        let fix = fix.or_else(|| match verdict {
            Verdict::Wrong => Some("hftune setup".to_owned()),
            Verdict::RebootPending => Some("reboot".to_owned()),
            Verdict::Unknown
                if named
                    .iter()
                    .any(|(_, p)| matches!(p, Proof::NotPermitted(_))) =>
            {
                Some("run it as root".to_owned())
            }
            _ => None,
        });
        let reason = match (&setting.note, reason.is_empty()) {
            (Some(note), true) => note.clone(),
            (Some(note), false) => format!("{reason}; {note}"),
            (None, _) => reason,
        };
        Self {
            id: setting.id.clone(),
            verdict,
            desired: setting.desired.clone(),
            saved,
            live,
            effect,
            reason,
            fix,
        }
    }
}

/// The verdict that three named proofs give, and the reason. The gravest word decides.
fn verdict(when: When, named: [(&str, &Proof); 3]) -> (Verdict, String) {
    for (_, proof) in named {
        if let Proof::NotApplicable(why) = proof {
            return (Verdict::NotApplicable, why.clone());
        }
    }
    for (_, proof) in named {
        if let Proof::Overridden(_, by) = proof {
            return (Verdict::Overridden, by.clone());
        }
    }
    for (name, proof) in named {
        if let Proof::Unknown(why) | Proof::NotPermitted(why) = proof {
            return (Verdict::Unknown, format!("{name}: {why}"));
        }
    }
    // Proofs that read the same are told once: "live, effect: madvise".
    let mut differing: Vec<(String, &str)> = Vec::new();
    for (name, proof) in named {
        if let Proof::Differs(value) = proof {
            match differing.last_mut() {
                Some((proofs, last)) if *last == value => {
                    *proofs = format!("{proofs}, {name}");
                }
                _ => differing.push((name.to_owned(), value)),
            }
        }
    }
    let saved = !matches!(named[0].1, Proof::Differs(_) | Proof::None(_));
    if !differing.is_empty() {
        // An argument that the kernel was booted with and does not act on is wrong, and no reboot mends it.
        let booted_without = !matches!(named[1].1, Proof::Holds(_));
        return if when == When::Reboot && saved && booted_without {
            let booted = match named[1].1 {
                Proof::Differs(value) if !value.is_empty() => format!("with {value}"),
                _ => "without it".to_owned(),
            };
            let why = format!("saved; the running kernel was booted {booted}");
            (Verdict::RebootPending, why)
        } else {
            let told = |(names, value): &(String, &str)| {
                let value = if value.is_empty() { "not set" } else { value };
                format!("{names}: {value}")
            };
            let told: Vec<String> = differing.iter().map(told).collect();
            (Verdict::Wrong, told.join("; "))
        };
    }
    for (_, proof) in named {
        if let Proof::Pending(_, why) = proof {
            return (Verdict::RebootPending, why.clone());
        }
    }
    for (_, proof) in named {
        if let Proof::Rounded(_, why) = proof {
            return (Verdict::Rounded, why.clone());
        }
    }
    let absent: Vec<String> = named
        .iter()
        .filter_map(|(name, proof)| match proof {
            Proof::None(why) => Some(format!("{name}: {why}")),
            _ => None,
        })
        .collect();
    if absent.len() == named.len() {
        (Verdict::Unknown, "no proof can be had".to_owned())
    } else {
        (Verdict::Ok, absent.join("; "))
    }
}

/// A setting of the profile that is not set on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Skipped {
    /// The setting's id.
    pub id: String,
    /// not-applicable, not-permitted or overridden.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Skipped {
    /// A setting that does not exist on this host: nothing can be done, and nothing need be.
    pub fn not_applicable(id: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            verdict: Verdict::NotApplicable,
            reason: reason.into(),
            fix: None,
        }
    }

    /// A setting of which nothing can be known here: no pass.
    pub fn unknown(id: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            verdict: Verdict::Unknown,
            reason: reason.into(),
            fix: None,
        }
    }
}
