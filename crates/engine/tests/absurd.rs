//! Trees in which one file is missing, empty, binary or absurd: the split is right, or refused with the reason.
#![allow(
    clippy::disallowed_methods,
    reason = "a test makes the trees that hftune reads"
)]

use std::fs;
use std::path::Path;

use hftune_engine::in_force::Choices;
use hftune_engine::machine::Machine;
use hftune_model::CpuSet;
use hftune_sys::Root;

const CPU: &str = "sys/devices/system/cpu";
const NODE: &str = "sys/devices/system/node";

/// What a file may hold instead; `None` is no file.
const ABSURD: [Option<&[u8]>; 22] = [
    None,
    Some(b""),
    Some(b"\n"),
    Some(b"\0\n"),
    Some(b"\xff\xfe\x00\x01\n"),
    Some(b"(null)\n"),
    Some(b"-1\n"),
    Some(b"0\n"),
    Some(b"0-\n"),
    Some(b"7-0\n"),
    Some(b"0,1\n"),
    Some(b"0-7\n"),
    Some(b"0-7,64-127\n"),
    Some(b"2,64\n"),
    Some(b"512\n"),
    Some(b"99999999999999999999\n"),
    Some(b"0-8191\n"),
    Some(b"ff\n"),
    Some(b"00000000,000000ff\n"),
    Some(b"all\n"),
    Some(b"10 21\n"),
    Some("\u{663e}\u{5361} \u{1b}[2J\n".as_bytes()),
];

/// Eight CPUs: four cores of the threads N and N+4, two on each of two nodes, and a port on node 1.
fn files() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    let mut file = |path: String, text: &str| files.push((path, format!("{text}\n")));
    for name in ["online", "present", "possible"] {
        file(format!("{CPU}/{name}"), "0-7");
    }
    file(format!("{CPU}/smt/active"), "1");
    file(format!("{CPU}/isolated"), "");
    file(format!("{CPU}/nohz_full"), "(null)");
    for cpu in 0..8u32 {
        let (a, b) = (cpu % 4, cpu % 4 + 4);
        let topology = format!("{CPU}/cpu{cpu}/topology");
        file(format!("{topology}/core_cpus_list"), &format!("{a},{b}"));
        file(
            format!("{topology}/physical_package_id"),
            &(a / 2).to_string(),
        );
        file(format!("{CPU}/cpu{cpu}/cache/index3/level"), "3");
        file(
            format!("{CPU}/cpu{cpu}/cache/index3/shared_cpu_list"),
            ["0-1,4-5", "2-3,6-7"][(a / 2) as usize],
        );
    }
    for node in 0..2 {
        file(
            format!("{NODE}/node{node}/cpulist"),
            ["0-1,4-5", "2-3,6-7"][node],
        );
        file(
            format!("{NODE}/node{node}/distance"),
            ["10 21", "21 10"][node],
        );
        file(
            format!("{NODE}/node{node}/meminfo"),
            "Node 0 MemTotal: 8388608 kB",
        );
    }
    let device = "sys/devices/pci0000:3a/0000:3b:00.0";
    file(format!("{device}/numa_node"), "1");
    file(format!("{device}/net/ens1/operstate"), "up");
    file("proc/irq/default_smp_affinity".to_owned(), "ff");
    file("proc/irq/24/smp_affinity_list".to_owned(), "0-7");
    file("proc/irq/24/effective_affinity_list".to_owned(), "3");
    file(
        "proc/interrupts".to_owned(),
        "  CPU0 CPU1 CPU2 CPU3 CPU4 CPU5 CPU6 CPU7\n 24: 0 0 0 9 0 0 0 0 PCI-MSIX-0000:3b:00.0 0-edge ens1-rx-0",
    );
    file(
        "proc/cmdline".to_owned(),
        "BOOT_IMAGE=/vmlinuz root=/dev/sda ro",
    );
    file("proc/meminfo".to_owned(), "MemTotal: 16777216 kB");
    files
}

fn write(dir: &Path, path: &str, content: &[u8]) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().expect("below the tree")).expect("directory");
    fs::write(path, content).expect("file");
}

/// The split of the tree, or why there is none; checked against what the machine really is.
fn check(dir: &Path, what: &str) {
    let root = Root::tree(dir).expect("tree");
    let machine = Machine::read(&root, Choices::default()).expect("machine");
    let plan = machine.plan(&[]).expect("plan");
    machine.verify().expect("verify");
    let cpus = &plan.cpus;
    assert!(!cpus.why.is_empty(), "{what}");
    if let Some(refused) = &machine.refused {
        assert!(cpus.isolated.is_empty(), "{what}");
        assert!(
            !refused.reason.is_empty() && refused.fix.is_some(),
            "{what}"
        );
        return;
    }
    assert!(!cpus.housekeeping.is_empty(), "{what}");
    let online = &machine.host.cpus.online;
    assert_eq!(&cpus.housekeeping.union(&cpus.isolated), online, "{what}");
    for first in 0..4 {
        let core: CpuSet = [first, first + 4].into_iter().collect();
        let there = core.intersection(online);
        let kept = there.intersection(&cpus.housekeeping);
        assert!(
            kept.is_empty() || kept == there,
            "{what}: core {core} is split: {}",
            cpus.why
        );
    }
    if cpus.isolated.is_empty() {
        assert!(machine.host.cpus.cores.len() == 1, "{what}: {}", cpus.why);
        assert!(
            cpus.why.contains("no CPU is isolated"),
            "{what}: {}",
            cpus.why
        );
    }
}

#[test]
fn one_bad_file_never_splits_a_core() {
    let files = files();
    let tree = tempfile::tempdir().expect("temporary directory");
    for (path, text) in &files {
        write(tree.path(), path, text.as_bytes());
    }
    std::os::unix::fs::symlink("../../devices/pci0000:3a/0000:3b:00.0/net/ens1", {
        fs::create_dir_all(tree.path().join("sys/class/net")).expect("directory");
        tree.path().join("sys/class/net/ens1")
    })
    .expect("link");
    check(tree.path(), "as it should be");
    for (path, text) in &files {
        for absurd in ABSURD {
            match absurd {
                Some(content) => write(tree.path(), path, content),
                None => fs::remove_file(tree.path().join(path)).expect("remove"),
            }
            let shown = absurd.map(String::from_utf8_lossy);
            check(tree.path(), &format!("{path} = {shown:?}"));
            write(tree.path(), path, text.as_bytes());
        }
    }
}

#[test]
fn without_any_word_on_siblings_nothing_is_split() {
    let tree = tempfile::tempdir().expect("temporary directory");
    for (path, text) in files()
        .iter()
        .filter(|(path, _)| !path.ends_with("core_cpus_list"))
    {
        write(tree.path(), path, text.as_bytes());
    }
    let root = Root::tree(tree.path()).expect("tree");
    let machine = Machine::read(&root, Choices::default()).expect("machine");
    let refused = machine.refused.as_ref().expect("refused");
    assert!(
        refused.reason.contains("share a core with 0-7"),
        "{}",
        refused.reason
    );
    assert!(machine.cpus.isolated.is_empty());
    // Where the kernel says that there is no SMT, a CPU is a core.
    write(tree.path(), "sys/devices/system/cpu/smt/active", b"0\n");
    let machine = Machine::read(&root, Choices::default()).expect("machine");
    assert!(machine.refused.is_none());
    assert_eq!(machine.cpus.isolated.to_string(), "2-7");
}
