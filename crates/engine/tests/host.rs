//! Reading the host: from made-up trees that try to mislead, and from recorded trees of real machines.
#![allow(
    clippy::disallowed_methods,
    reason = "a test makes the trees that hftune reads"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use hftune_engine::host::read;
use hftune_model::host::{BootKind, CoreKind, Host};
use hftune_model::{CpuSet, Size};
use hftune_sys::{Reader, Root};
use proptest::prelude::*;

mod recorded;
mod tree;

use tree::{Tree, host_below};

fn set(list: &str) -> CpuSet {
    CpuSet::parse_list(list, None).expect("list")
}

/// Every online CPU is in exactly one core, and in no more than one last-level cache.
fn check(host: &Host) {
    let mut seen = CpuSet::new();
    for core in &host.cpus.cores {
        assert!(core.cpus.intersection(&seen).is_empty(), "{core:?} twice");
        seen = seen.union(&core.cpus);
    }
    assert_eq!(seen, host.cpus.online);
    let mut cached = CpuSet::new();
    for cache in &host.cpus.last_level_caches {
        assert!(
            cache.cpus.intersection(&cached).is_empty(),
            "{cache:?} twice"
        );
        cached = cached.union(&cache.cpus);
    }
    assert!(cached.is_subset(&host.cpus.online));
    assert!(host.cpus.online.is_subset(&host.cpus.present));
    assert!(host.cpus.cores.is_sorted_by_key(|core| core.cpus.first()));
    assert!(host.nodes.is_sorted_by_key(|node| node.id));
    assert!(host.irqs.list.is_sorted_by_key(|irq| irq.number));
}

#[test]
fn an_empty_tree_is_a_host_of_which_nothing_is_known() {
    let host = Tree::new().host();
    check(&host);
    assert!(host.cpus.online.is_empty());
    assert_eq!(host.cpus.isolated, None);
    assert_eq!(host.boot_loader.kind, BootKind::Unknown);
    assert_eq!(host.virtualization, None);
    assert_eq!(host.unread.len(), 1, "{:?}", host.unread);
    assert!(
        host.unread[0]
            .ends_with("cpu/online: neither this file nor /proc/cpuinfo says which CPUs run")
    );
}

#[test]
fn files_that_mislead_are_no_facts() {
    let cpu = "/sys/devices/system/cpu";
    let host = Tree::new()
        .cpus()
        .file(&format!("{cpu}/nohz_full"), "  (null)\n")
        .file("/sys/devices/cpu_core/cpus", "\0\n")
        .file(&format!("{cpu}/isolated"), "3-1\n")
        // Siblings that do not exist, and a CPU that is not its own sibling.
        .file(&format!("{cpu}/cpu2/topology/core_cpus_list"), "3,64\n")
        .file(
            &format!("{cpu}/cpu0/topology/physical_package_id"),
            "zero\n",
        )
        .file(&format!("{cpu}/smt/control"), "")
        .file("/proc/cpuinfo", b"\xff\xfe\x00\x01")
        .dir("/proc/cmdline")
        .file("/proc/meminfo", "")
        .link("/proc/version", "version")
        .file("/proc/irq/7/smp_affinity_list", "99999999999\n")
        .file("/proc/irq/7/effective_affinity_list", "\n")
        .file("/proc/irq/default_smp_affinity", "f\n")
        .file("/proc/interrupts", "rubbish")
        .file("/etc/default/grub", b"\x80")
        .host();
    check(&host);
    let cores: Vec<String> = host
        .cpus
        .cores
        .iter()
        .map(|core| core.cpus.to_string())
        .collect();
    assert_eq!(cores, ["0", "1", "2-3"]);
    assert_eq!(host.cpus.cores[0].package, -1);
    assert_eq!(host.cpus.nohz_full, Some(CpuSet::new()));
    assert_eq!((host.cpus.isolated, host.cpus.smt), (None, None));
    assert_eq!(host.memory.total, Size(0));
    assert_eq!(host.irqs.default_affinity, Some(set("0-3")));
    assert_eq!(host.irqs.list.len(), 1);
    assert_eq!(host.irqs.list[0].requested, None);
    assert_eq!(host.irqs.list[0].effective, Some(CpuSet::new()));
    assert!(host.boot_loader.files.is_empty());
    let reason = |file: &str| {
        let entries: Vec<&String> = host
            .unread
            .iter()
            .filter(|entry| entry.contains(file))
            .collect();
        assert_eq!(entries.len(), 1, "{file} in {:#?}", host.unread);
        entries[0]
            .split_once(": ")
            .expect("path: reason")
            .1
            .to_owned()
    };
    assert_eq!(
        reason("cpu/isolated"),
        "\"3-1\" is not a CPU list: \"3-1\" runs backwards"
    );
    assert_eq!(
        reason("physical_package_id"),
        "expected a number, found \"zero\""
    );
    assert_eq!(reason("cpuinfo"), "it is not text (byte 0)");
    assert!(reason("cmdline").contains("Is a directory"));
    assert_eq!(reason("meminfo"), "there is no line MemTotal");
    assert!(
        reason("version").contains("symbolic links"),
        "a link to itself"
    );
    assert!(reason("smp_affinity_list").contains("above 8191"));
    assert_eq!(
        reason("interrupts"),
        "expected the names of CPUs, found \"rubbish\""
    );
    assert_eq!(reason("default/grub"), "it is not text (byte 0)");
    assert_eq!(host.unread.len(), 9);
}

