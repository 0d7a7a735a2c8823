//! What changed, at a glance: before, after, and by how much.

use std::fmt::Write as _;

use hftune_model::jitter::{Cpu, Jitter};

use super::histogram::Series;
use super::page::{Measured, SCROLL};
use crate::jitter::{duration, rate, share};

/// Changes that are smaller come by chance.
const SAME: f64 = 0.05;

/// Lengths from which on gaps are counted, whatever each measurement called a gap.
const LENGTHS_NS: [f64; 4] = [1e3, 1e4, 1e5, 1e6];

/// A number that is better the smaller it is.
struct Number {
    name: String,
    values: Vec<f64>,
    show: fn(f64) -> String,
}

/// The CPUs of each measurement that are compared: those that all have, or all where they have none in common.
pub(super) fn series(measured: &[Measured]) -> Vec<Series<'_>> {
    let in_all = |cpu: &&Cpu| {
        let has = |one: &Measured| one.jitter.cpus.iter().any(|other| other.cpu == cpu.cpu);
        measured.iter().all(has)
    };
    let common = measured
        .first()
        .is_some_and(|one| one.jitter.cpus.iter().any(|cpu| in_all(&cpu)));
    measured
        .iter()
        .enumerate()
        .map(|(place, one)| Series {
            word: Measured::word(place, measured.len()),
            cpus: one
                .jitter
                .cpus
                .iter()
                .filter(|cpu| !common || in_all(cpu))
                .collect(),
            seconds: one.jitter.seconds,
        })
        .collect()
}

/// The numbers that matter, large.
pub(super) fn tiles(measured: &[Measured]) -> String {
    let series = series(measured);
    let mut out = "<ul class=\"tiles numbers\">\n".to_owned();
    for number in main_numbers(&series) {
        let _ = write!(out, "<li><span class=\"sub\">{}</span><b>", number.name);
        out.push_str(
            &number
                .values
                .iter()
                .map(|value| (number.show)(*value))
                .collect::<Vec<_>>()
                .join(" <span aria-label=\"to\">&#8594;</span> "),
        );
        out.push_str("</b>");
        if let [before, after] = number.values[..] {
            let (class, words) = change(before, after);
            let _ = write!(out, "<span class=\"{class}\">{words}</span>");
        }
        out.push_str("</li>\n");
    }
    out + "</ul>\n"
}

/// How many gaps are longer than some lengths.
pub(super) fn longer(measured: &[Measured]) -> String {
    let series = series(measured);
    let mut out = format!(
        "{SCROLL}<table>\n<caption>Gaps longer than this, in a second of one CPU</caption>\n<thead><tr><th scope=\"col\">Longer than</th>"
    );
    for one in &series {
        let _ = write!(out, "<th scope=\"col\" class=\"n\">{}</th>", one.word);
    }
    if series.len() == 2 {
        out.push_str("<th scope=\"col\">change</th>");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for ns in LENGTHS_NS {
        let values: Vec<f64> = series.iter().map(|one| one.longer_than(ns)).collect();
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th>",
            super::histogram::short(ns)
        );
        for value in &values {
            let _ = write!(out, "<td class=\"n\">{}</td>", rate(*value));
        }
        if let [before, after] = values[..] {
            let (class, words) = change(before, after);
            let _ = write!(out, "<td class=\"{class}\">{words}</td>");
        }
        out.push_str("</tr>\n");
    }
    out + "</tbody>\n</table></div>\n"
}

fn main_numbers(series: &[Series<'_>]) -> Vec<Number> {
    let number = |name: &str, show: fn(f64) -> String, of: fn(&[&Cpu]) -> f64| Number {
        name: name.to_owned(),
        values: series.iter().map(|one| of(&one.cpus)).collect(),
        show,
    };
    let mut numbers = vec![
        number("Gaps a second and CPU", rate, |cpus| {
            mean(cpus, |cpu| cpu.gaps.per_second)
        }),
        number("P99.9 of the gaps, worst CPU", duration, |cpus| {
            most(cpus, |cpu| cpu.gaps.p999_ns)
        }),
        number("Longest gap", duration, |cpus| {
            most(cpus, |cpu| cpu.gaps.max_ns)
        }),
        number("Time lost", share, |cpus| mean(cpus, |cpu| cpu.lost_share)),
    ];
    // What settings can change; the rest is firmware's and the hypervisor's.
    let of_kernel: Option<Vec<f64>> = series.iter().map(lost_to_kernel).collect();
    if let Some(values) = of_kernel {
        let name = "Lost to the kernel, while traced".to_owned();
        let show = share;
        numbers.insert(0, Number { name, values, show });
    }
    numbers
}

/// The share of the traced pass that the kernel took; `None` where a CPU was not traced.
fn lost_to_kernel(one: &Series<'_>) -> Option<f64> {
    if one.cpus.iter().any(|cpu| cpu.traced.is_none()) {
        return None;
    }
    Some(mean(&one.cpus, |cpu| {
        let of_kernel = cpu.causes.iter().filter(|cause| cause.is_of_kernel());
        // Not sum(): that of none is -0.
        of_kernel.fold(0.0, |lost, cause| lost + cause.lost_ns) / (one.seconds * 1e9)
    }))
}

fn mean(cpus: &[&Cpu], of: impl Fn(&Cpu) -> f64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "few CPUs")]
    let count = cpus.len().max(1) as f64;
    cpus.iter().map(|cpu| of(cpu)).sum::<f64>() / count
}

