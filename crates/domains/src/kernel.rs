//! What the kernel does by itself, time and again, on every CPU: looks for corrected memory errors, merges pages, and gives
//! ordinary threads their share beside a real-time one.

use std::path::Path;

use hftune_model::Result;
use hftune_model::finding::{Proof, Proofs, Skipped};
use hftune_model::setting::{Artifact, Compare, Doc, Setting, When};
use hftune_sys::Reader;

use crate::{Context, Desired, Domain, rps};

/// The one instance.
#[derive(Debug)]
pub struct Kernel;

const KSM: &str = "/sys/kernel/mm/ksm/run";
const FAIR_SERVER: &str = "/sys/kernel/debug/sched/fair_server";
const MACHINE_CHECK: &str = "/sys/devices/system/machinecheck";

/// Ordinary threads got a server of their own with this version (kernel/sched/deadline.c).
const FAIR_SERVER_SINCE: (u32, u32) = (6, 12);

const DOCS: &[Doc] = &[
    Doc {
        id: "kernel/check_interval",
        what: "How many seconds lie between two looks for corrected machine check errors, on every CPU; 0 looks no more.",
        why: "A timer on each CPU, isolated ones too, polls the banks of the machine check architecture every 300 s. It is the \
              last timer of a CPU without a tick, and where the hardware's timer cannot count so far, it fires in between for \
              nothing.",
        trade_off: "Corrected errors, which announce a failing memory module, are then told only where the CPU raises an \
                    interrupt for them (CMCI on Intel), or where the firmware does. Uncorrected errors still raise an exception.",
        read: "saved: irq-affinity.service; live and effect: /sys/devices/system/machinecheck/machinecheckN/check_interval, one \
               value for all CPUs; the kernel ends or starts the timers when it is written.",
        source: "Linux Documentation/arch/x86/x86_64/machinecheck.rst; arch/x86/kernel/cpu/mce/core.c (mce_start_timer, \
                 store_int_with_restart)",
    },
    Doc {
        id: "kernel/ksm_run",
        what: "Whether the kernel looks for equal pages and merges them: 0 not, 1 yes, 2 not and takes the merged ones apart.",
        why: "Merging changes page tables of running programs, interrupts the CPUs that they run on, and makes the next write to \
              such a page fault.",
        trade_off: "Virtual machines and programs that ask for it (MADV_MERGEABLE) need more memory. 0 leaves pages merged \
                    that are.",
        read: "saved: irq-affinity.service; live and effect: /sys/kernel/mm/ksm/run.",
        source: "Linux Documentation/admin-guide/mm/ksm.rst",
    },
    Doc {
        id: "kernel/fair_server_runtime",
        what: "The nanoseconds of each second that ordinary threads get on an isolated CPU where a real-time thread never \
               sleeps; 0 gives them nothing.",
        why: "Since Linux 6.12 it is this server, and no longer sysctl/kernel.sched_rt_runtime_us, that takes a CPU from a real-time \
              thread: 50 ms in a second as soon as one ordinary thread waits there, and it starts the tick. Its timer interrupts \
              each busy CPU once a second whatever runs there.",
        trade_off: "An ordinary thread that waits on that CPU, kernel threads that are bound to it among them, waits until the \
                    real-time thread sleeps: what waits for it in turn hangs. Let a real-time thread that spins sleep now and then, or \
                    leave this alone.",
        read: "saved: irq-affinity.service; live and effect: /sys/kernel/debug/sched/fair_server/cpuN/runtime of every isolated \
               CPU. debugfs is for root alone, and closed where the kernel is locked down, as it is with Secure Boot.",
        source: "kernel/sched/debug.c (sched_fair_server_write); kernel/sched/deadline.c (dl_server)",
    },
];