#[test]
fn without_root_the_rest_is_read_all_the_same() {
    use std::os::unix::fs::PermissionsExt;
    let tree = Tree::new()
        .cpus()
        .file("/etc/default/grub", "X=1")
        .dir("/boot/loader/entries");
    for path in ["/etc/default/grub", "/boot/loader/entries"] {
        fs::set_permissions(tree.path(path), fs::Permissions::from_mode(0o000)).expect("mode");
    }
    let host = tree.host();
    let as_root = fs::read(tree.path("/etc/default/grub")).is_ok();
    fs::set_permissions(
        tree.path("/boot/loader/entries"),
        fs::Permissions::from_mode(0o700),
    )
    .expect("mode");
    check(&host);
    if as_root {
        println!("partly skipped: root may read every file");
        return;
    }
    assert_eq!(host.unread.len(), 2, "{:?}", host.unread);
    assert!(
        host.unread
            .iter()
            .all(|entry| entry.contains("Permission denied"))
    );
}

#[test]
fn garbage_is_quoted_briefly_and_cannot_steer_the_terminal() {
    let garbage = format!("\u{1b}[2J{}", "x".repeat(100_000));
    let host = Tree::new()
        .cpus()
        .file("/sys/devices/system/cpu/isolated", garbage)
        .host();
    assert_eq!(host.unread.len(), 1);
    assert!(
        host.unread[0].len() < 1000 && !host.unread[0].contains('\u{1b}'),
        "{}",
        host.unread[0]
    );
}

#[test]
fn ports_are_found_with_their_pci_device() {
    let virtio = "/sys/devices/pci0000:00/0000:00:05.0";
    let mellanox = "/sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0";
    let port = format!("{mellanox}/net/ens1f0");
    let host = Tree::new()
        .cpus()
        .link(
            "/sys/class/net/eth0",
            "../../devices/pci0000:00/0000:00:05.0/virtio1/net/eth0",
        )
        .link(
            &format!("{virtio}/virtio1/net/eth0/device"),
            "../../../virtio1",
        )
        .link(
            &format!("{virtio}/virtio1/driver"),
            "../../../../bus/virtio/drivers/virtio_net",
        )
        .file(&format!("{virtio}/numa_node"), "-1\n")
        .file(&format!("{virtio}/virtio1/net/eth0/speed"), "-1\n")
        .link(
            "/sys/class/net/ens1f0",
            "../../devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0/net/ens1f0",
        )
        .link(&format!("{port}/device"), "../../../0000:3b:00.0")
        .link(
            &format!("{mellanox}/driver"),
            "../../../../bus/pci/drivers/mlx5_core",
        )
        .file(&format!("{mellanox}/vendor"), "0x15b3\n")
        .file(&format!("{mellanox}/device"), "0x1017\n")
        .file(&format!("{mellanox}/numa_node"), "1\n")
        .file(&format!("{port}/speed"), "100000\n")
        .file(&format!("{port}/operstate"), "up\n")
        .file(&format!("{port}/address"), "0c:42:a1:00:00:01\n")
        .link("/sys/class/net/lo", "../../devices/virtual/net/lo")
        .file("/sys/devices/virtual/net/lo/address", "00:00:00:00:00:00\n")
        .file("/sys/class/net/bonding_masters", "bond0\n")
        .host();
    let [connectx, eth0] = host.nics.as_slice() else {
        panic!("{:?}", host.nics);
    };
    assert_eq!(connectx.name, "ens1f0");
    assert_eq!(connectx.driver.as_deref(), Some("mlx5_core"));
    assert_eq!(connectx.pci_address.as_deref(), Some("0000:3b:00.0"));
    assert_eq!(connectx.pci_id.as_deref(), Some("15b3:1017"));
    assert_eq!(
        (connectx.node, connectx.speed_mbps),
        (Some(1), Some(100_000))
    );
    assert_eq!(connectx.state.as_deref(), Some("up"));
    assert_eq!(connectx.mac.as_deref(), Some("0c:42:a1:00:00:01"));
    assert!(connectx.vma_capable);
    assert_eq!(eth0.driver.as_deref(), Some("virtio_net"));
    assert_eq!(eth0.pci_address.as_deref(), Some("0000:00:05.0"));
    assert_eq!(
        (eth0.node, eth0.speed_mbps, eth0.vma_capable),
        (None, None, false)
    );
    assert!(host.unread.is_empty(), "{:?}", host.unread);
}

