//! The words of the sysctls that the built-in profiles set, and of any other one.

use hftune_model::setting::Doc;

/// How every one of them is read.
const READ: &str = "saved: the value that wins among all sysctl.d files and /etc/sysctl.conf; live and effect: the file \
                    in /proc/sys.";

/// The words of a setting.
pub(crate) fn doc(id: &str) -> &'static Doc {
    DOCS.iter()
        .find(|doc| doc.id == id)
        .unwrap_or(&DOCS[DOCS.len() - 1])
}

/// All of them; the last one is for keys that only an operator's profile has.
pub(crate) const DOCS: &[Doc] = &[
    Doc {
        id: "sysctl/net.core.rmem_max",
        what: "The largest receive buffer that a socket may ask for with SO_RCVBUF.",
        why: "A burst of market data fits into the buffer while the application is busy, instead of being dropped.",
        trade_off: "A ceiling only: a socket gets what it asks for (and the kernel doubles that). A buffer that is really \
                    used at this size holds stale data and falls out of the cache.",
        read: READ,
        source: "Linux Documentation/admin-guide/sysctl/net.rst; socket(7); net/core/sock.c",
    },
    Doc {
        id: "sysctl/net.core.wmem_max",
        what: "The largest send buffer that a socket may ask for with SO_SNDBUF.",
        why: "A sender that bursts does not block on a full buffer.",
        trade_off: "A ceiling only. Data that waits in a large send buffer is late without anyone noticing.",
        read: READ,
        source: "Linux Documentation/admin-guide/sysctl/net.rst; socket(7); net/core/sock.c",
    },
    Doc {
        id: "sysctl/net.ipv4.tcp_rmem",
        what: "Least, initial and largest receive buffer of a TCP socket, in bytes.",
        why: "The kernel can let the buffer of a busy session grow without a limit that throttles the sender.",
        trade_off: "Does not matter to a socket that sets SO_RCVBUF: that turns the automatic size off.",
        read: READ,
        source: "Linux Documentation/networking/ip-sysctl.rst; tcp(7)",
    },
    Doc {
        id: "sysctl/net.ipv4.tcp_wmem",
        what: "Least, initial and largest send buffer of a TCP socket, in bytes.",
        why: "A session that bursts can queue what the network takes later, and write() does not block.",
        trade_off: "Does not matter to a socket that sets SO_SNDBUF: that turns the automatic size off.",
        read: READ,
        source: "Linux Documentation/networking/ip-sysctl.rst; tcp(7)",
    },
    Doc {
        id: "sysctl/net.ipv4.tcp_timestamps",
        what: "Whether TCP segments carry a time stamp.",
        why: "Without it every segment is 12 bytes shorter and two steps shorter in processing.",
        trade_off: "The kernel measures round trips more coarsely, cannot tell old segments from wrapped sequence numbers \
                    (PAWS), and does not reuse connections in TIME_WAIT. Set 1 for long or very fast paths.",
        read: READ,
        source: "Linux Documentation/networking/ip-sysctl.rst; RFC 7323; net/ipv4/tcp_input.c",
    },
    Doc {
        id: "sysctl/net.ipv4.tcp_sack",
        what: "Whether TCP tells the sender which segments arrived after a gap.",
        why: "Less work for each segment, and no SACK blocks to parse, on a local network that loses nothing.",
        trade_off: "Fast recovery falls back to NewReno: where a segment is lost, repair can take a whole retransmission \
                    timeout (200 ms and more). On a clean network it gains little. Set 1 for any path that may lose.",
        read: READ,
        source: "Linux Documentation/networking/ip-sysctl.rst; RFC 2018; net/ipv4/tcp_input.c",
    },
    Doc {
        id: "sysctl/net.ipv4.conf.all.rp_filter",
        what: "Reverse path filter, the part that holds for every interface.",
        why: "Multicast market data that comes in on another port than the route back would use is dropped by the filter. \
              The kernel applies the larger of this value and that of the interface, so that it must be 0 in both.",
        trade_off: "Packets with forged source addresses are not dropped here; leave that to the network's edge.",
        read: "saved: the value that wins among all sysctl.d files; live: the file in /proc/sys; effect: for every \
               interface the larger of \"all\" and its own value.",
        source: "Linux Documentation/networking/ip-sysctl.rst; include/linux/inetdevice.h (IN_DEV_RPFILTER)",
    },
    Doc {
        id: "sysctl/net.ipv4.conf.default.rp_filter",
        what: "Reverse path filter that an interface gets when it appears.",
        why: "Interfaces that are created later, VLANs for example, are not filtered either.",
        trade_off: "As for sysctl/net.ipv4.conf.all.rp_filter.",
        read: READ,
        source: "Linux Documentation/networking/ip-sysctl.rst; net/ipv4/devinet.c",
    },
    Doc {
        id: "sysctl/net.ipv4.conf.*.rp_filter",
        what: "Reverse path filter of each interface.",
        why: "The interface's own value counts as much as that of \"all\"; the pattern in the file makes udev set it again \
              when an interface appears, and the ports of this host are named as well for systemd before 246.",
        trade_off: "As for sysctl/net.ipv4.conf.all.rp_filter.",
        read: "saved: the value that wins for every interface among all sysctl.d files; live: the files in /proc/sys; \
               effect: for every interface the larger of \"all\" and its own value.",
        source: "Linux Documentation/networking/ip-sysctl.rst; sysctl.d(5); include/linux/inetdevice.h (IN_DEV_RPFILTER)",
    },
    Doc {
        id: "sysctl/net.core.netdev_max_backlog",
        what: "How many packets may wait in the queue of a CPU that packets are handed over to.",
        why: "A burst that is steered to another CPU in software (RPS) is not dropped there.",
        trade_off: "Only RPS, lo and veth use that queue: it does nothing for packets that a driver delivers by NAPI. \
                    Column 2 of /proc/net/softnet_stat counts the drops it would avoid.",
        read: READ,
        source: "Linux Documentation/admin-guide/sysctl/net.rst; net/core/dev.c (enqueue_to_backlog)",
    },
    Doc {
        id: "sysctl/vm.swappiness",
        what: "How readily the kernel swaps out memory of programs instead of dropping cached files.",
        why: "A page that was swapped out costs milliseconds at its next touch.",
        trade_off: "0 does not turn swap off: the kernel swaps when nothing else is left, and is nearer to killing \
                    processes. Lock the application's memory as well.",
        read: READ,
        source: "Linux Documentation/admin-guide/sysctl/vm.rst; mm/vmscan.c",
    },
    Doc {
        id: "sysctl/vm.min_free_kbytes",
        what: "Memory that the kernel tries to keep free.",
        why: "Packets that arrive in a burst find free memory at once, and no thread has to reclaim some before it goes on.",
        trade_off: "That memory is lost for everything else, and too much of it makes the host run out of memory at once. \
                    hftune refuses more than a fifth of the memory.",
        read: READ,
        source: "Linux Documentation/admin-guide/sysctl/vm.rst; mm/page_alloc.c",
    },
    Doc {
        id: "sysctl/vm.compaction_proactiveness",
        what: "How eagerly the kernel compacts memory in the background.",
        why: "Compaction moves pages, and every CPU that uses them is interrupted to forget their old place.",
        trade_off: "Memory fragments sooner, so that huge pages should be taken at boot. Exists from Linux 5.9 on.",
        read: READ,
        source: "Linux Documentation/admin-guide/sysctl/vm.rst; mm/compaction.c",
    },
    Doc {
        id: "sysctl/vm.stat_interval",
        what: "Seconds between two updates of the memory statistics, a work item on each CPU.",
        why: "Older kernels run it on isolated CPUs too, where it wakes a kernel thread.",
        trade_off: "Numbers in /proc/vmstat lag. Recent kernels skip isolated CPUs by themselves.",
        read: READ,
        source: "Linux Documentation/admin-guide/sysctl/vm.rst; mm/vmstat.c",
    },
    Doc {
        id: "sysctl/kernel.numa_balancing",
        what: "Whether the kernel unmaps pages now and then to see which node uses them, and moves them there.",
        why: "Each unmapped page costs the application a page fault, and moving it an interrupt on the CPUs that used it.",
        trade_off: "Programs that are not placed by hand lose its help on machines with several nodes.",
        read: READ,
        source: "Linux Documentation/admin-guide/sysctl/kernel.rst; kernel/sched/fair.c",
    },
    Doc {
        id: "sysctl/kernel.sched_autogroup_enabled",
        what: "Whether the scheduler shares CPU time by session instead of by task.",
        why: "Processes started from different sessions then weigh the same, whatever else their session runs.",
        trade_off: "Means nothing to isolated CPUs and real-time threads; interactive use under load gets less smooth.",
        read: READ,
        source: "sched(7); kernel/sched/autogroup.c",
    },
    Doc {
        id: "sysctl/kernel.sched_rt_runtime_us",
        what: "Microseconds of each period that real-time threads may run; -1 sets no limit.",
        why: "With the usual 95 % a real-time thread that spins is stopped for 50 ms of every second.",
        trade_off: "A spinning real-time thread starves everything else on its CPU, kernel threads included. From Linux \
                    6.12 on this no longer is what stops it: the fair server of each CPU gives ordinary tasks their 50 ms.",
        read: READ,
        source: "Linux Documentation/scheduler/sched-rt-group.rst; sched(7); kernel/sched/rt.c, kernel/sched/deadline.c",
    },
    Doc {
        id: "sysctl/KEY",
        what: "A kernel parameter that the profile sets.",
        why: "The profile asks for it.",
        trade_off: "hftune has no advice on this one.",
        read: READ,
        source: "Linux Documentation/admin-guide/sysctl/; sysctl.d(5)",
    },
];
