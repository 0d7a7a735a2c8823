//! `hftune history`

use hftune_engine::journal;
use hftune_model::Result;
use hftune_report::transactions::{history, history_json};
use hftune_sys::Root;

use crate::{Answer, terminal};

pub(super) fn run(root: &Root, json: bool) -> Result<Answer> {
    let transactions = journal::read_all(root)?;
    Ok(Answer::ok(if json {
        history_json(&transactions)
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
    }))
}
