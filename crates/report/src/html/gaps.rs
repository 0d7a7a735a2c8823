//! The gaps of each measurement: a table, a histogram, and what took the time.

use std::fmt::Write as _;

use hftune_model::jitter::Jitter;

use super::svg::{Log, count, escape};
use crate::jitter::{causes, duration};

/// The most causes with a bar.
const CAUSES: usize = 12;

/// Names and classes of one measurement, or of two.
pub(super) fn names(measured: &[Jitter]) -> &'static [(&'static str, &'static str)] {
    if measured.len() == 1 {
        &[("measured", "after")]
    } else {
        &[("before", "before"), ("after", "after")]
    }
}

pub(super) fn section(measured: &[Jitter]) -> String {
    let mut out = String::from("<section><h2>Gaps</h2>\n");
    if let Some(first) = measured.first().and_then(|jitter| jitter.cpus.first()) {
        let _ = writeln!(
            out,
            "<p class=\"faint\">A loop on each CPU reads the time stamp counter every {:.1} ns; a time of {} or more in which it did not run is a gap.</p>",
            first.loop_ns,
            duration(first.threshold_ns)
        );
    }
    histogram(&mut out, measured);
    table(&mut out, measured);
    for (jitter, (name, class)) in measured.iter().zip(names(measured)) {
        lost(&mut out, jitter, name, class);
    }
    out.push_str("</section>\n");
    out
}

fn table(out: &mut String, measured: &[Jitter]) {
    out.push_str("<div class=\"scroll\"><table><thead><tr><th>CPU</th><th></th>");
    for head in ["Gaps a second", "Half", "99 %", "99.9 %", "Longest", "Lost"] {
        let _ = write!(out, "<th class=\"n\">{head}</th>");
    }
    out.push_str("</tr></thead><tbody>\n");
    let mut cpus: Vec<u32> = measured
        .iter()
        .flat_map(|jitter| jitter.cpus.iter().map(|cpu| cpu.cpu))
        .collect();
    cpus.sort_unstable();
    cpus.dedup();
    for number in cpus {
        for (jitter, (name, _)) in measured.iter().zip(names(measured)) {
            let Some(cpu) = jitter.cpus.iter().find(|cpu| cpu.cpu == number) else {
                continue;
            };
            let gaps = cpu.gaps;
            let _ = write!(
                out,
                "<tr><td>{number}</td><td>{name}</td><td class=\"n\">{}</td>",
                count(gaps.per_second)
            );
            for ns in [gaps.p50_ns, gaps.p99_ns, gaps.p999_ns, gaps.max_ns] {
                let _ = write!(out, "<td class=\"n\">{}</td>", duration(ns));
            }
            let _ = writeln!(
                out,
                "<td class=\"n\">{:.4} %</td></tr>",
                cpu.lost_share * 100.0
            );
        }
    }
    out.push_str("</tbody></table></div>\n");
}

