//! `hftune confirm`

use hftune_engine::confirm;
use hftune_model::Result;
use hftune_sys::Root;

use crate::{Answer, commands};

pub(super) fn run(root: &Root) -> Result<Answer> {
    commands::need_root(root, "confirm")?;
    let _lock = commands::lock(root, "confirm")?;
    Ok(Answer::ok(match confirm::confirm(root)? {
        Some(until) => {
            format!("Confirmed: the setup stays. It would have been undone at {until}.\n")
        }
        None => "No setup waits to be confirmed.\n".to_owned(),
    }))
}
