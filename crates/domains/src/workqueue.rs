//! Workqueues: the kernel's deferred work that is bound to no CPU runs on the housekeeping CPUs.

use hftune_model::finding::{Proof, Proofs};
use hftune_model::host::Task;
use hftune_model::setting::{Artifact, Compare, Doc, Setting, When};
use hftune_model::{CpuSet, Result};
use hftune_sys::Reader;

use crate::{Context, Desired, Domain, rps, threads};

/// The domain.
#[derive(Debug, Clone, Copy)]
pub struct Workqueue;

const DIR: &str = "/sys/devices/virtual/workqueue";

const DOCS: &[Doc] = &[
    Doc {
        id: "workqueue/cpumask",
        what: "The CPUs that deferred work of the kernel may run on, as far as it is bound to no CPU.",
        why: "Writing back dirty pages, and much of the work of drivers and file systems, runs on whatever CPU this mask \
              allows, and takes it from the application.",
        trade_off: "The housekeeping CPUs do that work. Work that its author bound to a CPU runs there whatever any mask \
                    says: only what triggers it can be avoided.",
        read: "saved: irq-affinity.service (and boot/isolcpus, boot/nohz_full, which narrow the mask at boot); live: \
               /sys/devices/virtual/workqueue/cpumask (in the newest kernels less what was isolated at boot); effect: \
               Cpus_allowed_list of the kworker/u threads.",
        source: "Linux Documentation/core-api/workqueue.rst; kernel/workqueue.c",
    },
    Doc {
        id: "workqueue/NAME",
        what: "The CPUs of one workqueue that shows its mask, like writeback.",
        why: "The mask of a workqueue counts where it overlaps workqueue/cpumask. Within that, nothing is gained while both \
              hold; it stays right where somebody widens the common mask.",
        trade_off: "None beside workqueue/cpumask.",
        read: "saved: irq-affinity.service; live: /sys/devices/virtual/workqueue/NAME/cpumask; effect: its overlap with the \
               common mask.",
        source: "Linux Documentation/core-api/workqueue.rst; kernel/workqueue.c (wqattrs_actualize_cpumask)",
    },
];

impl Domain for Workqueue {
    fn name(&self) -> &'static str {
        "workqueue"
    }

    fn docs(&self) -> &'static [Doc] {
        DOCS
    }

    fn desire(&self, cx: &Context<'_>) -> Desired {
        let mut desired = Desired::default();
        if !cx.profile.workqueue.housekeeping || cx.cpus.isolated.is_empty() {
            return desired;
        }
        let queues = &cx.host.workqueues;
        let Some(common) = &queues.cpumask else {
            desired.skipped.push(rps::absent(
                DOCS[0].id,
                DIR,
                "this kernel shows no workqueue mask in /sys/devices/virtual/workqueue",
                cx,
            ));
            return desired;
        };
        let mut push = |doc: &'static Doc, name: &str, file: String, cpus: &CpuSet| {
            let mut artifacts = crate::irq::service(cx).artifacts(cx);
            artifacts.push(Artifact::Kernel {
                path: file.into(),
                value: home(cpus, cx).to_mask(),
                compare: Compare::CpuMask,
            });
            desired.settings.push(Setting {
                id: format!("workqueue/{name}"),
                desired: format!("within {}", cx.cpus.housekeeping),
                when: When::Now,
                doc,
                note: None,
                artifacts,
            });
        };
        push(&DOCS[0], "cpumask", format!("{DIR}/cpumask"), common);
        for (name, cpus) in &queues.own {
            push(&DOCS[1], name, format!("{DIR}/{name}/cpumask"), cpus);
        }
        desired
    }

    fn prove(&self, setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Result<Proofs> {
        let queues = &cx.host.workqueues;
        let name = setting.id.trim_start_matches("workqueue/");
        let unread = || Proof::Unknown(format!("{DIR}: the mask cannot be read"));
        let within = |cpus: &CpuSet| {
            Proof::of(
                !cpus.is_empty() && cpus.is_subset(&cx.cpus.housekeeping),
                cpus.to_string(),
            )
        };
        let common = queues.cpumask.as_ref();
        let (live, effect) = if setting.doc.id == DOCS[0].id {
            let live = common.map_or_else(unread, within);
            let effect = workers(&live, cx);
            (live, effect)
        } else {
            let own = queues.own.get(name);
            let effect = own.zip(common).map_or_else(unread, |(own, common)| {
                let both = own.intersection(common);
                // Where they do not overlap, the kernel takes the common mask.
                within(if both.is_empty() { common } else { &both })
            });
            (own.map_or_else(unread, within), effect)
        };
        Ok(Proofs {
            saved: crate::irq::service(cx).saved(cx, reader),
            live,
            effect,
            fix: None,
        })
    }
}

/// Where work belongs: its own housekeeping CPUs where it has some, else all of them.
fn home(cpus: &CpuSet, cx: &Context<'_>) -> CpuSet {
    let own = cpus.intersection(&cx.cpus.housekeeping);
    if own.is_empty() {
        cx.cpus.housekeeping.clone()
    } else {
        own
    }
}

