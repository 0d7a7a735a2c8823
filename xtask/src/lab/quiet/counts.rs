//! What the kernel counted at the ends of the windows.

use crate::lab::interrupts::{Interrupts, LOCAL_TIMER};
use crate::lab::measure::MEASURED;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;

/// Rows of `/proc/interrupts` that other CPUs cause.
const IPIS: [&str; 4] = ["RES", "CAL", "TLB", "IWI"];

/// Events in a second on one CPU, the mean of all that are measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rates {
    /// Interrupts of the CPU's own timer.
    pub timer: f64,
    /// Interrupts from other CPUs.
    pub ipi: f64,
    /// Interrupts of devices.
    pub device: f64,
    /// Softirqs.
    pub softirq: f64,
    /// Switches between threads.
    pub switches: f64,
}

/// One window.
#[derive(Debug, Clone)]
pub struct Window {
    /// What happened in it.
    pub state: State,
    /// The rates.
    pub rates: Rates,
    /// Everything that grew on the measured CPUs, with its count on all of them.
    pub what: BTreeMap<String, u64>,
    /// How often work of each kind was done on the other CPUs.
    pub work: BTreeMap<String, u64>,
}

/// What happens in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A loop on each CPU.
    Busy,
    /// Nothing to do.
    Idle,
    /// A loop on each CPU, and work on the CPUs that serve the OS.
    Disturbed,
}

impl State {
    /// All, in the order of the tables.
    pub const ALL: [Self; 3] = [Self::Busy, Self::Idle, Self::Disturbed];

    fn of(word: &str) -> Option<Self> {
        match word {
            "busy" => Some(Self::Busy),
            "idle" => Some(Self::Idle),
            "disturbed" => Some(Self::Disturbed),
            _ => None,
        }
    }
}

/// One sample.
struct Sample {
    state: State,
    seconds: f64,
    interrupts: Interrupts,
    softirqs: Interrupts,
    switches: BTreeMap<u32, u64>,
    /// How often work of each kind was done since the boot.
    work: BTreeMap<String, u64>,
}

/// The windows of each state.
pub fn windows(text: &str) -> Result<Vec<Window>> {
    let samples: Vec<Sample> = text
        .split("== ")
        .skip(1)
        .map(sample)
        .collect::<Result<_>>()?;
    let windows: Vec<Window> = samples
        .windows(2)
        .filter(|pair| pair[0].state == pair[1].state)
        .map(|pair| window(&pair[0], &pair[1]))
        .collect();
    for state in State::ALL {
        ensure!(
            windows.iter().any(|window| window.state == state),
            "no window of the state {state:?} in {} samples",
            samples.len()
        );
    }
    Ok(windows)
}

fn sample(text: &str) -> Result<Sample> {
    let (kind, rest) = text.split_once('\n').context("a sample has a kind")?;
    let part = |name: &str| -> Result<&str> {
        let start = rest
            .find(&format!("-- {name}\n"))
            .with_context(|| format!("no {name}"))?;
        let body = &rest[start + name.len() + 4..];
        Ok(&body[..body.find("\n-- ").map_or(body.len(), |end| end + 1)])
    };
    let uptime = part("uptime")?;
    let mut work = BTreeMap::new();
    for line in part("work")?.lines() {
        let (kind, count) = line
            .split_once(' ')
            .context("a kind of work and its count")?;
        work.insert(kind.to_owned(), count.trim().parse()?);
    }
    let mut switches = BTreeMap::new();
    let mut cpu = None;
    for line in part("switches")?.lines() {
        match line.split_once(' ') {
            Some(("CPU", number)) => cpu = number.parse().ok(),
            Some(("SWITCHES", count)) => {
                let cpu = cpu.context("switches of no CPU")?;
                switches.insert(cpu, count.parse()?);
            }
            _ => {}
        }
    }
    ensure!(
        !switches.is_empty(),
        "this kernel does not tell its switches"
    );
    Ok(Sample {
        state: State::of(kind.trim()).with_context(|| format!("a state called {kind:?}"))?,
        seconds: uptime
            .split_whitespace()
            .next()
            .context("uptime")?
            .parse()?,
        interrupts: Interrupts::parse(part("interrupts")?)?,
        softirqs: Interrupts::parse(part("softirqs")?)?,
        switches,
        work,
    })
}

