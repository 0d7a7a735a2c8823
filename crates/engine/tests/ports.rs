//! Network ports in trees: their hardware, what they lost, and what is above them.

use std::collections::BTreeMap;

use hftune_model::host::{Nic, PcieEnd, PcieLink};

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
