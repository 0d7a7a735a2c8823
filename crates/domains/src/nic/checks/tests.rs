//! Every verdict of every check.

use std::collections::BTreeMap;

use hftune_model::CpuSet;
use hftune_model::ethtool::{LinkState, TimeStamping};
use hftune_model::finding::{Finding, Verdict};
use hftune_model::host::{Host, Node, PcieLink};
use hftune_model::profile::Profile;

use super::*;
use crate::test_tree::{tree, with_split};

fn device() -> Device {
    Device {
        name: "ens1f0".to_owned(),
        driver: Some("i40e".to_owned()),
        pci_address: Some("0000:3b:00.0".to_owned()),
        ..Device::default()
    }
}

fn set(list: &str) -> CpuSet {
    list.parse().expect("list")
}

/// The finding of a check on a host; CPUs 0-1 serve the OS, 2-7 are isolated.
fn finding(check: Check, host: &Host) -> Finding {
    let mut profile = Profile::default();
    profile.irq.housekeeping = true;
    with_split(host, &profile, ("0-1", "2-7"), |cx| {
        let service = irq::service(cx);
        let (unit, link) = (service.render(cx), service.enabling_link());
        let path = service.path();
        let (_dir, root) = tree(&[
            (path.to_str().expect("text"), &unit),
            (link.to_str().expect("text"), "-> ../irq-affinity.service"),
        ]);
        let device = &host.nics[0];
        let mut settings = settings(device, cx);
        let at = settings
            .iter()
            .position(|setting| setting.id == format!("nic/ens1f0/{}", check.word()));
        let setting = settings.remove(at.expect("a setting"));
        assert!(setting.artifacts.is_empty());
        Finding::judge(&setting, prove(check, device, cx, &Reader::new(&root)))
    })
}

fn host(device: Device) -> Host {
    Host {
        nics: vec![device],
        ..Host::default()
    }
}

fn told(check: Check, host: &Host) -> (Verdict, String) {
    let finding = finding(check, host);
    // What is wrong has a remedy, and it is none that changes nothing.
    assert_ne!(finding.fix.as_deref(), Some(""), "{finding:?}");
    (finding.verdict, finding.reason)
}

/// A host whose port has this link.
fn linked(up: Option<bool>, state: &str, modes: Told<LinkModes>) -> Host {
    let mut host = host(Device {
        state: Some(state.to_owned()),
        ..device()
    });
    let port = Port {
        link_state: Told::Value(LinkState { up }),
        link_modes: modes,
        ..Port::default()
    };
    host.ports.insert("ens1f0".to_owned(), port);
    host
}

fn modes(
    speed: Option<u32>,
    full: Option<bool>,
    ours: &[&str],
    theirs: &[&str],
) -> Told<LinkModes> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Told::Value(LinkModes {
        speed_mbps: speed,
        full_duplex: full,
        advertised: owned(ours),
        peer: owned(theirs),
        ..LinkModes::default()
    })
}

