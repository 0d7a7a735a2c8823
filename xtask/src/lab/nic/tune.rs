//! `hftune nic tune`, the first time and once more.

use super::super::scenario::Scenario;
use super::super::snapshot;
use super::super::steps::{self, hftune};
use super::expected;
use super::guest_ports::GuestPorts;
use super::wait::{self, Wanted};
use crate::progress::say;
use anyhow::Result;
use serde_json::Value;

/// Tunes the ports, and asserts what ethtool says then, the units, and what hftune makes of it all.
pub fn first(scenario: &mut Scenario, ports: &GuestPorts, wanted: &Wanted) -> Result<()> {
    say("hftune nic tune");
    let before = ports.carrier_changes(scenario.control())?;
    let Some(report) = tune(scenario, ports, "nic tune")? else {
        return Ok(());
    };
    scenario.checks.that(
        "nic tune: transaction",
        report["transaction"].is_string(),
        "an id",
        &report["transaction"],
    );
    let after = ports.carrier_changes(scenario.control())?;
    scenario.checks.note(format!(
        "links that came or went in nic tune: {}",
        wait::since(&before, &after)
    ));
    for name in ports.names() {
        scenario.checks.equal(
            format!("nic tune: carrier_changes.{name}"),
            &report["carrier_changes"][name].as_u64(),
            &Some(after[name].saturating_sub(before[name])),
        );
    }
    wanted.now(scenario, "nic tune")?;
    units(scenario, ports)?;
    verdicts(scenario, ports)
}

/// Tunes again, and asserts that nothing happens.
pub fn second(scenario: &mut Scenario, ports: &GuestPorts) -> Result<()> {
    say("hftune nic tune, once more");
    let files = snapshot::files(scenario.control())?;
    let before = ports.carrier_changes(scenario.control())?;
    let Some(report) = tune(scenario, ports, "a second nic tune")? else {
        return Ok(());
    };
    scenario.checks.equal(
        "a second nic tune: changed",
        &report["changed"],
        &Value::Array(Vec::new()),
    );
    scenario.checks.equal(
        "a second nic tune: transaction",
        &report["transaction"],
        &Value::Null,
    );
    let after = ports.carrier_changes(scenario.control())?;
    scenario.checks.equal(
        "a second nic tune: /sys/class/net/*/carrier_changes",
        &after,
        &before,
    );
    for name in ports.names() {
        scenario.checks.equal(
            format!("a second nic tune: carrier_changes.{name}"),
            &report["carrier_changes"][name].as_u64(),
            &Some(0),
        );
    }
    scenario.checks.same(
        "files after a second nic tune",
        &files,
        &snapshot::files(scenario.control())?,
    );
    Ok(())
}

fn tune(scenario: &mut Scenario, ports: &GuestPorts, what: &str) -> Result<Option<Value>> {
    let answer = hftune(scenario, &format!("nic tune --yes --json {}", ports.line()))?;
    // Interrupts may wait for the boot that brings irqaffinity=.
    steps::exits_with_reboot_missing(&mut scenario.checks, what, &answer);
    let report = steps::json(&mut scenario.checks, what, &answer);
    if let Some(report) = &report {
        scenario.checks.equal(
            format!("{what}: schema"),
            &report["schema"],
            &Value::from("hftune/nic-tune/1"),
        );
    }
    Ok(report)
}

/// Asserts that each port has its unit, enabled by the port's own appearance, and that there is one watcher.
fn units(scenario: &mut Scenario, ports: &GuestPorts) -> Result<()> {
    let mut units = vec!["nic-watch.service".to_string()];
    for name in ports.names() {
        let unit = format!("tune-nic-{name}.service");
        let link =
            format!("/etc/systemd/system/sys-subsystem-net-devices-{name}.device.wants/{unit}");
        let target = scenario.control().run(&format!("readlink -f {link}"))?;
        scenario.checks.equal(
            link,
            target.stdout.trim(),
            &format!("/etc/systemd/system/{unit}"),
        );
        units.push(unit);
    }
    for unit in &units {
        let state = scenario
            .control()
            .run(&format!("systemctl is-active {unit}"))?;
        scenario
            .checks
            .equal(format!("{unit} is"), state.stdout.trim(), "active");
    }
    let paths: Vec<String> = units
        .iter()
        .map(|unit| format!("/etc/systemd/system/{unit}"))
        .collect();
    let answer = scenario
        .control()
        .run(&format!("systemd-analyze verify {} 2>&1", paths.join(" ")))?;
    scenario.checks.equal(
        "systemd-analyze verify of the ports' units says",
        answer.stdout.trim(),
        "",
    );
    Ok(())
}

/// Asserts that verify lists each setting of each port with the verdict that is right for its driver.
fn verdicts(scenario: &mut Scenario, ports: &GuestPorts) -> Result<()> {
    let answer = hftune(scenario, "verify --format json --only nic/")?;
    steps::exits_with_reboot_missing(&mut scenario.checks, "verify --only nic/", &answer);
    let Some(report) = steps::json(&mut scenario.checks, "verify --only nic/", &answer) else {
        return Ok(());
    };
    let none = Vec::new();
    let settings = report["settings"].as_array().unwrap_or(&none);
    for (name, card) in ports.iter() {
        for (what, verdicts) in expected::verdicts(card.model()) {
            let id = format!("nic/{name}/{what}");
            let found: Vec<&str> = settings
                .iter()
                .filter(|setting| setting["id"] == id.as_str())
                .map(|setting| setting["verdict"].as_str().unwrap_or("no verdict"))
                .collect();
            scenario.checks.that(
                format!("verify: {id} of {}", card.model()),
                matches!(found[..], [verdict] if verdicts.contains(&verdict)),
                verdicts.join(" or "),
                found.join(", "),
            );
        }
    }
    Ok(())
}
