//! The facts of one machine. Everything later is a function of these and of the profile.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use crate::ethtool::{PauseFrames, Port};
use crate::others::{Claim, PortSetting, Tuned, UnknownClaims};
use crate::vma::PortAddress;
use crate::{CpuSet, Size};

/// What this machine is.
#[derive(Debug, Clone, PartialEq, Serialize, Default, JsonSchema)]
pub struct Host {
    /// Its CPUs and how they hang together.
    pub cpus: Cpus,
    /// NUMA nodes in rising order.
    pub nodes: Vec<Node>,
    /// Memory of the whole machine.
    pub memory: Memory,
    /// Network ports: interfaces with a device behind them.
    pub nics: Vec<Nic>,
    /// What the drivers of the ports tell, by name; empty where nobody asked them.
    #[serde(skip)]
    pub ports: BTreeMap<String, Port>,
    /// How many pause frames came and went a moment later, of ports that have seen some; empty where nobody looked again.
    #[serde(skip)]
    pub pause_frames_since: BTreeMap<String, PauseFrames>,
    /// What libvma needs and finds here; `None` where the profile wants nothing of it.
    #[serde(skip)]
    pub vma: Option<Vma>,
    /// Interfaces that were tuned under a name that is gone, with the name that their device has now.
    #[serde(skip)]
    pub renamed: BTreeMap<String, String>,
    /// Every interface that has IPv4 settings, bridges and VLANs too (`/proc/sys/net/ipv4/conf`).
    pub interfaces: Vec<String>,
    /// Device interrupts in rising order of their number.
    pub irqs: Irqs,
    /// Where received packets are steered by software.
    pub rps: Rps,
    /// Where the kernel's deferred work may run.
    pub workqueues: Workqueues,
    /// What the kernel does by itself, time and again, and can be told not to.
    pub kernel_work: KernelWork,
    /// The running kernel.
    pub kernel: Kernel,
    /// The distribution, from os-release.
    pub distribution: Distribution,
    /// What boots it.
    pub boot_loader: BootLoader,
    /// The hypervisor or container it runs in; `None` on bare metal.
    pub virtualization: Option<String>,
    /// systemd, and the services that would fight with hftune.
    pub services: Services,
    /// What other tools set of network ports.
    pub port_settings: Vec<PortSetting>,
    /// Files and directories that may hold more such settings and cannot be read.
    pub port_settings_unread: Vec<String>,
    /// The processes and kernel threads; empty where `/proc` shows none (a tree in place of the machine).
    #[serde(skip)]
    pub tasks: Vec<Task>,
    /// Why the NUMA nodes are not believed, where the firmware's tables contradict themselves: no core has a node then.
    pub nodes_make_no_sense: Option<String>,
    /// What could not be read, as "path: reason". Nothing in here is taken for a fact elsewhere.
    pub unread: Vec<String>,
}

/// What libvma needs and finds on a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vma {
    /// The library, where one is installed.
    pub library: Option<PathBuf>,
    /// The IPv4 addresses of each interface, and how many IPv6 ones it has; `None` where they cannot be told.
    pub addresses: Option<BTreeMap<String, Addresses>>,
    /// The text of `/etc/libvma.conf`.
    pub rules: Option<String>,
    /// Modules that it needs, with what became of them.
    pub modules: BTreeMap<String, Module>,
}

/// The addresses of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addresses {
    /// IPv4.
    pub v4: Vec<PortAddress>,
    /// How many there are of IPv6, link-local ones aside.
    pub v6: usize,
}

/// A kernel module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Module {
    /// It is loaded, or part of the kernel.
    Loaded,
    /// It can be loaded.
    Available,
    /// This kernel has none of that name.
    Absent,
    /// It cannot be told whether this kernel has it.
    Unknown,
}

