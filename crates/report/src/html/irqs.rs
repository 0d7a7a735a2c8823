//! Where each interrupt of a device fires.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hftune_model::CpuSet;
use hftune_model::host::Host;
use hftune_model::irq_map::{IrqDevice, IrqMap, IrqQueue, IrqState};

use super::escape::Text;
use super::page::SCROLL;
use crate::host::list;
use crate::irq::merged;
use crate::text::plural;

/// The section: a line a device, and below it a line an interrupt.
pub(super) fn section(host: &Host, map: &IrqMap) -> String {
    let mut out = "<section id=\"irqs\">\n<h2>Interrupts</h2>\n".to_owned();
    if map.devices.is_empty() {
        return out + "<p>No device interrupts are known of this machine.</p>\n</section>\n";
    }
    let _ = writeln!(out, "<p>{}</p>", Text(summary(map)));
    let (used, idle): (Vec<IrqDevice>, Vec<IrqDevice>) =
        merged(&map.devices).into_iter().partition(|device| {
            device
                .queues
                .iter()
                .any(|queue| queue.state != IrqState::Idle)
        });
    out.push_str(
        "<p class=\"sub\">The strips show the CPUs from the first to the last: low where an interrupt fires on a CPU of the OS, \
         high where it fires on another.</p>\n<div class=\"devices\">\n",
    );
    for device in &used {
        out += &of_device(device, host, &map.housekeeping);
    }
    out.push_str("</div>\n");
    if !idle.is_empty() {
        let count = idle.iter().map(|device| device.queues.len()).sum();
        let _ = writeln!(
            out,
            "<p class=\"sub\">And {} that nobody uses.</p>",
            plural(count, "interrupt")
        );
    }
    out + "</section>\n"
}

fn summary(map: &IrqMap) -> String {
    let queues = map.devices.iter().flat_map(|device| &device.queues);
    let mut text = format!("{}: {}.", plural(map.total, "interrupt"), states(queues));
    if !map.housekeeping.is_empty() {
        let _ = write!(
            text,
            " They should fire on CPUs {}.",
            list(&map.housekeeping)
        );
    }
    if let Some(booted) = &map.booted {
        let _ = write!(
            text,
            " The kernel was booted with {}, and {} fire on those CPUs.",
            booted.argument, booted.fire_there
        );
    }
    text
}

/// "3 stray, 5 ok", in the order of the states.
fn states<'q>(queues: impl Iterator<Item = &'q IrqQueue>) -> String {
    let mut counts: BTreeMap<IrqState, usize> = BTreeMap::new();
    for queue in queues {
        *counts.entry(queue.state).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .into_iter()
        .map(|(state, n)| format!("{n} {}", state.word()))
        .collect();
    counts.join(", ")
}

fn of_device(device: &IrqDevice, host: &Host, housekeeping: &CpuSet) -> String {
    let fires = device
        .queues
        .iter()
        .filter_map(|queue| queue.fires_on.as_ref());
    let cpus = fires.fold(CpuSet::new(), |all, cpus| all.union(cpus));
    let known = [
        device.driver.clone(),
        device
            .address
            .clone()
            .filter(|address| *address != device.name),
        device.node.map(|node| format!("node {node}")),
    ];
    let known: Vec<String> = known.into_iter().flatten().collect();
    let mut out = format!(
        "<details>\n<summary><strong>{}</strong> <span class=\"sub\">{}</span> <span class=\"{}\">{}</span> on CPUs {}{}</summary>\n",
        Text(&device.name),
        Text(known.join(", ")),
        class(device.queues.iter().map(|queue| queue.state).min()),
        states(device.queues.iter()),
        list(&cpus),
        cells(&cpus, host, housekeeping),
    );
    out.push_str(SCROLL);
    out.push_str(
        "<table>\n<thead><tr><th scope=\"col\">IRQ</th><th scope=\"col\">Name</th>\
         <th scope=\"col\">State</th><th scope=\"col\">Fires on</th><th scope=\"col\">Should</th>\
         <th scope=\"col\" class=\"n\">So far</th></tr></thead>\n<tbody>\n",
    );
    for queue in &device.queues {
        let set = |cpus: &Option<CpuSet>| cpus.as_ref().map_or_else(|| "-".to_owned(), list);
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"{}\">{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td></tr>",
            queue.number,
            Text(&queue.name),
            class(Some(queue.state)),
            queue.state.word(),
            set(&queue.fires_on),
            set(&queue.should),
            queue.count
        );
    }
    out + "</tbody>\n</table></div>\n</details>\n"
}

fn class(state: Option<IrqState>) -> &'static str {
    match state {
        Some(IrqState::Stray) => "bad",
        Some(IrqState::Pending | IrqState::Unknown | IrqState::Managed) => "wait",
        _ => "good",
    }
}

/// A strip with a cell for each CPU, filled where interrupts of the device fire.
fn cells(cpus: &CpuSet, host: &Host, housekeeping: &CpuSet) -> String {
    let (Some(last), false) = (
        host.cpus.present.union(&host.cpus.online).last(),
        cpus.is_empty(),
    ) else {
        return String::new();
    };
    let (mut low, mut high) = (String::new(), String::new());
    for cpu in cpus.iter().filter(|cpu| *cpu <= last) {
        if housekeeping.contains(cpu) {
            let _ = write!(low, "M{cpu} .6h.9v.4h-.9z");
        } else {
            let _ = write!(high, "M{cpu} 0h.9v1h-.9z");
        }
    }
    format!(
        "<svg class=\"cells\" style=\"max-width:{0}rem\" viewBox=\"0 0 {0} 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <path d=\"{low}\"/><path class=\"elsewhere\" d=\"{high}\"/></svg>",
        last + 1
    )
}

#[cfg(test)]
mod tests {
    use crate::html::sample;

    #[test]
    fn a_device_tells_where_its_interrupts_fire() {
        let html = super::section(&sample::host(), &sample::irqs());
        assert!(html.contains("<strong>eth&lt;evil&gt;</strong>"), "{html}");
        assert!(
            html.contains("<span class=\"bad\">1 stray, 1 ok</span> on CPUs 0,3"),
            "{html}"
        );
        assert!(
            html.contains("d=\"M0 .6h.9v.4h-.9z\"/><path class=\"elsewhere\" d=\"M3 0h.9v1h-.9z\""),
            "{html}"
        );
        assert!(
            html.contains("<td class=\"bad\">stray</td><td>3</td><td>0-1</td>"),
            "{html}"
        );
    }
}
