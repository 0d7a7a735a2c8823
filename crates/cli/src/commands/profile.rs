//! `hftune profile`

use std::path::Path;

use hftune_engine::in_force::Choices;
use hftune_engine::machine::resolve;
use hftune_engine::{from_host, profile};
use hftune_model::profile::Origin;
use hftune_model::{Error, Kind, Result};
use hftune_sys::Root;

use crate::args::Profile;
use crate::{Answer, terminal};

pub(super) fn run(root: &Root, command: &Profile) -> Result<Answer> {
    match command {
        Profile::Show { choices, output } => {
            let asked = resolve(root, choices.choices()?)?;
            terminal::warn(&asked.warnings);
            let resolved = asked.resolved;
            Ok(Answer::ok(if output.json {
                hftune_report::profile::json(&resolved)
            } else {
                hftune_report::profile::human(&resolved, terminal::width())
            }))
        }
        Profile::Schema => Ok(Answer::ok(hftune_report::schema::profile_file_text())),
        Profile::Check { file } => {
            let resolved = profile::load(root, Some(file), &[])?;
            Ok(Answer::ok(format!(
                "{} is a valid profile: {} values, of which {} are its own\n",
                file.display(),
                resolved.origins.len(),
                resolved
                    .origins
                    .values()
                    .filter(|origin| matches!(origin, Origin::File(..)))
                    .count()
            )))
        }
        Profile::New {
            file,
            from_host,
            from,
        } => {
            // A captured machine is one to take values from.
            if !from_host && from.from.is_none() {
                return new_file(file.as_deref(), profile::starter());
            }
            let made = from_host::read(root, Choices::default())?;
            terminal::warn(&made.notes);
            new_file(file.as_deref(), made.text)
        }
    }
}

/// Prints a new profile, or writes it where there is none yet.
pub(super) fn new_file(file: Option<&Path>, text: String) -> Result<Answer> {
    let Some(file) = file else {
        return Ok(Answer::ok(text));
    };
    let live = Root::live();
    let path = std::path::absolute(file).map_err(|e| Error::io("find it", file, &e))?;
    if live.exists(&path) {
        return Err(Error::new(Kind::Conflict, "it exists already")
            .at(file)
            .hint("name another file, or move this one away"));
    }
    hftune_engine::target::make_file(&live, &path, &text, 0o644)?;
    Ok(Answer::ok(format!(
        "{} is written; edit it, then: hftune profile check {0}\n",
        file.display()
    )))
}
