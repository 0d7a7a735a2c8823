//! NUMA nodes, from `/sys/devices/system/node` (Documentation/ABI/stable/sysfs-devices-node).

use std::collections::BTreeMap;

use hftune_model::host::{HugePages, Node};
use hftune_model::{CpuSet, Error, Size};

use super::facts::{Facts, number_after};
use super::memory::meminfo_kib;

const NODE: &str = "/sys/devices/system/node";

/// The nodes in rising order, with those of their CPUs that run.
pub(super) fn read(facts: &Facts<'_>, online: &CpuSet) -> Vec<Node> {
    let mut listed = CpuSet::new();
    facts
        .numbered(NODE, "node")
        .into_iter()
        .map(|id| {
            let dir = format!("{NODE}/node{id}");
            let path = format!("{dir}/cpulist");
            let cpus = facts
                .cpus_or_mask(&path, &format!("{dir}/cpumap"))
                .unwrap_or_default()
                .intersection(online);
            let twice = cpus.intersection(&listed);
            if !twice.is_empty() {
                facts.note(
                    &path,
                    Error::invalid(format!("CPUs {twice} are in a lower node too")),
                );
            }
            listed = listed.union(&cpus);
            Node {
                id,
                cpus,
                memory: memory(facts, &format!("{dir}/meminfo")),
                huge_pages: huge_pages(facts, &format!("{dir}/hugepages")),
            }
        })
        .collect()
}

fn memory(facts: &Facts<'_>, path: &str) -> Size {
    let kib = facts
        .parsed_text(path, |text| meminfo_kib(text, "MemTotal"))
        .flatten();
    Size::from_kib(kib.unwrap_or(0))
}

/// The pools in `hugepages-2048kB` and the like, by page size in KiB
/// (Documentation/ABI/testing/sysfs-kernel-mm-hugepages).
fn huge_pages(facts: &Facts<'_>, dir: &str) -> BTreeMap<u64, HugePages> {
    facts
        .list(dir)
        .iter()
        .filter_map(|name| {
            let kib = number_after(name.strip_suffix("kB")?, "hugepages-")?;
            let pool = HugePages {
                total: facts.number(&format!("{dir}/{name}/nr_hugepages"))?,
                free: facts
                    .number(&format!("{dir}/{name}/free_hugepages"))
                    .unwrap_or(0),
            };
            Some((u64::from(kib), pool))
        })
        .collect()
}
