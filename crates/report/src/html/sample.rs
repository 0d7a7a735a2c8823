//! A small machine whose names try to be markup, for the tests of each part.

use hftune_model::cpu_plan::CpuPlan;
use hftune_model::finding::{Finding, Proof, Verdict};
use hftune_model::host::{Core, Cpus, Host, Kernel, Nic, Node};
use hftune_model::irq_map::{IrqDevice, IrqMap, IrqQueue, IrqState};
use hftune_model::jitter::{CauseShare, Counted, Cpu, Gaps, Jitter, SCHEMA, Traced};
use hftune_model::{CpuSet, Size};

use super::page::{Measured, Page};

fn set(text: &str) -> CpuSet {
    text.parse().expect("a list")
}

pub(super) fn host() -> Host {
    let core = |cpus| Core {
        cpus: set(cpus),
        package: 0,
        node: Some(0),
        ..Core::default()
    };
    Host {
        cpus: Cpus {
            present: set("0-4"),
            online: set("0-3"),
            cores: vec![core("0,2"), core("1,3")],
            model: Some("<evil> CPU".to_owned()),
            ..Cpus::default()
        },
        nodes: vec![Node {
            id: 0,
            cpus: set("0-3"),
            memory: Size(1 << 34),
            ..Node::default()
        }],
        nics: vec![Nic {
            name: "eth<evil>".to_owned(),
            node: Some(0),
            speed_mbps: Some(25_000),
            state: Some("up".to_owned()),
            driver: Some("mlx5_core".to_owned()),
            ..Nic::default()
        }],
        kernel: Kernel {
            release: "6.12.0".to_owned(),
            ..Kernel::default()
        },
        ..Host::default()
    }
}

pub(super) fn cpus() -> CpuPlan {
    CpuPlan {
        housekeeping: set("0,2"),
        isolated: set("1,3"),
        nic_local: set("1,3"),
        why: "because of \"evil\"".to_owned(),
    }
}

pub(super) fn irqs() -> IrqMap {
    let queue = |number, state, fires: &str| IrqQueue {
        id: Some(format!("irq/{number}")),
        number,
        name: "q<evil>".to_owned(),
        state,
        fires_on: Some(set(fires)),
        should: Some(set("0-1")),
        ..IrqQueue::default()
    };
    IrqMap {
        housekeeping: set("0,2"),
        total: 2,
        devices: vec![IrqDevice {
            name: "eth<evil>".to_owned(),
            queues: vec![
                queue(30, IrqState::Ok, "0"),
                queue(31, IrqState::Stray, "3"),
            ],
            ..IrqDevice::default()
        }],
        ..IrqMap::default()
    }
}

pub(super) fn findings() -> Vec<Finding> {
    let finding = |id: &str, verdict, live| Finding {
        id: id.to_owned(),
        verdict,
        desired: "\"evil\"".to_owned(),
        saved: Proof::Holds("x".to_owned()),
        live,
        effect: Proof::None("none".to_owned()),
        reason: "'evil'".to_owned(),
        fix: (verdict == Verdict::Wrong).then(|| "hftune setup".to_owned()),
    };
    vec![
        finding(
            "sysctl/vm.swappiness",
            Verdict::Ok,
            Proof::Holds("1".to_owned()),
        ),
        finding(
            "boot/nohz_full",
            Verdict::Wrong,
            Proof::Differs("<evil>".to_owned()),
        ),
    ]
}

/// A measurement of CPU 3 with so many gaps in two seconds.
pub(super) fn jitter(gaps: u32) -> Jitter {
    let count = u64::from(gaps);
    let numbers = Gaps {
        count,
        per_second: f64::from(gaps) / 2.0,
        p50_ns: 2000.0,
        p99_ns: 3000.0,
        p999_ns: f64::from(gaps) * 3500.0,
        max_ns: f64::from(gaps) * 4000.0,
    };
    let cause = |cause: &str, lost_ns, setting: Option<&str>| CauseShare {
        cause: cause.to_owned(),
        count,
        lost_ns,
        max_ns: 4000.0,
        setting: setting.map(str::to_owned),
    };
    Jitter {
        schema: SCHEMA.to_owned(),
        time: "2026-01-02T03:04:05Z".to_owned(),
        host: "host <evil>".to_owned(),
        kernel: "6.12.0".to_owned(),
        seconds: 2.0,
        counter_ghz: 2.6,
        warnings: vec!["<evil>".to_owned()],
        cpus: vec![Cpu {
            cpu: 3,
            turns: 1_000_000,
            loop_ns: 7.25,
            resolution_ns: 6.0,
            threshold_ns: 30.0,
            threshold_basis: "<evil>".to_owned(),
            gaps: numbers,
            lost_share: f64::from(gaps) * 1e-5,
            faults: 0,
            switches: 0,
            migrations: 0,
            histogram: vec![(2000.0, count)],
            counted: vec![Counted {
                what: "softirq <evil>".to_owned(),
                count,
            }],
            traced: Some(Traced {
                gaps: numbers,
                loop_ns: 7.25,
                named_from_ns: 1000.0,
                to_name: count,
                named: count,
                dropped: 0,
                events_lost: 0,
                timeline: (0..gaps).map(|n| (f64::from(n) * 0.1, 2000.0, 0)).collect(),
            }),
            causes: vec![
                cause(
                    "thread <evil>",
                    f64::from(gaps) * 2e4,
                    Some("boot/nohz_full"),
                ),
                cause("no kernel event: \"evil\"", f64::from(gaps) * 1e3, None),
            ],
        }],
    }
}

/// The first `count` of before and after.
pub(super) fn measured(count: usize) -> Vec<Measured> {
    let one = |name: &str, gaps| Measured {
        name: name.to_owned(),
        jitter: jitter(gaps),
    };
    let mut all = vec![one("before<evil>.json", 10), one("after.json", 1)];
    all.truncate(count);
    all
}

/// The page with so many measurements.
pub(super) fn page(count: usize) -> String {
    super::page(&Page {
        name: "<evil>",
        time: "2026-01-02T03:04:05Z",
        read_from: "<evil>",
        host: &host(),
        cpus: &cpus(),
        refused: None,
        irqs: &irqs(),
        profile: "<evil>",
        findings: &findings(),
        notes: &["<evil>".to_owned()],
        measured: &measured(count),
    })
}
