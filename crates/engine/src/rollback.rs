//! Rollback: the steps of a transaction, undone in reverse order.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hftune_domains::boot;
use hftune_model::setting::Artifact;
use hftune_model::transaction::{
    After, Conflict, Outcome, Output, Record, State, Status, TakenStep, Transaction,
};
use hftune_model::{Error, Kind, Result};
use hftune_sys::{Root, signals, time};

use crate::apply::{by_hand, restore, run};
use crate::boot_words::{self, Taken};
use crate::drift;
use crate::journal::Journal;
use crate::port;
use crate::target;
use crate::units::Units;

/// What a rollback did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RolledBack {
    /// Ids of the transactions that are undone.
    pub transactions: Vec<String>,
    /// Targets that were put back.
    pub restored: Vec<String>,
    /// Files of boot arguments that were installed or changed since, out of which only those of hftune were taken.
    pub taken_out: Vec<PathBuf>,
    /// Targets that were not put back, and why.
    pub not_restored: Vec<(String, String)>,
    /// Files that someone changed since hftune wrote them, each in its three states.
    pub conflicts: Vec<Conflict>,
    /// Whether the running kernel still has boot arguments that are gone from the boot loader.
    pub reboot_required: bool,
}

/// The transactions to undo, newest first: `id` and everything after it, all, or the newest.
pub fn choose(
    transactions: Vec<Transaction>,
    id: Option<&str>,
    all: bool,
) -> Result<Vec<Transaction>> {
    let mut in_force: Vec<Transaction> = transactions
        .into_iter()
        .filter(|t| t.status != Status::RolledBack)
        .collect();
    if let Some(id) = id {
        let at = in_force.iter().position(|t| t.id == id).ok_or_else(|| {
            Error::new(
                Kind::Usage,
                format!("there is no transaction \"{id}\" that could be undone"),
            )
            .hint("hftune history lists them")
        })?;
        in_force.drain(..at);
    } else if !all && !in_force.is_empty() {
        in_force.drain(..in_force.len() - 1);
    }
    in_force.reverse();
    Ok(in_force)
}

/// Undoes transactions, newest first.
///
/// A file that someone else changed since is left alone unless `force` is given; what cannot be put back is told, and
/// the rest goes on.
pub fn rollback(
    root: &Root,
    transactions: &[Transaction],
    boot_id: Option<&str>,
    force: bool,
    mut progress: impl FnMut(&str),
) -> Result<RolledBack> {
    let mut result = RolledBack::default();
    signals::hold();
    let mut units = Units::default();
    // What a newer transaction left as it is: an older state would go over what the newer one is to put back.
    let mut stuck: BTreeSet<String> = BTreeSet::new();
    for transaction in transactions {
        let journal = Journal::reopen(root, &transaction.id);
        let same_boot = boot_id.is_some() && transaction.boot_id.as_deref() == boot_id;
        let mut complete = true;
        let mut later = Vec::new();
        for step in transaction.steps.iter().rev().filter(|step| !step.undone) {
            let name = name_of(&step.after);
            if signals::asked_to_stop() {
                let why = "it was asked to stop, and did between two changes: hftune rollback finishes it";
                result.not_restored.push((name, why.to_owned()));
                units.finish(root)?;
                return Ok(result);
            }
            progress(&name);
            if stuck.contains(&name) {
                complete = false;
                continue;
            }
            let undone = undo(root, &mut units, step, same_boot, force);
            if matches!(&undone, Err(e) if e.kind == Kind::Conflict) {
                result.conflicts.extend(conflict(root, step));
            }
            match undone {
                Ok(Undone::Restored) => result.restored.push(name),
                Ok(Undone::TakenOut) => {
                    let path = match target::key_parts(&name) {
                        ("variable", name) => target::variable_parts(name).0.to_owned(),
                        (_, path) => PathBuf::from(path),
                    };
                    result.taken_out.push(path);
                }
                Ok(Undone::Nothing) => {}
                Ok(Undone::LeftToReboot(why)) => result.not_restored.push((name, why)),
                Ok(Undone::RunLater) => {
                    later.push(step);
                    continue;
                }
                Err(e) => {
                    complete = false;
                    result.not_restored.push((name.clone(), e.in_one_line()));
                    stuck.insert(name);
                    continue;
                }
            }
            journal.write(&Record::Undone { step: step.number })?;
        }
        restore_ports_again(root, &mut units, &transaction.steps);
        for step in later {
            let name = name_of(&step.after);
            match run_again(root, &step.after) {
                Ok(()) => {
                    result.restored.push(name);
                    journal.write(&Record::Undone { step: step.number })?;
                }
                Err(e) => {
                    complete = false;
                    result.not_restored.push((name, e.in_one_line()));
                }
            }
        }
        match boot_words::take_out(root, transaction) {
            Ok(taken) => {
                for Taken { path, done } in taken {
                    match done {
                        Ok(()) => result.taken_out.push(path),
                        Err(e) => {
                            complete = false;
                            let name = format!("file:{}", path.display());
                            result.not_restored.push((name, e.in_one_line()));
                        }
                    }
                }
            }
            Err(e) => {
                complete = false;
                let name = format!("file:{}", boot::ENTRIES);
                result.not_restored.push((name, e.in_one_line()));
            }
        }
        if complete {
            journal.write(&Record::RolledBack { time: time::now() })?;
            result.transactions.push(transaction.id.clone());
        }
        // Undone in the boot in which it was made: the running kernel never had its arguments.
        result.reboot_required |= transaction.touches_boot() && !same_boot;
    }
    result.taken_out.sort();
    result.taken_out.dedup();
    units.finish(root)?;
    if let Err(e) = drift::forget_if_disabled(root) {
        let what = "what the watch for drift left".to_owned();
        result.not_restored.push((what, e.in_one_line()));
    }
    Ok(result)
}

