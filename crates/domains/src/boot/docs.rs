//! The words of the boot arguments.

use hftune_model::setting::Doc;

use super::cmdline::same_name;

const SAVED: &str = "saved: staged, which is every boot entry that is not for recovery, with GRUB's variables in place, and \
    template, from which the next kernel's entry is made (/etc/default/grub.d/99-hft.cfg; on the RHEL family \
    /etc/kernel/cmdline and /etc/default/grub; with systemd-boot /etc/kernel/cmdline); on ostree the deployment that boots \
    next, in an image of bootc /usr/lib/bootc/kargs.d. live: /proc/cmdline.";

macro_rules! read {
    ($effect:literal) => {
        concat!(
            "saved: staged, which is every boot entry that is not for recovery, with GRUB's variables in place, and \
             template, from which the next kernel's entry is made (/etc/default/grub.d/99-hft.cfg; on the RHEL family \
             /etc/kernel/cmdline and /etc/default/grub; with systemd-boot /etc/kernel/cmdline); on ostree the deployment \
             that boots next, in an image of bootc /usr/lib/bootc/kargs.d. live: /proc/cmdline. effect: ",
            $effect
        )
    };
}

/// All of them; the last one stands for every other name.
pub static DOCS: [Doc; 9] = [
    Doc {
        id: "boot/isolcpus",
        what: "Takes CPUs out of the scheduler's balancing (domain) and keeps managed interrupts away from them \
               (managed_irq).",
        why: "Nothing is put on an isolated CPU unless it is sent there by its affinity, so the application's thread is \
              alone. PID 1 and all that it starts stay on the other CPUs.",
        trade_off: "No load is balanced among isolated CPUs either: several threads under one mask pile up on one CPU, \
                    so every thread must be pinned by itself. Naming a flag drops the default: managed_irq without \
                    domain isolates nothing from the scheduler. The kernel takes the first isolcpus= and drops a \
                    later one that differs.",
        read: read!(
            "/sys/devices/system/cpu/isolated, and that no process may run there that may also run elsewhere."
        ),
        source: "Linux: Documentation/admin-guide/kernel-parameters.txt, kernel/sched/isolation.c",
    },
    Doc {
        id: "boot/nohz_full",
        what: "Stops the timer tick on these CPUs while one thread runs there, and moves RCU callbacks, unbound work, \
               timers and unbound kernel threads to the others.",
        why: "The tick interrupts a running thread 100 to 1000 times a second, a few microseconds each, and takes cache \
              lines with it.",
        trade_off: "System calls and interrupts on these CPUs cost some hundred nanoseconds more. The tick comes back \
                    with a second runnable task, POSIX CPU timers, perf events, a CPU quota, or an unstable TSC. The \
                    boot CPU keeps the time and is never among them. Kernels before 5.18 want the same list as \
                    isolcpus=.",
        read: read!(
            "/sys/devices/system/cpu/nohz_full; the file is absent where the kernel lacks CONFIG_NO_HZ_FULL."
        ),
        source: "Linux: Documentation/timers/no_hz.rst, kernel/time/tick-sched.c, kernel/sched/isolation.c",
    },
    Doc {
        id: "boot/rcu_nocbs",
        what: "Runs the RCU callbacks of these CPUs in kernel threads, which run on other CPUs.",
        why: "Callbacks otherwise run in a softirq on the CPU that queued them, up to milliseconds at a time.",
        trade_off: "nohz_full= does the same for its CPUs, so beside it this adds nothing and does no harm. A list that \
                    the kernel cannot read means all CPUs.",
        read: read!("nohz_full covers the CPUs; without it the kernel tells only in its log."),
        source: "Linux: Documentation/admin-guide/kernel-parameters.txt, kernel/rcu/tree_nocb.h",
    },
    Doc {
        id: "boot/irqaffinity",
        what: "The CPUs that interrupts get by default from the first moment of the boot.",
        why: "Drivers ask for their interrupts long before any service runs; this keeps those on the housekeeping CPUs.",
        trade_off: "A default only: managed interrupts and drivers that ask for an affinity of their own do not look at \
                    it. The boot CPU is always added.",
        read: read!("/proc/irq/default_smp_affinity; irq/NAME shows where each one fires."),
        source: "Linux: Documentation/admin-guide/kernel-parameters.txt, kernel/irq/irqdesc.c",
    },
    Doc {
        id: "boot/skew_tick",
        what: "Spreads the timer ticks of the CPUs over the tick's period.",
        why: "Without it all ticks fire at once and fight over the same locks.",
        trade_off: "The package wakes more often, which costs power.",
        read: read!("none; the kernel shows only the argument itself."),
        source: "Linux: Documentation/admin-guide/kernel-parameters.txt, kernel/time/tick-sched.c",
    },
    Doc {
        id: "boot/tsc",
        what: "Trusts the time stamp counter (reliable), or stops watching it (nowatchdog).",
        why: "The clock watchdog wakes a CPU after another every half second, isolated ones among them.",
        trade_off: "A counter that does go wrong is no longer noticed: only for hosts whose counter is known to be good.",
        read: read!("none; the kernel shows only the argument itself."),
        source: "Linux: Documentation/admin-guide/kernel-parameters.txt, kernel/time/clocksource.c",
    },
    Doc {
        id: "boot/nowatchdog",
        what: "Turns off the detectors of CPUs that are stuck.",
        why: "They run a timer and a thread on every CPU, and use a performance counter whose interrupt cannot be masked.",
        trade_off: "A kernel that hangs is no longer reported.",
        read: read!("none; the kernel shows only the argument itself."),
        source: "Linux: Documentation/admin-guide/lockup-watchdogs.rst",
    },
    Doc {
        id: "boot/rcutree.nohz_full_patience_delay",
        what: "How many milliseconds RCU waits before it disturbs a CPU without a tick.",
        why: "Below it, RCU asks such a CPU for a report by an interrupt as soon as it asks any other.",
        trade_off: "Memory that waits for RCU is freed later. Kernels before 6.12 ignore the argument.",
        read: read!("none; the kernel shows only the argument itself."),
        source: "Linux: Documentation/admin-guide/kernel-parameters.txt, kernel/rcu/tree_plugin.h",
    },
    Doc {
        id: "boot/NAME",
        what: "An argument of the kernel's command line, as the profile gives it.",
        why: "The profile asks for it.",
        trade_off: "hftune checks that the kernel was booted with it, not that the kernel knows it: a kernel passes over \
                    an argument that it does not know and says so in its log.",
        read: SAVED,
        source: "Linux: Documentation/admin-guide/kernel-parameters.txt",
    },
];

/// The words of an argument.
pub fn doc(name: &str) -> &'static Doc {
    DOCS.iter()
        .find(|doc| same_name(&doc.id["boot/".len()..], name))
        .unwrap_or(&DOCS[DOCS.len() - 1])
}
