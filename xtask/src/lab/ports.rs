//! The network ports of the emulated server whose settings are tested: those whose drivers behave most differently.

use super::tap::Tap;
use crate::progress::say;

/// Which ports the machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// What every scenario has.
    OfEveryScenario,
    /// A virtio port of several queues besides.
    WithVirtio,
}

/// Queues of the virtio port: more than the CPUs that serve the OS, fewer than all.
const VIRTIO_QUEUES: usize = 4;

/// The port that needs a tap.
const VIRTIO: &str = "virtio-net-pci";

/// What is behind the port.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Behind {
    /// A hub that the ports share: what one sends, the others receive.
    Hub,
    /// The queues of a tap, by number.
    Tap(String),
}

/// A port under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestPort {
    /// Its place among the ports under test.
    index: usize,
    model: &'static str,
    /// The node whose root port it sits under.
    node: u32,
    behind: Behind,
}

impl Ports {
    /// The queues behind the virtio port; without them it has one, and the scenario says so.
    pub fn tap(self) -> Option<Tap> {
        match self {
            Self::OfEveryScenario => None,
            Self::WithVirtio => Tap::open(VIRTIO_QUEUES)
                .inspect_err(|error| {
                    say(format!("the virtio port has one queue here: {error:#}"));
                })
                .ok(),
        }
    }

    /// The ports. `tap` is behind the virtio port.
    pub fn list(self, tap: Option<&Tap>) -> Vec<TestPort> {
        let port = |index, model, node, behind| TestPort {
            index,
            model,
            node,
            behind,
        };
        let mut ports = vec![
            port(0, "igb", 0, Behind::Hub),
            port(1, "e1000e", 0, Behind::Hub),
            port(2, "vmxnet3", 1, Behind::Hub),
        ];
        if self == Self::WithVirtio {
            let behind = tap.map_or(Behind::Hub, |tap| Behind::Tap(tap.numbers()));
            ports.push(port(3, VIRTIO, 1, behind));
        }
        ports
    }
}

impl TestPort {
    /// The emulator's word for the card.
    pub fn model(&self) -> &'static str {
        self.model
    }

    /// By which the monitor knows it.
    pub fn id(&self) -> String {
        format!("nic{}", self.index)
    }

    /// By which the guest knows it.
    pub fn mac(&self) -> String {
        format!("52:54:00:1a:b1:0{}", self.index)
    }

    /// Receive and transmit queue pairs that the emulator gives it, where that is for us to say.
    pub fn queues(&self) -> usize {
        match &self.behind {
            Behind::Hub => 1,
            Behind::Tap(numbers) => numbers.split(':').count(),
        }
    }

    /// The card alone, as `-device` and the monitor's `device_add` take it.
    pub fn card(&self) -> String {
        let Self { index, model, .. } = self;
        // An interrupt for each queue, and one each for the control queue and changes of the configuration.
        let queues = match &self.behind {
            Behind::Hub => String::new(),
            Behind::Tap(_) => format!(",mq=on,vectors={}", 2 * self.queues() + 2),
        };
        format!(
            "{model},id={},netdev=test{index},bus=port{index},mac={},romfile={queues}",
            self.id(),
            self.mac()
        )
    }

    /// The root port that it sits under, what is behind it, and the card, as arguments with blanks between them.
    pub fn arguments(&self) -> String {
        let Self { index, node, .. } = self;
        let slot = index + 1;
        let behind = match &self.behind {
            Behind::Hub => format!("hubport,id=test{index},hubid=1"),
            Behind::Tap(numbers) => format!("tap,id=test{index},vhost=off,fds={numbers}"),
        };
        format!(
            "-device pcie-root-port,id=port{index},bus=bus{node},chassis={slot},slot={slot} -netdev {behind} -device {}",
            self.card()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_sits_under_a_root_port_of_its_own() {
        let ports = Ports::OfEveryScenario.list(None);
        assert_eq!(ports.len(), 3);
        assert_eq!(
            ports[2].arguments(),
            "-device pcie-root-port,id=port2,bus=bus1,chassis=3,slot=3 -netdev hubport,id=test2,hubid=1 \
             -device vmxnet3,id=nic2,netdev=test2,bus=port2,mac=52:54:00:1a:b1:02,romfile="
        );
    }

    #[test]
    fn without_a_tap_the_virtio_port_has_one_queue() {
        let ports = Ports::WithVirtio.list(None);
        assert_eq!(ports[3].queues(), 1);
        assert!(!ports[3].card().contains("mq=on"));
        let several = TestPort {
            behind: Behind::Tap("10:11:12:13".into()),
            ..ports[3].clone()
        };
        assert_eq!(several.queues(), 4);
        assert!(several.card().ends_with(",romfile=,mq=on,vectors=10"));
        assert!(several.arguments().contains("vhost=off,fds=10:11:12:13"));
    }
}