/// CPUs and their relations, from `/sys/devices/system/cpu`.
#[derive(Debug, Clone, PartialEq, Serialize, Default, JsonSchema)]
pub struct Cpus {
    /// CPUs that exist.
    pub present: CpuSet,
    /// CPUs that run.
    pub online: CpuSet,
    /// CPUs that this process may use, by its cpuset and its own mask; `None` where `/proc/self/status` is not there.
    pub allowed: Option<CpuSet>,
    /// Model name, from `/proc/cpuinfo`.
    pub model: Option<String>,
    /// Physical cores of the online CPUs, in rising order of their first CPU.
    pub cores: Vec<Core>,
    /// Online CPUs whose SMT siblings cannot be told: each is taken for a core of its own, and may not be.
    pub siblings_unknown: CpuSet,
    /// `/sys/devices/system/cpu/isolated`; `None` where the file is missing.
    pub isolated: Option<CpuSet>,
    /// `/sys/devices/system/cpu/nohz_full`; `None` where the file is missing, empty where it reads "(null)".
    pub nohz_full: Option<CpuSet>,
    /// `/sys/devices/system/cpu/smt/control`: on, off, forceoff, notsupported, notimplemented.
    pub smt: Option<String>,
    /// Flags of the first CPU that matter here: constant_tsc, nonstop_tsc, pdpe1gb, hypervisor, ...
    pub flags: Vec<String>,
    /// Last-level cache domains: the CPUs that share each one.
    pub last_level_caches: Vec<Cache>,
    /// Current clock source.
    pub clocksource: Option<String>,
    /// cpufreq driver of the first policy; `None` where there is none.
    pub cpufreq_driver: Option<String>,
    /// cpuidle driver; `None` where there is none.
    pub cpuidle_driver: Option<String>,
    /// Idle states of the first online CPU, shallowest first; empty without a cpuidle driver.
    pub idle_states: Vec<IdleState>,
}

/// One idle state, from `/sys/devices/system/cpu/cpuN/cpuidle/stateM`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct IdleState {
    /// M of `stateM`.
    pub index: u32,
    /// The driver's name for it, like C6.
    pub name: String,
    /// Exit latency in microseconds.
    pub latency_us: u64,
}

/// One physical core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct Core {
    /// Its online SMT siblings.
    pub cpus: CpuSet,
    /// `physical_package_id`; -1 where the firmware says nothing.
    pub package: i32,
    /// NUMA node; `None` where no node lists it, or where the nodes make no sense ([`Host::nodes_make_no_sense`]).
    pub node: Option<u32>,
    /// Performance or efficient core on hybrid machines.
    pub kind: CoreKind,
}

/// Kinds of cores on hybrid machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CoreKind {
    /// All cores are alike.
    #[default]
    Uniform,
    /// A performance core (`/sys/devices/cpu_core/cpus`, the highest `cpu_capacity`, or the highest nominal performance
    /// where the caches differ too).
    Performance,
    /// An efficient core (`/sys/devices/cpu_atom/cpus`, a lower `cpu_capacity`, or a lower nominal performance).
    Efficient,
}

/// A cache that several CPUs share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct Cache {
    /// 1, 2 or 3.
    pub level: u32,
    /// Size as the kernel writes it, like "32768K".
    pub size: String,
    /// The CPUs that share it.
    pub cpus: CpuSet,
}

/// A NUMA node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct Node {
    /// Its number.
    pub id: u32,
    /// Its CPUs; empty for a memory-only node.
    pub cpus: CpuSet,
    /// Its memory.
    pub memory: Size,
    /// Distance to every node, itself included, in the order of the nodes that are online; empty where it is not told.
    pub distances: Vec<u32>,
    /// Pools of huge pages, by page size in KiB.
    pub huge_pages: BTreeMap<u64, HugePages>,
}

/// One pool of huge pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct HugePages {
    /// Pages in the pool.
    pub total: u64,
    /// Pages nobody uses.
    pub free: u64,
}

/// Memory of the machine, from `/proc/meminfo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct Memory {
    /// MemTotal.
    pub total: Size,
    /// MemAvailable.
    pub available: Size,
    /// Default huge page size.
    pub huge_page_size: Option<Size>,
    /// SwapTotal.
    pub swap: Size,
}

