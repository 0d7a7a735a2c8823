//! Device interrupts: every movable IRQ, and the default for new ones, on the housekeeping CPUs.

mod managed;
mod map;
mod names;
#[cfg(test)]
mod tests;

use hftune_model::finding::{Proof, Proofs, Skipped};
use hftune_model::host::{Host, Irq as Line};
use hftune_model::setting::{Artifact, Compare, Doc, Setting, When};
use hftune_model::{CpuSet, Result};
use hftune_sys::Reader;

use crate::unit::{HEADER, Run, Service, escape};
use crate::{Context, Desired, Domain, boot};

pub use map::map;
use names::named;

/// The one instance.
#[derive(Debug)]
pub struct Irq;

const DEFAULT: &str = "/proc/irq/default_smp_affinity";
const SCRIPT: &str = "/usr/local/bin/set-irq-affinity.sh";
const UDEV_RULES: &str = "/etc/udev/rules.d/99-hft.rules";

/// What the unit applies at boot and after every change of the devices.
const LIVE: &str = "live irq threads rps workqueue kernel";

/// Moves interrupts and kernel threads at boot, once the ports are up as far as the network's manager waits for them.
pub(crate) const SERVICE: Service<'static> = Service {
    name: "irq-affinity.service",
    description: "Interrupts and kernel threads on the housekeeping CPUs",
    order: &[
        // Many drivers ask for their interrupts when their port is brought up; After= alone pulls nothing in.
        "Wants=network-online.target",
        "After=network.target network-online.target systemd-modules-load.service irqbalance.service",
        "Conflicts=irqbalance.service",
        // udev restarts it with every device that appears; there may be many at once.
        "StartLimitIntervalSec=0",
    ],
    command: LIVE,
    run: Run::Once { then: None },
    wanted_by: "multi-user.target",
};

/// The same beside an irqbalance that the profile leaves running, which a conflict would stop.
const BESIDE_IRQBALANCE: Service<'static> = Service {
    order: &[SERVICE.order[0], SERVICE.order[1], SERVICE.order[3]],
    ..SERVICE
};

