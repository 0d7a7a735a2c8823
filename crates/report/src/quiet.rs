//! How often CPUs were disturbed: a line a CPU, then what it was.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hftune_model::CpuSet;
use hftune_model::quiet::{LIMIT, Quiet};
use owo_colors::{OwoColorize as _, Style};

use crate::jitter::rate;
use crate::table::{Cell, Table};
use crate::text::wrap;

/// The most causes that are told.
const CAUSES: usize = 15;

/// One JSON object.
pub fn json(quiet: &Quiet) -> String {
    crate::to_json(quiet)
}

/// 0 where every CPU is as quiet as isolation makes it, 3 where one is not.
pub fn exit_code(quiet: &Quiet) -> u8 {
    if quiet.cpus.iter().all(|cpu| cpu.quiet) {
        0
    } else {
        3
    }
}

/// The tables.
pub fn human(quiet: &Quiet, width: usize) -> String {
    let mut table = Table::new(&["CPU", "", "TIMER", "IPI", "DEVICE", "SOFTIRQ", "SWITCHES"]);
    for cpu in &quiet.cpus {
        let (word, style) = if cpu.quiet {
            ("quiet", Style::new().green())
        } else {
            ("disturbed", Style::new().yellow())
        };
        table.push([
            Cell::from(cpu.cpu.to_string()),
            Cell::styled(word, style),
            rate(cpu.timer).into(),
            rate(cpu.ipi).into(),
            rate(cpu.device).into(),
            rate(cpu.softirq).into(),
            cpu.switches
                .map_or_else(|| "unknown".to_owned(), rate)
                .into(),
        ]);
    }
    let mut out = table.render(width);
    let note = format!(
        "Events in a second, over {:.0} s. Quiet is at most {LIMIT} of each: what a CPU sees where isolation works.",
        quiet.seconds
    );
    let _ = writeln!(out, "\n{}", wrap(&note, width).join("\n"));
    let causes = causes(quiet);
    if causes.is_empty() {
        return out;
    }
    let _ = writeln!(out, "\n{}", "What it was".bold());
    let mut table = Table::new(&["A SECOND", "CPUS", "CAUSE", "SETTING"]);
    for (cause, (count, cpus, setting)) in causes.iter().take(CAUSES) {
        #[allow(clippy::cast_precision_loss, reason = "a rate")]
        let per_second = *count as f64 / quiet.seconds.max(1e-9);
        let setting = setting.clone().unwrap_or_else(|| "-".to_owned());
        table.push([
            rate(per_second),
            cpus.to_string(),
            (*cause).to_owned(),
            setting,
        ]);
    }
    out += &table.render(width);
    if let Some(more) = causes.len().checked_sub(CAUSES).filter(|more| *more > 0) {
        let _ = writeln!(out, "and {more} more; --json lists them");
    }
    out
}

/// A cause with its count, its CPUs and its setting.
type Told<'q> = (&'q str, (u64, CpuSet, Option<String>));

fn causes(quiet: &Quiet) -> Vec<Told<'_>> {
    let mut all: BTreeMap<&str, (u64, CpuSet, Option<String>)> = BTreeMap::new();
    for cpu in &quiet.cpus {
        for cause in &cpu.causes {
            let sum = all
                .entry(&cause.cause)
                .or_insert_with(|| (0, CpuSet::new(), cause.setting.clone()));
            sum.0 += cause.count;
            sum.1.insert(cpu.cpu);
        }
    }
    let mut causes: Vec<Told<'_>> = all.into_iter().collect();
    causes.sort_by_key(|(_, (count, _, _))| std::cmp::Reverse(*count));
    causes
}
