//! systemd, and the services that set what hftune sets.

use std::collections::BTreeSet;

use hftune_model::host::{Rival, Services, Task};

use super::facts::Facts;

/// What would fight with hftune, in the order in which it is reported: interrupts first, then frequencies, then memory.
const RIVALS: &[&str] = &[
    "irqbalance",
    "tuned",
    "power-profiles-daemon",
    "tlp",
    "cpupower",
    "auto-cpufreq",
    "thermald",
    "numad",
    "ksm",
    "ksmtuned",
];

/// The administrator's units, links of enabled ones, masks.
const ETC: &str = "/etc/systemd/system";

/// Where a unit file may be: systemd.unit(5), "Unit File Load Path".
const UNIT_DIRS: &[&str] = &[
    ETC,
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Bytes of a process name (TASK_COMM_LEN less its NUL, include/linux/sched.h).
const COMM_BYTES: usize = 15;

pub(super) fn read(facts: &Facts<'_>, tasks: &[Task]) -> Services {
    let enabled = enabled_units(facts);
    let rivals = RIVALS
        .iter()
        .filter_map(|name| rival(facts, name, &enabled, tasks))
        .collect();
    Services {
        systemd: facts.root().is_dir("/run/systemd/system"),
        rivals,
        tuned_profile: facts.word("/etc/tuned/active_profile"),
    }
}

fn rival(
    facts: &Facts<'_>,
    name: &str,
    enabled: &BTreeSet<String>,
    tasks: &[Task],
) -> Option<Rival> {
    let unit = format!("{name}.service");
    let listed = |dir: &str| facts.list(dir).binary_search(&unit).is_ok();
    let is_mask = |dir: &str| {
        listed(dir)
            && facts.root().link_target(format!("{dir}/{unit}")).as_deref() == Some("/dev/null")
    };
    if !UNIT_DIRS.iter().any(|dir| listed(dir) && !is_mask(dir)) {
        return None;
    }
    let masked = is_mask(ETC) || is_mask("/run/systemd/system");
    let comm = &name[..name.len().min(COMM_BYTES)];
    // systemd keeps this link as long as the unit is active (src/core/unit.c, unit_export_invocation_id); a process
    // may have been started without systemd.
    let running = facts
        .list("/run/systemd/units")
        .binary_search(&format!("invocation:{unit}"))
        .is_ok()
        || tasks.iter().any(|task| task.comm == comm);
    Some(Rival {
        enabled: enabled.contains(&unit) && !masked,
        masked,
        running,
        unit,
    })
}

/// The names of the links in `*.wants` and `*.requires`.
fn enabled_units(facts: &Facts<'_>) -> BTreeSet<String> {
    facts
        .list(ETC)
        .iter()
        .filter(|name| matches!(name.rsplit_once('.'), Some((_, "wants" | "requires"))))
        .flat_map(|dir| facts.list(&format!("{ETC}/{dir}")).to_vec())
        .collect()
}