/// The unit for this profile.
pub(crate) fn service(cx: &Context<'_>) -> Service<'static> {
    let off = &cx.profile.services.off;
    if off.iter().any(|unit| unit == "irqbalance.service") {
        SERVICE
    } else {
        BESIDE_IRQBALANCE
    }
}

const DOCS: &[Doc] = &[
    Doc {
        id: "irq/default",
        what: "The CPUs that interrupts get which are requested later.",
        why: "A driver that is loaded, or a queue that is built, after setup must not fire on an isolated CPU.",
        trade_off: "Drivers that ask for an affinity of their own do not look at it; irq/NAME finds those.",
        read: "saved: irq-affinity.service (and boot/irqaffinity); live and effect: /proc/irq/default_smp_affinity.",
        source: "Linux Documentation/core-api/irq/irq-affinity.rst",
    },
    Doc {
        id: "irq/NAME",
        what: "Where the interrupt of one device queue fires.",
        why: "An interrupt costs the interrupted thread microseconds, and evicts what it had in its cache.",
        trade_off: "With kernel sockets the packet crosses from a housekeeping CPU to the application's; with kernel \
                    bypass nothing is lost. Interrupts that the kernel manages itself (queues of NVMe drives and of many \
                    storage adapters) cannot be moved: isolcpus=managed_irq keeps them off, but for queues all of \
                    whose CPUs are isolated, which fire only when the application does I/O. udev starts the unit again \
                    when a driver is bound, a port appears, or a port gets another number of queues. A driver that asks \
                    for its interrupts anew with as many queues as before (a reset, another ring size, a port that is \
                    brought up later) raises no event; \
                    most keep their affinity then, verify finds those that do not, and hftune irq apply moves them.",
        read: "NAME is what the driver calls the queue; the PCI address, then the place in the device, tell equal names \
               apart. saved: irq-affinity.service; live: /proc/irq/N/smp_affinity_list; effect: \
               /proc/irq/N/effective_affinity_list. The kernel may move an interrupt only when it next fires: one that \
               is not there yet is looked at twice, and is wrong where it fired in between.",
        source: "Linux Documentation/core-api/irq/irq-affinity.rst; kernel/irq/manage.c; kernel/irq/proc.c; \
                 lib/group_cpus.c; net/core/net-sysfs.c",
    },
    Doc {
        id: "irq/isolated-at-boot",
        what: "How many interrupts fire on the CPUs that the running kernel was booted to isolate, where those are not \
               the CPUs of the plan.",
        why: "isolcpus= in the boot arguments keeps no ordinary interrupt away: a machine can look isolated and be \
              interrupted on every CPU.",
        trade_off: "None: it is a finding, and goes away with the reboot into the plan's own CPUs.",
        read: "saved: irq-affinity.service; live and effect: every /proc/irq/N/effective_affinity_list, managed \
               interrupts too, against isolcpus= (else nohz_full=) in /proc/cmdline.",
        source: "Linux Documentation/admin-guide/kernel-parameters.txt; kernel/sched/isolation.c",
    },
];

impl Domain for Irq {
    fn name(&self) -> &'static str {
        "irq"
    }

    fn docs(&self) -> &'static [Doc] {
        DOCS
    }

    fn desire(&self, cx: &Context<'_>) -> Desired {
        let mut desired = Desired::default();
        if !cx.profile.irq.housekeeping {
            return desired;
        }
        if cx.cpus.isolated.is_empty() {
            desired.skipped.push(Skipped::not_applicable(
                "irq/default",
                "no CPU is isolated, so interrupts may fire anywhere",
            ));
            return desired;
        }
        let housekeeping = cx.cpus.housekeeping.to_string();
        // What all share hangs on this one setting, since there may be thousands of the others; it is there whenever one of
        // them is.
        let mut artifacts = vec![Artifact::Kernel {
            path: DEFAULT.into(),
            value: cx.cpus.housekeeping.to_mask(),
            compare: Compare::CpuMask,
        }];
        artifacts.extend(shared(cx));
        desired.settings.push(Setting {
            id: "irq/default".to_owned(),
            desired: housekeeping.clone(),
            when: When::Now,
            doc: &DOCS[0],
            note: None,
            artifacts,
        });
        desired.settings.extend(isolated_at_boot(cx));
        for (id, line) in named(cx.host) {
            if let Some(skipped) = immovable(&id, line, cx) {
                desired.skipped.push(skipped);
                continue;
            }
            desired.settings.push(Setting {
                id,
                desired: housekeeping.clone(),
                when: When::Now,
                doc: &DOCS[1],
                note: None,
                artifacts: vec![Artifact::Kernel {
                    path: format!("/proc/irq/{}/smp_affinity_list", line.number).into(),
                    value: housekeeping.clone(),
                    compare: Compare::CpusWithin,
                }],
            });
        }
        desired
    }

    fn prove(&self, setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Result<Proofs> {
        let saved = service(cx).saved(cx, reader);
        let same = |saved, now: Proof| Proofs {
            saved,
            effect: now.clone(),
            live: now,
            fix: None,
        };
        if setting.id == "irq/default" {
            let now = match &cx.host.irqs.default_affinity {
                Some(set) => Proof::of(*set == cx.cpus.housekeeping, set.to_string()),
                None => Proof::Unknown(format!("{DEFAULT} cannot be read")),
            };
            return Ok(same(saved, now));
        }
        if setting.doc.id == DOCS[2].id
            && let Some((_, booted)) = booted_isolated(cx)
        {
            return Ok(same(saved, fire_on(cx.host, &booted)));
        }
        let Some(irq) = line_of(setting, cx.host) else {
            return Ok(same(
                saved,
                Proof::Unknown("the interrupt is gone".to_owned()),
            ));
        };
        let (live, effect, fix) = judged(irq, cx);
        Ok(Proofs {
            saved,
            live,
            effect,
            fix,
        })
    }
}

