//! Scenario `stock`: proves the lab itself. A stock guest that is only rebooted must come back unchanged, and its timer
//! interrupts must have the rate that its kernel was built for.

use super::image::Image;
use super::machine::Clock;
use super::ports::Ports;
use super::scenario::Scenario;
use anyhow::Result;
use std::path::Path;

/// Runs the scenario; true when every assertion held.
pub fn run(image: &Image, logs: &Path) -> Result<bool> {
    let mut scenario = Scenario::boot(image, logs, Clock::Instructions, Ports::OfEveryScenario)?;
    let before = scenario.record()?;
    scenario.stock_timer_rate("stock")?;
    scenario.reboot("stock again")?;
    let after = scenario.record()?;
    scenario.checks.same(
        "files under /etc, /boot and /usr/local after a reboot",
        &before.files,
        &after.files,
    );
    scenario
        .checks
        .same("live values after a reboot", &before.live, &after.live);
    scenario.finish()
}
