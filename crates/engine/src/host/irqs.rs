//! The interrupts of devices, from `/proc/interrupts` and `/proc/irq` (Documentation/core-api/irq/irq-affinity.rst).

use std::collections::{BTreeMap, BTreeSet};

use hftune_model::host::{Irq, Irqs};
use hftune_model::{CpuSet, Error, Result};
use hftune_sys::Root;

use super::facts::{Facts, number_after};
use super::irq_devices;

const DIR: &str = "/proc/irq";

/// A directory in debugfs, which says of each interrupt what procfs does not (kernel/irq/debugfs.c). Most production
/// kernels are built without it.
const DEBUG_DIR: &str = "/sys/kernel/debug/irq/irqs";

/// A count of zero in its column: both `%10u ` of older kernels and ` %10u` of newer ones leave this between one number
/// and the next. Most of the table is zeros, so they are skipped a column at a time.
const ZERO: &[u8] = b"          0";

/// One line of `/proc/interrupts`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InterruptLine {
    /// The number of the IRQ.
    pub number: u32,
    /// Interrupts so far, all online CPUs together.
    pub count: u64,
    /// Chip, hardware number and flow, like "PCI-MSIX-0000:01:00.0 1-edge" or "GICv3 27 Level".
    pub chip: String,
    /// Who asked for it, like "ens1f0-TxRx-3"; several names are separated by ", "; empty for nobody.
    pub name: String,
}

/// Since this kernel the file modes say which interrupts take no writes ("genirq/procfs: Correctly set file permissions
/// for affinity control files", kernel/irq/proc.c).
const MODES_SINCE: (u32, u32) = (6, 12);

/// How long an interrupt that is not where it was asked to be is watched: it may be waiting to fire.
const WATCH: std::time::Duration = std::time::Duration::from_millis(250);

pub(super) fn read(facts: &Facts<'_>, kernel: Option<(u32, u32)>) -> Irqs {
    let mut lines: BTreeMap<u32, InterruptLine> = facts
        .parsed_once("/proc/interrupts", parse_interrupts)
        .unwrap_or_default()
        .into_iter()
        .map(|line| (line.number, line))
        .collect();
    let devices = irq_devices::read(facts, lines.values());
    // The kernel leaves out the line of an IRQ that nobody asked for and that never fired.
    let directories = facts.numbered(DIR, "");
    let numbers: BTreeSet<u32> = lines.keys().chain(&directories).copied().collect();
    let debugged: BTreeSet<u32> = facts
        .list_if_told(DEBUG_DIR)
        .iter()
        .filter_map(|name| number_after(name, ""))
        .collect();
    let writable = writable(facts, &directories, kernel);
    let mut list: Vec<Irq> = numbers
        .into_iter()
        .map(|number| {
            let line = lines.remove(&number);
            let (name, chip, count) = line.map(|l| (l.name, l.chip, l.count)).unwrap_or_default();
            let writable = writable.get(&number).copied();
            let managed = debugged
                .contains(&number)
                .then(|| facts.word_if_told(&format!("{DEBUG_DIR}/{number}")))
                .flatten()
                .map(|state| state.contains("IRQD_AFFINITY_MANAGED"))
                // Of what takes no writes, the kernel manages the queues of devices; the rest it binds.
                .or_else(|| match writable {
                    Some(false) if !irq_devices::is_message_signalled(&chip) => None,
                    writable => writable.map(|writable| !writable),
                });
            let device = devices.by_irq.get(&number).cloned();
            Irq {
                number,
                name,
                chip,
                count,
                requested: facts.cpus(&requested_file(number)),
                effective: facts.cpus_once(&format!("{DIR}/{number}/effective_affinity_list")),
                managed,
                fixed: writable == Some(false) && managed != Some(true),
                fired_since: None,
                node: device
                    .as_ref()
                    .and_then(|device| devices.nodes.get(device).copied()),
                device,
            }
        })
        .collect();
    watch(facts, &mut list);
    Irqs {
        list,
        default_affinity: facts.parsed(&format!("{DIR}/default_smp_affinity"), CpuSet::parse_mask),
        drivers: devices.drivers,
    }
}