impl Domain for Kernel {
    fn name(&self) -> &'static str {
        "kernel"
    }

    fn docs(&self) -> &'static [Doc] {
        DOCS
    }

    fn desire(&self, cx: &Context<'_>) -> Desired {
        let mut desired = Desired::default();
        for doc in DOCS {
            let Some(value) = wanted(doc, cx) else {
                continue;
            };
            let files = files(doc, cx);
            if files.is_empty() {
                desired.skipped.push(absent(doc, cx));
                continue;
            }
            let mut artifacts = crate::irq::service(cx).artifacts(cx);
            artifacts.extend(files.into_iter().map(|path| Artifact::Kernel {
                path: path.into(),
                value: value.clone(),
                compare: Compare::Words,
            }));
            desired.settings.push(Setting {
                id: doc.id.to_owned(),
                desired: value,
                when: When::Now,
                doc,
                note: None,
                artifacts,
            });
        }
        desired
    }

    fn prove(&self, setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Result<Proofs> {
        let files = setting
            .artifacts
            .iter()
            .filter_map(|artifact| match artifact {
                Artifact::Kernel { path, .. } => Some(path.as_path()),
                _ => None,
            });
        let live = held(files, &setting.desired, reader);
        Ok(Proofs {
            saved: crate::irq::service(cx).saved(cx, reader),
            effect: live.clone(),
            live,
            fix: None,
        })
    }
}

/// The value that the profile wants, as text; `None` keeps the host's own, and without isolated CPUs nothing is wanted.
fn wanted(doc: &Doc, cx: &Context<'_>) -> Option<String> {
    let profile = &cx.profile.kernel;
    let value = match doc.id {
        "kernel/check_interval" => profile.check_interval,
        "kernel/ksm_run" => profile.ksm_run,
        _ => profile.fair_server_runtime,
    };
    (value >= 0 && !cx.cpus.isolated.is_empty()).then(|| value.to_string())
}

/// The files of a setting that this host has and that can be written.
fn files(doc: &Doc, cx: &Context<'_>) -> Vec<String> {
    let work = &cx.host.kernel_work;
    match doc.id {
        "kernel/check_interval" => work
            .machine_check
            .iter()
            .map(|device| format!("{MACHINE_CHECK}/{device}/check_interval"))
            .collect(),
        "kernel/ksm_run" if work.ksm => vec![KSM.to_owned()],
        "kernel/ksm_run" => Vec::new(),
        _ if locked_down(cx) => Vec::new(),
        _ => work
            .fair_servers
            .intersection(&cx.cpus.isolated)
            .iter()
            .map(|cpu| format!("{FAIR_SERVER}/cpu{cpu}/runtime"))
            .collect(),
    }
}

/// Why a setting has no file here.
fn absent(doc: &Doc, cx: &Context<'_>) -> Skipped {
    let kernel = &cx.host.kernel;
    match doc.id {
        "kernel/check_interval" => rps::absent(
            doc.id,
            MACHINE_CHECK,
            "this machine has no machine checks that the kernel polls for",
            cx,
        ),
        "kernel/ksm_run" => rps::absent(doc.id, KSM, "this kernel is built without KSM", cx),
        _ => match kernel.version() {
            None => Skipped::not_applicable(doc.id, "no kernel runs here"),
            Some(version) if version < FAIR_SERVER_SINCE => Skipped::not_applicable(
                doc.id,
                "this kernel has no server for ordinary threads: it came with Linux 6.12",
            ),
            Some(_) if locked_down(cx) => Skipped::not_applicable(
                doc.id,
                "the kernel is locked down (Secure Boot), which closes debugfs: the server stays, and with it an interrupt or \
                 two in a second on each busy CPU",
            ),
            Some(_) => Skipped::unknown(
                doc.id,
                format!(
                    "{FAIR_SERVER} is not to be seen: debugfs is for root, and is mounted by sys-kernel-debug.mount"
                ),
            ),
        },
    }
}

/// Whether the kernel is locked down, as with Secure Boot: debugfs is closed then, and only the owner of the machine may open it.
fn locked_down(cx: &Context<'_>) -> bool {
    let lockdown = cx.host.kernel.lockdown.as_deref();
    lockdown.is_some_and(|mode| mode != "none")
}

