//! Which CPUs are threads of one core.
//!
//! Nothing may split a core, so that a relation counts when either side names it, and what cannot be told is said to
//! be unknown rather than taken for a core of its own.

use std::collections::BTreeMap;

use hftune_model::{CpuSet, Error};

use super::CPU;
use crate::host::facts::Facts;

/// More threads than this in one core are no core: POWER has eight, x86 at most four.
const MOST_THREADS: usize = 8;

/// The online CPUs, grouped into cores.
#[derive(Debug, Default)]
pub(in crate::host) struct Siblings {
    /// The threads of each core, in rising order of the first; every online CPU is in exactly one.
    pub cores: Vec<CpuSet>,
    /// CPUs of which it is not known whether they have siblings.
    pub unknown: CpuSet,
}

/// Groups the online CPUs.
pub(in crate::host) fn read(facts: &Facts<'_>, online: &CpuSet) -> Siblings {
    let relations: Vec<(u32, Option<CpuSet>)> = online
        .iter()
        .map(|cpu| (cpu, siblings(facts, cpu)))
        .collect();
    // Without SMT a core is a CPU, whatever is missing.
    let smt_off = facts
        .word("/sys/devices/system/cpu/smt/active")
        .is_some_and(|active| active == "0")
        || online.len() == 1;
    let mut found = group(&relations, online);
    if smt_off && found.cores.iter().all(|core| core.len() == 1) {
        found.unknown = CpuSet::new();
    }
    for core in &found.cores {
        if core.len() > MOST_THREADS {
            let cpu = core.first().unwrap_or(0);
            facts.note(
                &format!("{CPU}/cpu{cpu}/topology"),
                Error::invalid(format!(
                    "CPUs {core} would be {} threads of one core",
                    core.len()
                )),
            );
        }
    }
    found
}

/// Puts together what names each other, directly or through a third.
fn group(relations: &[(u32, Option<CpuSet>)], online: &CpuSet) -> Siblings {
    let mut told = CpuSet::new();
    // Each CPU points to a lower one of its core, the lowest to itself.
    let mut lower: BTreeMap<u32, u32> = online.iter().map(|cpu| (cpu, cpu)).collect();
    for (cpu, siblings) in relations {
        let Some(siblings) = siblings else { continue };
        let siblings = siblings.intersection(online);
        // A list that leaves out its own CPU is about something else.
        if siblings.contains(*cpu) {
            told = told.union(&siblings);
        }
        for sibling in siblings.iter() {
            let (a, b) = (lowest(&lower, *cpu), lowest(&lower, sibling));
            lower.insert(a.max(b), a.min(b));
        }
    }
    let mut by_lowest: BTreeMap<u32, CpuSet> = BTreeMap::new();
    for cpu in online.iter() {
        by_lowest
            .entry(lowest(&lower, cpu))
            .or_default()
            .insert(cpu);
    }
    let cores: Vec<CpuSet> = by_lowest.into_values().collect();
    let absurd: CpuSet = cores
        .iter()
        .filter(|core| core.len() > MOST_THREADS)
        .flat_map(|core| core.iter().collect::<Vec<_>>())
        .collect();
    Siblings {
        unknown: online.difference(&told).union(&absurd),
        cores,
    }
}

fn lowest(lower: &BTreeMap<u32, u32>, mut cpu: u32) -> u32 {
    while let Some(next) = lower.get(&cpu).filter(|next| **next != cpu) {
        cpu = *next;
    }
    cpu
}

/// `core_cpus` since Linux 5.3, `thread_siblings` before, as lists or, in older trees, as masks
/// (Documentation/admin-guide/cputopology.rst).
fn siblings(facts: &Facts<'_>, cpu: u32) -> Option<CpuSet> {
    let topology = format!("{CPU}/cpu{cpu}/topology");
    ["core_cpus", "thread_siblings"].iter().find_map(|name| {
        facts.cpus_or_mask(
            &format!("{topology}/{name}_list"),
            &format!("{topology}/{name}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(list: &str) -> CpuSet {
        CpuSet::parse_list(list, None).expect("list")
    }

    fn grouped(lists: &[(u32, &str)], online: &str) -> (Vec<String>, String) {
        let relations: Vec<(u32, Option<CpuSet>)> = lists
            .iter()
            .map(|(cpu, list)| (*cpu, (*list != "?").then(|| set(list))))
            .collect();
        let found = group(&relations, &set(online));
        (
            found.cores.iter().map(ToString::to_string).collect(),
            found.unknown.to_string(),
        )
    }

    #[test]
    fn one_side_is_enough() {
        let (cores, unknown) = grouped(&[(0, "0"), (1, "0-1"), (2, "2-3"), (3, "?")], "0-3");
        assert_eq!(cores, ["0-1", "2-3"]);
        assert_eq!(unknown, "");
    }

    #[test]
    fn a_chain_is_one_core() {
        let (cores, _) = grouped(&[(0, "0,2"), (1, "1,3"), (2, "2-3"), (3, "3")], "0-3");
        assert_eq!(cores, ["0-3"]);
    }

    #[test]
    fn what_is_not_told_is_unknown() {
        let (cores, unknown) = grouped(&[(0, "0,64"), (1, "?"), (2, "3"), (3, "3")], "0-3");
        assert_eq!(cores, ["0", "1", "2-3"]);
        assert_eq!(unknown, "1-2");
    }

    #[test]
    fn a_whole_machine_is_no_core() {
        let lists: Vec<(u32, &str)> = (0..20).map(|cpu| (cpu, "0-19")).collect();
        assert_eq!(
            grouped(&lists, "0-19"),
            (vec!["0-19".to_owned()], "0-19".to_owned())
        );
    }

    proptest! {
        #[test]
        fn every_cpu_is_in_one_core_with_all_it_names(
            lists in proptest::collection::vec(proptest::option::of(proptest::collection::btree_set(0..12u32, 0..4)), 10)
        ) {
            let relations: Vec<(u32, Option<CpuSet>)> = (0..)
                .zip(&lists)
                .map(|(cpu, list)| (cpu, list.as_ref().map(|l| l.iter().copied().collect())))
                .collect();
            let online = set("0-9");
            let found = group(&relations, &online);
            let mut seen = CpuSet::new();
            for core in &found.cores {
                prop_assert!(core.intersection(&seen).is_empty());
                seen = seen.union(core);
            }
            prop_assert_eq!(&seen, &online);
            for (cpu, list) in &relations {
                let core = found.cores.iter().find(|core| core.contains(*cpu)).expect("in a core");
                let named = list.clone().unwrap_or_default().intersection(&online);
                prop_assert!(named.is_subset(core));
            }
        }
    }
}
