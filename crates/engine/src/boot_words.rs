//! Boot arguments in files that are not as hftune left them. Undoing a set-up takes the very words of hftune out of them,
//! whoever wrote the rest: entries of kernels that were installed since got them from the template, and grubby and
//! grub2-mkconfig write entries and templates anew with the words in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hftune_domains::boot::{self, record::Record};
use hftune_model::Result;
use hftune_model::setting::Artifact;
use hftune_model::transaction::{After, Content, State, TakenStep, Transaction};
use hftune_sys::Root;

use crate::journal::Held;
use crate::target;

/// Undoes a step in a file of boot arguments that someone changed since; whether there was anything to undo. `None`
/// where it is no such file, or cannot be edited as it is now.
pub(crate) fn undo_in_changed(root: &Root, step: &TakenStep, now: &State) -> Result<Option<bool>> {
    let (
        After::Set(Artifact::File { path, content, .. }),
        State::File {
            content: before, ..
        },
        State::File { content: now, .. },
    ) = (&step.after, &step.before, now)
    else {
        return Ok(None);
    };
    let (Content::Text(before), Content::Text(now)) = (before, now) else {
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
    stays.extend(boot::record::words(&text(root, boot::KERNEL_CMDLINE)?));
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
        None => text(root, boot::KERNEL_CMDLINE).unwrap_or_default(),
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
    for name in root
        .list(boot::ENTRIES)?
        .iter()
        .filter(|name| is_entry(name))
    {
        let path = Path::new(boot::ENTRIES).join(name);
        let edited = root
            .read_text(&path)
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

fn text(root: &Root, path: &str) -> Result<String> {
    Ok(root.read_text_if_present(path)?.unwrap_or_default())
}

fn is_entry(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| e == "conf")
}
