//! Before against after, at a glance.

use std::fmt::Write as _;

use hftune_model::jitter::{Cpu, Jitter};

use super::svg::{count, escape};
use crate::jitter::duration;

/// A figure: its name, of which CPU, how it is shown.
type Figure = (&'static str, fn(&[&Cpu]) -> f64, fn(f64) -> String);

const FIGURES: [Figure; 4] = [
    (
        "gaps in a second and CPU",
        |cpus| mean(cpus, |cpu| cpu.gaps.per_second),
        count,
    ),
    (
        "99.9 % are not longer than",
        |cpus| most(cpus, |cpu| cpu.gaps.p999_ns),
        duration,
    ),
    (
        "the longest",
        |cpus| most(cpus, |cpu| cpu.gaps.max_ns),
        duration,
    ),
    (
        "of the time lost",
        |cpus| mean(cpus, |cpu| cpu.lost_share) * 100.0,
        |share| format!("{share:.4} %"),
    ),
];

#[allow(clippy::cast_precision_loss, reason = "a few CPUs")]
fn mean(cpus: &[&Cpu], of: fn(&Cpu) -> f64) -> f64 {
    cpus.iter().map(|cpu| of(cpu)).sum::<f64>() / cpus.len().max(1) as f64
}

fn most(cpus: &[&Cpu], of: fn(&Cpu) -> f64) -> f64 {
    cpus.iter().map(|cpu| of(cpu)).fold(0.0, f64::max)
}

pub(super) fn section(before: &Jitter, after: &Jitter) -> String {
    // Of CPUs that were measured both times.
    let both = |of: &Jitter, other: &Jitter| -> Vec<u32> {
        let known = |cpu: &&Cpu| other.cpus.iter().any(|o| o.cpu == cpu.cpu);
        of.cpus.iter().filter(known).map(|cpu| cpu.cpu).collect()
    };
    let common = both(before, after);
    let pick = |of: &'_ Jitter| -> Vec<Cpu> {
        of.cpus
            .iter()
            .filter(|cpu| common.contains(&cpu.cpu))
            .cloned()
            .collect()
    };
    let (old, new) = (pick(before), pick(after));
    let (old, new): (Vec<&Cpu>, Vec<&Cpu>) = (old.iter().collect(), new.iter().collect());
    let mut out = format!(
        "<section><h2>Before and after</h2>\n<p class=\"faint\">{} on {}, kernel {}; {} on {}, kernel {}.</p>\n",
        escape(&before.time),
        escape(&before.host),
        escape(&before.kernel),
        escape(&after.time),
        escape(&after.host),
        escape(&after.kernel)
    );
    if common.is_empty() {
        out.push_str("<p>No CPU was measured both times.</p></section>\n");
        return out;
    }
    out.push_str("<div class=\"cards\">\n");
    for (name, of, shown) in FIGURES {
        let (was, is) = (of(&old), of(&new));
        let (class, word) = verdict(was, is);
        let _ = writeln!(
            out,
            "<div class=\"card\"><b>{} &rarr; {}</b>{name}<br><span class=\"{class}\">{word}</span></div>",
            shown(was),
            shown(is)
        );
    }
    out.push_str("</div></section>\n");
    out
}

/// In words, with a sign of its own, so that colour is not all that tells.
fn verdict(was: f64, is: f64) -> (&'static str, String) {
    let ratio = if is > 0.0 { was / is } else { f64::INFINITY };
    if (was - is).abs() < f64::EPSILON || (0.9..=1.1).contains(&ratio) {
        ("faint", "= about the same".to_owned())
    } else if ratio.is_infinite() {
        ("better", "\u{2193} none left".to_owned())
    } else if ratio > 1.0 {
        ("better", format!("\u{2193} {ratio:.1} times less"))
    } else if was == 0.0 {
        ("worse", "\u{2191} there was none".to_owned())
    } else {
        ("worse", format!("\u{2191} {:.1} times more", 1.0 / ratio))
    }
}