/// What every interrupt needs besides its own value.
fn shared(cx: &Context<'_>) -> Vec<Artifact> {
    let mut shared = service(cx).artifacts(cx);
    shared.push(Artifact::File {
        path: SCRIPT.into(),
        content: script(cx),
        mode: 0o755,
    });
    shared.push(Artifact::File {
        path: UDEV_RULES.into(),
        content: udev_rules(),
        mode: 0o644,
    });
    shared
}

/// Whether an interrupt was asked to fire on the CPUs that serve the OS, whether it does, and the remedy where it is another
/// than `hftune setup`.
pub(crate) fn judged(irq: &Line, cx: &Context<'_>) -> (Proof, Proof, Option<String>) {
    let live = within(irq, irq.requested.as_ref(), "smp_affinity_list", cx);
    let effect = within(irq, irq.effective.as_ref(), "effective_affinity_list", cx);
    let (effect, fix) = match (&live, effect) {
        (Proof::Holds(_), Proof::Differs(value)) => not_moved(irq, value, cx),
        (_, effect) => (effect, None),
    };
    (live, effect, fix)
}

/// Whether somebody can move an interrupt.
pub(crate) fn is_movable(irq: &Line) -> bool {
    !is_bound(irq) && !managed::is_managed(irq)
}

/// Whether the CPUs in one of an interrupt's files serve the OS.
fn within(irq: &Line, set: Option<&CpuSet>, file: &str, cx: &Context<'_>) -> Proof {
    match set {
        Some(set) if !set.is_empty() => {
            Proof::of(set.is_subset(&cx.cpus.housekeeping), set.to_string())
        }
        Some(_) => Proof::None(format!("{file} is empty: the interrupt is not in use")),
        None => Proof::Unknown(format!("/proc/irq/{}/{file} cannot be read", irq.number)),
    }
}

/// What it means that an interrupt was asked to move and has not: an interrupt moves when it next fires
/// (Documentation/core-api/irq/irq-affinity.rst), so that the counts tell.
fn not_moved(irq: &Line, on: String, cx: &Context<'_>) -> (Proof, Option<String>) {
    let housekeeping = &cx.cpus.housekeeping;
    // After a boot with irqaffinity= a reboot changes nothing more.
    let at_boot = cx.host.kernel.cmdline.contains("irqaffinity=");
    match irq.fired_since {
        Some(fired) if fired > 0 => (
            Proof::Differs(format!(
                "{on}, where it fired {fired} times while hftune looked, although {housekeeping} was asked for"
            )),
            None,
        ),
        _ if irq.count == 0 && at_boot => (
            Proof::None(format!(
                "it has not fired since boot; its first interrupt moves it from {on} to {housekeeping}"
            )),
            None,
        ),
        Some(_) => {
            let why = format!(
                "asked for {housekeeping}; the kernel moves it from {on} when it next fires, and it did not while hftune looked"
            );
            let look = "see with hftune irq show whether it fires";
            (Proof::Pending(on, why), at_boot.then(|| look.to_owned()))
        }
        None if at_boot => (Proof::Differs(on), None),
        None => {
            let why = format!(
                "asked for {housekeeping}; the kernel moves it from {on} when it next fires, at the latest with a reboot"
            );
            (Proof::Pending(on, why), None)
        }
    }
}

/// The CPUs that the running kernel was booted to isolate, and the argument that says so.
fn booted_isolated(cx: &Context<'_>) -> Option<(String, CpuSet)> {
    ["isolcpus", "nohz_full"]
        .iter()
        .find_map(|name| boot::cpus_of(&cx.host.kernel.cmdline, name))
        .map(|(word, cpus)| {
            let present = &cx.host.cpus.present;
            // "2-N" names more CPUs than there are.
            let there = present.is_empty() || cpus.list.is_subset(present);
            let list = if there {
                cpus.list
            } else {
                cpus.list.intersection(present)
            };
            (word, list)
        })
        .filter(|(_, cpus)| !cpus.is_empty())
}

