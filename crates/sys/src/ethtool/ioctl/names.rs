//! The kernel's names of bits and numbers, which it tells over netlink only (net/ethtool/common.c). A bit keeps its number
//! for good, and one that is not here belongs to a kernel that has netlink.

/// Link modes (`link_mode_names`), to those of Linux 5.10.
pub(super) const LINK_MODES: &[&str] = &[
    "10baseT/Half",
    "10baseT/Full",
    "100baseT/Half",
    "100baseT/Full",
    "1000baseT/Half",
    "1000baseT/Full",
    "Autoneg",
    "TP",
    "AUI",
    "MII",
    "FIBRE",
    "BNC",
    "10000baseT/Full",
    "Pause",
    "Asym_Pause",
    "2500baseX/Full",
    "Backplane",
    "1000baseKX/Full",
    "10000baseKX4/Full",
    "10000baseKR/Full",
    "10000baseR_FEC",
    "20000baseMLD2/Full",
    "20000baseKR2/Full",
    "40000baseKR4/Full",
    "40000baseCR4/Full",
    "40000baseSR4/Full",
    "40000baseLR4/Full",
    "56000baseKR4/Full",
    "56000baseCR4/Full",
    "56000baseSR4/Full",
    "56000baseLR4/Full",
    "25000baseCR/Full",
    "25000baseKR/Full",
    "25000baseSR/Full",
    "50000baseCR2/Full",
    "50000baseKR2/Full",
    "100000baseKR4/Full",
    "100000baseSR4/Full",
    "100000baseCR4/Full",
    "100000baseLR4_ER4/Full",
    "50000baseSR2/Full",
    "1000baseX/Full",
    "10000baseCR/Full",
    "10000baseSR/Full",
    "10000baseLR/Full",
    "10000baseLRM/Full",
    "10000baseER/Full",
    "2500baseT/Full",
    "5000baseT/Full",
    "None",
    "RS",
    "BASER",
    "50000baseKR/Full",
    "50000baseSR/Full",
    "50000baseCR/Full",
    "50000baseLR_ER_FR/Full",
    "50000baseDR/Full",
    "100000baseKR2/Full",
    "100000baseSR2/Full",
    "100000baseCR2/Full",
    "100000baseLR2_ER2_FR2/Full",
    "100000baseDR2/Full",
    "200000baseKR4/Full",
    "200000baseSR4/Full",
    "200000baseLR4_ER4_FR4/Full",
    "200000baseDR4/Full",
    "200000baseCR4/Full",
    "100baseT1/Full",
    "1000baseT1/Full",
    "400000baseKR8/Full",
    "400000baseSR8/Full",
    "400000baseLR8_ER8_FR8/Full",
    "400000baseDR8/Full",
    "400000baseCR8/Full",
    "LLRS",
    "100000baseKR/Full",
    "100000baseSR/Full",
    "100000baseLR_ER_FR/Full",
    "100000baseCR/Full",
    "100000baseDR/Full",
    "200000baseKR2/Full",
    "200000baseSR2/Full",
    "200000baseLR2_ER2_FR2/Full",
    "200000baseDR2/Full",
    "200000baseCR2/Full",
    "400000baseKR4/Full",
    "400000baseSR4/Full",
    "400000baseLR4_ER4_FR4/Full",
    "400000baseDR4/Full",
    "400000baseCR4/Full",
    "100baseFX/Half",
    "100baseFX/Full",
];

/// Where time stamps can be taken (`sof_timestamping_names`).
pub(super) const TIME_STAMPING: &[&str] = &[
    "hardware-transmit",
    "software-transmit",
    "hardware-receive",
    "software-receive",
    "software-system-clock",
    "hardware-legacy-clock",
    "hardware-raw-clock",
    "option-id",
    "sched-transmit",
    "ack-transmit",
    "option-cmsg",
    "option-tsonly",
    "option-stats",
    "option-pktinfo",
    "option-tx-swhw",
];

/// Which packets are stamped when they are sent (`ts_tx_type_names`).
pub(super) const TX_TYPES: &[&str] = &["off", "on", "onestep-sync", "onestep-p2p"];

/// Which packets are stamped when they are received (`ts_rx_filter_names`).
pub(super) const RX_FILTERS: &[&str] = &[
    "none",
    "all",
    "some",
    "ptpv1-l4-event",
    "ptpv1-l4-sync",
    "ptpv1-l4-delay-req",
    "ptpv2-l4-event",
    "ptpv2-l4-sync",
    "ptpv2-l4-delay-req",
    "ptpv2-l2-event",
    "ptpv2-l2-sync",
    "ptpv2-l2-delay-req",
    "ptpv2-event",
    "ptpv2-sync",
    "ptpv2-delay-req",
    "ntp-all",
];

/// The names of the bits that are set in words of 32 bits.
pub(super) fn of_bits(words: &[u32], names: &[&str]) -> Vec<String> {
    let bits = words
        .iter()
        .flat_map(|word| (0..32).map(move |bit| word >> bit & 1 == 1));
    let set = bits.zip(names).filter(|(set, _)| *set);
    set.map(|(_, name)| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ethtool::{Ethtool, StringSet};

    #[test]
    fn bits_have_names() {
        assert_eq!(
            of_bits(&[1 << 31, 1, u32::MAX], LINK_MODES)[..2],
            ["25000baseCR/Full", "25000baseKR/Full"]
        );
        assert!(of_bits(&[], LINK_MODES).is_empty());
        assert_eq!(of_bits(&[u32::MAX], TX_TYPES), TX_TYPES);
    }

    /// Of the kernel that runs the test, where it has netlink.
    #[test]
    fn the_names_are_those_of_the_kernel() {
        let tables = [
            (StringSet::LinkModes, LINK_MODES),
            (StringSet::TimeStamping, TIME_STAMPING),
            (StringSet::TxTypes, TX_TYPES),
            (StringSet::RxFilters, RX_FILTERS),
        ];
        let mut ethtool = Ethtool::connect().expect("connect");
        for (set, table) in tables {
            if let Some(names) = ethtool.names_over_netlink(set) {
                let both = names.iter().zip(table);
                assert!(
                    both.clone().all(|(name, ours)| name == ours),
                    "{set:?}: {names:?}"
                );
            }
        }
    }
}
