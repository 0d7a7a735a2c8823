//! Device interrupts: every movable IRQ, and the default for new ones, on the housekeeping CPUs.

use std::collections::BTreeMap;

use hftune_model::finding::{Proof, Proofs, Skipped};
use hftune_model::host::{Host, Irq as Line};
use hftune_model::setting::{Artifact, Compare, Doc, Setting, When};
use hftune_model::{CpuSet, Result};
use hftune_sys::Reader;

use crate::unit::{HEADER, Service, escape};
use crate::{Context, Desired, Domain};

/// The one instance.
#[derive(Debug)]
pub struct Irq;

const DEFAULT: &str = "/proc/irq/default_smp_affinity";
const SCRIPT: &str = "/usr/local/bin/set-irq-affinity.sh";
const UDEV_RULES: &str = "/etc/udev/rules.d/99-hft.rules";

/// Moves interrupts and kernel threads at boot, after the network's drivers asked for their interrupts.
pub const SERVICE: Service = Service {
    name: "irq-affinity.service",
    description: "Interrupts and kernel threads on the housekeeping CPUs",
    order: &[
        "After=network.target network-online.target systemd-modules-load.service irqbalance.service",
        "Conflicts=irqbalance.service",
        // udev restarts it with every device that appears; there may be many at once.
        "StartLimitIntervalSec=0",
    ],
    live: "irq threads",
    wanted_by: "multi-user.target",
};

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
                    bypass nothing is lost.",
        read: "saved: irq-affinity.service; live: /proc/irq/N/smp_affinity_list; effect: \
               /proc/irq/N/effective_affinity_list. The kernel may move an interrupt only when it next fires.",
        source: "Linux Documentation/core-api/irq/irq-affinity.rst; kernel/irq/manage.c",
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
        let housekeeping = &cx.cpus.housekeeping;
        let mut shared = SERVICE.artifacts(cx);
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
        let mut artifacts = vec![Artifact::Kernel {
            path: DEFAULT.into(),
            value: housekeeping.to_mask(),
            compare: Compare::CpuMask,
        }];
        artifacts.extend(shared.iter().cloned());
        desired.settings.push(Setting {
            id: "irq/default".to_owned(),
            desired: housekeeping.to_string(),
            when: When::Now,
            doc: &DOCS[0],
            note: None,
            artifacts,
        });
        for (id, line) in named(cx.host) {
            if let Some(reason) = immovable(line) {
                desired.skipped.push(Skipped::not_applicable(id, reason));
                continue;
            }
            desired.settings.push(Setting {
                id,
                desired: housekeeping.to_string(),
                when: When::Now,
                doc: &DOCS[1],
                note: None,
                artifacts: std::iter::once(Artifact::Kernel {
                    path: format!("/proc/irq/{}/smp_affinity_list", line.number).into(),
                    value: housekeeping.to_string(),
                    compare: Compare::CpusWithin,
                })
                .chain(shared.iter().cloned())
                .collect(),
            });
        }
        desired
    }

    fn prove(&self, setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Result<Proofs> {
        let housekeeping = &cx.cpus.housekeeping;
        let saved = SERVICE.saved(cx, reader);
        if setting.id == "irq/default" {
            let live = match &cx.host.irqs.default_affinity {
                Some(set) => Proof::of(set == housekeeping, set.to_string()),
                None => Proof::Unknown(format!("{DEFAULT} cannot be read")),
            };
            return Ok(Proofs {
                saved,
                effect: live.clone(),
                live,
                fix: None,
            });
        }
        let Some(irq) = line_of(setting, cx.host) else {
            return Ok(Proofs {
                saved,
                live: Proof::Unknown("the interrupt is gone".to_owned()),
                effect: Proof::Unknown("the interrupt is gone".to_owned()),
                fix: None,
            });
        };
        let within = |set: &Option<CpuSet>, file: &str| match set {
            Some(set) if !set.is_empty() => Proof::of(set.is_subset(housekeeping), set.to_string()),
            Some(_) => Proof::None(format!("{file} is empty: the interrupt is not in use")),
            None => Proof::Unknown(format!("/proc/irq/{}/{file} cannot be read", irq.number)),
        };
        let live = within(&irq.requested, "smp_affinity_list");
        let mut effect = within(&irq.effective, "effective_affinity_list");
        if let (Proof::Holds(_), Proof::Differs(value)) = (&live, &effect)
            && !cx.host.kernel.cmdline.contains("irqaffinity=")
        {
            // An interrupt that is asked to move does so when it next fires (Documentation/core-api/irq/irq-affinity.rst);
            // after a boot with irqaffinity= none is left behind.
            effect = Proof::Pending(
                value.clone(),
                format!(
                    "asked for {housekeeping}; the kernel moves it from {value} when it next fires, at the latest with a reboot"
                ),
            );
        }
        Ok(Proofs {
            saved,
            live,
            effect,
            fix: None,
        })
    }
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

/// Interrupts by id. Lines that share a name are told apart by their number.
fn named(host: &Host) -> BTreeMap<String, &Line> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in &host.irqs.list {
        *counts.entry(line.name.as_str()).or_default() += 1;
    }
    host.irqs
        .list
        .iter()
        .filter(|line| !line.name.is_empty())
        .map(|line| {
            let unique = counts.get(line.name.as_str()) == Some(&1);
            let name = line.name.replace([' ', '\t'], "");
            let id = if unique {
                format!("irq/{name}")
            } else {
                format!("irq/{name}#{}", line.number)
            };
            (id, line)
        })
        .collect()
}