#[test]
fn a_link_is_up_in_full_duplex_at_the_best_speed_of_both() {
    let both = ["10000baseT/Full", "25000baseCR/Full", "Autoneg"];
    let of = |up, state, modes| finding(Check::Link, &linked(up, state, modes));
    let full = Some(true);

    let good = of(full, "up", modes(Some(25_000), full, &both, &both));
    assert_eq!(good.verdict, Verdict::Ok, "{good:?}");
    assert_eq!(
        good.effect,
        Proof::Holds("25000 Mbit/s, full duplex".to_owned())
    );
    // Nobody knows what the other end offers, or it offers less.
    for theirs in [&both[..0], &both[..1]] {
        let good = of(full, "up", modes(Some(10_000), full, &both, theirs));
        assert_eq!(good.verdict, Verdict::Ok, "{good:?}");
    }
    let slow = of(full, "up", modes(Some(10_000), full, &both, &both));
    assert_eq!(slow.verdict, Verdict::Wrong);
    assert!(
        slow.reason.ends_with("both ends offer 25000 Mbit/s"),
        "{slow:?}"
    );
    assert!(slow.fix.is_some_and(|fix| fix.contains("cable")));
    let half = of(full, "up", modes(Some(100), Some(false), &[], &[]));
    assert_eq!(half.reason, "effect: 100 Mbit/s, half duplex");

    for down in [
        of(Some(false), "up", modes(None, None, &both, &[])),
        of(None, "down", modes(None, None, &[], &[])),
        of(None, "lowerlayerdown", Told::Unsupported),
    ] {
        assert_eq!(down.verdict, Verdict::Wrong);
        assert_eq!(down.effect, Proof::Differs("down".to_owned()));
    }
    // A virtual port tells no speed, which is said.
    let virtual_port = of(None, "up", modes(None, None, &[], &[]));
    assert_eq!(virtual_port.verdict, Verdict::Ok);
    assert!(virtual_port.reason.contains("the driver tells no speed"));
    let unasked = of(full, "up", Told::Unknown("no socket".to_owned()));
    assert_eq!(unasked.verdict, Verdict::Unknown);
    assert_eq!(
        of(None, "unknown", Told::Unsupported).verdict,
        Verdict::Unknown
    );
    let nobody = finding(Check::Link, &host(device()));
    assert_eq!(nobody.verdict, Verdict::Unknown);
}

#[test]
fn a_pci_express_link_is_limited_by_the_card_or_the_slot() {
    let end = |now: (u32, u32), most: (u32, u32)| PcieEnd {
        speed_mtps: Some(now.0),
        width: Some(now.1),
        max_speed_mtps: Some(most.0),
        max_width: Some(most.1),
    };
    let of = |card: PcieEnd, bridge: Option<PcieEnd>| {
        let pcie = PcieLink {
            device: card,
            bridge,
        };
        told(
            Check::Pcie,
            &host(Device {
                pcie: Some(pcie),
                ..device()
            }),
        )
    };
    let fast = (16_000, 16);
    let (verdict, _) = of(end((8000, 8), (8000, 8)), Some(end((8000, 8), fast)));
    assert_eq!(verdict, Verdict::Ok);
    let now = (8000, 8);
    assert_eq!(
        of(end(now, fast), Some(end(now, (8000, 8)))),
        (
            Verdict::Rounded,
            "the slot can do 8 GT/s x8 at most, and the card 16 GT/s x16".to_owned()
        )
    );
    let (verdict, why) = of(end((2500, 4), fast), Some(end((2500, 4), (8000, 8))));
    assert_eq!(verdict, Verdict::Wrong);
    assert!(
        why.ends_with("2.5 GT/s x4, although the card can do 16 GT/s x16 and the slot 8 GT/s x8"),
        "{why}"
    );
    for bridge in [None, Some(PcieEnd::default())] {
        let (verdict, why) = of(end(now, fast), bridge);
        assert_eq!(verdict, Verdict::Wrong);
        assert!(why.ends_with("whether the slot can is not told"), "{why}");
    }
    for card in [
        PcieEnd {
            width: None,
            ..end(now, fast)
        },
        PcieEnd {
            max_speed_mtps: None,
            ..end(now, fast)
        },
    ] {
        assert_eq!(of(card, None).0, Verdict::Unknown);
    }
    let none = told(Check::Pcie, &host(device()));
    assert_eq!(none.0, Verdict::NotApplicable);
}

#[test]
fn an_isolated_cpu_is_near_the_port() {
    let node = |id, cpus: &str| Node {
        id,
        cpus: set(cpus),
        ..Node::default()
    };
    let two = || vec![node(0, "0-1"), node(1, "2-7")];
    let of = |on: Option<u32>, nodes: Vec<Node>, contradiction: Option<&str>| {
        let mut host = host(Device {
            node: on,
            ..device()
        });
        host.nodes = nodes;
        host.nodes_make_no_sense = contradiction.map(str::to_owned);
        told(Check::Node, &host)
    };
    assert_eq!(of(Some(1), two(), None).0, Verdict::Ok);
    assert_eq!(
        of(Some(0), two(), None),
        (
            Verdict::Wrong,
            "live, effect: no isolated CPU on node 0".to_owned()
        )
    );
    assert_eq!(of(None, two()[..1].to_vec(), None).0, Verdict::Ok);
    assert_eq!(of(None, two(), None).0, Verdict::NotApplicable);
    assert_eq!(of(Some(3), two(), None).0, Verdict::Unknown);
    assert_eq!(
        of(Some(1), two(), Some("a contradiction")).0,
        Verdict::Unknown
    );
    let port = host(device());
    let proof = with_split(&port, &Profile::default(), ("0-7", ""), |cx| {
        super::node(&port.nics[0], cx)
    });
    assert!(matches!(proof, Proof::NotApplicable(_)));
}

