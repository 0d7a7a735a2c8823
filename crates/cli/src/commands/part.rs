//! A part of a setup: the settings of one domain, planned, asked for, applied and proved.

use hftune_engine::in_force::Choices;
use hftune_engine::machine::Machine;
use hftune_engine::{apply, confirm, journal};
use hftune_model::finding::Finding;
use hftune_model::plan::Plan;
use hftune_model::transaction::Transaction;
use hftune_model::{Error, Result};
use hftune_report::transactions::{NotDone, Setup};
use hftune_sys::Root;

use super::setup::{begun, describe, note, unproved};
use crate::commands;
use crate::terminal::{self, Progress};

/// What is wanted.
pub(super) struct Part<'a> {
    /// The command, for the lock.
    pub command: &'a str,
    /// The form of the JSON object.
    pub schema: &'static str,
    /// The options.
    pub choices: Choices,
    /// Whether nobody is asked.
    pub yes: bool,
    /// Plans the part.
    pub plan: &'a dyn Fn(&Machine<'_>, &[Transaction]) -> Result<Plan>,
    /// Whether a setting is of the part.
    pub is_of: &'a dyn Fn(&str) -> bool,
}

/// What became of it.
pub(super) struct Done {
    /// What was changed and what was not.
    pub result: Setup,
    /// What was not made as asked.
    pub not_made: Vec<NotDone>,
    /// The error that stopped it half way.
    pub failure: Option<Error>,
    /// The settings of the part, read afresh and judged.
    pub findings: Vec<Finding>,
    /// The name of the profile.
    pub profile: String,
}

/// Does it; `None` where the operator said no.
pub(super) fn run(root: &Root, part: Part<'_>) -> Result<Option<Done>> {
    let _lock = commands::lock(root, part.command)?;
    confirm::refuse_while_pending(root)?;
    let transactions = journal::read_all(root)?;
    let machine = Machine::read(root, part.choices.clone())?;
    let plan = (part.plan)(&machine, &transactions)?;
    let mut result = begun(part.schema, &plan);
    let mut not_made = Vec::new();
    let mut failure = None;
    if part.yes || plan.steps.is_empty() {
        terminal::warn(&plan.warnings);
    }
    if !plan.steps.is_empty() {
        if !part.yes {
            terminal::show(&hftune_report::plan::human(&plan, terminal::width()));
            if !terminal::consent("Make these changes?")? {
                return Ok(None);
            }
        }
        let boot_id = machine.host.kernel.boot_id.as_deref();
        let applied = {
            let progress = Progress::new(plan.steps.len());
            apply::apply(root, &plan, boot_id, |number, step| {
                progress.step(number, &describe(step));
            })?
        };
        not_made = note(&mut result, &plan, &applied);
        failure = applied.failure;
    }
    drop(machine);

    // What is there now is read afresh: a setting is done when it is proved, not when it was written.
    let after = Machine::read(root, part.choices)?;
    let (findings, _) = after.verify()?;
    let findings: Vec<Finding> = findings
        .into_iter()
        .filter(|finding| (part.is_of)(&finding.id))
        .collect();
    not_made.extend(unproved(&mut result, &findings));
    Ok(Some(Done {
        result,
        not_made,
        failure,
        findings,
        profile: after.resolved.profile.name.clone(),
    }))
}

/// The answer where the operator said no.
pub(super) fn declined() -> crate::Answer {
    crate::Answer::ok("Nothing was changed.\n").code(3)
}