#[allow(clippy::cast_precision_loss, reason = "counts of a minute")]
fn window(before: &Sample, after: &Sample) -> Window {
    let seconds = after.seconds - before.seconds;
    let mut what = BTreeMap::new();
    let (mut timer, mut ipi, mut device, mut softirq, mut switches) = (0, 0, 0, 0, 0);
    for cpu in MEASURED {
        for (row, count) in before.interrupts.grown_on(&after.interrupts, cpu) {
            if row == LOCAL_TIMER {
                timer += count;
            } else if IPIS.contains(&row.as_str()) {
                ipi += count;
            } else if row.parse::<u32>().is_ok() {
                device += count;
            }
            let name = format!("{row} {}", after.interrupts.name(&row));
            *what.entry(name.trim().to_owned()).or_default() += count;
        }
        for (row, count) in before.softirqs.grown_on(&after.softirqs, cpu) {
            softirq += count;
            *what.entry(format!("softirq {row}")).or_default() += count;
        }
        let count = |sample: &Sample| sample.switches.get(&cpu).copied().unwrap_or_default();
        switches += count(after).saturating_sub(count(before));
    }
    let rate = |count: u64| count as f64 / seconds / MEASURED.len() as f64;
    let work = after.work.iter().map(|(kind, count)| {
        let done = count.saturating_sub(before.work.get(kind).copied().unwrap_or_default());
        (kind.clone(), done)
    });
    Window {
        state: after.state,
        work: work.collect(),
        rates: Rates {
            timer: rate(timer),
            ipi: rate(ipi),
            device: rate(device),
            softirq: rate(softirq),
            switches: rate(switches),
        },
        what,
    }
}

/// The mean of the windows of a state.
#[allow(clippy::cast_precision_loss, reason = "a few windows")]
pub fn mean(windows: &[Window], state: State) -> Rates {
    let windows: Vec<&Window> = windows.iter().filter(|w| w.state == state).collect();
    let mean = |of: fn(&Rates) -> f64| {
        windows.iter().map(|w| of(&w.rates)).sum::<f64>() / windows.len().max(1) as f64
    };
    Rates {
        timer: mean(|r| r.timer),
        ipi: mean(|r| r.ipi),
        device: mean(|r| r.device),
        softirq: mean(|r| r.softirq),
        switches: mean(|r| r.switches),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(kind: &str, seconds: u32, timer: u32, switches: u32) -> String {
        format!(
            "== {kind}\n-- uptime\n{seconds}.00 1.0\n-- interrupts\n   CPU0 CPU2\nLOC: 5 {timer} Local timer interrupts\nRES: 0 {timer} x\n 36: 0 {timer} chip edge eth0\n\
             -- softirqs\n   CPU0 CPU2\nTIMER: 3 {timer}\n-- work\npackages {seconds}\n-- switches\nCPU 0\nSWITCHES 9\nCPU 2\nSWITCHES {switches}\n"
        )
    }

    #[test]
    fn rates_are_of_a_second_and_a_cpu() {
        let text = one("busy", 100, 10, 5)
            + &one("busy", 110, 70, 11)
            + &one("idle", 120, 70, 11)
            + &one("idle", 130, 70, 11)
            + &one("disturbed", 140, 70, 11)
            + &one("disturbed", 150, 670, 11);
        let all = windows(&text).expect("parses");
        assert_eq!(all.len(), 3);
        let rates = mean(&all, State::Busy);
        assert!((rates.timer - 1.0).abs() < 1e-9, "{rates:?}");
        assert!((rates.device - 1.0).abs() < 1e-9 && (rates.ipi - 1.0).abs() < 1e-9);
        assert!((rates.switches - 0.1).abs() < 1e-9);
        assert_eq!(mean(&all, State::Idle), Rates::default());
        assert!((mean(&all, State::Disturbed).timer - 10.0).abs() < 1e-9);
        assert_eq!(all[2].work["packages"], 10);
        assert!(windows(&one("busy", 1, 1, 1)).is_err());
    }
}