/// Whether all these files hold a value.
fn held<'a>(files: impl Iterator<Item = &'a Path>, value: &str, reader: &Reader<'_>) -> Proof {
    let mut others = Vec::new();
    for path in files {
        match reader.value(path) {
            Ok(Some(text)) if text == value => {}
            Ok(Some(text)) => others.push(format!("{} is {text}", path.display())),
            Ok(None) => return Proof::Unknown(format!("{} is empty", path.display())),
            Err(e) => return Proof::Unknown(e.to_string()),
        }
    }
    match others.as_slice() {
        [] => Proof::Holds(value.to_owned()),
        [one] => Proof::Differs(one.clone()),
        [first, rest @ ..] => Proof::Differs(format!("{first}, and {} more", rest.len())),
    }
}

#[cfg(test)]
mod tests {
    use hftune_model::CpuSet;
    use hftune_model::finding::Verdict;
    use hftune_model::host::Host;
    use hftune_model::profile::Profile;

    use crate::test_tree::{tree, with_split};

    use super::*;

    fn host(release: &str) -> Host {
        let mut host = Host::default();
        host.kernel.release = release.to_owned();
        host.kernel_work.machine_check = Some("machinecheck1".to_owned());
        host.kernel_work.ksm = true;
        host
    }

    fn all_off() -> Profile {
        let mut profile = Profile::default();
        profile.kernel.check_interval = 0;
        profile.kernel.ksm_run = 0;
        profile.kernel.fair_server_runtime = 0;
        profile
    }

    #[test]
    fn the_fair_server_is_asked_on_isolated_cpus_only() {
        let mut host = host("6.12.3");
        host.kernel_work.fair_servers = CpuSet::parse_list("0-7", None).unwrap();
        with_split(&host, &all_off(), ("0-5", "6-7"), |cx| {
            let desired = Kernel.desire(cx);
            assert!(desired.skipped.is_empty(), "{:?}", desired.skipped);
            let fair = desired.settings.last().unwrap();
            let (_dir, root) = tree(&[
                ("/sys/kernel/debug/sched/fair_server/cpu6/runtime", "0\n"),
                (
                    "/sys/kernel/debug/sched/fair_server/cpu7/runtime",
                    "50000000\n",
                ),
            ]);
            let proofs = Kernel.prove(fair, cx, &Reader::new(&root)).unwrap();
            assert_eq!(
                proofs.live,
                Proof::Differs(format!("{FAIR_SERVER}/cpu7/runtime is 50000000"))
            );
        });
    }

    #[test]
    fn what_is_not_there_is_never_a_pass() {
        with_split(&host("6.1.0-32-amd64"), &all_off(), ("0-1", "2-7"), |cx| {
            let desired = Kernel.desire(cx);
            assert_eq!(desired.skipped[0].verdict, Verdict::NotApplicable);
            let (_dir, root) = tree(&[]);
            for setting in &desired.settings {
                let proofs = Kernel.prove(setting, cx, &Reader::new(&root)).unwrap();
                assert!(matches!(proofs.live, Proof::Unknown(_)), "{}", setting.id);
            }
        });
        // Since 6.12 every kernel has them: that none is seen is no proof that there is none.
        let mut host = host("6.12.3");
        with_split(&host, &all_off(), ("0-1", "2-7"), |cx| {
            assert_eq!(Kernel.desire(cx).skipped[0].verdict, Verdict::Unknown);
        });
        host.kernel_work.fair_servers = CpuSet::parse_list("0-7", None).unwrap();
        host.kernel.lockdown = Some("integrity".to_owned());
        with_split(&host, &all_off(), ("0-1", "2-7"), |cx| {
            let skipped = &Kernel.desire(cx).skipped[0];
            assert_eq!(skipped.verdict, Verdict::NotApplicable);
            assert!(skipped.reason.contains("locked down"), "{skipped:?}");
        });
    }

    #[test]
    fn nothing_is_wanted_where_the_profile_keeps() {
        with_split(&host("6.12.3"), &Profile::default(), ("0-1", "2-7"), |cx| {
            assert_eq!(Kernel.desire(cx), Desired::default());
        });
    }
}
