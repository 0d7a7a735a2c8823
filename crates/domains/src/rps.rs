//! Receive packet steering: no received packet is handed to an isolated CPU.

use hftune_model::finding::{Proof, Proofs, Skipped};
use hftune_model::setting::{Artifact, Compare, Doc, Setting, When};
use hftune_model::{CpuSet, Result};
use hftune_sys::Reader;

use crate::{Context, Desired, Domain};

/// The domain.
#[derive(Debug, Clone, Copy)]
pub struct Rps;

const DEFAULT: &str = "/proc/sys/net/core/rps_default_mask";

const DOCS: &[Doc] = &[
    Doc {
        id: "rps/queues",
        what: "The CPUs that RPS hands received packets to, on every receive queue of every port: none that is isolated.",
        why: "RPS raises a software interrupt on the CPU that it chose, by way of an interrupt between CPUs: an isolated \
              CPU is interrupted by packets although no device interrupts it.",
        trade_off: "A queue that was steered to isolated CPUs only is steered no longer: its packets are handled where its \
                    interrupt fires. Steering among the housekeeping CPUs stays as it is.",
        read: "saved: irq-affinity.service; live and effect: rps_cpus of every /sys/class/net/IF/queues/rx-N. A kernel \
               booted with isolcpus=domain or nohz_full takes the isolated CPUs out of what is written since 5.9, but not \
               out of what was there.",
        source: "Linux Documentation/networking/scaling.rst; net/core/net-sysfs.c",
    },
    Doc {
        id: "rps/default",
        what: "The CPUs that RPS uses on receive queues that appear later: none that is isolated.",
        why: "A port that is plugged in, or that gets more queues, must not steer packets to an isolated CPU.",
        trade_off: "As for rps/queues.",
        read: "saved: irq-affinity.service; live and effect: /proc/sys/net/core/rps_default_mask (since 6.3, and in kernels \
               with a backport of it).",
        source: "Linux Documentation/admin-guide/sysctl/net.rst; net/core/sysctl_net_core.c",
    },
];

impl Domain for Rps {
    fn name(&self) -> &'static str {
        "rps"
    }

    fn docs(&self) -> &'static [Doc] {
        DOCS
    }

    fn desire(&self, cx: &Context<'_>) -> Desired {
        let mut desired = Desired::default();
        if !cx.profile.rps.housekeeping || cx.cpus.isolated.is_empty() {
            return desired;
        }
        let rps = &cx.host.rps;
        // Queues that steer nothing are named too: the wish for that is what keeps them so.
        let queues: Vec<Artifact> = rps
            .queues
            .iter()
            .flat_map(|(port, queues)| {
                queues
                    .iter()
                    // Of what cannot be read nothing is known, and nothing is written over it.
                    .filter_map(move |(number, cpus)| Some((port, number, cpus.as_ref()?)))
            })
            .map(|(port, number, cpus)| Artifact::Kernel {
                path: format!("/sys/class/net/{port}/queues/rx-{number}/rps_cpus").into(),
                value: kept(cpus, cx).to_mask(),
                compare: Compare::CpuMask,
            })
            .collect();
        let default = rps.default_mask.as_ref().map(|cpus| Artifact::Kernel {
            path: DEFAULT.into(),
            value: kept(cpus, cx).to_mask(),
            compare: Compare::CpuMask,
        });
        let wanted = [
            (
                &DOCS[0],
                queues,
                "/sys/class/net",
                "no receive queue with rps_cpus is to be seen",
            ),
            (
                &DOCS[1],
                Vec::from_iter(default),
                DEFAULT,
                "this kernel has no rps_default_mask",
            ),
        ];
        for (doc, values, file, reason) in wanted {
            let unread =
                doc.id == DOCS[0].id && rps.queues.values().any(|queues| !queues.is_empty());
            if values.is_empty() && !unread {
                desired.skipped.push(absent(doc.id, file, reason, cx));
                continue;
            }
            let mut artifacts = crate::irq::service(cx).artifacts(cx);
            artifacts.extend(values);
            desired.settings.push(Setting {
                id: doc.id.to_owned(),
                desired: format!("none of {}", cx.cpus.isolated),
                when: When::Now,
                doc,
                note: None,
                artifacts,
            });
        }
        desired
    }

    fn prove(&self, setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Result<Proofs> {
        let now = if setting.id == DOCS[1].id {
            match &cx.host.rps.default_mask {
                Some(cpus) => Proof::of(spares(cpus, cx), shown(cpus)),
                None => Proof::Unknown(format!("{DEFAULT} cannot be read")),
            }
        } else {
            queues_now(cx)
        };
        Ok(Proofs {
            saved: crate::irq::service(cx).saved(cx, reader),
            effect: now.clone(),
            live: now,
            fix: None,
        })
    }
}

/// A setting whose file this host does not have; where it is there and cannot be read, nothing is known of it.
pub(crate) fn absent(id: &str, file: &str, reason: &str, cx: &Context<'_>) -> Skipped {
    let unread = cx.host.unread.iter().find(|entry| entry.contains(file));
    match unread {
        None => Skipped::not_applicable(id, reason),
        Some(why) => Skipped::unknown(id, why),
    }
}

/// What is left of a steering mask.
fn kept(cpus: &CpuSet, cx: &Context<'_>) -> CpuSet {
    cpus.difference(&cx.cpus.isolated)
}

fn spares(cpus: &CpuSet, cx: &Context<'_>) -> bool {
    cpus.intersection(&cx.cpus.isolated).is_empty()
}

