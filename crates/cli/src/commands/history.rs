//! `hftune history`

use hftune_engine::journal;
use hftune_model::Result;
use hftune_model::transaction::Status;
use hftune_report::transactions::{history, history_json};
use hftune_sys::Root;

use crate::{Answer, terminal};

/// Exit code where something is in force and it was asked for that: a package asks before its binary goes.
const IN_FORCE: u8 = 3;

pub(super) fn run(root: &Root, in_force: bool, json: bool) -> Result<Answer> {
    let mut transactions = journal::read_all(root)?;
    if in_force {
        transactions.retain(|t| t.status != Status::RolledBack);
    }
    let code = if in_force && !transactions.is_empty() {
        IN_FORCE
    } else {
        0
    };
    let answer = Answer::ok(if json {
        history_json(&transactions)
    } else if in_force && transactions.is_empty() {
        "No change of hftune is in force on this host.\n".to_owned()
    } else {
        let mut text = history(&transactions);
        if let Some(cut_off) = journal::cut_off(&transactions) {
            text.push_str(&hftune_report::text::indented(
                &format!("\n{cut_off}."),
                0,
                terminal::width(),
            ));
        }
        text
    });
    Ok(answer.code(code))
}
