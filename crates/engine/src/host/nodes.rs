//! NUMA nodes, from `/sys/devices/system/node` (Documentation/ABI/stable/sysfs-devices-node).

use std::collections::BTreeMap;

use hftune_model::host::{HugePages, Node};
use hftune_model::{CpuSet, Error, Size};

use super::facts::{Facts, number_after};
use super::memory::meminfo_kib;

const NODE: &str = "/sys/devices/system/node";

/// The nodes in rising order, with those of their CPUs that run.
pub(super) fn read(facts: &Facts<'_>, online: &CpuSet) -> Vec<Node> {
    facts
        .numbered(NODE, "node")
        .into_iter()
        .map(|id| {
            let dir = format!("{NODE}/node{id}");
            Node {
                id,
                cpus: facts
                    .cpus_or_mask(&format!("{dir}/cpulist"), &format!("{dir}/cpumap"))
                    .unwrap_or_default()
                    .intersection(online),
                memory: memory(facts, &format!("{dir}/meminfo")),
                distances: facts
                    .parsed(&format!("{dir}/distance"), distances)
                    .unwrap_or_default(),
                huge_pages: huge_pages(facts, &format!("{dir}/hugepages")),
            }
        })
        .collect()
}

/// "10 21 31": a number for each node that is online.
fn distances(text: &str) -> Result<Vec<u32>, Error> {
    text.split_ascii_whitespace()
        .map(|word| {
            word.parse()
                .map_err(|_| Error::invalid(format!("\"{word}\" is no distance")))
        })
        .collect()
}

/// Why the nodes cannot be believed: a CPU hangs on one memory controller, and so do all threads of its core.
pub(super) fn contradiction(nodes: &[Node], cores: &[CpuSet]) -> Option<String> {
    let mut listed = CpuSet::new();
    for node in nodes {
        let twice = node.cpus.intersection(&listed);
        if !twice.is_empty() {
            return Some(format!(
                "CPUs {twice} are in node {} and in a lower one too",
                node.id
            ));
        }
        listed = listed.union(&node.cpus);
    }
    let torn = |core: &&CpuSet| {
        nodes.iter().any(|node| {
            let here = core.intersection(&node.cpus);
            !here.is_empty() && here != **core
        })
    };
    cores
        .iter()
        .find(torn)
        .map(|core| format!("the threads {core} of one core are in different nodes"))
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
