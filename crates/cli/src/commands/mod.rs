//! One file per command.

mod confirm;
mod drift;
mod explain;
mod export;
mod history;
mod host;
mod import;
mod irq;
mod jitter;
mod live;
mod netlat;
mod nic;
mod nic_tune;
mod nic_watch;
mod part;
mod plan;
mod profile;
mod quiet;
mod report;
mod rollback;
mod run;
mod setup;
mod verify;
mod vma;
mod watch;

use std::path::Path;

use hftune_engine::capture;
use hftune_engine::in_force::Choices;
use hftune_engine::{journal, profile as profiles};
use hftune_measure::cpus;
use hftune_model::{CpuSet, Error, Kind, Result};
use hftune_sys::lock::Lock;
use hftune_sys::write::Metadata;
use hftune_sys::{Root, identity};

use crate::Answer;
use crate::args::{Args, ChoiceArgs, Command};

/// Runs the command of the command line.
pub(crate) fn run(args: &Args) -> Result<Answer> {
    let root = match (&args.root, args.command.from()) {
        (Some(_), Some(_)) => {
            return Err(
                Error::new(Kind::Usage, "--root and --from name two machines")
                    .hint("leave one of them out"),
            );
        }
        (Some(dir), None) => Root::tree(dir)?,
        (None, Some(from)) => capture::open(from)?,
        (None, None) => Root::live(),
    };
    match &args.command {
        Command::Host(args) => host::run(root, args),
        Command::Plan {
            choices, output, ..
        } => plan::run(&root, choices, output.json),
        Command::Setup {
            choices,
            confirm_within,
            consent,
            output,
        } => setup::run(&root, choices, *confirm_within, consent.yes, output.json),
        Command::Confirm => confirm::run(&root),
        Command::Verify(args) => verify::run(&root, args),
        Command::Rollback(args) => rollback::run(&root, args),
        Command::History { in_force, output } => history::run(&root, *in_force, output.json),
        Command::Explain { id, output } => explain::run(&root, id.as_deref(), output.json),
        Command::Irq { command } => irq::run(&root, command),
        Command::Drift { command } => drift::run(&root, command),
        Command::Nic { command } => nic::run(&root, command),
        Command::Run(args) => run::run(&root, args),
        Command::Jitter(args) => jitter::run(&root, args),
        Command::Quiet(args) => quiet::run(&root, args),
        Command::Watch(args) => watch::run(&root, args),
        Command::Netlat(args) => netlat::run(&root, args),
        Command::Report(report) => report::run(&root, report, args.root.as_deref()),
        Command::Vma { command } => vma::run(&root, command),
        Command::Export(args) => export::run(&root, args),
        Command::Import(args) => import::run(&root, args),
        Command::Profile { command } => profile::run(&root, command),
        Command::Live { domains } => live::run(&root, domains),
    }
}

impl ChoiceArgs {
    /// As the engine takes them. A relative profile path is made absolute, since later commands use it again.
    fn choices(&self) -> Result<Choices> {
        let profile = self
            .profile
            .as_deref()
            .map(|path| {
                if profiles::is_built_in(path) {
                    return Ok(path.to_owned());
                }
                std::path::absolute(path).map_err(|e| Error::io("find it", path, &e))
            })
            .transpose()?;
        Ok(Choices {
            profile,
            housekeeping: self.housekeeping.clone(),
            force: self.force,
            ..Choices::default()
        })
    }
}

/// Commands that change this machine need root; in a tree the file permissions decide.
fn need_root(root: &Root, doing: &str) -> Result<()> {
    if root.is_live() && !identity::is_root() {
        return Err(Error::new(Kind::NeedsRoot, format!("{doing} needs root"))
            .hint(format!("sudo hftune {doing}")));
    }
    Ok(())
}

/// Commands that look at what happens now have nothing to look at in a directory tree.
fn need_this_machine(root: &Root, does: &str) -> Result<()> {
    if root.is_live() {
        return Ok(());
    }
    let what = format!("{does} this machine, not a directory tree");
    Err(Error::new(Kind::Usage, what).hint("leave --root out"))
}

/// What the machine is called; empty where that is not known: not every capture has it.
fn hostname(root: &Root) -> String {
    let name = root.read_text("/proc/sys/kernel/hostname");
    name.unwrap_or_default().trim().to_owned()
}

/// The CPUs that are named, or those that are measured where none are.
fn cpus_or_default(root: &Root, given: Option<&CpuSet>) -> Result<CpuSet> {
    given.map_or_else(|| cpus::default_cpus(root), |cpus| Ok(cpus.clone()))
}

/// Replaces or makes a file that a command was asked for; it belongs to whoever runs the command.
fn write_output(here: &Root, path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let (uid, gid) = identity::owner();
    let metadata = Metadata {
        mode,
        uid,
        gid,
        xattrs: Vec::new(),
    };
    here.write_atomic(path, bytes, &metadata)
}

/// The one lock of all commands that change something.
fn lock(root: &Root, purpose: &str) -> Result<Lock> {
    root.make_dirs(journal::STATE, 0o755)?;
    Lock::take(root, &Path::new(journal::STATE).join("lock"), purpose)
}

/// The same, where nobody is there who could run the command again.
fn wait_for_lock(root: &Root, purpose: &str) -> Result<Lock> {
    root.make_dirs(journal::STATE, 0o755)?;
    Lock::wait(root, &Path::new(journal::STATE).join("lock"), purpose)
}
