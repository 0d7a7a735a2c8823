//! The map of the machine: sockets, nodes, cores, who owns each CPU, the ports at their node.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use hftune_model::CpuSet;
use hftune_model::cpu_plan::CpuPlan;
use hftune_model::finding::Skipped;
use hftune_model::host::{Core, CoreKind, Host, Nic, Node};
use hftune_model::irq_map::{IrqMap, IrqState};

use super::escape::Text;
use super::page::warnings;
use crate::host::list;
use crate::text::plural;

const LEGEND: &str = r#"<ul class="legend">
<li><span class="cpu os">0<small>OS</small></span> serves the OS and the interrupts</li>
<li><span class="cpu app">1<small>app</small></span> isolated for the application</li>
<li><span class="cpu app stray">2<small>app</small><small>5 irq!</small></span> isolated, but interrupts that can be moved fire there</li>
<li><span class="core"><span class="cpu os">3<small>OS</small></span><span class="cpu os">7<small>OS</small></span></span> one core with its SMT siblings</li>
</ul>
"#;

/// What is drawn.
struct Map<'a> {
    host: &'a Host,
    cpus: &'a CpuPlan,
    irqs: &'a IrqMap,
    /// How many interrupts fire on each CPU, and how many of them could be moved and should be.
    fire: BTreeMap<u32, (usize, usize)>,
}

/// The section.
pub(super) fn section(
    host: &Host,
    cpus: &CpuPlan,
    irqs: &IrqMap,
    refused: Option<&Skipped>,
) -> String {
    let map = Map {
        host,
        cpus,
        irqs,
        fire: firing(irqs),
    };
    let mut out = "<section id=\"machine\">\n<h2>Machine</h2>\n".to_owned();
    out += &map.facts();
    let mut notes: Vec<String> = refused
        .iter()
        .map(|refused| refused.reason.clone())
        .collect();
    notes.extend(host.nodes_make_no_sense.clone());
    out += &warnings(&notes);
    out += LEGEND;
    out += &map.sockets();
    let offline = host.cpus.present.difference(&host.cpus.online);
    if !offline.is_empty() {
        let _ = writeln!(out, "<p>Offline: CPUs {}.</p>", list(&offline));
    }
    if !cpus.why.is_empty() {
        let _ = writeln!(
            out,
            "<p class=\"sub\">Why these CPUs: {}</p>",
            Text(&cpus.why)
        );
    }
    out + "</section>\n"
}

fn firing(irqs: &IrqMap) -> BTreeMap<u32, (usize, usize)> {
    let mut all: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
    let queues = irqs.devices.iter().flat_map(|device| &device.queues);
    for queue in queues.filter(|queue| queue.state != IrqState::Idle) {
        for cpu in queue.fires_on.iter().flat_map(CpuSet::iter) {
            let (fire, stray) = all.entry(cpu).or_default();
            *fire += 1;
            let is_stray = queue.state == IrqState::Stray && !irqs.housekeeping.contains(cpu);
            *stray += usize::from(is_stray);
        }
    }
    all
}

