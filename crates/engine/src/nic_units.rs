//! The units of tuned ports, as `nic watch` has them run again.

use std::path::Path;

use hftune_domains::nic::unit_name;
use hftune_model::Result;
use hftune_model::names::IfName;
use hftune_sys::{Root, exec};

use crate::target::unit_active;
use crate::units::SYSTEMCTL;

/// Has the unit of a port run again, where it is active: one that an operator stopped stays so, and a port that is not
/// tuned has none.
pub fn run_again(root: &Root, port: &IfName) -> Result<()> {
    let unit = unit_name(port.as_str());
    if !unit_active(root, &unit) {
        return Ok(());
    }
    exec::run_ok(
        Path::new(SYSTEMCTL),
        &[
            "--no-ask-password",
            "--no-block",
            "try-restart",
            "--",
            &unit,
        ],
    )
    .map(drop)
}
