//! What it takes to put the wanted arguments where the boot loader finds them.

use hftune_model::finding::{Skipped, Verdict};
use hftune_model::setting::Artifact;

use super::argument::{Argument, skip};
use super::cmdline::which_wins;

/// Where the arguments go on this host.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// The arguments that the host will have, those included that it has already.
    pub kept: Vec<Argument>,
    /// The files, in the order in which they are to be written.
    pub artifacts: Vec<Artifact>,
    /// The arguments that cannot be placed, and the files that cannot be edited.
    pub skipped: Vec<Skipped>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// An argument of the administrator that wins over ours: the kernel takes the first one, or the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// File and line.
    pub place: String,
    /// The word as written.
    pub word: String,
}

/// The setting that `conflicts` keep from being written.
pub fn overridden(argument: &Argument, conflicts: &[Conflict]) -> Skipped {
    let list: Vec<String> = conflicts
        .iter()
        .map(|c| format!("{} at {}", c.word, c.place))
        .collect();
    let places: Vec<&str> = conflicts.iter().map(|c| c.place.as_str()).collect();
    skip(
        &argument.name,
        Verdict::Overridden,
        format!(
            "{} is there already, and the kernel takes the {} {}=",
            list.join(", "),
            which_wins(&argument.name),
            argument.name
        ),
        Some(format!(
            "take {} out of {}, then run hftune setup",
            conflicts[0].word,
            places.join(" and ")
        )),
    )
}

/// None of these arguments can be written, all for the same reason.
pub fn refuse(arguments: &[Argument], reason: &str, fix: Option<&str>) -> Vec<Skipped> {
    arguments
        .iter()
        .map(|a| {
            skip(
                &a.name,
                Verdict::NotPermitted,
                reason.to_owned(),
                fix.map(str::to_owned),
            )
        })
        .collect()
}
