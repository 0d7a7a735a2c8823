//! `hftune run`

use hftune_engine::launch::{Launch, launch};
use hftune_engine::run_check;
use hftune_model::run_check::judge;
use hftune_model::{Error, Kind, Result};
use hftune_report::run_check::{Checked, human, json};
use hftune_sys::Root;

use crate::args::{Cpus, Run};
use crate::{Answer, terminal};

pub(super) fn run(root: &Root, args: &Run) -> Result<Answer> {
    if let Some(process) = &args.check {
        return check(root, process, args.json);
    }
    // The parser lets it pass, since APP is there and conflicts with --check.
    if args.json {
        return Err(Error::new(
            Kind::Usage,
            "--json belongs to --check: an application prints what it likes",
        ));
    }
    if !root.is_live() {
        return Err(Error::new(
            Kind::Usage,
            "no program is started for a directory tree",
        ));
    }
    let asked = Launch {
        cpus: match &args.cpus {
            Cpus::Auto => None,
            Cpus::List(list) => Some(list.clone()),
        },
        cpu_per_thread: args.cpu_per_thread,
        priority: args.priority,
        vma: args.vma,
        environment: args.env.clone(),
        command: args.command.clone(),
    };
    Err(launch(root, &asked, |warning| {
        terminal::warn(&[warning.to_owned()]);
    }))
}

fn check(root: &Root, wanted: &str, as_json: bool) -> Result<Answer> {
    let (processes, isolated) = run_check::read(root, wanted)?;
    let checked: Vec<Checked> = processes
        .into_iter()
        .map(|process| Checked {
            faults: judge(&process, &isolated),
            process,
        })
        .collect();
    let code = if checked.iter().all(|c| c.faults.is_empty()) {
        0
    } else {
        3
    };
    let text = if as_json {
        json(&checked, &isolated)
    } else {
        human(&checked, &isolated, terminal::width())
    };
    Ok(Answer::ok(text).code(code))
}
