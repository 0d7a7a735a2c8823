//! The split in words.

use std::collections::{BTreeMap, BTreeSet};

use hftune_model::CpuSet;
use hftune_model::cpu_plan::CpuPlan;

use super::asked::split_cores;
use super::choose::{Chosen, Reason};
use super::view::{PortsBy, View};

/// Why the CPUs are split so, from the machine to the sides.
pub fn why(view: &View<'_>, chosen: &Chosen, plan: &CpuPlan) -> String {
    let mut said = vec![machine(view)];
    said.extend(oddities(view));
    said.extend(ports(view, plan));
    said.push(housekeeping(view, chosen));
    said.push(if plan.isolated.is_empty() {
        "no CPU is isolated, since the OS gets every one".to_owned()
    } else {
        format!("the application gets {}", plan.isolated)
    });
    for core in split_cores(&plan.housekeeping, view) {
        said.push(format!(
            "this splits the SMT siblings {core} between the OS and the application, which then share a core"
        ));
    }
    said.join("; ")
}

/// "2 sockets, 2 nodes, 40 cores, 2 threads a core".
fn machine(view: &View<'_>) -> String {
    let sockets: BTreeSet<i32> = view.cores.iter().map(|core| core.package).collect();
    let threads: BTreeSet<usize> = view.cores.iter().map(|core| core.cpus.len()).collect();
    let mut parts = vec![plural(sockets.len(), "socket")];
    let nodes = view.nodes().len();
    if nodes > 1 {
        parts.push(plural(nodes, "node"));
    }
    parts.push(plural(view.cores.len(), "core"));
    parts.push(match (threads.first(), threads.last()) {
        (Some(fewest), Some(most)) if fewest != most => {
            format!("{fewest} to {} a core", plural(*most, "thread"))
        }
        (_, most) => format!("{} a core", plural(most.copied().unwrap_or(1), "thread")),
    });
    parts.join(", ")
}

/// What is unusual about the machine and bears on the split.
fn oddities(view: &View<'_>) -> Vec<String> {
    let mut said = Vec::new();
    let cpus = &view.host.cpus;
    let offline = cpus.present.difference(&cpus.online);
    if !offline.is_empty() {
        said.push(format!("CPUs {offline} are offline and on neither side"));
    }
    if !view.hidden.is_empty() {
        said.push(format!(
            "this container may not use CPUs {}, which are left alone",
            view.hidden
        ));
        let shared = view
            .cores
            .iter()
            .filter(|core| {
                cpus.cores
                    .iter()
                    .any(|whole| core.cpus.is_subset(&whole.cpus) && core.cpus != whole.cpus)
            })
            .fold(CpuSet::new(), |all, core| all.union(&core.cpus));
        if !shared.is_empty() {
            said.push(format!(
                "CPUs {shared} share a core with hidden ones, and so with somebody else"
            ));
        }
    } else if let Some(allowed) = &cpus.allowed {
        let isolated = cpus.isolated.clone().unwrap_or_default();
        let denied = cpus.online.difference(allowed).difference(&isolated);
        if !denied.is_empty() {
            said.push(format!(
                "this session may not use CPUs {denied}, but the plan is for the whole machine"
            ));
        }
    }
    if let Some(why) = &view.host.nodes_make_no_sense {
        said.push(format!(
            "the NUMA nodes make no sense and are not used: {why}"
        ));
    }
    if !cpus.siblings_unknown.is_empty() {
        said.push(format!(
            "which CPUs share a core with {} is not known",
            cpus.siblings_unknown
        ));
    }
    said
}

/// "ens7f0 is on node 1, so the application gets node 1".
fn ports(view: &View<'_>, plan: &CpuPlan) -> Vec<String> {
    let mut said = Vec::new();
    if !view.ports_absent.is_empty() {
        said.push(format!(
            "the profile's {} {} is not on this host",
            if view.ports_absent.len() == 1 {
                "port"
            } else {
                "ports"
            },
            view.ports_absent.join(", ")
        ));
    }
    if view.ports.is_empty() {
        return said;
    }
    let mut by_node: BTreeMap<Option<u32>, Vec<&str>> = BTreeMap::new();
    for port in &view.ports {
        by_node
            .entry(port.node)
            .or_default()
            .push(port.name.as_str());
    }
    let places: Vec<String> = by_node
        .iter()
        .map(|(node, names)| {
            let are = if names.len() == 1 { "is" } else { "are" };
            let names = names.join(", ");
            match node.map(|node| (node, view.nearest(node))) {
                None => format!("{names} {are} on no known node"),
                Some((node, Some(near))) if near != node => format!(
                    "{names} {are} on node {node}, which has no CPUs; node {near} is the nearest"
                ),
                Some((node, Some(_))) => format!("{names} {are} on node {node}"),
                Some((node, None)) => {
                    format!("{names} {are} on node {node}, of which this host has no CPUs")
                }
            }
        })
        .collect();
    let by = match view.ports_by {
        PortsBy::Profile => "the profile's trading ports: ",
        PortsBy::Vma => "",
        PortsBy::Up => "no port is VMA-capable, so the ports that are up count: ",
    };
    // With one node there is nothing to choose.
    let near = if view.nodes().len() < 2 || plan.nic_local.is_empty() {
        String::new()
    } else {
        format!(", so the application gets {} first", nodes(&view.trading))
    };
    said.push(format!("{by}{}{near}", places.join("; ")));
    said
}

/// "the OS and the interrupts get 2 of 40 cores: 0,40 on node 0, where CPU 0 boots; ..."
fn housekeeping(view: &View<'_>, chosen: &Chosen) -> String {
    if let Some(list) = &chosen.list {
        return format!("the profile gives CPUs {list} to the OS and the interrupts");
    }
    let mut groups: BTreeMap<(Reason, Option<u32>), CpuSet> = BTreeMap::new();
    for (core, reason) in &chosen.cores {
        let core = &view.cores[*core];
        let cpus = groups.entry((*reason, core.node)).or_default();
        *cpus = cpus.union(&core.cpus);
    }
    let many = view.nodes().len() > 1;
    let boot = view.visible.first().unwrap_or(0);
    let parts: Vec<String> = groups
        .iter()
        .map(|((reason, node), cpus)| {
            let on = match node {
                Some(node) if many => format!(" on node {node}"),
                _ => String::new(),
            };
            let because = match reason {
                Reason::Boots => format!("with the boot CPU {boot}"),
                Reason::Serves => "which has interrupts to serve".to_owned(),
                Reason::Counted => "to share the work".to_owned(),
                Reason::SharesCache => "in the same last-level cache".to_owned(),
                Reason::Efficient => "all efficient cores".to_owned(),
                Reason::OfNode => "as the profile asks".to_owned(),
            };
            format!("{cpus}{on}, {because}")
        })
        .collect();
    let threads = view.cores.iter().any(|core| core.cpus.len() > 1);
    format!(
        "the OS and the interrupts get {} of {}{}: {}",
        chosen.cores.len(),
        plural(view.cores.len(), "core"),
        if threads {
            ", whole with all threads"
        } else {
            ""
        },
        parts.join("; ")
    )
}

/// "node 1", "nodes 0 and 1".
fn nodes(nodes: &BTreeSet<u32>) -> String {
    let names: Vec<String> = nodes.iter().map(ToString::to_string).collect();
    match names.as_slice() {
        [one] => format!("node {one}"),
        [first @ .., last] => format!("nodes {} and {last}", first.join(", ")),
        [] => "no node".to_owned(),
    }
}

fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
