//! Scenario `nic`: ports are tuned, stay so through what undoes it, and are put back. The judge is ethtool in the guest.
//!
//! No rate is judged, so no instructions are counted.

use super::image::Image;
use super::machine::Clock;
use super::scenario::{Scenario, Stock};
use super::steps::{self, hftune};
use crate::progress::say;
use anyhow::Result;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The test ports by the name that the guest's rules give them: igb, e1000e, vmxnet3.
const PORTS: &str = "ens1 ens2 ens3";

/// How long the unit of a port may take on this slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What ethtool has to print of a tuned port: its arguments, and the words of a line.
const TUNED: [(&str, &str); 10] = [
    ("-g ens1", "RX: 4096"),
    ("-g ens1", "TX: 4096"),
    ("-c ens1", "rx-usecs: 0"),
    ("-k ens1", "generic-receive-offload: off"),
    ("-k ens1", "tcp-segmentation-offload: off"),
    ("-g ens2", "RX: 4096"),
    ("-c ens2", "rx-usecs: 0"),
    ("-g ens3", "TX: 4096"),
    ("-k ens3", "large-receive-offload: off"),
    ("-k ens3", "generic-segmentation-offload: off"),
];

/// What somebody, or a driver, may do to a tuned port.
const WRECKS: [&str; 5] = [
    "ethtool -G ens1 rx 256",
    "ethtool -C ens1 rx-usecs 50",
    "ethtool -K ens3 gro on lro on",
    "ip link set ens2 down; ethtool -G ens2 rx 512; ip link set ens2 up",
    "ethtool -L ens1 combined 2; ethtool -L ens1 combined 8",
];

/// Runs the scenario with `binary`; true when every assertion held.
pub fn run(image: &Image, binary: &Path, logs: &Path) -> Result<bool> {
    let (mut scenario, stock) = steps::start(image, binary, logs, Clock::Host)?;
    let before = settings(&scenario)?;
    steps::set_up(&mut scenario, &stock)?;
    tune(&mut scenario)?;
    scenario.reboot("tuned")?;
    tuned(&mut scenario, "after the reboot")?;
    interrupts(&mut scenario, "after the reboot")?;
    verified(&mut scenario, "after the reboot")?;
    for wreck in WRECKS {
        say(wreck);
        scenario.control().read(wreck)?;
        tuned(&mut scenario, &format!("some time after {wreck}"))?;
    }
    interrupts(&mut scenario, "after all that")?;
    verified(&mut scenario, "after all that")?;
    bad_input(&mut scenario)?;
    roll_back(&mut scenario, &stock, &before)?;
    scenario.finish()
}

/// Tunes, twice: the second time nothing is to do, and no link goes down.
fn tune(scenario: &mut Scenario) -> Result<()> {
    say("hftune nic tune");
    let answer = hftune(scenario, &format!("nic tune --yes {PORTS}"))?;
    scenario
        .checks
        .note(format!("{}{}", answer.stdout, answer.stderr));
    // Interrupts may wait for their next one to move, or for the boot with irqaffinity=.
    let fine = [Some(0), Some(4)].contains(&answer.code);
    scenario.checks.that(
        "nic tune exits with",
        fine,
        "0 or 4",
        format!("{:?}", answer.code),
    );
    tuned(scenario, "after nic tune")?;
    let count = "cat /sys/class/net/ens?/carrier_changes";
    let links = scenario.control().read(count)?;
    let answer = hftune(scenario, &format!("nic tune --yes {PORTS}"))?;
    scenario.checks.that(
        "a second nic tune changes nothing",
        answer.stdout.starts_with("Nothing was changed"),
        "nothing",
        answer.stdout.lines().next().unwrap_or_default(),
    );
    let after = scenario.control().read(count)?;
    scenario
        .checks
        .equal("links after a second nic tune", &after, &links);
    Ok(())
}

/// Asserts that ethtool prints every value, at the latest when the units had their time.
fn tuned(scenario: &mut Scenario, when: &str) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    for (arguments, line) in TUNED {
        let mut said = ethtool(scenario, arguments)?;
        while !has(&said, line) && Instant::now() < end {
            sleep(Duration::from_secs(1));
            said = ethtool(scenario, arguments)?;
        }
        scenario.checks.that(
            format!("{when}: ethtool {arguments} | {line}"),
            has(&said, line),
            line,
            if has(&said, line) { line } else { said.trim() },
        );
    }
    Ok(())
}

