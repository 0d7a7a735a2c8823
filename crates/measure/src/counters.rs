//! What the kernel counts for each CPU anyway: an independent word on what disturbed it.

use std::collections::BTreeMap;

use hftune_model::Result;
use hftune_model::jitter::Counted;
use hftune_sys::Root;

/// The counts of all CPUs at one moment: by name, at the place of each CPU's number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters(BTreeMap<String, Vec<u64>>);

impl Counters {
    /// Reads `/proc/interrupts`, `/proc/softirqs` and the stolen time of `/proc/stat`.
    pub fn read(root: &Root) -> Result<Self> {
        let mut all = Self::of_interrupts(root)?;
        for line in root.read_text("/proc/stat")?.lines() {
            let mut words = line.split_ascii_whitespace();
            let cpu = words
                .next()
                .and_then(|word| word.strip_prefix("cpu")?.parse().ok());
            // user nice system idle iowait irq softirq steal (proc_stat(5)).
            if let (Some(cpu), Some(steal)) = (cpu, words.nth(7).and_then(|word| word.parse().ok()))
            {
                all.set("steal", [(cpu, steal)]);
            }
        }
        Ok(all)
    }

    /// The same without stolen time.
    pub fn of_interrupts(root: &Root) -> Result<Self> {
        let mut all = Self::default();
        all.table(&root.read_text("/proc/interrupts")?, "");
        all.table(&root.read_text("/proc/softirqs")?, "softirq ");
        Ok(all)
    }

    fn set(&mut self, name: &str, counts: impl IntoIterator<Item = (usize, u64)>) {
        let row = self.0.entry(name.to_owned()).or_default();
        for (cpu, count) in counts {
            row.resize(row.len().max(cpu + 1), 0);
            row[cpu] = count;
        }
    }

    /// What was counted for a CPU since, most first.
    pub fn since(&self, before: &Self, cpu: u32) -> Vec<Counted> {
        let at = |row: Option<&Vec<u64>>| {
            let count = row.and_then(|row| row.get(cpu as usize));
            count.copied().unwrap_or_default()
        };
        let mut counted: Vec<Counted> = self
            .0
            .iter()
            .filter_map(|(name, row)| {
                let count = at(Some(row)).checked_sub(at(before.0.get(name)))?;
                (count > 0).then(|| Counted {
                    what: name.clone(),
                    count,
                })
            })
            .collect();
        counted.sort_by_key(|counted| std::cmp::Reverse(counted.count));
        counted
    }

    /// A table with a column for each online CPU. A numbered row is named by its last words, which say who asked for it.
    fn table(&mut self, text: &str, prefix: &str) {
        let mut lines = text.lines();
        let cpus: Vec<usize> = lines
            .next()
            .unwrap_or_default()
            .split_ascii_whitespace()
            .filter_map(|word| word.strip_prefix("CPU")?.parse().ok())
            .collect();
        for line in lines {
            let Some((label, rest)) = line.split_once(':') else {
                continue;
            };
            let mut words = rest.split_ascii_whitespace();
            let counts: Vec<u64> = words
                .by_ref()
                .take(cpus.len())
                .map_while(|word| word.parse().ok())
                .collect();
            // ERR and MIS have one number for all.
            if counts.len() != cpus.len() {
                continue;
            }
            let label = label.trim();
            let name = match words.last() {
                Some(device) if label.parse::<u32>().is_ok() => {
                    format!("{prefix}IRQ {label} {device}")
                }
                _ => format!("{prefix}{label}"),
            };
            self.set(&name, cpus.iter().copied().zip(counts));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_since_is_told_by_cpu() {
        let read = |text: &str| {
            let mut all = Counters::default();
            all.table(text, "");
            all
        };
        let before = read(
            "           CPU0       CPU2\n  5:   1   7  IO-APIC  5-edge  eth0\nLOC: 10 20 Local timer interrupts\nERR: 0\n",
        );
        let now = read(
            "           CPU0       CPU2\n  5:   1   9  IO-APIC  5-edge  eth0\nLOC: 10 320 Local timer interrupts\nERR: 0\n",
        );
        let told: Vec<_> = now
            .since(&before, 2)
            .into_iter()
            .map(|c| (c.what, c.count))
            .collect();
        assert_eq!(
            told,
            [("LOC".to_owned(), 300), ("IRQ 5 eth0".to_owned(), 2)]
        );
        assert_eq!(now.since(&before, 0), []);
    }
}
