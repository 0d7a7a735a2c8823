//! `hftune vma check`

use hftune_engine::vma_check;
use hftune_model::Result;
use hftune_report::vma_check::{faults, human, json as as_json};
use hftune_sys::Root;

use crate::{Answer, terminal};

pub(super) fn run(root: &Root, json: bool) -> Result<Answer> {
    let diagnoses = vma_check::run(root)?;
    let code = if faults(&diagnoses) == 0 { 0 } else { 3 };
    let text = if json {
        as_json(&diagnoses)
    } else {
        human(&diagnoses, terminal::width())
    };
    Ok(Answer::ok(text).code(code))
}
