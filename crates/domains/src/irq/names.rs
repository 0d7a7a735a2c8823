//! What interrupts are called: device and queue, as their drivers name them. Numbers are given anew at every boot and with
//! every change of the queues, so that they are the last resort.

use std::collections::HashMap;

use hftune_model::host::{Host, Irq as Line};

/// Interrupts that somebody requested, by id, in rising order of their numbers.
///
/// Where devices share a name, the PCI address tells them apart; where a device gives one name to several interrupts, their
/// places in the device do.
pub(super) fn named(host: &Host) -> Vec<(String, &Line)> {
    let mut named: Vec<(String, &Line)> = host
        .irqs
        .list
        .iter()
        .filter(|line| !line.name.is_empty())
        .map(|line| (format!("irq/{}", line.name.replace([' ', '\t'], "")), line))
        .collect();
    for refine in [with_device, with_place, with_number] {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for (id, _) in &named {
            *counts.entry(id.clone()).or_default() += 1;
        }
        if counts.len() == named.len() {
            break;
        }
        for (id, line) in &mut named {
            if counts[id] > 1 {
                id.push_str(&refine(line));
            }
        }
    }
    named
}

/// `@pci:0000:3b:00.0`, as mlx5 writes it.
fn with_device(line: &Line) -> String {
    match &line.device {
        Some(address) if !line.name.contains("@pci:") => format!("@pci:{address}"),
        _ => String::new(),
    }
}

/// The number that the device or the chip gives it: 3 of "PCI-MSIX-0000:02:00.0 3-edge".
fn with_place(line: &Line) -> String {
    line.chip
        .split_ascii_whitespace()
        .nth(1)
        .map(|word| word.split('-').next().unwrap_or(word))
        .filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()))
        .map_or_else(String::new, |number| format!("#{number}"))
}

fn with_number(line: &Line) -> String {
    format!("#irq{}", line.number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(lines: &[(&str, &str, Option<&str>)]) -> Host {
        let mut host = Host::default();
        host.irqs.list = lines
            .iter()
            .zip(24..)
            .map(|((name, chip, device), number)| Line {
                number,
                name: (*name).to_owned(),
                chip: (*chip).to_owned(),
                device: device.map(str::to_owned),
                ..Line::default()
            })
            .collect();
        host
    }

    fn ids(lines: &[(&str, &str, Option<&str>)]) -> Vec<String> {
        named(&host(lines)).into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn tells_apart_by_device_and_place_before_number() {
        let (a, b) = (Some("0000:3b:00.0"), Some("0000:3b:00.1"));
        assert_eq!(
            ids(&[
                ("eth0-rx-0", "PCI-MSIX-0000:3b:00.0 1-edge", a),
                ("mlx5_comp0", "PCI-MSIX-0000:3b:00.0 1-edge", a),
                ("mlx5_comp0", "PCI-MSIX-0000:3b:00.1 1-edge", b),
                (
                    "xhci_hcd",
                    "PCI-MSIX-0000:02:00.0 0-edge",
                    Some("0000:02:00.0")
                ),
                (
                    "xhci_hcd",
                    "PCI-MSIX-0000:02:00.0 1-edge",
                    Some("0000:02:00.0")
                ),
                ("i8042", "IO-APIC 1-edge", None),
                ("i8042", "IO-APIC 12-edge", None),
                ("PCIe PME, aerdrv", "", None),
                ("x", "", None),
                ("x", "", None),
                ("", "", None),
            ]),
            [
                "irq/eth0-rx-0",
                "irq/mlx5_comp0@pci:0000:3b:00.0",
                "irq/mlx5_comp0@pci:0000:3b:00.1",
                "irq/xhci_hcd@pci:0000:02:00.0#0",
                "irq/xhci_hcd@pci:0000:02:00.0#1",
                "irq/i8042#1",
                "irq/i8042#12",
                "irq/PCIePME,aerdrv",
                "irq/x#irq32",
                "irq/x#irq33",
            ]
        );
    }

    proptest! {
        // A driver would have to use hftune's own marks, @ and #, in its names.
        #[test]
        fn no_two_are_the_same(lines in proptest::collection::vec(("[ab]{0,3}", "X [0-9]{0,2}-edge", proptest::option::of("[01]")), 0..12)) {
            let lines: Vec<_> = lines.iter().map(|(name, chip, device)| (name.as_str(), chip.as_str(), device.as_deref())).collect();
            let ids = ids(&lines);
            let distinct: std::collections::HashSet<_> = ids.iter().collect();
            prop_assert_eq!(distinct.len(), ids.len());
        }
    }
}