/// Where the threads run that do the work: kworker/uPOOL:N serve pools that are bound to no CPU.
fn workers(live: &Proof, cx: &Context<'_>) -> Proof {
    let workers: Vec<&Task> = cx
        .host
        .tasks
        .iter()
        .filter(|task| task.kernel && task.comm.starts_with("kworker/u"))
        .collect();
    let strays: Vec<&Task> = workers
        .iter()
        .copied()
        .filter(|task| !task.allowed.intersection(&cx.cpus.isolated).is_empty())
        .collect();
    if workers.is_empty() || strays.is_empty() {
        // The mask is what the kernel makes its workers by.
        return live.clone();
    }
    let told = threads::names(&strays);
    match live {
        // Workers of before the change end with their pool; ordered workqueues keep theirs until Linux 6.9.
        Proof::Holds(mask) => Proof::Pending(
            format!("{told} on CPUs {}", cx.cpus.isolated),
            format!(
                "the mask is {mask}; {told} began before it was set and may use isolated CPUs until they end, at the latest with \
                 a reboot"
            ),
        ),
        live => live.clone(),
    }
}

#[cfg(test)]
mod tests {

    use hftune_model::host::Host;
    use hftune_model::profile::Profile;

    use crate::test_tree::{tree, with_split};

    use super::*;

    fn with<R>(
        common: Option<&str>,
        own: &[(&str, &str)],
        workers: &[(&str, &str)],
        check: impl FnOnce(&Context<'_>) -> R,
    ) -> R {
        let set = |list: &str| CpuSet::parse_list(list, None).unwrap();
        let mut profile = Profile::default();
        profile.workqueue.housekeeping = true;
        let mut host = Host::default();
        host.workqueues.cpumask = common.map(set);
        host.workqueues.own = own
            .iter()
            .map(|(name, list)| ((*name).to_owned(), set(list)))
            .collect();
        host.tasks = workers
            .iter()
            .map(|(comm, list)| Task {
                pid: 9,
                comm: (*comm).to_owned(),
                kernel: true,
                bound: true,
                allowed: set(list),
            })
            .collect();
        with_split(&host, &profile, ("0-1", "2-7"), check)
    }

    fn proofs(cx: &Context<'_>, id: &str) -> Proofs {
        let (_dir, root) = tree(&[]);
        let settings = Workqueue.desire(cx).settings;
        let setting = settings.iter().find(|setting| setting.id == id).expect(id);
        Workqueue.prove(setting, cx, &Reader::new(&root)).unwrap()
    }

    #[test]
    fn narrows_to_its_own_housekeeping_cpus() {
        with(
            Some("0-7"),
            &[("writeback", "1-7"), ("x", "4")],
            &[],
            |cx| {
                let masks: Vec<_> = Workqueue
                    .desire(cx)
                    .settings
                    .iter()
                    .filter_map(|setting| match setting.artifacts.last() {
                        Some(Artifact::Kernel { path, value, .. }) => {
                            Some(format!("{} {value}", path.display()))
                        }
                        _ => None,
                    })
                    .collect();
                assert_eq!(
                    masks,
                    [
                        format!("{DIR}/cpumask 3"),
                        format!("{DIR}/writeback/cpumask 2"),
                        format!("{DIR}/x/cpumask 3"),
                    ]
                );
                assert_eq!(
                    proofs(cx, "workqueue/cpumask").effect,
                    Proof::Differs("0-7".to_owned())
                );
            },
        );
    }

    #[test]
    fn a_wide_mask_of_one_queue_takes_effect_within_the_common_one() {
        with(
            Some("0-1"),
            &[("writeback", "0-7"), ("x", "4")],
            &[],
            |cx| {
                let proofs_of = proofs(cx, "workqueue/writeback");
                assert_eq!(proofs_of.live, Proof::Differs("0-7".to_owned()));
                assert_eq!(proofs_of.effect, Proof::Holds("0-1".to_owned()));
                assert_eq!(
                    proofs(cx, "workqueue/x").effect,
                    Proof::Holds("0-1".to_owned())
                );
            },
        );
    }

    #[test]
    fn a_worker_on_an_isolated_cpu_is_pending_and_no_pass() {
        with(
            Some("0-1"),
            &[],
            &[("kworker/u16:1", "0-1"), ("kworker/3:0", "3")],
            |cx| {
                assert_eq!(
                    proofs(cx, "workqueue/cpumask").effect,
                    Proof::Holds("0-1".to_owned())
                );
            },
        );
        with(Some("0-1"), &[], &[("kworker/u16:1", "0-7")], |cx| {
            assert!(matches!(
                proofs(cx, "workqueue/cpumask").effect,
                Proof::Pending(..)
            ));
        });
        with(None, &[], &[], |cx| {
            assert_eq!(Workqueue.desire(cx).skipped[0].id, "workqueue/cpumask");
        });
    }
}