/// The three ways to the device of an interrupt: its chip, `msi_irqs` of the device, and the pin of a device.
#[test]
fn interrupts_know_their_devices() {
    let pci = "/sys/bus/pci/devices";
    let host = Tree::new()
        .cpus()
        .file(
            "/proc/interrupts",
            "  CPU0 CPU1 CPU2 CPU3\n 24: 1 2 3 4 PCI-MSIX-0000:3b:00.0 1-edge mlx5_comp0\n 25: 0 0 0 0 PCI-MSI 524288-edge eth0-rx-0\n \
             16: 0 0 0 0 IO-APIC 16-fasteoi i801_smbus\n 17: 0 0 0 0 IO-APIC 17-fasteoi usb1, usb2\n",
        )
        .dir(&format!("{pci}/0000:3b:00.0"))
        .file(&format!("{pci}/0000:3b:00.0/numa_node"), "1\n")
        .link(&format!("{pci}/0000:3b:00.0/driver"), "../../../bus/pci/drivers/mlx5_core")
        .file(&format!("{pci}/0000:19:00.0/msi_irqs/25"), "msix\n")
        .file(&format!("{pci}/0000:19:00.0/numa_node"), "-1\n")
        .file(&format!("{pci}/0000:00:1f.4/irq"), "16\n")
        .link(&format!("{pci}/0000:00:1f.4/driver"), "../../../bus/pci/drivers/i801_smbus")
        .file(&format!("{pci}/0000:00:1a.0/irq"), "17\n")
        .link(&format!("{pci}/0000:00:1a.0/driver"), "../../../bus/pci/drivers/ehci-pci")
        .file(&format!("{pci}/0000:00:1d.0/irq"), "17\n")
        .link(&format!("{pci}/0000:00:1d.0/driver"), "../../../bus/pci/drivers/ehci-pci")
        .file(&format!("{pci}/0000:00:02.0/irq"), "16\n")
        .host();
    let devices: Vec<_> = host
        .irqs
        .list
        .iter()
        .map(|irq| (irq.number, irq.device.as_deref(), irq.node))
        .collect();
    assert_eq!(
        devices,
        [
            (16, Some("0000:00:1f.4"), None),
            (17, None, None),
            (24, Some("0000:3b:00.0"), Some(1)),
            (25, Some("0000:19:00.0"), None),
        ]
    );
    assert_eq!(host.irqs.drivers["0000:3b:00.0"], "mlx5_core");
    assert!(host.unread.is_empty(), "{:?}", host.unread);
}

