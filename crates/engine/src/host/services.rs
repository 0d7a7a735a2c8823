//! systemd, and the services that set what hftune sets.

use std::collections::{BTreeMap, BTreeSet};

use hftune_model::host::{Cpus, Kernel, Rival, Services, Task};
use hftune_model::others::{PortSetting, UnknownClaims};

use super::facts::Facts;
use super::{claims, tuned};

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
const UNIT_DIRS: [&str; 5] = [
    ETC,
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Bytes of a process name (TASK_COMM_LEN less its NUL, include/linux/sched.h).
const COMM_BYTES: usize = 15;

/// systemd keeps a link here as long as a unit is active (src/core/unit.c, `unit_export_invocation_id`).
const RUNNING: &str = "/run/systemd/units";

/// The services, and what tuned sets of network ports.
pub(super) fn read(
    facts: &Facts<'_>,
    tasks: &[Task],
    cpus: &Cpus,
    kernel: &Kernel,
) -> (Services, Vec<PortSetting>) {
    let units = units(facts, tasks);
    let rivals: Vec<Rival> = RIVALS
        .iter()
        .filter_map(|name| {
            let name = format!("{name}.service");
            let (rival, installed) = units.iter().find(|(unit, _)| unit.unit == name)?;
            installed.then(|| rival.clone())
        })
        .collect();
    let of_tuned = rivals
        .iter()
        .any(|rival| rival.unit == "tuned.service")
        .then(|| tuned::read(facts, kernel));
    let (mut claims, mut unknown_claims) = claims::read(facts, &rivals, cpus);
    let (mut tuned, mut ports) = (None, Vec::new());
    if let Some(sets) = of_tuned {
        claims.extend(sets.claims);
        unknown_claims.extend(sets.unknown.into_iter().map(|why| UnknownClaims {
            owner: "tuned.service".to_owned(),
            why,
        }));
        ports = sets.ports;
        tuned = Some(sets.tuned);
    }
    let services = Services {
        systemd: facts.root().is_dir("/run/systemd/system"),
        rivals,
        units_unread: UNIT_DIRS.iter().find_map(|dir| facts.unlisted(dir)),
        units: units.into_iter().map(|(unit, _)| unit).collect(),
        tuned_profile: facts.word("/etc/tuned/active_profile"),
        tuned,
        claims,
        unknown_claims,
    };
    (services, ports)
}

/// What the directories of units hold of one unit.
#[derive(Default)]
struct Seen {
    /// More than a mask.
    installed: bool,
    masked: bool,
    own_file: bool,
}

/// Every unit that is in a directory of units, or running from wherever else; and whether there is more of it than a mask.
fn units(facts: &Facts<'_>, tasks: &[Task]) -> Vec<(Rival, bool)> {
    let enabled = enabled_units(facts);
    let invocations = facts.list(RUNNING);
    let running: BTreeSet<&str> = invocations
        .iter()
        .filter_map(|name| name.strip_prefix("invocation:"))
        .collect();
    let comms: BTreeSet<&str> = tasks.iter().map(|task| task.comm.as_str()).collect();

    let mut found: BTreeMap<&str, Seen> = BTreeMap::new();
    let lists = UNIT_DIRS.map(|dir| (dir, facts.list(dir)));
    for (dir, names) in &lists {
        for name in names.iter().filter(|name| is_unit(name)) {
            // A look at each of the hundreds of files of packages would cost more than all other facts; what a package
            // ships as a mask is told as installed and off. But for rivals, which are reported.
            let first = *dir == ETC || dir.starts_with("/run/");
            let look = first || is_rival(name);
            let target = look
                .then(|| facts.root().link_target(format!("{dir}/{name}")))
                .flatten();
            let mask = target.as_deref() == Some("/dev/null");
            let unit = found.entry(name).or_default();
            unit.installed |= !mask;
            unit.masked |= mask && first;
            unit.own_file |= *dir == ETC && target.is_none();
        }
    }
    for unit in running.iter().filter(|unit| is_unit(unit)) {
        found.entry(unit).or_default().installed = true;
    }
    found
        .into_iter()
        .map(|(name, seen)| {
            let process = name.rsplit_once('.').map_or(name, |(process, _)| process);
            let comm = process.get(..COMM_BYTES).unwrap_or(process);
            let unit = Rival {
                unit: name.to_owned(),
                enabled: enabled.contains(name) && !seen.masked,
                masked: seen.masked,
                // A process may have been started without systemd.
                running: running.contains(name)
                    || (name.ends_with(".service") && comms.contains(comm)),
                own_file: seen.own_file,
            };
            (unit, seen.installed)
        })
        .collect()
}

fn is_rival(name: &str) -> bool {
    name.strip_suffix(".service")
        .is_some_and(|name| RIVALS.contains(&name))
}

/// Whether a name in a directory of units is that of a unit, and of no drop-in directory, nor of a slice or a scope.
fn is_unit(name: &str) -> bool {
    matches!(
        name.rsplit_once('.'),
        Some((
            _,
            "service" | "socket" | "timer" | "path" | "mount" | "swap" | "target" | "automount"
        ))
    )
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
