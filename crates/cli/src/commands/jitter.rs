//! `hftune jitter`

use hftune_measure::jitter::{self, Options};
use hftune_measure::pass::Wanted;
use hftune_model::Result;
use hftune_report::jitter::{human, json};
use hftune_sys::Root;

use super::{cpus_or_default, need_this_machine};
use crate::args::Jitter;
use crate::{Answer, terminal};

pub(super) fn run(root: &Root, args: &Jitter) -> Result<Answer> {
    need_this_machine(root, "jitter measures")?;
    let cpus = cpus_or_default(root, args.cpus.as_ref())?;
    let options = Options {
        wanted: Wanted {
            cpus,
            duration: args.duration,
            threshold: args.threshold,
        },
        traced: !args.no_trace,
    };
    let result = jitter::run(root, &options, terminal::progress)?;
    terminal::warn(&result.warnings);
    Ok(Answer::ok(if args.output.json {
        json(&result)
    } else {
        human(&result, terminal::width())
    }))
}
