//! Ports as drivers tell them, and what the profile makes of each.

use std::collections::BTreeMap;

use hftune_model::ethtool::{Channels, Coalesce, Feature, Port, Rings, Told};
use hftune_model::finding::{Finding, Proof, Verdict};
use hftune_model::host::{Host, Nic as Device, Rival};
use hftune_model::others::{PortOwner, PortSetting};
use hftune_model::port_change::PortChange;
use hftune_model::profile::Profile;
use hftune_model::setting::{Artifact, Setting};
use hftune_sys::Reader;

use super::{Nic, unit_name};
use crate::test_tree::{tree, with_split};
use crate::{Context, Desired, Domain};

/// The profile of these tests: what the built-in one wants of every port.
fn profile(ports: &[&str]) -> Profile {
    let all = serde_json::json!({
        "ring-rx": 4096, "ring-tx": 4096, "feature-gro": false, "feature-lro": false, "feature-tso": false,
        "coalesce-adaptive-rx": false, "coalesce-adaptive-tx": false, "coalesce-rx-usecs": 0, "coalesce-tx-usecs": 0,
    });
    let nic = serde_json::json!({ "ports": ports, "all": all });
    Profile {
        nic: serde_json::from_value(nic).expect("profile"),
        ..Profile::default()
    }
}

fn device(name: &str, driver: &str) -> Device {
    Device {
        name: name.to_owned(),
        driver: Some(driver.to_owned()),
        pci_address: Some("0000:3b:00.0".to_owned()),
        device: Some("0000:3b:00.0".to_owned()),
        ..Device::default()
    }
}

fn feature(active: bool, fixed: bool) -> Feature {
    Feature {
        active,
        wanted: active && !fixed,
        fixed,
    }
}

/// An i40e port as its driver leaves it.
fn i40e() -> Port {
    Port {
        rings: Told::Value(Rings {
            rx: Some(512),
            rx_max: Some(8160),
            tx: Some(512),
            tx_max: Some(8160),
            ..Rings::default()
        }),
        coalesce: Told::Value(Coalesce {
            adaptive_rx: Some(true),
            adaptive_tx: Some(true),
            rx_usecs: Some(50),
            tx_usecs: Some(50),
            ..Coalesce::default()
        }),
        features: Told::Value(BTreeMap::from([
            ("rx-gro".to_owned(), feature(true, false)),
            ("rx-lro".to_owned(), feature(false, true)),
            ("tx-tcp-segmentation".to_owned(), feature(true, false)),
            ("tx-tcp6-segmentation".to_owned(), feature(true, false)),
        ])),
        flags: Told::Value(BTreeMap::new()),
        ..Port::default()
    }
}

fn host(device: Device, port: Port) -> Host {
    Host {
        ports: BTreeMap::from([(device.name.clone(), port)]),
        nics: vec![device],
        ..Host::default()
    }
}

fn desired<R>(host: &Host, profile: &Profile, check: impl FnOnce(&Context<'_>, Desired) -> R) -> R {
    with_split(host, profile, ("0-1", "2-7"), |cx| {
        check(cx, Nic.desire(cx))
    })
}

fn changes(settings: &[Setting]) -> Vec<PortChange> {
    let artifacts = settings.iter().flat_map(|setting| &setting.artifacts);
    let mut changes: Vec<PortChange> = artifacts
        .filter_map(|artifact| match artifact {
            Artifact::Port { change, .. } => Some(change.clone()),
            _ => None,
        })
        .collect();
    changes.dedup();
    changes
}

fn finding(desired: &Desired, id: &str, cx: &Context<'_>) -> Finding {
    let (_dir, root) = tree(&[]);
    let setting = desired.settings.iter().find(|setting| setting.id == id);
    let setting = setting.unwrap_or_else(|| panic!("{id} in {desired:?}"));
    let proofs = Nic.prove(setting, cx, &Reader::new(&root)).expect("proofs");
    Finding::judge(setting, proofs)
}

fn skipped<'d>(desired: &'d Desired, id: &str) -> (&'d Verdict, &'d str) {
    let found = desired.skipped.iter().find(|skipped| skipped.id == id);
    let found = found.unwrap_or_else(|| panic!("{id} in {desired:?}"));
    (&found.verdict, &found.reason)
}

