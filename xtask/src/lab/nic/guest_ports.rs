//! The ports under test as the guest has them: their names, their links, their interrupts.

use super::super::control::Control;
use super::super::ports::TestPort;
use super::super::scenario::Scenario;
use super::super::tuned_state::on_housekeeping;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Links come up within this time of a boot, or of a card's appearance.
const LINK_CAP: Duration = Duration::from_secs(20);

/// Has the virtio port go up when it appears, as the image has the others: its driver is the control port's too, which is
/// not under test.
const RULE: &str = "/etc/udev/rules.d/91-lab-virtio-port.rules";

/// The ports, in the order of the machine's.
pub struct GuestPorts {
    ports: Vec<(String, TestPort)>,
}

impl GuestPorts {
    /// Finds the ports by their addresses, and has all of them up now and from every boot on.
    pub fn find(scenario: &Scenario) -> Result<Self> {
        let control = scenario.control();
        let table = control.read("cd /sys/class/net && grep -H . */address")?;
        let name = |port: &TestPort| {
            let end = format!("/address:{}", port.mac());
            let found = table.lines().find_map(|line| line.strip_suffix(&end));
            found.map(str::to_string).with_context(|| {
                format!("the guest has no port with the address of {}", port.model())
            })
        };
        let ports = scenario.guest.ports().iter();
        let ports = ports
            .map(|port| Ok((name(port)?, port.clone())))
            .collect::<Result<Vec<_>>>()?;
        let found = Self { ports };
        let (virtio, card) = found.of_model("virtio-net-pci")?;
        control.read(&format!(
            "echo 'SUBSYSTEM==\"net\", ACTION==\"add\", ATTR{{address}}==\"{}\", RUN+=\"/bin/ip link set dev $name up\"' \
             > {RULE} && udevadm control --reload && ip link set dev {virtio} up",
            card.mac()
        ))?;
        found.links_up(control)?;
        Ok(found)
    }

    /// Every port's name in the guest.
    pub fn names(&self) -> Vec<&str> {
        self.ports.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The names with blanks between them.
    pub fn line(&self) -> String {
        self.names().join(" ")
    }

    /// Name and card.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TestPort)> {
        self.ports.iter().map(|(name, port)| (name.as_str(), port))
    }

    /// The port of a model.
    pub fn of_model(&self, model: &str) -> Result<(&str, &TestPort)> {
        self.iter()
            .find(|(_, port)| port.model() == model)
            .with_context(|| format!("the machine has no {model}"))
    }

    /// Waits until every port has a link.
    pub fn links_up(&self, control: &Control) -> Result<()> {
        let files: Vec<String> = self
            .names()
            .iter()
            .map(|name| format!("/sys/class/net/{name}/carrier"))
            .collect();
        let line = format!("cat {} 2>&1", files.join(" "));
        let began = Instant::now();
        loop {
            let carriers = control.run(&line)?.stdout;
            if carriers.lines().all(|carrier| carrier == "1") {
                return Ok(());
            }
            anyhow::ensure!(
                began.elapsed() < LINK_CAP,
                "no link on every port after {} s: {carriers:?}",
                LINK_CAP.as_secs()
            );
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// How often the link of each port came or went since the port appeared.
    pub fn carrier_changes(&self, control: &Control) -> Result<BTreeMap<String, u64>> {
        let mut counts = BTreeMap::new();
        for name in self.names() {
            let text = control.read(&format!("cat /sys/class/net/{name}/carrier_changes"))?;
            counts.insert(name.to_string(), text.trim().parse()?);
        }
        Ok(counts)
    }

    /// Asserts that every interrupt of the ports reaches CPUs that serve the OS, and no others.
    pub fn interrupts_on_housekeeping(&self, scenario: &mut Scenario, when: &str) -> Result<()> {
        let table = scenario
            .control()
            .script("irqs.sh", include_str!("irqs.sh"), &self.line())?;
        for name in self.names() {
            let of_port = |line: &&str| line.split('\t').next() == Some(name);
            let irqs: Vec<&str> = table.lines().filter(of_port).collect();
            let astray: Vec<&str> = irqs.iter().copied().filter(|line| !at_home(line)).collect();
            scenario.checks.that(
                format!("{when}: interrupts of {name} on CPUs 0-1"),
                !irqs.is_empty() && astray.is_empty(),
                "some, and all of them",
                if astray.is_empty() {
                    format!("{} interrupts", irqs.len())
                } else {
                    astray.join("; ").replace('\t', " ")
                },
            );
        }
        Ok(())
    }
}

/// Whether a line of irqs.sh tells of an interrupt that goes to housekeeping CPUs: asked for, and in effect.
fn at_home(line: &str) -> bool {
    let fields: Vec<&str> = line.split('\t').collect();
    matches!(fields[..], [_, _, _, asked, effective] if on_housekeeping(asked) && on_housekeeping(effective))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_what_is_asked_and_what_is_in_effect_count() {
        assert!(at_home("ens1\t47\tens1\t0-1\t1"));
        assert!(!at_home("ens1\t47\tens1\t0-1\t5"));
        assert!(!at_home("ens1\t47\tens1\t0-7\t1"));
        assert!(!at_home("ens1\t47"));
    }
}
