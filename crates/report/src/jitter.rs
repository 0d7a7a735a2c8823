//! A measurement of gaps: a line a CPU, then what took the time.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hftune_model::jitter::{CauseShare, Cpu, Jitter};
use owo_colors::OwoColorize as _;

use crate::table::Table;
use crate::text::wrap;

/// One JSON object.
pub fn json(jitter: &Jitter) -> String {
    crate::to_json(jitter)
}

/// The most causes that are told; the rest is one line.
const CAUSES: usize = 12;

/// The tables. No line is longer than `width`, as far as the columns allow.
pub fn human(jitter: &Jitter, width: usize) -> String {
    let mut out = String::new();
    let mut cpus = Table::new(&[
        "CPU", "LOOP", "GAP FROM", "GAPS/S", "P50", "P99", "P99.9", "MAX", "LOST",
    ]);
    for cpu in &jitter.cpus {
        cpus.push(std::iter::once(cpu.cpu.to_string()).chain(figures(cpu)));
    }
    out += &cpus.render(width);
    out.push('\n');
    for line in notes(jitter) {
        let _ = writeln!(out, "{}", wrap(&line, width).join("\n"));
    }
    let causes = causes(&jitter.cpus);
    if causes.is_empty() {
        counted(jitter, width, &mut out);
        return out;
    }
    let _ = writeln!(out, "\n{}", "What took the time, in the traced pass".bold());
    let mut table = Table::new(&["LOST", "GAPS", "LONGEST", "CAUSE", "SETTING"]);
    let lost: f64 = causes.iter().map(|cause| cause.lost_ns).sum();
    for cause in causes.iter().take(CAUSES) {
        table.push([
            share(cause.lost_ns / lost),
            cause.count.to_string(),
            duration(cause.max_ns),
            cause.cause.clone(),
            cause.setting.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    out += &table.render(width);
    if let Some(more) = causes.len().checked_sub(CAUSES).filter(|more| *more > 0) {
        let _ = writeln!(out, "and {more} more causes; --json lists them");
    }
    out.push('\n');
    let _ = writeln!(
        out,
        "{}",
        wrap("hftune explain SETTING says what a setting does, and hftune verify whether it is in effect.", width).join("\n")
    );
    out
}

/// The loop, what counts as a gap, gaps in a second, their percentiles and the longest, and the time lost.
pub(crate) fn figures(cpu: &Cpu) -> [String; 8] {
    let gaps = cpu.gaps;
    [
        format!("{:.2} ns", cpu.loop_ns),
        duration(cpu.threshold_ns),
        rate(gaps.per_second),
        duration(gaps.p50_ns),
        duration(gaps.p99_ns),
        duration(gaps.p999_ns),
        duration(gaps.max_ns),
        share(cpu.lost_share),
    ]
}

/// What must be known to read the numbers.
fn notes(jitter: &Jitter) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(first) = jitter.cpus.first() else {
        return lines;
    };
    lines.push(format!(
        "{:.1} s, counter of {:.6} GHz, resolution {:.1} ns; a gap is {} or more ({}).",
        jitter.seconds,
        jitter.counter_ghz,
        first.resolution_ns,
        duration(first.threshold_ns),
        first.threshold_basis
    ));
    for cpu in &jitter.cpus {
        if cpu.gaps.count == 0 {
            // The rule of three.
            lines.push(format!(
                "CPU {}: no gap in {:.1} s, so that there are fewer than {:.2} in a second at 95 % confidence.",
                cpu.cpu,
                jitter.seconds,
                3.0 / jitter.seconds
            ));
        }
        if cpu.migrations > 0 {
            lines.push(format!(
                "CPU {}: the loop was moved {} times; its numbers are not of this CPU alone.",
                cpu.cpu, cpu.migrations
            ));
        }
        if cpu.faults > 0 {
            lines.push(format!(
                "CPU {}: {} page faults in the loop.",
                cpu.cpu, cpu.faults
            ));
        }
    }
    let traced: Vec<_> = jitter
        .cpus
        .iter()
        .filter_map(|cpu| cpu.traced.as_ref())
        .collect();
    if let Some(one) = traced.first() {
        let sum = |of: fn(&hftune_model::jitter::Traced) -> u64| {
            traced.iter().map(|t| of(t)).sum::<u64>()
        };
        let mut line = format!(
            "Traced pass, which makes gaps longer: {} of {} gaps from {} on have a name; a turn took {:.2} ns.",
            sum(|t| t.named),
            sum(|t| t.to_name),
            duration(one.named_from_ns),
            one.loop_ns
        );
        let (dropped, lost) = (sum(|t| t.dropped), sum(|t| t.events_lost));
        if dropped > 0 {
            let _ = write!(line, " {dropped} earlier ones were not kept.");
        }
        if lost > 0 {
            let _ = write!(line, " The kernel had no room for {lost} events.");
        }
        lines.push(line);
    }
    lines
}

/// The causes of all CPUs, most time first.
pub fn causes(cpus: &[Cpu]) -> Vec<CauseShare> {
    let mut all: BTreeMap<&str, CauseShare> = BTreeMap::new();
    for cause in cpus.iter().flat_map(|cpu| &cpu.causes) {
        all.entry(&cause.cause)
            .and_modify(|sum| {
                sum.count += cause.count;
                sum.lost_ns += cause.lost_ns;
                sum.max_ns = sum.max_ns.max(cause.max_ns);
            })
            .or_insert_with(|| cause.clone());
    }
    let mut causes: Vec<CauseShare> = all.into_values().collect();
    causes.sort_by(|a, b| b.lost_ns.total_cmp(&a.lost_ns));
    causes
}

/// Without a trace: what the kernel counted.
fn counted(jitter: &Jitter, width: usize, out: &mut String) {
    let _ = writeln!(
        out,
        "\n{}",
        "What the kernel counted on these CPUs meanwhile".bold()
    );
    let mut table = Table::new(&["CPU", "IN A SECOND", "WHAT"]);
    for cpu in &jitter.cpus {
        for counted in cpu.counted.iter().take(CAUSES) {
            #[allow(clippy::cast_precision_loss, reason = "a rate")]
            let per_second = counted.count as f64 / jitter.seconds.max(1e-9);
            table.push([cpu.cpu.to_string(), rate(per_second), counted.what.clone()]);
        }
    }
    *out += &table.render(width);
}

/// Nanoseconds for people.
pub fn duration(ns: f64) -> String {
    if ns < 1000.0 {
        format!("{ns:.0} ns")
    } else if ns < 1_000_000.0 {
        format!("{:.1} us", ns / 1e3)
    } else {
        format!("{:.2} ms", ns / 1e6)
    }
}

/// Events in a second.
pub(crate) fn rate(per_second: f64) -> String {
    if per_second < 10.0 {
        format!("{per_second:.2}")
    } else {
        format!("{per_second:.0}")
    }
}

pub(crate) fn share(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 0.0001 && percent > 0.0 {
        "under 0.0001 %".to_owned()
    } else if percent < 0.01 && percent > 0.0 {
        format!("{percent:.4} %")
    } else {
        format!("{percent:.2} %")
    }
}
