use std::path::Path;

use crate::test_tree::tree;
use hftune_model::cpu_plan::CpuPlan;
use hftune_model::finding::Finding;
use hftune_model::host::Host;
use hftune_model::profile::{Profile, SysctlValue};

use super::*;

fn host(gib: u64) -> Host {
    let mut host = Host::default();
    host.memory.total = Size(gib << 30);
    host.interfaces = ["ens1f0", "eth0.100", "lo"].map(str::to_owned).into();
    host.kernel.release = "6.12.0-55.el10".to_owned();
    host
}

fn profile(values: &[(&str, &str)]) -> Profile {
    let mut profile = Profile {
        name: "desk".to_owned(),
        ..Profile::default()
    };
    for (key, value) in values {
        let value = value
            .parse()
            .map_or(SysctlValue::Text((*value).to_owned()), SysctlValue::Number);
        profile.sysctl.insert(key.parse().expect(key), value);
    }
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

fn content(artifact: &Artifact) -> &str {
    match artifact {
        Artifact::File { content, .. } => content,
        other => panic!("{other:?}"),
    }
}

/// The finding for `id` on a machine with these files.
fn finding(profile: &Profile, id: &str, files: &[(&str, &str)]) -> Finding {
    let (_dir, root) = tree(files);
    with(&host(64), profile, false, |cx| {
        let desired = Sysctl.desire(cx);
        let setting = desired
            .settings
            .iter()
            .find(|setting| setting.id == id)
            .expect(id);
        Finding::judge(
            setting,
            Sysctl
                .prove(setting, cx, &Reader::new(&root))
                .expect("proofs"),
        )
    })
}

#[test]
fn the_file_has_a_line_for_each_value_and_each_port() {
    let mut profile = profile(&[
        ("vm.swappiness", "0"),
        ("vm.stat_interval", "keep"),
        ("net.ipv4.conf.*.rp_filter", "0"),
        ("net.ipv4.conf.all.rp_filter", "0"),
    ]);
    profile.hugepages.count = 512;
    let text = with(&host(64), &profile, false, |cx| {
        content(&file(cx)).to_owned()
    });
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        lines,
        [
            "net.ipv4.conf.*.rp_filter = 0",
            "net.ipv4.conf.ens1f0.rp_filter = 0",
            "net.ipv4.conf.eth0/100.rp_filter = 0",
            "net.ipv4.conf.lo.rp_filter = 0",
            "net.ipv4.conf.all.rp_filter = 0",
            "vm.swappiness = 0",
            "vm.nr_hugepages = 512",
        ]
    );
    for line in lines {
        assert_eq!(sysctl_files::parse(line, "f").len(), 1, "{line}");
    }
}

#[test]
fn every_setting_shares_the_file_and_has_its_own_kernel_values() {
    let profile = profile(&[
        ("vm.swappiness", "0"),
        ("net.ipv4.conf.*.rp_filter", "0"),
        ("net.ipv4.tcp_rmem", "1 2 3"),
    ]);
    let settings = with(&host(64), &profile, false, |cx| Sysctl.desire(cx)).settings;
    let kernel = |setting: &Setting| -> Vec<String> {
        let paths = setting
            .artifacts
            .iter()
            .filter_map(|artifact| match artifact {
                Artifact::Kernel { path, .. } => Some(path.display().to_string()),
                _ => None,
            });
        paths.collect()
    };
    assert!(
        settings
            .iter()
            .all(|setting| setting.artifacts[0] == settings[0].artifacts[0])
    );
    assert_eq!(
        kernel(&settings[0]),
        ["ens1f0", "eth0.100", "lo"]
            .map(|name| format!("/proc/sys/net/ipv4/conf/{name}/rp_filter"))
    );
    assert_eq!(kernel(&settings[1]), ["/proc/sys/net/ipv4/tcp_rmem"]);
}

#[test]
fn too_much_kept_free_is_refused_unless_forced() {
    let profile = profile(&[("vm.min_free_kbytes", "1048576")]);
    let small = with(&host(4), &profile, false, |cx| Sysctl.desire(cx));
    assert!(small.settings.is_empty());
    assert_eq!(small.skipped[0].verdict, Verdict::NotPermitted);
    assert_eq!(
        small.skipped[0].reason,
        "1 GiB kept free is more than a fifth of the 4 GiB of this host, which could then run out of memory"
    );
    assert!(!with(&host(4), &profile, false, |cx| content(&file(cx))
        .contains("min_free")));
    assert_eq!(
        with(&host(4), &profile, true, |cx| Sysctl.desire(cx))
            .settings
            .len(),
        1
    );
    assert_eq!(
        with(&host(8), &profile, false, |cx| Sysctl.desire(cx))
            .settings
            .len(),
        1
    );
    assert_eq!(
        with(&host(0), &profile, false, |cx| Sysctl.desire(cx))
            .settings
            .len(),
        1
    );
}

