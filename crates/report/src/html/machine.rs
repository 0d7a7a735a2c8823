//! The map of the machine: packages, nodes, cores and threads, who owns each CPU, the ports of each node, where interrupts fire.

use std::fmt::Write as _;

use hftune_model::CpuSet;
use hftune_model::cpu_plan::CpuPlan;
use hftune_model::host::{Core, Host};
use hftune_model::irq_map::{IrqDevice, IrqMap};

use super::svg::escape;

pub(super) fn section(host: &Host, cpus: &CpuPlan, irqs: &IrqMap) -> String {
    let mut out = format!(
        "<section><h2>The machine</h2>\n<p><span class=\"cpu os\">OS</span> serves the system and the interrupts: {}. \
         <span class=\"cpu app\">app</span> belongs to the application: {}.</p>\n<p class=\"faint\">{}</p>\n<div class=\"nodes\">\n",
        list(&cpus.housekeeping),
        list(&cpus.isolated),
        escape(&cpus.why)
    );
    let mut groups: Vec<(i32, Option<u32>)> = host
        .cpus
        .cores
        .iter()
        .map(|core| (core.package, core.node))
        .collect();
    groups.sort_unstable();
    groups.dedup();
    for (package, node) in groups {
        let cores = host
            .cpus
            .cores
            .iter()
            .filter(|core| (core.package, core.node) == (package, node));
        group(&mut out, host, cpus, package, node, cores);
    }
    out.push_str("</div>\n");
    interrupts(&mut out, irqs);
    out.push_str("</section>\n");
    out
}

fn list(cpus: &CpuSet) -> String {
    if cpus.is_empty() {
        "none".to_owned()
    } else {
        format!("CPUs {cpus}")
    }
}

fn group<'h>(
    out: &mut String,
    host: &Host,
    plan: &CpuPlan,
    package: i32,
    node: Option<u32>,
    cores: impl Iterator<Item = &'h Core>,
) {
    let place = node.map_or_else(String::new, |node| format!(", node {node}"));
    let _ = write!(out, "<div class=\"card\"><h3>Socket {package}{place}</h3>");
    if let Some(node) = node.and_then(|id| host.nodes.iter().find(|node| node.id == id)) {
        let _ = write!(out, "<p class=\"faint\">{} of memory", node.memory);
        for (kib, pages) in node.huge_pages.iter().filter(|(_, pages)| pages.total > 0) {
            let _ = write!(out, ", {} huge pages of {} MiB", pages.total, kib / 1024);
        }
        out.push_str("</p>");
    }
    out.push_str("<div class=\"cores\">");
    for core in cores {
        out.push_str("<div class=\"core\">");
        for cpu in core.cpus.iter() {
            let (class, who) = if !host.cpus.online.contains(cpu) {
                ("off", "offline")
            } else if plan.isolated.contains(cpu) {
                ("app", "application")
            } else {
                ("os", "OS")
            };
            let _ = write!(
                out,
                "<span class=\"cpu {class}\" title=\"CPU {cpu}: {who}\">{cpu}</span>"
            );
        }
        out.push_str("</div>");
    }
    out.push_str("</div>");
    for nic in host.nics.iter().filter(|nic| nic.node == node) {
        let state = nic.state.as_deref().unwrap_or("unknown");
        let speed = nic
            .speed_mbps
            .map_or_else(String::new, |speed| format!(", {speed} Mb/s"));
        let _ = write!(
            out,
            "<p><b>{}</b> <span class=\"faint\">{}, {}{speed}</span></p>",
            escape(&nic.name),
            escape(nic.driver.as_deref().unwrap_or("no driver")),
            escape(state)
        );
    }
    out.push_str("</div>\n");
}

/// Queues of one device that are alike are one line.
fn interrupts(out: &mut String, irqs: &IrqMap) {
    out.push_str(
        "<h3>Interrupts</h3>\n<div class=\"scroll\"><table><thead><tr><th>Device</th><th>State</th><th class=\"n\">Queues</th><th>Fire on</th><th>Should</th></tr></thead><tbody>\n",
    );
    for device in &irqs.devices {
        for (state, fires, should, queues) in alike(device) {
            let class = if state == "ok" { "ok" } else { "other" };
            let _ = writeln!(
                out,
                "<tr><td>{}</td><td class=\"{class}\">{state}</td><td class=\"n\">{queues}</td><td>{}</td><td>{}</td></tr>",
                escape(&device.name),
                escape(&fires),
                escape(&should)
            );
        }
    }
    out.push_str("</tbody></table></div>\n");
}

fn alike(device: &IrqDevice) -> Vec<(&'static str, String, String, usize)> {
    let shown = |cpus: &Option<CpuSet>| {
        cpus.as_ref()
            .map_or_else(|| "-".to_owned(), ToString::to_string)
    };
    let mut lines: Vec<(&'static str, String, String, usize)> = Vec::new();
    for queue in &device.queues {
        let (state, fires, should) = (
            queue.state.word(),
            shown(&queue.fires_on),
            shown(&queue.should),
        );
        match lines
            .iter_mut()
            .find(|line| (line.0, &line.1, &line.2) == (state, &fires, &should))
        {
            Some(line) => line.3 += 1,
            None => lines.push((state, fires, should, 1)),
        }
    }
    lines
}
