//! What interrupts a busy CPU: loops pinned to the CPUs that a tuned guest isolates, counted over ten guest seconds.

use super::control::Control;
use super::interrupts::{Interrupts, LOCAL_TIMER};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;

/// The CPUs that the built-in profile isolates on the lab's machine.
pub const MEASURED: [u32; 6] = [2, 3, 4, 5, 6, 7];

/// `USER_HZ`: the unit of process times in `/proc`, the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// One measurement.
#[derive(Debug)]
pub struct Measurement {
    /// Guest time that passed.
    pub seconds: f64,
    /// Interrupts before and after.
    pub before: Interrupts,
    /// See `before`.
    pub after: Interrupts,
    /// How much user time the loop on each CPU got, as a share of the time that passed.
    pub busy: BTreeMap<u32, f64>,
}

impl Measurement {
    /// Local timer interrupts on `cpu` during the measurement.
    pub fn timer(&self, cpu: u32) -> u64 {
        self.before
            .grown(&self.after, LOCAL_TIMER)
            .get(&cpu)
            .copied()
            .unwrap_or(0)
    }

    /// Local timer interrupts a second on `cpu`.
    #[allow(clippy::cast_precision_loss, reason = "counts of ten seconds")]
    pub fn timer_rate(&self, cpu: u32) -> f64 {
        self.timer(cpu) as f64 / self.seconds
    }

    /// Everything that reached `cpu`, for the log.
    pub fn all_on(&self, cpu: u32) -> String {
        let rows = self.before.grown_on(&self.after, cpu);
        let words = rows.iter().map(|(row, count)| {
            format!("{row} {} {count}", self.after.name(row)).replace("  ", " ")
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

/// Measures the guest.
pub fn measure(control: &Control) -> Result<Measurement> {
    let cpus = MEASURED.map(|cpu| cpu.to_string()).join(" ");
    parse(&control.script("measure.sh", include_str!("scripts/measure.sh"), &cpus)?)
}

fn parse(text: &str) -> Result<Measurement> {
    let sections: Vec<&str> = text.split("== ").skip(1).collect();
    ensure!(
        sections.len() == 6,
        "expected two samples of three sections, found {} sections",
        sections.len()
    );
    let body = |index: usize| {
        sections[index]
            .split_once('\n')
            .map_or("", |(_, body)| body)
    };
    let seconds = uptime(body(3))? - uptime(body(0))?;
    let before = loops(body(2))?;
    let busy = loops(body(5))?
        .into_iter()
        .map(|(cpu, ticks)| {
            (
                cpu,
                (ticks - before.get(&cpu).copied().unwrap_or(ticks)) / TICKS_PER_SECOND / seconds,
            )
        })
        .collect();
    Ok(Measurement {
        seconds,
        before: Interrupts::parse(body(1))?,
        after: Interrupts::parse(body(4))?,
        busy,
    })
}

fn uptime(text: &str) -> Result<f64> {
    let word = text
        .split_whitespace()
        .next()
        .context("/proc/uptime is empty")?;
    word.parse()
        .with_context(|| format!("/proc/uptime: expected seconds, found {word:?}"))
}

/// The CPU that each loop runs on, and its user time in ticks, from `/proc/PID/stat`.
fn loops(text: &str) -> Result<BTreeMap<u32, f64>> {
    text.lines()
        .map(|line| {
            loop_stat(line).with_context(|| format!("/proc/PID/stat: cannot read {line:?}"))
        })
        .collect()
}

fn loop_stat(line: &str) -> Option<(u32, f64)> {
    // The name in parentheses may hold anything; the fields after it are counted from the third of proc(5).
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
    Some((
        fields.get(39 - 3)?.parse().ok()?,
        fields.get(14 - 3)?.parse().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(uptime: f64, timer: u64, user_ticks: u64) -> String {
        let mut stat = vec!["0".to_string(); 50];
        stat[14 - 3] = user_ticks.to_string();
        stat[39 - 3] = "2".to_string();
        format!(
            "== uptime\n{uptime:.2} 100.00\n== interrupts\n CPU0 CPU2\n LOC: 5 {timer} Local timer interrupts\n\
             == loops\n77 (s) h) {}\n",
            stat.join(" ")
        )
    }

    #[test]
    fn rates_are_per_guest_second() {
        let text = sample(100.0, 1000, 500) + &sample(110.0, 3500, 1490);
        let measured = parse(&text).expect("parses");
        assert_eq!(measured.timer(2), 2500);
        assert!((measured.timer_rate(2) - 250.0).abs() < 0.01);
        assert!(
            (measured.busy[&2] - 0.99).abs() < 0.001,
            "{:?}",
            measured.busy
        );
        assert_eq!(measured.all_on(2), "LOC 2500");
    }

    #[test]
    fn a_cut_off_measurement_is_refused() {
        assert!(parse(&sample(1.0, 1, 1)).is_err());
    }
}
