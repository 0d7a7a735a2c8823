//! Receive packet steering (Documentation/networking/scaling.rst, Documentation/ABI/testing/sysfs-class-net-queues).

use std::collections::BTreeMap;

use hftune_model::CpuSet;
use hftune_model::host::Rps;

use super::facts::{Facts, number_after};

const NET: &str = "/sys/class/net";

pub(super) fn read(facts: &Facts<'_>) -> Rps {
    let ports = facts.list(NET);
    let queues = ports.iter().filter_map(|port| {
        let queues = queues(facts, port);
        (!queues.is_empty()).then(|| (port.clone(), queues))
    });
    Rps {
        default_mask: facts.parsed("/proc/sys/net/core/rps_default_mask", CpuSet::parse_mask),
        queues: queues.collect(),
    }
}

fn queues(facts: &Facts<'_>, port: &str) -> BTreeMap<u32, Option<CpuSet>> {
    // The directory holds files too, like bonding_masters.
    let names = facts.list_if_told(&format!("{NET}/{port}/queues"));
    let numbers = names.iter().filter_map(|name| number_after(name, "rx-"));
    numbers
        .filter_map(|number| {
            let file = format!("{NET}/{port}/queues/rx-{number}/rps_cpus");
            let cpus = facts.parsed(&file, CpuSet::parse_mask);
            // A kernel without RPS has no such file.
            (cpus.is_some() || facts.root().exists(&file)).then_some((number, cpus))
        })
        .collect()
}
