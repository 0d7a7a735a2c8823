//! Which PCI device raises an interrupt: by what the kernel prints of its chip, else by the directories of the devices.

use std::collections::{BTreeMap, BTreeSet};

use hftune_model::names::is_pci_address;

use super::facts::{Facts, number_after};
use super::irqs::InterruptLine;

const PCI: &str = "/sys/bus/pci/devices";

/// What is known of the devices that raise interrupts.
#[derive(Debug, Default)]
pub(super) struct Devices {
    /// PCI address by IRQ number.
    pub by_irq: BTreeMap<u32, String>,
    /// Driver by PCI address.
    pub drivers: BTreeMap<String, String>,
    /// NUMA node by PCI address; a device whose firmware says nothing is left out.
    pub nodes: BTreeMap<String, u32>,
}

/// The devices of these lines.
///
/// Since Linux 6.2 the chip of a PCI interrupt names its device (per-device MSI domains, drivers/pci/msi/irqdomain.c), and
/// mlx5 has put it into the name of the queue since 6.4. Only where neither does, one directory a device is listed:
/// `msi_irqs` (Documentation/ABI/testing/sysfs-bus-pci).
pub(super) fn read<'l>(
    facts: &Facts<'_>,
    lines: impl Iterator<Item = &'l InterruptLine>,
) -> Devices {
    let mut devices = Devices::default();
    let (mut message, mut wired) = (false, BTreeSet::new());
    for line in lines {
        if let Some(address) = named_device(line) {
            devices.by_irq.insert(line.number, address.to_owned());
        } else if is_message_signalled(&line.chip) {
            message = true;
        } else if is_pin(line) {
            wired.insert(line.number);
        }
    }
    if message {
        for address in facts.list(PCI).iter().filter(|name| is_pci_address(name)) {
            for irq in facts.numbered(&format!("{PCI}/{address}/msi_irqs"), "") {
                devices.by_irq.entry(irq).or_insert_with(|| address.clone());
            }
        }
    }
    if !wired.is_empty() {
        pins(facts, &wired, &mut devices.by_irq);
    }
    let used: BTreeSet<&String> = devices.by_irq.values().collect();
    for address in used {
        if let Some(driver) = facts.link_name(&format!("{PCI}/{address}/driver")) {
            devices.drivers.insert(address.clone(), driver);
        }
        // -1: the firmware does not say.
        let node = facts
            .number::<i32>(&format!("{PCI}/{address}/numa_node"))
            .and_then(|node| u32::try_from(node).ok());
        if let Some(node) = node {
            devices.nodes.insert(address.clone(), node);
        }
    }
    devices
}

/// The address in "IR-PCI-MSIX-0000:3b:00.0 1-edge" or in "mlx5_comp0@pci:0000:3b:00.0".
fn named_device(line: &InterruptLine) -> Option<&str> {
    let chip = line.chip.split_ascii_whitespace().next().unwrap_or("");
    let of_chip = chip.rsplit_once('-').map(|(_, address)| address);
    let of_name = line
        .name
        .split_once("@pci:")
        .map(|(_, address)| address.split([',', ' ']).next().unwrap_or_default());
    [of_chip, of_name]
        .into_iter()
        .flatten()
        .find(|address| is_pci_address(address))
}

/// Whether a chip is that of messages from PCI devices; those of the IOMMU and the HPET are not.
pub(super) fn is_message_signalled(chip: &str) -> bool {
    chip.contains("MSI") && !chip.contains("DMAR") && !chip.contains("HPET")
}

/// Whether it may come from the pin of a PCI device: those are level-triggered, and ISA has the first 16 for itself.
fn is_pin(line: &InterruptLine) -> bool {
    line.number >= 16
        && !line.name.is_empty()
        && (line.chip.ends_with("fasteoi") || line.chip.contains(" Level"))
}

/// The devices on the pins: the file `irq` of a device without messages. Where devices share a pin, none is named.
fn pins(facts: &Facts<'_>, wired: &BTreeSet<u32>, by_irq: &mut BTreeMap<u32, String>) {
    let with_messages: BTreeSet<String> = by_irq.values().cloned().collect();
    let mut found: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for address in facts.list(PCI).iter().filter(|name| is_pci_address(name)) {
        let irq = facts
            .word_if_told(&format!("{PCI}/{address}/irq"))
            .and_then(|text| number_after(&text, ""));
        // The firmware fills the file in for devices without a driver too.
        if let Some(irq) = irq.filter(|irq| wired.contains(irq))
            && !with_messages.contains(address)
            && facts
                .link_name(&format!("{PCI}/{address}/driver"))
                .is_some()
        {
            found.entry(irq).or_default().push(address.clone());
        }
    }
    for (irq, mut addresses) in found {
        if addresses.len() == 1 {
            by_irq.extend(addresses.pop().map(|address| (irq, address)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_device_in_what_the_kernel_prints() {
        let line = |chip: &str, name: &str| InterruptLine {
            chip: chip.to_owned(),
            name: name.to_owned(),
            ..InterruptLine::default()
        };
        for (chip, name, address) in [
            (
                "IR-PCI-MSIX-0000:3b:00.0 1-edge",
                "eth0",
                Some("0000:3b:00.0"),
            ),
            (
                "PCI-MSI-10000:e1:00.0 0-edge",
                "nvme0q1",
                Some("10000:e1:00.0"),
            ),
            (
                "PCI-MSI 524288-edge",
                "mlx5_comp0@pci:0000:3b:00.1",
                Some("0000:3b:00.1"),
            ),
            ("PCI-MSI 524288-edge", "eth0-rx-0", None),
            ("IO-APIC 16-fasteoi", "i801_smbus", None),
            ("", "@pci:", None),
        ] {
            assert_eq!(named_device(&line(chip, name)), address, "{chip} {name}");
        }
        assert!(is_message_signalled("PCI-MSI 524288-edge"));
        assert!(
            !is_message_signalled("DMAR-MSI 0-edge") && !is_message_signalled("HPET_MSI 3-edge")
        );
    }
}
