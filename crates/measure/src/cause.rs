//! What takes a CPU from its application.

use std::fmt;

use hftune_model::jitter::{NO_EVENT, UNTRACED};

/// A cause, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The interrupt of a device, by the name of whoever asked for it.
    Interrupt(String),
    /// An interrupt of the CPU itself, like `local_timer` or `reschedule` (arch/x86/include/asm/trace/irq_vectors.h).
    Vector(String),
    /// Deferred work of the kernel, like TIMER or NET_RX (include/trace/events/irq.h).
    Softirq(String),
    /// A thread, by its name without the number of its CPU.
    Thread(String),
    /// An interrupt that cannot be masked.
    Nmi,
    /// The kernel did nothing: firmware (SMI), the hypervisor, or the hardware itself.
    NoEvent,
    /// The trace does not reach so far back, or lost events.
    Untraced,
}

impl Cause {
    /// The setting that would remove it, by its id; `None` where no setting does.
    pub fn setting(&self) -> Option<String> {
        Some(match self {
            Self::Interrupt(name) => format!("irq/{name}"),
            Self::Vector(name) => match name.as_str() {
                "local_timer" | "irq_work" => "boot/nohz_full".to_owned(),
                // Who is kicked is balanced, or is told of a page that moves.
                "reschedule" => "boot/isolcpus".to_owned(),
                "call_function" | "call_function_single" => "thp/enabled".to_owned(),
                _ => return None,
            },
            Self::Softirq(name) => match name.as_str() {
                "RCU" => "boot/rcu_nocbs".to_owned(),
                "TIMER" | "HRTIMER" => "boot/nohz_full".to_owned(),
                "SCHED" => "boot/isolcpus".to_owned(),
                "NET_RX" | "NET_TX" | "BLOCK" | "IRQ_POLL" => "irq/default".to_owned(),
                _ => return None,
            },
            Self::Thread(name) => thread_setting(name).to_owned(),
            Self::Nmi => "boot/nowatchdog".to_owned(),
            Self::NoEvent | Self::Untraced => return None,
        })
    }
}

/// Kernel threads that have a setting of their own; any other thread is one that isolation keeps away.
fn thread_setting(name: &str) -> &'static str {
    const KNOWN: [(&str, &str); 10] = [
        ("kworker", "workqueue/cpumask"),
        ("kcompactd", "sysctl/vm.compaction_proactiveness"),
        ("khugepaged", "thp/enabled"),
        ("ksmd", "kernel/ksm_run"),
        ("ksoftirqd", "irq/default"),
        ("rcu", "boot/rcu_nocbs"),
        ("watchdog", "boot/nowatchdog"),
        ("migration", "boot/isolcpus"),
        ("irq/", "irq/default"),
        ("kswapd", "threads/kernel"),
    ];
    KNOWN
        .iter()
        .find(|(prefix, _)| name.starts_with(prefix))
        .map_or("boot/isolcpus", |(_, id)| id)
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupt(name) => write!(f, "interrupt {name}"),
            Self::Vector(name) => write!(f, "CPU interrupt {name}"),
            Self::Softirq(name) => write!(f, "softirq {name}"),
            Self::Thread(name) => write!(f, "thread {name}"),
            Self::Nmi => f.write_str("NMI"),
            Self::NoEvent => f.write_str(NO_EVENT),
            Self::Untraced => f.write_str(UNTRACED),
        }
    }
}
