//! Machines as they are sold, machines as they should not be, and random ones.

use std::collections::BTreeMap;

use hftune_model::host::{Cache, Core, CoreKind, Host, Irq, Nic, Node};
use hftune_model::profile::Profile;
use hftune_model::{CpuSet, Error};
use proptest::prelude::*;

use super::split;

fn set(list: &str) -> CpuSet {
    CpuSet::parse_list(list, None).expect("list")
}

/// A host of these cores: CPUs and node of each.
fn host(cores: impl IntoIterator<Item = (CpuSet, Option<u32>)>) -> Host {
    let mut host = Host::default();
    let mut nodes: BTreeMap<u32, CpuSet> = BTreeMap::new();
    for (cpus, node) in cores {
        host.cpus.online = host.cpus.online.union(&cpus);
        if let Some(node) = node {
            let of = nodes.entry(node).or_default();
            *of = of.union(&cpus);
        }
        host.cpus.cores.push(Core {
            cpus,
            package: node.map_or(0, |node| i32::try_from(node).expect("small")),
            node,
            kind: CoreKind::Uniform,
        });
    }
    host.cpus.cores.sort_by_key(|core| core.cpus.first());
    host.cpus.present = host.cpus.online.clone();
    let ids: Vec<u32> = nodes.keys().copied().collect();
    host.nodes = nodes
        .into_iter()
        .map(|(id, cpus)| Node {
            id,
            cpus,
            distances: ids
                .iter()
                .map(|other| 10 + 11 * other.abs_diff(id))
                .collect(),
            ..Node::default()
        })
        .collect();
    host
}

/// Cores without SMT on one node.
fn plain(cores: u32) -> Host {
    host((0..cores).map(|cpu| ([cpu].into_iter().collect(), Some(0))))
}

/// Two sockets of twenty cores with two threads, numbered by turns: node 0 has the even CPUs.
fn dell() -> Host {
    host((0..40).map(|cpu| ([cpu, cpu + 40].into_iter().collect(), Some(cpu % 2))))
}

fn caches(host: &mut Host, size: u32) {
    let cpus: Vec<u32> = host.cpus.online.iter().collect();
    host.cpus.last_level_caches = cpus
        .chunks(size as usize)
        .map(|cpus| Cache {
            level: 3,
            size: "16384K".to_owned(),
            cpus: cpus.iter().copied().collect(),
        })
        .collect();
}

fn port(name: &str, driver: &str, node: Option<u32>) -> Nic {
    Nic {
        name: name.to_owned(),
        driver: Some(driver.to_owned()),
        node,
        vma_capable: driver == "mlx5_core",
        state: Some("up".to_owned()),
        ..Nic::default()
    }
}

/// The built-in rule, and what a profile adds to it.
fn profile(text: &str) -> Profile {
    let text = if text.contains("housekeeping") {
        text.to_owned()
    } else {
        format!("housekeeping_rule = {{ 1 = 1, 6 = 2, 48 = 3, 96 = 4, 192 = 6 }}\n{text}")
    };
    toml::from_str(&format!("[cpus]\n{text}")).expect("profile")
}

fn sides(host: &Host, text: &str) -> (String, String, String) {
    let plan = split(host, &profile(text), false).expect("split");
    (
        plan.housekeeping.to_string(),
        plan.isolated.to_string(),
        plan.nic_local.to_string(),
    )
}

fn why(host: &Host, text: &str) -> String {
    split(host, &profile(text), false).expect("split").why
}

fn refusal(host: &Host, text: &str) -> (String, String) {
    let Error { what, hint, .. } = split(host, &profile(text), false).expect_err("refused");
    (what, hint.unwrap_or_default())
}

fn same(found: &(String, String, String), housekeeping: &str, isolated: &str, near: &str) {
    let (h, i, n) = found;
    assert_eq!(
        (h.as_str(), i.as_str(), n.as_str()),
        (housekeeping, isolated, near)
    );
}

#[test]
fn eight_cores_are_two_and_six() {
    same(&sides(&plain(8), ""), "0-1", "2-7", "");
    // The same in two sockets: four cores are too few to give one away on each node.
    let mut two = host((0..8).map(|cpu| ([cpu].into_iter().collect(), Some(cpu / 4))));
    two.nics = vec![port("ens1", "mlx5_core", Some(1))];
    same(&sides(&two, ""), "0-1", "2-7", "4-7");
}

