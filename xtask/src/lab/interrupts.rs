//! `/proc/interrupts`: how often each interrupt reached each CPU.

use anyhow::{Context, Result};
use std::collections::BTreeMap;

/// The row of the local timer interrupts.
pub const LOCAL_TIMER: &str = "LOC";

/// Counts per row and CPU at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interrupts {
    rows: BTreeMap<String, Row>,
}

/// One interrupt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Row {
    counts: BTreeMap<u32, u64>,
    /// The last word: the device or queue. Empty for the architecture's own rows.
    name: String,
}

impl Interrupts {
    /// Parses the file. The header names the CPUs: offline ones have no column.
    pub fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines();
        let header = lines.next().context("/proc/interrupts is empty")?;
        let cpus = header
            .split_whitespace()
            .map(|word| word.strip_prefix("CPU")?.parse().ok())
            .collect::<Option<Vec<u32>>>()
            .with_context(|| {
                format!("/proc/interrupts:1: expected CPU numbers, found {header:?}")
            })?;
        let rows = lines.filter_map(|line| parse_row(line, &cpus)).collect();
        Ok(Self { rows })
    }

    /// The device or queue of a row.
    pub fn name(&self, row: &str) -> &str {
        self.rows.get(row).map_or("", |row| &row.name)
    }

    /// How much a row grew on each CPU until `later`.
    pub fn grown(&self, later: &Self, row: &str) -> BTreeMap<u32, u64> {
        let Some(after) = later.rows.get(row) else {
            return BTreeMap::new();
        };
        let before = self.rows.get(row);
        let count_before = |cpu| {
            before
                .and_then(|row| row.counts.get(cpu))
                .copied()
                .unwrap_or(0)
        };
        after
            .counts
            .iter()
            .map(|(cpu, count)| (*cpu, count.saturating_sub(count_before(cpu))))
            .collect()
    }

    /// The rows that grew on `cpu` until `later`, and by how much.
    pub fn grown_on(&self, later: &Self, cpu: u32) -> BTreeMap<String, u64> {
        let grown = |row: &String| {
            self.grown(later, row)
                .get(&cpu)
                .copied()
                .filter(|count| *count > 0)
        };
        later
            .rows
            .keys()
            .filter_map(|row| Some((row.clone(), grown(row)?)))
            .collect()
    }
}

/// A row without a count for every CPU (ERR, MIS) counts for none of them.
fn parse_row(line: &str, cpus: &[u32]) -> Option<(String, Row)> {
    let (label, rest) = line.trim_start().split_once(':')?;
    let mut words = rest.split_whitespace();
    let counts = cpus
        .iter()
        .map(|cpu| Some((*cpu, words.next()?.parse().ok()?)))
        .collect::<Option<_>>()?;
    let is_device = label.bytes().all(|byte| byte.is_ascii_digit());
    let name = words
        .last()
        .filter(|_| is_device)
        .unwrap_or_default()
        .to_string();
    Some((label.to_string(), Row { counts, name }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "\
            CPU0       CPU2
   0:        146          0   IO-APIC   2-edge      timer
  25:         10          4   PCI-MSIX-0000:21:00.0   0-edge      ens1-rx-0
 LOC:       1000       2000   Local timer interrupts
 ERR:          0
";
    const AFTER: &str = "\
            CPU0       CPU2
   0:        146          0   IO-APIC   2-edge      timer
  25:         11          4   PCI-MSIX-0000:21:00.0   0-edge      ens1-rx-0
  26:          0          5   PCI-MSIX-0000:21:00.0   1-edge      ens1-rx-1
 LOC:       3500       2003   Local timer interrupts
 ERR:          0
";

    #[test]
    fn growth_is_per_cpu_number_not_per_column() {
        let before = Interrupts::parse(BEFORE).expect("parses");
        let after = Interrupts::parse(AFTER).expect("parses");
        assert_eq!(
            before.grown(&after, LOCAL_TIMER),
            BTreeMap::from([(0, 2500), (2, 3)])
        );
        assert_eq!(
            before.grown_on(&after, 2),
            BTreeMap::from([("26".into(), 5), ("LOC".into(), 3)])
        );
        assert_eq!(after.name("25"), "ens1-rx-0");
        assert_eq!(after.name("LOC"), "");
        assert_eq!(before.grown(&after, "ERR"), BTreeMap::new());
    }

    #[test]
    fn another_file_is_refused() {
        assert!(Interrupts::parse("").is_err());
        assert!(Interrupts::parse("cpu0 cpu1\n").is_err());
    }
}
