//! Words of ethtool(8) for features, and the features of the kernel that each stands for
//! (`netdev_features_strings`, net/ethtool/common.c).

/// Packets are put together when they are received: in software, in hardware, as lists, and for UDP that is forwarded.
const GRO: &[&str] = &[
    "rx-gro",
    "rx-gro-hw",
    "rx-gro-list",
    "rx-udp-gro-forwarding",
];

/// The card puts packets together.
const LRO: &[&str] = &["rx-lro"];

/// The card cuts large TCP writes into packets.
const TSO: &[&str] = &[
    "tx-tcp-segmentation",
    "tx-tcp-ecn-segmentation",
    "tx-tcp-mangleid-segmentation",
    "tx-tcp6-segmentation",
];

/// The same in software, and by the card for tunnels, UDP, SCTP and others.
const GSO: &[&str] = &[
    "tx-generic-segmentation",
    "tx-gso-robust",
    "tx-gso-partial",
    "tx-gso-list",
    "tx-gre-segmentation",
    "tx-gre-csum-segmentation",
    "tx-ipxip4-segmentation",
    "tx-ipxip6-segmentation",
    "tx-udp_tnl-segmentation",
    "tx-udp_tnl-csum-segmentation",
    "tx-tunnel-remcsum-segmentation",
    "tx-sctp-segmentation",
    "tx-esp-segmentation",
    "tx-udp-segmentation",
    "tx-fcoe-segmentation",
];

/// The features that a word stands for; any other word is the kernel's own name of one.
pub fn members(word: &str) -> Vec<&str> {
    match word {
        "gro" => GRO.to_vec(),
        "lro" => LRO.to_vec(),
        "tso" => TSO.to_vec(),
        "gso" => GSO.to_vec(),
        "ntuple" => vec!["rx-ntuple-filter"],
        "rxhash" => vec!["rx-hashing"],
        "rxvlan" => vec!["rx-vlan-hw-parse"],
        "txvlan" => vec!["tx-vlan-hw-insert"],
        "rx" => vec!["rx-checksum"],
        name => vec![name],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_feature_is_of_one_word() {
        let all: Vec<_> = ["gro", "lro", "tso", "gso"]
            .iter()
            .flat_map(|word| members(word))
            .collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(members("tx-nocache-copy"), ["tx-nocache-copy"]);
    }
}
