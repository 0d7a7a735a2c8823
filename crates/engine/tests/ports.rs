//! Network ports in trees: their hardware, what they lost, and what is above them.

use std::collections::BTreeMap;

use hftune_engine::host::{named_port, nics};
use hftune_model::Kind;
use hftune_model::host::{Nic, PcieEnd, PcieLink};
use hftune_sys::{Reader, Root};

mod tree;

use tree::Tree;

/// A tree with ports `name` at PCI addresses below the bridge 0000:3a:00.0.
fn ports(ports: &[(&str, &str)]) -> Tree {
    ports.iter().fold(Tree::new().cpus(), |tree, (name, at)| {
        let device = format!("devices/pci0000:3a/0000:3a:00.0/{at}");
        let class = format!("/sys/class/net/{name}");
        let path = format!("/sys/{device}/net/{name}/device");
        tree.link(&class, &format!("../../{device}/net/{name}"))
            .link(&path, &format!("../../../{at}"))
    })
}

/// The directory of a port of such a tree.
fn port(name: &str, at: &str) -> String {
    format!("/sys/devices/pci0000:3a/0000:3a:00.0/{at}/net/{name}")
}

fn devices(nics: &[Nic]) -> Vec<(&str, Option<&str>)> {
    nics.iter()
        .map(|nic| (nic.name.as_str(), nic.device.as_deref()))
        .collect()
}

#[test]
fn hardware_has_a_name_that_stays() {
    let at = "0000:3b:00.0";
    // A ConnectX-3 has two ports at one address.
    let host = ports(&[("eth0", at), ("eth1", at), ("eth2", "0000:3c:00.0")])
        .file(&format!("{}/dev_port", port("eth0", at)), "0\n")
        .file(&format!("{}/dev_port", port("eth1", at)), "1\n")
        .host();
    assert_eq!(
        devices(&host.nics),
        [
            ("eth0", Some(at)),
            ("eth1", Some("0000:3b:00.0#1")),
            ("eth2", Some("0000:3c:00.0"))
        ]
    );
}

#[test]
fn ports_of_the_switch_in_a_card_are_told_apart() {
    let at = "0000:3b:00.0";
    let name = |of: &str| format!("{}/phys_port_name", port(of, at));
    let host = ports(&[
        ("ens1", at),
        ("ens1_0", at),
        ("odd0", "0000:3c:00.0"),
        ("odd1", "0000:3c:00.0"),
    ])
    .file(&name("ens1"), "p0\n")
    .file(&name("ens1_0"), "pf0vf0\n")
    .host();
    assert_eq!(
        devices(&host.nics),
        [
            ("ens1", Some(at)),
            ("ens1_0", Some("0000:3b:00.0#pf0vf0")),
            ("odd0", None),
            ("odd1", None)
        ]
    );
}

#[test]
fn a_link_has_the_ends_of_card_and_slot() {
    let bridge = "/sys/devices/pci0000:3a/0000:3a:00.0";
    let at = "0000:3b:00.0";
    let end = |tree: Tree, dir: &str, [now, lanes, most, most_lanes]: [&str; 4]| {
        tree.file(&format!("{dir}/current_link_speed"), now)
            .file(&format!("{dir}/current_link_width"), lanes)
            .file(&format!("{dir}/max_link_speed"), most)
            .file(&format!("{dir}/max_link_width"), most_lanes)
    };
    let card = ["8.0 GT/s PCIe\n", "8\n", "16.0 GT/s PCIe\n", "16\n"];
    let tree = end(ports(&[("eth0", at)]), &format!("{bridge}/{at}"), card);
    let alone = tree.host().nics.remove(0).pcie.expect("a link");
    assert_eq!(alone.bridge, None);
    let slot = ["8 GT/s\n", "8\n", "Unknown speed\n", "255\n"];
    let host = end(tree, bridge, slot).host();
    let slot = PcieEnd {
        speed_mtps: Some(8000),
        width: Some(8),
        ..PcieEnd::default()
    };
    let card = PcieEnd {
        max_speed_mtps: Some(16_000),
        max_width: Some(16),
        ..slot
    };
    let link = PcieLink {
        device: card,
        bridge: Some(slot),
    };
    assert_eq!(host.nics[0].pcie, Some(link));
    assert_eq!(ports(&[("eth0", at)]).host().nics[0].pcie, None);
}

#[test]
fn counters_of_lost_packets_are_read() {
    let at = "0000:3b:00.0";
    let dir = port("eth0", at);
    let host = ports(&[("eth0", at)])
        .file(&format!("{dir}/carrier_changes"), "3\n")
        .file(&format!("{dir}/statistics/rx_dropped"), "12\n")
        .file(&format!("{dir}/statistics/rx_missed_errors"), "0\n")
        .file(&format!("{dir}/statistics/rx_nohandler"), "7\n")
        .file(&format!("{dir}/statistics/rx_packets"), "99\n")
        .file(&format!("{dir}/statistics/tx_dropped"), "many\n")
        .host();
    let counts = [("rx_dropped", 12), ("rx_missed_errors", 0)];
    let counts = counts.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(host.nics[0].drops, BTreeMap::from(counts));
    assert_eq!(host.nics[0].carrier_changes, Some(3));
    assert!(
        host.unread.len() == 1 && host.unread[0].contains("tx_dropped"),
        "{:?}",
        host.unread
    );
}

