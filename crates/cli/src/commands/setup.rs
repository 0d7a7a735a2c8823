//! `hftune setup`

use std::time::Duration;

use hftune_engine::installed;
use hftune_engine::machine::Machine;
use hftune_engine::{apply, confirm, cut_links, journal};
use hftune_model::finding::{Finding, Proof, Verdict};
use hftune_model::plan::{Plan, Step};
use hftune_model::setting::Artifact;
use hftune_model::transaction::After;
use hftune_model::{Error, Kind, Result};
use hftune_report::transactions::{NotDone, Setup, setup as report};
use hftune_report::verify::{Verified, exit_code};
use hftune_sys::Root;

use crate::args::ChoiceArgs;
use crate::terminal::{self, Progress};
use crate::{Answer, commands};

pub(super) fn run(
    root: &Root,
    args: &ChoiceArgs,
    confirm_within: Option<Duration>,
    yes: bool,
    json: bool,
) -> Result<Answer> {
    commands::need_root(root, "setup")?;
    let _lock = commands::lock(root, "setup")?;
    confirm::refuse_while_pending(root)?;
    let choices = args.choices()?;
    let transactions = journal::read_all(root)?;
    let machine = Machine::read(root, choices.clone())?;
    need_installed(root)?;
    let mut plan = machine.plan(&transactions)?;
    if let Some(within) = confirm_within
        && !plan.steps.is_empty()
    {
        confirm::add(root, &mut plan, within, &machine.binary)?;
    }
    let mut result = begun("hftune/setup/1", &plan);
    let mut failure = None;
    let mut not_made = Vec::new();
    if plan.steps.is_empty() || yes {
        // Otherwise the plan that is shown tells them.
        terminal::warn(&cut_links::warnings(&plan.steps, &machine.host.nics));
        terminal::warn(&machine.warnings);
    }
    if !plan.steps.is_empty() {
        if !yes {
            terminal::show(&hftune_report::plan::human(&plan, terminal::width()));
            if !terminal::consent("Make these changes?")? {
                return Ok(Answer::ok("Nothing was changed.\n").code(3));
            }
        }
        let applied = {
            let progress = Progress::new(plan.steps.len());
            apply::apply(
                root,
                &plan,
                machine.host.kernel.boot_id.as_deref(),
                |number, step| {
                    progress.step(number, &describe(step));
                },
            )?
        };
        not_made = note(&mut result, &plan, &applied);
        failure = applied.failure;
    }
    drop(machine);

    // What is there now is read afresh: a setting is done when it is proved, not when it was written.
    let after = Machine::read(root, choices)?;
    let (findings, _) = after.verify()?;
    not_made.extend(unproved(&mut result, &findings));
    // Arguments that were put back are no setting of the profile any more; the running kernel still has them.
    result.reboot_required =
        plan.needs_reboot() || findings.iter().any(|f| f.verdict == Verdict::RebootPending);
    let code = match exit_code(&findings) {
        _ if failure.is_some() => 1,
        0 if result.reboot_required => 4,
        code => code,
    };
    let text = if json {
        hftune_report::to_json(&result)
    } else {
        let open: Vec<_> = findings
            .iter()
            .filter(|f| {
                !matches!(
                    f.verdict,
                    Verdict::Ok | Verdict::NotApplicable | Verdict::RebootPending
                )
            })
            .cloned()
            .collect();
        let width = terminal::width();
        format!(
            "{}\n{}",
            report(&result, &not_made, width),
            hftune_report::verify::human(
                &Verified {
                    profile: &after.resolved.profile.name,
                    all: &findings,
                    shown: &open,
                    // They were in the plan.
                    notes: &[],
                },
                width
            )
        )
    };
    if let Some(e) = &failure {
        terminal::error(e);
    }
    if let Some(until) = confirm::pending(root)? {
        terminal::warn(&[format!(
            "this setup undoes itself at {until}: hftune confirm keeps it"
        )]);
    }
    Ok(Answer::ok(text).code(code))
}

/// The result of a plan of which nothing is done yet.
pub(super) fn begun(schema: &'static str, plan: &Plan) -> Setup {
    let skipped = plan.skipped.iter().map(|skipped| NotDone {
        id: skipped.id.clone(),
        reason: skipped.reason.clone(),
    });
    Setup {
        schema,
        transaction: None,
        changed: Vec::new(),
        not_changed: skipped.collect(),
        reboot_required: false,
    }
}

/// Units call the installed binary, as root: nobody else may be able to change it.
pub(super) fn need_installed(root: &Root) -> Result<()> {
    if !root.is_live() {
        return Ok(());
    }
    if let Some(path) = installed::binary(root) {
        // What a link leads to is for whoever made the link to protect.
        let metadata = root.metadata(&path).ok().flatten();
        if metadata.is_some_and(|of| of.uid != 0 || of.mode & 0o022 != 0) {
            return Err(
                Error::invalid("units run it as root, and others than root may change it")
                    .at(&path)
                    .hint(format!(
                        "chown root:root {0}; chmod 755 {0}",
                        path.display()
                    )),
            );
        }
    } else {
        return Err(Error::new(
            Kind::Missing,
            "the units that hftune writes call /usr/local/bin/hftune, and no hftune is installed there",
        )
        .hint("install -m 755 hftune /usr/local/bin/hftune"));
    }
    Ok(())
}

/// Notes which changes were made; returns what was not made as asked.
pub(super) fn note(result: &mut Setup, plan: &Plan, applied: &apply::Applied) -> Vec<NotDone> {
    result.transaction = Some(applied.transaction.clone());
    let mut not_made: Vec<NotDone> = applied
        .not_made
        .iter()
        .flat_map(|(ids, reason)| {
            ids.iter().map(move |id| NotDone {
                id: id.clone(),
                reason: reason.clone(),
            })
        })
        .collect();
    // What an apply that stopped did not come to was not changed, even where other steps of the change were taken.
    for id in &applied.not_reached {
        if not_made.iter().all(|known| known.id != *id) {
            not_made.push(NotDone {
                id: id.clone(),
                reason: "the apply stopped before it".to_owned(),
            });
        }
    }
    let failed = |id: &str| not_made.iter().any(|not| not.id == id);
    result.changed = plan
        .changes
        .iter()
        .filter(|change| !failed(&change.id))
        .cloned()
        .collect();
    result.not_changed.extend(not_made.iter().cloned());
    not_made
}

/// What was made and is not there when it is read again, as where a program ends well and its output lacks what it was to
/// hold, was not changed.
pub(super) fn unproved(result: &mut Setup, findings: &[Finding]) -> Vec<NotDone> {
    let lacking = findings
        .iter()
        .filter(|finding| matches!(finding.saved, Proof::Differs(_)));
    let mut unproved = Vec::new();
    for finding in lacking {
        if let Some(at) = result.changed.iter().position(|c| c.id == finding.id) {
            result.changed.remove(at);
            unproved.push(NotDone {
                id: finding.id.clone(),
                reason: finding.reason.clone(),
            });
        }
    }
    result.not_changed.extend(unproved.iter().cloned());
    unproved
}

pub(super) fn describe(step: &Step) -> String {
    match &step.after {
        After::Set(Artifact::Made { program, .. }) => format!("what {} makes", program.display()),
        After::Set(Artifact::Arguments { program, .. }) => {
            format!("running {}", program.display())
        }
        After::Set(Artifact::Packages { names }) => format!("installing {}", names.join(" ")),
        After::Set(artifact) => artifact.target(),
        After::Restore { target, .. } => format!("putting back {target}"),
    }
}
