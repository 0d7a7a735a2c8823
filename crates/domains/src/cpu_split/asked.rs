//! What the profile asks for, and why it may be refused.

use std::collections::BTreeMap;

use hftune_model::profile::Cpus;
use hftune_model::{CpuSet, Error, Result};

use super::choose::{self, Chosen};
use super::view::View;

/// The four ways to say which CPUs serve the OS, the most exact first.
pub enum Asked<'p> {
    /// These CPUs.
    List(&'p CpuSet),
    /// So many cores of each of these nodes.
    ByNode(&'p BTreeMap<String, u32>),
    /// So many cores.
    Count(usize),
    /// By the size of the host.
    Rule(&'p BTreeMap<String, u32>),
}

impl<'p> Asked<'p> {
    /// What a profile asks for.
    pub fn of(cpus: &'p Cpus) -> Self {
        match cpus {
            Cpus {
                housekeeping: Some(list),
                ..
            } => Self::List(list),
            Cpus {
                housekeeping_cores_by_node: nodes,
                ..
            } if !nodes.is_empty() => Self::ByNode(nodes),
            Cpus {
                housekeeping_cores: Some(count),
                ..
            } => Self::Count(*count as usize),
            _ => Self::Rule(&cpus.housekeeping_rule),
        }
    }
}

/// The CPUs of a list.
pub fn by_list(list: &CpuSet, view: &View<'_>, force: bool) -> Result<Chosen> {
    let present = &view.host.cpus.present;
    let absent = list.difference(present);
    if !absent.is_empty() {
        return Err(Error::invalid(format!(
            "cpus.housekeeping names CPUs {absent}, but this host has CPUs {present}"
        ))
        .hint("correct cpus.housekeeping in the profile, or --housekeeping"));
    }
    let chosen = list.intersection(&view.visible);
    if chosen.is_empty() {
        return Err(Error::invalid(format!(
            "cpus.housekeeping is \"{list}\", so no online CPU would be left for the OS"
        ))
        .hint("name at least one CPU that is online; the boot CPU is the best choice"));
    }
    let boot = view.visible.first().unwrap_or(0);
    if !chosen.contains(boot) && !force {
        return Err(Error::invalid(format!(
            "cpus.housekeeping is \"{list}\" without CPU {boot}, which booted the machine and keeps its time"
        ))
        .hint(format!("add CPU {boot}, or use --force")));
    }
    let missing = split_cores(&chosen, view)
        .into_iter()
        .fold(CpuSet::new(), |all, core| {
            all.union(&core.difference(&chosen))
        });
    if !missing.is_empty() && !force {
        return Err(Error::invalid(format!(
            "cpus.housekeeping is \"{list}\" without CPUs {missing}, which are SMT siblings of CPUs in it: the OS and the application would share their cores"
        ))
        .hint(format!(
            "write housekeeping = \"{}\", or use --force",
            chosen.union(&missing)
        )));
    }
    Ok(Chosen {
        cores: Vec::new(),
        list: Some(chosen),
    })
}

/// The cores that a list splits between the OS and the application.
pub fn split_cores<'v>(housekeeping: &CpuSet, view: &'v View<'_>) -> Vec<&'v CpuSet> {
    view.cores
        .iter()
        .map(|core| &core.cpus)
        .filter(|cpus| {
            let kept = cpus.intersection(housekeeping).len();
            kept != 0 && kept != cpus.len()
        })
        .collect()
}

/// So many cores.
pub fn by_count(count: usize, view: &View<'_>) -> Result<Chosen> {
    let cores = view.cores.len();
    if count >= cores && cores > 1 {
        return Err(Error::invalid(format!(
            "cpus.housekeeping_cores is {count}, but this host has {cores} cores: at least one is needed on each side"
        ))
        .hint("correct cpus.housekeeping_cores in the profile"));
    }
    Ok(choose::by_count(count, view))
}

/// So many cores of each node.
pub fn by_node(asked: &BTreeMap<String, u32>, view: &View<'_>, force: bool) -> Result<Chosen> {
    const KEY: &str = "cpus.housekeeping_cores_by_node";
    let hint = format!("correct {KEY} in the profile; hftune host lists the nodes");
    let refuse = |why: String| Error::invalid(why).hint(hint.clone());
    if let Some(why) = &view.host.nodes_make_no_sense {
        return Err(refuse(format!(
            "{KEY} is set, but the NUMA nodes of this host make no sense: {why}"
        )));
    }
    let mut counts = BTreeMap::new();
    for (name, count) in asked {
        let cores = name
            .parse()
            .ok()
            .map_or(0, |node| view.on_node(node).count());
        if cores < *count as usize {
            return Err(refuse(format!(
                "{KEY} asks for {count} cores of node {name}, but this host has {cores} there"
            )));
        }
        if let Ok(node) = name.parse::<u32>() {
            counts.insert(node, *count as usize);
        }
    }
    let chosen = choose::by_node(&counts, view);
    if chosen.cores.is_empty() || (chosen.cores.len() == view.cores.len() && view.cores.len() > 1) {
        return Err(refuse(format!(
            "{KEY} gives {} of {} cores to the OS: at least one is needed on each side",
            chosen.cores.len(),
            view.cores.len()
        )));
    }
    if !chosen.has(view.boot) && !force {
        let boot = view.visible.first().unwrap_or(0);
        let node = view.cores[view.boot]
            .node
            .map_or_else(|| "no node".to_owned(), |node| format!("node {node}"));
        return Err(refuse(format!(
            "{KEY} names no core of {node}, where CPU {boot} booted the machine and keeps its time"
        )));
    }
    Ok(chosen)
}
