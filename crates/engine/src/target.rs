//! The state of targets: reading it, and putting a target into a state.

use std::path::{Path, PathBuf};

use hftune_domains::boot::record::uncounted;
use hftune_domains::boot::{self, grubenv};
use hftune_model::port_change::PortChange;
use hftune_model::setting::{Artifact, Compare};
use hftune_model::transaction::{After, Content, Output, State};
use hftune_model::{CpuSet, Error, Kind, Result};
use hftune_sys::write::Metadata;
use hftune_sys::{Reader, Root};

use crate::arguments;
use crate::packages;
use crate::port;
use crate::units;

/// Whether an artifact is in place already. What cannot be read is not.
pub fn in_place(reader: &Reader<'_>, artifact: &Artifact) -> bool {
    match artifact {
        Artifact::File { path, content, .. } => {
            reader.text(path).is_ok_and(|text| *text == **content)
        }
        Artifact::Link { path, target } => reader.root().link_target(path).as_ref() == Some(target),
        Artifact::NoFile { path } => !reader.root().exists(path),
        Artifact::Variable { path, name, value } => reader
            .text(path)
            .is_ok_and(|text| grubenv::value(&text, name).as_deref() == Some(value)),
        Artifact::Kernel {
            path,
            value,
            compare,
        } => reader
            .text(path)
            .is_ok_and(|text| compare.same(&text, value)),
        Artifact::Port { port, change, .. } => match reader.port(port) {
            Some(told) => change.now(told).as_ref() == Some(change),
            None => port_now(reader.root(), artifact).as_ref() == Ok(change),
        },
        Artifact::Thread { pid, comm, cpus } => match thread_cpus(reader.root(), *pid, comm) {
            Some(now) => Compare::CpusWithin.same(&now, cpus),
            // It is gone, and with it the need to move it.
            None => true,
        },
        Artifact::Unit { name, active } => {
            !reader.root().is_running() || unit_active(reader.root(), name) == *active
        }
        Artifact::Made { stale, .. } => !stale,
        // Whatever put it there: the library is what is wanted.
        Artifact::Packages { .. } => hftune_domains::vma::library(reader.root()).is_some(),
        Artifact::Arguments { add, remove, .. } => arguments::of(reader, add.iter().chain(remove))
            .is_ok_and(|now| {
                now == State::Arguments {
                    present: add.clone(),
                    absent: remove.clone(),
                }
            }),
    }
}

/// Whether systemd holds a running instance of a unit.
///
/// systemd keeps a link `/run/systemd/units/invocation:NAME` for every unit that is not inactive or failed
/// (`unit_export_invocation_id()` and `unit_notify()` in src/core/unit.c), so that no process need be asked.
/// A timer has none (seen with systemd 252): there systemd itself is asked, where it runs.
pub fn unit_active(root: &Root, name: &str) -> bool {
    if units::is_timer(name) {
        return units::available(root) && units::is_active(name);
    }
    root.exists(format!("/run/systemd/units/invocation:{name}"))
}

/// The state of a file, a link, or nothing.
pub fn file_state(root: &Root, path: &Path) -> Result<State> {
    if let Some(target) = root.link_target(path) {
        return Ok(State::Link { target });
    }
    let Some(metadata) = root.metadata(path)? else {
        return Ok(State::Absent);
    };
    Ok(State::File {
        content: Content::from_bytes(root.read(path)?),
        mode: metadata.mode,
        uid: metadata.uid,
        gid: metadata.gid,
        xattrs: metadata
            .xattrs
            .into_iter()
            .map(|(name, value)| (name, Content::from_bytes(value)))
            .collect(),
    })
}

/// The present state of an artifact's target, as it is recorded before the target is changed.
pub fn state(root: &Root, artifact: &Artifact) -> Result<State> {
    match artifact {
        Artifact::File { path, .. } | Artifact::Link { path, .. } | Artifact::NoFile { path } => {
            file_state(root, path)
        }
        Artifact::Variable { path, name, .. } => variable_state(root, path, name),
        Artifact::Kernel { path, compare, .. } => {
            let text = root.read_text(path)?;
            Ok(State::Kernel {
                value: compare.value(&text),
                text,
            })
        }
        Artifact::Port { .. } => port_now(root, artifact).map(|values| State::Port { values }),
        Artifact::Thread { pid, comm, .. } => thread_cpus(root, *pid, comm)
            .map(|cpus| State::Thread { cpus })
            .ok_or_else(|| Error::new(Kind::Missing, format!("thread {pid} ({comm}) is gone"))),
        Artifact::Unit { name, .. } => Ok(State::Unit {
            active: unit_active(root, name),
        }),
        Artifact::Made { outputs, .. } => Ok(State::Outputs {
            files: outputs_of(root, outputs)?,
        }),
        Artifact::Packages { names } => packages::before(root, names),
        Artifact::Arguments { add, remove, .. } => {
            arguments::of(&Reader::new(root), add.iter().chain(remove))
        }
    }
}

