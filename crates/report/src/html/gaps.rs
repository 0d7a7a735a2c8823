//! The gaps: numbers of each CPU, how long they are, when they were, what made them.

use std::fmt::Write as _;

use hftune_model::finding::Finding;
use hftune_model::jitter::{Cpu, Jitter};

use super::escape::Text;
use super::histogram::{self, Series};
use super::marks::Marks;
use super::page::{Measured, SCROLL, warnings};
use super::{causes, compare, timeline};
use crate::jitter::{figures, rate};

/// CPUs whose charts are open; those of the others are folded.
const OPEN: usize = 2;

/// CPUs that have charts of their own: with more the page would become too large to mail.
const CHARTS: usize = 64;

/// The section.
pub(super) fn section(measured: &[Measured], findings: &[Finding], kernel: &str) -> String {
    let mut out = "<section id=\"gaps\">\n<h2>Gaps</h2>\n<p>A loop on each CPU does nothing but look at the clock; whatever takes \
        the CPU from it is a gap.</p>\n"
        .to_owned();
    sources(measured, &mut out);
    let mut doubts = compare::doubts(measured);
    for (place, one) in measured.iter().enumerate() {
        let word = Measured::word(place, measured.len());
        if !kernel.is_empty() && one.jitter.kernel != kernel {
            doubts.push(format!(
                "{}: kernel {}, while the machine above runs {kernel}.",
                one.name, one.jitter.kernel
            ));
        }
        doubts.extend(
            one.jitter
                .warnings
                .iter()
                .map(|warning| format!("{word}: {warning}")),
        );
    }
    out += &warnings(&doubts);
    let all = compare::series(measured);
    let chart = histogram::chart(&title("Gaps by length, all CPUs", &all), &all, true);
    if all.iter().all(|series| series.cpus.is_empty()) {
        out.push_str("<p class=\"wait\">No CPU was measured.</p>\n");
    } else if chart.is_empty() {
        out.push_str("<p class=\"good\">There was no gap.</p>\n");
    } else {
        let _ = writeln!(
            out,
            "<h3>How long the gaps are</h3>\n<div class=\"pair\">\n<figure>\n{chart}{}</figure>\n{}</div>",
            histogram::legend(&all),
            compare::longer(measured)
        );
    }
    cpu_table(measured, &mut out);
    let marks = Marks::of(measured);
    out += &causes::table(measured, findings, &marks);
    counted(measured, &mut out);
    charts(measured, &marks, &mut out);
    out + "</section>\n"
}