/// A setting of its own only where the plan isolates other CPUs: else the settings of the interrupts say it.
fn isolated_at_boot(cx: &Context<'_>) -> Option<Setting> {
    let (_, booted) = booted_isolated(cx).filter(|(_, booted)| *booted != cx.cpus.isolated)?;
    Some(Setting {
        id: DOCS[2].id.to_owned(),
        desired: format!("none on CPUs {booted}"),
        when: When::Reboot,
        doc: &DOCS[2],
        note: None,
        artifacts: Vec::new(),
    })
}

/// How many interrupts fire on these CPUs.
fn fire_on(host: &Host, cpus: &CpuSet) -> Proof {
    let (there, known) = count_on(host, cpus);
    if known == 0 {
        return Proof::Unknown("no effective_affinity_list can be read".to_owned());
    }
    Proof::of(
        there == 0,
        format!("{there} of {} fire on CPUs {cpus}", host.irqs.list.len()),
    )
}

/// How many interrupts fire on these CPUs, and of how many it is known where they fire.
fn count_on(host: &Host, cpus: &CpuSet) -> (usize, usize) {
    let known = host
        .irqs
        .list
        .iter()
        .filter_map(|irq| irq.effective.as_ref());
    known.fold((0, 0), |(there, known), fires| {
        let on = !fires.intersection(cpus).is_empty();
        (there + usize::from(on), known + 1)
    })
}

/// The interrupt that a setting was made for, by the number in its artifact: the list is in rising order.
fn line_of<'h>(setting: &Setting, host: &'h Host) -> Option<&'h Line> {
    let number: u32 = setting
        .artifacts
        .iter()
        .find_map(|artifact| match artifact {
            Artifact::Kernel { path, .. } => path
                .strip_prefix("/proc/irq")
                .ok()?
                .parent()?
                .to_str()?
                .parse()
                .ok(),
            _ => None,
        })?;
    let list = &host.irqs.list;
    list.binary_search_by_key(&number, |line| line.number)
        .ok()
        .map(|at| &list[at])
}

/// Why an interrupt cannot be moved by anybody.
fn immovable(id: &str, line: &Line, cx: &Context<'_>) -> Option<Skipped> {
    if is_bound(line) {
        return Some(Skipped::not_applicable(
            id,
            "the kernel binds it to its CPU",
        ));
    }
    managed::is_managed(line).then(|| managed::told(id.to_owned(), line, cx))
}

/// Whether the kernel binds an interrupt to its CPU.
fn is_bound(line: &Line) -> bool {
    // The timer (0) and the cascade (2) of the PC are wired to the boot CPU (arch/x86/kernel/time.c sets IRQF_NOBALANCING).
    let wired = line.chip.contains("IO-APIC") && matches!(line.number, 0 | 2);
    let per_cpu = line.chip.starts_with("GICv") && line.number < 32;
    line.fixed || wired || per_cpu
}

/// The command that operators know, under its old name.
fn script(cx: &Context<'_>) -> String {
    format!(
        "#!/bin/sh\n{HEADER}exec {} irq apply \"$@\"\n",
        cx.binary.display()
    )
}

/// Interrupts of devices that appear later are moved when their driver is bound or their port appears, and those of a port
/// that gets another number of queues (`ethtool -L`) when these come or go: the kernel raises events for each of them
/// (`rx_queue_add_kobject()` in net/core/net-sysfs.c), as it does not for the port.
fn udev_rules() -> String {
    let restart = format!(
        "RUN+=\"/bin/systemctl --no-block try-restart {}\"",
        escape(SERVICE.name)
    );
    format!(
        "{HEADER}\
         ACTION==\"bind\", SUBSYSTEM==\"pci\", {restart}\n\
         ACTION==\"add\", SUBSYSTEM==\"net\", {restart}\n\
         ACTION==\"add|remove\", SUBSYSTEM==\"queues\", KERNEL==\"rx-*\", DEVPATH!=\"/devices/virtual/*\", {restart}\n"
    )
}
