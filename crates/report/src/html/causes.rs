//! What took the time: a bar for each cause, with the setting that would remove it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hftune_model::finding::Finding;

use super::escape::Text;
use super::marks::Marks;
use super::page::{Measured, SCROLL};
use super::verify::anchor;
use crate::jitter::{causes, duration, share};

/// The most causes that have a bar.
const BARS: usize = 16;

/// A cause, and what it took of the time of a CPU in each measurement.
struct Row {
    cause: String,
    setting: Option<String>,
    shares: Vec<f64>,
    max_ns: f64,
}

/// The table; nothing where no cause is known.
pub(super) fn table(measured: &[Measured], findings: &[Finding], marks: &Marks) -> String {
    let rows = rows(measured);
    let most = rows
        .iter()
        .flat_map(|row| &row.shares)
        .fold(0.0, |a: f64, b| a.max(*b));
    if rows.is_empty() || most <= 0.0 {
        return String::new();
    }
    let mut out = format!(
        "<h3>What took the time</h3>\n<p class=\"sub\">In the traced pass: the share of the time of a CPU, and the \
        setting that would remove the cause.</p>\n{SCROLL}<table class=\"causes stack\">\n<thead><tr>\
        <th scope=\"col\">Cause</th><th scope=\"col\">Share of the time</th><th scope=\"col\" class=\"n\">Longest</th>\
        <th scope=\"col\">Setting</th></tr></thead>\n<tbody>\n"
    );
    for row in rows.iter().take(BARS) {
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{} {}</th><td>",
            marks.sign(&row.cause),
            Text(&row.cause)
        );
        for (place, part) in row.shares.iter().enumerate() {
            bar(
                Measured::word(place, measured.len()),
                *part,
                *part / most,
                &mut out,
            );
        }
        let _ = writeln!(
            out,
            "</td><td class=\"n\" data-label=\"Longest\">{}</td><td data-label=\"Setting\">{}</td></tr>",
            duration(row.max_ns),
            setting(row.setting.as_deref(), findings)
        );
    }
    out.push_str("</tbody>\n</table></div>\n");
    if rows.len() > BARS {
        let _ = writeln!(
            out,
            "<p class=\"sub\">And {} more causes, which took less.</p>",
            rows.len() - BARS
        );
    }
    out
}

fn rows(measured: &[Measured]) -> Vec<Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for (place, one) in measured.iter().enumerate() {
        let traced = one
            .jitter
            .cpus
            .iter()
            .filter(|cpu| cpu.traced.is_some())
            .count();
        #[allow(clippy::cast_precision_loss, reason = "few CPUs")]
        let time_ns = (one.jitter.seconds * 1e9 * traced as f64).max(1.0);
        for cause in causes(&one.jitter.cpus) {
            let row = rows.entry(cause.cause.clone()).or_insert_with(|| Row {
                cause: cause.cause,
                setting: cause.setting,
                shares: vec![0.0; measured.len()],
                max_ns: 0.0,
            });
            row.shares[place] = cause.lost_ns / time_ns;
            row.max_ns = row.max_ns.max(cause.max_ns);
        }
    }
    let mut rows: Vec<Row> = rows.into_values().collect();
    let most = |row: &Row| row.shares.iter().copied().fold(0.0, f64::max);
    rows.sort_by(|a, b| most(b).total_cmp(&most(a)));
    rows
}

fn bar(word: &str, value: f64, part: f64, out: &mut String) {
    let _ = write!(
        out,
        "<span class=\"bar\"><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{word}: {0}\">\
         <title>{word}: {0}</title><rect class=\"fill {word}\" width=\"{1:.2}\" height=\"10\"/></svg> {2}{0}</span>",
        if value > 0.0 {
            share(value)
        } else {
            "none".to_owned()
        },
        (part * 100.0).clamp(0.0, 100.0),
        if word == "measured" {
            String::new()
        } else {
            format!("{word} ")
        },
    );
}

/// The id of a setting, its verdict, and the way to it where the profile has it.
fn setting(id: Option<&str>, findings: &[Finding]) -> String {
    let Some(id) = id else {
        return "-".to_owned();
    };
    match findings.iter().find(|finding| finding.id == id) {
        Some(finding) => format!(
            "<a href=\"#{}\"><code>{}</code></a> ({})",
            anchor(id),
            Text(id),
            finding.verdict
        ),
        None => format!("<code>{}</code>", Text(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::sample;

    #[test]
    fn a_cause_has_a_bar_for_each_measurement_and_its_setting() {
        let measured = sample::measured(2);
        let html = table(&measured, &sample::findings(), &Marks::of(&measured));
        assert!(html.contains("aria-label=\"before: 0.01 %\""), "{html}");
        assert!(html.contains("aria-label=\"after: 0.0010 %\""), "{html}");
        assert!(
            html.contains(
                "<a href=\"#setting/boot/nohz_full\"><code>boot/nohz_full</code></a> (wrong)"
            ),
            "{html}"
        );
        assert_eq!(table(&[], &[], &Marks::of(&[])), "");
    }
}
