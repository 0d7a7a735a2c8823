//! The ports under test as the guest has them: their names and their links.

use super::super::control::Control;
use super::super::ports::TestPort;
use super::super::scenario::Scenario;
use anyhow::{Context, Result};
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
}
