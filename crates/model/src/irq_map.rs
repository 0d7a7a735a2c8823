//! Where interrupts fire and where they should, device by device.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::CpuSet;

/// The map of a host's interrupts. Its JSON is part of `hftune irq show --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct IrqMap {
    /// Where interrupts should fire.
    pub housekeeping: CpuSet,
    /// How many fire on what the running kernel was booted to isolate.
    pub booted: Option<BootedIsolation>,
    /// How many interrupts there are, those that nobody requested too.
    pub total: usize,
    /// The devices: those with a stray interrupt first, then in the order of their first IRQ.
    pub devices: Vec<IrqDevice>,
}

/// The CPUs that the running kernel was booted to isolate, and how many interrupts fire there all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BootedIsolation {
    /// The boot argument, like "isolcpus=managed_irq,2-7".
    pub argument: String,
    /// Its CPUs.
    pub cpus: CpuSet,
    /// Interrupts that fire on one of them.
    pub fire_there: usize,
}

/// The interrupts of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct IrqDevice {
    /// Interface name, else PCI address, else what the interrupts have in common.
    pub name: String,
    /// PCI address.
    pub address: Option<String>,
    /// Kernel driver.
    pub driver: Option<String>,
    /// NUMA node.
    pub node: Option<u32>,
    /// Its interrupts in rising order of their number.
    pub queues: Vec<IrqQueue>,
}

/// One interrupt in the map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct IrqQueue {
    /// Id of its setting; `None` where nobody requested it.
    pub id: Option<String>,
    /// Its number, until the next boot or change of the queues.
    pub number: u32,
    /// What its driver calls it.
    pub name: String,
    /// Where it is.
    pub state: IrqState,
    /// Interrupts so far.
    pub count: u64,
    /// Interrupts in a second, rounded up; `None` where they were not counted.
    pub per_second: Option<u64>,
    /// Where it fires; `None` where that cannot be read.
    pub fires_on: Option<CpuSet>,
    /// Where it should fire; `None` where that is not hftune's to say.
    pub should: Option<CpuSet>,
}

/// Where an interrupt is, in the order in which the states are shown.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Default, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum IrqState {
    /// It fires on CPUs that do not serve the OS.
    Stray,
    /// It was asked to move, and moves when it next fires.
    Pending,
    /// Where it fires cannot be read.
    Unknown,
    /// The kernel manages it: nobody can move it.
    Managed,
    /// The kernel binds it to its CPU.
    Fixed,
    /// It fires where it should.
    Ok,
    /// Nobody uses it.
    #[default]
    Idle,
}

impl IrqState {
    /// All states in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Stray,
        Self::Pending,
        Self::Unknown,
        Self::Managed,
        Self::Fixed,
        Self::Ok,
        Self::Idle,
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stray => "stray",
            Self::Pending => "pending",
            Self::Unknown => "unknown",
            Self::Managed => "managed",
            Self::Fixed => "fixed",
            Self::Ok => "ok",
            Self::Idle => "idle",
        }
    }
}

impl IrqMap {
    /// Fills in how often each interrupt fired between two readings that lie `seconds` apart. One that waited for its move and
    /// fired in between was moved by that, or not: `fires_now` reads where it fires.
    pub fn count(
        &mut self,
        before: &BTreeMap<u32, u64>,
        after: &BTreeMap<u32, u64>,
        seconds: u64,
        fires_now: impl Fn(u32) -> Option<CpuSet>,
    ) {
        for queue in self
            .devices
            .iter_mut()
            .flat_map(|device| &mut device.queues)
        {
            let (Some(before), Some(after)) = (before.get(&queue.number), after.get(&queue.number))
            else {
                continue;
            };
            // A driver that gave it back in between starts again at 0.
            let fired = after.saturating_sub(*before);
            queue.per_second = Some(fired.div_ceil(seconds.max(1)));
            if fired > 0 && queue.state == IrqState::Pending {
                queue.fires_on = fires_now(queue.number);
                queue.state = match &queue.fires_on {
                    None => IrqState::Unknown,
                    Some(cpus) if cpus.is_subset(&self.housekeeping) => IrqState::Ok,
                    Some(_) => IrqState::Stray,
                };
            }
        }
        self.sort();
    }

    /// Puts the devices in their order.
    pub fn sort(&mut self) {
        let strays = |device: &IrqDevice| {
            device
                .queues
                .iter()
                .any(|queue| queue.state == IrqState::Stray)
        };
        let unused = |device: &IrqDevice| device.queues.iter().all(|queue| queue.id.is_none());
        self.devices.sort_by_key(|device| {
            let first = device.queues.first().map_or(u32::MAX, |queue| queue.number);
            (!strays(device), unused(device), first)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_and_fires_is_a_stray_and_comes_first() {
        let queue = |number, state| IrqQueue {
            id: Some(format!("irq/{number}")),
            number,
            state,
            ..IrqQueue::default()
        };
        let device = |name: &str, queue| IrqDevice {
            name: name.to_owned(),
            queues: vec![queue],
            ..IrqDevice::default()
        };
        let mut map = IrqMap {
            devices: vec![
                device("a", queue(1, IrqState::Pending)),
                device("b", queue(2, IrqState::Pending)),
                device("c", queue(3, IrqState::Ok)),
                device("d", queue(4, IrqState::Pending)),
            ],
            housekeeping: "0-1".parse().unwrap(),
            ..IrqMap::default()
        };
        let before = BTreeMap::from([(1, 5), (2, 5), (3, 9), (4, 0)]);
        let after = BTreeMap::from([(1, 5), (2, 8), (3, 4), (4, 1)]);
        // The last was moved by the interrupt that was counted.
        let fires_now = |number| if number == 4 { "1" } else { "5" }.parse().ok();
        map.count(&before, &after, 2, fires_now);
        let shown: Vec<_> = map
            .devices
            .iter()
            .map(|device| {
                (
                    device.name.as_str(),
                    device.queues[0].state,
                    device.queues[0].per_second,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("b", IrqState::Stray, Some(2)),
                ("a", IrqState::Pending, Some(0)),
                ("c", IrqState::Ok, Some(0)),
                ("d", IrqState::Ok, Some(1)),
            ]
        );
    }
}
