//! Performance and efficient cores of hybrid machines.

use hftune_model::host::{Core, CoreKind};

use super::CPU;
use crate::host::facts::Facts;

/// Tells the kinds of cores apart, by the first of three witnesses that speaks.
pub(super) fn set(facts: &Facts<'_>, cores: &mut [Core]) {
    let kinds = by_pmu(facts, cores)
        .or_else(|| {
            // Arm big.LITTLE. The first core without the file tells that no core has it.
            per_core(cores, |cpu| {
                facts.number(&format!("{CPU}/cpu{cpu}/cpu_capacity"))
            })
            .map(|capacities| by_capacity(&capacities))
        })
        .or_else(|| by_nominal_performance(facts, cores));
    for (core, kind) in cores.iter_mut().zip(kinds.into_iter().flatten()) {
        core.kind = kind;
    }
}

fn per_core<T>(cores: &[Core], read: impl Fn(u32) -> Option<T>) -> Option<Vec<T>> {
    cores.iter().map(|core| read(core.cpus.first()?)).collect()
}

/// The PMUs of hybrid x86 machines (arch/x86/events/intel/core.c, `intel_hybrid_pmu_type_map`).
fn by_pmu(facts: &Facts<'_>, cores: &[Core]) -> Option<Vec<CoreKind>> {
    let pmu = |name: &str| {
        facts
            .cpus(&format!("/sys/devices/{name}/cpus"))
            .unwrap_or_default()
    };
    if pmu("cpu_core").is_empty() {
        return None;
    }
    let efficient = pmu("cpu_atom").union(&pmu("cpu_lowpower"));
    if efficient.is_empty() {
        return None;
    }
    per_core(cores, |cpu| {
        Some(if efficient.contains(cpu) {
            CoreKind::Efficient
        } else {
            CoreKind::Performance
        })
    })
}

/// Cores as fast as the fastest are performance cores, the others efficient ones.
///
/// One capacity is greater than another where it is more than 5 % greater, as for the scheduler (`capacity_greater()`,
/// kernel/sched/fair.c): the fast cores of one part differ by a few percent.
fn by_capacity(capacities: &[u32]) -> Vec<CoreKind> {
    let highest = u64::from(capacities.iter().copied().max().unwrap_or(0));
    let slower = |capacity: &u32| highest * 1024 > u64::from(*capacity) * 1078;
    let uniform = !capacities.iter().any(slower);
    capacities
        .iter()
        .map(|capacity| match slower(capacity) {
            _ if uniform => CoreKind::Uniform,
            true => CoreKind::Efficient,
            false => CoreKind::Performance,
        })
        .collect()
}

/// A hybrid x86 machine whose kernel has no PMU for each kind: the nominal performance in the firmware's CPPC tables
/// (Documentation/admin-guide/acpi/cppc_sysfs.rst), believed only where the caches differ with it. Cores of one kind may
/// be given different speeds too (Intel Speed Select), and those must not be taken for efficient ones.
fn by_nominal_performance(facts: &Facts<'_>, cores: &[Core]) -> Option<Vec<CoreKind>> {
    let nominal = per_core(cores, |cpu| {
        facts.number(&format!("{CPU}/cpu{cpu}/acpi_cppc/nominal_perf"))
    })?;
    let kinds = by_capacity(&nominal);
    if kinds.iter().all(|kind| *kind == CoreKind::Uniform) {
        return None;
    }
    let caches = per_core(cores, |cpu| {
        let dir = format!("{CPU}/cpu{cpu}/cache");
        let sizes: Vec<Option<String>> = facts
            .numbered(&dir, "index")
            .into_iter()
            .map(|index| facts.word(&format!("{dir}/index{index}/size")))
            .collect();
        (!sizes.is_empty()).then_some(sizes)
    })?;
    let of = |kind: CoreKind| {
        kinds
            .iter()
            .zip(&caches)
            .filter(move |(k, _)| **k == kind)
            .map(|(_, caches)| caches)
    };
    let alike = of(CoreKind::Efficient).any(|slow| of(CoreKind::Performance).any(|c| c == slow));
    (!alike).then_some(kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_a_few_percent_apart_are_alike() {
        use CoreKind::{Efficient, Performance, Uniform};
        assert_eq!(by_capacity(&[1024, 1017, 997]), [Uniform; 3]);
        assert_eq!(
            by_capacity(&[718, 1024, 997, 731]),
            [Efficient, Performance, Performance, Efficient]
        );
        assert_eq!(by_capacity(&[0, 0]), [Uniform; 2]);
        assert!(by_capacity(&[]).is_empty());
    }
}
