//! What every CPU does from moment to moment, out of the kernel's counts: two samples make a view.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hftune_model::{CpuSet, Result};
use hftune_sys::Root;

use crate::counters::Counters;
use crate::quiet::Rates;

/// `USER_HZ`: the unit of process times in `/proc`, the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Counts of a port that say that packets were lost (Documentation/ABI/testing/sysfs-class-net-statistics).
const DROPS: [&str; 4] = [
    "rx_dropped",
    "rx_missed_errors",
    "rx_fifo_errors",
    "tx_dropped",
];

/// What the kernel counted until now.
#[derive(Debug)]
pub struct Sample {
    at: Instant,
    counters: Counters,
    /// Of each CPU, in ticks: busy, stolen, and all.
    times: BTreeMap<u32, [u64; 3]>,
    /// Of each thread: its name, the CPU that it ran on last, and its ticks.
    threads: BTreeMap<u32, (String, u32, u64)>,
    drops: BTreeMap<String, u64>,
    huge_pages: Option<(u64, u64)>,
    megahertz: BTreeMap<u32, f64>,
}

/// One CPU.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its number.
    pub cpu: u32,
    /// Whether it is the application's.
    pub isolated: bool,
    /// What reached it in a second.
    pub rates: Rates,
    /// The share of its time that something ran, and that the hypervisor took.
    pub busy: f64,
    /// As above.
    pub stolen: f64,
    /// Its frequency in MHz, where the kernel tells it.
    pub megahertz: Option<f64>,
    /// Who ran there, with the share of the time, most first.
    pub who: Vec<(String, f64)>,
}

/// What happened between two samples.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The CPUs.
    pub rows: Vec<Row>,
    /// Huge pages in all, and free ones.
    pub huge_pages: Option<(u64, u64)>,
    /// Ports that lost packets: how many in all, and since the last sample.
    pub drops: Vec<(String, u64, u64)>,
}

impl Sample {
    /// Reads everything.
    ///
    /// # Errors
    /// Where the kernel's counts cannot be read; what only some machines have may be missing.
    pub fn read(root: &Root) -> Result<Self> {
        let stat = root.read_text("/proc/stat")?;
        let times: BTreeMap<u32, [u64; 3]> = stat.lines().filter_map(cpu_times).collect();
        let megahertz = times
            .keys()
            .filter_map(|cpu| Some((*cpu, megahertz(root, *cpu)?)))
            .collect();
        Ok(Self {
            at: Instant::now(),
            counters: Counters::of_interrupts(root)?,
            threads: threads(root),
            drops: drops(root),
            huge_pages: root
                .read_text("/proc/meminfo")
                .ok()
                .and_then(|text| huge_pages(&text)),
            times,
            megahertz,
        })
    }

