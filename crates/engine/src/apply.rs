//! Apply: every step of a plan, each recorded before it is taken and read back after.

use std::path::Path;

use hftune_domains::boot::grubenv;
use hftune_model::plan::{Plan, Step};
use hftune_model::port_change::PortChange;
use hftune_model::setting::Artifact;
use hftune_model::transaction::{After, JOURNAL_VERSION, Outcome, Output, Record, State};
use hftune_model::{Error, Kind, Result};
use hftune_sys::{Root, exec, signals, time};

use crate::arguments;
use crate::drift;
use crate::journal::Journal;
use crate::packages;
use crate::port;
use crate::target;
use crate::units::{self, Units};

/// What an apply did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Id of the transaction.
    pub transaction: String,
    /// Steps that were not taken as asked, with the settings they serve and the reason.
    pub not_made: Vec<(Vec<String>, String)>,
    /// Settings and targets of the steps that were not reached.
    pub not_reached: Vec<String>,
    /// The error that stopped it half way.
    pub failure: Option<Error>,
}

/// Takes the steps of a plan. `progress` is told of each before it is taken.
///
/// A value that the kernel refuses is recorded and the rest goes on. A file that cannot be written, or a program that
/// fails, stops the apply: what was done stays recorded and can be undone.
pub fn apply(
    root: &Root,
    plan: &Plan,
    boot_id: Option<&str>,
    mut progress: impl FnMut(usize, &Step),
) -> Result<Applied> {
    let journal = Journal::begin(
        root,
        &Record::Begin {
            journal: JOURNAL_VERSION,
            time: time::now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            profile: plan.profile.clone(),
            boot_id: boot_id.map(str::to_owned),
            changes: plan.changes.clone(),
        },
    )?;
    let mut units = Units::default();
    let mut applied = Applied {
        transaction: journal.id.clone(),
        not_made: Vec::new(),
        not_reached: Vec::new(),
        failure: None,
    };
    signals::hold();
    for (number, step) in plan.steps.iter().enumerate() {
        if signals::asked_to_stop() {
            applied.failure = Some(
                Error::new(
                    Kind::Conflict,
                    "it was asked to stop, and did between two changes",
                )
                .hint("hftune setup finishes it, hftune rollback undoes it"),
            );
            applied.not_reached = plan.steps[number..].iter().flat_map(changes_of).collect();
            break;
        }
        progress(number, step);
        let outcome = take(root, &journal, &mut units, number, step)?;
        let ids = changes_of(step);
        match outcome {
            Outcome::Made => {}
            Outcome::Rounded { got } => applied
                .not_made
                .push((ids, format!("the kernel made it {got}"))),
            Outcome::Refused { why } | Outcome::Untried { why } => {
                applied.not_made.push((ids, why));
            }
            Outcome::Failed { why } => {
                applied.not_made.push((ids, why.clone()));
                applied.failure = Some(
                    Error::new(Kind::Io, why)
                        .hint("hftune rollback undoes what was done; or mend the cause and run hftune setup again"),
                );
                let rest = plan.steps.iter().skip(number + 1);
                applied.not_reached = rest.flat_map(changes_of).collect();
                break;
            }
        }
    }
    let finished = units
        .finish(root)
        .and_then(|()| drift::forget_if_disabled(root));
    if let Err(e) = finished {
        applied.failure.get_or_insert(e);
    }
    journal.write(&Record::End {
        time: time::now(),
        complete: applied.failure.is_none(),
    })?;
    Ok(applied)
}

/// The changes that a step makes. What is put back serves no setting; its change goes by the target.
fn changes_of(step: &Step) -> Vec<String> {
    match &step.after {
        After::Restore { target, .. } => vec![target.clone()],
        After::Set(_) => step.ids.clone(),
    }
}