/// A network port that has a device behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Default, JsonSchema)]
pub struct Nic {
    /// Interface name.
    pub name: String,
    /// Kernel driver, like mlx5_core.
    pub driver: Option<String>,
    /// PCI address, like 0000:3b:00.0.
    pub pci_address: Option<String>,
    /// The hardware, by a name that stays when the interface is renamed: the PCI address, and `#N` where the device has
    /// several ports and this is not the first (`dev_port`).
    pub device: Option<String>,
    /// PCI vendor and device, like 15b3:1017.
    pub pci_id: Option<String>,
    /// NUMA node; `None` where the firmware says nothing (-1).
    pub node: Option<u32>,
    /// Speed in Mbit/s while the link is up.
    pub speed_mbps: Option<u64>,
    /// operstate: up, down, unknown, ...
    pub state: Option<String>,
    /// MAC address.
    pub mac: Option<String>,
    /// Whether libvma can drive it (mlx5_core, mlx4_core/mlx4_en) or only the kernel stack.
    pub vma_capable: bool,
    /// Its PCI Express link; `None` where it has none, or the device does not tell of it.
    pub pcie: Option<PcieLink>,
    /// How often the link came or went since the device appeared.
    pub carrier_changes: Option<u64>,
    /// Counters of packets that were lost, by the kernel's name; a counter that cannot be read is absent.
    pub drops: BTreeMap<String, u64>,
    /// How much each of these grew between two readings a moment apart; `None` where one reading was enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drops_since: Option<BTreeMap<String, u64>>,
    /// The interfaces above it, the nearest first: a bond, a bridge, a VLAN, and what is above these.
    pub uppers: Vec<String>,
    /// What of the operator's would be cut off while the link is down, in words: "the default route", "this ssh session
    /// (10.0.0.5)". Known of the live machine only.
    pub carries: Vec<String>,
}

/// The PCI Express link of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct PcieLink {
    /// The end of the device.
    pub device: PcieEnd,
    /// The other end, the bridge above it: a root port, or the port of a switch. `None` where none tells.
    pub bridge: Option<PcieEnd>,
}

/// One end of a PCI Express link: what the link runs at, and the most that this end can do. `None`: unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct PcieEnd {
    /// Millions of transfers a second on each lane: 8000 where lspci says 8GT/s.
    pub speed_mtps: Option<u32>,
    /// Lanes in use.
    pub width: Option<u32>,
    /// The highest speed of this end.
    pub max_speed_mtps: Option<u32>,
    /// The most lanes of this end.
    pub max_width: Option<u32>,
}

/// The interrupts of devices.
#[derive(Debug, Clone, PartialEq, Serialize, Default, JsonSchema)]
pub struct Irqs {
    /// Every numbered IRQ.
    pub list: Vec<Irq>,
    /// `/proc/irq/default_smp_affinity`, which new IRQs get.
    pub default_affinity: Option<CpuSet>,
    /// Kernel drivers of the PCI devices that raise them, by PCI address.
    pub drivers: BTreeMap<String, String>,
}

/// One numbered IRQ.
#[derive(Debug, Clone, PartialEq, Serialize, Default, JsonSchema)]
pub struct Irq {
    /// Its number.
    pub number: u32,
    /// Device and queue, the last words of its line in `/proc/interrupts`; empty where nobody requested it.
    pub name: String,
    /// Chip and hardware number, like "PCI-MSIX-0000:01:00.0 1-edge".
    pub chip: String,
    /// Interrupts so far, all CPUs together.
    pub count: u64,
    /// `smp_affinity_list`: where it was asked to fire.
    pub requested: Option<CpuSet>,
    /// `effective_affinity_list`: where it fires.
    pub effective: Option<CpuSet>,
    /// Whether the kernel manages its affinity itself (user writes fail). `None`: cannot be told without writing.
    pub managed: Option<bool>,
    /// Whether the kernel binds it to its CPU without managing it: its `smp_affinity_list` takes no writes.
    pub fixed: bool,
    /// Interrupts between two readings a moment apart; `None` where one reading was enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fired_since: Option<u64>,
    /// PCI address of the device that raises it; `None` where it is no PCI device or cannot be told.
    pub device: Option<String>,
    /// NUMA node of that device; `None` where the firmware says nothing.
    pub node: Option<u32>,
}

