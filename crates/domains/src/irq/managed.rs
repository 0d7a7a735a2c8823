//! Interrupts that the kernel spreads over the CPUs itself and lets nobody move.

use hftune_model::CpuSet;
use hftune_model::finding::{Skipped, Verdict};
use hftune_model::host::Irq as Line;

use crate::{Context, boot};

/// Whether the kernel manages an interrupt, as far as that can be told; what nobody can tell is tried.
pub(super) fn is_managed(line: &Line) -> bool {
    line.managed
        .unwrap_or_else(|| !line.fixed && of_managed_queue(&line.name))
}

/// Queues of drivers that ask for managed interrupts (`PCI_IRQ_AFFINITY`), by the names that these drivers give. The vectors
/// that a driver keeps out of it (`pre_vectors`) are ordinary ones.
///
/// Read in the drivers: drivers/nvme/host/pci.c, drivers/block/virtio_blk.c, drivers/scsi/virtio_scsi.c,
/// drivers/scsi/megaraid, drivers/scsi/mpt3sas (its first eight may be high-IOPS queues, which are not), drivers/scsi/mpi3mr,
/// drivers/scsi/smartpqi, drivers/scsi/qla2xxx. Their parameter `smp_affinity_enable=0` or its like turns it off, which the
/// names do not show. Not here: hpsa and lpfc, where it hangs on the adapter; aacraid, which gave it up in 2025. On those,
/// the refused write tells.
fn of_managed_queue(name: &str) -> bool {
    let name = name.split(',').next().unwrap_or(name);
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // "nvme" DIGITS "q" DIGITS
    let queue = |prefix: &str, between: &str| {
        let (of, queue) = name.strip_prefix(prefix)?.split_once(between)?;
        (number(of) && number(queue)).then(|| queue.parse::<u32>().ok())?
    };
    let virtio = |name: &str| {
        name.strip_prefix("virtio")
            .and_then(|name| name.split_once('-'))
            .is_some_and(|(of, queue)| {
                number(of) && (queue == "request" || queue.strip_prefix("req.").is_some_and(number))
            })
    };
    queue("nvme", "q").is_some_and(|queue| queue > 0)
        || virtio(name)
        || queue("megasas", "-msix").is_some()
        || queue("mpt3sas", "-msix").is_some_and(|queue| queue >= 8)
        || queue("mpi3mr", "-msix").is_some_and(|queue| queue > 0)
        || name == "smartpqi"
        || queue("qla2xxx", "_qpair").is_some()
}

/// What a managed interrupt does on this host, and what keeps it off the isolated CPUs.
pub(super) fn told(id: String, line: &Line, cx: &Context<'_>) -> Skipped {
    let isolated = &cx.cpus.isolated;
    let fires = line.effective.clone().unwrap_or_default();
    let mask = line.requested.clone().unwrap_or_default();
    let kept_off = boot::cpus_of(&cx.host.kernel.cmdline, "isolcpus")
        .filter(|(_, argument)| argument.flags.contains("managed_irq"))
        .map_or_else(CpuSet::new, |(_, argument)| argument.list);
    let (state, fix) = if line.effective.is_none() {
        ("where it fires cannot be read".to_owned(), None)
    } else if fires.intersection(isolated).is_empty() {
        let on = if fires.is_empty() {
            "it is not in use".to_owned()
        } else {
            format!("it fires on CPU {fires}, which serves the OS")
        };
        (on, None)
    } else if !isolated.is_subset(&kept_off) {
        (
            format!(
                "it fires on CPU {fires}, which is isolated, and the kernel was not booted to keep it off"
            ),
            Some(format!("boot with isolcpus=managed_irq,domain,{isolated}")),
        )
    } else if line.requested.is_none() {
        (
            format!(
                "it fires on CPU {fires}, which is isolated, and the CPUs of its queue cannot be read"
            ),
            None,
        )
    } else if mask.is_subset(isolated) {
        (
            format!(
                "all CPUs of its queue ({mask}) are isolated, so that isolcpus=managed_irq leaves it on CPU {fires}: it fires \
                 only when the application itself does I/O from there"
            ),
            None,
        )
    } else {
        (
            format!(
                "it fires on CPU {fires}, which is isolated, although its queue has others ({mask}): isolcpus=managed_irq \
                 moves it when the queue is next set up, at the latest with a reboot"
            ),
            None,
        )
    };
    Skipped {
        id,
        verdict: Verdict::NotApplicable,
        reason: format!("the kernel manages its affinity and lets nobody move it; {state}"),
        fix,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_queues_of_drivers_by_name() {
        for name in [
            "nvme0q1",
            "nvme12q34",
            "virtio1-req.0",
            "virtio3-request",
            "megasas1-msix0",
            "mpt3sas0-msix8",
            "mpi3mr0-msix1",
            "smartpqi",
            "qla2xxx7_qpair3",
        ] {
            assert!(of_managed_queue(name), "{name}");
        }
        for name in [
            "nvme0q0",
            "nvme0",
            "nvmeq1",
            "virtio1-config",
            "virtio1-input.0",
            "virtio1-control",
            "mpi3mr0-msix0",
            "qla2xxx (default)",
            "mpt3sas0-msix3",
            "i40e-ens7f0-TxRx-0",
            "mlx5_comp3@pci:0000:3b:00.0",
            "",
        ] {
            assert!(!of_managed_queue(name), "{name}");
        }
    }
}