/// Why an interrupt cannot be moved by anybody.
fn immovable(line: &Line) -> Option<String> {
    // The timer (0) and the cascade (2) of the PC are wired to the boot CPU (arch/x86/kernel/time.c sets IRQF_NOBALANCING).
    let wired = line.chip.starts_with("IO-APIC") && matches!(line.number, 0 | 2);
    let per_cpu = line.chip.starts_with("GICv") && line.number < 32;
    if wired || per_cpu {
        return Some("the kernel binds it to its CPU".to_owned());
    }
    if line
        .managed
        .unwrap_or_else(|| known_to_be_managed(&line.name))
    {
        return Some(
            "the kernel manages its affinity; isolcpus=managed_irq keeps it off isolated CPUs"
                .to_owned(),
        );
    }
    None
}

/// Queues of drivers that ask for managed interrupts (PCI_IRQ_AFFINITY in drivers/nvme/host/pci.c, drivers/block/virtio_blk.c
/// and drivers/scsi/virtio_scsi.c), by the names these drivers give. procfs does not say which interrupts are managed.
fn known_to_be_managed(name: &str) -> bool {
    let numbered = |text: &str, after: &str| {
        text.split_once(after).is_some_and(|(_, number)| {
            !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
        })
    };
    (name.starts_with("nvme")
        && numbered(name.trim_start_matches("nvme"), "q")
        && !name.ends_with("q0"))
        || (name.starts_with("virtio") && (numbered(name, "-req.") || numbered(name, "-request.")))
}

/// The command that operators know, under its old name.
fn script(cx: &Context<'_>) -> String {
    format!(
        "#!/bin/sh\n{HEADER}exec {} irq apply \"$@\"\n",
        cx.binary.display()
    )
}

/// Interrupts of devices that appear later are moved when their driver is bound or their port appears.
fn udev_rules() -> String {
    let restart = format!(
        "RUN+=\"/bin/systemctl --no-block try-restart {}\"",
        escape(SERVICE.name)
    );
    format!(
        "{HEADER}\
         ACTION==\"bind\", SUBSYSTEM==\"pci\", {restart}\n\
         ACTION==\"add\", SUBSYSTEM==\"net\", {restart}\n"
    )
}