/// Records the state before, takes the step, records what became of it.
fn take(
    root: &Root,
    journal: &Journal<'_>,
    units: &mut Units,
    number: usize,
    step: &Step,
) -> Result<Outcome> {
    let (path, before) = match &step.after {
        After::Set(artifact) => (path_of(artifact), target::state(root, artifact)),
        After::Restore { target: key, state } => {
            let (kind, name) = target::key_parts(key);
            (
                (kind == "file").then(|| Path::new(name)),
                target::state_of_key(root, key, state),
            )
        }
    };
    // Nothing there to change: a device or a thread that went, a key this kernel lacks. It is recorded as refused, so
    // that the next setup does not try again.
    let (before, absent) = match before {
        Ok(before) => (before, None),
        Err(e) => (State::Absent, Some(e)),
    };
    journal.write(&Record::Before {
        step: number,
        ids: step.ids.clone(),
        after: step.after.clone(),
        before: before.clone(),
        directories: path.map_or_else(Vec::new, |path| target::missing_directories(root, path)),
    })?;
    let mut outputs = Vec::new();
    let outcome = match &step.after {
        after if absent.is_some() => unreadable(after, absent.as_ref()),
        After::Set(Artifact::Packages { names }) => packages::install(root, names, &before),
        After::Set(artifact) => make(root, units, artifact, &mut outputs),
        After::Restore { target, state } => restore(root, units, target, state),
    };
    let outcome = taken_in_part(root, &step.after, &before, outcome);
    journal.write(&Record::Done {
        step: number,
        outcome: outcome.clone(),
        outputs,
    })?;
    Ok(outcome)
}

/// A value that was refused and is not what it was before, since a part of it was taken, has to be undone like one that was
/// made.
fn taken_in_part(root: &Root, after: &After, before: &State, outcome: Outcome) -> Outcome {
    let (
        After::Set(artifact @ (Artifact::Kernel { .. } | Artifact::Port { .. })),
        Outcome::Refused { .. },
    ) = (after, &outcome)
    else {
        return outcome;
    };
    match target::state(root, artifact) {
        Ok(now) if now == *before => outcome,
        Ok(State::Kernel { value, .. }) => Outcome::Rounded { got: value },
        Ok(State::Port { values }) => Outcome::Rounded {
            got: values.shown(),
        },
        _ => outcome,
    }
}

/// A target whose state cannot be read is not changed. A kernel value or a thread that is not there is passed over; a
/// file that cannot be read stops the apply.
fn unreadable(after: &After, error: Option<&Error>) -> Outcome {
    let why = error.map(Error::in_one_line).unwrap_or_default();
    match after {
        After::Set(
            Artifact::Kernel { .. }
            | Artifact::Port { .. }
            | Artifact::Thread { .. }
            | Artifact::Packages { .. },
        )
        | After::Restore {
            state: State::Kernel { .. } | State::Port { .. } | State::Thread { .. },
            ..
        } => Outcome::Refused { why },
        _ => Outcome::Failed { why },
    }
}

fn path_of(artifact: &Artifact) -> Option<&Path> {
    match artifact {
        Artifact::File { path, .. } | Artifact::Link { path, .. } | Artifact::NoFile { path } => {
            Some(path)
        }
        _ => None,
    }
}

fn failed(result: Result<()>) -> Outcome {
    match result {
        Ok(()) => Outcome::Made,
        Err(e) => Outcome::Failed {
            why: e.in_one_line(),
        },
    }
}

/// Makes an artifact so.
fn make(root: &Root, units: &mut Units, artifact: &Artifact, outputs: &mut Vec<Output>) -> Outcome {
    match artifact {
        Artifact::File {
            path,
            content,
            mode,
        } => {
            units.file_changed(path);
            failed(with_directory(root, path, || {
                target::make_file(root, path, content, *mode)
            }))
        }
        Artifact::Link { path, target } => {
            units.file_changed(path);
            failed(with_directory(root, path, || root.write_link(path, target)))
        }
        Artifact::NoFile { path } => {
            units.file_changed(path);
            failed(root.remove_file(path))
        }
        Artifact::Variable { path, name, value } => {
            let raw = grubenv::escape(value);
            failed(target::set_variable(root, path, name, &raw))
        }
        Artifact::Kernel {
            path,
            value,
            compare,
        } => match root.write_kernel(path, value) {
            Err(e) => Outcome::Refused { why: e.to_string() },
            Ok(()) => match root.read_text(path) {
                Ok(text) if compare.same(&text, value) => Outcome::Made,
                Ok(text) => Outcome::Rounded {
                    got: compare.value(&text),
                },
                Err(e) => Outcome::Refused { why: e.to_string() },
            },
        },
        Artifact::Port { change, .. } => {
            set_port(root, artifact.port_id().unwrap_or_default(), change)
        }
        Artifact::Thread { pid, comm, cpus } => move_thread(root, *pid, comm, cpus),
        Artifact::Unit { name, active } => set_unit(root, units, name, *active),
        Artifact::Made {
            program,
            args,
            outputs: paths,
            in_tree,
            ..
        } => {
            let done = if root.is_live() {
                run(program, args)
            } else if in_tree.is_empty() {
                return Outcome::Untried {
                    why: format!(
                        "{}: no program is started for a directory tree",
                        by_hand(program, args)
                    ),
                };
            } else {
                in_tree
                    .iter()
                    .try_for_each(|(path, content)| target::make_file(root, path, content, 0o644))
            };
            let made = done.and_then(|()| target::outputs_of(root, paths));
            failed(made.map(|made| *outputs = made))
        }
        Artifact::Packages { names } => {
            let nothing = State::Packages { absent: Vec::new() };
            packages::install(root, names, &nothing)
        }
        Artifact::Arguments {
            program,
            add,
            remove,
        } => arguments::set(root, program, add, remove),
    }
}