#[test]
fn the_count_grows_slowly() {
    let count = |cores| {
        let plan = split(&plain(cores), &profile(""), false).expect("split");
        plan.housekeeping.len()
    };
    assert_eq!(
        [1, 2, 4, 5, 6, 8, 16, 40].map(count),
        [1, 1, 1, 1, 2, 2, 2, 2]
    );
    assert_eq!(
        [48, 64, 95, 96, 128, 192, 256].map(count),
        [3, 3, 3, 4, 4, 6, 6]
    );
}

#[test]
fn two_sockets_give_a_core_on_each_node_with_interrupts() {
    let mut host = dell();
    host.nics = vec![
        port("eno1", "tg3", Some(0)),
        port("ens7f0", "mlx5_core", Some(1)),
    ];
    let near: CpuSet = (0..80).filter(|cpu| cpu % 2 == 1).collect();
    let near = near.difference(&set("1,41")).to_string();
    same(&sides(&host, ""), "0-1,40-41", "2-39,42-79", &near);
    insta::assert_snapshot!(why(&host, ""), @"2 sockets, 2 nodes, 40 cores, 2 threads a core; ens7f0 is on node 1, so the application gets node 1 first; the OS and the interrupts get 2 of 40 cores, whole with all threads: 0,40 on node 0, with the boot CPU 0; 1,41 on node 1, which has interrupts to serve; the application gets 2-39,42-79");
}

#[test]
fn interrupts_of_other_devices_count_too() {
    let mut host = dell();
    host.irqs.list = vec![Irq {
        number: 30,
        name: "nvme0q1".to_owned(),
        node: Some(1),
        ..Irq::default()
    }];
    assert_eq!(sides(&host, "").0, "0-1,40-41");
    // Nobody asked for this one.
    host.irqs.list[0].name.clear();
    assert_eq!(sides(&host, "").0, "0,2,40,42");
}

#[test]
fn more_cores_come_from_where_no_trading_port_is() {
    let mut host = dell();
    host.nics = vec![port("ens1", "mlx5_core", Some(0))];
    // CPU 0 boots, so that node 0 gives one core; the others are on node 1.
    assert_eq!(sides(&host, "housekeeping_cores = 3").0, "0-1,3,40-41,43");
}

#[test]
fn last_level_caches_are_kept_whole() {
    let mut host = plain(64);
    caches(&mut host, 4);
    // Three by the rule, and the fourth core of their cache.
    same(&sides(&host, ""), "0-3", "4-63", "");
    assert!(why(&host, "").contains("3, in the same last-level cache"));
    // By order of the profile it is three all the same.
    assert_eq!(sides(&host, "housekeeping_cores = 3").0, "0-2");
    // The second core is in the boot CPU's cache, wherever its number is.
    let mut even = plain(8);
    even.cpus.last_level_caches = [("0,2,4,6"), ("1,3,5,7")]
        .map(|cpus| Cache {
            cpus: set(cpus),
            ..Cache::default()
        })
        .into();
    assert_eq!(sides(&even, "").0, "0,2");
}

#[test]
fn efficient_cores_serve_the_os() {
    let mut host = host(
        (0..4)
            .map(|core| ([2 * core, 2 * core + 1].into_iter().collect(), Some(0)))
            .chain((8..12).map(|cpu| ([cpu].into_iter().collect(), Some(0)))),
    );
    for core in &mut host.cpus.cores {
        core.kind = if core.cpus.len() == 2 {
            CoreKind::Performance
        } else {
            CoreKind::Efficient
        };
    }
    same(&sides(&host, ""), "0-1,8-11", "2-7", "");
    // Asked for a number, the efficient ones come first.
    same(
        &sides(&host, "housekeeping_cores = 2"),
        "0-1,8",
        "2-7,9-11",
        "",
    );
    // One performance core, which boots: the application gets efficient ones.
    host.cpus
        .cores
        .retain(|core| core.cpus.len() == 1 || core.cpus.contains(0));
    host.cpus.online = set("0-1,8-11");
    same(&sides(&host, ""), "0-1", "8-11", "");
}