#[test]
fn nothing_is_wanted_of_ports_that_nobody_chose() {
    let host = host(device("ens1f0", "i40e"), i40e());
    desired(&host, &profile(&[]), |_, desired| {
        assert_eq!(desired, Desired::default());
    });
    for chosen in ["ens1f0", "0000:3b:00.0", "*"] {
        desired(&host, &profile(&[chosen]), |_, desired| {
            assert!(!desired.settings.is_empty(), "{chosen}");
        });
    }
}

#[test]
fn a_port_is_changed_in_one_request_a_kind_and_adaptive_coalescing_first() {
    let host = host(device("ens1f0", "i40e"), i40e());
    desired(&host, &profile(&["ens1f0"]), |cx, desired| {
        let words: Vec<_> = changes(&desired.settings)
            .iter()
            .map(PortChange::word)
            .collect();
        assert_eq!(
            words,
            ["rings", "features", "adaptive-coalescing", "coalescing"]
        );
        let PortChange::Rings(rings) = &changes(&desired.settings)[0] else {
            panic!("{desired:?}");
        };
        assert_eq!((rings.rx, rings.tx), (Some(4096), Some(4096)));
        // The driver would not act on it.
        let usecs = finding(&desired, "nic/ens1f0/coalesce-rx-usecs", cx);
        assert_eq!(usecs.verdict, Verdict::Wrong);
        assert_eq!(usecs.live, Proof::Differs("50".to_owned()));
        let Proof::Differs(effect) = &usecs.effect else {
            panic!("{usecs:?}");
        };
        assert!(effect.contains("adaptive rx coalescing is on"), "{effect}");
    });
}

#[test]
fn what_the_port_cannot_hold_is_rounded_with_asked_and_got() {
    let mut port = i40e();
    port.rings = Told::Value(Rings {
        rx: Some(256),
        rx_max: Some(256),
        tx: Some(64),
        tx_max: Some(256),
        ..Rings::default()
    });
    let host = host(device("ens5", "virtio_net"), port);
    desired(&host, &profile(&["ens5"]), |cx, desired| {
        let setting = |id: &str| {
            desired
                .settings
                .iter()
                .find(|s| s.id == id)
                .expect("setting")
        };
        assert_eq!(setting("nic/ens5/ring-rx").desired, "256");
        let rx = finding(&desired, "nic/ens5/ring-rx", cx);
        let why = "asked for 4096, got 256: the port has at most 256";
        assert_eq!(rx.live, Proof::Rounded("256".to_owned(), why.to_owned()));
        // The unit is not there in this tree, which is graver.
        assert_eq!(rx.verdict, Verdict::Wrong);
        let tx = finding(&desired, "nic/ens5/ring-tx", cx);
        assert_eq!(tx.live, Proof::Differs("64".to_owned()));
    });
}

