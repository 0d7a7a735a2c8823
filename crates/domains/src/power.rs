//! Clock frequency and idle states: governor, else energy bias, else not applicable; no deep idle on isolated CPUs.

use hftune_model::finding::{Proof, Proofs, Skipped};
use hftune_model::setting::{Artifact, Compare, Doc, Setting, When};
use hftune_model::{CpuSet, Result};
use hftune_sys::Reader;

use crate::unit::{Run, Service};
use crate::{Context, Desired, Domain};

/// The one instance.
#[derive(Debug)]
pub struct Power;

const CPUS: &str = "/sys/devices/system/cpu";

/// Sets governor and idle states at boot, after cpufreq modules are loaded.
pub const SERVICE: Service<'static> = Service {
    name: "cpu-performance.service",
    description: "CPU frequency governor and idle states as the hftune profile wants them",
    order: &["After=systemd-modules-load.service systemd-udev-trigger.service"],
    command: "live power",
    run: Run::Once { then: None },
    wanted_by: "multi-user.target",
};

const DOCS: &[Doc] = &[
    Doc {
        id: "power/governor",
        what: "The cpufreq governor of a CPU.",
        why: "Any other governor lowers the clock of a CPU that seems idle, and raises it only after work has come.",
        trade_off: "More power and heat; with Turbo, a hot package may clock the busy cores lower.",
        read: "saved: cpu-performance.service; live and effect: cpuN/cpufreq/scaling_governor of every CPU.",
        source: "Linux Documentation/admin-guide/pm/cpufreq.rst",
    },
    Doc {
        id: "power/energy_bias",
        what: "The hint to the processor between performance (0) and saving power (15).",
        why: "Where no cpufreq driver exists, the processor's firmware still looks at this hint.",
        trade_off: "More power.",
        read: "saved: cpu-performance.service; live and effect: cpuN/power/energy_perf_bias of every CPU.",
        source: "Linux Documentation/admin-guide/pm/intel_epb.rst",
    },
    Doc {
        id: "power/idle",
        what: "Idle states with a long way back, off on the isolated CPUs.",
        why: "Leaving C6 takes tens to hundreds of microseconds. intel_idle.max_cstate=0 does not turn it off: another \
              driver takes over, and processor.max_cstate=0 is read as 1.",
        trade_off: "More power and heat, so the busy cores may have less Turbo.",
        read: "saved: cpu-performance.service; live: cpuN/cpuidle/stateM/disable of every state above the allowed \
               latency; effect: the same states, by the exit latency that the driver names.",
        source: "Linux Documentation/admin-guide/pm/cpuidle.rst; drivers/cpuidle/sysfs.c",
    },
];

fn setting(
    doc: &'static Doc,
    desired: String,
    cx: &Context<'_>,
    values: impl Iterator<Item = (String, String)>,
) -> Setting {
    Setting {
        id: doc.id.to_owned(),
        desired,
        when: When::Now,
        doc,
        note: None,
        artifacts: values
            .map(|(path, value)| Artifact::Kernel {
                path: path.into(),
                value,
                compare: Compare::Words,
            })
            .chain(SERVICE.artifacts(cx))
            .collect(),
    }
}

