//! Profiles as tuned ships them in their form, and text of no form at all.

use hftune_sys::{Reader, Root};
use proptest::prelude::*;

use super::*;

#[allow(
    clippy::disallowed_methods,
    reason = "the test builds a tree in place of a machine"
)]
fn read_tree(files: &[(&str, &str)], kernel: &Kernel) -> Sets {
    let dir = tempfile::tempdir().expect("temporary directory");
    for (path, text) in files {
        let path = dir.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        std::fs::write(path, text).expect("write");
    }
    let root = Root::tree(dir.path()).expect("root");
    let reader = Reader::new(&root);
    super::read(&Facts::new(&reader), kernel)
}

fn kernel() -> Kernel {
    Kernel {
        release: "5.14.0-427.el9.x86_64".to_owned(),
        architecture: "x86_64".to_owned(),
        ..Kernel::default()
    }
}

fn told(sets: &Sets) -> Vec<String> {
    let told = |claim: &Claim| {
        let sign = if claim.unresolved { "?" } else { "" };
        let file = claim.file.rsplit('/').nth(1).unwrap_or_default();
        format!("{}={}{sign} {file}:{}", claim.path, claim.value, claim.line)
    };
    sets.claims.iter().map(told).collect()
}

const PARENT: &str = "[main]\nsummary=x\n[cpu]\ngovernor=schedutil|ondemand\nenergy_perf_bias=performance\n\
                      [vm]\ntransparent_hugepages=always\n\
                      [vm.thunderx]\ntype=vm\nuname_regex=aarch64\ntransparent_hugepages=never\n\
                      [sysctl]\nvm.swappiness=10\nnet.core.somaxconn=>2048\nvm.stat_interval = 10 # often\n\
                      [script]\nscript=${i:PROFILE_DIR}/script.sh\n";

#[test]
fn profiles_are_merged_as_tuned_does() {
    let sets = read_tree(
        &[
            ("/etc/tuned/active_profile", "desk child\n"),
            ("/etc/tuned/profile_mode", "manual\n"),
            ("/usr/lib/tuned/desk/tuned.conf", "[sysfs]\n/sys/a*/b=1\n"),
            ("/usr/lib/tuned/parent/tuned.conf", PARENT),
            (
                "/usr/lib/tuned/child/tuned.conf",
                "[main]\ninclude=wrong\n[sysctl]\nvm.swappiness=99\n",
            ),
            (
                "/etc/tuned/child/tuned.conf",
                "[main]\ninclude=parent, -absent\n\
                 [variables]\ninclude=/etc/tuned/child-variables.conf\nisolated_cores=${isolated_cores}\n\
                 mask=${f:cpulist2hex:${isolated_cores}}\n\
                 [sysctl]\nvm.swappiness=\"5\"\ndrop=vm.stat_interval\nkernel.x=${mask}\n\
                 [scheduler]\nisolated_cores=${isolated_cores}\n\
                 [bootloader]\ncmdline_x=+isolcpus=${isolated_cores}\n\
                 [net]\ndevices=ens1f0\nchannels=combined ${f:check_net_queue_count:2}\nring=rx 4096 tx 512\n\
                 [script]\nscript=own.sh\n",
            ),
            (
                "/etc/tuned/child-variables.conf",
                "# x\nisolated_cores=2-7\n",
            ),
            (
                "/sys/devices/system/cpu/cpu0/cpufreq/scaling_available_governors",
                "performance ondemand\n",
            ),
            (
                "/boot/grub2/grubenv",
                "# GRUB Environment Block\ntuned_params=isolcpus=2-7\n",
            ),
        ],
        &kernel(),
    );
    assert_eq!(
        told(&sets),
        [
            "/sys/a*/b=1 desk:2",
            "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor=ondemand parent:4",
            "/sys/devices/system/cpu/cpu*/power/energy_perf_bias=0 parent:5",
            "/sys/kernel/mm/transparent_hugepage/enabled=always parent:7",
            "/proc/sys/vm/swappiness=5 child:8",
            "/proc/sys/net/core/somaxconn=>2048 parent:14",
            "/proc/sys/kernel/x=${f:cpulist2hex:2-7}? child:10",
        ]
    );
    let tuned = &sets.tuned;
    assert_eq!(tuned.profiles, ["desk", "child"]);
    assert_eq!(tuned.mode.as_deref(), Some("manual"));
    assert_eq!(
        tuned.files,
        [
            "/usr/lib/tuned/desk/tuned.conf",
            "/etc/tuned/child/tuned.conf",
            "/usr/lib/tuned/parent/tuned.conf"
        ]
    );
    assert_eq!(sets.unknown, Vec::<String>::new());
    assert_eq!(tuned.isolated_cores.as_deref(), Some("2-7"));
    assert_eq!(tuned.scripts, ["/usr/lib/tuned/parent/script.sh", "own.sh"]);
    assert_eq!(
        tuned.boot_arguments,
        ["/boot/grub2/grubenv:2", "/etc/tuned/child/tuned.conf:14"]
    );
    let ports: Vec<String> = sets
        .ports
        .iter()
        .map(|s| format!("{:?} {}={} {}", s.port, s.knob, s.value, s.uncertain))
        .collect();
    assert_eq!(
        ports,
        [
            "Some(\"ens1f0\") channels-combined=${f:check_net_queue_count:2} true",
            "Some(\"ens1f0\") ring-rx=4096 false",
            "Some(\"ens1f0\") ring-tx=512 false",
        ]
    );
    assert!(
        sets.claims
            .iter()
            .all(|c| c.yields == c.word.starts_with("[sysctl"))
    );
}

