//! `hftune quiet`

use hftune_measure::{jitter, quiet};
use hftune_model::{Error, Kind, Result};
use hftune_report::quiet::{exit_code, human, json};
use hftune_sys::Root;

use crate::args::Quiet;
use crate::{Answer, terminal};

pub(super) fn run(root: &Root, args: &Quiet) -> Result<Answer> {
    if !root.is_live() {
        return Err(Error::new(
            Kind::Usage,
            "quiet watches this machine, not a directory tree",
        )
        .hint("leave --root out"));
    }
    let cpus = match &args.cpus {
        Some(cpus) => cpus.clone(),
        None => jitter::default_cpus(root)?,
    };
    jitter::check(root, &cpus)?;
    terminal::progress(&format!(
        "watching CPUs {cpus} for {} s",
        args.duration.as_secs()
    ));
    let found = quiet::watch(root, &cpus, args.duration)?;
    terminal::warn(&found.warnings);
    let text = if args.output.json {
        json(&found)
    } else {
        human(&found, terminal::width())
    };
    Ok(Answer::ok(text).code(exit_code(&found)))
}
