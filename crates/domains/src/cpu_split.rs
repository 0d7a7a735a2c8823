//! Which CPUs serve the OS and which the application: a pure function of facts and profile.
//!
//! Whole cores go to one side with all their SMT siblings; the boot CPU serves the OS; at least one core is isolated
//! where there are two or more.

use std::collections::BTreeSet;

use hftune_model::cpu_plan::CpuPlan;
use hftune_model::finding::{Skipped, Verdict};
use hftune_model::host::{Core, CoreKind, Host, Nic};
use hftune_model::profile::Profile;
use hftune_model::{CpuSet, Error, Result};

/// Splits the CPUs of a host.
///
/// # Errors
/// If the profile names CPUs that do not exist, no online CPU, or every CPU (the last only without `force`).
pub fn split(host: &Host, profile: &Profile, force: bool) -> Result<CpuPlan> {
    let online = &host.cpus.online;
    let cores = &host.cpus.cores;
    if online.is_empty() || cores.is_empty() {
        return Err(Error::invalid(
            "the CPUs of this host cannot be read, so they cannot be split",
        )
        .at("/sys/devices/system/cpu/online")
        .hint("run hftune host to see what could not be read"));
    }
    let nics = trading_nics(host, profile);
    let nodes: BTreeSet<u32> = nics.iter().filter_map(|nic| nic.node).collect();

    let mut why = vec![machine(host)];
    let housekeeping = if let Some(list) = &profile.cpus.housekeeping {
        let chosen = by_list(list, host, force)?;
        why.push(format!("the profile gives CPUs {chosen} to the OS"));
        for core in cores.iter().filter(|core| split_core(core, &chosen)) {
            why.push(format!(
                "this splits the SMT siblings {} between the OS and the application, which then share a core",
                core.cpus
            ));
        }
        chosen
    } else {
        let (count, reason) = count(cores.len(), profile)?;
        why.push(reason);
        by_rule(host, count, &nodes)
    };
    let isolated = online.difference(&housekeeping);
    let nic_local = if nodes.is_empty() {
        CpuSet::new()
    } else {
        let local: CpuSet = cores
            .iter()
            .filter(|core| core.node.is_some_and(|node| nodes.contains(&node)))
            .flat_map(|core| core.cpus.iter().collect::<Vec<_>>())
            .collect();
        isolated.intersection(&local)
    };
    if isolated.is_empty() {
        why.push("no CPU is isolated, since the OS needs every one".to_owned());
    } else {
        why.push(format!(
            "the OS and the interrupts get {housekeeping}, the application gets {isolated}"
        ));
    }
    if !nics.is_empty() {
        let names: Vec<_> = nics.iter().map(|nic| nic.name.as_str()).collect();
        let place = if nodes.is_empty() {
            "on no known node".to_owned()
        } else {
            format!(
                "on node {}",
                nodes
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(" and ")
            )
        };
        why.push(format!(
            "the trading ports {} are {place}",
            names.join(", ")
        ));
    }
    Ok(CpuPlan {
        housekeeping,
        isolated,
        nic_local,
        why: why.join("; "),
    })
}

/// What is done where [`split`] refuses: every CPU serves the OS, and the reason is told as a setting that this host
/// does not get.
pub fn refused(host: &Host, refusal: &Error) -> (CpuPlan, Skipped) {
    let fix = refusal.hint.clone();
    let reason = refusal.to_string();
    let cpus = CpuPlan {
        housekeeping: host.cpus.online.clone(),
        why: format!("the split is refused: {reason}"),
        ..CpuPlan::default()
    };
    let skipped = Skipped {
        id: "cpus/split".to_owned(),
        verdict: Verdict::NotPermitted,
        reason,
        fix,
    };
    (cpus, skipped)
}

/// "2 sockets, 40 cores, 2 threads each".
fn machine(host: &Host) -> String {
    let cores = host.cpus.cores.len();
    let sockets = host
        .cpus
        .cores
        .iter()
        .map(|c| c.package)
        .collect::<BTreeSet<_>>()
        .len();
    let threads = host
        .cpus
        .cores
        .iter()
        .map(|c| c.cpus.len())
        .max()
        .unwrap_or(1);
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    format!(
        "{}, {}, {} a core",
        plural(sockets, "socket"),
        plural(cores, "core"),
        plural(threads, "thread")
    )
}