/// Runs a program on its inputs as they are now.
pub(crate) fn run(program: &Path, args: &[String]) -> Result<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    exec::run_ok(program, &args).map(drop)
}

/// What the operator has to do where no program is started.
pub(crate) fn by_hand(program: &Path, args: &[String]) -> String {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let line = format!("{} {}", program.display(), words.join(" "));
    format!("run \"{}\" on the machine itself", line.trim_end())
}

fn move_thread(root: &Root, pid: u32, comm: &str, cpus: &str) -> Outcome {
    if !root.is_live() {
        return Outcome::Untried {
            why: "there are no threads in a directory tree".to_owned(),
        };
    }
    match target::move_thread(root, pid, comm, cpus) {
        Ok(()) => Outcome::Made,
        Err(e) => Outcome::Refused { why: e.to_string() },
    }
}

fn set_port(root: &Root, id: &str, change: &PortChange) -> Outcome {
    if root.is_live() {
        port::set(root, id, change)
    } else {
        Outcome::Untried {
            why: "there are no ports in a directory tree; the unit sets them on the machine itself"
                .to_owned(),
        }
    }
}

fn with_directory(root: &Root, path: &Path, write: impl FnOnce() -> Result<()>) -> Result<()> {
    if let Some(dir) = path.parent() {
        root.make_dirs(dir, 0o755)?;
    }
    write()
}

fn set_unit(root: &Root, units: &mut Units, name: &str, active: bool) -> Outcome {
    if !units::available(root) {
        return Outcome::Untried {
            why: "systemd is not running here; the unit is enabled by its link and starts with the next boot".to_owned(),
        };
    }
    failed(units.set_active(root, name, active))
}

/// Puts a target into a recorded state.
pub(crate) fn restore(root: &Root, units: &mut Units, key: &str, state: &State) -> Outcome {
    let (_, name) = target::key_parts(key);
    match state {
        State::Absent | State::File { .. } | State::Link { .. } => {
            let path = Path::new(name);
            units.file_changed(path);
            failed(target::restore_file(root, path, state))
        }
        State::Variable { raw } => {
            let (path, variable) = target::variable_parts(name);
            failed(target::set_variable(root, path, variable, raw))
        }
        State::Kernel { value, text } => match root.restore_kernel(name, value, text) {
            Ok(()) => Outcome::Made,
            Err(e) => Outcome::Refused { why: e.to_string() },
        },
        State::Port { values } => set_port(root, target::port_id(name), values),
        State::Unit { active } => set_unit(root, units, name, *active),
        State::Thread { cpus } => match target::thread_parts(name) {
            Some((pid, comm)) => move_thread(root, pid, comm, cpus),
            None => Outcome::Refused {
                why: format!("{key} is no thread of this machine"),
            },
        },
        State::Outputs { files } => {
            for file in files {
                if let Err(e) = target::restore_file(root, &file.path, &file.state) {
                    return Outcome::Failed {
                        why: e.in_one_line(),
                    };
                }
            }
            Outcome::Made
        }
        State::Packages { absent } => packages::restore(root, absent),
        State::Arguments { present, absent } => {
            arguments::set(root, Path::new(name), present, absent)
        }
    }
}
