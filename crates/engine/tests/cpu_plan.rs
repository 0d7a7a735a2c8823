//! The split of the CPUs on every recorded machine: what must hold on each, and what is right on this one.

mod recorded;

use hftune_engine::in_force::Choices;
use hftune_engine::machine::Machine;
use hftune_model::CpuSet;
use hftune_model::plan::Plan;
use hftune_sys::Root;

/// Housekeeping, isolated and NIC-local CPUs of the machines whose archives begin so.
const RIGHT: &[(&str, &str, &str, &str)] = &[
    // Offline CPUs in the middle; the second core is in the boot CPU's last-level cache.
    ("16em64t-4s2c2t", "0,4,8,12", "1,3,6-7,9-11,15", ""),
    // The efficient cores 12-19, and the performance core that boots.
    ("20em64t-hybrid", "0-1,12-19", "2-11", ""),
    ("32amd64-4s2n4c", "0-1", "2-31", ""),
    // The port that is up is on node 2, which has ten cores: one of them serves its interrupts.
    (
        "40intel64-2g2n4c",
        "0,2",
        "1,3-39",
        "6,10,14,18,22,26,30,34,38",
    ),
    ("48amd64-4pa2n6c", "0-2", "3-47", ""),
    // Two cores of a shared module are one core to the kernel.
    ("64amd64-4s2n4ca2co", "0-3", "4-63", ""),
    // Every node claims every CPU; CPUs 0 and 2 share a cache and a socket.
    ("8em64t-2s2ca2c", "0,2", "1,3-7", ""),
    (
        "fakepcilocalities",
        "0-1",
        "2-39",
        "4-5,8-9,12-13,16-17,20-21,24-25,28-29,32-33,36-37",
    ),
    ("nvidia-dgx-gb10", "0-4,10-14", "5-9,15-19", ""),
    // CPUs 0-3 and node 0 are offline.
    ("offline-cpu0-node0", "4,6", "5,7-20", ""),
    ("sno", "0-1", "2-11", ""),
    // Interrupts on both nodes: a core with both threads on each.
    ("worker1", "0-1,40-41", "2-39,42-79", ""),
];

fn set(list: &str) -> CpuSet {
    CpuSet::parse_list(list, None).expect("list")
}

fn check(name: &str, machine: &Machine<'_>, plan: &Plan) {
    assert!(machine.refused.is_none(), "{name}: {:?}", machine.refused);
    let cpus = &plan.cpus;
    let online = &machine.host.cpus.online;
    assert!(!cpus.housekeeping.is_empty(), "{name}");
    assert!(!cpus.isolated.is_empty(), "{name}");
    assert!(cpus.isolated.is_subset(online), "{name}");
    assert!(
        cpus.isolated.intersection(&cpus.housekeeping).is_empty(),
        "{name}"
    );
    assert_eq!(&cpus.isolated.union(&cpus.housekeeping), online, "{name}");
    assert!(cpus.nic_local.is_subset(&cpus.isolated), "{name}");
    let boot = online.first().expect("an online CPU");
    assert!(cpus.housekeeping.contains(boot), "{name}");
    for core in &machine.host.cpus.cores {
        let kept = core.cpus.intersection(&cpus.housekeeping);
        assert!(
            kept.is_empty() || kept == core.cpus,
            "{name}: core {} is split",
            core.cpus
        );
    }
    assert!(
        cpus.why.contains(&cpus.isolated.to_string()) && cpus.why.contains("boot CPU"),
        "{name}: {}",
        cpus.why
    );
}

#[test]
fn recorded_machines_are_split_right() {
    for (name, tree) in recorded::machines() {
        let root = Root::tree(&recorded::top(&tree)).expect("tree");
        let machine = Machine::read(&root, Choices::default()).expect("machine");
        let plan = machine.plan(&[]).expect("plan");
        check(&name, &machine, &plan);
        println!("{name}: {}", plan.cpus.why);
        let right = RIGHT.iter().find(|(start, ..)| name.starts_with(start));
        if let Some((_, housekeeping, isolated, near)) = right {
            assert_eq!(plan.cpus.housekeeping, set(housekeeping), "{name}");
            assert_eq!(plan.cpus.isolated, set(isolated), "{name}");
            assert_eq!(plan.cpus.nic_local, set(near), "{name}");
        }
    }
}
