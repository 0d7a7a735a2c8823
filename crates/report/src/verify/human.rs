//! For a person: a table, with the reason and the remedy of what is not as desired.

use std::fmt::Write as _;

use hftune_model::finding::{Finding, Proof, Verdict};
use owo_colors::OwoColorize as _;

use super::{Verified, conclusion_words, counts, exit_code, word};
use crate::text::{indented, wrap};

/// A line for each setting, and below what is not as desired its reason and its remedy.
pub fn human(verified: &Verified<'_>, width: usize) -> String {
    let Verified {
        profile,
        all,
        shown,
        notes,
    } = *verified;
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
    let summary: Vec<_> = counts(all)
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .map(|(verdict, n)| paint(verdict, &format!("{n} {verdict}")))
        .collect();
    let _ = writeln!(out, "\nProfile {profile}: {}", summary.join(", "));
    let _ = writeln!(out, "{}", conclusion(all));
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

fn mark(proof: &Proof, width: usize) -> String {
    let padded = format!("{:<width$}", word(proof));
    match proof {
        Proof::Holds(_) => padded.green().to_string(),
        Proof::Differs(_) | Proof::Overridden(..) => padded.red().to_string(),
        Proof::Unknown(_) | Proof::NotPermitted(_) => padded.yellow().to_string(),
        _ => padded,
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
