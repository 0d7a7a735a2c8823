//! Kernel threads: those that can move are kept off the isolated CPUs.

use hftune_model::finding::{Proof, Proofs};
use hftune_model::host::Task;
use hftune_model::setting::{Artifact, Doc, Setting, When};
use hftune_model::{CpuSet, Result};
use hftune_sys::Reader;

use crate::{Context, Desired, Domain};

/// The domain.
#[derive(Debug, Clone, Copy)]
pub struct Threads;

static DOCS: [Doc; 1] = [Doc {
    id: "threads/kernel",
    what: "Every kernel thread that can move may run on the housekeeping CPUs only.",
    why: "A kernel thread that wakes on an isolated CPU takes it from the application for as long as it runs, and brings \
          the timer tick back, since two tasks now share the CPU. isolcpus= does not confine kernel threads that set \
          their own CPUs (kswapd and kcompactd take those of their node), nor those that ran before.",
    trade_off: "The housekeeping CPUs do all of the kernel's background work. Threads that the kernel binds to one CPU \
                (ksoftirqd, migration, cpuhp) and workers of workqueues cannot be moved this way and are left alone; \
                the workqueue mask has a setting of its own. A thread that starts later is moved at the next boot or \
                by the next hftune setup.",
    read: "saved: irq-affinity.service and the link that enables it. live and effect: Cpus_allowed_list in \
           /proc/PID/status of every kernel thread without PF_NO_SETAFFINITY (the flags in /proc/PID/stat).",
    source: "Linux: kernel/kthread.c, include/linux/sched.h (PF_NO_SETAFFINITY), proc(5)",
}];

impl Domain for Threads {
    fn name(&self) -> &'static str {
        "threads"
    }

    fn docs(&self) -> &'static [Doc] {
        &DOCS
    }

    fn desire(&self, cx: &Context<'_>) -> Desired {
        // Without an isolated CPU there is nothing to keep them off, which boot/isolcpus says.
        if !cx.profile.threads.housekeeping || cx.cpus.isolated.is_empty() {
            return Desired::default();
        }
        // Threads that are where they should be are named too: the wish for them is what keeps them there.
        let mut artifacts = crate::irq::service(cx).artifacts(cx);
        artifacts.extend(movable(cx).map(|task| Artifact::Thread {
            pid: task.pid,
            comm: task.comm.clone(),
            cpus: home(task, cx).to_string(),
        }));
        Desired {
            settings: vec![Setting {
                id: "threads/kernel".to_owned(),
                desired: format!("on CPUs {}", cx.cpus.housekeeping),
                when: When::Now,
                doc: &DOCS[0],
                note: None,
                artifacts,
            }],
            ..Desired::default()
        }
    }

    fn prove(&self, _setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Result<Proofs> {
        let offenders: Vec<&Task> = movable(cx)
            .filter(|task| !task.allowed.intersection(&cx.cpus.isolated).is_empty())
            .collect();
        let now = if !reader.root().is_live() && cx.host.tasks.is_empty() {
            Proof::None("no process runs in a directory tree".to_owned())
        } else if !cx.host.tasks.iter().any(|task| task.kernel) {
            Proof::Unknown("no kernel thread can be seen in /proc".to_owned())
        } else if offenders.is_empty() {
            Proof::Holds(format!("on CPUs {}", cx.cpus.housekeeping))
        } else {
            Proof::Differs(format!(
                "{} on CPUs {}",
                names(&offenders),
                cx.cpus.isolated
            ))
        };
        Ok(Proofs {
            saved: crate::irq::service(cx).saved(cx, reader),
            live: now.clone(),
            effect: now,
            fix: None,
        })
    }
}

/// The kernel threads that the kernel lets be moved.
fn movable<'a>(cx: &'a Context<'_>) -> impl Iterator<Item = &'a Task> {
    cx.host
        .tasks
        .iter()
        .filter(|task| task.kernel && !task.bound)
}

