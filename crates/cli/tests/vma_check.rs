//! `hftune vma check` on directory trees: set-ups of libvma as people have them.

#![allow(
    clippy::disallowed_methods,
    reason = "tests build trees and start the binary under test"
)]

mod machine;

use machine::{Answer, Machine};

/// What is wrong, as "place: what".
fn faults(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    assert_eq!(json["schema"], "hftune/vma-check/1");
    let findings = json["findings"].as_array().expect("findings");
    findings
        .iter()
        .filter(|finding| finding["grade"] == "fault")
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap_or_default();
            assert!(!text("remedy").is_empty(), "{finding}");
            format!("{}: {}", text("place"), text("what"))
        })
        .collect()
}

#[track_caller]
fn has(faults: &[String], words: &str) {
    assert!(
        faults.iter().any(|fault| fault.contains(words)),
        "{words:?} is not in {faults:#?}"
    );
}

/// The files that are around in scripts for libvma: settings in the file of rules, unknown names, a library that is loaded
/// everywhere, a service without limits.
#[test]
fn the_set_up_of_a_popular_script_is_diagnosed() {
    let machine = Machine::rhel9().with_connectx();
    machine.file(
        "/etc/libvma.conf",
        "# VMA configuration for trading\nVMA_SPEC=tcp:*:*\nVMA_RX_POLL=-1\nVMA_SELECT_POLL=-1\nVMA_RX_POLL_NUM=100\n\
         VMA_SELECT_POLL_NUM=100\nVMA_HUGETLB=1\nVMA_FORK_SAFE=1\nVMA_STRQ=1\nVMA_STRQ_STRIDES_NUM=64\nVMA_THREAD_MODE=1\n\
         VMA_TCP_ABORT_ON_CLOSE=1\nuse vma tcp_server *:*\n",
    );
    machine.file("/etc/ld.so.preload", "/usr/lib64/libvma.so\n");
    machine.file(
        "/etc/profile.d/vma.sh",
        "export LD_PRELOAD=/usr/lib64/libvma.so # fast\nexport VMA_RX_POLL=-1\n",
    );
    machine.file(
        "/etc/systemd/system/trader.service",
        "[Service]\nUser=trader\nPrivateTmp=yes\nExecStart=/opt/start.sh\nLimitNOFILE=infinity\n\
         Environment=LD_PRELOAD=/usr/lib64/libvma.so VMA_SPEC=tcp:*:*\nEnvironment=VMA_TCP_NODELAY=yes\n\
         EnvironmentFile=-/etc/sysconfig/vma\n",
    );
    machine.file(
        "/etc/sysconfig/vma",
        "VMA_HUGETLB=1\nVMA_MEM_ALLOC_TYPE=hugepages\n",
    );
    let found = faults(&machine.run(&["vma", "check", "--json"]).expect(3));
    for line in 2..=12 {
        has(&found, &format!("/etc/libvma.conf:{line}: "));
    }
    has(&found, "stops reading at line 2: 0 rules hold, 1 are lost");
    has(
        &found,
        "/etc/ld.so.preload:1: every program loads libvma.so",
    );
    has(&found, "/etc/profile.d/vma.sh:1: every program");
    has(
        &found,
        "/etc/systemd/system/trader.service:6: VMA_SPEC=tcp:*:*",
    );
    has(
        &found,
        "/etc/systemd/system/trader.service:7: VMA_TCP_NODELAY=yes",
    );
    has(&found, "/etc/sysconfig/vma:1: libvma knows no VMA_HUGETLB");
    has(&found, "/etc/sysconfig/vma:2: VMA_MEM_ALLOC_TYPE=hugepages");
    for words in [
        "LimitMEMLOCK is not set",
        "LimitNOFILE is infinity",
        "CAP_NET_RAW",
        "/tmp of its own",
        "a shell",
    ] {
        has(&found, words);
    }
    has(&found, "VMA_INTERNAL_THREAD_AFFINITY is not set");
    let text = machine.run(&["vma", "check"]).expect(3).stdout;
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

/// What hftune itself leaves has no fault but those of the machine that the tree stands for.
#[test]
fn what_hftune_writes_is_right() {
    let machine = Machine::debian().with_connectx();
    machine
        .run(&["vma", "configure", "ens1f0", "ens1f1", "--yes"])
        .expect(0);
    machine.file(
        "/proc/self/limits",
        "Max locked memory  unlimited  unlimited  bytes\nMax open files  1024  65536  files\n",
    );
    machine.file("/dev/infiniband/uverbs0", "");
    std::fs::set_permissions(
        machine.path("/dev/infiniband/uverbs0"),
        std::os::unix::fs::PermissionsExt::from_mode(0o666),
    )
    .expect("mode");
    for node in [0, 1] {
        let pool = format!("/sys/devices/system/node/node{node}/hugepages/hugepages-2048kB");
        machine.file(&format!("{pool}/nr_hugepages"), "512\n");
        machine.file(&format!("{pool}/free_hugepages"), "512\n");
    }
    let answer = machine.run(&["vma", "check", "--json"]);
    assert_eq!(faults(&answer), [""; 0]);
    assert_eq!(answer.code, 0);
    let text = machine.run(&["vma", "check"]).expect(0).stdout;
    assert!(
        text.contains("ConnectX-5, driven by mlx5_core")
            && text.contains("ens1f0 192.0.2.2: its sockets are offloaded"),
        "{text}"
    );
}

#[test]
fn rules_that_leave_a_port_to_the_kernel_are_told() {
    let machine = Machine::debian().with_connectx();
    machine
        .run(&["vma", "configure", "ens1f0", "--yes"])
        .expect(0);
    machine.file(
        "/etc/libvma.conf",
        "application-id * *\nuse os tcp_server *:*\nuse os tcp_client *:*:*:*\n",
    );
    let found = faults(&machine.run(&["vma", "check", "--json"]).expect(3));
    has(
        &found,
        "ens1f0 192.0.2.2: the rules leave its sockets to the kernel: tcp_server, tcp_client",
    );
}

#[test]
fn a_helper_thread_on_an_isolated_or_missing_cpu_is_told() {
    let machine = Machine::debian().with_connectx();
    machine.file("/sys/devices/system/cpu/isolated", "2-7\n");
    machine.file(
        "/etc/hftune/vma.env",
        "VMA_INTERNAL_THREAD_AFFINITY=3\nVMA_SPEC=latency\n",
    );
    let found = faults(&machine.run(&["vma", "check", "--json"]).expect(3));
    has(&found, "/etc/hftune/vma.env:1: CPU 3 is isolated");
    has(&found, "VMA_SPEC=latency drops the locks");
    machine.file("/etc/hftune/vma.env", "VMA_INTERNAL_THREAD_AFFINITY=64\n");
    has(
        &faults(&machine.run(&["vma", "check", "--json"]).expect(3)),
        "CPU 64 is not there",
    );
}

#[test]
fn a_file_that_cannot_be_read_is_no_pass() {
    let machine = Machine::debian().with_connectx();
    std::fs::create_dir_all(machine.path("/etc/libvma.conf")).expect("directory");
    let found = faults(&machine.run(&["vma", "check", "--json"]).expect(3));
    has(&found, "what libvma reads of it cannot be told");
}
