//! A transaction: one apply, as the journal records it, so that it can be undone after anything.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::Change;
use crate::port_change::PortChange;
use crate::setting::{Artifact, When};

/// The version of the journal that this hftune writes. A newer one is refused, an older one is read.
///
/// 1: records alone. 2: each with the sum of its text, so that damage is told from what was written.
pub const JOURNAL_VERSION: u32 = 2;

/// One line of a journal. A transaction is a file of such lines, each on disk before what it announces is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "record")]
pub enum Record {
    /// The first line.
    Begin {
        /// [`JOURNAL_VERSION`] of the writer.
        journal: u32,
        /// When, in UTC (RFC 3339).
        time: String,
        /// Version of hftune.
        version: String,
        /// Name of the profile.
        profile: String,
        /// The boot during which it happened; values by IRQ number or process id mean nothing in another one.
        boot_id: Option<String>,
        /// What the plan promised.
        changes: Vec<Change>,
    },
    /// The state of a target before a step changes it.
    Before {
        /// Number of the step, from 0.
        step: usize,
        /// The settings that it serves.
        ids: Vec<String>,
        /// What it is about to be.
        after: After,
        /// What it was.
        before: State,
        /// Directories that the step makes, outermost first.
        directories: Vec<PathBuf>,
    },
    /// What became of a step.
    Done {
        /// Number of the step.
        step: usize,
        /// What became of it.
        outcome: Outcome,
        /// For a program: what it made of its outputs.
        outputs: Vec<Output>,
    },
    /// The last line of an apply.
    End {
        /// When.
        time: String,
        /// Whether every step was taken.
        complete: bool,
    },
    /// A step was undone.
    Undone {
        /// Number of the step.
        step: usize,
    },
    /// The whole transaction was undone.
    RolledBack {
        /// When.
        time: String,
    },
}

/// What a step makes of its target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "after")]
pub enum After {
    /// An artifact of the profile.
    Set(Artifact),
    /// The state before hftune first changed the target, since the profile no longer wants it.
    Restore {
        /// The target's key.
        target: String,
        /// The state.
        state: State,
    },
}

/// The state of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum State {
    /// Nothing has that name.
    Absent,
    /// A regular file.
    File {
        /// Its content.
        content: Content,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// Extended attributes, the SELinux label among them.
        xattrs: Vec<(String, Content)>,
    },
    /// A symbolic link.
    Link {
        /// Where it points.
        target: String,
    },
    /// A variable of GRUB's environment block.
    Variable {
        /// Its value as it stands in the block, backslashes included.
        raw: String,
    },
    /// A kernel value.
    Kernel {
        /// The value as it is written back to a kernel.
        value: String,
        /// The text of the file, which a directory tree gets back byte for byte.
        text: String,
    },
    /// Values of a network port.
    Port {
        /// The values that it had.
        values: PortChange,
    },
    /// A thread's CPUs.
    Thread {
        /// As a list.
        cpus: String,
    },
    /// A unit.
    Unit {
        /// Whether it ran.
        active: bool,
    },
    /// The outputs of a program.
    Outputs {
        /// Each with its state.
        files: Vec<Output>,
    },
    /// Packages.
    Packages {
        /// Those that are not installed.
        absent: Vec<String>,
    },
    /// Words of the next boot's kernel command line: only those that hftune adds or takes out, so that what others
    /// change beside them stays.
    Arguments {
        /// Words that are there.
        present: Vec<String>,
        /// Words that are not.
        absent: Vec<String>,
    },
}

impl State {
    /// The first state of a target with what a later step recorded of it: words that no step before it touched.
    #[must_use]
    pub fn with_later(self, later: &Self) -> Self {
        let (
            Self::Arguments {
                mut present,
                mut absent,
            },
            Self::Arguments {
                present: more_present,
                absent: more_absent,
            },
        ) = (self.clone(), later)
        else {
            return self;
        };
        let known: Vec<String> = present.iter().chain(&absent).cloned().collect();
        let new = |word: &&String| !known.contains(word);
        present.extend(more_present.iter().filter(new).cloned());
        absent.extend(more_absent.iter().filter(new).cloned());
        Self::Arguments { present, absent }
    }
}

/// A file that a program writes, and its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// Path on the host.
    pub path: PathBuf,
    /// Its state.
    pub state: State,
}

/// Bytes in JSON: text where they are UTF-8, hexadecimal otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// UTF-8.
    Text(String),
    /// Two digits a byte.
    Hex(String),
}

impl Content {
    /// Wraps bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        use std::fmt::Write as _;
        String::from_utf8(bytes).map_or_else(
            |e| {
                let mut hex = String::new();
                for byte in e.as_bytes() {
                    let _ = write!(hex, "{byte:02x}");
                }
                Self::Hex(hex)
            },
            Self::Text,
        )
    }

    /// The bytes; `None` where the hexadecimal text is damaged.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Hex(hex) => hex
                .as_bytes()
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
                .collect(),
        }
    }
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// As asked.
    Made,
    /// The kernel took another value.
    Rounded {
        /// The value that it took.
        got: String,
    },
    /// The kernel refused.
    Refused {
        /// Its answer.
        why: String,
    },
    /// Not tried: a directory tree has no kernel, no systemd and no programs.
    Untried {
        /// What has to be done on the machine itself.
        why: String,
    },
    /// It failed, and the apply stopped.
    Failed {
        /// The error.
        why: String,
    },
}

/// A transaction as it was read from its journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its id, which is its start in UTC: 2026-03-01T06-00-00Z.
    pub id: String,
    /// When it began.
    pub time: String,
    /// Name of the profile.
    pub profile: String,
    /// The boot during which it happened.
    pub boot_id: Option<String>,
    /// What its plan promised.
    pub changes: Vec<Change>,
    /// Its steps in the order in which they were taken.
    pub steps: Vec<TakenStep>,
    /// What became of it.
    pub status: Status,
}

impl Transaction {
    /// Whether its setup, or its undoing, was cut off half way, and nothing finished it since.
    pub fn is_cut_off(&self) -> bool {
        match self.status {
            Status::Interrupted | Status::Failed => true,
            Status::Applied => self.steps.iter().any(|step| step.undone),
            Status::RolledBack => false,
        }
    }

    /// Whether undoing it, or having applied it, takes a reboot to have effect.
    pub fn touches_boot(&self) -> bool {
        self.changes
            .iter()
            .any(|change| change.when == When::Reboot)
    }
}

/// A step that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenStep {
    /// Its number.
    pub number: usize,
    /// The settings that it serves.
    pub ids: Vec<String>,
    /// What it made.
    pub after: After,
    /// What was there.
    pub before: State,
    /// Directories that it made.
    pub directories: Vec<PathBuf>,
    /// What became of it; `None` where the process died in the middle.
    pub outcome: Option<Outcome>,
    /// For a program: what it made of its outputs.
    pub outputs: Vec<Output>,
    /// Whether it was undone.
    pub undone: bool,
}

/// A file that someone changed since hftune wrote it: the three texts that its undoing has to choose between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Conflict {
    /// The file.
    pub path: PathBuf,
    /// As it was before hftune; empty where there was none.
    pub before: String,
    /// As hftune made it.
    pub made: String,
    /// As it is now.
    pub now: String,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Every step was taken.
    Applied,
    /// It stopped at a step that failed.
    Failed,
    /// The process died before the end.
    Interrupted,
    /// It was undone.
    RolledBack,
}
