//! Interrupts that took no write earlier in this boot: the journal remembers, so that they are known to be managed where
//! neither file modes nor debugfs nor the driver's name tells.

use std::collections::BTreeSet;

use hftune_model::CpuSet;
use hftune_model::host::Host;
use hftune_model::setting::Artifact;
use hftune_model::transaction::{After, Outcome, Transaction};
use hftune_sys::Root;

use crate::journal;

/// What the kernel answers to a write for a managed interrupt: EIO, and EPERM since 6.12 (`write_irq_affinity()` in
/// kernel/irq/proc.c). Other answers (no vector left, no such CPU) say nothing of the interrupt.
const ANSWERS: [&str; 2] = ["(os error 5)", "(os error 1)"];

/// Marks what the journal knows to be managed. It is read only where an interrupt asks for it.
pub(crate) fn mark(root: &Root, host: &mut Host, housekeeping: &CpuSet) {
    let asks = host.irqs.list.iter().any(|irq| {
        irq.managed.is_none()
            && !irq.name.is_empty()
            && irq
                .requested
                .as_ref()
                .is_some_and(|cpus| !cpus.is_subset(housekeeping))
    });
    if !asks {
        return;
    }
    // A user who may not read the journal sees less.
    let transactions = journal::read_all_permitted(root).unwrap_or_default();
    let refused = refused(&transactions, host.kernel.boot_id.as_deref());
    for irq in host
        .irqs
        .list
        .iter_mut()
        .filter(|irq| irq.managed.is_none())
    {
        if refused.contains(&(irq.number, name_in_id(&irq.name).as_str())) {
            irq.managed = Some(true);
        }
    }
}

/// Numbers and names of the interrupts that refused. Numbers are given anew when a device comes or goes, so that the name
/// must be the same too.
fn refused<'t>(transactions: &'t [Transaction], boot_id: Option<&str>) -> BTreeSet<(u32, &'t str)> {
    let this_boot = |t: &&Transaction| boot_id.is_some() && t.boot_id.as_deref() == boot_id;
    let steps = transactions.iter().filter(this_boot).flat_map(|t| &t.steps);
    let mut found = BTreeSet::new();
    for step in steps {
        let (Some(Outcome::Refused { why }), After::Set(Artifact::Kernel { path, .. })) =
            (&step.outcome, &step.after)
        else {
            continue;
        };
        let number = path
            .strip_prefix("/proc/irq")
            .ok()
            .and_then(|rest| rest.parent()?.to_str()?.parse().ok());
        if let Some(number) = number.filter(|_| ANSWERS.iter().any(|answer| why.ends_with(answer)))
        {
            let names = step.ids.iter().filter_map(|id| id.strip_prefix("irq/"));
            // What tells equal names apart is not the driver's.
            found.extend(names.map(|name| (number, name.split(['@', '#']).next().unwrap_or(name))));
        }
    }
    found
}

/// The name of an interrupt as it begins in its id.
fn name_in_id(name: &str) -> String {
    let name = name.replace([' ', '\t'], "");
    name.split(['@', '#']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use hftune_model::setting::Compare;
    use hftune_model::transaction::{State, Status, TakenStep};

    use super::*;

    fn step(number: u32, id: &str, why: &str) -> TakenStep {
        TakenStep {
            number: 1,
            ids: vec![id.to_owned()],
            after: After::Set(Artifact::Kernel {
                path: format!("/proc/irq/{number}/smp_affinity_list").into(),
                value: "0-1".to_owned(),
                compare: Compare::CpusWithin,
            }),
            before: State::Absent,
            directories: Vec::new(),
            outcome: Some(Outcome::Refused {
                why: format!("/proc/irq/{number}/smp_affinity_list: cannot write \"0-1\": {why}"),
            }),
            outputs: Vec::new(),
            undone: false,
        }
    }

    #[test]
    fn only_what_the_kernel_refuses_for_a_managed_interrupt_counts() {
        let transaction = Transaction {
            id: String::new(),
            time: String::new(),
            profile: String::new(),
            changes: Vec::new(),
            status: Status::Applied,
            boot_id: Some("b".to_owned()),
            steps: vec![
                step(30, "irq/hpsa0-msix1", "Input/output error (os error 5)"),
                step(
                    31,
                    "irq/lpfc:1@pci:0000:3b:00.0",
                    "Operation not permitted (os error 1)",
                ),
                step(32, "irq/eth0", "No space left on device (os error 28)"),
            ],
        };
        let all = [transaction];
        assert_eq!(
            refused(&all, Some("b")),
            BTreeSet::from([(30, "hpsa0-msix1"), (31, "lpfc:1")])
        );
        assert!(refused(&all, Some("c")).is_empty() && refused(&all, None).is_empty());
    }
}