fn requested_file(number: u32) -> String {
    format!("{DIR}/{number}/smp_affinity_list")
}

/// Which interrupts take writes, where the file modes tell: on the live machine, and in a tree that has kept both kinds of
/// modes. A kernel with a backport of the change is known by its first file that takes none.
fn writable(facts: &Facts<'_>, numbers: &[u32], kernel: Option<(u32, u32)>) -> BTreeMap<u32, bool> {
    let since = kernel.is_some_and(|kernel| kernel >= MODES_SINCE);
    let live = facts.root().is_live();
    if !live && !since {
        return BTreeMap::new();
    }
    let mut modes: BTreeMap<u32, bool> = numbers
        .iter()
        .filter_map(|number| {
            let mode = facts.mode_with_text(&requested_file(*number))?;
            Some((*number, mode & 0o222 != 0))
        })
        .collect();
    let both = modes.values().any(|writable| *writable) && modes.values().any(|writable| !writable);
    if !(both || live && since) {
        // That nothing is said of any does not make one of them movable.
        modes.retain(|_, writable| live && !*writable);
    }
    modes
}

/// An interrupt that is not where it was asked to be either has not fired since, or the kernel did not move it: a second
/// look at the counts tells them apart. Hardly any machine has one, so that this costs its time where it answers something.
fn watch(facts: &Facts<'_>, list: &mut [Irq]) {
    let waits = |irq: &Irq| {
        irq.count > 0
            && matches!((&irq.requested, &irq.effective), (Some(asked), Some(fires))
                if !asked.is_empty() && !fires.is_subset(asked))
    };
    if !facts.root().is_live() || !list.iter().any(waits) {
        return;
    }
    std::thread::sleep(WATCH);
    let root = facts.root();
    let counts = counts_now(root);
    for irq in list.iter_mut().filter(|irq| waits(irq)) {
        irq.fired_since = counts
            .get(&irq.number)
            .map(|count| count.saturating_sub(irq.count));
        // The very interrupt that was counted may have moved it.
        if irq.fired_since > Some(0) {
            irq.effective = effective_now(root, irq.number).or(irq.effective.take());
        }
    }
}

/// Where an interrupt fires, read anew; `None` where that cannot be read.
pub fn effective_now(root: &Root, number: u32) -> Option<CpuSet> {
    let text = root.read_text(format!("{DIR}/{number}/effective_affinity_list"));
    CpuSet::parse_list(&text.ok()?, None).ok()
}

/// Interrupts so far, by IRQ, read anew; empty where `/proc/interrupts` cannot be read.
pub fn counts_now(root: &Root) -> BTreeMap<u32, u64> {
    root.read_text("/proc/interrupts")
        .and_then(|text| parse_interrupts(&text))
        .unwrap_or_default()
        .into_iter()
        .map(|line| (line.number, line.count))
        .collect()
}

/// Reads `/proc/interrupts`: the numbered lines; those of the CPUs themselves (NMI, LOC, IPI0, ...) are skipped.
///
/// The layout is that of `show_interrupts()` (kernel/irq/proc.c): a column for each online CPU, the chip, the hardware
/// number, the flow and the names of all actions.
pub fn parse_interrupts(text: &str) -> Result<Vec<InterruptLine>> {
    let header = text.lines().next().unwrap_or_default();
    let columns = header.split_ascii_whitespace().count();
    if columns == 0
        || !header
            .split_ascii_whitespace()
            .all(|word| number_after(word, "CPU").is_some())
    {
        let start: String = header.chars().take(40).collect();
        return Err(
            Error::invalid(format!("expected the names of CPUs, found \"{start}\"")).line(1),
        );
    }
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate().skip(1) {
        let Some((label, rest)) = line.split_once(':') else {
            if line.trim().is_empty() {
                continue;
            }
            let start: String = line.chars().take(40).collect();
            return Err(
                Error::invalid(format!("expected an IRQ and a colon, found \"{start}\""))
                    .line(index + 1),
            );
        };
        let label = label.trim();
        if !label.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let number = number_after(label, "").ok_or_else(|| {
            Error::invalid(format!("\"{label}\" is no IRQ number")).line(index + 1)
        })?;
        let (count, description) = sum_counts(rest, columns);
        let (chip, name) = split_description(description);
        lines.push(InterruptLine {
            number,
            count,
            chip,
            name,
        });
    }
    Ok(lines)
}

