//! Boot arguments in files that are not as hftune left them. Undoing a set-up takes the very words of hftune out of them,
//! whoever wrote the rest: entries of kernels that were installed since got them from the template, and grubby and
//! grub2-mkconfig write entries and templates anew with the words in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hftune_domains::boot::{self, grubenv, record::Record};
use hftune_model::setting::Artifact;
use hftune_model::transaction::{After, Content, State, TakenStep, Transaction};
use hftune_model::{Kind, Result};
use hftune_sys::Root;

use crate::journal::Held;
use crate::target;

/// Undoes a step in a file of boot arguments that someone changed since; whether there was anything to undo. `None`
/// where it is no such file, or cannot be edited as it is now.
pub(crate) fn undo_in_changed(root: &Root, step: &TakenStep, now: &State) -> Result<Option<bool>> {
    if let (
        After::Set(Artifact::Variable { path, name, value }),
        State::Variable { raw: before },
        State::Variable { raw: now },
    ) = (&step.after, &step.before, now)
    {
        let now = grubenv::unescape(now);
        let text = boot::undo::undone_line(&grubenv::unescape(before), value, &now);
        if text == now {
            return Ok(Some(false));
        }
        return target::set_variable(root, path, name, &grubenv::escape(&text))
            .map(|()| Some(true));
    }
    let (path, content) = match &step.after {
        After::Set(Artifact::File { path, content, .. }) => (path.as_path(), content),
        After::Restore {
            target,
            state:
                State::File {
                    content: Content::Text(text),
                    ..
                },
        } => (Path::new(target::key_parts(target).1), text),
        _ => return Ok(None),
    };
    let (
        State::File {
            content: Content::Text(before),
            ..
        },
        State::File {
            content: Content::Text(now),
            ..
        },
    ) = (&step.before, now)
    else {
        return Ok(None);
    };
    match boot::undo::undone(path, before, content, now) {
        Ok(Some(text)) if text == *now => Ok(Some(false)),
        Ok(Some(text)) => target::make_file(root, path, &text, 0o644).map(|()| Some(true)),
        Ok(None) | Err(_) => Ok(None),
    }
}

/// Takes the words of a transaction, once its steps are undone, out of the entries that were installed since; returns
/// those that were changed, or could not be.
///
/// A word that the template of the next kernel holds now is somebody's own, or could not be taken out there: it stays.
pub(crate) fn take_out(root: &Root, transaction: &Transaction) -> Result<Vec<Taken>> {
    let Some(record) = record_of(transaction) else {
        return Ok(Vec::new());
    };
    let mut stays = Record::parse(&text(root, boot::record::PATH)?).words;
    stays.extend(boot::record::words(&template(root)?));
    let taken = later_entries(root, &record, &stays)?.into_iter();
    Ok(taken
        .map(|(path, edited)| {
            let done = edited.and_then(|content| target::make_file(root, &path, &content, 0o644));
            Taken { path, done }
        })
        .collect())
}

/// The states that put back entries that were installed since, where a profile wants no boot argument any more and what
/// hftune holds goes back to what it was. What cannot be read or edited is left as it is, and verify tells it.
pub(crate) fn put_back(root: &Root, held: &BTreeMap<String, Held>) -> Vec<(PathBuf, State)> {
    let of = |path: &str| held.get(&format!("file:{path}"));
    let Some(After::Set(Artifact::File { content, .. })) =
        of(boot::record::PATH).map(|held| &held.last)
    else {
        return Vec::new();
    };
    // The template as it will be.
    let template = match of(boot::KERNEL_CMDLINE).map(|held| &held.before) {
        Some(State::File {
            content: Content::Text(text),
            ..
        }) => text.clone(),
        Some(_) => String::new(),
        None => template(root).unwrap_or_default(),
    };
    let stays = boot::record::words(&template);
    let edited = later_entries(root, &Record::parse(content), &stays).unwrap_or_default();
    let state = |(path, edited): (PathBuf, Result<String>)| {
        let mut state = target::file_state(root, &path).ok()?;
        let State::File { content, .. } = &mut state else {
            return None;
        };
        *content = Content::Text(edited.ok()?);
        Some((path, state))
    };
    edited.into_iter().filter_map(state).collect()
}

/// The entries that were installed since the record was made and hold its words, and each without them but those that
/// stay.
fn later_entries(
    root: &Root,
    record: &Record,
    stays: &[String],
) -> Result<Vec<(PathBuf, Result<String>)>> {
    let mut words = record.words.clone();
    words.retain(|word| !stays.contains(word));
    let mut found = Vec::new();
    let mut paths = Vec::new();
    for directory in boot::ENTRY_DIRECTORIES {
        let names = root.list(directory)?;
        let entries = names.iter().filter(|name| is_entry(name));
        paths.extend(entries.map(|name| Path::new(directory).join(name)));
    }
    for path in paths {
        let text = match root.read_text(&path) {
            // What is not text holds no words.
            Err(e) if e.kind == Kind::Invalid => continue,
            text => text,
        };
        let edited = text
            .and_then(|text| record.taken_out_of(&path, &text, &words))
            .map_err(|e| e.at(&path));
        if let Some(edited) = edited.transpose() {
            found.push((path, edited));
        }
    }
    Ok(found)
}

/// An entry that holds words of hftune.
pub(crate) struct Taken {
    pub(crate) path: PathBuf,
    pub(crate) done: Result<()>,
}

/// What a transaction wrote of its boot arguments.
fn record_of(transaction: &Transaction) -> Option<Record> {
    transaction.steps.iter().find_map(|step| match &step.after {
        After::Set(Artifact::File { path, content, .. })
            if path == Path::new(boot::record::PATH) =>
        {
            Some(Record::parse(content))
        }
        _ => None,
    })
}

/// The template of the next kernel's entry: the administrator's, else that of the distribution.
fn template(root: &Root) -> Result<String> {
    match root.read_text_if_present(boot::KERNEL_CMDLINE)? {
        Some(text) => Ok(text),
        None => text(root, boot::VENDOR_CMDLINE),
    }
}

fn text(root: &Root, path: &str) -> Result<String> {
    Ok(root.read_text_if_present(path)?.unwrap_or_default())
}

fn is_entry(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| e == "conf")
}
