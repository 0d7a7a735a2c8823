//! The words by which ethtool calls several features at once, and the features that belong to each.
//!
//! The names are those of `netdev_features_strings`, net/ethtool/common.c, read in Linux 6.1;
//! only newer kernels have `tx-tcp-accecn-segmentation`. A kernel lists those that it knows. The words are ethtool's own
//! (`off_flag_def`, ethtool.c), where `gro` and `gso` are of one feature only: here they have its relatives, which put
//! packets together or take them apart just the same.

/// A word, what it turns on, and what else goes when it is turned off.
type Word = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const WORDS: &[Word] = &[
    // NETIF_F_GRO; and the relatives that a driver (rx-gro-hw) or an administrator turns on.
    (
        "gro",
        &["rx-gro"],
        &["rx-gro-hw", "rx-gro-list", "rx-udp-gro-forwarding"],
    ),
    (
        "gso",
        &["tx-generic-segmentation"],
        &[
            "tx-esp-segmentation",
            "tx-fcoe-segmentation",
            "tx-gre-csum-segmentation",
            "tx-gre-segmentation",
            "tx-gso-list",
            "tx-gso-partial",
            "tx-ipxip4-segmentation",
            "tx-ipxip6-segmentation",
            "tx-sctp-segmentation",
            "tx-tunnel-remcsum-segmentation",
            "tx-udp-segmentation",
            "tx-udp_tnl-csum-segmentation",
            "tx-udp_tnl-segmentation",
        ],
    ),
    ("lro", &["rx-lro"], &[]),
    ("ntuple", &["rx-ntuple-filter"], &[]),
    ("rx", &["rx-checksum"], &[]),
    ("rxhash", &["rx-hashing"], &[]),
    ("rxvlan", &["rx-vlan-hw-parse"], &[]),
    (
        "sg",
        &["tx-scatter-gather", "tx-scatter-gather-fraglist"],
        &[],
    ),
    (
        "tso",
        &[
            "tx-tcp-accecn-segmentation",
            "tx-tcp-ecn-segmentation",
            "tx-tcp-mangleid-segmentation",
            "tx-tcp-segmentation",
            "tx-tcp6-segmentation",
        ],
        &[],
    ),
    (
        "tx",
        &[
            "tx-checksum-fcoe-crc",
            "tx-checksum-ip-generic",
            "tx-checksum-ipv4",
            "tx-checksum-ipv6",
            "tx-checksum-sctp",
        ],
        &[],
    ),
    ("txvlan", &["tx-vlan-hw-insert"], &[]),
];

/// The features that a word is about. A word that is none of ethtool's is the kernel's own name of one feature.
pub fn members(word: &str) -> Vec<&str> {
    switched(word, false)
}

/// The features that are turned on or off by a word.
///
/// On is for those that ethtool turns on by it: the relatives of `gro` and `gso` change what a port does with traffic
/// that it forwards, and nobody who writes `gro` asks for that.
pub fn switched(word: &str, on: bool) -> Vec<&str> {
    let Some((_, own, relatives)) = WORDS.iter().find(|(known, ..)| *known == word) else {
        return vec![word];
    };
    let relatives = relatives.iter().filter(|_| !on);
    own.iter().chain(relatives).copied().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_feature_belongs_to_two_words() {
        let all: Vec<&str> = WORDS.iter().flat_map(|(word, ..)| members(word)).collect();
        let different: BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(all.len(), different.len());
    }

    #[test]
    fn words_and_features_stand_once_and_in_order() {
        assert!(WORDS.is_sorted_by(|a, b| a.0 < b.0));
        for (word, own, relatives) in WORDS {
            for names in [own, relatives] {
                assert!(names.is_sorted_by(|a, b| a < b), "{word}");
            }
            assert!(!own.is_empty(), "{word}");
        }
    }

    #[test]
    fn a_word_of_the_kernel_is_itself() {
        assert_eq!(members("rx-gro-hw"), ["rx-gro-hw"]);
        assert_eq!(members("highdma"), ["highdma"]);
        assert_eq!(members("lro"), ["rx-lro"]);
    }

    #[test]
    fn off_is_for_the_relatives_too_and_on_is_not() {
        assert_eq!(switched("gro", true), ["rx-gro"]);
        assert!(switched("gro", false).contains(&"rx-gro-list"));
        assert_eq!(switched("gso", true), ["tx-generic-segmentation"]);
        assert_eq!(switched("tso", true), switched("tso", false));
    }
}
