//! Which CPUs serve the OS and which the application: a pure function of facts and profile.
//!
//! Whole cores go to one side with all their SMT siblings; the boot CPU serves the OS; at least one core is isolated
//! where there are two or more.

mod asked;
mod choose;
mod explain;
#[cfg(test)]
mod tests;
mod view;

use hftune_model::cpu_plan::CpuPlan;
use hftune_model::finding::{Skipped, Verdict};
use hftune_model::host::Host;
use hftune_model::profile::Profile;
use hftune_model::{CpuSet, Error, Result};

use asked::Asked;
use choose::Chosen;
use view::View;

/// Splits the CPUs of a host.
///
/// # Errors
/// If the CPUs of the host, or which of them share a core, cannot be told; if what the profile asks for does not exist
/// or leaves one side without a core. `force` overrides what is only advice: a list that splits a core or leaves out
/// the boot CPU, siblings that cannot be told.
pub fn split(host: &Host, profile: &Profile, force: bool) -> Result<CpuPlan> {
    let view = View::new(host, profile)?;
    if !force {
        known_siblings(host)?;
    }
    let chosen = match Asked::of(&profile.cpus) {
        Asked::List(list) => asked::by_list(list, &view, force)?,
        Asked::ByNode(nodes) => asked::by_node(nodes, &view, force)?,
        Asked::Count(count) => asked::by_count(count, &view)?,
        Asked::Rule(rule) => choose::by_rule(rule, &view),
    };
    let housekeeping = view.cpus_of(&chosen);
    let isolated = view.visible.difference(&housekeeping);
    let nic_local = isolated.intersection(&view.trading_cpus());
    let mut plan = CpuPlan {
        housekeeping,
        isolated,
        nic_local,
        why: String::new(),
    };
    plan.why = explain::why(&view, &chosen, &plan);
    Ok(plan)
}

/// What the operator should know: CPUs that are offline now and not kept so by the command line come back with the
/// reboot, as siblings of CPUs on either side.
pub fn warning(host: &Host) -> Option<String> {
    let offline = host.cpus.present.difference(&host.cpus.online);
    let kept = ["nosmt", "maxcpus=", "nr_cpus=", "possible_cpus="];
    let mut words = host.kernel.cmdline.split_ascii_whitespace();
    let kept_off = words.any(|word| kept.iter().any(|name| word.starts_with(name)));
    (!offline.is_empty() && !kept_off).then(|| {
        format!(
            "CPUs {offline} are offline now and may be back after a reboot, next to CPUs that the plan gives to one side: \
             bring them online before setup, or keep them off for good with nosmt or maxcpus="
        )
    })
}

/// Cores can only be kept whole where it is known what a core is.
fn known_siblings(host: &Host) -> Result<()> {
    let unknown = &host.cpus.siblings_unknown;
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "which CPUs share a core with {unknown} cannot be told, and a core must not be split between the OS and the application"
    ))
    .at("/sys/devices/system/cpu")
    .hint("hftune host says what could not be read; --force takes each of them for a core of its own"))
}

/// What is done where [`split`] refuses: every CPU serves the OS, and the reason is told as a setting that this host
/// does not get.
pub fn refused(host: &Host, refusal: &Error) -> (CpuPlan, Skipped) {
    let fix = refusal.hint.clone();
    let reason = refusal.to_string();
    let cpus = CpuPlan {
        housekeeping: host.cpus.online.clone(),
        why: format!("the split is refused: {reason}"),
        ..CpuPlan::default()
    };
    let skipped = Skipped {
        id: "cpus/split".to_owned(),
        verdict: Verdict::NotPermitted,
        reason,
        fix,
    };
    (cpus, skipped)
}

impl View<'_> {
    /// The CPUs of what was chosen.
    fn cpus_of(&self, chosen: &Chosen) -> CpuSet {
        chosen
            .list
            .clone()
            .unwrap_or_else(|| self.union(chosen.cores.iter().map(|(core, _)| *core)))
    }
}
