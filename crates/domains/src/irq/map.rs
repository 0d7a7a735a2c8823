//! The map of the interrupts, out of the facts and the plan.

use std::collections::{BTreeMap, HashMap};

use hftune_model::finding::Proof;
use hftune_model::host::{Host, Irq as Line};
use hftune_model::irq_map::{BootedIsolation, IrqDevice, IrqMap, IrqQueue, IrqState};

use super::{booted_isolated, count_on, is_bound, managed, names};
use crate::Context;

/// Where every interrupt fires and where it should.
pub fn map(cx: &Context<'_>) -> IrqMap {
    let ids: HashMap<u32, String> = names::named(cx.host)
        .into_iter()
        .map(|(id, line)| (line.number, id))
        .collect();
    let mut devices: BTreeMap<String, IrqDevice> = BTreeMap::new();
    let ports = Ports::of(cx.host);
    for line in &cx.host.irqs.list {
        let device = device(line, cx.host, &ports);
        let state = state(line, cx);
        let movable = !matches!(state, IrqState::Managed | IrqState::Fixed | IrqState::Idle);
        devices
            .entry(device.name.clone())
            .or_insert(device)
            .queues
            .push(IrqQueue {
                id: ids.get(&line.number).cloned(),
                number: line.number,
                name: line.name.clone(),
                state,
                count: line.count,
                per_second: None,
                fires_on: line.effective.clone(),
                should: movable.then(|| cx.cpus.housekeeping.clone()),
            });
    }
    let booted = booted_isolated(cx).map(|(argument, cpus)| BootedIsolation {
        fire_there: count_on(cx.host, &cpus).0,
        argument,
        cpus,
    });
    let mut map = IrqMap {
        housekeeping: cx.cpus.housekeeping.clone(),
        booted,
        total: cx.host.irqs.list.len(),
        devices: devices.into_values().collect(),
    };
    map.sort();
    map
}

/// What verify says of an interrupt, in a word.
fn state(line: &Line, cx: &Context<'_>) -> IrqState {
    let housekeeping = &cx.cpus.housekeeping;
    if line.name.is_empty() {
        return IrqState::Idle;
    }
    if is_bound(line) {
        return IrqState::Fixed;
    }
    if managed::is_managed(line) {
        return IrqState::Managed;
    }
    match (&line.requested, &line.effective) {
        (_, None) => IrqState::Unknown,
        (_, Some(fires)) if fires.is_empty() => IrqState::Idle,
        (_, Some(fires)) if fires.is_subset(housekeeping) => IrqState::Ok,
        (Some(asked), _)
            if !asked.is_empty() && asked.is_subset(housekeeping) && may_still_move(line, cx) =>
        {
            IrqState::Pending
        }
        _ => IrqState::Stray,
    }
}

/// Whether an interrupt that is not where it was asked to be may only be waiting to fire, as verify judges.
fn may_still_move(line: &Line, cx: &Context<'_>) -> bool {
    !matches!(
        super::not_moved(line, String::new(), cx),
        (Proof::Differs(_), _)
    )
}

/// The network ports by their PCI address and by their name.
struct Ports<'h> {
    by_address: BTreeMap<&'h str, Vec<&'h str>>,
    names: Vec<&'h str>,
}

impl<'h> Ports<'h> {
    fn of(host: &'h Host) -> Self {
        let mut by_address: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for nic in &host.nics {
            if let Some(address) = &nic.pci_address {
                by_address.entry(address).or_default().push(&nic.name);
            }
        }
        let names = host.nics.iter().map(|nic| nic.name.as_str()).collect();
        Self { by_address, names }
    }

    /// By the device; on kernels that do not tell it, by a word of the interrupt's name.
    fn name(&self, line: &Line) -> Option<String> {
        if let Some(address) = &line.device {
            return self
                .by_address
                .get(address.as_str())
                .map(|names| names.join(","));
        }
        line.name
            .split(['-', '@', ':'])
            .find(|word| self.names.contains(word))
            .map(str::to_owned)
    }
}

/// The device of an interrupt, without its queues.
fn device(line: &Line, host: &Host, ports: &Ports<'_>) -> IrqDevice {
    let name = if line.name.is_empty() {
        "requested by nobody".to_owned()
    } else {
        ports
            .name(line)
            .or_else(|| line.device.clone())
            .unwrap_or_else(|| "no PCI device".to_owned())
    };
    // An interrupt that nobody requested has no device to speak for, even where it is known.
    let address = line.device.clone().filter(|_| !line.name.is_empty());
    let driver = address
        .as_ref()
        .and_then(|address| host.irqs.drivers.get(address).cloned());
    IrqDevice {
        name,
        driver,
        node: line.node.filter(|_| address.is_some()),
        address,
        queues: Vec::new(),
    }
}