/// Where a thread belongs: its own housekeeping CPUs where it has some (kswapd stays on its node), else all of them.
fn home(task: &Task, cx: &Context<'_>) -> CpuSet {
    let own = task.allowed.intersection(&cx.cpus.housekeeping);
    if own.is_empty() {
        cx.cpus.housekeeping.clone()
    } else {
        own
    }
}

/// Whether a task that may use `allowed` could be put on an isolated CPU without having been sent there: a task that may
/// use isolated CPUs only is the application.
pub fn may_stray(allowed: &CpuSet, isolated: &CpuSet) -> bool {
    !allowed.intersection(isolated).is_empty() && !allowed.is_subset(isolated)
}

/// "3 tasks (kswapd0 55, rcu_sched 12, sshd 812)", the first few by name.
pub fn names(tasks: &[&Task]) -> String {
    const SHOWN: usize = 3;
    let list: Vec<String> = tasks
        .iter()
        .take(SHOWN)
        .map(|task| format!("{} {}", task.comm, task.pid))
        .collect();
    let more = if tasks.len() > SHOWN { ", ..." } else { "" };
    let noun = if tasks.len() == 1 { "task" } else { "tasks" };
    format!("{} {noun} ({}{more})", tasks.len(), list.join(", "))
}

#[cfg(test)]
mod tests {

    use crate::test_tree::{tree, with_split};
    use hftune_model::host::Host;
    use hftune_model::profile::Profile;

    use super::*;

    fn task(pid: u32, comm: &str, allowed: &str, bound: bool) -> Task {
        Task {
            pid,
            comm: comm.to_owned(),
            kernel: true,
            bound,
            allowed: allowed.parse().unwrap(),
        }
    }

    fn with<R>(tasks: Vec<Task>, check: impl FnOnce(&Context<'_>) -> R) -> R {
        let mut profile = Profile::default();
        profile.threads.housekeeping = true;
        let host = Host {
            tasks,
            ..Host::default()
        };
        with_split(&host, &profile, ("0-1,8", "2-7,9-15"), check)
    }

    fn proofs(cx: &Context<'_>) -> Proofs {
        let (_dir, root) = tree(&[]);
        Threads
            .prove(&Threads.desire(cx).settings[0], cx, &Reader::new(&root))
            .unwrap()
    }

    #[test]
    fn moves_what_can_be_moved_and_no_further_than_its_node() {
        let tasks = vec![
            task(2, "kthreadd", "0-15", false),
            task(15, "ksoftirqd/2", "2", true),
            task(60, "kswapd1", "8-15", false),
            task(61, "irq/40-x", "9", false),
        ];
        with(tasks, |cx| {
            let artifacts = Threads.desire(cx).settings.remove(0).artifacts;
            let moved: Vec<_> = artifacts
                .iter()
                .filter_map(|artifact| match artifact {
                    Artifact::Thread { pid, cpus, .. } => Some((*pid, cpus.as_str())),
                    _ => None,
                })
                .collect();
            assert_eq!(moved, [(2, "0-1,8"), (60, "8"), (61, "0-1,8")]);
            assert_eq!(
                proofs(cx).live.value(),
                Some("3 tasks (kthreadd 2, kswapd1 60, irq/40-x 61) on CPUs 2-7,9-15")
            );
        });
    }

    #[test]
    fn holds_where_all_are_at_home_and_knows_nothing_where_none_is_seen() {
        let tasks = vec![
            task(2, "kthreadd", "0-1,8", false),
            task(15, "ksoftirqd/2", "2", true),
        ];
        with(tasks, |cx| {
            assert!(matches!(proofs(cx).effect, Proof::Holds(_)));
        });
        with(Vec::new(), |cx| {
            assert!(matches!(proofs(cx).effect, Proof::None(_)));
        });
        let hidden = Task {
            pid: 900,
            comm: "sh".to_owned(),
            ..Task::default()
        };
        with(vec![hidden], |cx| {
            assert!(matches!(proofs(cx).effect, Proof::Unknown(_)));
        });
    }
}
