//! How often CPUs are disturbed while they do what they do: nothing is loaded, the kernel's own counts are compared, and its
//! trace says what it was.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use hftune_model::jitter::Counted;
use hftune_model::quiet::{self as model, Cpu, LIMIT, Quiet};
use hftune_model::{CpuSet, Result};
use hftune_sys::tracing::{self, Instance};
use hftune_sys::{Root, signals, time};

use crate::cause::Cause;
use crate::counters::Counters;
use crate::trace::{self, Event, TRACE_KIB, each, events};

/// How often it is looked whether somebody wants it to stop.
const NAP: Duration = Duration::from_millis(100);

/// Only the order matters: the counter, or a count of events.
const CLOCK: &str = if cfg!(target_arch = "x86_64") {
    trace::CLOCK
} else {
    "counter"
};

/// Watches these CPUs for so long.
///
/// # Errors
/// Where the kernel's counts cannot be read.
pub fn watch(root: &Root, cpus: &CpuSet, duration: Duration) -> Result<Quiet> {
    let mut warnings = Vec::new();
    let trace = match trace(root, cpus) {
        Ok(trace) => Some(trace),
        Err(error) => {
            warnings.push(format!(
                "threads are not counted, and causes are the kernel's counts only: {error}"
            ));
            None
        }
    };
    signals::hold();
    let time = time::now();
    let before = Counters::read(root)?;
    let began = Instant::now();
    if let Some(trace) = &trace {
        trace.record(true)?;
    }
    while began.elapsed() < duration && !signals::asked_to_stop() {
        thread::sleep(NAP.min(duration.saturating_sub(began.elapsed())));
    }
    if let Some(trace) = &trace {
        trace.record(false)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let after = Counters::read(root)?;
    let mut found = Vec::new();
    for cpu in cpus.iter() {
        let traced = trace.as_ref().map(|trace| traced(trace, cpu)).transpose()?;
        if let Some(lost) = traced.as_ref().map(|t| t.lost).filter(|lost| *lost > 0) {
            warnings.push(format!("CPU {cpu}: the kernel had no room for {lost} events, so that causes are a part of what there was"));
        }
        found.push(judge(cpu, seconds, &after.since(&before, cpu), traced));
    }
    Ok(Quiet {
        schema: model::SCHEMA.to_owned(),
        time,
        seconds,
        warnings,
        cpus: found,
    })
}

fn trace<'r>(root: &'r Root, cpus: &CpuSet) -> Result<Instance<'r>> {
    tracing::mount_for_us(root)?;
    Instance::create(root, CLOCK, cpus, TRACE_KIB, &events(root))
}

/// What the trace of a CPU holds.
struct Traced {
    switches: u64,
    causes: BTreeMap<Cause, u64>,
    lost: u64,
}

fn traced(trace: &Instance<'_>, cpu: u32) -> Result<Traced> {
    let mut traced = Traced {
        switches: 0,
        causes: BTreeMap::new(),
        lost: trace.lost(cpu)?,
    };
    each(trace.text(cpu)?, cpu, |_, event| {
        let cause = match event {
            Event::Switch { next, name } => {
                traced.switches += 1;
                // The idle thread runs where nothing else does.
                if next == 0 {
                    return;
                }
                Cause::Thread(name)
            }
            Event::Enter(cause) | Event::Instant(cause) => cause,
            Event::Leave => return,
        };
        *traced.causes.entry(cause).or_default() += 1;
    })?;
    Ok(traced)
}

/// Rows of `/proc/interrupts` that other CPUs cause (arch/x86/kernel/irq.c; IPI0 to IPI7 on arm64).
fn is_ipi(name: &str) -> bool {
    matches!(name, "RES" | "CAL" | "TLB" | "IWI") || name.starts_with("IPI")
}

/// Events in a second on one CPU.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rates {
    /// Interrupts of its own timer.
    pub timer: f64,
    /// Interrupts that other CPUs sent.
    pub ipi: f64,
    /// Interrupts of devices.
    pub device: f64,
    /// Softirqs.
    pub softirq: f64,
}

