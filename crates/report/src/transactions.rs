//! The reports of `setup`, `rollback` and `history`.

use std::fmt::Write as _;
use std::path::PathBuf;

use hftune_model::plan::Change;
use hftune_model::transaction::{Conflict, Status, Transaction};
use owo_colors::OwoColorize as _;
use schemars::JsonSchema;
use serde::Serialize;
use similar::TextDiff;

use crate::text::{indented, plural};

/// Something that was not done, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NotDone {
    /// A setting, or a target.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// The result of `hftune setup`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Setup {
    /// "hftune/setup/1".
    pub schema: &'static str,
    /// Id of the transaction; `None` where nothing had to be changed.
    pub transaction: Option<String>,
    /// What was changed.
    pub changed: Vec<Change>,
    /// What was not, and why.
    pub not_changed: Vec<NotDone>,
    /// Whether a reboot is needed.
    pub reboot_required: bool,
}

/// The result of `hftune rollback`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Rollback {
    /// "hftune/rollback/1".
    pub schema: &'static str,
    /// Ids of the transactions that were undone.
    pub transactions: Vec<String>,
    /// Targets that were put back.
    pub restored: Vec<String>,
    /// Files of boot arguments that were installed or changed since, out of which only those of hftune were taken.
    pub taken_out: Vec<PathBuf>,
    /// Targets that were not put back, and why.
    pub not_restored: Vec<NotDone>,
    /// Files that someone changed since hftune wrote them, each in its three states.
    pub conflicts: Vec<Conflict>,
    /// Whether a reboot is needed.
    pub reboot_required: bool,
}

/// What setup did, in words. `not_made` are the steps that were not taken as asked; what does not apply to this host was
/// told by the plan.
pub fn setup(result: &Setup, not_made: &[NotDone], width: usize) -> String {
    let mut out = String::new();
    match &result.transaction {
        None => out.push_str("Nothing was changed: every setting is as desired.\n"),
        Some(id) => {
            let _ = writeln!(
                out,
                "{} made, recorded as transaction {}",
                plural(result.changed.len(), "change"),
                id.bold()
            );
            let _ = writeln!(out, "Undo it with: hftune rollback");
        }
    }
    out.push_str(&not_done("Not made as asked", not_made, width));
    out
}

/// What rollback did, in words.
pub fn rollback(result: &Rollback, width: usize) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{} put back.", plural(result.restored.len(), "target"));
    for id in &result.transactions {
        let _ = writeln!(out, "Undone: transaction {id}");
    }
    for path in &result.taken_out {
        let _ = writeln!(
            out,
            "{} was installed or changed since: only the boot arguments of hftune are taken out of it.",
            path.display()
        );
    }
    out.push_str(&not_done("Not put back", &result.not_restored, width));
    for conflict in &result.conflicts {
        out.push_str(&three_ways(conflict));
    }
    if result.reboot_required {
        out.push_str("Reboot: the running kernel was booted with arguments that are gone now.\n");
    }
    out
}

/// Lines around a change that are shown with it.
const AROUND: usize = 1;

/// What hftune changed of a file, and what somebody changed since.
fn three_ways(conflict: &Conflict) -> String {
    let path = conflict.path.display();
    let mut out = String::new();
    for (title, from, to) in [
        ("what hftune changed", &conflict.before, &conflict.made),
        ("what was changed since", &conflict.made, &conflict.now),
    ] {
        let _ = writeln!(out, "\n{}", format!("{path}: {title}").bold());
        let difference = TextDiff::from_lines(from.as_str(), to.as_str());
        let unified = difference.unified_diff().context_radius(AROUND).to_string();
        for line in unified.lines() {
            // A line of a file must not steer the terminal.
            let line: String = line
                .chars()
                .map(|c| {
                    if c.is_control() && c != '\t' {
                        '\u{fffd}'
                    } else {
                        c
                    }
                })
                .collect();
            let _ = writeln!(out, "  {line}");
        }
    }
    let _ = writeln!(
        out,
        "\n  hftune rollback --force puts {path} back as it was before both."
    );
    out
}

fn not_done(title: &str, list: &[NotDone], width: usize) -> String {
    if list.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", title.bold());
    for NotDone { id, reason } in list {
        let _ = writeln!(out, "  {id}");
        out.push_str(&indented(reason, 6, width));
    }
    out
}

/// A transaction in the history.
#[derive(Debug, Serialize, JsonSchema)]
struct Entry<'t> {
    id: &'t str,
    time: &'t str,
    profile: &'t str,
    status: Status,
    changes: usize,
}

fn entries(transactions: &[Transaction]) -> Vec<Entry<'_>> {
    transactions
        .iter()
        .map(|t| Entry {
            id: &t.id,
            time: &t.time,
            profile: &t.profile,
            status: t.status,
            changes: t.changes.len(),
        })
        .collect()
}

/// What was done when, newest last.
pub fn history(transactions: &[Transaction]) -> String {
    if transactions.is_empty() {
        return "hftune has changed nothing on this host.\n".to_owned();
    }
    let mut out = format!(
        "{}\n",
        format!("{:<24}  {:<12}  CHANGES  PROFILE", "TRANSACTION", "STATUS").bold()
    );
    for entry in entries(transactions) {
        let status = match entry.status {
            Status::Applied => "applied",
            Status::Failed => "failed",
            Status::Interrupted => "interrupted",
            Status::RolledBack => "rolled back",
        };
        let _ = writeln!(
            out,
            "{:<24}  {status:<12}  {:>7}  {}",
            entry.id, entry.changes, entry.profile
        );
    }
    out
}

/// What `hftune history --json` prints.
#[derive(Serialize, JsonSchema)]
pub(crate) struct History<'t> {
    schema: &'static str,
    transactions: Vec<Entry<'t>>,
}

/// The history as one JSON object.
pub fn history_json(transactions: &[Transaction]) -> String {
    crate::to_json(&History {
        schema: "hftune/history/1",
        transactions: entries(transactions),
    })
}
