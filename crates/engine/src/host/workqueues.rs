//! Workqueues that show themselves (Documentation/core-api/workqueue.rst, `WQ_SYSFS`).

use hftune_model::CpuSet;
use hftune_model::host::Workqueues;

use super::facts::Facts;

const DIR: &str = "/sys/devices/virtual/workqueue";

pub(super) fn read(facts: &Facts<'_>) -> Workqueues {
    let names = facts.list(DIR);
    // Those whose work is bound to CPUs have no mask. Between them are plain files: the common masks, and the device's own.
    let queue = |name: &&String| !name.starts_with("cpumask") && *name != "uevent";
    let own = names.iter().filter(queue).filter_map(|name| {
        let text = facts.word_if_told(&format!("{DIR}/{name}/cpumask"))?;
        Some((name.clone(), CpuSet::parse_mask(&text).ok()?))
    });
    Workqueues {
        cpumask: facts.parsed(&format!("{DIR}/cpumask"), CpuSet::parse_mask),
        own: own.collect(),
    }
}