impl Rates {
    /// From what was counted in so many seconds.
    #[allow(clippy::cast_precision_loss, reason = "counts of a window")]
    pub fn of(counted: &[Counted], seconds: f64) -> Self {
        let rate = |of: &dyn Fn(&str) -> bool| {
            let all = counted.iter().filter(|counted| of(&counted.what));
            all.map(|counted| counted.count).sum::<u64>() as f64 / seconds.max(1e-9)
        };
        // A timer of arm64 is an interrupt like any other, by its name.
        let is_timer = |name: &str| name == "LOC" || name.ends_with(" arch_timer");
        Self {
            timer: rate(&is_timer),
            ipi: rate(&is_ipi),
            device: rate(&|name| name.starts_with("IRQ ") && !is_timer(name)),
            softirq: rate(&|name| name.starts_with("softirq ")),
        }
    }

    /// Whether there is no more of any than isolation leaves.
    pub fn are_quiet(&self) -> bool {
        let all = [self.timer, self.ipi, self.device, self.softirq];
        all.iter().all(|rate| *rate <= LIMIT)
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of a window")]
fn judge(cpu: u32, seconds: f64, counted: &[Counted], traced: Option<Traced>) -> Cpu {
    let rates = Rates::of(counted, seconds);
    let switches = traced
        .as_ref()
        .map(|t| t.switches as f64 / seconds.max(1e-9));
    let causes = match traced {
        Some(traced) => traced.causes.into_iter().collect(),
        None => counted
            .iter()
            .filter_map(|c| Some((cause_of(&c.what)?, c.count)))
            .collect(),
    };
    Cpu {
        cpu,
        timer: rates.timer,
        ipi: rates.ipi,
        device: rates.device,
        softirq: rates.softirq,
        switches,
        quiet: rates.are_quiet() && switches.unwrap_or_default() <= LIMIT,
        causes: sorted(causes),
    }
}

fn sorted(mut causes: Vec<(Cause, u64)>) -> Vec<model::Cause> {
    causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let told = |(cause, count): (Cause, u64)| model::Cause {
        setting: cause.setting(),
        cause: cause.to_string(),
        count,
    };
    causes.into_iter().map(told).collect()
}

/// The cause that a row of the kernel's counts stands for; `None` for what disturbs nobody.
fn cause_of(row: &str) -> Option<Cause> {
    if let Some(softirq) = row.strip_prefix("softirq ") {
        return Some(Cause::Softirq(softirq.to_owned()));
    }
    if let Some(irq) = row.strip_prefix("IRQ ") {
        return Some(Cause::Interrupt(irq.split_once(' ')?.1.to_owned()));
    }
    let vector = match row {
        "LOC" => "local_timer",
        "RES" => "reschedule",
        "CAL" => "call_function",
        "IWI" => "irq_work",
        "NMI" => return Some(Cause::Nmi),
        "steal" => return None,
        other => other,
    };
    Some(Cause::Vector(vector.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(rows: &[(&str, u64)]) -> Vec<Counted> {
        let counted = |(what, count): &(&str, u64)| Counted {
            what: (*what).to_owned(),
            count: *count,
        };
        rows.iter().map(counted).collect()
    }

    #[test]
    fn one_event_in_ten_seconds_is_quiet_and_two_are_not() {
        assert!(judge(2, 10.0, &counted(&[("LOC", 1), ("steal", 50)]), None).quiet);
        let loud = judge(
            2,
            10.0,
            &counted(&[("LOC", 2), ("RES", 5), ("IRQ 36 eth0-rx", 1)]),
            None,
        );
        assert!(!loud.quiet);
        assert!(
            (loud.timer - 0.2).abs() < 1e-9
                && (loud.ipi - 0.5).abs() < 1e-9
                && (loud.device - 0.1).abs() < 1e-9
        );
        let causes: Vec<_> = loud
            .causes
            .iter()
            .map(|c| (c.cause.as_str(), c.setting.as_deref()))
            .collect();
        assert_eq!(
            causes,
            [
                ("CPU interrupt reschedule", Some("boot/isolcpus")),
                ("CPU interrupt local_timer", Some("boot/nohz_full")),
                ("interrupt eth0-rx", Some("irq/eth0-rx")),
            ]
        );
    }

    #[test]
    fn switches_count_where_the_kernel_was_traced() {
        let traced = Traced {
            switches: 20,
            causes: BTreeMap::from([(Cause::Thread("kworker".to_owned()), 10)]),
            lost: 0,
        };
        let cpu = judge(3, 10.0, &[], Some(traced));
        assert_eq!(cpu.switches, Some(2.0));
        assert!(!cpu.quiet);
        assert_eq!(cpu.causes[0].setting.as_deref(), Some("workqueue/cpumask"));
    }
}
