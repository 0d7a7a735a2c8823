//! The report of `run --check`.

use std::fmt::Write as _;

use hftune_model::CpuSet;
use hftune_model::run_check::{Fault, Process};
use owo_colors::OwoColorize as _;
use schemars::JsonSchema;
use serde::Serialize;

use crate::table::Table;
use crate::text::indented;

/// A process and what is amiss with it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Checked {
    /// The process.
    #[serde(flatten)]
    pub process: Process,
    /// What is not as the launcher leaves it.
    pub faults: Vec<Fault>,
}

/// A table of the threads of each process, then what is amiss.
pub fn human(checked: &[Checked], isolated: &CpuSet, width: usize) -> String {
    let mut out = String::new();
    for Checked { process, faults } in checked {
        if !out.is_empty() {
            out.push('\n');
        }
        let _ = writeln!(
            out,
            "{}",
            format!("{} ({})", process.name, process.pid).bold()
        );
        let mut table = Table::new(&[
            "THREAD",
            "NAME",
            "MAY USE",
            "ON CPU",
            "POLICY",
            "PRIORITY",
            "WAITED",
            "DISPLACED",
        ])
        .indent(2);
        for thread in &process.threads {
            table.push([
                thread.tid.to_string(),
                thread.name.clone(),
                thread.allowed.to_string(),
                thread.cpu.to_string(),
                thread.policy.word().to_owned(),
                thread.priority.to_string(),
                thread.voluntary.to_string(),
                thread.involuntary.to_string(),
            ]);
        }
        out.push_str(&table.render(width));
        let unknown = "unknown".to_owned();
        out.push_str(
            &Table::headless()
                .indent(2)
                .row(["isolated CPUs".to_owned(), isolated.to_string()])
                .row([
                    "lockable memory".to_owned(),
                    process.memlock.clone().unwrap_or_else(|| unknown.clone()),
                ])
                .row([
                    "open files, at most".to_owned(),
                    process.open_files.clone().unwrap_or(unknown),
                ])
                .row(["libvma", process.libvma.as_deref().unwrap_or("not loaded")])
                .render(width),
        );
        if faults.is_empty() {
            out.push_str("  As hftune run leaves it.\n");
        }
        for fault in faults {
            out.push_str(&indented(&format!("wrong: {}", fault.what), 2, width));
            out.push_str(&indented(&format!("fix: {}", fault.remedy), 4, width));
        }
    }
    out
}

/// What `hftune run --check --json` prints.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Report<'c> {
    schema: &'static str,
    isolated: &'c CpuSet,
    processes: &'c [Checked],
}

/// One JSON object.
pub fn json(checked: &[Checked], isolated: &CpuSet) -> String {
    crate::to_json(&Report {
        schema: "hftune/run-check/1",
        isolated,
        processes: checked,
    })
}