/// Receive packet steering (RPS).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct Rps {
    /// `/proc/sys/net/core/rps_default_mask`, which new receive queues get; `None` where the kernel has none.
    pub default_mask: Option<CpuSet>,
    /// The CPUs of each receive queue that has `rps_cpus`, by interface and queue; `None` where it cannot be read.
    pub queues: BTreeMap<String, BTreeMap<u32, Option<CpuSet>>>,
}

/// Workqueues that `/sys/devices/virtual/workqueue` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct Workqueues {
    /// `cpumask`: where work that is bound to no CPU runs at most; `None` where it cannot be read.
    pub cpumask: Option<CpuSet>,
    /// The masks of single workqueues, by name; each takes effect within `cpumask`.
    pub own: BTreeMap<String, CpuSet>,
}

/// What the kernel does by itself, time and again: which of it this host has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, Default)]
pub struct KernelWork {
    /// A device of `/sys/devices/system/machinecheck` with a `check_interval`, which is one for all CPUs.
    pub machine_check: Option<String>,
    /// Whether the kernel can merge equal pages (`/sys/kernel/mm/ksm/run`).
    pub ksm: bool,
    /// CPUs that show a server for ordinary threads (`/sys/kernel/debug/sched/fair_server`, since Linux 6.12; root alone sees
    /// them).
    pub fair_servers: CpuSet,
}

/// The running kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct Kernel {
    /// `uname -r`.
    pub release: String,
    /// Architecture, like x86_64.
    pub architecture: String,
    /// `/proc/cmdline`, without the newline.
    pub cmdline: String,
    /// The options of the kernel's configuration that hftune relies on, like "NO_HZ_FULL" -> true; an option is absent
    /// where neither `/boot/config-RELEASE` nor `/lib/modules/RELEASE/config` nor `/proc/config.gz` could be read.
    pub config: BTreeMap<String, bool>,
    /// Whether it is a PREEMPT_RT kernel (`/sys/kernel/realtime`).
    pub realtime: bool,
    /// `/sys/kernel/security/lockdown`: none, integrity, confidentiality; `None` where the file is missing.
    pub lockdown: Option<String>,
    /// Boot id of this boot.
    pub boot_id: Option<String>,
}

impl Kernel {
    /// Major and minor version: (6, 12) of "6.12.0-55.el10".
    pub fn version(&self) -> Option<(u32, u32)> {
        let mut numbers = self.release.split(|c: char| !c.is_ascii_digit());
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }
}

/// The distribution, from `/etc/os-release`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct Distribution {
    /// ID, like rocky.
    pub id: String,
    /// ID_LIKE.
    pub like: Vec<String>,
    /// VERSION_ID, like 9.4.
    pub version: String,
    /// PRETTY_NAME.
    pub name: String,
}