#[test]
fn memory_only_nodes_stand_for_the_nearest() {
    let mut host = dell();
    for (id, distances) in [(2, vec![28, 14, 10]), (7, Vec::new())] {
        host.nodes.push(Node {
            id,
            distances,
            ..Node::default()
        });
    }
    host.nics = vec![port("ens1", "mlx5_core", Some(2))];
    assert_eq!(sides(&host, "").0, "0-1,40-41");
    assert!(why(&host, "").contains("ens1 is on node 2, which has no CPUs; node 1 is the nearest"));
    for unknown in [7, 9] {
        host.nics = vec![port("ens1", "mlx5_core", Some(unknown))];
        assert_eq!(sides(&host, "").2, "");
        assert!(why(&host, "").contains("of which this host has no CPUs"));
    }
}

#[test]
fn a_container_splits_what_it_may_use() {
    let mut host = dell();
    host.virtualization = Some("container (docker)".to_owned());
    host.cpus.allowed = Some(set("4-15,44-55,60"));
    same(&sides(&host, ""), "4,6,44,46", "5,7-15,45,47-55,60", "");
    let why = why(&host, "");
    assert!(
        why.contains("may not use CPUs 0-3,16-43,56-59,61-79"),
        "{why}"
    );
    assert!(
        why.contains("CPUs 60 share a core with hidden ones"),
        "{why}"
    );
    // On the machine itself the mask of this process decides nothing.
    host.virtualization = None;
    host.cpus.isolated = Some(set("16-43"));
    assert_eq!(sides(&host, "").0, "0,2,40,42");
    assert!(
        self::why(&host, "").contains("this session may not use CPUs 0-3,56-59,61-79"),
        "{}",
        self::why(&host, "")
    );
}

#[test]
fn the_boot_cpu_may_be_another_than_0() {
    let host = host((4..21).map(|cpu| ([cpu].into_iter().collect(), Some(cpu % 2))));
    assert_eq!(sides(&host, "").0, "4,6");
    assert!(why(&host, "").contains("4 on node 0, with the boot CPU 4"));
}

#[test]
fn what_the_profile_asks_for_is_done() {
    let host = dell();
    assert_eq!(sides(&host, "housekeeping = \"0,40\"").0, "0,40");
    assert_eq!(
        sides(&host, "housekeeping_cores_by_node = { 0 = 2, 1 = 1 }").0,
        "0-2,40-42"
    );
    assert_eq!(
        sides(&host, "housekeeping_rule = { 8 = 4 }").0,
        "0,2,4,6,40,42,44,46"
    );
    assert_eq!(sides(&plain(4), "housekeeping_rule = { 8 = 4 }").0, "0");
    // A rule that leaves nothing leaves one core all the same.
    assert_eq!(sides(&plain(4), "housekeeping_rule = { 1 = 9 }").1, "3");
    let mut named = dell();
    named.nics = vec![
        port("a0", "mlx5_core", Some(0)),
        port("b0", "i40e", Some(1)),
    ];
    let near = |text| set(&sides(&named, text).2);
    assert!(near("").is_subset(&set(&named.nodes[0].cpus.to_string())));
    assert!(near("nics = [\"b0\"]").is_subset(&named.nodes[1].cpus));
    assert!(
        why(&named, "nics = [\"gone\"]").contains("the profile's port gone is not on this host")
    );
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let host = dell();
    let cases = [
        (
            "housekeeping = \"0,40,99\"",
            "names CPUs 99, but this host has CPUs 0-79",
        ),
        (
            "housekeeping = \"1,41\"",
            "without CPU 0, which booted the machine",
        ),
        (
            "housekeeping = \"0-4\"",
            "without CPUs 40-44, which are SMT siblings",
        ),
        (
            "housekeeping_cores = 40",
            "at least one is needed on each side",
        ),
        (
            "housekeeping_cores_by_node = { 0 = 21 }",
            "asks for 21 cores of node 0, but this host has 20 there",
        ),
        (
            "housekeeping_cores_by_node = { 0 = 1, 4 = 1 }",
            "asks for 1 cores of node 4, but this host has 0 there",
        ),
        (
            "housekeeping_cores_by_node = { 1 = 1 }",
            "names no core of node 0, where CPU 0 booted",
        ),
        (
            "housekeeping_cores_by_node = { 0 = 0 }",
            "gives 0 of 40 cores to the OS",
        ),
        (
            "housekeeping_cores_by_node = { 0 = 20, 1 = 20 }",
            "gives 40 of 40 cores to the OS",
        ),
    ];
    for (text, expected) in cases {
        let (what, hint) = refusal(&host, text);
        assert!(what.contains(expected), "{text}: {what}");
        assert!(!hint.is_empty(), "{text}");
    }
    assert_eq!(
        refusal(&host, "housekeeping = \"0-4\"").1,
        "write housekeeping = \"0-4,40-44\", or use --force"
    );
    for text in ["housekeeping = \"0-4\"", "housekeeping = \"1,41\""] {
        let forced = split(&host, &profile(text), true).expect("forced");
        assert_eq!(
            forced.housekeeping.to_string(),
            text.split('"').nth(1).expect("list")
        );
    }
    let forced = split(&host, &profile("housekeeping = \"0-4\""), true).expect("forced");
    assert!(
        forced.why.contains("splits the SMT siblings 4,44"),
        "{}",
        forced.why
    );
}

