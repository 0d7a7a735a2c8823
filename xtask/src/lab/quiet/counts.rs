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
    /// The rates.
    pub rates: Rates,
    /// Everything that grew on the measured CPUs, with its count on all of them.
    pub what: BTreeMap<String, u64>,
}

/// One sample.
struct Sample {
    busy: bool,
    seconds: f64,
    interrupts: Interrupts,
    softirqs: Interrupts,
    switches: BTreeMap<u32, u64>,
}

/// The windows with loops, and those without.
pub fn windows(text: &str) -> Result<(Vec<Window>, Vec<Window>)> {
    let samples: Vec<Sample> = text
        .split("== ")
        .skip(1)
        .map(sample)
        .collect::<Result<_>>()?;
    let (mut busy, mut idle) = (Vec::new(), Vec::new());
    for pair in samples.windows(2) {
        let [before, after] = pair else { continue };
        if before.busy != after.busy {
            continue;
        }
        let into = if before.busy { &mut busy } else { &mut idle };
        into.push(window(before, after));
    }
    ensure!(
        !busy.is_empty() && !idle.is_empty(),
        "expected windows of both kinds, found {} samples",
        samples.len()
    );
    Ok((busy, idle))
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
        busy: kind.trim() == "busy",
        seconds: uptime
            .split_whitespace()
            .next()
            .context("uptime")?
            .parse()?,
        interrupts: Interrupts::parse(part("interrupts")?)?,
        softirqs: Interrupts::parse(part("softirqs")?)?,
        switches,
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
    Window {
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

/// The mean of some windows.
#[allow(clippy::cast_precision_loss, reason = "a few windows")]
pub fn mean(windows: &[Window]) -> Rates {
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
             -- softirqs\n   CPU0 CPU2\nTIMER: 3 {timer}\n-- switches\nCPU 0\nSWITCHES 9\nCPU 2\nSWITCHES {switches}\n"
        )
    }

    #[test]
    fn rates_are_of_a_second_and_a_cpu() {
        let text = one("busy", 100, 10, 5)
            + &one("busy", 110, 70, 11)
            + &one("idle", 120, 70, 11)
            + &one("idle", 130, 70, 11);
        let (busy, idle) = windows(&text).expect("parses");
        assert_eq!((busy.len(), idle.len()), (1, 1));
        let rates = mean(&busy);
        assert!((rates.timer - 1.0).abs() < 1e-9, "{rates:?}");
        assert!((rates.device - 1.0).abs() < 1e-9 && (rates.ipi - 1.0).abs() < 1e-9);
        assert!((rates.switches - 0.1).abs() < 1e-9);
        assert_eq!(mean(&idle), Rates::default());
        assert!(windows(&one("busy", 1, 1, 1)).is_err());
    }
}
