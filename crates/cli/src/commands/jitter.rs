//! `hftune jitter`

use hftune_measure::jitter::{self, Options};
use hftune_measure::pass::Wanted;
use hftune_model::{Error, Kind, Result};
use hftune_report::jitter::{human, json};
use hftune_sys::Root;

use crate::args::Jitter;
use crate::{Answer, terminal};

pub(super) fn run(root: &Root, args: &Jitter) -> Result<Answer> {
    if !root.is_live() {
        return Err(Error::new(
            Kind::Usage,
            "jitter measures this machine, not a directory tree",
        )
        .hint("leave --root out"));
    }
    let cpus = match &args.cpus {
        Some(cpus) => cpus.clone(),
        None => jitter::default_cpus(root)?,
    };
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