impl Map<'_> {
    /// What the machine is, in a few lines.
    fn facts(&self) -> String {
        let (host, cpus) = (self.host, self.cpus);
        let set = |set: &CpuSet| match set.len() {
            0 => "none".to_owned(),
            n => format!("{} ({n})", list(set)),
        };
        let online = format!(
            "{} on {}",
            plural(host.cpus.online.len(), "CPU"),
            plural(host.cpus.cores.len(), "core")
        );
        let realtime = if host.kernel.realtime {
            ", real-time (PREEMPT_RT)"
        } else {
            ""
        };
        let memory = Some(host.memory.total).filter(|total| total.0 > 0);
        let facts = [
            ("CPU", host.cpus.model.clone()),
            ("Online", Some(online)),
            ("Memory", memory.map(|total| total.to_string())),
            ("System", Some(host.distribution.name.clone())),
            ("Kernel", Some(host.kernel.release.clone() + realtime)),
            ("Runs in", host.virtualization.clone()),
            ("For the OS", Some(set(&cpus.housekeeping))),
            ("For the application", Some(set(&cpus.isolated))),
            ("Isolated since boot", host.cpus.isolated.as_ref().map(set)),
        ];
        let mut out = "<dl class=\"facts\">\n".to_owned();
        for (what, value) in facts {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                let _ = writeln!(out, "<div><dt>{what}</dt><dd>{}</dd></div>", Text(value));
            }
        }
        out + "</dl>\n"
    }

    /// Every socket, then what belongs to none.
    fn sockets(&self) -> String {
        let cores = &self.host.cpus.cores;
        let mut out = String::new();
        // A node may span sockets; its memory and its ports are told once.
        let mut told: BTreeSet<u32> = BTreeSet::new();
        let sockets: BTreeSet<i32> = cores.iter().map(|core| core.package).collect();
        for socket in sockets {
            let of_socket = || cores.iter().filter(move |core| core.package == socket);
            let nodes: BTreeSet<Option<u32>> = of_socket().map(|core| core.node).collect();
            let mut inside = String::new();
            for node in nodes {
                let first = node.is_some_and(|id| told.insert(id));
                inside += &self.node(node, of_socket().filter(|core| core.node == node), first);
            }
            if socket < 0 {
                socket_box("Socket not known", &inside, &mut out);
            } else {
                socket_box(&format!("Socket {socket}"), &inside, &mut out);
            }
        }
        let mut without = String::new();
        if self.host.nodes_make_no_sense.is_none() {
            for node in &self.host.nodes {
                if told.insert(node.id) {
                    without += &self.node(Some(node.id), std::iter::empty(), true);
                }
            }
        }
        socket_box("Nodes without running CPUs", &without, &mut out);
        let elsewhere = self.ports(|nic| nic.node.is_none_or(|node| !told.contains(&node)));
        socket_box("Ports of no known node", &elsewhere, &mut out);
        out
    }

    fn facts_of(&self, node: u32) -> Option<&Node> {
        self.host.nodes.iter().find(|known| known.id == node)
    }

    /// A node with its cores, and, the `first` time, with its memory and its ports.
    fn node<'c>(
        &self,
        node: Option<u32>,
        cores: impl Iterator<Item = &'c Core>,
        first: bool,
    ) -> String {
        let mut out = "<div class=\"node\">\n".to_owned();
        if let Some(id) = node {
            let _ = write!(out, "<h4>NUMA node {id}");
            if let Some(facts) = self.facts_of(id).filter(|_| first) {
                if facts.memory.0 > 0 {
                    let _ = write!(out, " <small>{}</small>", facts.memory);
                }
                let pools = facts.huge_pages.iter().filter(|(_, pool)| pool.total > 0);
                for (kib, pool) in pools {
                    let _ = write!(
                        out,
                        " <small>{} huge pages of {}, {} free</small>",
                        pool.total,
                        hftune_model::Size::from_kib(*kib),
                        pool.free
                    );
                }
            }
            out.push_str("</h4>\n");
        }
        let cores: String = cores.map(|core| self.core(core)).collect();
        if !cores.is_empty() {
            let _ = writeln!(out, "<ul class=\"cores\">\n{cores}</ul>");
        }
        out += &self.ports(|nic| first && nic.node == node);
        out + "</div>\n"
    }

    fn core(&self, core: &Core) -> String {
        let kind = match core.kind {
            CoreKind::Uniform => "",
            CoreKind::Performance => "<abbr title=\"performance core\">P</abbr>",
            CoreKind::Efficient => "<abbr title=\"efficient core\">E</abbr>",
        };
        let chips: String = core.cpus.iter().map(|cpu| self.chip(cpu)).collect();
        format!("<li class=\"core\">{kind}{chips}</li>\n")
    }

    /// One CPU: its number, its owner, and the interrupts that fire on it.
    fn chip(&self, cpu: u32) -> String {
        let (class, owner) = if self.cpus.isolated.contains(cpu) {
            ("app", "app")
        } else if self.cpus.housekeeping.contains(cpu) {
            ("os", "OS")
        } else {
            ("free", "-")
        };
        let (stray, irqs) = match self.fire.get(&cpu) {
            None => ("", String::new()),
            Some((fire, 0)) => ("", format!("<small>{fire} irq</small>")),
            Some((fire, _)) => (" stray", format!("<small>{fire} irq!</small>")),
        };
        format!("<span class=\"cpu {class}{stray}\">{cpu}<small>{owner}</small>{irqs}</span>")
    }

    /// The ports that are `wanted`, each with where its interrupts fire; nothing where there are none.
    fn ports(&self, wanted: impl Fn(&Nic) -> bool) -> String {
        let ports: String = self
            .host
            .nics
            .iter()
            .filter(|nic| wanted(nic))
            .map(|nic| self.port(nic))
            .collect();
        if ports.is_empty() {
            return ports;
        }
        format!("<ul class=\"ports\">\n{ports}</ul>\n")
    }

    fn port(&self, nic: &Nic) -> String {
        let speed = nic.speed_mbps.map(|mbps| {
            if mbps >= 1000 && mbps.is_multiple_of(1000) {
                format!("{} Gbit/s", mbps / 1000)
            } else {
                format!("{mbps} Mbit/s")
            }
        });
        let state = nic.state.clone().map(|state| format!("link {state}"));
        let words = [state, speed, nic.driver.clone(), nic.pci_address.clone()];
        let mut words: Vec<String> = words.into_iter().flatten().collect();
        if nic.vma_capable {
            words.push("libvma can drive it".to_owned());
        }
        if let Some((count, cpus)) = self.fires_on(nic) {
            words.push(format!(
                "{} on CPUs {}",
                plural(count, "interrupt"),
                list(&cpus)
            ));
        }
        format!(
            "<li><strong>{}</strong> {}</li>\n",
            Text(&nic.name),
            Text(words.join(", "))
        )
    }

    /// How many interrupts a port has, and the CPUs on which they fire.
    fn fires_on(&self, nic: &Nic) -> Option<(usize, CpuSet)> {
        let device = self.irqs.devices.iter().find(|device| {
            device.name == nic.name
                || (device.address.is_some() && device.address == nic.pci_address)
        })?;
        let fires = device
            .queues
            .iter()
            .filter_map(|queue| queue.fires_on.as_ref());
        let cpus = fires.fold(CpuSet::new(), |all, cpus| all.union(cpus));
        (!cpus.is_empty()).then_some((device.queues.len(), cpus))
    }
}

