//! What it takes to put the wanted arguments where the boot loader finds them.

use std::path::Path;

use hftune_model::Error;
use hftune_model::finding::{Skipped, Verdict};
use hftune_model::host::BootLoader;
use hftune_model::setting::Artifact;
use hftune_sys::Reader;

use super::argument::{Argument, skip};
use super::cmdline::{self, Token, which_wins};

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

/// The word among these, ours left out, that decides what an argument is.
pub fn of_others<'a>(arguments: &'a str, ours: &[String], name: &str) -> Option<Token<'a>> {
    let not_ours: Vec<Token<'_>> = cmdline::tokens(arguments)
        .into_iter()
        .filter(|token| !ours.iter().any(|word| word == token.raw))
        .collect();
    cmdline::effective(&not_ours, name).cloned()
}

/// Whether a word stands among these arguments.
pub fn holds(arguments: &str, word: &str) -> bool {
    cmdline::tokens(arguments)
        .iter()
        .any(|token| token.raw == word)
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

/// A file that holds boot arguments and cannot be edited.
pub fn cannot_edit(error: &Error) -> Skipped {
    let path = error.path.as_deref().unwrap_or(Path::new("/"));
    Skipped {
        id: format!("boot{}", path.display()),
        verdict: Verdict::NotPermitted,
        reason: error.to_string(),
        fix: error.hint.clone(),
    }
}

/// The words of arguments, as one line that can be copied.
pub fn line(arguments: &[Argument]) -> String {
    let words: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    words.join(" ")
}

/// Why a directory of boot arguments, or a file in it, cannot be judged: it is there, and the host's facts lack it.
pub fn unread(
    directories: &[&str],
    extension: &str,
    loader: &BootLoader,
    reader: &Reader<'_>,
) -> Option<Error> {
    directories.iter().find_map(|directory| {
        let names = match reader.list(directory) {
            Ok(names) => names,
            Err(e) => return Some(e),
        };
        let paths = names.iter().map(|name| Path::new(directory).join(name));
        paths
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .filter(|path| !loader.files.contains_key(path))
            .find_map(|path| reader.text(&path).err())
    })
}