#[test]
fn a_value_is_proved_in_the_files_and_in_the_kernel() {
    let profile = profile(&[("vm.swappiness", "0")]);
    let id = "sysctl/vm.swappiness";
    let good = finding(
        &profile,
        id,
        &[
            (OWN, "vm.swappiness = 0\n"),
            ("/proc/sys/vm/swappiness", "0\n"),
        ],
    );
    assert_eq!(good.verdict, Verdict::Ok, "{good:?}");
    let stock = finding(&profile, id, &[("/proc/sys/vm/swappiness", "60\n")]);
    assert_eq!(stock.verdict, Verdict::Wrong);
    assert_eq!(stock.reason, "saved: not set; live, effect: 60");
    let absent = finding(&profile, id, &[("/proc/sys/vm/other", "60\n")]);
    assert_eq!(absent.verdict, Verdict::NotApplicable);
    assert_eq!(absent.reason, "this kernel has no /proc/sys/vm/swappiness");
    let no_proc = finding(&profile, id, &[(OWN, "vm.swappiness = 0\n")]);
    assert_eq!(no_proc.verdict, Verdict::Unknown);
}

#[test]
fn rp_filter_counts_as_the_larger_of_all_and_the_interface() {
    let profile = profile(&[
        ("net.ipv4.conf.all.rp_filter", "0"),
        ("net.ipv4.conf.*.rp_filter", "0"),
    ]);
    let saved = "net.ipv4.conf.all.rp_filter = 0\nnet.ipv4.conf.*.rp_filter = 0\n";
    let conf = |name: &str| format!("/proc/sys/net/ipv4/conf/{name}/rp_filter");
    let (all, lo, ens, docker) = (conf("all"), conf("lo"), conf("ens1f0"), conf("docker0"));
    let proved = |id: &str, values: [&str; 4]| {
        let [a, b, c, d] = values;
        finding(
            &profile,
            id,
            &[(OWN, saved), (&all, a), (&lo, b), (&ens, c), (&docker, d)],
        )
    };
    let (every, each) = (
        "sysctl/net.ipv4.conf.all.rp_filter",
        "sysctl/net.ipv4.conf.*.rp_filter",
    );
    assert_eq!(proved(every, ["0", "0", "0", "0"]).verdict, Verdict::Ok);
    assert_eq!(proved(each, ["0", "0", "0", "0"]).verdict, Verdict::Ok);
    assert_eq!(
        proved(every, ["0", "0", "2", "0"]).effect,
        Proof::Differs("2 on ens1f0".to_owned())
    );
    let ours = proved(each, ["0", "0", "2", "0"]);
    assert_eq!(
        ours.live,
        Proof::Differs("2 in net/ipv4/conf/ens1f0/rp_filter".to_owned())
    );
    assert_eq!(ours.fix.as_deref(), Some("hftune setup"));
    let bridge = proved(each, ["0", "0", "0", "1"]);
    assert_eq!(
        bridge.fix.as_deref(),
        Some("sysctl -w net/ipv4/conf/docker0/rp_filter=0")
    );
    for broken in [
        ["0", "0", "", "0"],
        ["0", "0", "rubbish", "0"],
        ["?", "0", "0", "0"],
    ] {
        let unknown = proved(each, broken);
        assert!(matches!(unknown.effect, Proof::Unknown(_)), "{unknown:?}");
        assert_ne!(unknown.verdict, Verdict::Ok);
    }
    let no_all = finding(&profile, each, &[(OWN, saved), (&lo, "0")]);
    assert!(matches!(no_all.effect, Proof::Unknown(_)), "{no_all:?}");
    let all_on = proved(each, ["1", "0", "0", "0"]);
    assert_eq!(all_on.effect, Proof::Differs("1 on docker0".to_owned()));
}

#[test]
fn what_wins_over_the_pattern_is_named() {
    let profile = profile(&[("net.ipv4.conf.*.rp_filter", "0")]);
    let files = [
        (OWN, "net.ipv4.conf.*.rp_filter = 0\n"),
        (
            "/etc/sysctl.d/10-network.conf",
            "\nnet.ipv4.conf.docker0.rp_filter = 1\n",
        ),
        ("/proc/sys/net/ipv4/conf/docker0/rp_filter", "0"),
        ("/proc/sys/net/ipv4/conf/lo/rp_filter", "0"),
    ];
    let found = finding(&profile, "sysctl/net.ipv4.conf.*.rp_filter", &files);
    assert_eq!(found.verdict, Verdict::Overridden);
    assert_eq!(
        found.reason,
        "/etc/sysctl.d/10-network.conf:2 sets it to 1 and wins over /etc/sysctl.d/99-hft.conf"
    );
    assert_eq!(
        found.fix.as_deref(),
        Some("remove line 2 of /etc/sysctl.d/10-network.conf")
    );
}

#[test]
fn values_that_do_nothing_here_are_noted() {
    let profile = profile(&[
        ("net.core.netdev_max_backlog", "300000"),
        ("kernel.sched_rt_runtime_us", "-1"),
        ("a.b", "1"),
    ]);
    let settings = with(&host(64), &profile, false, |cx| Sysctl.desire(cx)).settings;
    assert_eq!(settings[0].doc.id, "sysctl/KEY");
    assert_eq!(settings[0].note, None);
    assert!(
        settings[1]
            .note
            .as_deref()
            .is_some_and(|note| note.contains("fair server"))
    );
    assert!(
        settings[2]
            .note
            .as_deref()
            .is_some_and(|note| note.contains("RPS"))
    );
}

#[test]
fn no_words_are_missing_and_no_id_is_there_twice() {
    for (i, doc) in DOCS.iter().enumerate() {
        assert!(doc.id.starts_with("sysctl/"));
        assert!(
            DOCS[..i].iter().all(|other| other.id != doc.id),
            "{}",
            doc.id
        );
    }
    assert_eq!(DOCS[DOCS.len() - 1].id, "sysctl/KEY");
}