/// File modes say what takes no writes, but not where a copy gave all files the same mode.
#[test]
fn a_file_that_takes_no_writes_tells_what_is_managed() {
    let interrupts = "  CPU0 CPU1 CPU2 CPU3\n 0: 1 0 0 0 IO-APIC 2-edge timer\n 24: 1 2 3 4 PCI-MSIX-0000:3b:00.0 1-edge q1\n \
                      25: 0 0 0 0 PCI-MSIX-0000:3b:00.0 2-edge q2\n";
    let told = |release: &str, read_only: &[u32]| {
        let tree = [0, 24, 25].iter().fold(
            Tree::new()
                .cpus()
                .file("/proc/sys/kernel/osrelease", release)
                .file("/proc/interrupts", interrupts),
            |tree, irq| tree.file(&format!("/proc/irq/{irq}/smp_affinity_list"), "0-3\n"),
        );
        for irq in read_only {
            let path = tree.path(&format!("/proc/irq/{irq}/smp_affinity_list"));
            fs::set_permissions(path, fs::Permissions::from_mode(0o444)).expect("mode");
        }
        let list = tree.host().irqs.list;
        [0, 1, 2].map(|at| (list[at].managed, list[at].fixed))
    };
    let unknown = (None, false);
    assert_eq!(
        told("6.12.0\n", &[0, 24]),
        [(None, true), (Some(true), false), (Some(false), false)]
    );
    assert_eq!(told("6.12.0\n", &[]), [unknown; 3]);
    assert_eq!(told("6.12.0\n", &[0, 24, 25]), [unknown; 3]);
    assert_eq!(told("5.14.0\n", &[0, 24]), [unknown; 3]);
}

#[test]
fn interrupts_without_a_line_count_too() {
    let host = Tree::new()
        .cpus()
        .file("/proc/interrupts", "  CPU0 CPU1 CPU2 CPU3\n 24: 1 2 3 4 PCI-MSIX-0000:3b:00.0 1-edge mlx5_comp0\nNMI: 0 0 0 0 x\n")
        .file("/proc/irq/24/smp_affinity_list", "0-3\n")
        .file("/proc/irq/24/effective_affinity_list", "2\n")
        .file("/proc/irq/9/smp_affinity_list", "0-3\n")
        .file("/sys/kernel/debug/irq/irqs/24", "dstate:   0x37408200\n            IRQD_AFFINITY_MANAGED\n")
        .file("/sys/kernel/debug/irq/irqs/9", "dstate:   0x0\n")
        .host();
    let [nobody, queue] = host.irqs.list.as_slice() else {
        panic!("{:?}", host.irqs);
    };
    assert_eq!(
        (nobody.number, nobody.name.as_str(), nobody.managed),
        (9, "", Some(false))
    );
    assert_eq!(
        (queue.number, queue.count, queue.managed),
        (24, 10, Some(true))
    );
    assert_eq!(
        (queue.name.as_str(), queue.chip.as_str()),
        ("mlx5_comp0", "PCI-MSIX-0000:3b:00.0 1-edge")
    );
    assert_eq!(
        (&queue.requested, &queue.effective),
        (&Some(set("0-3")), &Some(set("2")))
    );
    assert!(host.unread.is_empty(), "{:?}", host.unread);
}

