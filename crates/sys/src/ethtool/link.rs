//! The link, and time stamps (Documentation/networking/ethtool-netlink.rst, "LINKMODES_GET", "LINKSTATE_GET", "TSINFO_GET").

use hftune_model::Result;
use hftune_model::ethtool::{LinkModes, LinkState, TimeStamping};

use super::bitset::Bits;
use super::wire::Attributes;
use super::{Dump, Names, Request, StringSet};

/// `DUPLEX_FULL` and `DUPLEX_HALF`, include/uapi/linux/ethtool.h; anything else is unknown.
const DUPLEX_HALF: u8 = 0;
const DUPLEX_FULL: u8 = 1;
/// `SPEED_UNKNOWN` is -1; 0 is what drivers say that do not know it either.
const SPEED_UNKNOWN: u32 = u32::MAX;

/// The speed, where it is known.
pub(super) fn speed_mbps(speed: u32) -> Option<u32> {
    (!matches!(speed, 0 | SPEED_UNKNOWN)).then_some(speed)
}

/// Whether both ends may send at once, where it is known.
pub(super) fn full_duplex(duplex: u8) -> Option<bool> {
    match duplex {
        DUPLEX_FULL => Some(true),
        DUPLEX_HALF => Some(false),
        _ => None,
    }
}

impl Dump for LinkModes {}

impl Request for LinkModes {
    const WORD: &'static str = "link modes";
    const GET: Option<u8> = Some(4);
    const STRINGS: &'static [StringSet] = &[StringSet::LinkModes];

    fn parse(answer: &Attributes<'_>, names: &Names) -> Result<Self> {
        let names = names.of(StringSet::LinkModes);
        // The mask holds what the port can do.
        let ours = Bits::parse(answer, 3)?;
        Ok(Self {
            autoneg: answer.bool(2)?,
            supported: ours.mask_names(names),
            advertised: ours.names(names),
            peer: Bits::parse(answer, 4)?.names(names),
            speed_mbps: answer.u32(5)?.and_then(speed_mbps),
            full_duplex: answer.u8(6)?.and_then(full_duplex),
        })
    }
}

impl Dump for LinkState {}

impl Request for LinkState {
    const WORD: &'static str = "link state";
    const GET: Option<u8> = Some(6);

    fn parse(answer: &Attributes<'_>, _names: &Names) -> Result<Self> {
        Ok(Self {
            up: answer.bool(2)?,
        })
    }
}

impl Request for TimeStamping {
    const WORD: &'static str = "time stamping";
    const GET: Option<u8> = Some(25);
    const STRINGS: &'static [StringSet] = &[
        StringSet::TimeStamping,
        StringSet::TxTypes,
        StringSet::RxFilters,
    ];

    fn parse(answer: &Attributes<'_>, names: &Names) -> Result<Self> {
        let words = |kind: u16, set: StringSet| -> Result<Vec<String>> {
            Ok(Bits::parse(answer, kind)?.names(names.of(set)))
        };
        Ok(Self {
            capabilities: words(2, StringSet::TimeStamping)?,
            tx_types: words(3, StringSet::TxTypes)?,
            rx_filters: words(4, StringSet::RxFilters)?,
            phc_index: answer.u32(5)?,
        })
    }
}

/// The answers are those of Linux 6.18; where a bit set was captured in its long form, the compact one is written beside it.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::ethtool::testing::{answer, answer_with, get};

    fn letters(n: u8) -> Vec<String> {
        (0..n).map(|i| char::from(b'a' + i).to_string()).collect()
    }

    #[test]
    fn link_modes() {
        assert_eq!(
            get::<LinkModes>("v0"),
            "040100001400018007000200763000000800030001000000"
        );
        let names = Names::from([(StringSet::LinkModes, letters(8))]);
        let veth: LinkModes = answer_with(
            "04010000 14000180 08000100 03000000 07000200 76300000 05000200 00000000
             1c000380 08000200 08000000 08000400 05000000 08000500 07000000
             08000500 10270000 05000600 01000000 05000a00 00000000",
            &names,
        );
        assert_eq!(
            veth,
            LinkModes {
                autoneg: Some(false),
                speed_mbps: Some(10_000),
                full_duplex: Some(true),
                supported: letters(3),
                advertised: vec!["a".to_owned(), "c".to_owned()],
                peer: Vec::new()
            }
        );
        // virtio_net does not know its speed.
        let virtio: LinkModes = answer_with(
            "04010000 18000180 08000100 04000000 09000200 6574683000000000 05000200 00000000
             08000500 ffffffff 05000600 ff000000 05000a00 00000000",
            &names,
        );
        assert_eq!((virtio.speed_mbps, virtio.full_duplex), (None, None));
    }

    #[test]
    fn link_state() {
        assert_eq!(get::<LinkState>("v0"), "060100000c0001800700020076300000");
        let state: LinkState =
            answer("06010000 14000180 08000100 03000000 07000200 76300000 05000200 01000000");
        assert_eq!(state.up, Some(true));
    }

    #[test]
    fn time_stamping() {
        let names = Names::from([(StringSet::TimeStamping, letters(19))]);
        let stamps: TimeStamping = answer_with(
            "1a010000 14000180 08000100 03000000 07000200 76300000
             18000280 04000100 08000200 13000000 08000400 1a000000 08000500 03000000",
            &names,
        );
        assert_eq!(stamps.capabilities, ["b", "d", "e"]);
        assert_eq!(stamps.phc_index, Some(3));
        assert!(stamps.tx_types.is_empty());
    }
}