#[test]
fn a_profile_in_etc_may_include_the_one_of_its_name_in_usr() {
    let sets = read_tree(
        &[
            ("/etc/tuned/active_profile", "p"),
            (
                "/etc/tuned/p/tuned.conf",
                "[main]\ninclude=p\n[sysctl]\na.b=2\n",
            ),
            (
                "/usr/lib/tuned/profiles/p/tuned.conf",
                "[main]\ninclude=p\n[sysctl]\na.b=1\na.c=1\n",
            ),
            ("/etc/tuned/tuned-main.conf", "reapply_sysctl = 0\n"),
        ],
        &kernel(),
    );
    assert_eq!(told(&sets), ["/proc/sys/a/b=2 p:4", "/proc/sys/a/c=1 p:5"]);
    assert!(sets.claims.iter().all(|claim| !claim.yields));
    assert!(sets.unknown.is_empty());
}

#[test]
fn what_is_not_known_is_told() {
    let none = read_tree(&[("/etc/tuned/active_profile", "\n")], &kernel());
    assert!(none.unknown[0].contains("names no profile"));
    let absent = read_tree(&[("/etc/tuned/active_profile", "gone ../x")], &kernel());
    assert!(absent.unknown[0].contains("there is no profile gone"));
    assert!(absent.unknown[1].contains("no name of a profile"));
    let include = "[main]\ninclude=${f:exec:x}\n[vm]\ntransparent_hugepages=always\n";
    let thp = Kernel {
        cmdline: "ro transparent_hugepage=never".to_owned(),
        ..kernel()
    };
    let files = [
        ("/etc/tuned/active_profile", "p"),
        ("/etc/tuned/p/tuned.conf", include),
    ];
    let sets = read_tree(&files, &thp);
    assert!(sets.unknown[0].contains("${f:exec:x}"));
    assert!(sets.claims.is_empty(), "the boot argument wins over tuned");
    assert_eq!(read_tree(&files, &kernel()).claims.len(), 1);
}

#[test]
fn a_pattern_about_what_is_not_known_is_uncertain() {
    for (pattern, cpuinfo, expected) in [
        ("x86_64", "", Some("1")),
        ("Linux.*el9.*x86_64$", "", Some("1")),
        ("5\\.14", "", Some("1")),
        ("aarch64", "", None),
        ("(aarch64|ppc64le)$", "", None),
        ("6\\.1", "", None),
        // The name of the host, the build; and "Linux 5", between which the name of the host stands.
        ("trade-[0-9]+", "", Some("1?")),
        ("PREEMPT_RT", "", Some("1?")),
        ("Linux 5", "", Some("1?")),
        ("trade-[0-9]+", "cpuinfo_regex=ARM\n", None),
        ("trade-[0-9]+", "cpuinfo_regex=Intel\n", Some("1?")),
    ] {
        let text = format!("[vm]\nuname_regex={pattern}\n{cpuinfo}transparent_hugepages=1\n");
        let sets = read_tree(
            &[
                ("/etc/tuned/active_profile", "p"),
                ("/etc/tuned/p/tuned.conf", &text),
                ("/proc/cpuinfo", "vendor_id\t: GenuineIntel\n"),
            ],
            &kernel(),
        );
        let found = sets.claims.first().map(|claim| {
            let sign = if claim.unresolved { "?" } else { "" };
            format!("{}{sign}", claim.value)
        });
        assert_eq!(found.as_deref(), expected, "{pattern} {cpuinfo}");
    }
}

#[test]
fn off_is_no_unknown() {
    let off = [
        ("/etc/tuned/active_profile", "\n"),
        ("/etc/tuned/profile_mode", "manual\n"),
    ];
    let sets = read_tree(&off, &kernel());
    assert!(sets.unknown.is_empty() && sets.claims.is_empty());
    // Without the file nobody knows.
    let sets = read_tree(&off[1..], &kernel());
    assert!(sets.unknown[0].contains("names no profile"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn never_panics(
        active in "[a-c ./-]{0,8}",
        text in "(\\[main\\]\n|\\[sysctl\\]\n|\\[net\\]\n|\\[variables\\]\n|include=|[a-c=>${}:|, \n\u{e4}]){0,60}",
    ) {
        let files = [
            ("/etc/tuned/active_profile", active.as_str()),
            ("/etc/tuned/a/tuned.conf", text.as_str()),
            ("/usr/lib/tuned/a/tuned.conf", text.as_str()),
            ("/usr/lib/tuned/b/tuned.conf", text.as_str()),
        ];
        let _ = read_tree(&files, &kernel());
    }
}