fn line(number: u32, requested: &str, effective: &str) -> Irq {
    Irq {
        number,
        name: format!("i40e-ens1f0-TxRx-{number}"),
        chip: "PCI-MSIX-0000:3b:00.0 1-edge".to_owned(),
        count: 7,
        requested: Some(set(requested)),
        effective: Some(set(effective)),
        device: Some("0000:3b:00.0".to_owned()),
        ..Irq::default()
    }
}

#[test]
fn interrupts_of_the_port_fire_on_the_cpus_of_the_os() {
    let of = |lines: Vec<Irq>| {
        let mut host = host(device());
        host.irqs.list = lines;
        finding(Check::Irqs, &host)
    };
    let other = Irq {
        device: Some("0000:3c:00.0".to_owned()),
        ..line(20, "5", "5")
    };
    let good = of(vec![
        line(30, "0-1", "0"),
        line(31, "0-1", "1"),
        other.clone(),
    ]);
    assert_eq!(good.verdict, Verdict::Ok, "{good:?}");
    assert_eq!(good.effect, Proof::Holds("2 of 2 on 0-1".to_owned()));

    let stray = of(vec![line(30, "0-1", "0"), line(31, "0-7", "5")]);
    assert_eq!(stray.verdict, Verdict::Wrong);
    assert_eq!(
        stray.live,
        Proof::Differs("1 of 2 on 0-1: 31 on 0-7".to_owned())
    );
    assert_eq!(
        stray.effect,
        Proof::Differs("1 of 2 on 0-1: 31 on 5".to_owned())
    );
    // Asked, and waiting for the next interrupt; or fired there all the same.
    let waits = |fired_since| Irq {
        fired_since,
        ..line(31, "0-1", "5")
    };
    assert_eq!(of(vec![waits(Some(0))]).verdict, Verdict::RebootPending);
    let fired = of(vec![waits(Some(9))]);
    assert_eq!(fired.verdict, Verdict::Wrong);
    assert!(fired.reason.contains("fired 9 times"), "{fired:?}");

    let unread = Irq {
        effective: None,
        ..line(31, "0-1", "5")
    };
    assert_eq!(
        of(vec![line(30, "0-1", "0"), unread]).verdict,
        Verdict::Unknown
    );
    assert_eq!(of(Vec::new()).verdict, Verdict::Unknown);
    // Not in use: it counts for nothing, and alone it is told.
    let idle = line(31, "0-1", "");
    let good = of(vec![line(30, "0-1", "0"), idle.clone()]);
    assert_eq!(good.effect, Proof::Holds("1 of 1 on 0-1".to_owned()));
    assert!(matches!(of(vec![idle]).effect, Proof::None(_)));
    let managed = Irq {
        managed: Some(true),
        ..line(31, "5", "5")
    };
    for lines in [vec![other], vec![managed]] {
        assert_eq!(of(lines).verdict, Verdict::NotApplicable);
    }
    let usb = host(Device {
        pci_address: None,
        ..device()
    });
    assert_eq!(told(Check::Irqs, &usb).0, Verdict::NotApplicable);
}

#[test]
fn interrupts_are_no_matter_where_the_profile_does_not_move_them() {
    let host = host(device());
    let words = |profile: &Profile, split| {
        with_split(&host, profile, split, |cx| {
            let settings = settings(&host.nics[0], cx);
            settings
                .iter()
                .any(|setting| setting.id == "nic/ens1f0/irqs")
        })
    };
    let mut profile = Profile::default();
    assert!(!words(&profile, ("0-1", "2-7")));
    profile.irq.housekeeping = true;
    assert!(words(&profile, ("0-1", "2-7")));
    assert!(!words(&profile, ("0-7", "")));
}