#[test]
fn boot_loaders_are_told_apart() {
    let debian = || Tree::new().cpus().file("/etc/os-release", "ID=debian\n");
    let rocky = || {
        Tree::new().cpus().file(
            "/usr/lib/os-release",
            "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
        )
    };
    let host = debian()
        .file("/boot/grub/grub.cfg", "linux /vmlinuz ro\n")
        .file("/etc/default/grub", "GRUB_CMDLINE_LINUX=\"\"\n")
        .file("/etc/default/grub.d/50-cloud.cfg", "X=1\n")
        .file("/etc/default/grub.d/README", "not read by update-grub\n")
        .host();
    assert_eq!(host.boot_loader.kind, BootKind::GrubMkconfig);
    assert_eq!(host.boot_loader.files.len(), 3);
    assert_eq!(debian().host().boot_loader.kind, BootKind::Unknown);

    let entry = "/boot/loader/entries/abc-5.14.0.conf";
    let host = rocky()
        .file(entry, "options root=x\n")
        .file("/boot/grub2/grubenv", "kernelopts=\n")
        .host();
    assert_eq!(host.boot_loader.kind, BootKind::Bls);
    assert!(host.boot_loader.files.contains_key(Path::new(entry)));
    assert_eq!(host.boot_loader.files.len(), 2);

    // systemd-boot keeps its entries in the same directory.
    assert_eq!(
        Tree::new().cpus().file(entry, "").host().boot_loader.kind,
        BootKind::Unknown
    );
    let blscfg = Tree::new()
        .cpus()
        .file(entry, "")
        .file("/boot/grub/grub.cfg", "insmod blscfg\nblscfg\n");
    assert_eq!(blscfg.host().boot_loader.kind, BootKind::Bls);

    // The environment block is known by the name of the file, not of the links to it.
    let real = "/boot/efi/EFI/rocky/grubenv";
    let linked = rocky()
        .file(entry, "options $kernelopts\n")
        .file(real, "kernelopts=ro\n")
        .link("/boot/grub2/grubenv", "../efi/./EFI/rocky/env")
        .link("/boot/efi/EFI/rocky/env", "/boot/efi/EFI/rocky/grubenv")
        .host();
    let paths: Vec<_> = linked.boot_loader.files.keys().collect();
    assert_eq!(paths, [Path::new(real), Path::new(entry)]);
    let circle = rocky()
        .file(entry, "")
        .link("/boot/grub2/grubenv", "grubenv")
        .host();
    assert_eq!(circle.boot_loader.files.len(), 1);

    // A menu of its own, and where it is.
    let menu = "menuentry 'x' {\n\tlinux /vmlinuz ro\n}\n";
    for path in ["/boot/grub2/grub.cfg", "/boot/efi/EFI/rocky/grub.cfg"] {
        let host = rocky().file(entry, "").file(path, menu).host();
        assert_eq!(host.boot_loader.kind, BootKind::Grub2Menu);
        assert!(host.boot_loader.files.contains_key(Path::new(path)));
    }
    let stub = rocky()
        .file(entry, "")
        .file("/boot/grub2/grub.cfg", "insmod blscfg\nblscfg\n")
        .file(
            "/boot/efi/EFI/rocky/grub.cfg",
            "configfile $prefix/grub.cfg\n",
        );
    assert_eq!(stub.host().boot_loader.kind, BootKind::Bls);

    let ostree = rocky()
        .file(entry, "")
        .file("/proc/cmdline", "rw ostree=/ostree/boot.0/x/0\n")
        .host();
    assert_eq!(ostree.boot_loader.kind, BootKind::Ostree);
    assert_eq!(
        rocky()
            .file("/run/ostree-booted", "")
            .host()
            .boot_loader
            .kind,
        BootKind::Ostree
    );
}

#[test]
fn rivals_are_those_installed_and_what_they_do_is_seen() {
    let host = Tree::new()
        .cpus()
        .dir("/run/systemd/system")
        .file("/usr/lib/systemd/system/irqbalance.service", "")
        .file("/usr/lib/systemd/system/tuned.service", "")
        .file("/usr/lib/systemd/system/thermald.service", "")
        .link(
            "/etc/systemd/system/multi-user.target.wants/irqbalance.service",
            "/usr/lib/systemd/system/irqbalance.service",
        )
        .link("/etc/systemd/system/tuned.service", "/dev/null")
        .link("/etc/systemd/system/numad.service", "/dev/null")
        .link("/run/systemd/units/invocation:irqbalance.service", "0123")
        .file(
            "/proc/812/status",
            "Name:\tthermald\nState:\tS\nPPid:\t1\nThreads:\t1\nCpus_allowed_list:\t0-3\n",
        )
        .file("/etc/tuned/active_profile", "network-latency\n")
        .host();
    assert!(host.services.systemd);
    assert_eq!(
        host.services.tuned_profile.as_deref(),
        Some("network-latency")
    );
    let rivals: Vec<_> = host
        .services
        .rivals
        .iter()
        .map(|r| (r.unit.as_str(), r.enabled, r.masked, r.running))
        .collect();
    assert_eq!(
        rivals,
        [
            ("irqbalance.service", true, false, true),
            ("tuned.service", false, true, false),
            ("thermald.service", false, false, true),
        ]
    );
}

