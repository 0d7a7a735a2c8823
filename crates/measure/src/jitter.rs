//! The whole measurement: a pass without a trace for the numbers, one with it for the names.

use std::collections::BTreeMap;
use std::time::Duration;

use hftune_model::jitter::{CauseShare, Cpu, Gaps, Jitter, SCHEMA, Traced};
use hftune_model::{CpuSet, Error, Kind, Result};
use hftune_sys::tracing::{self, Instance};
use hftune_sys::{Root, sched, signals, time};

use crate::attribution;
use crate::cause::Cause;
use crate::clock::{self, Clock, Trust};
use crate::counters::Counters;
use crate::cpus;
use crate::histogram::Histogram;
use crate::pass::{self, KEEP_FROM, Pass, Seen, Wanted};
use crate::trace::{CLOCK, TRACE_KIB, events};

/// Gaps of the timeline: the longest, so that a page stays small.
const TIMELINE: usize = 400;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is measured.
    pub wanted: Wanted,
    /// Whether a second pass is traced.
    pub traced: bool,
}

/// The CPUs that are left for everything else.
fn others(root: &Root, cpus: &CpuSet) -> Result<CpuSet> {
    let others = cpus::check(root, cpus)?;
    if others.is_empty() {
        let what = format!("measuring CPUs {cpus} would leave none for everything else");
        return Err(Error::new(Kind::Usage, what));
    }
    Ok(others)
}

/// Measures. `say` is told what goes on, before it does.
///
/// # Errors
/// For CPUs that cannot be measured; without the right to be pinned to them.
pub fn run(root: &Root, options: &Options, mut say: impl FnMut(&str)) -> Result<Jitter> {
    let wanted = &options.wanted;
    let others = others(root, &wanted.cpus)?;
    let mut warnings = Vec::new();
    if let Trust::Doubtful(why) = clock::trust(root)? {
        warnings.push(format!("{why}: lengths may be wrong"));
    }
    let trace = if options.traced {
        prepare_trace(root, &mut warnings)
    } else {
        false
    };
    sched::set_affinity(0, &others)?;
    signals::hold();

    let time = time::now();
    say(&format!(
        "measuring CPUs {} for {}",
        wanted.cpus,
        seconds(wanted.duration)
    ));
    let mut before = Counters::default();
    let count = |counters: &mut Counters| {
        *counters = Counters::read(root)?;
        Ok(())
    };
    let plain = pass::run(wanted, || count(&mut before), signals::asked_to_stop)?;
    let after = Counters::read(root)?;
    if plain.seen.iter().any(|seen| !seen.locked) {
        warnings.push("memory could not be locked: page faults may show as gaps".to_owned());
    }
    let mut cpus: Vec<Cpu> = plain
        .seen
        .iter()
        .map(|seen| Cpu {
            counted: after.since(&before, seen.cpu),
            ..cpu_of(seen, plain.clock)
        })
        .collect();
    let (clock, length) = (plain.clock, longest(&plain));
    drop(plain);

    if trace && !signals::asked_to_stop() {
        say(&format!(
            "once more with the kernel's trace, {}",
            seconds(wanted.duration)
        ));
        if let Err(error) = traced_pass(root, wanted, &mut cpus) {
            warnings.push(format!("causes are not known: {error}"));
        }
    }
    if signals::asked_to_stop() {
        warnings.push("it was stopped early".to_owned());
    }
    Ok(Jitter {
        schema: SCHEMA.to_owned(),
        time,
        host: first_line(root, "/proc/sys/kernel/hostname"),
        kernel: first_line(root, "/proc/sys/kernel/osrelease"),
        seconds: length,
        counter_ghz: clock.per_nanosecond,
        warnings,
        cpus,
    })
}