#[test]
fn lost_packets_are_told_and_only_growing_counts_are_wrong() {
    let counts = |counts: &[(&str, u64)]| -> BTreeMap<String, u64> {
        let owned = counts
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count));
        owned.collect()
    };
    let of = |drops: &[(&str, u64)], since: Option<&[(&str, u64)]>| {
        finding(
            Check::Drops,
            &host(Device {
                drops: counts(drops),
                drops_since: since.map(counts),
                ..device()
            }),
        )
    };
    let none = of(&[("rx_dropped", 0), ("tx_dropped", 0)], None);
    assert_eq!(
        (none.verdict, none.effect),
        (Verdict::Ok, Proof::Holds("none".to_owned()))
    );
    let some = [("rx_dropped", 12), ("tx_dropped", 0)];
    let still = of(&some, Some(&[("rx_dropped", 0), ("tx_dropped", 0)]));
    assert_eq!(still.verdict, Verdict::Ok);
    assert_eq!(
        still.effect,
        Proof::Holds("rx_dropped 12; none while hftune looked".to_owned())
    );
    let grows = of(&some, Some(&[("rx_dropped", 3), ("tx_dropped", 0)]));
    assert_eq!(grows.verdict, Verdict::Wrong);
    assert!(
        grows
            .reason
            .ends_with("grew while hftune looked: rx_dropped by 3")
    );
    // A captured machine was looked at once; and what cannot be read again is no pass.
    assert_eq!(of(&some, None).verdict, Verdict::Unknown);
    assert_eq!(
        of(&some, Some(&[("rx_dropped", 0)])).verdict,
        Verdict::Unknown
    );
    assert_eq!(of(&[], None).verdict, Verdict::Unknown);
}

#[test]
fn time_stamps_are_information() {
    let of = |stamps: Told<TimeStamping>| {
        let mut host = host(device());
        let port = Port {
            time_stamping: stamps,
            ..Port::default()
        };
        host.ports.insert("ens1f0".to_owned(), port);
        finding(Check::TimeStamps, &host)
    };
    let stamps = TimeStamping {
        capabilities: vec!["hardware-receive".to_owned()],
        phc_index: Some(2),
        ..TimeStamping::default()
    };
    let good = of(Told::Value(stamps));
    assert_eq!(good.verdict, Verdict::Ok);
    assert_eq!(
        good.live,
        Proof::Holds("hardware-receive, clock /dev/ptp2".to_owned())
    );
    assert!(matches!(good.effect, Proof::None(_)));
    for nothing in [Told::Unsupported, Told::Value(TimeStamping::default())] {
        assert_eq!(of(nothing).verdict, Verdict::NotApplicable);
    }
    assert_eq!(
        of(Told::Unknown("why".to_owned())).verdict,
        Verdict::Unknown
    );
}

#[test]
fn the_way_past_the_kernel_is_information() {
    let of = |driver: Option<&str>, vma_capable| {
        finding(
            Check::Stack,
            &host(Device {
                driver: driver.map(str::to_owned),
                vma_capable,
                ..device()
            }),
        )
    };
    let mellanox = of(Some("mlx5_core"), true);
    assert_eq!(
        (mellanox.verdict, mellanox.effect),
        (
            Verdict::Ok,
            Proof::Holds("mlx5_core, which libvma can drive".to_owned())
        )
    );
    assert_eq!(
        of(Some("i40e"), false).effect,
        Proof::Holds("i40e, the kernel's stack only".to_owned())
    );
    assert_eq!(of(None, false).verdict, Verdict::Unknown);
}

#[test]
fn every_check_has_its_words_and_is_no_knob() {
    for check in Check::ALL {
        assert_eq!(super::of(check.word()), Some(check));
        assert!(check.word().parse::<hftune_model::knob::Knob>().is_err());
        assert_eq!(
            docs::check(check.word()).id,
            format!("nic/IF/{}", check.word())
        );
    }
}
