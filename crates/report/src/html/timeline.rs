//! When the longest gaps were, and what they were.

use std::fmt::Write as _;

use hftune_model::jitter::Jitter;

use super::gaps::names;
use super::svg::{Log, escape};
use crate::jitter::{causes, duration};

/// Causes with a mark of their own; the others share one.
const MARKS: [&str; 6] = [
    "\u{25cf}", "\u{25a0}", "\u{25b2}", "\u{25c6}", "\u{2716}", "\u{25cb}",
];
const COLOURS: [&str; 6] = [
    "#1f77b4", "#c4581c", "#2e8b57", "#a0549a", "#b8860b", "#7a8791",
];

pub(super) fn section(measured: &[Jitter]) -> String {
    let mut out = String::new();
    for (jitter, (name, _)) in measured.iter().zip(names(measured)) {
        if jitter.cpus.iter().any(|cpu| {
            cpu.traced
                .as_ref()
                .is_some_and(|traced| !traced.timeline.is_empty())
        }) {
            one(&mut out, jitter, name);
        }
    }
    out
}

fn one(out: &mut String, jitter: &Jitter, name: &str) {
    let order: Vec<String> = causes(&jitter.cpus)
        .into_iter()
        .map(|cause| cause.cause)
        .collect();
    let mark = |cause: &str| {
        order
            .iter()
            .position(|known| known == cause)
            .unwrap_or(MARKS.len())
            .min(MARKS.len() - 1)
    };
    let longest = jitter
        .cpus
        .iter()
        .filter_map(|cpu| cpu.traced.as_ref())
        .map(|t| t.gaps.max_ns)
        .fold(1e4, f64::max);
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a power of ten below 10^12"
    )]
    let powers = (longest.log10().ceil() as i32 - 3).max(1);
    let y = Log {
        from: 3,
        at: 250.0,
        powers,
        length: -215.0 / f64::from(powers),
    };
    let seconds = jitter.seconds.max(1e-3);
    let _ = write!(
        out,
        "<section><h2>The longest gaps: {name}</h2>\n<svg viewBox=\"0 0 900 290\" role=\"img\" aria-label=\"Timeline of gaps\"><title>When the longest gaps were</title>"
    );
    for (value, at) in y.ticks() {
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"60\" x2=\"880\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text class=\"faint\" x=\"54\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            at + 4.0,
            duration(value)
        );
    }
    for part in 0..=5 {
        let share = f64::from(part) / 5.0;
        let _ = write!(
            out,
            "<text class=\"faint\" x=\"{:.0}\" y=\"270\" text-anchor=\"middle\">{:.1} s</text>",
            60.0 + share * 820.0,
            share * seconds
        );
    }
    for cpu in &jitter.cpus {
        let Some(traced) = &cpu.traced else { continue };
        for (at, ns, cause) in &traced.timeline {
            let Some(cause) = cpu.causes.get(*cause) else {
                continue;
            };
            let kind = mark(&cause.cause);
            let _ = write!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" style=\"fill:{};font-size:9px\">{}<title>CPU {}, {at:.3} s: {}, {}</title></text>",
                60.0 + (at / seconds).clamp(0.0, 1.0) * 820.0,
                y.place(*ns) + 3.0,
                COLOURS[kind],
                MARKS[kind],
                cpu.cpu,
                duration(*ns),
                escape(&cause.cause)
            );
        }
    }
    out.push_str("</svg>\n<p>");
    for (i, cause) in order.iter().take(MARKS.len() - 1).enumerate() {
        let _ = write!(
            out,
            "<span style=\"color:{}\">{}</span> {} &nbsp; ",
            COLOURS[i],
            MARKS[i],
            escape(cause)
        );
    }
    if order.len() >= MARKS.len() {
        let _ = write!(
            out,
            "<span style=\"color:{}\">{}</span> others",
            COLOURS[MARKS.len() - 1],
            MARKS[MARKS.len() - 1]
        );
    }
    out.push_str("</p></section>\n");
}