#[test]
fn caches_kinds_and_idle_states_of_a_hybrid_machine() {
    let cpu = "/sys/devices/system/cpu";
    let tree = Tree::new()
        .cpus()
        .file("/sys/devices/cpu_core/cpus", "0-1\n")
        .file("/sys/devices/cpu_atom/cpus", "2-3\n")
        .file(&format!("{cpu}/cpu0/cpuidle/state1/name"), "C1\n")
        .file(&format!("{cpu}/cpu0/cpuidle/state1/latency"), "2\n")
        .file(&format!("{cpu}/cpu0/cpuidle/state0/name"), "POLL\n")
        .file(&format!("{cpu}/cpu0/cpuidle/state0/latency"), "0\n");
    // CPU 3 has no third level, as the low-power cores of some parts.
    let tree = (0..4).fold(tree, |tree, n| {
        let cache = format!("{cpu}/cpu{n}/cache");
        let tree = tree
            .file(&format!("{cache}/index2/level"), "2\n")
            .file(&format!("{cache}/index2/size"), "2048K\n")
            .file(&format!("{cache}/index2/shared_cpu_list"), format!("{n}\n"));
        if n == 3 {
            return tree;
        }
        tree.file(&format!("{cache}/index3/level"), "3\n")
            .file(&format!("{cache}/index3/size"), "24576K\n")
            .file(&format!("{cache}/index3/shared_cpu_list"), "0-2\n")
    });
    let host = tree.host();
    check(&host);
    let caches: Vec<_> = host
        .cpus
        .last_level_caches
        .iter()
        .map(|c| (c.level, c.size.as_str(), c.cpus.to_string()))
        .collect();
    assert_eq!(
        caches,
        [
            (3, "24576K", "0-2".to_owned()),
            (2, "2048K", "3".to_owned())
        ]
    );
    let kinds: Vec<_> = host.cpus.cores.iter().map(|core| core.kind).collect();
    assert_eq!(
        kinds,
        [
            CoreKind::Performance,
            CoreKind::Performance,
            CoreKind::Efficient,
            CoreKind::Efficient
        ]
    );
    let states: Vec<_> = host
        .cpus
        .idle_states
        .iter()
        .map(|s| (s.index, s.name.as_str(), s.latency_us))
        .collect();
    assert_eq!(states, [(0, "POLL", 0), (1, "C1", 2)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any bytes in the files that are parsed: no panic, and the CPUs still add up.
    #[test]
    fn any_bytes_in_any_file(
        contents in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..20),
                "[0-9a-f,:/ -]{0,12}\n?".prop_map(String::into_bytes),
            ],
            FILES.len(),
        )
    ) {
        let tree = FILES.iter().zip(contents).fold(Tree::new(), |tree, (path, content)| tree.file(path, content));
        check(&tree.host());
    }
}

const FILES: &[&str] = &[
    "/sys/devices/system/cpu/online",
    "/sys/devices/system/cpu/present",
    "/sys/devices/system/cpu/cpu0/online",
    "/sys/devices/system/cpu/cpu0/topology/core_cpus_list",
    "/sys/devices/system/cpu/cpu1/topology/thread_siblings",
    "/sys/devices/system/cpu/cpu1/topology/physical_package_id",
    "/sys/devices/system/cpu/cpu0/cache/index3/level",
    "/sys/devices/system/cpu/cpu0/cache/index3/shared_cpu_list",
    "/sys/devices/system/cpu/cpu0/cpu_capacity",
    "/sys/devices/system/node/node0/cpulist",
    "/sys/devices/system/node/node1/cpumap",
    "/sys/devices/system/node/node1/meminfo",
    "/proc/cpuinfo",
    "/proc/interrupts",
    "/proc/irq/1/smp_affinity_list",
    "/proc/irq/default_smp_affinity",
    "/proc/config.gz",
    "/proc/7/status",
    "/etc/os-release",
];