/// What boots the machine and where its arguments live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct BootLoader {
    /// The kind that was found.
    pub kind: BootKind,
    /// The text of the files that hold boot arguments, by path: `/etc/default/grub`, `/etc/default/grub.d/*.cfg`,
    /// `/boot/grub/grub.cfg`, `/boot/loader/entries/*.conf`, `/etc/kernel/cmdline`, `/usr/lib/kernel/cmdline`,
    /// `/etc/tuned/bootcmdline`, and `/boot/grub2/grubenv` under the path to which links lead. Only what exists and could
    /// be read as UTF-8.
    #[serde(skip)]
    pub files: BTreeMap<PathBuf, String>,
    /// What told the kernel's EFI stub or systemd that it booted the machine, like "systemd-boot 255.4"
    /// (`LoaderInfo`); `None` without UEFI, and where no boot loader said so.
    pub loader_info: Option<String>,
    /// Whether the running kernel came out of a unified kernel image (`StubInfo`, or `LoaderEntrySelected`).
    pub unified_booted: bool,
    /// Unified kernel images on the EFI partition, which carry their own command line.
    pub unified: Vec<PathBuf>,
    /// Whether Secure Boot is on; `None` where the firmware does not say.
    pub secure_boot: Option<bool>,
    /// The arguments of the ostree deployment that is staged for the next boot (`/run/ostree/staged-deployment`).
    pub staged: Option<String>,
    /// Why it cannot be told which ostree deployment boots next: the staged one or a boot entry cannot be read.
    #[serde(skip)]
    pub next_unread: Option<String>,
    /// Whether `/usr/bin/rpm-ostree` can change the arguments of the next deployment.
    pub rpm_ostree: bool,
    /// Whether the image is one of bootc, which applies the arguments in `/usr/lib/bootc/kargs.d`.
    pub bootc: bool,
}

/// Kinds of boot loader configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BootKind {
    /// `update-grub` makes `/boot/grub/grub.cfg` from `/etc/default/grub` and its drop-ins (Debian, Ubuntu).
    GrubMkconfig,
    /// Boot Loader Specification entries in `/boot/loader/entries` (RHEL family, Fedora).
    Bls,
    /// A menu that `grub2-mkconfig` made without the entries of the Boot Loader Specification: `GRUB_ENABLE_BLSCFG` is not
    /// true (RHEL family, Fedora).
    Grub2Menu,
    /// A machine that booted a deployment of ostree or bootc.
    Ostree,
    /// The tree of an image of bootc or ostree that is being built, and is not booted.
    Image,
    /// systemd-boot, or a unified kernel image that the firmware starts.
    SystemdBoot,
    /// None that hftune knows.
    #[default]
    Unknown,
}

/// A process or kernel thread, and where it may run. Threads of a process that may use the same CPUs are one entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Task {
    /// Process id; of a thread that may use other CPUs than its process, the thread's id.
    pub pid: u32,
    /// Its name.
    pub comm: String,
    /// Whether it is a kernel thread (`PF_KTHREAD`).
    pub kernel: bool,
    /// Whether the kernel refuses to move it (`PF_NO_SETAFFINITY`); known for kernel threads.
    pub bound: bool,
    /// The CPUs that it may use.
    pub allowed: CpuSet,
}

/// systemd and the services that set what hftune sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct Services {
    /// Whether systemd is running as the init system (`/run/systemd/system` exists).
    pub systemd: bool,
    /// Services that would fight with hftune and are installed, in a fixed order.
    pub rivals: Vec<Rival>,
    /// Every unit that is installed, masked or running, sorted by its name, for a profile that turns off another than a rival.
    #[serde(skip)]
    pub units: Vec<Rival>,
    /// Why the installed units are not all known, where a directory of them cannot be read.
    #[serde(skip)]
    pub units_unread: Option<String>,
    /// The active tuned profile (`/etc/tuned/active_profile`), where tuned is installed.
    pub tuned_profile: Option<String>,
    /// What that profile is, where tuned is installed.
    pub tuned: Option<Tuned>,
    /// Kernel values that services write, whether or not these run.
    pub claims: Vec<Claim>,
    /// Why not all such values are known.
    pub unknown_claims: Vec<UnknownClaims>,
}

/// An installed service, like those that set what hftune sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default, JsonSchema)]
pub struct Rival {
    /// Unit name, like irqbalance.service.
    pub unit: String,
    /// Whether it starts at boot (a link in a `.wants` directory below `/etc/systemd/system`).
    pub enabled: bool,
    /// Whether it is masked.
    pub masked: bool,
    /// Whether its process is running.
    pub running: bool,
    /// Whether the administrator's own unit file is where a mask would be: a file in `/etc/systemd/system`.
    #[serde(skip)]
    pub own_file: bool,
}
