//! The table and the picture of what was measured.

use super::Measured;
use super::counts::{Rates, State, mean};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The most of each that a busy isolated CPU may see in a second.
const GOALS: [(&str, f64, f64, f64); 2] = [
    ("hftune hft", 0.1, 0.05, 0.1),
    ("hftune hft-max", 0.02, 0.0, 0.02),
];

/// Rates are counts of a few: below this, one event in a window of one CPU makes all the difference.
const ONE: f64 = 0.005;

/// The tables, and what was left.
pub fn markdown(measured: &[Measured]) -> String {
    let mut out = String::new();
    for state in State::ALL {
        let title = title(state);
        let _ = writeln!(
            out,
            "| {title} | timer | IPI | device | softirq | switches |\n|---|---|---|---|---|---|"
        );
        for row in measured {
            let r = mean(&row.windows, state);
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} |",
                row.name,
                number(r.timer),
                number(r.ipi),
                number(r.device),
                number(r.softirq),
                number(r.switches)
            );
        }
        out.push('\n');
    }
    for state in [State::Busy, State::Disturbed] {
        let _ = writeln!(out, "What it was on all six CPUs, {}:", title(state));
        for row in measured {
            let windows = || row.windows.iter().filter(|window| window.state == state);
            let what = sum(windows().map(|window| &window.what));
            let _ = writeln!(out, "- {}: {}", row.name, words(&what, "nothing"));
            let work = sum(windows().map(|window| &window.work));
            if state == State::Disturbed {
                let _ = writeln!(out, "  Work meanwhile: {}", words(&work, "none"));
            }
        }
        out.push('\n');
    }
    out
}

fn title(state: State) -> &'static str {
    match state {
        State::Busy => "A loop on each CPU",
        State::Idle => "Nothing to do",
        State::Disturbed => "A loop on each CPU, and work on CPUs 0-1",
    }
}

/// Counts of several windows added up, the largest first.
fn sum<'w>(counts: impl Iterator<Item = &'w BTreeMap<String, u64>>) -> Vec<(&'w str, u64)> {
    let mut all: BTreeMap<&str, u64> = BTreeMap::new();
    for (what, count) in counts.flatten() {
        *all.entry(what).or_default() += count;
    }
    let mut all: Vec<_> = all.into_iter().filter(|(_, count)| *count > 0).collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    all
}

fn words(counts: &[(&str, u64)], none: &str) -> String {
    let words: Vec<String> = counts
        .iter()
        .take(10)
        .map(|(what, count)| format!("{what} {count}"))
        .collect();
    if words.is_empty() {
        none.to_owned()
    } else {
        words.join(", ")
    }
}

fn number(rate: f64) -> String {
    if rate == 0.0 {
        "0".to_owned()
    } else if rate < 10.0 {
        format!("{rate:.3}")
    } else {
        format!("{rate:.0}")
    }
}

/// Whether the profiles of hftune that were measured are as quiet as they are to be.
pub fn goals_met(measured: &[Measured]) -> bool {
    let mut met = true;
    for (name, timer, ipi, switches) in GOALS {
        let Some(row) = measured.iter().find(|row| row.name == name) else {
            continue;
        };
        let rates = mean(&row.windows, State::Busy);
        for (what, rate, goal) in [
            ("timer", rates.timer, timer),
            ("IPI", rates.ipi, ipi),
            ("switches", rates.switches, switches),
        ] {
            if rate > goal + ONE {
                println!("missed: {name}, {what}: {rate:.3} a second, goal {goal}");
                met = false;
            }
        }
    }
    met
}

/// A kind of event, its colour, and its rate.
type Kind = (&'static str, &'static str, fn(&Rates) -> f64);

/// Bars of all events of a busy CPU in a second, on a scale of powers of ten.
pub fn picture(measured: &[Measured]) -> String {
    const LEFT: f64 = 190.0;
    const DECADE: f64 = 90.0;
    const STEP: f64 = 34.0;
    let top = 46.0;
    let kinds: [Kind; 3] = [
        ("timer", "#3b6ea5", |r| r.timer),
        ("IPI", "#c4681c", |r| r.ipi),
        ("switches", "#5c8a3a", |r| r.switches),
    ];
    #[allow(clippy::cast_precision_loss, reason = "a few rows")]
    let height = top + STEP * measured.len() as f64 + 34.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 700 {height}\" font-family=\"sans-serif\" font-size=\"12\">\
         <title>Events a second on a busy isolated CPU</title><rect width=\"700\" height=\"{height}\" fill=\"white\"/>"
    );
    // From 0.01 to 1000 a second.
    let x = |rate: f64| LEFT + (rate.max(0.01).log10() + 2.0) * DECADE;
    for power in -2..=3 {
        let at = x(10f64.powi(power));
        let _ = write!(
            svg,
            "<line x1=\"{at}\" x2=\"{at}\" y1=\"{}\" y2=\"{}\" stroke=\"#ccc\"/><text x=\"{at}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            top - 8.0,
            height - 30.0,
            height - 14.0,
            10f64.powi(power)
        );
    }
    for (i, (name, colour, _)) in kinds.iter().enumerate() {
        #[allow(clippy::cast_precision_loss, reason = "three")]
        let at = LEFT + 110.0 * i as f64;
        let _ = write!(
            svg,
            "<rect x=\"{at}\" y=\"12\" width=\"12\" height=\"12\" fill=\"{colour}\"/><text x=\"{}\" y=\"22\">{name}</text>",
            at + 18.0
        );
    }
    for (i, row) in measured.iter().enumerate() {
        #[allow(clippy::cast_precision_loss, reason = "a few rows")]
        let y = top + STEP * i as f64;
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            LEFT - 10.0,
            y + 16.0,
            row.name
        );
        let rates = mean(&row.windows, State::Busy);
        for (k, (name, colour, of)) in kinds.iter().enumerate() {
            let rate = of(&rates);
            #[allow(clippy::cast_precision_loss, reason = "three")]
            let y = y + 9.0 * k as f64;
            let width = (x(rate) - LEFT).max(if rate > 0.0 { 2.0 } else { 0.0 });
            let _ = write!(
                svg,
                "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"8\" fill=\"{colour}\"><title>{name} {rate:.3} a second</title></rect>"
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}