/// The sum of the first `columns` numbers, and what follows them.
fn sum_counts(text: &str, columns: usize) -> (u64, &str) {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut sum = 0u64;
    for _ in 0..columns {
        if bytes[at..].starts_with(ZERO)
            && !bytes.get(at + ZERO.len()).is_some_and(u8::is_ascii_digit)
        {
            at += ZERO.len();
            continue;
        }
        let start = at + bytes[at..].iter().take_while(|b| **b == b' ').count();
        let mut end = start;
        let mut value = 0u64;
        while let Some(digit) = bytes.get(end).filter(|b| b.is_ascii_digit()) {
            value = value
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'));
            end += 1;
        }
        // A line with fewer columns, as where a CPU went away in between: the word of the chip ends the numbers.
        if end == start || bytes.get(end).is_some_and(|b| !b.is_ascii_whitespace()) {
            break;
        }
        sum = sum.saturating_add(value);
        at = end;
    }
    (sum, &text[at..])
}

/// Splits what follows the counts into the chip and the names: `PCI-MSIX-0000:18:00.0 66-edge   megasas1-msix66`,
/// `GICv3  27 Level   arch_timer`, `XT-PIC   cascade`.
fn split_description(text: &str) -> (String, String) {
    let (chip, mut rest) = first_word(text);
    let mut chip = chip.to_owned();
    let is_number = |word: &str| {
        let digits = word.split_once('-').map_or(word, |(digits, _)| digits);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let is_trigger = |word: &str| matches!(word, "Level" | "Edge");
    let is_flow = |word: &str| word.len() > 1 && word.starts_with('-');
    let parts: [&dyn Fn(&str) -> bool; 3] = [&is_number, &is_trigger, &is_flow];
    for is_part in parts {
        let (word, after) = first_word(rest);
        if is_part(word) {
            chip.push(' ');
            chip.push_str(word);
            rest = after;
        }
    }
    (chip, rest.trim().to_owned())
}

fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use proptest::prelude::*;

    fn one(line: &str) -> (u32, u64, String, String) {
        let text = format!("           CPU0       CPU1       \n{line}\n");
        let mut lines = parse_interrupts(&text).expect(line);
        let line = lines.remove(0);
        (line.number, line.count, line.chip, line.name)
    }

    fn irq(number: u32, count: u64, chip: &str, name: &str) -> (u32, u64, String, String) {
        (number, count, chip.to_owned(), name.to_owned())
    }

    #[test]
    fn reads_the_layouts_of_several_kernels() {
        assert_eq!(
            one(" 24:          1          0  IO-APIC   5-edge      ACPI:Ged"),
            irq(24, 1, "IO-APIC 5-edge", "ACPI:Ged")
        );
        assert_eq!(
            one(
                " 88:          0   12345678  IR-PCI-MSIX-0000:19:00.1   2-edge      i40e-eno2-TxRx-1"
            ),
            irq(
                88,
                12_345_678,
                "IR-PCI-MSIX-0000:19:00.1 2-edge",
                "i40e-eno2-TxRx-1"
            )
        );
        assert_eq!(
            one("  16:         29          0   IO-APIC  16-fasteoi   ehci_hcd:usb1, i801_smbus"),
            irq(16, 29, "IO-APIC 16-fasteoi", "ehci_hcd:usb1, i801_smbus")
        );
        assert_eq!(
            one(" 11:       1000       2000     GICv3  27 Level     arch_timer"),
            irq(11, 3000, "GICv3 27 Level", "arch_timer")
        );
        assert_eq!(
            one("  2:          0          0    XT-PIC      cascade"),
            irq(2, 0, "XT-PIC", "cascade")
        );
        assert_eq!(
            one("  3:          0          5      None     "),
            irq(3, 5, "None", "")
        );
        assert_eq!(
            one("130: 4294967295 4294967295 PCI-MSI 524288-edge      eth0"),
            irq(130, 8_589_934_590, "PCI-MSI 524288-edge", "eth0")
        );
        assert_eq!(one("  5:          7"), irq(5, 7, "", ""));
    }

    #[test]
    fn skips_the_lines_of_the_cpus() {
        let text = "     CPU0 CPU12\n  1:  3  4  X 1-edge  a\n\nNMI:  5  6  Non-maskable interrupts\nERR:  0\nIPI0: 1 1 x\n";
        assert_eq!(parse_interrupts(text).expect("table").len(), 1);
    }

    #[test]
    fn says_what_makes_no_sense() {
        let error = |text: &str| {
            let error = parse_interrupts(text).expect_err("garbage");
            (error.line.unwrap_or(0), error.what)
        };
        assert_eq!(
            error(""),
            (1, "expected the names of CPUs, found \"\"".to_owned())
        );
        assert_eq!(
            error("CPU0\nrubbish\n"),
            (
                2,
                "expected an IRQ and a colon, found \"rubbish\"".to_owned()
            )
        );
        assert_eq!(
            error("CPU0\n99999999999: 1\n"),
            (2, "\"99999999999\" is no IRQ number".to_owned())
        );
    }

    /// A table as large as the largest machines have; printed, not judged, since machines differ.
    #[test]
    fn reads_a_large_table_fast() {
        let (cpus, irqs) = (256, 4000);
        let mut text = (0..cpus).fold(String::new(), |mut text, cpu| {
            let _ = write!(text, "{:>11}", format!("CPU{cpu}"));
            text
        });
        for irq in 0..irqs {
            let _ = write!(text, "\n{irq:>4}:");
            for cpu in 0..cpus {
                let _ = write!(text, " {:>10}", if cpu == irq % cpus { 123_456 } else { 0 });
            }
            let _ = write!(
                text,
                "  IR-PCI-MSIX-0000:3b:00.0 {irq:>4}-edge      mlx5_comp{irq}@pci:0000:3b:00.0"
            );
        }
        let start = std::time::Instant::now();
        let lines = parse_interrupts(&text).expect("table");
        println!("{} MB in {:?}", text.len() / 1_000_000, start.elapsed());
        assert_eq!(lines.len(), irqs);
        assert!(lines.iter().all(|line| line.count == 123_456));
        assert_eq!(lines[7].name, "mlx5_comp7@pci:0000:3b:00.0");
    }

    proptest! {
        #[test]
        fn never_panics(text in "(CPU0 CPU1\n)?([ 0-9]{0,3}:?[ 0]{0,14}[a-z0-9é:, -]{0,20}\n){0,4}", any in ".{0,40}") {
            let _ = parse_interrupts(&text);
            let _ = parse_interrupts(&any);
        }

        #[test]
        fn sums_what_was_printed(counts in proptest::collection::vec(prop_oneof![Just(0u64), 0..5_000_000_000u64], 1..20)) {
            let mut text = " CPU0".repeat(counts.len());
            text.push_str("\n  7: ");
            for count in &counts {
                let _ = write!(text, "{count:>10} ");
            }
            text.push_str("  PCI-MSI 12-edge      eth0");
            let lines = parse_interrupts(&text).expect("table");
            prop_assert_eq!(lines[0].count, counts.iter().sum::<u64>());
            prop_assert_eq!(&lines[0].name, "eth0");
        }
    }
}
