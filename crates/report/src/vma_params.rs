//! The report of `vma params`.

use std::fmt::Write as _;

use hftune_model::vma::param::{Param, Status};
use hftune_model::vma::params::PARAMS;
use hftune_model::vma::presets::{self, PRESETS};
use owo_colors::OwoColorize as _;
use schemars::JsonSchema;
use serde::Serialize;

use crate::table::Table;
use crate::text::indented;

/// All parameters, those that matter most for latency first.
pub fn list(width: usize) -> String {
    let mut table = Table::new(&["PARAMETER", "DEFAULT", "TAKES", "MEANING"]);
    let mut params: Vec<&Param> = PARAMS
        .iter()
        .filter(|param| param.status == Status::Active)
        .collect();
    params.sort_by_key(|param| param.latency);
    let mut out = String::new();
    let mut last = None;
    for param in params {
        if last != Some(param.latency) {
            flush(&mut out, &mut table, width);
            let _ = writeln!(
                out,
                "{}{}",
                if out.is_empty() { "" } else { "\n" },
                format!("Influence on latency: {}", param.latency.word()).bold()
            );
            last = Some(param.latency);
        }
        table.push([
            param.name.trim_start_matches("VMA_").to_owned(),
            param.default.to_owned(),
            param.takes.short(),
            param.meaning.to_owned(),
        ]);
    }
    flush(&mut out, &mut table, width);
    out.push_str("\nEvery name begins with VMA_. hftune vma params NAME tells all about one.\n\nPresets (VMA_SPEC)\n");
    for preset in PRESETS {
        let values: Vec<String> = preset
            .values
            .iter()
            .map(|(name, value)| format!("{}={value}", name.trim_start_matches("VMA_")))
            .collect();
        let _ = writeln!(out, "  {}", preset.name.bold());
        out.push_str(&indented(&values.join(" "), 4, width));
    }
    let rest: Vec<&str> = PARAMS
        .iter()
        .filter(|param| param.status != Status::Active)
        .map(|param| param.name)
        .collect();
    out.push_str("\nRead, and better left alone\n");
    out.push_str(&indented(&rest.join(", "), 2, width));
    out
}

fn flush(out: &mut String, table: &mut Table, width: usize) {
    if !table.is_empty() {
        let full = std::mem::replace(
            table,
            Table::new(&["PARAMETER", "DEFAULT", "TAKES", "MEANING"]),
        );
        out.push_str(&full.render(width));
    }
}

/// One parameter.
pub fn one(param: &Param, width: usize) -> String {
    let mut out = format!("{}\n", param.name.bold());
    out.push_str(&indented(param.meaning, 2, width));
    if !param.note.is_empty() {
        out.push_str(&indented(param.note, 2, width));
    }
    out.push('\n');
    let default = match param.default {
        "" => "nothing",
        default => default,
    };
    let mut table = Table::headless()
        .indent(2)
        .row(["takes".to_owned(), param.takes.allowed()])
        .row(["default", default])
        .row(["influence on latency", param.latency.word()]);
    for (preset, value) in presets::setting(param.name) {
        table.push([format!("in preset {preset}"), value.to_owned()]);
    }
    let status = match param.status {
        Status::Active => None,
        Status::OldNameOf(new) => Some(format!("an old name of {new}, which it wins over")),
        Status::Ignored => Some("libvma reads it and does nothing with it".to_owned()),
        Status::Debug => Some("for those who look for faults in libvma".to_owned()),
        Status::SpecialBuild => {
            Some("only a library that was built to measure time reads it".to_owned())
        }
    };
    if let Some(status) = status {
        table.push(["status".to_owned(), status]);
    }
    out.push_str(&table.render(width));
    let _ = writeln!(
        out,
        "\n  Set it in the profile: [vma.parameters] {} = VALUE, then hftune setup.",
        param.name
    );
    out
}

/// What `hftune vma params --json` prints.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Report {
    schema: &'static str,
    parameters: &'static [Param],
}

/// All of it as one JSON object.
pub fn json() -> String {
    crate::to_json(&Report {
        schema: "hftune/vma-params/1",
        parameters: PARAMS,
    })
}
