//! Scenario `nic`: network ports of four drivers, tuned, disturbed, renamed, unplugged, and given back as they were.
//!
//! Debian's `ethtool` is the judge of every value. No rate is judged, so no instructions are counted.

mod bad_names;
mod disturb;
mod ethtool_text;
mod expected;
mod guest_ports;
mod identity;
mod show;
mod show_text;
mod tune;
mod wait;

use super::image::Image;
use super::machine::Clock;
use super::ports::Ports;
use super::scenario::{Scenario, Stock};
use super::snapshot::Snapshot;
use super::steps::{self, hftune};
use crate::progress::say;
use anyhow::Result;
use guest_ports::GuestPorts;
use std::collections::BTreeMap;
use std::path::Path;
use wait::Wanted;

/// Runs the scenario with `binary`; true when every assertion held.
pub fn run(image: &Image, binary: &Path, logs: &Path) -> Result<bool> {
    let mut scenario = Scenario::boot(image, logs, Clock::Host, Ports::WithVirtio)?;
    steps::install(&scenario, binary)?;
    let ports = GuestPorts::find(&scenario)?;
    several_queues(&mut scenario, &ports)?;
    let stock = scenario.record()?;
    let before = ethtool_text::ask(scenario.control(), &ports.line())?;
    agreement(&mut scenario, &ports, "stock")?;

    steps::set_up(&mut scenario, &stock)?;
    let wanted = Wanted::new(expected::tuned(&before), &ports);
    tune::first(&mut scenario, &ports, &wanted)?;
    tune::second(&mut scenario, &ports)?;
    agreement(&mut scenario, &ports, "tuned")?;

    scenario.reboot("tuned")?;
    wanted.soon(&mut scenario, "after the reboot")?;
    let counts = ports.carrier_changes(scenario.control())?;
    scenario.checks.note(format!(
        "links that came or went since the reboot: {}",
        wait::since(&BTreeMap::new(), &counts)
    ));
    ports.interrupts_on_housekeeping(&mut scenario, "after the reboot")?;
    steps::verified(&mut scenario, "after the reboot")?;

    disturb::links(&mut scenario, &ports, &wanted)?;
    disturb::values(&mut scenario, &ports, &wanted)?;
    identity::rename(&mut scenario, &ports, &wanted)?;
    identity::unplug(&mut scenario, &ports, &wanted)?;
    steps::verified(&mut scenario, "after all disturbances")?;
    bad_names::check(&mut scenario, &ports)?;
    disturb::again_and_again(&mut scenario, &ports, &wanted)?;

    roll_back(&mut scenario, &ports, &stock, &before)?;
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

/// Rolls everything back; the ports are judged at once, since a reboot brings them back whatever rollback did.
fn roll_back(
    scenario: &mut Scenario,
    ports: &GuestPorts,
    stock: &Stock,
    before: &Snapshot,
) -> Result<()> {
    let counts = ports.carrier_changes(scenario.control())?;
    steps::roll_back(scenario, stock)?;
    ports.links_up(scenario.control())?;
    let after = ethtool_text::ask(scenario.control(), &ports.line())?;
    scenario.checks.same(
        "ethtool right after rollback, before the reboot",
        &expected::judged(before),
        &expected::judged(&after),
    );
    let since = wait::since(&counts, &ports.carrier_changes(scenario.control())?);
    scenario
        .checks
        .note(format!("links that came or went in rollback: {since}"));
    scenario.reboot("stock again")?;
    ports.links_up(scenario.control())?;
    let after = ethtool_text::ask(scenario.control(), &ports.line())?;
    scenario.checks.same(
        "ethtool after rollback and reboot",
        &expected::judged(before),
        &expected::judged(&after),
    );
    steps::as_before(scenario, stock)
}
