//! `hftune plan`

use hftune_engine::journal;
use hftune_engine::machine::Machine;
use hftune_model::Result;
use hftune_sys::Root;

use crate::args::ChoiceArgs;
use crate::{Answer, terminal};

pub(super) fn run(root: &Root, choices: &ChoiceArgs, json: bool) -> Result<Answer> {
    let machine = Machine::read(root, choices.choices()?)?;
    // Without root the journal cannot be read; the plan is then made as if nothing had been done before.
    let transactions = journal::read_all_permitted(root)?;
    let plan = machine.plan(&transactions)?;
    let code = if plan.steps.is_empty() { 0 } else { 3 };
    let text = if json {
        hftune_report::plan::json(&plan)
    } else {
        let mut text = hftune_report::plan::human(&plan, terminal::width());
        match code {
            3 if root.is_captured() => {
                text.push_str("Make these changes on that machine with: hftune setup\n");
            }
            3 => text.push_str("Make these changes with: hftune setup\n"),
            _ => {}
        }
        text
    };
    Ok(Answer::ok(text).code(code))
}