#[test]
fn what_is_unknown_is_not_split() {
    let mut host = dell();
    host.cpus.siblings_unknown = set("3,43");
    let (what, _) = refusal(&host, "");
    assert!(
        what.contains("share a core with 3,43 cannot be told"),
        "{what}"
    );
    assert!(split(&host, &profile(""), true).is_ok());
    assert!(refusal(&Host::default(), "").0.contains("cannot be read"));
}

fn kind() -> impl Strategy<Value = CoreKind> {
    prop_oneof![
        4 => Just(CoreKind::Uniform),
        1 => Just(CoreKind::Performance),
        1 => Just(CoreKind::Efficient)
    ]
}

prop_compose! {
    /// Cores of one to four threads with gaps between, on any node or none, with ports and interrupts anywhere.
    fn machines()(
        cores in proptest::collection::vec((1..5u32, 0..3u32, proptest::option::of(0..5u32), kind()), 1..60),
        cache in 1..20u32,
        nodes in proptest::collection::vec(proptest::option::of(0..8u32), 0..4),
    ) -> Host {
        let mut next = 0;
        let mut kinds = Vec::new();
        let mut host = host(cores.into_iter().map(|(threads, gap, node, kind)| {
            next += gap;
            let cpus = (next..next + threads).collect();
            next += threads;
            kinds.push(kind);
            (cpus, node)
        }));
        for (core, kind) in host.cpus.cores.iter_mut().zip(kinds) {
            core.kind = kind;
        }
        caches(&mut host, cache);
        host.nics = nodes.iter().map(|node| port("p", "mlx5_core", *node)).collect();
        host
    }
}

proptest! {
    #[test]
    fn no_core_is_ever_split(
        host in machines(),
        text in prop_oneof![
            Just(String::new()),
            (1..9u32).prop_map(|count| format!("housekeeping_cores = {count}")),
            (0..3u32, 0..3u32).prop_map(|(a, b)| format!("housekeeping_cores_by_node = {{ 0 = {a}, 1 = {b} }}")),
            (1..60u32, 1..60u32).prop_map(|(size, count)| format!("housekeeping_rule = {{ {size} = {count} }}")),
        ]
    ) {
        match split(&host, &profile(&text), false) {
            Err(e) => prop_assert!(text.contains("cores") && e.hint.is_some(), "{text}: {e}"),
            Ok(plan) => {
                let online = &host.cpus.online;
                prop_assert_eq!(&plan.housekeeping.union(&plan.isolated), online);
                prop_assert!(plan.housekeeping.intersection(&plan.isolated).is_empty());
                prop_assert!(plan.housekeeping.contains(online.first().expect("a CPU")));
                prop_assert_eq!(plan.isolated.is_empty(), host.cpus.cores.len() == 1);
                prop_assert!(plan.nic_local.is_subset(&plan.isolated));
                for core in &host.cpus.cores {
                    let kept = core.cpus.intersection(&plan.housekeeping);
                    prop_assert!(kept.is_empty() || kept == core.cpus, "{} in {}", core.cpus, plan.why);
                }
                if let Some(count) = text.strip_prefix("housekeeping_cores = ") {
                    let count: usize = count.parse().expect("number");
                    let chosen = host.cpus.cores.iter().filter(|core| core.cpus.is_subset(&plan.housekeeping));
                    prop_assert_eq!(chosen.count(), count.min(host.cpus.cores.len()));
                }
            }
        }
    }
}