impl Domain for Power {
    fn name(&self) -> &'static str {
        "power"
    }

    fn docs(&self) -> &'static [Doc] {
        DOCS
    }

    fn desire(&self, cx: &Context<'_>) -> Desired {
        let mut desired = Desired::default();
        let cpus = &cx.host.cpus;
        let power = &cx.profile.power;
        if power.governor != "keep" {
            if cpus.cpufreq_driver.is_some() {
                let values = cpus.online.iter().map(|cpu| {
                    (
                        format!("{CPUS}/cpu{cpu}/cpufreq/scaling_governor"),
                        power.governor.clone(),
                    )
                });
                desired
                    .settings
                    .push(setting(&DOCS[0], power.governor.clone(), cx, values));
            } else {
                let reason = if cx.host.virtualization.is_some() {
                    "no cpufreq driver: in a virtual machine the clock belongs to the hypervisor"
                } else {
                    "no cpufreq driver is loaded: the firmware keeps the clock to itself"
                };
                desired
                    .skipped
                    .push(Skipped::not_applicable("power/governor", reason));
            }
        }
        if power.energy_bias >= 0 && cpus.cpufreq_driver.is_none() {
            if cpus.flags.iter().any(|flag| flag == "epb") {
                let values = cpus.online.iter().map(|cpu| {
                    (
                        format!("{CPUS}/cpu{cpu}/power/energy_perf_bias"),
                        power.energy_bias.to_string(),
                    )
                });
                desired
                    .settings
                    .push(setting(&DOCS[1], power.energy_bias.to_string(), cx, values));
            } else {
                desired.skipped.push(Skipped::not_applicable(
                    "power/energy_bias",
                    "the processor has no energy bias (flag epb)",
                ));
            }
        }
        if power.max_idle_latency_us >= 0 {
            let deep: Vec<_> = cpus
                .idle_states
                .iter()
                .filter(|state| {
                    i64::try_from(state.latency_us).unwrap_or(i64::MAX) > power.max_idle_latency_us
                })
                .collect();
            if cpus.cpuidle_driver.is_none() || cpus.idle_states.is_empty() {
                desired.skipped.push(Skipped::not_applicable(
                    "power/idle",
                    "no cpuidle driver: the kernel chooses no idle states here",
                ));
            } else if deep.is_empty() {
                desired.skipped.push(Skipped::not_applicable(
                    "power/idle",
                    "the driver has no idle state above the allowed latency",
                ));
            } else if cx.cpus.isolated.is_empty() {
                desired
                    .skipped
                    .push(Skipped::not_applicable("power/idle", "no CPU is isolated"));
            } else {
                let names: Vec<_> = deep.iter().map(|state| state.name.as_str()).collect();
                let values = cx.cpus.isolated.iter().flat_map(|cpu| {
                    deep.iter().map(move |state| {
                        (
                            format!("{CPUS}/cpu{cpu}/cpuidle/state{}/disable", state.index),
                            "1".to_owned(),
                        )
                    })
                });
                desired.settings.push(setting(
                    &DOCS[2],
                    format!("{} off on {}", names.join(", "), cx.cpus.isolated),
                    cx,
                    values,
                ));
            }
        }
        desired
    }

    fn prove(&self, setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Result<Proofs> {
        let mut wrong = CpuSet::new();
        let mut seen = None;
        let mut unreadable = None;
        for artifact in &setting.artifacts {
            let Artifact::Kernel { path, value, .. } = artifact else {
                continue;
            };
            let cpu = cpu_of(&path.display().to_string());
            match reader.value(path) {
                Ok(Some(text)) if &text == value => {}
                Ok(Some(text)) => {
                    if let Some(cpu) = cpu {
                        wrong.insert(cpu);
                    }
                    seen.get_or_insert(text);
                }
                Ok(None) => unreadable = Some(format!("{} does not exist", path.display())),
                Err(e) => unreadable = Some(e.to_string()),
            }
        }
        let live = match (unreadable, seen) {
            (Some(why), _) => Proof::Unknown(why),
            (None, None) => Proof::Holds(setting.desired.clone()),
            (None, Some(_)) if setting.id == "power/idle" => {
                Proof::Differs(format!("still on for CPUs {wrong}"))
            }
            (None, Some(text)) => Proof::Differs(format!("{text} on CPUs {wrong}")),
        };
        Ok(Proofs {
            saved: SERVICE.saved(cx, reader),
            effect: live.clone(),
            live,
            fix: None,
        })
    }
}

/// The CPU number in `/sys/devices/system/cpu/cpuN/...`.
fn cpu_of(path: &str) -> Option<u32> {
    path.strip_prefix(CPUS)?
        .strip_prefix("/cpu")?
        .split('/')
        .next()?
        .parse()
        .ok()
}