fn socket_box(title: &str, inside: &str, out: &mut String) {
    if !inside.is_empty() {
        let _ = writeln!(
            out,
            "<div class=\"socket\">\n<h3>{title}</h3>\n{inside}</div>"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::section;
    use crate::html::sample;

    #[test]
    fn every_cpu_has_its_owner_and_its_interrupts() {
        let (host, cpus, irqs) = (sample::host(), sample::cpus(), sample::irqs());
        let html = section(&host, &cpus, &irqs, None);
        assert!(html.contains("<h3>Socket 0</h3>") && html.contains("<h4>NUMA node 0"));
        assert!(
            html.contains("<span class=\"cpu os\">0<small>OS</small><small>1 irq</small></span>")
        );
        assert!(html.contains(
            "<span class=\"cpu app stray\">3<small>app</small><small>1 irq!</small></span>"
        ));
        assert!(html.contains("<strong>eth&lt;evil&gt;</strong> link up, 25 Gbit/s"));
        assert!(html.contains("2 interrupts on CPUs 0,3"));
        assert!(html.contains("Offline: CPUs 4."));
    }

    #[test]
    fn a_port_of_no_node_is_not_lost() {
        for node in [None, Some(7)] {
            let mut host = sample::host();
            host.nics[0].node = node;
            let html = section(&host, &sample::cpus(), &sample::irqs(), None);
            assert!(html.contains("<h3>Ports of no known node</h3>"));
        }
    }

    #[test]
    fn a_node_of_two_sockets_has_its_ports_once() {
        let mut host = sample::host();
        host.cpus.cores[1].package = 1;
        let html = section(&host, &sample::cpus(), &sample::irqs(), None);
        assert_eq!(html.matches("<h4>NUMA node 0").count(), 2);
        assert_eq!(html.matches("<strong>eth").count(), 1);
    }
}
