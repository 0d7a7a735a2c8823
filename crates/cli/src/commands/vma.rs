//! `hftune vma`

mod check;
mod configure;
mod install;
mod params;
mod stats;

use hftune_model::Result;
use hftune_model::finding::Verdict;
use hftune_report::transactions::setup as report;
use hftune_report::verify;
use hftune_sys::Root;

use super::part::Done;
use crate::args::Vma;
use crate::{Answer, terminal};

pub(super) fn run(root: &Root, command: &Vma) -> Result<Answer> {
    match command {
        Vma::Install { consent, output } => install::run(root, consent.yes, output.json),
        Vma::Configure {
            ports,
            consent,
            output,
        } => configure::run(root, ports, consent.yes, output.json),
        Vma::Check { output } => check::run(root, output.json),
        Vma::Params { name, output } => params::run(name.as_deref(), output.json),
        Vma::Stats { process, output } => stats::run(root, process.as_deref(), output.json),
    }
}

/// What was done and what is not as desired, then what comes next.
fn answer(made: &Done, json: bool, next: &str) -> Answer {
    let code = match (&made.failure, verify::exit_code(&made.findings)) {
        (Some(_), _) => 1,
        (None, code) => code,
    };
    let text = if json {
        hftune_report::to_json(&made.result)
    } else {
        let width = terminal::width();
        let open: Vec<_> = made
            .findings
            .iter()
            .filter(|f| !matches!(f.verdict, Verdict::Ok | Verdict::NotApplicable))
            .cloned()
            .collect();
        let mut text = report(&made.result, &made.not_made, width);
        text.push('\n');
        text.push_str(&verify::human(
            &verify::Verified {
                profile: &made.profile,
                all: &made.findings,
                shown: &open,
                notes: &[],
            },
            width,
        ));
        if code == 0 {
            text.push_str(next);
        }
        text
    };
    if let Some(e) = &made.failure {
        terminal::error(e);
    }
    Answer::ok(text).code(code)
}