enum Undone {
    Restored,
    /// Someone changed the file since, and only the boot arguments of hftune were taken out of it.
    TakenOut,
    /// It is as it was already, or the step never took place.
    Nothing,
    /// The next boot puts it back.
    LeftToReboot(String),
    /// Something made the outputs anew since, a kernel package for instance. Its entries must stay, so the program runs
    /// once more when its inputs are undone.
    RunLater,
}

/// Runs a program on the inputs as they are now.
fn run_again(root: &Root, after: &After) -> Result<()> {
    let After::Set(Artifact::Made { program, args, .. }) = after else {
        return Ok(());
    };
    if !root.is_live() {
        return Err(Error::new(Kind::Conflict, by_hand(program, args)));
    }
    run(program, args)
}

fn name_of(after: &After) -> String {
    match after {
        After::Set(artifact) => artifact.target(),
        After::Restore { target, .. } => target.clone(),
    }
}

fn undo(
    root: &Root,
    units: &mut Units,
    step: &TakenStep,
    same_boot: bool,
    force: bool,
) -> Result<Undone> {
    if matches!(
        step.outcome,
        Some(Outcome::Refused { .. } | Outcome::Untried { .. })
    ) {
        return Ok(Undone::Nothing);
    }
    let key = target::current_key(root, &name_of(&step.after));
    let (kind, name) = target::key_parts(&key);
    remove_leftovers(root, step, kind, name);
    match &step.before {
        State::Absent | State::File { .. } | State::Link { .. } | State::Variable { .. } => {
            let now = target::state_of_key(root, &key, &step.before)?;
            if now == step.before || target::kernel_removed(name.as_ref(), &now) {
                remove_directories(root, step)?;
                return Ok(Undone::Nothing);
            }
            let as_made = target::is_as_made(&now, &step.after);
            if !as_made && matches!(step.outcome, Some(Outcome::Failed { .. })) {
                // A file is replaced as a whole or not at all: this one is somebody else's.
                return Ok(Undone::Nothing);
            }
            // The same holds where the power went before the outcome was recorded.
            if !force && !as_made {
                match boot_words::undo_in_changed(root, step, &now)? {
                    Some(true) => return Ok(Undone::TakenOut),
                    Some(false) => return Ok(Undone::Nothing),
                    None => {}
                }
                return Err(
                    Error::new(Kind::Conflict, "someone changed it since hftune wrote it")
                        .hint("look at it, then hftune rollback --force puts the old content back"),
                );
            }
            outcome(restore(root, units, &key, &step.before))?;
            remove_directories(root, step)?;
            Ok(Undone::Restored)
        }
        State::Outputs { files } => {
            let paths: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
            let now = target::outputs_of(root, &paths)?;
            if now == *files {
                return Ok(Undone::Nothing);
            }
            if as_program_made(step, &now) {
                outcome(restore(root, units, &key, &step.before))?;
                return Ok(Undone::Restored);
            }
            Ok(Undone::RunLater)
        }
        State::Kernel { .. } | State::Thread { .. }
            if !same_boot && target::of_one_boot(kind, name) =>
        {
            Ok(Undone::Nothing)
        }
        State::Port { .. } => undo_port(root, units, step, &key),
        State::Kernel { .. } if !root.exists(name) => {
            Ok(Undone::LeftToReboot("it is gone".to_owned()))
        }
        State::Thread { .. } => match restore(root, units, &key, &step.before) {
            Outcome::Made => Ok(Undone::Restored),
            // A kernel thread that ended took its affinity with it.
            _ => Ok(Undone::Nothing),
        },
        State::Kernel { .. } => match restore(root, units, &key, &step.before) {
            Outcome::Refused { why } if root.is_live() => Ok(Undone::LeftToReboot(format!(
                "{why}; the next boot puts it back"
            ))),
            Outcome::Refused { why } => Err(Error::new(Kind::Io, why)),
            _ => Ok(Undone::Restored),
        },
        // It stopped by itself, or its file went: systemd would refuse to stop what it does not know.
        State::Unit { active: false } if !target::unit_active(root, target::key_parts(&key).1) => {
            Ok(Undone::Nothing)
        }
        State::Unit { .. } => {
            outcome(restore(root, units, &key, &step.before))?;
            Ok(Undone::Restored)
        }
        State::Arguments { .. } | State::Packages { .. } => {
            let now = target::state_of_key(root, &key, &step.before)?;
            if target::same_state(&now, &step.before) {
                return Ok(Undone::Nothing);
            }
            match restore(root, units, &key, &step.before) {
                Outcome::Untried { why } => Err(Error::new(Kind::Conflict, why)),
                made => outcome(made).map(|()| Undone::Restored),
            }
        }
    }
}

