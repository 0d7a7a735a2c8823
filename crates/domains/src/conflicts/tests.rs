//! Which claims are conflicts, and who wins.

use std::path::Path;

use hftune_model::cpu_plan::CpuPlan;
use hftune_model::finding::{Proof, Proofs};
use hftune_model::host::{Host, Rival};
use hftune_model::profile::Profile;
use hftune_model::setting::{Doc, When};
use proptest::prelude::*;

use super::*;

const DOC: Doc = Doc {
    id: "x/y",
    what: "",
    why: "",
    trade_off: "",
    read: "",
    source: "",
};

fn setting(id: &str, path: &str, value: &str) -> Setting {
    Setting {
        id: id.to_owned(),
        desired: value.to_owned(),
        when: When::Now,
        doc: &DOC,
        note: None,
        artifacts: vec![Artifact::Kernel {
            path: path.into(),
            value: value.to_owned(),
            compare: Compare::Words,
        }],
    }
}

fn claim(path: &str, value: &str, yields: bool) -> Claim {
    Claim {
        owner: "tuned.service".to_owned(),
        word: "[x] y".to_owned(),
        path: path.to_owned(),
        value: value.to_owned(),
        yields,
        file: "/f".to_owned(),
        line: 3,
        ..Claim::default()
    }
}

/// The verdict, the reason and the remedy of a setting that holds, and the notes.
fn judged(
    setting: Setting,
    claims: Vec<Claim>,
    rival: Rival,
) -> (Verdict, String, Option<String>, Vec<String>) {
    let mut host = Host::default();
    host.services.claims = claims;
    host.services.rivals = vec![rival.clone()];
    host.services.units = vec![rival];
    let profile = Profile::default();
    let cpus = CpuPlan::default();
    let cx = Context {
        host: &host,
        profile: &profile,
        cpus: &cpus,
        binary: Path::new("/x"),
        force: false,
    };
    let holds = Proof::Holds(setting.desired.clone());
    let proofs = Proofs {
        saved: holds.clone(),
        live: holds.clone(),
        effect: holds,
        fix: None,
    };
    let mut findings = [Finding::judge(&setting, proofs)];
    let settings = [setting];
    judge(&settings, &mut findings, &cx);
    let [finding] = findings;
    (
        finding.verdict,
        finding.reason,
        finding.fix,
        notes(&settings, &cx),
    )
}

fn active() -> Rival {
    Rival {
        unit: "tuned.service".to_owned(),
        enabled: true,
        ..Rival::default()
    }
}

fn governor() -> Setting {
    setting(
        "power/governor",
        "/sys/cpu/cpu3/scaling_governor",
        "performance",
    )
}

#[test]
fn another_value_of_an_active_tool_overrides() {
    let other = || vec![claim("/sys/cpu/cpu*/scaling_governor", "powersave", false)];
    let (verdict, reason, fix, notes) = judged(governor(), other(), active());
    assert_eq!(verdict, Verdict::Overridden);
    assert_eq!(
        reason,
        "tuned.service sets it to powersave ([x] y, /f:3) whenever it starts or changes its profile"
    );
    let fix = fix.expect("a remedy");
    assert_eq!(
        fix,
        "tuned-adm off && systemctl disable --now tuned.service && hftune setup"
    );
    assert!(notes.is_empty(), "{notes:?}");
    for idle in [
        Rival {
            enabled: false,
            ..active()
        },
        Rival {
            masked: true,
            ..active()
        },
    ] {
        assert_eq!(judged(governor(), other(), idle).0, Verdict::Ok);
    }
}

#[test]
fn the_same_value_is_a_note() {
    let same = vec![claim(
        "/sys/cpu/cpu*/scaling_governor",
        "performance",
        false,
    )];
    let (verdict, reason, _, notes) = judged(governor(), same, active());
    assert_eq!((verdict, reason.as_str()), (Verdict::Ok, ""));
    assert_eq!(
        notes,
        ["tuned.service is active, and sets as the profile does: power/governor ([x] y, /f:3)"]
    );
    let (.., notes) = judged(governor(), Vec::new(), active());
    assert_eq!(
        notes,
        ["tuned.service is active, and sets nothing that the profile sets"]
    );
}

#[test]
fn a_sysctl_of_a_tool_that_applies_ours_after_its_own_is_a_note() {
    let own = Artifact::File {
        path: OWN.into(),
        content: String::new(),
        mode: 0o644,
    };
    let swappiness = || {
        let mut setting = setting("sysctl/vm.swappiness", "/proc/sys/vm/swappiness", "0");
        setting.artifacts.push(own.clone());
        setting
    };
    let path = "/proc/sys/vm/swappiness";
    let (verdict, reason, fix, notes) =
        judged(swappiness(), vec![claim(path, "10", true)], active());
    assert_eq!((verdict, fix), (Verdict::Ok, None));
    assert!(reason.ends_with("which wins"), "{reason}");
    assert!(
        notes[0].contains("sysctl/vm.swappiness to 10 instead of 0"),
        "{notes:?}"
    );
    let (verdict, ..) = judged(swappiness(), vec![claim(path, "10", false)], active());
    assert_eq!(verdict, Verdict::Overridden);
}

#[test]
fn the_pool_of_the_host_is_about_the_pools_of_its_nodes() {
    let path = "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages";
    let node = setting("hugepages/node1", path, "512");
    let pool = vec![claim(POOL, "64", true)];
    let (verdict, reason, ..) = judged(node, pool, active());
    assert_eq!(
        verdict,
        Verdict::Overridden,
        "no line of ours sets it again"
    );
    assert!(reason.contains("sets it to 64"), "{reason}");
}

#[test]
fn what_only_the_tool_can_tell_is_no_pass() {
    let unresolved = Claim {
        unresolved: true,
        ..claim("/sys/cpu/cpu3/scaling_governor", "${f:x}", false)
    };
    let (verdict, reason, ..) = judged(governor(), vec![unresolved], active());
    assert_eq!(verdict, Verdict::Overridden);
    assert!(
        reason.contains("\"${f:x}\", which only the tool itself can tell"),
        "{reason}"
    );
}

#[test]
fn limits_conflict_where_they_would_move_the_value() {
    for (value, expected) in [
        (">2048", true),
        (">100", false),
        ("<100", true),
        ("<2048", false),
        (">1000", false),
        ("1000", false),
        (">x", true),
    ] {
        let claim = claim("/x", value, false);
        assert_eq!(differs(&claim, "1000", Compare::Words), expected, "{value}");
    }
}

proptest! {
    #[test]
    fn never_panics(value in "[<>0-9\u{e4}]{0,20}", path in "[/a*?\\[]{0,12}") {
        let claim = claim(&path, &value, false);
        let _ = (is_about(&claim, "/a/a"), differs(&claim, "3", Compare::Words), super::value(&claim));
    }
}
