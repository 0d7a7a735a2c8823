//! What the kernel does by itself, time and again, as far as this host has it.

use hftune_model::host::KernelWork;

use super::facts::Facts;

const MACHINE_CHECK: &str = "/sys/devices/system/machinecheck";
const FAIR_SERVER: &str = "/sys/kernel/debug/sched/fair_server";

pub(super) fn read(facts: &Facts<'_>) -> KernelWork {
    // An offline CPU has no device, so that the first CPU may have none.
    let devices = facts.list(MACHINE_CHECK);
    let machine_check = devices.iter().find(|device| {
        device.starts_with("machinecheck")
            && facts
                .word_if_told(&format!("{MACHINE_CHECK}/{device}/check_interval"))
                .is_some()
    });
    // Without root nothing is to be seen there.
    let servers = facts.list_if_told(FAIR_SERVER);
    let cpus = servers
        .iter()
        .filter_map(|name| name.strip_prefix("cpu")?.parse().ok());
    KernelWork {
        machine_check: machine_check.cloned(),
        ksm: facts.word("/sys/kernel/mm/ksm/run").is_some(),
        fair_servers: cpus.collect(),
    }
}