#[test]
fn what_a_driver_does_not_take_is_not_applicable() {
    let mut port = i40e();
    port.coalesce = Told::Value(Coalesce {
        rx_usecs: Some(3),
        ..Coalesce::default()
    });
    port.rings = Told::Unsupported;
    port.features = Told::Value(BTreeMap::from([
        ("rx-gro".to_owned(), feature(true, true)),
        ("tx-tcp-segmentation".to_owned(), feature(false, true)),
    ]));
    let host = host(device("eth0", "e1000e"), port);
    desired(&host, &profile(&["eth0"]), |cx, desired| {
        for (what, reason) in [
            ("ring-rx", "e1000e has no rings to set"),
            ("feature-gro", "the driver has it on for good ([fixed])"),
            ("feature-lro", "this kernel lists no feature lro"),
        ] {
            let id = format!("nic/eth0/{what}");
            assert_eq!(skipped(&desired, &id), (&Verdict::NotApplicable, reason));
        }
        // What makes up for it is told.
        for (what, reason) in [
            ("coalesce-tx-usecs", "e1000e takes no coalesce-tx-usecs; "),
            (
                "coalesce-adaptive-rx",
                "e1000e adapts no coalescing to the traffic; ",
            ),
        ] {
            let id = format!("nic/eth0/{what}");
            let (verdict, told) = skipped(&desired, &id);
            assert_eq!(*verdict, Verdict::NotApplicable);
            let about = told.strip_prefix(reason).unwrap_or_default();
            assert!(about.contains("rx-usecs is of all interrupts"), "{told}");
        }
        // Off for good is as desired, and nothing is written.
        let tso = finding(&desired, "nic/eth0/feature-tso", cx);
        assert_eq!(tso.effect, Proof::Holds("off".to_owned()));
        let words: Vec<_> = changes(&desired.settings)
            .iter()
            .map(PortChange::word)
            .collect();
        assert_eq!(words, ["coalescing"]);
    });
}

#[test]
fn what_a_driver_does_besides_is_told_while_there_is_something_to_change() {
    let note = |desired: &Desired, what: &str| {
        let id = format!("nic/ens1f0/{what}");
        let setting = desired.settings.iter().find(|setting| setting.id == id);
        setting.expect("setting").note.clone()
    };
    let mut host = host(device("ens1f0", "i40e"), i40e());
    desired(&host, &profile(&["ens1f0"]), |_, desired| {
        let rings = note(&desired, "ring-rx").expect("note");
        assert!(rings.contains("builds its queues anew"), "{rings}");
        let usecs = note(&desired, "coalesce-rx-usecs").expect("note");
        assert!(
            usecs.contains("Intel 700 series (i40e): it refuses"),
            "{usecs}"
        );
        assert_eq!(note(&desired, "feature-tso"), None);
    });
    let port = host.ports.get_mut("ens1f0").expect("port");
    port.rings = Told::Value(Rings {
        rx: Some(4096),
        tx: Some(4096),
        ..Rings::default()
    });
    port.coalesce = Told::Value(Coalesce {
        adaptive_rx: Some(false),
        adaptive_tx: Some(false),
        rx_usecs: Some(0),
        tx_usecs: Some(0),
        ..Coalesce::default()
    });
    desired(&host, &profile(&["ens1f0"]), |_, desired| {
        for what in ["ring-rx", "coalesce-rx-usecs", "coalesce-adaptive-tx"] {
            assert_eq!(note(&desired, what), None, "{what}");
        }
    });
}

#[test]
fn numbers_that_would_have_the_whole_request_refused_are_left_out_of_it() {
    let mut port = i40e();
    port.channels = Told::Value(Channels {
        combined: Some(4),
        combined_max: Some(4),
        ..Channels::default()
    });
    port.coalesce = Told::Value(Coalesce {
        rx_usecs: Some(3),
        tx_usecs: Some(3),
        ..Coalesce::default()
    });
    let host = host(device("eth0", "igc"), port);
    desired(&host, &profile(&["eth0"]), |_, desired| {
        let (verdict, reason) = skipped(&desired, "nic/eth0/coalesce-tx-usecs");
        assert_eq!(*verdict, Verdict::NotApplicable);
        assert!(
            reason.contains("coalesce-rx-usecs counts for both"),
            "{reason}"
        );
        let coalesce = changes(&desired.settings)
            .into_iter()
            .find_map(|change| match change {
                PortChange::Coalesce(coalesce) => Some(coalesce),
                _ => None,
            });
        let only_rx = Coalesce {
            rx_usecs: Some(0),
            ..Coalesce::default()
        };
        assert_eq!(coalesce, Some(only_rx));
    });
    let mut profile = profile(&["eth0"]);
    let usecs = serde_json::json!({ "ports": ["eth0"], "all": { "coalesce-rx-usecs": 5 } });
    profile.nic = serde_json::from_value(usecs).expect("profile");
    desired(&host, &profile, |_, desired| {
        let (_, reason) = skipped(&desired, "nic/eth0/coalesce-rx-usecs");
        assert!(
            reason.starts_with("igc refuses coalesce-rx-usecs 5; "),
            "{reason}"
        );
    });
}

