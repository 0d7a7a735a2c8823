//! Ports that change their name, go, and come back.

use super::super::scenario::Scenario;
use super::super::steps::{self, hftune};
use super::guest_ports::GuestPorts;
use super::wait::Wanted;
use crate::progress::say;
use anyhow::{Result, ensure};
use serde_json::Value;
use std::time::{Duration, Instant};

/// A name that no rule of udev would give.
const NEW_NAME: &str = "trade0";

/// A card may be asked to go for five seconds before its slot loses power; the machine has other work.
const UNPLUG_CAP: Duration = Duration::from_secs(40);

/// Renames a port: its old name must not be said to be fine, and the new one must be named. Back under its old name it is
/// tuned.
pub fn rename(scenario: &mut Scenario, ports: &GuestPorts, wanted: &Wanted) -> Result<()> {
    let (name, _) = ports.of_model("igb")?;
    say(format!("renaming {name}"));
    scenario.control().read(&format!(
        "ip link set dev {name} down && ip link set dev {name} name {NEW_NAME} && ip link set dev {NEW_NAME} up"
    ))?;
    let answer = hftune(scenario, "verify --format json --only nic/")?;
    scenario.checks.that(
        "renamed: verify exits with",
        answer.code == Some(3),
        "3",
        format!("{:?}", answer.code),
    );
    if let Some(report) = steps::json(&mut scenario.checks, "renamed: verify", &answer) {
        let none = Vec::new();
        let old: Vec<&Value> = report["settings"]
            .as_array()
            .unwrap_or(&none)
            .iter()
            .filter(|setting| {
                let id = setting["id"].as_str().unwrap_or_default();
                id == format!("nic/{name}") || id.starts_with(&format!("nic/{name}/"))
            })
            .collect();
        let fine: Vec<&Value> = old
            .iter()
            .filter(|setting| setting["verdict"] == "ok")
            .map(|setting| &setting["id"])
            .collect();
        scenario.checks.equal(
            "renamed: settings of the old name that are said to be ok",
            &fine[..],
            &[],
        );
        let reasons: Vec<&str> = old
            .iter()
            .filter_map(|setting| setting["reason"].as_str())
            .collect();
        scenario.checks.that(
            "renamed: what verify says of the old name",
            reasons.iter().any(|reason| reason.contains(NEW_NAME)),
            NEW_NAME,
            reasons.join("; "),
        );
    }
    let answer = hftune(scenario, &format!("nic tune --yes {name}"))?;
    scenario.checks.that(
        "renamed: nic tune of the old name exits with",
        answer.code == Some(1),
        "1",
        format!("{:?}: {}", answer.code, answer.stderr.trim()),
    );

    say("and back");
    // udev keeps the name that it would give as another name of the interface, and two of a kind there cannot be.
    scenario.control().read(&format!(
        "ip link set dev {NEW_NAME} down && {{ ip link property del dev {NEW_NAME} altname {name} 2>/dev/null; \
         ip link set dev {NEW_NAME} name {name} && ip link set dev {name} up; }}"
    ))?;
    ports.links_up(scenario.control())?;
    wanted.soon(scenario, "renamed and back")?;
    ports.interrupts_on_housekeeping(scenario, "renamed and back")?;
    verified(scenario, "renamed and back")
}

/// Takes cards out of the running machine and puts them in again.
pub fn unplug(scenario: &mut Scenario, ports: &GuestPorts, wanted: &Wanted) -> Result<()> {
    let cards = [ports.of_model("igb")?, ports.of_model("virtio-net-pci")?];
    for (name, card) in cards {
        say(format!("unplugging {name}"));
        scenario
            .guest
            .monitor(&format!("device_del {}", card.id()))?;
    }
    for (name, _) in cards {
        appears(scenario, name, false)?;
    }
    let answer = hftune(scenario, "verify --only nic/")?;
    scenario.checks.note(format!(
        "verify with two cards unplugged exits with {:?}",
        answer.code
    ));
    // The emulator lets go of a card a moment after the guest did.
    std::thread::sleep(Duration::from_secs(1));
    for (name, card) in cards {
        say(format!("plugging {name} in again"));
        scenario
            .guest
            .monitor(&format!("device_add {}", card.card()))?;
    }
    for (name, _) in cards {
        appears(scenario, name, true)?;
    }
    ports.links_up(scenario.control())?;
    wanted.soon(scenario, "unplugged and plugged in again")?;
    ports.interrupts_on_housekeeping(scenario, "unplugged and plugged in again")?;
    verified(scenario, "unplugged and plugged in again")
}

fn appears(scenario: &Scenario, name: &str, there: bool) -> Result<()> {
    let began = Instant::now();
    let line = format!("test -e /sys/class/net/{name}");
    while (scenario.control().run(&line)?.code == Some(0)) != there {
        ensure!(
            began.elapsed() < UNPLUG_CAP,
            "{name} did not {} in {} s",
            if there { "come" } else { "go" },
            UNPLUG_CAP.as_secs()
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

fn verified(scenario: &mut Scenario, when: &str) -> Result<()> {
    let answer = hftune(scenario, "verify --only nic/")?;
    scenario.checks.that(
        format!("{when}: verify --only nic/ exits with"),
        answer.code == Some(0),
        "0",
        format!("{:?}\n{}", answer.code, answer.stdout.trim()),
    );
    Ok(())
}
