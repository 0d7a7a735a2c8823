use std::path::Path;

use crate::test_tree::tree;
use hftune_model::cpu_plan::CpuPlan;
use hftune_model::finding::{Finding, Verdict};
use hftune_model::host::Host;
use hftune_model::profile::Profile;
use proptest::prelude::*;

use super::*;

fn profile(domain: &str) -> Profile {
    let mut profile = Profile {
        name: "desk".to_owned(),
        ..Profile::default()
    };
    profile.limits.domain = domain.to_owned();
    profile.limits.memlock = "unlimited".to_owned();
    profile.limits.rtprio = 49;
    profile
}

fn with<R>(profile: &Profile, run: impl FnOnce(&Context<'_>) -> R) -> R {
    let (host, cpus) = (Host::default(), CpuPlan::default());
    run(&Context {
        host: &host,
        profile,
        cpus: &cpus,
        binary: Path::new("/usr/bin/hftune"),
        force: false,
    })
}

fn text(profile: &Profile) -> String {
    with(profile, |cx| match file(cx) {
        Artifact::File { content, .. } => content,
        other => panic!("{other:?}"),
    })
}

fn finding(domain: &str, files: &[(&str, &str)]) -> Finding {
    let (_dir, root) = tree(files);
    with(&profile(domain), |cx| {
        let setting = Limits.desire(cx).settings.remove(0);
        Finding::judge(
            &setting,
            Limits
                .prove(&setting, cx, &Reader::new(&root))
                .expect("proofs"),
        )
    })
}

#[test]
fn everybody_includes_root_who_must_be_named() {
    let all = text(&profile("*"));
    assert!(all.ends_with("*\t-\tmemlock\tunlimited\nroot\t-\tmemlock\tunlimited\n*\t-\trtprio\t49\nroot\t-\trtprio\t49\n"));
    assert!(
        text(&profile("@trading"))
            .ends_with("@trading\t-\tmemlock\tunlimited\n@trading\t-\trtprio\t49\n")
    );
}

#[test]
fn what_is_kept_is_not_set() {
    let mut kept = profile("*");
    kept.limits.memlock = KEEP.to_owned();
    kept.limits.rtprio = -1;
    assert!(with(&kept, |cx| Limits.desire(cx)).settings.is_empty());
}

#[test]
fn our_file_holds_and_a_later_one_overrides() {
    let own = text(&profile("@trading"));
    let held = finding("@trading", &[(OWN, &own)]);
    assert_eq!(held.verdict, Verdict::Ok, "{held:?}");
    let earlier = [(OWN, own.as_str()), (MAIN, "@trading hard memlock 64\n")];
    assert_eq!(finding("@trading", &earlier).verdict, Verdict::Ok);
    let others = [
        (OWN, own.as_str()),
        ("/etc/security/limits.d/zz.conf", "@audio - memlock 64\n"),
    ];
    assert_eq!(finding("@trading", &others).verdict, Verdict::Ok);

    let later = [
        (OWN, own.as_str()),
        (
            "/etc/security/limits.d/zz.conf",
            "# x\n@trading soft memlock 64 # y\n",
        ),
    ];
    let beaten = finding("@trading", &later);
    assert_eq!(beaten.verdict, Verdict::Overridden);
    assert_eq!(
        beaten.reason,
        "/etc/security/limits.d/zz.conf:2 sets it to 64 for @trading after /etc/security/limits.d/99-hft.conf"
    );
    assert_eq!(
        beaten.fix.as_deref(),
        Some("remove line 2 of /etc/security/limits.d/zz.conf")
    );
}

#[test]
fn without_our_file_it_is_wrong() {
    assert_eq!(finding("*", &[]).verdict, Verdict::Wrong);
    assert_eq!(
        finding("*", &[(MAIN, "* - memlock 64\n")]).reason,
        "saved: 64; any login may lock all memory"
    );
    // Root is not reached by the star.
    assert_eq!(
        finding("*", &[(MAIN, "* - memlock unlimited\n")]).verdict,
        Verdict::Wrong
    );
}

proptest! {
    #[test]
    fn never_panics(text in "[-a-z@*# \t\n0-9]{0,100}") {
        for limit in parse(&text, "f") {
            prop_assert!(["soft", "hard", "-"].contains(&limit.kind.as_str()));
        }
    }

    #[test]
    fn what_is_written_is_read(domain in "@?[a-z]{1,8}", kib in 0u64..1 << 40, rtprio in 0i32..=99) {
        let mut wanted = profile(&domain);
        wanted.limits.memlock = kib.to_string();
        wanted.limits.rtprio = rtprio;
        let read = parse(&text(&wanted), OWN);
        prop_assert_eq!(read.len(), 2);
        prop_assert_eq!((&read[0].domain, &read[0].value), (&domain, &kib.to_string()));
        prop_assert_eq!((&read[1].item[..], &read[1].value), ("rtprio", &rtprio.to_string()));
    }
}
