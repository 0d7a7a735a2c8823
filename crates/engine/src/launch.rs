//! `hftune run`: this process becomes the application, on its CPUs, with its priority, its memory and its environment.
//!
//! A handful of files is read, and nothing is started: what costs time here costs it at every start of every application.

mod cpus;
mod environment;
mod per_thread;
mod vma;

use std::ffi::OsString;
use std::path::Path;

use hftune_model::{CpuSet, Error, Kind, Result};
use hftune_sys::{Root, program, rlimit, sched, watcher};

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    /// The CPUs; `None` for the isolated ones of this host.
    pub cpus: Option<CpuSet>,
    /// Whether each thread gets a CPU of its own.
    pub cpu_per_thread: bool,
    /// `SCHED_FIFO` with this priority, 1 to 99; 0 is the usual scheduling.
    pub priority: u8,
    /// Whether libvma is loaded.
    pub vma: bool,
    /// Variables and values.
    pub environment: Vec<(String, String)>,
    /// The program and its arguments.
    pub command: Vec<OsString>,
}

/// The priority below that of the kernel's interrupt threads, which have 50 (`request_threaded_irq()`, kernel/irq/manage.c).
pub const DEFAULT_PRIORITY: u8 = 49;

/// Becomes the application. `warn` is told what the operator should know. Returns only where that fails.
pub fn launch(root: &Root, launch: &Launch, mut warn: impl FnMut(&str)) -> Error {
    match prepare(root, launch, &mut warn) {
        Ok((program, environment)) => {
            let (name, args) = launch
                .command
                .split_first()
                .expect("the command line has a program");
            program::execute(&program, name, args, &environment)
        }
        Err(e) => e,
    }
}

type Environment = Vec<(OsString, OsString)>;

/// Everything up to the program itself. What can be refused is refused before anything of this process is changed.
fn prepare(
    root: &Root,
    launch: &Launch,
    warn: &mut impl FnMut(&str),
) -> Result<(program::Program, Environment)> {
    let name = launch.command.first().ok_or_else(|| {
        Error::new(Kind::Usage, "no program is given").hint("hftune run -- APP ARGS")
    })?;
    let program = program::find(name)?;
    let chosen = cpus::choose(root, launch.cpus.as_ref())?;
    let library = if launch.vma {
        vma::check(root, &program, warn)?
    } else {
        None
    };
    let environment = environment::of(root, launch, library.as_deref())?;
    warn_of_cpus(launch, &chosen, warn);
    warn_of_priority(root, launch.priority, warn);

    if launch.vma {
        vma::limits(warn)?;
    } else {
        rlimit::raise_memlock();
    }
    if let Some(node) = chosen.node {
        sched::prefer_node(node)?;
    }
    if launch.cpu_per_thread {
        // Before the priority: the watcher is no real-time process.
        let mut pins = per_thread::Pins::new(&chosen.cpus);
        let away = chosen.online.difference(&chosen.cpus);
        watcher::beside(move |pid| pins.look(pid, &away))?;
    }
    sched::set_affinity(0, &chosen.cpus).map_err(|e| not_allowed(e, &chosen.cpus))?;
    if launch.cpu_per_thread
        && let Some(first) = chosen.cpus.first()
    {
        sched::set_affinity(0, &std::iter::once(first).collect())?;
    }
    // Its absence is inherited, too: a real-time shell starts no application of the usual kind.
    sched::set_priority(launch.priority).map_err(|e| not_permitted(e, launch.priority))?;
    Ok((program, environment))
}

fn warn_of_cpus(launch: &Launch, chosen: &cpus::Chosen, warn: &mut impl FnMut(&str)) {
    let shared = chosen.cpus.difference(&chosen.isolated);
    if !shared.is_empty() {
        warn(&format!(
            "CPU {shared} is not isolated: the OS and interrupts run there too (hftune setup isolates CPUs)"
        ));
    }
    if !launch.cpu_per_thread && chosen.cpus.intersection(&chosen.isolated).len() > 1 {
        warn(
            "isolated CPUs balance nothing: threads that do not choose a CPU themselves all stay on one of them; \
             --cpu-per-thread gives each its own",
        );
    }
}

fn warn_of_priority(root: &Root, priority: u8, warn: &mut impl FnMut(&str)) {
    match priority {
        0 => return,
        99 => warn(
            "priority 99 is that of the kernel's own migration and stop threads: a loop that never sleeps holds them up; 49 is enough \
             on an isolated CPU",
        ),
        50..=98 => warn(
            "priority 50 and above holds up the kernel's interrupt threads, which have 50: 49 is enough on an isolated CPU",
        ),
        _ => {}
    }
    let runtime = root
        .read_text("/proc/sys/kernel/sched_rt_runtime_us")
        .unwrap_or_default();
    if runtime
        .trim()
        .parse::<i64>()
        .is_ok_and(|runtime| runtime >= 0)
    {
        warn(
            "the kernel stops real-time threads for a part of each second (kernel.sched_rt_runtime_us): hftune setup turns that off",
        );
    }
}

/// EINVAL: none of the CPUs is in the cpuset of this process (sched_setaffinity(2)).
fn not_allowed(e: Error, cpus: &CpuSet) -> Error {
    Error {
        what: format!("it may not run on CPU {cpus}: {}", e.what),
        hint: Some(
            "this process is confined by a cpuset; start it from a login or a unit that is not"
                .to_owned(),
        ),
        ..e
    }
}

fn not_permitted(e: Error, priority: u8) -> Error {
    if e.kind != Kind::NeedsRoot {
        return e;
    }
    Error {
        what: format!("this user may not take real-time priority {priority}"),
        path: None,
        hint: Some(
            "run it as root, or raise rtprio: hftune setup does for logins, LimitRTPRIO= for units; --priority 0 does without".to_owned(),
        ),
        ..e
    }
}

/// The first of some files that is there.
fn first_of<'p>(root: &Root, paths: impl IntoIterator<Item = &'p Path>) -> Option<&'p Path> {
    paths.into_iter().find(|path| root.exists(path))
}