fn most(cpus: &[&Cpu], of: impl Fn(&Cpu) -> f64) -> f64 {
    cpus.iter().map(|cpu| of(cpu)).fold(0.0, f64::max)
}

/// By how much a number changed, in words, and whether that is good.
fn change(before: f64, after: f64) -> (&'static str, String) {
    if before <= 0.0 && after <= 0.0 {
        return ("none", "none in both".to_owned());
    }
    if after <= 0.0 {
        return ("good", "&#9660; none left".to_owned());
    }
    if before <= 0.0 {
        return ("bad", "&#9650; none before".to_owned());
    }
    let ratio = after / before;
    if (ratio - 1.0).abs() < SAME {
        ("none", "= about the same".to_owned())
    } else if ratio < 1.0 {
        let by = by(1.0 / ratio, (1.0 - ratio) * 100.0);
        ("good", format!("&#9660; better, {by} less"))
    } else {
        let by = by(ratio, (ratio - 1.0) * 100.0);
        ("bad", format!("&#9650; worse, {by} more"))
    }
}

/// "30 %", and from twice on "3.2 times".
fn by(ratio: f64, percent: f64) -> String {
    if ratio < 2.0 {
        format!("{percent:.0} %")
    } else {
        format!("{} times", times(ratio))
    }
}

fn times(ratio: f64) -> String {
    if ratio < 10.0 {
        format!("{ratio:.1}")
    } else {
        format!("{ratio:.0}")
    }
}

/// What makes two measurements hard to compare.
pub(super) fn doubts(measured: &[Measured]) -> Vec<String> {
    let [before, after] = measured else {
        return Vec::new();
    };
    let (a, b) = (&before.jitter, &after.jitter);
    let mut doubts = Vec::new();
    if a.host != b.host {
        doubts.push(format!(
            "Two machines are compared: {} before, {} after.",
            a.host, b.host
        ));
    }
    if a.kernel != b.kernel {
        doubts.push(format!(
            "The kernel was {} before and is {} after.",
            a.kernel, b.kernel
        ));
    }
    let cpus = |jitter: &Jitter| jitter.cpus.iter().map(|cpu| cpu.cpu).collect::<Vec<_>>();
    if cpus(a) != cpus(b) {
        doubts.push("Not the same CPUs were measured: the numbers above are of those in both, or of all where none is.".to_owned());
    }
    if a.seconds > b.seconds * 1.1 || b.seconds > a.seconds * 1.1 {
        doubts.push(format!(
            "One took {:.1} s, the other {:.1} s: the longer one has more chances of a long gap.",
            a.seconds, b.seconds
        ));
    }
    let threshold = |jitter: &Jitter| {
        jitter
            .cpus
            .iter()
            .map(|cpu| cpu.threshold_ns)
            .fold(0.0, f64::max)
    };
    let (from, to) = (threshold(a), threshold(b));
    if from > to * 1.1 || to > from * 1.1 {
        doubts.push(format!(
            "A gap was {} or more before and {} or more after: compare the gaps longer than a length, which do not hang on it.",
            duration(from),
            duration(to)
        ));
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::sample;

    #[test]
    fn a_change_is_told_with_its_ratio() {
        assert_eq!(
            change(10.0, 1.0),
            ("good", "&#9660; better, 10 times less".to_owned())
        );
        assert_eq!(
            change(1.0, 2.5),
            ("bad", "&#9650; worse, 2.5 times more".to_owned())
        );
        assert_eq!(change(1.0, 1.01).0, "none");
        assert_eq!(change(1.0, 0.0).1, "&#9660; none left");
        assert_eq!(change(0.0, 1.0).0, "bad");
        assert_eq!(change(0.0, 0.0).0, "none");
    }

    #[test]
    fn only_cpus_of_both_are_compared() {
        let mut measured = sample::measured(2);
        let mut other = measured[1].jitter.cpus[0].clone();
        other.cpu = 2;
        measured[1].jitter.cpus.push(other);
        let compared = series(&measured);
        assert_eq!(compared[1].cpus.len(), 1);
        assert_eq!(doubts(&measured).len(), 1, "other CPUs");
        measured[1].jitter.host = "b".to_owned();
        measured[1].jitter.seconds = 9.0;
        measured[1].jitter.cpus[0].threshold_ns = 900.0;
        assert_eq!(doubts(&measured).len(), 4);
    }

    #[test]
    fn the_numbers_are_those_of_the_measurement() {
        let html = tiles(&sample::measured(2));
        assert!(
            html.contains("5.00 <span aria-label=\"to\">&#8594;</span> 0.50"),
            "{html}"
        );
        assert!(html.contains("better, 10 times less"), "{html}");
        assert!(longer(&sample::measured(2)).contains(
            "<th scope=\"row\">1 us</th><td class=\"n\">5.00</td><td class=\"n\">0.50</td>"
        ));
    }
}
