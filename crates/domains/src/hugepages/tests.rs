use std::path::Path;

use crate::test_tree::tree;
use hftune_model::cpu_plan::CpuPlan;
use hftune_model::finding::Finding;
use hftune_model::host::{Host, HugePages, Node};
use hftune_model::profile::Profile;
use proptest::prelude::*;

use super::*;

fn host(nodes: &[u64]) -> Host {
    let mut host = Host::default();
    for (id, gib) in (0u32..).zip(nodes) {
        let pools = [
            (2048, HugePages::default()),
            (1 << 20, HugePages::default()),
        ];
        host.nodes.push(Node {
            id,
            memory: Size(gib << 30),
            huge_pages: pools.into(),
            ..Node::default()
        });
    }
    host.memory.total = Size(nodes.iter().sum::<u64>() << 30);
    host.memory.huge_page_size = Some(Size(2 << 20));
    host
}

fn profile(count: u64) -> Profile {
    let mut profile = Profile {
        name: "desk".to_owned(),
        ..Profile::default()
    };
    profile.hugepages.count = count;
    profile
}

fn with<R>(host: &Host, profile: &Profile, force: bool, run: impl FnOnce(&Context<'_>) -> R) -> R {
    let cpus = CpuPlan::default();
    run(&Context {
        host,
        profile,
        cpus: &cpus,
        binary: Path::new("/usr/bin/hftune"),
        force,
    })
}

fn desired(host: &Host, profile: &Profile) -> Desired {
    with(host, profile, false, |cx| Hugepages.desire(cx))
}

/// "id=pages" of each setting, then "id: reason" of what is skipped.
fn told(desired: &Desired) -> Vec<String> {
    let set = desired
        .settings
        .iter()
        .map(|s| format!("{}={}", s.id, s.desired));
    set.chain(
        desired
            .skipped
            .iter()
            .map(|s| format!("{}: {}", s.id, s.reason)),
    )
    .collect()
}

#[test]
fn pages_are_spread_evenly_over_the_nodes_with_memory() {
    assert_eq!(
        told(&desired(&host(&[64]), &profile(1024))),
        ["hugepages/node0=1024"]
    );
    assert_eq!(
        told(&desired(&host(&[64, 0, 64]), &profile(1025))),
        ["hugepages/node0=513", "hugepages/node2=512"]
    );
    let mut no_nodes = host(&[]);
    no_nodes.memory.total = Size(64 << 30);
    assert_eq!(told(&desired(&no_nodes, &profile(5))), ["hugepages/all=5"]);
    assert_eq!(told(&desired(&host(&[64]), &profile(0))), [""; 0]);
}

#[test]
fn the_default_size_is_a_sysctl_and_the_rest_a_unit() {
    let line = |host: &Host, profile: &Profile| with(host, profile, false, sysctl_line);
    let mut wanted = profile(1024);
    assert_eq!(
        line(&host(&[64]), &wanted),
        Some(("vm.nr_hugepages".to_owned(), "1024".to_owned()))
    );
    wanted.hugepages.size = Size(1 << 30);
    wanted.hugepages.count = 4;
    assert_eq!(line(&host(&[64]), &wanted), None);
    let settings = desired(&host(&[64]), &wanted).settings;
    let path = "/sys/devices/system/node/node0/hugepages/hugepages-1048576kB/nr_hugepages";
    assert!(
        matches!(&settings[0].artifacts[0], Artifact::Kernel { path: p, value, .. } if p == Path::new(path) && value == "4")
    );
    assert!(
        settings[0]
            .artifacts
            .iter()
            .any(|a| matches!(a, Artifact::Unit { name, .. } if name == SERVICE.name))
    );

    let mut per_node = profile(1024);
    per_node.hugepages.nodes = [("0".to_owned(), 7), ("5".to_owned(), 7)].into();
    assert_eq!(line(&host(&[64]), &per_node), None);
    assert_eq!(
        told(&desired(&host(&[64]), &per_node)),
        [
            "hugepages/node0=7",
            "hugepages/node5: this host has no node 5 with memory"
        ]
    );
}

#[test]
fn too_many_pages_are_refused() {
    let mut small = profile(1024);
    small.sysctl.insert(
        "vm.min_free_kbytes".parse().expect("key"),
        hftune_model::profile::SysctlValue::Number(524_288),
    );
    let host = host(&[3]);
    let refused = desired(&host, &small);
    assert_eq!(
        told(&refused),
        [
            "hugepages/node0: 2 GiB of huge pages and 512 MiB kept free would leave too little of the 3 GiB of this host for \
          everything else"
        ]
    );
    assert_eq!(refused.skipped[0].verdict, Verdict::NotPermitted);
    assert_eq!(
        refused.skipped[0].fix.as_deref(),
        Some("set count in [hugepages] to at most 768, or use --force")
    );
    assert_eq!(with(&host, &small, false, sysctl_line), None);
    assert_eq!(
        with(&host, &small, true, |cx| Hugepages.desire(cx))
            .settings
            .len(),
        1
    );
    small.hugepages.count = 1500;
    let hopeless = with(&host, &small, true, |cx| Hugepages.desire(cx));
    assert!(
        hopeless.settings.is_empty(),
        "no force makes 2.9 of 3 GiB sensible"
    );
    small.hugepages.count = u64::MAX;
    assert!(desired(&host, &small).settings.is_empty());
}

#[test]
fn a_size_that_the_host_lacks_is_not_applicable() {
    let mut wanted = profile(4);
    wanted.hugepages.size = Size(16 << 20);
    let lacking = desired(&host(&[64, 64]), &wanted);
    assert_eq!(lacking.skipped.len(), 2);
    assert_eq!(lacking.skipped[0].verdict, Verdict::NotApplicable);
    assert_eq!(
        lacking.skipped[0].reason,
        "this host has no huge pages of 16 MiB, but of 2 MiB and 1 GiB"
    );
}

fn finding(files: &[(&str, &str)]) -> Finding {
    let (_dir, root) = tree(files);
    with(&host(&[64]), &profile(1024), false, |cx| {
        let setting = Hugepages.desire(cx).settings.remove(0);
        Finding::judge(
            &setting,
            Hugepages
                .prove(&setting, cx, &Reader::new(&root))
                .expect("proofs"),
        )
    })
}

#[test]
fn the_pages_of_the_node_are_the_proof() {
    let pool = "/sys/devices/system/node/node0/hugepages/hugepages-2048kB";
    let (total, free) = (
        format!("{pool}/nr_hugepages"),
        format!("{pool}/free_hugepages"),
    );
    let saved = (sysctl_files::OWN, "vm.nr_hugepages = 1024\n");

    let good = finding(&[saved, (&total, "1024\n"), (&free, "1000\n")]);
    assert_eq!(
        (good.verdict, good.effect),
        (Verdict::Ok, Proof::Holds("1024, 1000 free".to_owned()))
    );
    for broken in [
        &[saved, (&total, "1024\n"), (&free, "rubbish\n")][..],
        &[saved, (&total, "1024\n")],
    ] {
        let unknown = finding(broken);
        assert!(matches!(unknown.effect, Proof::Unknown(_)), "{unknown:?}");
        assert_eq!(unknown.verdict, Verdict::Unknown);
    }
    let stock = finding(&[(&total, "0\n"), (&free, "0\n")]);
    assert_eq!(
        (stock.verdict, stock.fix.as_deref()),
        (Verdict::Wrong, Some("hftune setup"))
    );
    let short = finding(&[saved, (&total, "900\n"), (&free, "900\n")]);
    assert_eq!(short.verdict, Verdict::Wrong);
    assert!(short.fix.is_some_and(|fix| fix.starts_with("reboot")));
    let none = finding(&[saved, ("/sys/kernel/x", "")]);
    assert_eq!(none.verdict, Verdict::NotApplicable);
    let beaten = finding(&[
        saved,
        ("/etc/sysctl.d/zz.conf", "vm.nr_hugepages=0"),
        (&total, "1024\n"),
    ]);
    assert_eq!(beaten.verdict, Verdict::Overridden);
}

proptest! {
    #[test]
    fn no_page_is_lost_and_no_host_is_drained(nodes in proptest::collection::vec(0u64..512, 1..5), count in 0u64..200_000) {
        let host = host(&nodes);
        let desired = desired(&host, &profile(count));
        let pages: u64 = desired.settings.iter().map(|s| s.desired.parse::<u64>().expect("number")).sum();
        prop_assert!(pages == 0 || pages == count);
        if host.memory.total.0 > 0 {
            prop_assert!(pages * (2 << 20) <= host.memory.total.0 / 4 * 3);
        }
        prop_assert_eq!(with(&host, &profile(count), false, sysctl_line).is_some(), !desired.settings.is_empty());
    }
}