fn title(what: &str, all: &[Series<'_>]) -> String {
    match all {
        [_, _] => format!("{what}: before and after"),
        _ => what.to_owned(),
    }
}

/// Which files these are.
fn sources(measured: &[Measured], out: &mut String) {
    out.push_str("<dl class=\"facts\">\n");
    for (place, one) in measured.iter().enumerate() {
        let jitter = &one.jitter;
        let _ = writeln!(
            out,
            "<div><dt>{}</dt><dd>{}: {}, kernel {}, {}, {:.1} s</dd></div>",
            Measured::word(place, measured.len()),
            Text(&one.name),
            Text(&jitter.host),
            Text(&jitter.kernel),
            Text(&jitter.time),
            jitter.seconds
        );
    }
    out.push_str("</dl>\n");
}

/// The CPUs of all measurements in rising order, each once.
fn numbers(measured: &[Measured]) -> Vec<u32> {
    let mut numbers: Vec<u32> = measured
        .iter()
        .flat_map(|one| one.jitter.cpus.iter().map(|cpu| cpu.cpu))
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn of(jitter: &Jitter, number: u32) -> Option<&Cpu> {
    jitter.cpus.iter().find(|cpu| cpu.cpu == number)
}

fn cpu_table(measured: &[Measured], out: &mut String) {
    let _ = write!(out, "<h3>Each CPU</h3>\n{SCROLL}<table>\n<thead><tr>");
    let several = measured.len() > 1;
    let heads = [
        "CPU", "", "Loop", "Gap from", "Gaps/s", "P50", "P99", "P99.9", "Max", "Lost",
    ];
    for (place, head) in heads.into_iter().enumerate() {
        match (place, several) {
            (1, true) => out.push_str("<th scope=\"col\">When</th>"),
            (1, false) => {}
            _ => {
                let _ = write!(out, "<th scope=\"col\" class=\"n\">{head}</th>");
            }
        }
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for number in numbers(measured) {
        for (place, one) in measured.iter().enumerate() {
            let Some(cpu) = of(&one.jitter, number) else {
                continue;
            };
            let _ = write!(out, "<tr><th scope=\"row\" class=\"n\">{number}</th>");
            if several {
                let _ = write!(out, "<td>{}</td>", Measured::word(place, measured.len()));
            }
            for cell in figures(cpu) {
                let _ = write!(out, "<td class=\"n\">{cell}</td>");
            }
            out.push_str("</tr>\n");
        }
    }
    out.push_str("</tbody>\n</table></div>\n");
}

/// What the kernel counted, folded: a hint where no trace was made.
fn counted(measured: &[Measured], out: &mut String) {
    let mut rows = String::new();
    for (place, one) in measured.iter().enumerate() {
        for cpu in &one.jitter.cpus {
            for counted in &cpu.counted {
                #[allow(clippy::cast_precision_loss, reason = "a rate")]
                let per_second = counted.count as f64 / one.jitter.seconds.max(1e-9);
                let _ = writeln!(
                    rows,
                    "<tr><th scope=\"row\" class=\"n\">{}</th><td>{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
                    cpu.cpu,
                    Measured::word(place, measured.len()),
                    rate(per_second),
                    Text(&counted.what)
                );
            }
        }
    }
    if !rows.is_empty() {
        let _ = writeln!(
            out,
            "<details>\n<summary>What the kernel counted on these CPUs meanwhile</summary>\n{SCROLL}<table>\n\
             <thead><tr><th scope=\"col\" class=\"n\">CPU</th><th scope=\"col\">When</th>\
             <th scope=\"col\" class=\"n\">In a second</th><th scope=\"col\">What</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n</details>"
        );
    }
}

/// The charts of each CPU, the one that lost most first.
fn charts(measured: &[Measured], marks: &Marks, out: &mut String) {
    let mut numbers = numbers(measured);
    let lost = |number: u32| {
        let cpus = measured.iter().filter_map(|one| of(&one.jitter, number));
        cpus.map(|cpu| cpu.lost_share).fold(0.0, f64::max)
    };
    numbers.sort_by(|a, b| lost(*b).total_cmp(&lost(*a)));
    let y = timeline::scale(measured.iter().flat_map(|one| &one.jitter.cpus));
    let traced = |number: &u32| {
        let cpus = measured.iter().filter_map(|one| of(&one.jitter, *number));
        cpus.filter_map(|cpu| cpu.traced.as_ref())
            .any(|traced| !traced.timeline.is_empty())
    };
    if numbers.iter().any(traced) {
        let _ = writeln!(
            out,
            "<h3>When the gaps were</h3>\n<p class=\"sub\">The traced pass: the longest gaps and some others. Tracing makes gaps longer.</p>\n{}",
            marks.legend()
        );
    }
    for (place, number) in numbers.iter().take(CHARTS).enumerate() {
        let mut charts = String::new();
        for (place, one) in measured.iter().enumerate() {
            let word = Measured::word(place, measured.len());
            if let Some(cpu) = of(&one.jitter, *number)
                && let Some(traced) = cpu
                    .traced
                    .as_ref()
                    .filter(|traced| !traced.timeline.is_empty())
            {
                let title = format!("Gaps of CPU {number} by time, {word}");
                let _ = writeln!(
                    charts,
                    "<figure>\n<figcaption>CPU {number}, {word}</figcaption>\n{}</figure>",
                    timeline::chart(&title, cpu, traced, y, marks)
                );
            }
        }
        if numbers.len() > 1 {
            let of_cpu: Vec<Series<'_>> = measured
                .iter()
                .enumerate()
                .filter_map(|(place, one)| {
                    of(&one.jitter, *number).map(|cpu| Series {
                        word: Measured::word(place, measured.len()),
                        cpus: vec![cpu],
                        seconds: one.jitter.seconds,
                    })
                })
                .collect();
            let chart = histogram::chart(
                &title(&format!("Gaps of CPU {number} by length"), &of_cpu),
                &of_cpu,
                false,
            );
            if !chart.is_empty() {
                let _ = writeln!(
                    charts,
                    "<figure>\n<figcaption>CPU {number}, gaps by length</figcaption>\n{chart}</figure>"
                );
            }
        }
        if charts.is_empty() {
            continue;
        }
        let open = if place < OPEN { " open" } else { "" };
        let _ = writeln!(
            out,
            "<details{open}>\n<summary>CPU {number}</summary>\n<div class=\"pair\">\n{charts}</div>\n</details>"
        );
    }
    if let Some(more) = numbers.len().checked_sub(CHARTS).filter(|more| *more > 0) {
        let _ = writeln!(
            out,
            "<p class=\"sub\">The other {more} CPUs, which lost less, have no charts.</p>"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::sample;

    #[test]
    fn every_cpu_of_every_measurement_has_its_row() {
        let html = section(&sample::measured(2), &sample::findings(), "6.18.0");
        assert!(
            html.contains(
                "<th scope=\"row\" class=\"n\">3</th><td>before</td><td class=\"n\">7.25 ns</td>"
            ),
            "{html}"
        );
        assert!(html.contains("<td>after</td>") && html.contains("softirq &lt;evil&gt;"));
        assert!(html.contains("kernel 6.12.0, while the machine above runs 6.18.0"));
    }

    #[test]
    fn without_gaps_it_says_so() {
        let mut measured = sample::measured(1);
        let cpu = &mut measured[0].jitter.cpus[0];
        cpu.histogram.clear();
        cpu.traced = None;
        cpu.causes.clear();
        let html = section(&measured, &[], "");
        assert!(
            html.contains("There was no gap.") && !html.contains("<svg"),
            "{html}"
        );
    }

    #[test]
    fn numbers_that_no_measurement_has_do_no_harm() {
        let mut measured = sample::measured(2);
        for one in &mut measured {
            one.jitter.seconds = 0.0;
            let cpu = &mut one.jitter.cpus[0];
            cpu.cpu = u32::MAX;
            cpu.histogram = vec![(0.0, 1), (-5.0, 1), (1e308, u64::MAX), (1e-308, 1)];
            cpu.gaps.max_ns = f64::MAX;
            let traced = cpu.traced.as_mut().expect("a trace");
            traced.timeline = vec![(-1.0, -1.0, usize::MAX), (1e300, 1e300, 0)];
        }
        assert!(!section(&measured, &[], "").contains("NaN"));
        measured[1].jitter.cpus.clear();
        section(&measured, &[], "");
        measured[0].jitter.cpus.clear();
        assert!(section(&measured, &[], "").contains("No CPU was measured."));
    }
}
