//! What `vma check` finds.

use schemars::JsonSchema;
use serde::Serialize;

/// What a finding is about, in the order in which reports show them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Area {
    /// The library, devices, modules, memory.
    Machine,
    /// `libvma.conf`.
    Rules,
    /// Variables in environment files and units.
    Variables,
    /// Limits and rights in units that load the library.
    Units,
    /// Places where the library is loaded into every program.
    Everywhere,
    /// What the library itself says.
    Effect,
    /// Running applications.
    Applications,
}

impl Area {
    /// Its title in reports.
    pub fn title(self) -> &'static str {
        match self {
            Self::Machine => "This machine",
            Self::Rules => "Rules",
            Self::Variables => "Variables",
            Self::Units => "Units",
            Self::Everywhere => "Loaded everywhere",
            Self::Effect => "In effect",
            Self::Applications => "Running applications",
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// To be known; nothing is wrong.
    Note,
    /// It does not do what it is there for.
    Fault,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Diagnosis {
    /// What it is about.
    pub area: Area,
    /// How bad it is.
    pub grade: Grade,
    /// Where: a file and a line, a unit, a path; may be empty.
    pub place: String,
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Diagnosis {
    /// Something that is as it should be.
    pub fn ok(area: Area, place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            area,
            grade: Grade::Ok,
            place: place.into(),
            what: what.into(),
            remedy: None,
        }
    }

    /// Something to be known.
    pub fn note(area: Area, place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            grade: Grade::Note,
            ..Self::ok(area, place, what)
        }
    }

    /// Something that is wrong, and what mends it.
    pub fn fault(
        area: Area,
        place: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            grade: Grade::Fault,
            remedy: Some(remedy.into()),
            ..Self::ok(area, place, what)
        }
    }
}
