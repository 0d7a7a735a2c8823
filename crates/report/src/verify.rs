//! The report of `verify`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hftune_model::finding::{Finding, Proof, Verdict};
use owo_colors::OwoColorize as _;
use serde::Serialize;

use crate::text::{indented, wrap};

/// The contract of `hftune verify --format json`.
#[derive(Debug, Serialize)]
struct Report<'f> {
    schema: &'static str,
    profile: &'f str,
    summary: BTreeMap<&'static str, usize>,
    settings: &'f [Finding],
    notes: &'f [String],
}

/// How many findings have each verdict; every verdict is listed.
pub(crate) fn counts(findings: &[Finding]) -> Vec<(Verdict, usize)> {
    Verdict::ALL
        .into_iter()
        .map(|verdict| {
            (
                verdict,
                findings.iter().filter(|f| f.verdict == verdict).count(),
            )
        })
        .collect()
}

/// One JSON object. `summary` counts all of `findings`, `shown` are listed; `notes` are what other tools do that is no
/// finding.
pub fn json(profile: &str, findings: &[Finding], shown: &[Finding], notes: &[String]) -> String {
    let report = Report {
        schema: "hftune/verify/1",
        profile,
        summary: counts(findings)
            .into_iter()
            .map(|(verdict, n)| (verdict.word(), n))
            .collect(),
        settings: shown,
        notes,
    };
    crate::to_json(&report)
}

/// A line for each setting, and below what is not as desired its reason and its remedy.
pub fn human(
    profile: &str,
    findings: &[Finding],
    shown: &[Finding],
    notes: &[String],
    width: usize,
) -> String {
    let mut out = String::new();
    let longest = shown
        .iter()
        .map(|f| f.id.len())
        .max()
        .unwrap_or(0)
        .clamp(7, 44);
    if !shown.is_empty() {
        let head = format!(
            "{:<14}  {:<longest$}  SAVED  LIVE  EFFECT",
            "VERDICT", "SETTING"
        );
        let _ = writeln!(out, "{}", head.bold());
    }
    for finding in shown {
        let verdict = format!("{:<14}", finding.verdict);
        let _ = writeln!(
            out,
            "{}  {:<longest$}  {}  {}  {}",
            paint(finding.verdict, &verdict),
            finding.id,
            mark(&finding.saved, 5),
            mark(&finding.live, 4),
            mark(&finding.effect, 6),
        );
        let mut below = |label: &str, text: &str| {
            for (i, line) in wrap(text, width.saturating_sub(26)).into_iter().enumerate() {
                let label = if i == 0 { label } else { "" };
                let _ = writeln!(out, "{:<16}{label:<8}{line}", "");
            }
        };
        if finding.verdict != Verdict::Ok {
            if !finding.desired.is_empty() {
                below("wanted", &finding.desired);
            }
            below("because", &finding.reason);
            if let Some(fix) = &finding.fix {
                below("mend", fix);
            }
        }
    }
    if !notes.is_empty() {
        let _ = writeln!(out, "\n{}", "Other tools, no findings".bold());
        for note in notes {
            out.push_str(&indented(note, 2, width));
        }
    }
    let summary: Vec<_> = counts(findings)
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .map(|(verdict, n)| paint(verdict, &format!("{n} {verdict}")))
        .collect();
    let _ = writeln!(out, "\nProfile {profile}: {}", summary.join(", "));
    let _ = writeln!(out, "{}", conclusion(findings));
    out
}

/// What the operator does next, in the colour of how urgent it is.
fn conclusion(findings: &[Finding]) -> String {
    let words = conclusion_words(findings);
    match exit_code(findings) {
        0 => words.green().to_string(),
        4 => words.yellow().to_string(),
        _ => words.red().to_string(),
    }
}

/// What the operator does next.
pub(crate) fn conclusion_words(findings: &[Finding]) -> String {
    let wrong = findings.iter().filter(|f| f.verdict.is_finding()).count();
    match (wrong, exit_code(findings)) {
        (0, 4) => "Everything is saved. Reboot, then run hftune verify again.".to_owned(),
        (0, _) => "This host is as the profile wants it.".to_owned(),
        (1, _) => "One setting is not as the profile wants it.".to_owned(),
        (n, _) => format!("{n} settings are not as the profile wants them."),
    }
}

/// Exit code of `verify`: 0 as desired, 3 findings, 4 only a reboot is missing.
pub fn exit_code(findings: &[Finding]) -> u8 {
    if findings.iter().any(|f| f.verdict.is_finding()) {
        3
    } else if findings.iter().any(|f| f.verdict == Verdict::RebootPending) {
        4
    } else {
        0
    }
}

/// A word for each proof: the sense must not hang on colour.
fn mark(proof: &Proof, width: usize) -> String {
    match proof {
        Proof::Holds(_) => format!("{:<width$}", "yes").green().to_string(),
        Proof::Differs(_) | Proof::Overridden(..) => format!("{:<width$}", "NO").red().to_string(),
        Proof::Unknown(_) | Proof::NotPermitted(_) => {
            format!("{:<width$}", "?").yellow().to_string()
        }
        _ => format!("{:<width$}", "-"),
    }
}

fn paint(verdict: Verdict, text: &str) -> String {
    match verdict {
        Verdict::Ok | Verdict::Rounded => text.green().to_string(),
        Verdict::NotApplicable => text.dimmed().to_string(),
        Verdict::RebootPending => text.yellow().to_string(),
        Verdict::Wrong | Verdict::Overridden | Verdict::NotPermitted | Verdict::Unknown => {
            text.red().to_string()
        }
    }
}
