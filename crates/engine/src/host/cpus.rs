//! CPUs and their relations, from `/sys/devices/system/cpu` (Documentation/ABI/testing/sysfs-devices-system-cpu).

use hftune_model::CpuSet;
use hftune_model::Error;
use hftune_model::cpuset::MAX_CPU;
use hftune_model::host::{Cache, Core, CoreKind, Cpus, IdleState, Node};

use super::facts::Facts;

mod kinds;
mod siblings;

pub(super) use siblings::{Siblings, read as siblings};

const CPU: &str = "/sys/devices/system/cpu";

/// CPU flags that decide something: the clock, huge pages of 1 GiB, virtualization, idle and frequency control, cache
/// allocation (arch/x86/include/asm/cpufeatures.h).
const FLAGS: &[&str] = &[
    "arat",
    "art",
    "cat_l2",
    "cat_l3",
    "constant_tsc",
    "epb",
    "hwp",
    "hypervisor",
    "monitor",
    "nonstop_tsc",
    "pdpe1gb",
    "pse",
    "rdtscp",
    "tsc",
    "tsc_adjust",
    "tsc_deadline_timer",
    "tsc_known_freq",
    "tsc_reliable",
    "waitpkg",
];

/// The CPUs that run.
///
/// `/sys/devices/system/cpu/online`; a recorded tree may lack that file, then each CPU's own directory, then
/// `/proc/cpuinfo`.
pub(super) fn online(facts: &Facts<'_>) -> CpuSet {
    let path = format!("{CPU}/online");
    let dirs = directories(facts);
    match facts.cpus(&path) {
        Some(cpus) if cpus.is_empty() => facts.note(&path, Error::invalid("it lists no CPU")),
        // Every CPU has a directory; what has none is not there, whatever the list says.
        Some(cpus) if !dirs.is_empty() => {
            let ghosts = cpus.difference(&dirs);
            if !ghosts.is_empty() {
                let what = format!("it lists CPUs {ghosts}, which have no directory");
                facts.note(&path, Error::invalid(what));
            }
            return cpus.intersection(&dirs);
        }
        Some(cpus) => return cpus,
        None => {}
    }
    let by_directory: CpuSet = dirs
        .iter()
        .filter(
            |cpu| match facts.word(&format!("{CPU}/cpu{cpu}/online")).as_deref() {
                Some(text) => text == "1",
                // CPU 0 often cannot go offline and has no such file; an offline CPU has no topology.
                None => facts
                    .root()
                    .exists(format!("{CPU}/cpu{cpu}/topology/physical_package_id")),
            },
        )
        .collect();
    if !by_directory.is_empty() {
        return by_directory;
    }
    let by_cpuinfo = facts
        .text("/proc/cpuinfo")
        .map(|text| processors(&text))
        .unwrap_or_default();
    if by_cpuinfo.is_empty() {
        facts.note(
            &path,
            Error::invalid("neither this file nor /proc/cpuinfo says which CPUs run"),
        );
    }
    by_cpuinfo
}

