use hftune_model::CpuSet;
use hftune_model::cpu_plan::CpuPlan;
use hftune_model::finding::{Finding, Proof, Verdict};
use hftune_model::host::{Core, CoreKind, Host};
use hftune_model::irq_map::IrqMap;
use hftune_model::jitter::{CauseShare, Cpu, Gaps, Jitter, SCHEMA, Traced};

use super::svg::{Log, count, escape};
use super::{Page, page};

fn jitter(per_second: f64, cause: &str) -> Jitter {
    let gaps = Gaps {
        count: 100,
        per_second,
        p50_ns: 80.0,
        p99_ns: 900.0,
        p999_ns: 5000.0,
        max_ns: 2e6,
    };
    Jitter {
        schema: SCHEMA.to_owned(),
        time: "2026-03-01T06:00:00Z".to_owned(),
        host: "trade1".to_owned(),
        kernel: "5.14".to_owned(),
        seconds: 10.0,
        counter_ghz: 2.6,
        warnings: Vec::new(),
        cpus: vec![Cpu {
            cpu: 2,
            turns: 1_000_000,
            loop_ns: 7.4,
            resolution_ns: 6.2,
            threshold_ns: 34.0,
            threshold_basis: String::new(),
            gaps,
            lost_share: 0.001,
            faults: 0,
            switches: 0,
            migrations: 0,
            histogram: vec![(80.0, 90), (2e6, 10)],
            counted: Vec::new(),
            traced: Some(Traced {
                gaps,
                loop_ns: 7.4,
                named_from_ns: 1000.0,
                to_name: 10,
                named: 10,
                dropped: 0,
                events_lost: 0,
                timeline: vec![(1.5, 2e6, 0)],
            }),
            causes: vec![CauseShare {
                cause: cause.to_owned(),
                count: 10,
                lost_ns: 1e6,
                max_ns: 2e6,
                setting: Some("boot/nohz_full".to_owned()),
            }],
        }],
    }
}

fn host() -> Host {
    let mut host = Host::default();
    host.cpus.online = CpuSet::parse_list("0-3", None).expect("a list");
    host.cpus.cores = (0..4)
        .map(|cpu| Core {
            cpus: [cpu].into_iter().collect(),
            package: 0,
            node: None,
            kind: CoreKind::default(),
        })
        .collect();
    host
}

fn shown(measured: &[Jitter]) -> String {
    let set = |list: &str| CpuSet::parse_list(list, None).expect("a list");
    let cpus = CpuPlan {
        housekeeping: set("0-1"),
        isolated: set("2-3"),
        nic_local: CpuSet::new(),
        why: "<because>".to_owned(),
    };
    let finding = |verdict, live| Finding {
        id: "sysctl/vm.swappiness".to_owned(),
        verdict,
        desired: "0".to_owned(),
        saved: Proof::Holds("0".to_owned()),
        live,
        effect: Proof::Unknown("no".to_owned()),
        reason: "it is 60 & more".to_owned(),
        fix: Some("hftune setup".to_owned()),
    };
    page(&Page {
        title: "trade1",
        host: &host(),
        cpus: &cpus,
        irqs: &IrqMap::default(),
        profile: "hft",
        findings: &[
            finding(Verdict::Ok, Proof::Holds("0".to_owned())),
            finding(Verdict::Wrong, Proof::Differs("60".to_owned())),
        ],
        notes: &[],
        measured,
    })
}

/// Every element that is opened is closed, in the right order.
fn assert_balanced(html: &str) {
    let mut open: Vec<String> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let end = rest[at..].find('>').expect("a tag ends") + at;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/'])
            .next()
            .unwrap_or_default()
            .to_owned();
        if tag.starts_with('!') || tag.ends_with('/') || ["meta", "br"].contains(&name.as_str()) {
            continue;
        }
        if tag.starts_with('/') {
            assert_eq!(
                open.pop().as_ref(),
                Some(&name),
                "before {}",
                &rest[..rest.len().min(80)]
            );
        } else {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<String>::new());
}

#[test]
fn pages_are_whole_with_none_one_and_two_measurements() {
    let (before, after) = (
        jitter(3350.0, "CPU interrupt local_timer"),
        jitter(12.0, "thread <b>&\"x"),
    );
    let both = [before, after];
    for measured in [&[][..], &both[..1], &both[..]] {
        let html = shown(measured);
        assert_balanced(&html);
        assert!(!html.contains("<script") && !html.contains("http-equiv"));
        assert!(
            !html.contains("src=") && !html.contains("url("),
            "nothing from elsewhere"
        );
        assert!(html.contains("&lt;because&gt;") && html.contains("it is 60 &amp; more"));
        assert!(!html.contains("<b>&\"x"), "names are escaped");
    }
}

#[test]
fn before_and_after_are_told_at_a_glance() {
    let html = shown(&[jitter(3350.0, "a"), jitter(12.0, "b")]);
    assert!(html.contains("279.2 times less"), "{html}");
    assert!(html.contains("= about the same"));
}

#[test]
fn owners_and_proofs_are_told() {
    let html = shown(&[]);
    assert!(html.contains("title=\"CPU 3: application\""));
    assert!(html.contains("title=\"CPU 0: OS\""));
    assert!(html.contains("1 of 2 are as desired"));
    assert!(html.contains("<span class=\"wrong\">no</span> 60"));
}

#[test]
fn texts_and_numbers() {
    assert_eq!(
        escape("<a b=\"c\">&'\u{1}"),
        "&lt;a b=&quot;c&quot;&gt;&amp;&#39;\u{fffd}"
    );
    assert_eq!(count(1_234_567.0), "1\u{202f}234\u{202f}567");
    assert_eq!(count(0.25), "0.25");
    let scale = Log {
        from: 1,
        at: 10.0,
        powers: 2,
        length: 100.0,
    };
    assert!((scale.place(100.0) - 110.0).abs() < 1e-9);
    assert!((scale.place(0.0) - 10.0).abs() < 1e-9);
    assert!((scale.place(1e9) - 210.0).abs() < 1e-9);
}