/// The parts of a target's key: `kernel` and `/proc/sys/vm/swappiness`.
pub fn key_parts(key: &str) -> (&str, &str) {
    key.split_once(':').unwrap_or((key, ""))
}

/// The present values of what an artifact of a port names.
fn port_now(root: &Root, artifact: &Artifact) -> Result<PortChange> {
    match artifact {
        Artifact::Port { change, .. } => {
            port::now(root, artifact.port_id().unwrap_or_default(), change)
        }
        _ => Err(Error::invalid("it is no port")),
    }
}

/// What stands for a port in its key.
pub fn port_id(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(id, _)| id)
}

/// The parts of a thread's name in its key: process id and name.
pub fn thread_parts(name: &str) -> Option<(u32, &str)> {
    let (pid, comm) = name.split_once(':')?;
    Some((pid.parse().ok()?, comm))
}

/// The path of the environment block and the variable, in a variable's name in its key.
pub fn variable_parts(name: &str) -> (&Path, &str) {
    let (path, variable) = name.rsplit_once(':').unwrap_or((name, ""));
    (Path::new(path), variable)
}

fn variable_state(root: &Root, path: &Path, name: &str) -> Result<State> {
    let text = root.read_text(path)?;
    match grubenv::raw(&text, name) {
        Some(raw) => Ok(State::Variable {
            raw: raw.to_owned(),
        }),
        None => Err(Error::new(Kind::Missing, format!("it does not set {name}")).at(path)),
    }
}

/// Sets a variable of GRUB's environment block to a value as it stands in a block; the rest of the block stays as it is
/// at this moment.
pub fn set_variable(root: &Root, path: &Path, name: &str, raw: &str) -> Result<()> {
    let block = grubenv::set(&root.read_text(path)?, name, raw).map_err(|e| e.at(path))?;
    make_file(root, path, &block, 0o600)
}

/// The present state of a target that is known by its key, in the form of the recorded state `like`.
pub fn state_of_key(root: &Root, key: &str, like: &State) -> Result<State> {
    let (_, name) = key_parts(key);
    match like {
        State::Absent | State::File { .. } | State::Link { .. } => file_state(root, name.as_ref()),
        State::Variable { .. } => {
            let (path, variable) = variable_parts(name);
            variable_state(root, path, variable)
        }
        State::Kernel { .. } => {
            let text = root.read_text(name)?;
            Ok(State::Kernel {
                value: text.trim().to_owned(),
                text,
            })
        }
        State::Unit { .. } => Ok(State::Unit {
            active: unit_active(root, name),
        }),
        State::Port { values } => {
            port::now(root, port_id(name), values).map(|values| State::Port { values })
        }
        State::Thread { .. } => thread_parts(name)
            .and_then(|(pid, comm)| thread_cpus(root, pid, comm))
            .map(|cpus| State::Thread { cpus })
            .ok_or_else(|| Error::new(Kind::Missing, format!("thread {name} is gone"))),
        State::Outputs { files } => {
            let paths: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
            Ok(State::Outputs {
                files: outputs_of(root, &paths)?,
            })
        }
        State::Packages { absent } => packages::now(root, absent),
        State::Arguments { present, absent } => {
            arguments::of(&Reader::new(root), present.iter().chain(absent))
        }
    }
}

/// Whether two states of a target are the same. White space in a kernel value is the kernel's own.
pub fn same_state(a: &State, b: &State) -> bool {
    match (a, b) {
        (State::Kernel { text: a, .. }, State::Kernel { text: b, .. }) => {
            a.split_whitespace().eq(b.split_whitespace())
        }
        (State::Arguments { present: a, .. }, State::Arguments { present: b, .. }) => {
            a.len() == b.len() && a.iter().all(|word| b.contains(word))
        }
        _ => a == b,
    }
}

/// The states of a program's outputs.
pub fn outputs_of(root: &Root, outputs: &[PathBuf]) -> Result<Vec<Output>> {
    outputs
        .iter()
        .map(|path| {
            Ok(Output {
                path: path.clone(),
                state: file_state(root, path)?,
            })
        })
        .collect()
}