/// Everything about the CPUs; `online` is what [`online`] returned, `siblings` what [`siblings`] did, and `nodes` are
/// those that can be believed.
pub(super) fn read(facts: &Facts<'_>, online: CpuSet, siblings: Siblings, nodes: &[Node]) -> Cpus {
    let first = facts
        .text("/proc/cpuinfo")
        .map(|text| parse_cpuinfo(&text))
        .unwrap_or_default();
    let mut cores = cores(facts, siblings.cores, nodes);
    kinds::set(facts, &mut cores);
    Cpus {
        present: facts
            .cpus(&format!("{CPU}/present"))
            .unwrap_or_else(|| directories(facts))
            .union(&online),
        allowed: allowed(facts),
        model: first.model,
        cores,
        siblings_unknown: siblings.unknown,
        isolated: facts.cpus(&format!("{CPU}/isolated")),
        nohz_full: facts.cpus(&format!("{CPU}/nohz_full")),
        smt: facts.word(&format!("{CPU}/smt/control")),
        flags: first.flags,
        last_level_caches: last_level_caches(facts, &online),
        clocksource: facts.word("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        cpufreq_driver: cpufreq_driver(facts),
        cpuidle_driver: facts
            .word(&format!("{CPU}/cpuidle/current_driver"))
            .filter(|driver| driver != "none"),
        idle_states: online
            .first()
            .map(|cpu| idle_states(facts, cpu))
            .unwrap_or_default(),
        online,
    }
}

/// CPUs that have a directory.
fn directories(facts: &Facts<'_>) -> CpuSet {
    facts
        .numbered(CPU, "cpu")
        .into_iter()
        .filter(|cpu| *cpu <= MAX_CPU)
        .collect()
}

/// `Cpus_allowed_list` of this process: what its cpuset leaves of the machine, and its own mask of that
/// (Documentation/filesystems/proc.rst).
fn allowed(facts: &Facts<'_>) -> Option<CpuSet> {
    let status = facts.text("/proc/self/status")?;
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    CpuSet::parse_list(list.trim(), None).ok()
}

/// The physical cores behind a list of groups of siblings.
fn cores(facts: &Facts<'_>, groups: Vec<CpuSet>, nodes: &[Node]) -> Vec<Core> {
    groups
        .into_iter()
        .filter_map(|cpus| {
            let cpu = cpus.first()?;
            Some(Core {
                package: facts
                    .number(&format!("{CPU}/cpu{cpu}/topology/physical_package_id"))
                    .unwrap_or(-1),
                node: nodes
                    .iter()
                    .find(|node| node.cpus.contains(cpu))
                    .map(|node| node.id),
                kind: CoreKind::Uniform,
                cpus,
            })
        })
        .collect()
}

/// The cache of the highest level of each online CPU, each one once (`cpuN/cache/indexM`).
fn last_level_caches(facts: &Facts<'_>, online: &CpuSet) -> Vec<Cache> {
    let mut caches = Vec::new();
    let mut left = online.clone();
    while let Some(cpu) = left.first() {
        let mut covered: CpuSet = [cpu].into_iter().collect();
        let dir = format!("{CPU}/cpu{cpu}/cache");
        let last = facts
            .numbered(&dir, "index")
            .into_iter()
            .filter_map(|index| {
                let level: u32 = facts.number(&format!("{dir}/index{index}/level"))?;
                Some((level, index))
            })
            .max();
        if let Some((level, index)) = last {
            let index = format!("{dir}/index{index}");
            let shared = facts
                .cpus_or_mask(
                    &format!("{index}/shared_cpu_list"),
                    &format!("{index}/shared_cpu_map"),
                )
                .unwrap_or_default();
            covered = shared.intersection(&left).union(&covered);
            caches.push(Cache {
                level,
                size: facts
                    .word(&format!("{index}/size"))
                    .unwrap_or_else(|| "?".to_owned()),
                cpus: covered.clone(),
            });
        }
        left = left.difference(&covered);
    }
    caches
}

/// The driver of the policy with the lowest number (Documentation/admin-guide/pm/cpufreq.rst).
fn cpufreq_driver(facts: &Facts<'_>) -> Option<String> {
    let policies = format!("{CPU}/cpufreq");
    let first = facts.numbered(&policies, "policy").into_iter().next()?;
    facts.word(&format!("{policies}/policy{first}/scaling_driver"))
}

fn idle_states(facts: &Facts<'_>, cpu: u32) -> Vec<IdleState> {
    let dir = format!("{CPU}/cpu{cpu}/cpuidle");
    facts
        .numbered(&dir, "state")
        .into_iter()
        .map(|index| IdleState {
            index,
            name: facts
                .word(&format!("{dir}/state{index}/name"))
                .unwrap_or_default(),
            latency_us: facts
                .number(&format!("{dir}/state{index}/latency"))
                .unwrap_or_default(),
        })
        .collect()
}

/// What `/proc/cpuinfo` says of its first CPU.
#[derive(Debug, Default, PartialEq)]
struct CpuInfo {
    model: Option<String>,
    flags: Vec<String>,
}

fn parse_cpuinfo(text: &str) -> CpuInfo {
    let mut info = CpuInfo::default();
    for line in text.lines().take_while(|line| !line.trim().is_empty()) {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        match key.trim() {
            "model name" => info.model = Some(value.trim().to_owned()),
            "flags" => {
                info.flags = value
                    .split_ascii_whitespace()
                    .filter(|flag| FLAGS.contains(flag))
                    .map(str::to_owned)
                    .collect();
            }
            _ => {}
        }
    }
    info
}

/// The CPUs that `/proc/cpuinfo` has a paragraph for: those that run.
fn processors(cpuinfo: &str) -> CpuSet {
    cpuinfo
        .lines()
        .filter_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim_end() == "processor").then_some(value.trim())
        })
        .filter_map(|value| value.parse().ok())
        .filter(|cpu| *cpu <= MAX_CPU)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_first_paragraph_of_cpuinfo() {
        let info = parse_cpuinfo(
            "processor\t: 0\nmodel name\t: Some CPU @ 2.10GHz\nflags\t\t: fpu tsc nonstop_tsc nx\n\n\
             processor\t: 1\nmodel name\t: Another\n",
        );
        assert_eq!(info.model.as_deref(), Some("Some CPU @ 2.10GHz"));
        assert_eq!(info.flags, ["tsc", "nonstop_tsc"]);
    }

    #[test]
    fn counts_processors() {
        let text = "processor\t: 0\n\nprocessor\t: 12\nprocessor : 99999999\nprocessor: x\n";
        assert_eq!(processors(text).to_string(), "0,12");
    }

    proptest! {
        #[test]
        fn never_panics(text in "(processor|model name|flags|x)?[\t ]*:?[ 0-9a-z:\n]{0,60}") {
            let _ = parse_cpuinfo(&text);
            let _ = processors(&text);
        }
    }
}
