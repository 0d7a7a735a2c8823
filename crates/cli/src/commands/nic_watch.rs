//! `hftune nic watch`

use hftune_model::{Error, Kind, Result};
use hftune_sys::Root;

use crate::Answer;

pub(super) fn run(root: &Root) -> Result<Answer> {
    let _ = root;
    Err(Error::new(Kind::Usage, "not yet"))
}
