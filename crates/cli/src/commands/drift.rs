//! `hftune drift`

use std::fmt::Write as _;
use std::time::Instant;

use hftune_engine::drift;
use hftune_engine::in_force::{Choices, Watch};
use hftune_engine::machine::{Machine, of_drift};
use hftune_engine::{journal, units};
use hftune_model::profile::textfile_dir;
use hftune_model::{Error, Result};
use hftune_report::drift::{Level, Open, Status, human, lines};
use hftune_report::transactions::setup as report;
use hftune_report::verify::{self, Occasion, Since, Verified, counts, exit_code};
use hftune_sys::{Root, identity, time};

use super::part::{self, Part};
use super::setup::need_installed;
use crate::args::Drift;
use crate::{Answer, commands, terminal};

/// How often a run begins anew because a setup or a rollback was at work meanwhile.
const ATTEMPTS: usize = 5;

pub(super) fn run(root: &Root, command: &Drift) -> Result<Answer> {
    match command {
        Drift::Enable {
            textfile_dir,
            consent,
            output,
        } => change(
            root,
            true,
            textfile_dir.as_deref(),
            consent.yes,
            output.json,
        ),
        Drift::Disable { consent, output } => change(root, false, None, consent.yes, output.json),
        Drift::Status { output } => status(root, output.json),
        Drift::Check { textfile_dir } => check(root, textfile_dir.as_deref()),
    }
}

fn change(root: &Root, enabled: bool, dir: Option<&str>, yes: bool, json: bool) -> Result<Answer> {
    let (command, schema) = if enabled {
        ("drift enable", "hftune/drift-enable/1")
    } else {
        ("drift disable", "hftune/drift-disable/1")
    };
    commands::need_root(root, command)?;
    textfile_dir(dir.unwrap_or_default())?;
    if enabled {
        need_installed(root)?;
    }
    let choices = Choices {
        drift: Some(Watch {
            enabled,
            textfile_dir: dir.map(str::to_owned),
        }),
        ..Choices::default()
    };
    let made = part::run(
        root,
        Part {
            command,
            schema,
            choices,
            yes,
            plan: &|machine, transactions| machine.plan_drift(transactions),
            is_of: &of_drift,
        },
    )?;
    let Some(made) = made else {
        return Ok(part::declined());
    };
    let code = if made.failure.is_some() {
        1
    } else {
        exit_code(&made.findings)
    };
    if let Some(e) = &made.failure {
        terminal::error(e);
    }
    if json {
        return Ok(Answer::ok(hftune_report::to_json(&made.result)).code(code));
    }
    let mut text = report(&made.result, &made.not_made, terminal::width());
    if code == 0 {
        text.push_str(if enabled {
            "\nWhat changes is told in the journal: journalctl -u hftune-verify. hftune drift status tells how it stands.\n"
        } else {
            "\nNobody watches for drift any more.\n"
        });
    }
    Ok(Answer::ok(text).code(code))
}

fn status(root: &Root, json: bool) -> Result<Answer> {
    let (last, warning) = drift::last(root)?;
    terminal::warn(&Vec::from_iter(warning));
    let enabled = drift::is_enabled(root);
    let (textfile, last_run, open) = match &last {
        Some(state) => {
            let open = state
                .settings
                .iter()
                .filter(|(_, seen)| seen.verdict.is_finding())
                .map(|(id, seen)| Open {
                    id: id.clone(),
                    verdict: seen.verdict,
                    value: seen.value.clone(),
                    since: time::utc(seen.since),
                })
                .collect();
            (state.textfile.clone(), Some(state.time), open)
        }
        None => (drift::textfile(root, None), None, Vec::new()),
    };
    let status = Status {
        schema: Status::SCHEMA,
        enabled,
        active: units::available(root).then(drift::is_active),
        last_run: last_run.map(time::utc),
        last_run_seconds: last_run,
        textfile,
        open,
    };
    Ok(Answer::ok(if json {
        hftune_report::to_json(&status)
    } else {
        human(&status, terminal::width())
    }))
}

/// What hftune-verify.service runs.
fn check(root: &Root, dir: Option<&str>) -> Result<Answer> {
    commands::need_root(root, "drift check")?;
    textfile_dir(dir.unwrap_or_default())?;
    drift::need_enabled(root)?;
    for _ in 0..ATTEMPTS {
        // A setup in the middle of its changes is waited for; none is held up while this one reads.
        let transactions = {
            let _lock = commands::wait_for_lock(root, "drift check")?;
            journal::read_all(root)?
        };
        let started = Instant::now();
        let (told, began) = (time::now(), time::unix());
        let machine = Machine::read(root, drift::choices(root)?)?;
        terminal::warn(&machine.warnings);
        let desired = machine.desired();
        let (findings, _) = machine.verify()?;
        let took = started.elapsed().as_secs_f64();

        let _lock = commands::wait_for_lock(root, "drift check")?;
        if !drift::same_journal(&transactions, root)? {
            continue;
        }
        drift::need_enabled(root)?;
        let (last, warning) = drift::last(root)?;
        terminal::warn(&Vec::from_iter(warning));
        let textfile = drift::textfile(root, dir);
        let (state, changes) = drift::compare(
            &machine,
            &desired,
            &findings,
            &transactions,
            last.as_ref(),
            began,
            textfile,
        );
        drift::keep(root, &state)?;
        let since: Vec<Since> = state
            .settings
            .iter()
            .filter(|(_, seen)| seen.verdict.is_finding())
            .map(|(id, seen)| Since {
                id: id.clone(),
                seconds: seen.since,
            })
            .collect();
        let metrics = verify::prometheus(
            &Verified {
                profile: &machine.resolved.profile.name,
                all: &findings,
                shown: &findings,
                notes: &[],
            },
            &Occasion {
                version: env!("CARGO_PKG_VERSION"),
                host: "",
                time: &told,
                began,
                took,
            },
            &since,
        );
        let mut told = lines(&changes, last.is_none(), &counts(&findings));
        let mut code = exit_code(&findings);
        if let Err(e) = drift::write_metrics(root, &state.textfile, &metrics) {
            told.push((
                Level::Error,
                format!("the metrics are not written: {}", e.in_one_line()),
            ));
            code = 1;
        }
        return Ok(Answer::ok(text(&told)).code(code));
    }
    Err(Error::new(
        hftune_model::Kind::Busy,
        "setups or rollbacks were at work all the time, so that nothing could be compared",
    )
    .hint("systemctl start hftune-verify.service, when they are done"))
}

/// A line each; where systemd reads them, with how grave it is.
fn text(lines: &[(Level, String)]) -> String {
    let prefixed = identity::writes_to_journal();
    let mut text = String::new();
    for (level, line) in lines {
        let prefix = if prefixed { level.prefix() } else { "" };
        let _ = writeln!(text, "{prefix}{line}");
    }
    text
}
