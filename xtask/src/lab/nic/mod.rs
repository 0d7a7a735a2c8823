//! Scenario `nic`: network ports of four drivers.
//!
//! Debian's `ethtool` is the judge of every value. No rate is judged, so no instructions are counted.

mod ethtool_text;
mod guest_ports;
mod show;
mod show_text;

use super::image::Image;
use super::machine::Clock;
use super::ports::Ports;
use super::scenario::Scenario;
use super::steps::{self, hftune};
use crate::progress::say;
use anyhow::Result;
use guest_ports::GuestPorts;
use std::path::Path;

/// Runs the scenario with `binary`; true when every assertion held.
pub fn run(image: &Image, binary: &Path, logs: &Path) -> Result<bool> {
    let mut scenario = Scenario::boot(image, logs, Clock::Host, Ports::WithVirtio)?;
    steps::install(&scenario, binary)?;
    let ports = GuestPorts::find(&scenario)?;
    several_queues(&mut scenario, &ports)?;
    agreement(&mut scenario, &ports, "stock")?;
    scenario.finish()
}

/// Asserts that the virtio port has the queues that the machine was given.
fn several_queues(scenario: &mut Scenario, ports: &GuestPorts) -> Result<()> {
    let (name, card) = ports.of_model("virtio-net-pci")?;
    let line = format!("ls -d /sys/class/net/{name}/queues/rx-* | wc -l");
    let queues = scenario.control().read(&line)?;
    scenario.checks.equal(
        format!("{name}: receive queues of the virtio port"),
        queues.trim(),
        &card.queues().to_string(),
    );
    if card.queues() == 1 {
        scenario
            .checks
            .note("several queues of virtio are NOT TESTED here: there is no tap for them");
    }
    Ok(())
}

/// Asserts that hftune and ethtool say the same of the ports, line by line.
fn agreement(scenario: &mut Scenario, ports: &GuestPorts, when: &str) -> Result<()> {
    say("hftune nic show, against ethtool");
    let answer = hftune(scenario, &format!("nic show --json {}", ports.line()))?;
    let Some(report) = steps::json(&mut scenario.checks, "nic show --json", &answer) else {
        return Ok(());
    };
    let told = ethtool_text::ask(scenario.control(), &ports.line())?;
    match show::ports(&report) {
        Ok(shown) => scenario.checks.same(
            format!("{when}: hftune nic show --json, against every line of ethtool"),
            &told,
            &shown,
        ),
        Err(error) => scenario.checks.that(
            format!("{when}: hftune nic show tells all"),
            false,
            "every value",
            format!("{error:#}"),
        ),
    }
    let answer = hftune(scenario, &format!("nic show {}", ports.line()))?;
    scenario.checks.same(
        format!("{when}: every line of hftune nic show, against ethtool"),
        &show_text::right(&told, &ports.names()),
        &show_text::printed(&answer.stdout)?,
    );
    Ok(())
}