    /// What happened since `before`.
    pub fn since(&self, before: &Self, isolated: &CpuSet) -> View {
        let elapsed = self
            .at
            .duration_since(before.at)
            .max(Duration::from_millis(1))
            .as_secs_f64();
        let mut who: BTreeMap<u32, Vec<(String, f64)>> = BTreeMap::new();
        for (thread, (name, cpu, ticks)) in &self.threads {
            let earlier = before
                .threads
                .get(thread)
                .filter(|(known, _, _)| known == name);
            let ran = ticks.saturating_sub(earlier.map_or(*ticks, |(_, _, ticks)| *ticks));
            if ran > 0 {
                who.entry(*cpu)
                    .or_default()
                    .push((name.clone(), share(ran, elapsed)));
            }
        }
        let rows = self.times.iter().map(|(cpu, times)| {
            let earlier = before.times.get(cpu).copied().unwrap_or(*times);
            let part = |i: usize| {
                ratio(
                    times[i].saturating_sub(earlier[i]),
                    times[2].saturating_sub(earlier[2]),
                )
            };
            let mut who = who.remove(cpu).unwrap_or_default();
            who.sort_by(|a, b| b.1.total_cmp(&a.1));
            Row {
                cpu: *cpu,
                isolated: isolated.contains(*cpu),
                rates: Rates::of(&self.counters.since(&before.counters, *cpu), elapsed),
                busy: part(0),
                stolen: part(1),
                megahertz: self.megahertz.get(cpu).copied(),
                who,
            }
        });
        View {
            rows: rows.collect(),
            huge_pages: self.huge_pages,
            drops: self
                .drops
                .iter()
                .filter(|(_, count)| **count > 0)
                .map(|(port, count)| {
                    let earlier = before.drops.get(port).copied().unwrap_or(*count);
                    (port.clone(), *count, count.saturating_sub(earlier))
                })
                .collect(),
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "ticks of a moment")]
fn share(ticks: u64, seconds: f64) -> f64 {
    ticks as f64 / TICKS_PER_SECOND / seconds
}

#[allow(clippy::cast_precision_loss, reason = "ticks of a moment")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// A CPU's line of `/proc/stat`: user nice system idle iowait irq softirq steal (proc_stat(5)).
fn cpu_times(line: &str) -> Option<(u32, [u64; 3])> {
    let mut words = line.split_ascii_whitespace();
    let cpu = words.next()?.strip_prefix("cpu")?.parse().ok()?;
    let ticks: Vec<u64> = words.take(8).map_while(|word| word.parse().ok()).collect();
    let [user, nice, system, idle, iowait, irq, softirq, steal] = ticks[..] else {
        return None;
    };
    let busy = user + nice + system + irq + softirq;
    Some((cpu, [busy, steal, busy + idle + iowait + steal]))
}

fn megahertz(root: &Root, cpu: u32) -> Option<f64> {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq");
    let kilohertz: f64 = root.read_text(path).ok()?.trim().parse().ok()?;
    Some(kilohertz / 1000.0)
}

/// Every thread; those that end meanwhile are left out.
fn threads(root: &Root) -> BTreeMap<u32, (String, u32, u64)> {
    let numbers = |dir: &str| -> Vec<u32> {
        let names = root.list(dir).unwrap_or_default();
        names.iter().filter_map(|name| name.parse().ok()).collect()
    };
    let mut found = BTreeMap::new();
    for process in numbers("/proc") {
        for thread in numbers(&format!("/proc/{process}/task")) {
            let text = root.read_text(format!("/proc/{process}/task/{thread}/stat"));
            if let Some(stat) = text.ok().as_deref().and_then(thread_stat) {
                found.insert(thread, stat);
            }
        }
    }
    found
}

/// The name may hold anything; the fields behind it are counted from the third of proc_pid_stat(5).
fn thread_stat(text: &str) -> Option<(String, u32, u64)> {
    let (front, rest) = text.rsplit_once(") ")?;
    let name = front.split_once('(')?.1;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let cpu = u32::try_from(field(39)?).ok()?;
    Some((name.to_owned(), cpu, field(14)? + field(15)?))
}

fn drops(root: &Root) -> BTreeMap<String, u64> {
    let ports = root.list("/sys/class/net").unwrap_or_default().into_iter();
    let count = |port: &String| -> u64 {
        let read = |name: &str| {
            root.read_text(format!("/sys/class/net/{port}/statistics/{name}"))
                .ok()
        };
        DROPS
            .iter()
            .filter_map(|name| read(name)?.trim().parse::<u64>().ok())
            .sum()
    };
    ports
        .filter(|port| port != "lo")
        .map(|port| (port.clone(), count(&port)))
        .collect()
}

fn huge_pages(meminfo: &str) -> Option<(u64, u64)> {
    let count = |name: &str| {
        meminfo
            .lines()
            .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    };
    Some((count("HugePages_Total:")?, count("HugePages_Free:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_proc_are_read() {
        assert_eq!(
            cpu_times("cpu3 10 0 5 80 2 1 1 1 0 0"),
            Some((3, [17, 1, 100]))
        );
        assert_eq!(cpu_times("cpu  10 0 5 80 2 1 1 1 0 0"), None);
        let mut fields = vec!["0"; 50];
        (fields[0], fields[11], fields[12], fields[36]) = ("S", "7", "3", "5");
        let stat = format!("77 (a) b) {}", fields.join(" "));
        assert_eq!(thread_stat(&stat), Some(("a) b".to_owned(), 5, 10)));
        assert_eq!(
            huge_pages("HugePages_Total:    1024\nHugePages_Free:      512\n"),
            Some((1024, 512))
        );
    }

    #[test]
    fn two_samples_of_this_machine_make_a_view() {
        let root = Root::live();
        let before = Sample::read(&root).expect("a sample");
        let after = Sample::read(&root).expect("a sample");
        let first = *after.times.keys().next().expect("a CPU");
        let view = after.since(&before, &[first].into_iter().collect());
        assert_eq!(view.rows.len(), after.times.len());
        assert!(view.rows[0].isolated);
        assert!(view.rows.iter().all(|row| (0.0..=1.0).contains(&row.busy)));
    }
}
