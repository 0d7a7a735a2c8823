//! Boot arguments that only a program may write: what the next boot has of them, and running the program.

use std::path::Path;

use hftune_domains::boot;
use hftune_model::setting::argument_options;
use hftune_model::transaction::{Outcome, State};
use hftune_model::{Error, Kind, Result};
use hftune_sys::{Reader, Root};

use crate::apply::{by_hand, run};

/// Which of these words the next boot's kernel gets, and which it does not.
pub fn of<'w>(reader: &Reader<'_>, words: impl Iterator<Item = &'w String>) -> Result<State> {
    let loader = crate::host::boot_loader(reader);
    let next = boot::next_deployment(&loader).ok_or_else(|| {
        Error::new(
            Kind::Missing,
            "the boot entry of the next deployment cannot be read",
        )
    })?;
    let (present, absent) = words.cloned().partition(|word| next.has(word));
    Ok(State::Arguments { present, absent })
}

/// Runs the program so that the next boot's kernel gets the words `add` and not the words `remove`, and reads back
/// whether it will.
pub fn set(root: &Root, program: &Path, add: &[String], remove: &[String]) -> Outcome {
    let options = argument_options(add, remove);
    if !root.is_live() {
        return Outcome::Untried {
            why: format!(
                "{}: no program is started for a directory tree",
                by_hand(program, &options)
            ),
        };
    }
    match run(program, &options).and_then(|()| read_back(root, program, add, remove)) {
        Ok(()) => Outcome::Made,
        Err(e) => Outcome::Failed {
            why: e.in_one_line(),
        },
    }
}

/// The program's word is no proof: the deployment that it staged is read.
fn read_back(root: &Root, program: &Path, add: &[String], remove: &[String]) -> Result<()> {
    let now = of(&Reader::new(root), add.iter().chain(remove))?;
    let wanted = State::Arguments {
        present: add.to_vec(),
        absent: remove.to_vec(),
    };
    if now == wanted {
        return Ok(());
    }
    Err(Error::new(
        Kind::Command,
        format!(
            "{} ended without an error, but the next boot's arguments are not as asked",
            program.display()
        ),
    )
    .hint("look at what \"rpm-ostree kargs\" and \"rpm-ostree status\" print"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(program: &str) -> String {
        match set(
            &Root::live(),
            Path::new(program),
            &["hftune.test=1".to_owned()],
            &[],
        ) {
            Outcome::Failed { why } => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_program_that_fails_is_quoted() {
        let why = outcome("/bin/false");
        assert!(
            why.contains(
                "\"/bin/false kargs --append-if-missing=hftune.test=1\" ended with exit code 1"
            ),
            "{why}"
        );
        // What it says is in the reason: cat knows no such option.
        assert!(outcome("/bin/cat").contains("unrecognized option"));
    }

    #[test]
    fn a_program_that_succeeds_is_not_believed() {
        let why = outcome("/bin/true");
        assert!(
            why.contains("cannot be read") || why.contains("not as asked"),
            "{why}"
        );
    }
}
