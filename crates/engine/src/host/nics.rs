//! Network ports with a device behind them, from `/sys/class/net` (Documentation/ABI/testing/sysfs-class-net).

use std::collections::BTreeSet;

use hftune_model::host::Nic;
use hftune_model::names::is_pci_address;

use super::facts::Facts;
use super::{drops, pcie, uppers};

const NET: &str = "/sys/class/net";

const BUS: &str = "/sys/bus/pci/devices";

/// Drivers of ports that libvma can drive: ConnectX-4 and later, ConnectX-3.
const VMA_DRIVERS: &[&str] = &["mlx5_core", "mlx4_core", "mlx4_en"];

pub(super) fn read(facts: &Facts<'_>) -> Vec<Nic> {
    let mut nics: Vec<Nic> = facts
        .list(NET)
        .iter()
        .filter(|name| facts.root().exists(format!("{NET}/{name}/device")))
        .map(|name| nic(facts, name))
        .collect();
    tell_apart(facts, &mut nics);
    nics
}

/// Gives each port a device of its own, where several have one name for it: ports that a switch in the card stands for are
/// at the address of the port that leads out of it, and are known by their own names, like pf0vf1
/// (Documentation/networking/switchdev.rst). What cannot be told apart is known by the name of its interface only.
fn tell_apart(facts: &Facts<'_>, nics: &mut [Nic]) {
    let shared = |nics: &[Nic]| -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let devices = nics.iter().filter_map(|nic| nic.device.as_ref());
        devices.filter(|at| !seen.insert(*at)).cloned().collect()
    };
    let is_in = |nic: &Nic, shared: &BTreeSet<String>| {
        nic.device.as_ref().is_some_and(|at| shared.contains(at))
    };
    let first = shared(nics);
    for nic in nics.iter_mut().filter(|nic| is_in(nic, &first)) {
        // EOPNOTSUPP where the driver gives none.
        let name = facts.word_if_told(&format!("{NET}/{}/phys_port_name", nic.name));
        // The port that leads out is p0, p1.
        if let Some(name) = name.filter(|name| name.starts_with("pf") || name.starts_with('c')) {
            nic.device = nic.pci_address.as_ref().map(|at| format!("{at}#{name}"));
        }
    }
    let still = shared(nics);
    for nic in nics.iter_mut().filter(|nic| is_in(nic, &still)) {
        nic.device = None;
    }
}

/// The interfaces in `/proc/sys/net/ipv4/conf`, besides the two that stand for all and for later ones.
pub(super) fn interfaces(facts: &Facts<'_>) -> Vec<String> {
    facts
        .list("/proc/sys/net/ipv4/conf")
        .iter()
        .filter(|name| !matches!(name.as_str(), "all" | "default"))
        .cloned()
        .collect()
}

fn nic(facts: &Facts<'_>, name: &str) -> Nic {
    let port = format!("{NET}/{name}");
    let driver = facts.link_name(&format!("{port}/device/driver"));
    let pci = pci_directory(facts, name);
    let pci_file = |file: &str| facts.word(&format!("{}/{file}", pci.as_deref()?));
    let pci_address = pci
        .as_deref()
        .and_then(|pci| pci.rsplit('/').next())
        .map(str::to_owned);
    // The first port is 0, and so is that of a driver that does not tell (Documentation/ABI/testing/sysfs-class-net).
    let number = facts.number::<u32>(&format!("{port}/dev_port"));
    Nic {
        device: pci_address.as_ref().map(|at| match number {
            Some(number) if number > 0 => format!("{at}#{number}"),
            _ => at.clone(),
        }),
        pcie: pci.as_deref().and_then(|pci| pcie::read(facts, pci)),
        carrier_changes: facts.number(&format!("{port}/carrier_changes")),
        drops: drops::read(facts, name),
        drops_since: None,
        uppers: uppers::above(facts, name),
        // Filled in where it is known.
        carries: Vec::new(),
        vma_capable: driver
            .as_deref()
            .is_some_and(|driver| VMA_DRIVERS.contains(&driver)),
        pci_id: pci_file("vendor")
            .zip(pci_file("device"))
            .map(|(vendor, device)| format!("{}:{}", hexadecimal(&vendor), hexadecimal(&device))),
        // -1: the firmware does not say (Documentation/ABI/testing/sysfs-bus-pci).
        node: pci
            .as_deref()
            .and_then(|pci| facts.number::<i32>(&format!("{pci}/numa_node")))
            .and_then(|node| u32::try_from(node).ok()),
        pci_address,
        // EINVAL while the link is down, or -1.
        speed_mbps: facts
            .word_if_told(&format!("{port}/speed"))
            .and_then(|speed| speed.parse().ok())
            .filter(|speed| *speed > 0),
        state: facts.word(&format!("{port}/operstate")),
        mac: facts.word(&format!("{port}/address")),
        driver,
        name: name.to_owned(),
    }
}

/// The directory of the PCI device of a port.
///
/// The link of the port is resolved as text, since `device` of a virtio port is not the PCI device but below it:
/// `../../devices/pci0000:00/0000:00:05.0/virtio1/net/eth0`.
fn pci_directory(facts: &Facts<'_>, name: &str) -> Option<String> {
    let target = facts
        .root()
        .link_target(format!("{NET}/{name}"))
        .map(|target| resolve(NET, &target));
    if let Some(pci) = target.as_deref().and_then(pci_ancestor) {
        return Some(pci.to_owned());
    }
    // A copied tree may have a directory in place of the link.
    let device = facts.link_name(&format!("{NET}/{name}/device"))?;
    is_pci_address(&device).then(|| {
        let target = facts.root().link_target(format!("{BUS}/{device}"));
        let directory = target.map(|target| resolve(BUS, &target));
        directory
            .filter(|directory| pci_ancestor(directory) == Some(directory))
            .unwrap_or_else(|| format!("{BUS}/{device}"))
    })
}

/// The path of a link's target, with its dots resolved as text.
fn resolve(dir: &str, target: &str) -> String {
    let mut parts: Vec<&str> = match target.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => dir.split('/').filter(|part| !part.is_empty()).collect(),
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The part of a path up to the last PCI address in it.
fn pci_ancestor(path: &str) -> Option<&str> {
    let mut end = path.len();
    loop {
        let (rest, name) = path[..end].rsplit_once('/')?;
        if is_pci_address(name) {
            return Some(&path[..end]);
        }
        end = rest.len();
    }
}

fn hexadecimal(id: &str) -> &str {
    id.strip_prefix("0x").unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_the_pci_device_above_a_port() {
        let pci = |target: &str| pci_ancestor(&resolve(NET, target)).map(str::to_owned);
        assert_eq!(
            pci("../../devices/pci0000:00/0000:00:05.0/virtio1/net/eth0").as_deref(),
            Some("/sys/devices/pci0000:00/0000:00:05.0")
        );
        assert_eq!(
            pci("../../devices/pci0000:3a/0000:3a:00.0/0000:3b:00.1/net/ens1f1").as_deref(),
            Some("/sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.1")
        );
        assert_eq!(pci("../../devices/virtual/net/lo"), None);
        assert_eq!(pci("../../../../../.."), None);
    }

    proptest! {
        #[test]
        fn never_panics(target in "[./a0:é]{0,40}") {
            let _ = pci_ancestor(&resolve(NET, &target));
            let _ = pci_ancestor(&target);
        }
    }
}