/// Puts a file or a link into a recorded state.
pub fn restore_file(root: &Root, path: &Path, state: &State) -> Result<()> {
    match state {
        State::Absent if root.exists(path) => root.remove_file(path),
        State::Absent => Ok(()),
        State::Link { target } => root.write_link(path, target),
        State::File {
            content,
            mode,
            uid,
            gid,
            xattrs,
        } => {
            let damaged = || Error::invalid("the recorded content is damaged").at(path);
            if root.link_target(path).is_some() {
                root.remove_file(path)?;
            }
            let xattrs = xattrs
                .iter()
                .map(|(name, value)| Some((name.clone(), value.bytes()?)))
                .collect::<Option<Vec<_>>>()
                .ok_or_else(damaged)?;
            let metadata = Metadata {
                mode: *mode,
                uid: *uid,
                gid: *gid,
                xattrs,
            };
            root.write_atomic(path, &content.bytes().ok_or_else(damaged)?, &metadata)
        }
        State::Variable { .. }
        | State::Kernel { .. }
        | State::Port { .. }
        | State::Thread { .. }
        | State::Unit { .. }
        | State::Outputs { .. }
        | State::Packages { .. }
        | State::Arguments { .. } => {
            Err(Error::invalid("the recorded state is not that of a file").at(path))
        }
    }
}

/// Makes a file as an artifact says: an existing one keeps its mode, owner and label.
pub fn make_file(root: &Root, path: &Path, content: &str, mode: u32) -> Result<()> {
    let (uid, gid) = hftune_sys::identity::owner();
    let metadata = root.metadata(path)?.unwrap_or(Metadata {
        mode,
        uid,
        gid,
        xattrs: Vec::new(),
    });
    root.write_atomic(path, content.as_bytes(), &metadata)
}

/// The directories that have to be made before a file can be.
pub fn missing_directories(root: &Root, path: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<PathBuf> = path
        .ancestors()
        .skip(1)
        .take_while(|dir| !root.is_dir(dir))
        .map(Path::to_owned)
        .collect();
    missing.reverse();
    missing
}

/// Whether a file or a variable still is what a step made of it.
pub fn is_as_made(now: &State, after: &After) -> bool {
    match (now, after) {
        (State::File { content, .. }, After::Set(Artifact::File { content: made, .. })) => {
            content.bytes().as_deref() == Some(made.as_bytes())
        }
        (State::Link { target }, After::Set(Artifact::Link { target: made, .. })) => target == made,
        (State::Variable { raw }, After::Set(Artifact::Variable { value, .. })) => {
            *raw == grubenv::escape(value)
        }
        (State::Absent, After::Set(Artifact::NoFile { .. })) => true,
        (now, After::Restore { state, .. }) => now == state,
        _ => false,
    }
}

/// Whether a boot entry that hftune edited went with its kernel: putting it back would offer a kernel that is not there.
pub fn kernel_removed(path: &Path, now: &State) -> bool {
    *now == State::Absent && boot::is_entry(path)
}

/// The key of a target as it is named now.
///
/// systemd-boot counts the boots of an entry in its name and systemd-bless-boot takes the count away: `a+3.conf` becomes
/// `a+2-1.conf`, then `a.conf`.
pub fn current_key(root: &Root, key: &str) -> String {
    let renamed = || {
        let path = Path::new(key.strip_prefix("file:")?);
        let recorded = path.file_name()?.to_str()?;
        if !boot::is_entry(path) || !recorded.contains('+') || root.exists(path) {
            return None;
        }
        let directory = path.parent()?;
        let names = root.list(directory).ok()?;
        let name = names
            .iter()
            .filter(|name| Path::new(name).extension().is_some_and(|e| e == "conf"))
            .find(|name| uncounted(name) == uncounted(recorded))?;
        Some(format!("file:{}", directory.join(name).display()))
    };
    renamed().unwrap_or_else(|| key.to_owned())
}

/// Whether a target belongs to the boot in which it was read: interrupt numbers and process ids are given anew.
pub fn of_one_boot(kind: &str, name: &str) -> bool {
    kind == "thread" || (name.starts_with("/proc/irq/") && name != "/proc/irq/default_smp_affinity")
}

/// The CPUs that a thread may use, if it is still the thread of that name.
fn thread_cpus(root: &Root, pid: u32, comm: &str) -> Option<String> {
    let status = root.read_text(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    (field("Name")? == comm).then(|| field("Cpus_allowed_list").map(str::to_owned))?
}

/// Moves a thread, if it is still the thread of that name.
pub fn move_thread(root: &Root, pid: u32, comm: &str, cpus: &str) -> Result<()> {
    if thread_cpus(root, pid, comm).is_none() {
        return Err(Error::new(
            Kind::Missing,
            format!("thread {pid} ({comm}) is gone"),
        ));
    }
    hftune_sys::sched::set_affinity(pid, &cpus.parse::<CpuSet>()?)
}