#[test]
fn recorded_machines() {
    for (name, tree) in recorded::machines() {
        let host = host_below(&recorded::top(&tree));
        check(&host);
        let cpus = &host.cpus;
        println!(
            "{name}: {} CPUs, {} cores, {} nodes, {} ports, {} IRQs, {} unread",
            cpus.online.len(),
            cpus.cores.len(),
            host.nodes.len(),
            host.nics.len(),
            host.irqs.list.len(),
            host.unread.len()
        );
        assert!(host.unread.is_empty(), "{name}: {:?}", host.unread);
        assert_eq!(
            host.nodes_make_no_sense.is_some(),
            name.contains("buggynuma"),
            "{name}"
        );
        assert!(cpus.siblings_unknown.is_empty(), "{name}");
        assert!(
            host.memory.total.0 > 0 || name.contains("offlines"),
            "{name}"
        );
        let of_kind = |kind| cpus.cores.iter().filter(|core| core.kind == kind).count();
        match name
            .split_once('.')
            .map_or(name.as_str(), |(first, _)| first)
        {
            "worker1" => check_worker1(&host),
            "sno" => {
                assert_eq!(cpus.online, set("0-11"));
                assert_eq!(host.kernel.architecture, "x86_64");
                assert!(cpus.flags.iter().any(|flag| flag == "hypervisor"));
                assert!(host.virtualization.is_some());
            }
            "20em64t-hybrid-1p6c2t+2ca4co1t" => {
                assert_eq!(cpus.cores.len(), 14);
                assert_eq!(
                    cpus.cores
                        .iter()
                        .filter(|core| core.cpus.len() == 2)
                        .count(),
                    6
                );
                // Its kernel shows no PMU for each kind; the firmware's nominal performance and the caches tell.
                assert_eq!(
                    (of_kind(CoreKind::Performance), of_kind(CoreKind::Efficient)),
                    (6, 8)
                );
            }
            "offline-cpu0-node0" => {
                assert_eq!(cpus.online, set("4-20"));
                assert_eq!(cpus.present, set("0-23"));
                assert!(host.nodes.iter().all(|node| node.id == 1));
            }
            "16em64t-4s2c2t-offlines" => assert_eq!(cpus.online, set("0-1,3-4,6-12,15")),
            "48amd64-4pa2n6c-sparse" => {
                let ids: Vec<u32> = host.nodes.iter().map(|node| node.id).collect();
                assert_eq!(ids, [0, 1, 2, 33, 34, 45, 72, 73]);
                assert!(cpus.cores.iter().all(|core| core.node.is_some()));
            }
            "8em64t-2s2ca2c-buggynuma" => {
                assert!(cpus.cores.iter().all(|core| core.node.is_none()));
                let why = host.nodes_make_no_sense.as_deref();
                assert_eq!(why, Some("CPUs 0-7 are in node 1 and in a lower one too"));
            }
            "40intel64-2g2n4c+pcilocality" => check_ports(&host, None, 2),
            "fakepcilocalities" => check_ports(&host, Some(0), 1),
            "nvidia-dgx-gb10" => {
                assert_eq!(
                    (of_kind(CoreKind::Performance), of_kind(CoreKind::Efficient)),
                    (10, 10)
                );
                assert_eq!(cpus.nohz_full, Some(CpuSet::new()));
                assert_eq!(host.kernel.version(), Some((6, 17)));
                assert_eq!(host.kernel.architecture, "aarch64");
            }
            _ => {}
        }
    }
}

/// Four Ethernet ports and one of InfiniBand, with the nodes that the firmware names.
fn check_ports(host: &Host, ethernet: Option<u32>, infiniband: u32) {
    let nodes: Vec<_> = host
        .nics
        .iter()
        .map(|nic| (nic.name.as_str(), nic.node))
        .collect();
    let eth = |name| (name, ethernet);
    assert_eq!(
        nodes,
        [
            eth("eth0"),
            eth("eth1"),
            eth("eth2"),
            eth("eth3"),
            ("ib0", Some(infiniband))
        ]
    );
}

fn check_worker1(host: &Host) {
    assert_eq!(host.cpus.online, set("0-79"));
    assert_eq!(host.cpus.cores.len(), 40);
    assert_eq!(host.cpus.last_level_caches.len(), 2);
    assert_eq!(host.nodes.len(), 2);
    assert_eq!(host.irqs.list.len(), 554);
    let isolated = set("0-4,11-79");
    let fires_there = |irq: &&hftune_model::host::Irq| {
        irq.effective
            .as_ref()
            .is_some_and(|cpus| !cpus.intersection(&isolated).is_empty())
    };
    assert_eq!(host.irqs.list.iter().filter(fires_there).count(), 513);
    let of = |name: &str| {
        host.irqs
            .list
            .iter()
            .find(|irq| irq.name == name)
            .expect("interrupt")
    };
    let queue = of("i40e-ens7f0-TxRx-3");
    assert_eq!(
        (queue.device.as_deref(), queue.node, queue.managed),
        (Some("0000:86:00.0"), Some(1), None)
    );
    assert_eq!(host.irqs.drivers["0000:86:00.0"], "i40e");
    assert_eq!(host.boot_loader.kind, BootKind::Ostree);
    assert!(
        host.kernel
            .cmdline
            .contains("isolcpus=managed_irq,0-4,11-79")
    );
}

/// The machine that runs the test: whatever it is, it has CPUs and memory.
#[test]
fn this_machine() {
    let root = Root::live();
    let host = read(&Reader::new(&root));
    check(&host);
    assert!(!host.cpus.online.is_empty() && host.memory.total.0 > 0);
    assert!(host.cpus.allowed.is_some_and(|cpus| !cpus.is_empty()));
    assert!(!host.kernel.release.is_empty() && !host.kernel.architecture.is_empty());
    assert!(!host.tasks.is_empty());
}