#[test]
fn private_flags_are_told_with_what_they_are_worth() {
    let mut port = i40e();
    port.flags = Told::Value(BTreeMap::from([
        ("flow-director-atr".to_owned(), true),
        ("veb-stats".to_owned(), false),
    ]));
    let host = host(device("ens1f0", "i40e"), port);
    let flags = serde_json::json!({
        "ports": ["ens1f0"], "all": { "flag-flow-director-atr": true, "flag-fast": true },
    });
    let profile = Profile {
        nic: serde_json::from_value(flags).expect("profile"),
        ..Profile::default()
    };
    desired(&host, &profile, |_, desired| {
        let (_, reason) = skipped(&desired, "nic/ens1f0/flag-fast");
        let known = "i40e has no private flag fast; it has flow-director-atr, veb-stats; worth a try: flow-director-atr off";
        assert_eq!(reason, known);
        let flag = desired.settings.iter().find(|s| s.id.ends_with("-atr"));
        let note = flag.and_then(|setting| setting.note.clone()).expect("note");
        assert!(note.starts_with("off is quicker: "), "{note}");
    });
}

#[test]
fn a_port_of_which_nothing_is_known_is_no_pass() {
    let host = host(device("eth0", "igb"), Port::unknown("no netlink socket"));
    desired(&host, &profile(&["eth0"]), |_, desired| {
        assert_eq!(
            skipped(&desired, "nic/eth0/ring-rx"),
            (&Verdict::Unknown, "no netlink socket")
        );
        // The unit is written all the same: it sets the values where the kernel can be asked. The rest is looked at only.
        let written = desired.settings.iter();
        let written: Vec<&str> = written
            .filter(|setting| !setting.artifacts.is_empty())
            .map(|setting| setting.id.as_str())
            .collect();
        assert_eq!(written, ["nic/eth0/service"]);
    });
}

#[test]
fn a_feature_that_was_asked_for_and_is_not_there_has_no_effect() {
    let mut port = i40e();
    port.features = Told::Value(BTreeMap::from([(
        "rx-gro".to_owned(),
        Feature {
            active: true,
            wanted: false,
            fixed: false,
        },
    )]));
    let host = host(device("eth0", "igb"), port);
    desired(&host, &profile(&["eth0"]), |cx, desired| {
        let gro = finding(&desired, "nic/eth0/feature-gro", cx);
        assert_eq!(gro.live, Proof::Holds("off".to_owned()));
        assert_eq!(gro.effect, Proof::Differs("on: rx-gro".to_owned()));
    });
}

fn claim(knob: &str, value: &str) -> PortSetting {
    PortSetting {
        port: Some("ens1f0".to_owned()),
        knob: knob.to_owned(),
        value: value.to_owned(),
        owner: PortOwner::NetworkManager,
        connection: Some("trading".to_owned()),
        file: "/etc/NetworkManager/system-connections/trading.nmconnection".to_owned(),
        line: 7,
        ..PortSetting::default()
    }
}

