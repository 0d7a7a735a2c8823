//! `hftune quiet`

use hftune_measure::{cpus, quiet};
use hftune_model::Result;
use hftune_report::quiet::{exit_code, human, json};
use hftune_sys::Root;

use super::{cpus_or_default, need_this_machine};
use crate::args::Quiet;
use crate::{Answer, terminal};

pub(super) fn run(root: &Root, args: &Quiet) -> Result<Answer> {
    need_this_machine(root, "quiet watches")?;
    let cpus = cpus_or_default(root, args.cpus.as_ref())?;
    cpus::check(root, &cpus)?;
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