/// How many cores serve the OS: 1 of up to 5, 2 of 8, then one more with every doubling.
fn count(cores: usize, profile: &Profile) -> Result<(usize, String)> {
    if let Some(asked) = profile.cpus.housekeeping_cores {
        let asked = asked as usize;
        if asked == 0 || (asked >= cores && cores > 1) {
            return Err(Error::invalid(format!(
                "cpus.housekeeping_cores is {asked}, but this host has {cores} cores: at least one is needed on each side"
            ))
            .hint("correct cpus.housekeeping_cores in the profile"));
        }
        return Ok((
            asked.min(cores),
            format!("the profile gives {asked} cores to the OS"),
        ));
    }
    let count = match cores {
        0..=5 => 1,
        6..=15 => 2,
        more => 2 + (more / 8).ilog2() as usize,
    };
    Ok((count, format!("{count} of {cores} cores serve the OS")))
}

/// Takes the boot CPU's core first, then efficient cores, then cores away from the trading NICs, lowest CPU first.
fn by_rule(host: &Host, count: usize, nic_nodes: &BTreeSet<u32>) -> CpuSet {
    let boot = host.cpus.online.first();
    let mut order: Vec<&Core> = host.cpus.cores.iter().collect();
    let boot_node = order
        .iter()
        .find(|core| boot.is_some_and(|cpu| core.cpus.contains(cpu)))
        .and_then(|core| core.node);
    order.sort_by_key(|core| {
        (
            !boot.is_some_and(|cpu| core.cpus.contains(cpu)),
            core.kind != CoreKind::Efficient,
            // A core of a trading node is worth more to the application, unless the OS boots there anyway.
            core.node.is_some_and(|node| nic_nodes.contains(&node)) && core.node != boot_node,
            core.node != boot_node,
            core.cpus.first(),
        )
    });
    order
        .iter()
        .take(count)
        .flat_map(|core| core.cpus.iter().collect::<Vec<_>>())
        .collect()
}

fn by_list(list: &CpuSet, host: &Host, force: bool) -> Result<CpuSet> {
    let absent = list.difference(&host.cpus.present);
    if !absent.is_empty() {
        return Err(Error::invalid(format!(
            "cpus.housekeeping names CPUs {absent}, but this host has CPUs {}",
            host.cpus.present
        ))
        .hint("correct cpus.housekeeping in the profile, or --housekeeping"));
    }
    let chosen = list.intersection(&host.cpus.online);
    if chosen.is_empty() {
        return Err(Error::invalid(format!(
            "cpus.housekeeping is \"{list}\", so no online CPU would be left for the OS"
        ))
        .hint("name at least one CPU that is online; the boot CPU is the best choice"));
    }
    let boot = host.cpus.online.first().unwrap_or(0);
    if !chosen.contains(boot) && !force {
        return Err(Error::invalid(format!(
            "cpus.housekeeping is \"{list}\" without CPU {boot}, which booted the machine and keeps its time"
        ))
        .hint(format!("add CPU {boot}, or use --force")));
    }
    Ok(chosen)
}

fn split_core(core: &Core, housekeeping: &CpuSet) -> bool {
    let kept = core.cpus.intersection(housekeeping).len();
    kept != 0 && kept != core.cpus.len()
}

/// The profile's ports, else every VMA-capable port, else every port that is up.
fn trading_nics<'h>(host: &'h Host, profile: &Profile) -> Vec<&'h Nic> {
    let named: Vec<&Nic> = host
        .nics
        .iter()
        .filter(|nic| {
            profile
                .cpus
                .nics
                .iter()
                .any(|name| name.as_str() == nic.name)
        })
        .collect();
    if !named.is_empty() {
        return named;
    }
    let capable: Vec<&Nic> = host.nics.iter().filter(|nic| nic.vma_capable).collect();
    if !capable.is_empty() {
        return capable;
    }
    host.nics
        .iter()
        .filter(|nic| nic.state.as_deref() == Some("up"))
        .collect()
}