#[test]
fn each_value_has_one_owner() {
    let mut host = host(device("ens1f0", "i40e"), i40e());
    host.services.units.push(Rival {
        unit: "NetworkManager.service".to_owned(),
        running: true,
        enabled: true,
        ..Rival::default()
    });
    host.port_settings = vec![claim("ring-rx", "512"), claim("feature-gro", "off")];
    desired(&host, &profile(&["ens1f0"]), |cx, desired| {
        let (verdict, reason) = skipped(&desired, "nic/ens1f0/ring-rx");
        assert_eq!(*verdict, Verdict::Overridden);
        assert!(
            reason.contains("NetworkManager sets ring-rx=512")
                && reason.contains("trading.nmconnection:7"),
            "{reason}"
        );
        let fix = desired.skipped[0].fix.as_deref().unwrap_or_default();
        assert_eq!(
            fix,
            "nmcli connection modify 'trading' ethtool.ring-rx '' && hftune setup"
        );
        // The other ring is ours, and so is no part of what NetworkManager owns.
        let PortChange::Rings(rings) = &changes(&desired.settings)[0] else {
            panic!("{desired:?}");
        };
        assert_eq!((rings.rx, rings.tx), (None, Some(4096)));
        // The same value stays with its owner, and is saved by it.
        let gro = finding(&desired, "nic/ens1f0/feature-gro", cx);
        assert!(matches!(&gro.saved, Proof::Holds(told) if told.contains("leaves it to it")));
        let PortChange::Features(features) = &changes(&desired.settings)[1] else {
            panic!("{desired:?}");
        };
        assert!(!features.0.contains_key("rx-gro"), "{features:?}");
        assert!(crate::conflicts::notes(&desired.settings, cx).is_empty());
    });
}

#[test]
fn a_port_that_is_gone_is_a_finding_and_its_new_name_is_told() {
    let mut host = host(device("trade0", "igb"), i40e());
    host.renamed
        .insert("ens1f0".to_owned(), "trade0".to_owned());
    host.interfaces = vec!["bond0".to_owned()];
    desired(
        &host,
        &profile(&["ens1f0", "bond0", "ens9"]),
        |_, desired| {
            let verdicts: Vec<_> = desired.skipped.iter().map(|s| s.verdict).collect();
            assert_eq!(verdicts, [Verdict::Unknown; 3]);
            let reason = |id: &str| skipped(&desired, id).1.to_owned();
            assert!(reason("nic/ens1f0").ends_with("its device is now called trade0"));
            assert!(reason("nic/bond0").contains("has no device behind it"));
            assert!(reason("nic/ens9").contains("there is no port ens9"));
        },
    );
}

#[test]
fn units_are_named_as_systemd_escapes_names() {
    assert_eq!(unit_name("ens1f0np0"), "tune-nic-ens1f0np0.service");
    assert_eq!(unit_name("my-if"), "tune-nic-my-if.service");
    assert_eq!(
        unit_name("a$(b)%@"),
        r"tune-nic-a\x24\x28b\x29\x25\x40.service"
    );
    let host = host(device("my-if%a", "igb"), i40e());
    desired(&host, &profile(&["my-if%a"]), |_, desired| {
        let text = desired.settings[0]
            .artifacts
            .iter()
            .find_map(|artifact| match artifact {
                Artifact::File { content, .. } => Some(content.clone()),
                _ => None,
            });
        let link = desired.settings[0]
            .artifacts
            .iter()
            .find_map(|artifact| match artifact {
                Artifact::Link { path, .. } => Some(path.display().to_string()),
                _ => None,
            });
        let text = text.expect("unit");
        // What `systemd-escape --path /sys/subsystem/net/devices/my-if%a` prints.
        assert!(
            text.contains("BindsTo=sys-subsystem-net-devices-my\\x2dif\\x25a.device\n"),
            "{text}"
        );
        assert!(text.contains(" live nic/my-if%%a\n"), "{text}");
        assert_eq!(
            link.expect("link"),
            "/etc/systemd/system/sys-subsystem-net-devices-my\\x2dif\\x25a.device.wants/tune-nic-my-if\\x25a.service"
        );
    });
}