fn first_line(root: &Root, path: &str) -> String {
    root.read_text(path)
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// Words for a duration.
fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

#[allow(clippy::cast_precision_loss, reason = "durations of a measurement")]
fn longest(pass: &Pass) -> f64 {
    let steps = pass
        .seen
        .iter()
        .map(|seen| seen.steps)
        .max()
        .unwrap_or_default();
    pass.clock.nanoseconds(steps) / 1e9
}

/// Whether the kernel can be traced; what keeps it from that is a warning.
fn prepare_trace(root: &Root, warnings: &mut Vec<String>) -> bool {
    if !cfg!(target_arch = "x86_64") {
        warnings.push(
            "causes are not known: the kernel's trace has no clock here that is the counter"
                .to_owned(),
        );
        return false;
    }
    match tracing::mount_for_us(root) {
        Ok(()) => true,
        Err(error) => {
            warnings.push(format!("causes are not known: {error}"));
            false
        }
    }
}

fn cpu_of(seen: &Seen, clock: Clock) -> Cpu {
    let quiet = seen.quiet;
    Cpu {
        cpu: seen.cpu,
        turns: seen.turns,
        loop_ns: loop_ns(seen, clock),
        resolution_ns: clock.nanoseconds(quiet.least),
        threshold_ns: clock.nanoseconds(seen.threshold),
        threshold_basis: if seen.threshold == quiet.threshold() {
            format!(
                "{} times {:.0} ns, which 99 % of {} quiet turns do not exceed",
                crate::spin::FACTOR,
                clock.nanoseconds(quiet.p99),
                quiet.turns
            )
        } else {
            "as given".to_owned()
        },
        gaps: gaps_of(&seen.recorder.histogram, seen.steps, clock),
        lost_share: share(seen),
        faults: seen.usage.faults,
        switches: seen.usage.switches,
        migrations: seen.recorder.migrations(),
        histogram: seen
            .recorder
            .histogram
            .filled()
            .map(|(most, count)| (clock.nanoseconds(most), count))
            .collect(),
        counted: Vec::new(),
        traced: None,
        causes: Vec::new(),
    }
}

#[allow(clippy::cast_precision_loss, reason = "a share")]
fn share(seen: &Seen) -> f64 {
    seen.recorder.histogram.sum() as f64 / seen.steps.max(1) as f64
}

#[allow(clippy::cast_precision_loss, reason = "turns of a measurement")]
fn loop_ns(seen: &Seen, clock: Clock) -> f64 {
    let undisturbed = seen.steps.saturating_sub(seen.recorder.histogram.sum());
    clock.nanoseconds(undisturbed) / (seen.turns - seen.recorder.histogram.count()).max(1) as f64
}

#[allow(clippy::cast_precision_loss, reason = "counts of a measurement")]
fn gaps_of(histogram: &Histogram, steps: u64, clock: Clock) -> Gaps {
    let ns = |share| clock.nanoseconds(histogram.per_mille(share));
    let seconds = clock.nanoseconds(steps) / 1e9;
    Gaps {
        count: histogram.count(),
        per_second: histogram.count() as f64 / seconds.max(1e-9),
        p50_ns: ns(500),
        p99_ns: ns(990),
        p999_ns: ns(999),
        max_ns: clock.nanoseconds(histogram.max()),
    }
}

fn traced_pass(root: &Root, wanted: &Wanted, cpus: &mut [Cpu]) -> Result<()> {
    let instance = Instance::create(root, CLOCK, &wanted.cpus, TRACE_KIB, &events(root))?;
    let pass = pass::run(wanted, || instance.record(true), signals::asked_to_stop)?;
    instance.record(false)?;
    for (seen, cpu) in pass.seen.iter().zip(cpus) {
        name_gaps(&instance, &pass, seen, cpu)?;
    }
    Ok(())
}

/// What is known of one cause.
#[derive(Default)]
struct Sum {
    count: u64,
    steps: u64,
    max: u64,
}

fn name_gaps(instance: &Instance<'_>, pass: &Pass, seen: &Seen, cpu: &mut Cpu) -> Result<()> {
    let clock = pass.clock;
    let gaps = seen.recorder.gaps();
    let lost = instance.lost(seen.cpu)?;
    let named = attribution::name(
        &gaps,
        instance.text(seen.cpu)?,
        seen.cpu,
        seen.thread,
        lost > 0,
    )?;
    let mut sums: BTreeMap<usize, Sum> = BTreeMap::new();
    for (gap, cause) in &named.gaps {
        let sum = sums.entry(*cause).or_default();
        sum.count += 1;
        sum.steps += gap.length;
        sum.max = sum.max.max(gap.length);
    }
    let mut order: Vec<(usize, Sum)> = sums.into_iter().collect();
    order.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.steps));
    let places: BTreeMap<usize, usize> = order
        .iter()
        .enumerate()
        .map(|(place, (cause, _))| (*cause, place))
        .collect();
    let unnamed = |cause: usize| matches!(named.causes[cause], Cause::NoEvent | Cause::Untraced);

    let mut longest = named.gaps.clone();
    longest.sort_by_key(|(gap, _)| std::cmp::Reverse(gap.length));
    longest.truncate(TIMELINE);
    longest.sort_by_key(|(gap, _)| gap.end);
    cpu.traced = Some(Traced {
        gaps: gaps_of(&seen.recorder.histogram, seen.steps, clock),
        loop_ns: loop_ns(seen, clock),
        named_from_ns: clock.nanoseconds(seen.threshold.max(clock.steps(KEEP_FROM))),
        to_name: named.gaps.len() as u64,
        named: named
            .gaps
            .iter()
            .filter(|(_, cause)| !unnamed(*cause))
            .count() as u64,
        dropped: seen.recorder.dropped(),
        events_lost: lost,
        timeline: longest
            .iter()
            .map(|(gap, cause)| {
                let at = clock.nanoseconds(gap.start().saturating_sub(pass.start)) / 1e9;
                (at, clock.nanoseconds(gap.length), places[cause])
            })
            .collect(),
    });
    cpu.causes = order
        .into_iter()
        .map(|(cause, sum)| CauseShare {
            cause: named.causes[cause].to_string(),
            count: sum.count,
            lost_ns: clock.nanoseconds(sum.steps),
            max_ns: clock.nanoseconds(sum.max),
            setting: named.causes[cause].setting(),
        })
        .collect();
    Ok(())
}
