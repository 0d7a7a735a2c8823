//! The words of a setting: on the terminal, and as Markdown for `docs/`.

use std::fmt::Write as _;

use hftune_model::finding::Finding;
use hftune_model::setting::Doc;
use owo_colors::OwoColorize as _;
use schemars::JsonSchema;
use serde::Serialize;

use crate::text::{indented, wrap};

/// What `hftune explain ID --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct One<'d> {
    schema: &'static str,
    #[serde(flatten)]
    doc: &'d Doc,
}

/// What `hftune explain --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct List<'d> {
    schema: &'static str,
    /// The words of every kind of setting.
    settings: Vec<&'d Doc>,
}

/// The words of a kind of setting as one JSON object.
pub fn json(doc: &Doc) -> String {
    crate::to_json(&One {
        schema: "hftune/explain/1",
        doc,
    })
}

/// The words of all kinds of settings as one JSON object.
pub fn json_list<'d>(docs: impl Iterator<Item = &'d Doc>) -> String {
    crate::to_json(&List {
        schema: "hftune/settings/1",
        settings: docs.collect(),
    })
}

/// Everything about a kind of setting, and how this host stands with it.
pub fn human(doc: &Doc, here: &[Finding], width: usize) -> String {
    let mut out = format!("{}\n", doc.id.bold());
    let parts = [
        ("What", doc.what),
        ("Why", doc.why),
        ("Trade-off", doc.trade_off),
        ("How it is read", doc.read),
        ("Source", doc.source),
    ];
    for (title, text) in parts {
        let _ = write!(out, "\n{}\n{}", title.bold(), indented(text, 2, width));
    }
    if !here.is_empty() {
        let _ = writeln!(out, "\n{}", "On this host".bold());
        for finding in here {
            let _ = writeln!(out, "  {}: {}", finding.id, finding.verdict);
            if !finding.reason.is_empty() {
                out.push_str(&indented(&finding.reason, 6, width));
            }
        }
    }
    out
}

/// A section of `docs/settings.md`.
pub fn markdown(doc: &Doc) -> String {
    let paragraph = |text: &str| wrap(text, 110).join("\n");
    format!(
        "### `{}`\n\n{}\n\n**Why.** {}\n\n**Trade-off.** {}\n\n**How it is read.** {}\n\n*Source: {}*\n",
        doc.id,
        paragraph(doc.what),
        paragraph(doc.why),
        paragraph(doc.trade_off),
        paragraph(doc.read),
        doc.source
    )
}
