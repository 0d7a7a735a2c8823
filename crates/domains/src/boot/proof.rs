//! Two of the three proofs of a boot argument: on the running command line, and in the kernel's acts.

use hftune_model::finding::Proof;
use hftune_model::{CpuSet, Error, Kind};
use hftune_sys::Reader;

use super::argument::{Argument, shown};
use super::cmdline::{find, same_name, tokens};
use crate::Context;
use crate::threads;

const ISOLATED: &str = "/sys/devices/system/cpu/isolated";
const NOHZ_FULL: &str = "/sys/devices/system/cpu/nohz_full";
const DEFAULT_AFFINITY: &str = "/proc/irq/default_smp_affinity";

/// Whether the argument is in every one of these places, each with the command line that it gives.
pub fn judge(argument: &Argument, places: &[(String, String)]) -> Proof {
    let mut wrong: Vec<String> = Vec::new();
    let mut absent = 0;
    for (place, text) in places {
        match find(text, &argument.name).map(|token| token.value()) {
            Some(value) if argument.is(value) => {}
            Some(value) => wrong.push(format!("{} in {place}", shown(value))),
            None => {
                absent += 1;
                wrong.push(format!("missing in {place}"));
            }
        }
    }
    match wrong.len() {
        0 => Proof::Holds(argument.shown()),
        count if count == absent && count == places.len() => Proof::Differs(String::new()),
        1 => Proof::Differs(wrong.remove(0)),
        count => Proof::Differs(format!(
            "{} and in {} more of {} places",
            wrong[0],
            count - 1,
            places.len()
        )),
    }
}

/// The proof that a file which cannot be read gives.
pub fn failed(error: &Error) -> Proof {
    match error.kind {
        Kind::NeedsRoot => Proof::NotPermitted(error.to_string()),
        _ => Proof::Unknown(error.to_string()),
    }
}

/// Whether the running kernel was booted with it.
pub fn live(argument: &Argument, reader: &Reader<'_>) -> Proof {
    let text = match reader.text("/proc/cmdline") {
        Err(e) => return failed(&e),
        Ok(text) => text,
    };
    let Some(found) = find(&text, &argument.name) else {
        return Proof::Differs(String::new());
    };
    let value = shown(found.value());
    if argument.is(found.value()) {
        return Proof::Holds(value);
    }
    let running = Argument::new(found.name(), found.value());
    let why = match (running.dropped_on(&text), running.isolates_nothing()) {
        (Some(dropped), _) => format!(
            "; the kernel dropped the later {dropped}, since the first {}= wins",
            argument.name
        ),
        (None, Some(why)) => format!("; {why}"),
        (None, None) => String::new(),
    };
    Proof::Differs(value + &why)
}

/// Whether the kernel acts on it. `booted`: whether it was booted with it.
pub fn effect(argument: &Argument, booted: bool, cx: &Context<'_>, reader: &Reader<'_>) -> Proof {
    let Some(cpus) = argument.cpus() else {
        return Proof::None("the kernel shows nothing but the argument itself".to_owned());
    };
    let name = argument.name.as_str();
    if same_name(name, "isolcpus") {
        let wanted = if cpus.flags.contains("domain") {
            cpus.list
        } else {
            CpuSet::new()
        };
        return match held(ISOLATED, &wanted, booted, reader) {
            Proof::Holds(value) if !wanted.is_empty() => strangers(value, &wanted, cx),
            proof => explained(proof, argument, booted, cx),
        };
    }
    if same_name(name, "nohz_full") {
        let proof = held(NOHZ_FULL, &cpus.list, booted, reader);
        return explained(proof, argument, booted, cx);
    }
    if same_name(name, "rcu_nocbs") {
        return match reader.parsed(NOHZ_FULL, |text| CpuSet::parse_list(text, None)) {
            Ok(Some(set)) if cpus.list.is_subset(&set) => {
                Proof::Holds(format!("{set}, by nohz_full"))
            }
            _ => Proof::None("the kernel tells which CPUs it relieved only in its log".to_owned()),
        };
    }
    match reader.parsed(DEFAULT_AFFINITY, CpuSet::parse_mask) {
        Err(e) => failed(&e),
        Ok(None) => missing(DEFAULT_AFFINITY, booted),
        Ok(Some(set)) => {
            // The kernel adds the boot CPU (kernel/irq/irqdesc.c).
            let mut with_boot_cpu = cpus.list.clone();
            with_boot_cpu.insert(0);
            Proof::of(set == cpus.list || set == with_boot_cpu, set.to_string())
        }
    }
}

/// The CPUs in a file of the kernel against the wanted ones.
fn held(path: &str, wanted: &CpuSet, booted: bool, reader: &Reader<'_>) -> Proof {
    match reader.parsed(path, |text| CpuSet::parse_list(text, None)) {
        Err(e) => failed(&e),
        Ok(None) => missing(path, booted),
        Ok(Some(set)) => Proof::of(set == *wanted, set.to_string()),
    }
}

/// Why a kernel that was booted with it does not act on it: where `isolcpus=` and `nohz_full=` name other CPUs, a kernel
/// before 5.18, which has one mask for both, drops the later of the two (kernel/sched/isolation.c).
fn explained(proof: Proof, argument: &Argument, booted: bool, cx: &Context<'_>) -> Proof {
    let one_mask = cx
        .host
        .kernel
        .version()
        .is_none_or(|version| version < (5, 18));
    let Proof::Differs(value) = &proof else {
        return proof;
    };
    let other = if same_name(&argument.name, "isolcpus") {
        "nohz_full"
    } else {
        "isolcpus"
    };
    let words = tokens(&cx.host.kernel.cmdline);
    let at = |name: &str| words.iter().position(|token| same_name(token.name(), name));
    match (at(other), at(&argument.name)) {
        (Some(first), Some(ours)) if booted && one_mask && first < ours => {
            let first = Argument::new(other, words[first].value());
            let same = first.cpus().map(|cpus| cpus.list) == argument.cpus().map(|cpus| cpus.list);
            if same {
                return proof;
            }
            Proof::Differs(format!(
                "{}; {first} comes first, and kernels before 5.18 drop a later list that differs",
                if value.is_empty() { "not set" } else { value }
            ))
        }
        _ => proof,
    }
}

/// A missing file proves nothing; where the kernel was booted without the argument, it is not in effect either.
fn missing(path: &str, booted: bool) -> Proof {
    if booted {
        Proof::Unknown(format!("{path} does not exist"))
    } else {
        Proof::Differs(String::new())
    }
}

/// The CPUs are isolated; whether processes may run there all the same, besides those that belong there.
fn strangers(isolated: String, wanted: &CpuSet, cx: &Context<'_>) -> Proof {
    let found: Vec<&hftune_model::host::Task> = cx
        .host
        .tasks
        .iter()
        .filter(|task| !task.kernel && threads::may_stray(&task.allowed, wanted))
        .collect();
    if found.is_empty() {
        return Proof::Holds(isolated);
    }
    Proof::Differs(format!(
        "{isolated}, but {} may still run there",
        threads::names(&found)
    ))
}
