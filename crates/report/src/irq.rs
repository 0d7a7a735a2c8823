//! The map of interrupts: device and queue, where each was asked to fire, where it fires, where it should.

use std::fmt::Write as _;

use hftune_model::cpu_plan::CpuPlan;
use hftune_model::host::{Irq, Irqs};
use owo_colors::OwoColorize as _;
use serde::Serialize;

/// One JSON object.
pub fn json(irqs: &Irqs, cpus: &CpuPlan) -> String {
    #[derive(Serialize)]
    struct Map<'h> {
        schema: &'static str,
        housekeeping: String,
        irqs: &'h Irqs,
    }
    crate::to_json(&Map {
        schema: "hftune/irq/1",
        housekeeping: cpus.housekeeping.to_string(),
        irqs,
    })
}

/// A line for each interrupt that somebody uses.
pub fn human(irqs: &Irqs, cpus: &CpuPlan, width: usize) -> String {
    let used: Vec<&Irq> = irqs
        .list
        .iter()
        .filter(|irq| !irq.name.is_empty())
        .collect();
    let room = width.saturating_sub(48).max(16);
    let longest = used
        .iter()
        .map(|irq| irq.name.len())
        .max()
        .unwrap_or(0)
        .clamp(4, room);
    let mut out = format!(
        "{}\n",
        format!(
            "{:>5}  {:<longest$}  {:>12}  {:<10}  {:<10}",
            "IRQ", "NAME", "COUNT", "ASKED", "FIRES ON"
        )
        .bold()
    );
    let list = |set: &Option<hftune_model::CpuSet>| {
        set.as_ref()
            .map_or_else(|| "?".to_owned(), ToString::to_string)
    };
    for irq in &used {
        let stray = irq
            .effective
            .as_ref()
            .is_some_and(|set| !set.is_subset(&cpus.housekeeping));
        let name: String = irq.name.chars().take(longest).collect();
        let line = format!(
            "{:>5}  {name:<longest$}  {:>12}  {:<10}  {:<10}",
            irq.number,
            irq.count,
            list(&irq.requested),
            list(&irq.effective)
        );
        let _ = if stray {
            writeln!(out, "{}", line.trim_end().red())
        } else {
            writeln!(out, "{}", line.trim_end())
        };
    }
    let stray = used
        .iter()
        .filter(|irq| {
            irq.effective
                .as_ref()
                .is_some_and(|set| !set.is_subset(&cpus.housekeeping))
        })
        .count();
    let _ = writeln!(
        out,
        "\n{} of {} fire on CPUs other than {}, which serve the OS.",
        stray,
        used.len(),
        cpus.housekeeping
    );
    out
}