#[test]
fn what_is_above_a_port_is_found_through_all_layers() {
    let at = "0000:3b:00.0";
    let above = |tree: Tree, below: &str, upper: &str| {
        tree.link(&format!("{below}/upper_{upper}"), &format!("../{upper}"))
    };
    let tree = above(ports(&[("eth0", at)]), &port("eth0", at), "bond0");
    let tree = above(tree, &port("eth0", at), "eth0.7");
    let tree = above(tree, "/sys/class/net/bond0", "bond0.100");
    let tree = above(tree, "/sys/class/net/bond0.100", "br0");
    let tree = above(tree, "/sys/class/net/eth0.7", "br0");
    // No kernel allows a circle; a tree may have one.
    let tree = above(tree, "/sys/class/net/br0", "bond0");
    let host = above(tree, "/sys/class/net/br0", "eth0").host();
    assert_eq!(host.nics.len(), 1);
    assert_eq!(host.nics[0].uppers, ["bond0", "eth0.7", "bond0.100", "br0"]);
}

/// What is said of a name in this tree, and the remedy.
fn said(tree: &Tree, name: &str) -> (Kind, String, String) {
    let root = Root::tree(tree.0.path()).expect("tree");
    let (nics, _) = nics(&Reader::new(&root));
    match named_port(&root, &nics, name) {
        Ok(nic) => panic!("{nic:?}"),
        Err(e) => (e.kind, e.what, e.hint.unwrap_or_default()),
    }
}

#[test]
fn what_is_no_port_is_explained_with_the_ports_below_it() {
    let net = |name: &str| format!("/sys/class/net/{name}");
    let at = ["0000:3b:00.0", "0000:3b:00.1"];
    let tree = ports(&[("ens1f0", at[0]), ("ens1f1", at[1])])
        .link(
            &format!("{}/upper_bond0", port("ens1f0", at[0])),
            "../bond0",
        )
        .link(
            &format!("{}/upper_bond0", port("ens1f1", at[1])),
            "../bond0",
        )
        .link(&format!("{}/upper_v7", port("ens1f1", at[1])), "../v7")
        .link(&format!("{}/upper_bond0.9", net("bond0")), "../bond0.9")
        .file(&format!("{}/bonding/mode", net("bond0")), "802.3ad 4\n")
        .file(
            &format!("{}/uevent", net("bond0.9")),
            "DEVTYPE=vlan\nINTERFACE=bond0.9\n",
        )
        .link(&format!("{}/lower_ens1f1", net("v7")), "../ens1f1")
        .file("/proc/net/vlan/v7", "v7 VID: 7\n")
        .dir(&format!("{}/bridge", net("br0")))
        .file(&format!("{}/uevent", net("bond1")), "DEVTYPE=bond\n")
        .file(&format!("{}/tun_flags", net("tap0")), "0x1002\n")
        .file(&format!("{}/ifindex", net("ve0")), "7\n")
        .file(&format!("{}/iflink", net("ve0")), "8\n")
        .file(&format!("{}/ifindex", net("dummy0")), "9\n")
        .file(&format!("{}/iflink", net("dummy0")), "9\n")
        .file(&format!("{}/type", net("lo")), "772\n")
        .file(&format!("{}/uevent", net("wg0")), "DEVTYPE=wireguard\n")
        .file(&net("bonding_masters"), "bond0\n");
    let list = "hftune nic list shows the ports";
    let both = "name the ports below it: ens1f0 ens1f1";
    for (name, what, remedy) in [
        ("lo", "is the loopback interface", list),
        ("bond0", "is a bond:", both),
        ("bond0.9", "is a VLAN:", both),
        ("v7", "is a VLAN:", "name the port below it: ens1f1"),
        ("br0", "is a bridge:", list),
        ("bond1", "is a bond:", list),
        ("tap0", "is a virtual interface of a program", list),
        ("ve0", "is one end of a virtual pair", list),
        ("dummy0", "is a virtual interface:", list),
        ("wg0", "is a tunnel:", list),
        ("bonding_masters", "there is no port bonding_masters", list),
        ("ens9", "there is no port ens9", list),
        ("$(reboot)", "there is no port $(reboot)", list),
    ] {
        let (kind, told, hint) = said(&tree, name);
        assert_eq!(
            (kind, hint.as_str()),
            (Kind::Missing, remedy),
            "{name}: {told}"
        );
        assert!(told.contains(what), "{name}: {told}");
    }
}

#[test]
fn a_name_that_no_interface_can_have_is_a_matter_of_usage() {
    let tree = ports(&[("ens1f0", "0000:3b:00.0")]);
    for (name, why) in [
        ("", "it is empty"),
        ("-h", "starts like an option"),
        ("a/b", "a slash"),
        ("../net/ens1f0", "a slash"),
        ("a b", "white space"),
        ("ens1f0\n", "a control character"),
        ("0123456789abcdef", "longer than 15 bytes"),
        (".", "a directory"),
        ("0000:3b:00.0", "a colon"),
    ] {
        let (kind, told, hint) = said(&tree, name);
        assert_eq!(kind, Kind::Usage, "{name:?}: {told}");
        assert!(told.contains(why) && !hint.is_empty(), "{name:?}: {told}");
    }
}