fn shown(cpus: &CpuSet) -> String {
    if cpus.is_empty() {
        "none".to_owned()
    } else {
        cpus.to_string()
    }
}

/// Whether all queues spare the isolated CPUs, or which of them do not: "2 queues steer to CPUs 2-7 (eth0 rx-0, ...)".
fn queues_now(cx: &Context<'_>) -> Proof {
    const SHOWN: usize = 3;
    let mut strays: Vec<String> = Vec::new();
    let mut unread = None;
    let mut reached = CpuSet::new();
    let mut used = CpuSet::new();
    for (port, queues) in &cx.host.rps.queues {
        for (number, cpus) in queues {
            let Some(cpus) = cpus else {
                unread.get_or_insert_with(|| {
                    format!("rps_cpus of {port} rx-{number} cannot be read")
                });
                continue;
            };
            used = used.union(cpus);
            if !spares(cpus, cx) {
                strays.push(format!("{port} rx-{number}"));
                reached = reached.union(&cpus.intersection(&cx.cpus.isolated));
            }
        }
    }
    if strays.is_empty() {
        return unread.map_or_else(|| Proof::Holds(shown(&used)), Proof::Unknown);
    }
    let more = if strays.len() > SHOWN { ", ..." } else { "" };
    let queues = match strays.len() {
        1 => "1 queue steers".to_owned(),
        n => format!("{n} queues steer"),
    };
    strays.truncate(SHOWN);
    Proof::Differs(format!(
        "{queues} to CPUs {reached} ({}{more})",
        strays.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hftune_model::host::Host;
    use hftune_model::profile::Profile;

    use crate::test_tree::{tree, with_split};

    use hftune_model::finding::Verdict;

    use super::*;

    fn with<R>(
        queues: &[(&str, u32, Option<&str>)],
        default: Option<&str>,
        check: impl FnOnce(&Context<'_>) -> R,
    ) -> R {
        let mut profile = Profile::default();
        profile.rps.housekeeping = true;
        let mut host = Host::default();
        host.rps.default_mask = default.map(|list| list.parse().unwrap());
        for (port, number, cpus) in queues {
            let port: &mut BTreeMap<_, _> = host.rps.queues.entry((*port).to_owned()).or_default();
            port.insert(
                *number,
                cpus.map(|list| CpuSet::parse_list(list, None).unwrap()),
            );
        }
        with_split(&host, &profile, ("0-1", "2-7"), check)
    }

    fn masks(cx: &Context<'_>) -> Vec<(String, String)> {
        let settings = Rps.desire(cx).settings;
        let artifacts = settings.iter().flat_map(|setting| &setting.artifacts);
        artifacts
            .filter_map(|artifact| match artifact {
                Artifact::Kernel { path, value, .. } => {
                    Some((path.display().to_string(), value.clone()))
                }
                _ => None,
            })
            .collect()
    }

    fn live(cx: &Context<'_>, setting: usize) -> Proof {
        let (_dir, root) = tree(&[]);
        let setting = &Rps.desire(cx).settings[setting];
        Rps.prove(setting, cx, &Reader::new(&root)).unwrap().live
    }

    #[test]
    fn takes_the_isolated_cpus_out_and_leaves_the_others() {
        let queues = [
            ("eth0", 0, Some("0-3")),
            ("eth0", 1, Some("2-7")),
            ("lo", 0, Some("")),
        ];
        with(&queues, Some("4"), |cx| {
            let file = |queue: &str| format!("/sys/class/net/{queue}/rps_cpus");
            assert_eq!(
                masks(cx),
                [
                    (file("eth0/queues/rx-0"), "3".to_owned()),
                    (file("eth0/queues/rx-1"), "0".to_owned()),
                    (file("lo/queues/rx-0"), "0".to_owned()),
                    (DEFAULT.to_owned(), "0".to_owned()),
                ]
            );
            assert_eq!(
                live(cx, 0),
                Proof::Differs("2 queues steer to CPUs 2-7 (eth0 rx-0, eth0 rx-1)".to_owned())
            );
            assert_eq!(live(cx, 1), Proof::Differs("4".to_owned()));
        });
    }

    #[test]
    fn holds_where_none_is_steered_to_an_isolated_cpu_and_needs_the_files() {
        with(
            &[("eth0", 0, Some("1")), ("lo", 0, Some(""))],
            Some(""),
            |cx| {
                assert_eq!(live(cx, 0), Proof::Holds("1".to_owned()));
                assert_eq!(live(cx, 1), Proof::Holds("none".to_owned()));
            },
        );
        with(&[("eth0", 0, None)], None, |cx| {
            assert!(matches!(live(cx, 0), Proof::Unknown(_)));
            assert_eq!(Rps.desire(cx).skipped[0].id, "rps/default");
        });
        with(&[], None, |cx| {
            let verdicts = |host: &Host| {
                let cx = Context { host, ..*cx };
                let skipped = Rps.desire(&cx).skipped;
                skipped
                    .into_iter()
                    .map(|skipped| skipped.verdict)
                    .collect::<Vec<_>>()
            };
            assert_eq!(verdicts(cx.host), [Verdict::NotApplicable; 2]);
            let mut host = cx.host.clone();
            host.unread = vec![format!("{DEFAULT}: expected a mask")];
            assert_eq!(verdicts(&host), [Verdict::NotApplicable, Verdict::Unknown]);
        });
    }
}