/// What ethtool prints; of rings only what is set, for the most that there is comes first.
fn ethtool(scenario: &Scenario, arguments: &str) -> Result<String> {
    let said = scenario.control().read(&format!("ethtool {arguments}"))?;
    let now = said.split_once("Current hardware settings:");
    Ok(now.map_or_else(|| said.clone(), |(_, now)| now.to_string()))
}

/// Whether one of the lines has just these words.
fn has(said: &str, words: &str) -> bool {
    let same = |line: &str| line.split_whitespace().eq(words.split_whitespace());
    said.lines().any(same)
}

/// Asserts that every interrupt of the ports fires on the housekeeping CPUs, as the kernel's own files tell.
fn interrupts(scenario: &mut Scenario, when: &str) -> Result<()> {
    let fire = scenario.control().read(
        "for irq in $(sed -n 's/^ *\\([0-9]*\\):.* ens[123].*/\\1/p' /proc/interrupts); do \
         cat /proc/irq/$irq/effective_affinity_list; done",
    )?;
    let strays = fire
        .lines()
        .filter(|cpu| !matches!(*cpu, "0" | "1" | "0-1"));
    let strays: Vec<&str> = strays.collect();
    scenario.checks.that(
        format!("interrupts of the ports {when}"),
        !fire.is_empty() && strays.is_empty(),
        "all on CPUs 0-1",
        format!("{} of them, elsewhere: {strays:?}", fire.lines().count()),
    );
    Ok(())
}

fn verified(scenario: &mut Scenario, when: &str) -> Result<()> {
    let answer = hftune(scenario, "verify --only nic")?;
    scenario
        .checks
        .note(format!("verify {when}:\n{}", answer.stdout));
    scenario.checks.equal(
        format!("verify --only nic {when} exits with"),
        &answer.code,
        &Some(0),
    );
    let answer = hftune(scenario, "verify --failed")?;
    scenario
        .checks
        .equal(format!("verify {when} exits with"), &answer.code, &Some(0));
    Ok(())
}

/// Names that are no ports: nothing is recorded, and the message has the name.
fn bad_input(scenario: &mut Scenario) -> Result<()> {
    let recorded = "ls /var/lib/hftune/transactions";
    let before = scenario.control().read(recorded)?;
    for (name, code) in [
        ("nope0", 1),
        ("lo", 1),
        ("'$(reboot)'", 1),
        ("a/b", 2),
        ("'a b'", 2),
        ("0123456789abcdef", 2),
        ("-- -h", 2),
    ] {
        let answer = hftune(scenario, &format!("nic tune --yes {name}"))?;
        scenario.checks.equal(
            format!("nic tune {name} exits with"),
            &answer.code,
            &Some(code),
        );
        let bare = name.trim_start_matches("-- ").trim_matches('\'');
        scenario.checks.that(
            format!("nic tune {name} says"),
            answer.stderr.contains(bare),
            bare,
            answer.stderr.trim(),
        );
    }
    let after = scenario.control().read(recorded)?;
    scenario
        .checks
        .equal("transactions after bad input", &after, &before);
    Ok(())
}

/// Rolls back, judged by ethtool at once, and by everything after a reboot.
fn roll_back(scenario: &mut Scenario, stock: &Stock, before: &str) -> Result<()> {
    steps::roll_back(scenario, stock)?;
    let after = settings(scenario)?;
    scenario
        .checks
        .equal("what ethtool prints after rollback", after.as_str(), before);
    scenario.reboot("stock again")?;
    steps::as_before(scenario, stock)
}

/// Everything that ethtool prints of what may be set.
fn settings(scenario: &Scenario) -> Result<String> {
    scenario.control().read(&format!(
        "for port in {PORTS}; do for what in -g -c -k -l -a; do ethtool $what $port 2>&1; done; done; true"
    ))
}

#[cfg(test)]
mod tests {
    use super::has;

    #[test]
    fn a_line_has_just_its_words() {
        let said = "Ring\nRX:\t\t4096\nrx-usecs: 0\n\ttx-udp-segmentation: off [fixed]\n";
        assert!(has(said, "RX: 4096") && has(said, "rx-usecs: 0"));
        assert!(!has(said, "RX: 409") && !has(said, "tx-udp-segmentation: off"));
    }
}