/// A port whose device is gone took its values with it.
fn undo_port(root: &Root, units: &mut Units, step: &TakenStep, key: &str) -> Result<Undone> {
    let (_, name) = target::key_parts(key);
    if port::find(root, target::port_id(name)).is_err() {
        return Ok(Undone::Nothing);
    }
    if target::state_of_key(root, key, &step.before)? == step.before {
        return Ok(Undone::Nothing);
    }
    outcome(restore(root, units, key, &step.before)).map(|()| Undone::Restored)
}

/// Puts values of ports back once more: rebuilding the queues of a port may undo what was put back before it.
fn restore_ports_again(root: &Root, units: &mut Units, steps: &[TakenStep]) {
    let mut seen = BTreeSet::new();
    for step in steps
        .iter()
        .filter(|step| matches!(step.before, State::Port { .. }))
    {
        let key = name_of(&step.after);
        let made = !matches!(
            step.outcome,
            Some(Outcome::Refused { .. } | Outcome::Untried { .. })
        );
        // The first step of a target in a transaction has what was there before it.
        if made && seen.insert(key.clone()) {
            // What cannot be put back was told the first time.
            let _ = undo_port(root, units, step, &key);
        }
    }
}

/// Whether the outputs of a program are as the step made them. Where it failed, or the power went in between, only the edit
/// that stands for the program in a directory tree is known; anything else may be somebody's newer menu.
fn as_program_made(step: &TakenStep, now: &[Output]) -> bool {
    match &step.after {
        After::Restore {
            state: State::Outputs { files },
            ..
        } => now == files,
        After::Set(Artifact::Made { in_tree, .. })
            if !matches!(step.outcome, Some(Outcome::Made)) =>
        {
            let State::Outputs { files } = &step.before else {
                return false;
            };
            let is_made = |output: &Output| {
                in_tree.iter().any(|(path, content)| {
                    output.path == *path
                        && matches!(&output.state, State::File { content: now, .. }
                            if now.bytes().as_deref() == Some(content.as_bytes()))
                })
            };
            // What the program was writing when it was cut off, before it renames it.
            let is_cut_off = |output: &Output| {
                output.path.extension().is_some_and(|end| end == "new")
                    && files
                        .iter()
                        .any(|old| old.path == output.path && old.state == State::Absent)
            };
            // Of several some may have been written.
            now.iter()
                .all(|output| files.contains(output) || is_made(output) || is_cut_off(output))
        }
        _ => now == step.outputs,
    }
}

fn outcome(outcome: Outcome) -> Result<()> {
    match outcome {
        Outcome::Made | Outcome::Rounded { .. } | Outcome::Untried { .. } => Ok(()),
        Outcome::Refused { why } | Outcome::Failed { why } => Err(Error::new(Kind::Io, why)),
    }
}

/// The three states of a file that somebody changed; `None` for what is no text.
fn conflict(root: &Root, step: &TakenStep) -> Option<Conflict> {
    let key = target::current_key(root, &name_of(&step.after));
    let path = PathBuf::from(key.strip_prefix("file:")?);
    let text = |state: &State| match state {
        State::File { content, .. } => String::from_utf8(content.bytes()?).ok(),
        State::Absent => Some(String::new()),
        _ => None,
    };
    let made = match &step.after {
        After::Set(Artifact::File { content, .. }) => content.clone(),
        After::Set(Artifact::NoFile { .. }) => String::new(),
        After::Set(_) => return None,
        After::Restore { state, .. } => text(state)?,
    };
    Some(Conflict {
        before: text(&step.before)?,
        made,
        now: text(&target::file_state(root, &path).ok()?)?,
        path,
    })
}

/// What the process left that was killed while it took the step.
fn remove_leftovers(root: &Root, step: &TakenStep, kind: &str, name: &str) {
    match kind {
        "file" => root.remove_leftover(name),
        "variable" => root.remove_leftover(target::variable_parts(name).0),
        // In a tree such a file is one like others.
        "kernel" if !root.is_live() => root.remove_leftover(name),
        "made" => {
            if let State::Outputs { files } = &step.before {
                for file in files {
                    root.remove_leftover(&file.path);
                }
            }
        }
        _ => {}
    }
}

/// Directories that the step made go, innermost first, where nothing else is in them.
fn remove_directories(root: &Root, step: &TakenStep) -> Result<()> {
    for directory in step.directories.iter().rev() {
        root.remove_empty_dir(directory)?;
    }
    Ok(())
}
