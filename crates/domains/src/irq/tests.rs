use hftune_model::finding::{Finding, Verdict};
use hftune_model::profile::Profile;

use crate::test_tree::{tree, with_split};

use super::*;

fn set(list: &str) -> CpuSet {
    CpuSet::parse_list(list, None).unwrap()
}

fn line(number: u32, name: &str, requested: &str, effective: &str) -> Line {
    Line {
        number,
        name: name.to_owned(),
        chip: format!("PCI-MSIX-0000:3b:00.0 {number}-edge"),
        count: 7,
        requested: Some(set(requested)),
        effective: Some(set(effective)),
        ..Line::default()
    }
}

/// CPUs 0-1 serve the OS, 2-7 the application.
fn with<R>(lines: Vec<Line>, cmdline: &str, check: impl FnOnce(&Context<'_>) -> R) -> R {
    let mut profile = Profile::default();
    profile.irq.housekeeping = true;
    let mut host = Host::default();
    host.irqs.list = lines;
    cmdline.clone_into(&mut host.kernel.cmdline);
    with_split(&host, &profile, ("0-1", "2-7"), check)
}

/// The finding for a setting, with its unit in place.
fn finding(cx: &Context<'_>, id: &str) -> Finding {
    let unit = service(cx).render(cx);
    let link = service(cx).enabling_link();
    let path = service(cx).path();
    let (_dir, root) = tree(&[
        (path.to_str().unwrap(), &unit),
        (link.to_str().unwrap(), "-> ../irq-affinity.service"),
    ]);
    let desired = Irq.desire(cx);
    let setting = desired
        .settings
        .iter()
        .find(|setting| setting.id == id)
        .expect(id);
    let proofs = Irq.prove(setting, cx, &Reader::new(&root)).unwrap();
    Finding::judge(setting, proofs)
}

fn skipped(line: Line, cmdline: &str) -> Skipped {
    with(vec![line], cmdline, |cx| Irq.desire(cx).skipped.remove(0))
}

#[test]
fn a_move_that_waits_is_told_from_one_that_was_not_made() {
    let judged = |line: Line, cmdline: &str| {
        with(vec![line], cmdline, |cx| {
            let finding = finding(cx, "irq/eth0-rx-0");
            (finding.verdict, finding.reason, finding.fix)
        })
    };
    let asked = || line(30, "eth0-rx-0", "0-1", "5");
    let fired = |since| Line {
        fired_since: Some(since),
        ..asked()
    };
    let booted = "ro irqaffinity=0-1";

    let (verdict, reason, _) = judged(fired(12), booted);
    assert_eq!(verdict, Verdict::Wrong);
    assert!(reason.contains("fired 12 times"), "{reason}");
    assert_eq!(judged(fired(12), "ro").0, Verdict::Wrong);

    let (verdict, reason, fix) = judged(fired(0), booted);
    assert_eq!(verdict, Verdict::RebootPending);
    assert!(reason.contains("did not while hftune looked"), "{reason}");
    assert!(fix.is_some_and(|fix| fix.contains("irq show")));

    let never = Line {
        count: 0,
        ..asked()
    };
    let (verdict, reason, _) = judged(never.clone(), booted);
    assert_eq!(verdict, Verdict::Ok);
    assert!(reason.contains("has not fired since boot"), "{reason}");
    assert_eq!(judged(never, "ro").0, Verdict::RebootPending);

    // One reading only, as of a recorded machine.
    assert_eq!(judged(asked(), "ro").0, Verdict::RebootPending);
    assert_eq!(judged(asked(), booted).0, Verdict::Wrong);
    assert_eq!(
        judged(line(30, "eth0-rx-0", "0-7", "5"), "ro").0,
        Verdict::Wrong
    );
    assert_eq!(
        judged(line(30, "eth0-rx-0", "0-1", "1"), "ro").0,
        Verdict::Ok
    );
}

#[test]
fn a_managed_interrupt_is_explained_and_never_a_setting() {
    let queue = |requested, effective| line(40, "nvme0q3", requested, effective);
    let away = skipped(queue("0,3", "0"), "ro");
    assert_eq!((away.verdict, away.fix), (Verdict::NotApplicable, None));
    assert!(
        away.reason.ends_with("CPU 0, which serves the OS"),
        "{}",
        away.reason
    );

    let there = skipped(queue("3", "3"), "ro isolcpus=domain,2-7");
    assert_eq!(
        there.fix.as_deref(),
        Some("boot with isolcpus=managed_irq,domain,2-7")
    );

    let booted = "ro isolcpus=managed_irq,domain,2-7";
    let own = skipped(queue("3,5", "3"), booted);
    assert_eq!((own.verdict, own.fix), (Verdict::NotApplicable, None));
    assert!(
        own.reason
            .contains("only when the application itself does I/O"),
        "{}",
        own.reason
    );
    let moving = skipped(queue("1,3", "3"), booted);
    assert!(
        moving.reason.contains("when the queue is next set up"),
        "{}",
        moving.reason
    );

    // What the kernel says of it counts more than its name.
    let unmanaged = Line {
        managed: Some(false),
        ..queue("3", "3")
    };
    with(vec![unmanaged], "ro", |cx| {
        assert!(Irq.desire(cx).skipped.is_empty());
    });
    let fixed = Line {
        fixed: true,
        ..queue("3", "3")
    };
    assert_eq!(
        skipped(fixed, "ro").reason,
        "the kernel binds it to its CPU"
    );
}

#[test]
fn only_one_setting_carries_what_all_share_and_each_is_proved_saved_by_it() {
    let lines = vec![
        line(30, "eth0-rx-0", "0-1", "1"),
        line(31, "eth0-rx-1", "0-1", "1"),
    ];
    with(lines, "ro", |cx| {
        let desired = Irq.desire(cx);
        let shared: Vec<_> = desired
            .settings
            .iter()
            .filter(|setting| setting.artifacts.len() > 1)
            .map(|setting| setting.id.as_str())
            .collect();
        assert_eq!(shared, ["irq/default"]);
        let (_dir, root) = tree(&[]);
        let proofs = Irq
            .prove(&desired.settings[1], cx, &Reader::new(&root))
            .unwrap();
        assert!(
            matches!(proofs.saved, Proof::Differs(_)),
            "{:?}",
            proofs.saved
        );
        assert_eq!(finding(cx, "irq/eth0-rx-0").verdict, Verdict::Ok);
    });
}

#[test]
fn says_how_many_fire_on_what_the_kernel_was_booted_to_isolate() {
    let lines = || vec![line(30, "eth0-rx-0", "0-7", "4"), line(31, "", "0-7", "1")];
    with(lines(), "ro isolcpus=managed_irq,4-7", |cx| {
        let finding = finding(cx, "irq/isolated-at-boot");
        assert_eq!(
            finding.effect,
            Proof::Differs("1 of 2 fire on CPUs 4-7".to_owned())
        );
        assert_eq!(finding.verdict, Verdict::RebootPending);
    });
    // The plan's own CPUs, or none: the interrupts speak for themselves.
    for cmdline in ["ro isolcpus=domain,2-7", "ro", "ro isolcpus=nonsense"] {
        with(lines(), cmdline, |cx| {
            assert!(
                Irq.desire(cx)
                    .settings
                    .iter()
                    .all(|setting| setting.id != "irq/isolated-at-boot")
            );
        });
    }
}

#[test]
fn the_unit_stops_irqbalance_only_where_the_profile_does() {
    let rendered = |off: &[&str]| {
        with(Vec::new(), "ro", |cx| {
            let mut profile = cx.profile.clone();
            profile.services.off = off.iter().map(|unit| (*unit).to_owned()).collect();
            let cx = Context {
                profile: &profile,
                ..*cx
            };
            service(&cx).render(&cx)
        })
    };
    assert!(rendered(&["irqbalance.service"]).contains("Conflicts=irqbalance.service"));
    let beside = rendered(&[]);
    assert!(
        !beside.contains("Conflicts") && beside.contains("StartLimitIntervalSec=0"),
        "{beside}"
    );
    assert!(
        beside.contains("live irq threads rps workqueue kernel\n"),
        "{beside}"
    );
}