/// How many gaps of each length there are in a second, all CPUs together, in steps of a fifth of a power of ten.
fn histogram(out: &mut String, measured: &[Jitter]) {
    const STEPS: usize = 35;
    let x = Log {
        from: 1,
        at: 80.0,
        powers: 7,
        length: 112.0,
    };
    let y = Log {
        from: -2,
        at: 300.0,
        powers: 8,
        length: -34.0,
    };
    out.push_str("<svg viewBox=\"0 0 900 345\" role=\"img\" aria-label=\"Gaps by length\"><title>Gaps in a second by length</title>");
    for (value, at) in x.ticks() {
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{at}\" x2=\"{at}\" y1=\"28\" y2=\"300\"/><text class=\"faint\" x=\"{at}\" y=\"318\" text-anchor=\"middle\">{}</text>",
            duration(value)
        );
    }
    for (value, at) in y.ticks().step_by(2) {
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"80\" x2=\"864\" y1=\"{at}\" y2=\"{at}\"/><text class=\"faint\" x=\"72\" y=\"{}\" text-anchor=\"end\">{}</text>",
            at + 4.0,
            count(value)
        );
    }
    out.push_str("<text class=\"faint\" x=\"472\" y=\"338\" text-anchor=\"middle\">length of the gap</text><text class=\"faint\" x=\"80\" y=\"16\">gaps in a second</text>");
    for (i, (jitter, (name, class))) in measured.iter().zip(names(measured)).enumerate() {
        let mut steps = [0u64; STEPS];
        for (ns, gaps) in jitter.cpus.iter().flat_map(|cpu| &cpu.histogram) {
            steps[step(*ns, STEPS)] += gaps;
        }
        let mut points = String::new();
        for (at, gaps) in steps.iter().enumerate().filter(|(_, gaps)| **gaps > 0) {
            #[allow(clippy::cast_precision_loss, reason = "counts of a measurement")]
            let (middle, rate) = (
                10f64.powf(1.0 + (at as f64 + 0.5) / 5.0),
                *gaps as f64 / jitter.seconds.max(1e-9),
            );
            let (x, y) = (x.place(middle), y.place(rate));
            let _ = write!(points, "{x:.1},{y:.1} ");
            let shape = if *class == "before" {
                format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\">")
            } else {
                format!(
                    "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"7\" height=\"7\">",
                    x - 3.5,
                    y - 3.5
                )
            };
            let end = if *class == "before" {
                "</circle>"
            } else {
                "</rect>"
            };
            let _ = write!(
                out,
                "{shape}<title>{name}: {} a second of about {}</title>{end}",
                count(rate),
                duration(middle)
            );
        }
        let _ = write!(
            out,
            "<polyline class=\"{class}\" style=\"fill:none\" stroke-width=\"1.6\" points=\"{}\"/>",
            points.trim_end()
        );
        #[allow(clippy::cast_precision_loss, reason = "at most two")]
        let at = 640.0 + 110.0 * i as f64;
        let sign = if *class == "before" {
            "\u{25cf}"
        } else {
            "\u{25a0}"
        };
        let _ = write!(
            out,
            "<text x=\"{at}\" y=\"16\"><tspan class=\"{class}\" style=\"stroke:none\">{sign}</tspan> {name}</text>"
        );
    }
    out.push_str("</svg>\n");
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the steps"
)]
fn step(ns: f64, steps: usize) -> usize {
    let at = (ns.max(10.0).log10() - 1.0) * 5.0;
    (at as usize).min(steps - 1)
}

/// Bars of the time that each cause took, in the traced pass.
fn lost(out: &mut String, jitter: &Jitter, name: &str, class: &str) {
    let causes = causes(&jitter.cpus);
    let Some(most) = causes.first().map(|cause| cause.lost_ns) else {
        return;
    };
    let seconds = jitter.seconds.max(1e-9);
    let _ = writeln!(
        out,
        "<h3>What took the time: {name}</h3>\n<p class=\"faint\">From the pass in which the kernel was traced, which makes gaps longer. Time lost in a second, all CPUs together.</p>\n<div class=\"scroll\"><table><thead><tr><th>Cause</th><th class=\"n\">Lost a second</th><th></th><th class=\"n\">Gaps</th><th class=\"n\">Longest</th><th>Setting</th></tr></thead><tbody>"
    );
    for cause in causes.iter().take(CAUSES) {
        let width = (cause.lost_ns / most * 120.0).max(1.0);
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td class=\"n\">{}</td><td><svg viewBox=\"0 0 120 12\" style=\"width:120px\" aria-hidden=\"true\"><rect class=\"{class}\" width=\"{width:.1}\" height=\"12\"/></svg></td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            escape(&cause.cause),
            duration(cause.lost_ns / seconds),
            cause.count,
            duration(cause.max_ns),
            escape(cause.setting.as_deref().unwrap_or("-"))
        );
    }
    out.push_str("</tbody></table></div>\n");
}
