//! Private flags of drivers (Documentation/networking/ethtool-netlink.rst, "PRIVFLAGS_GET" and "PRIVFLAGS_SET").

use hftune_model::Result;
use hftune_model::ethtool::{FlagChange, PrivateFlags};

use super::bitset;
use super::wire::{Attributes, Writer};
use super::{Change, Dump, Names, Request};

/// `ETHTOOL_A_PRIVFLAGS_FLAGS`.
const FLAGS: u16 = 2;

impl Dump for PrivateFlags {}

/// Each driver has names of its own, so that the answer is asked for in its long form, which holds them. There are at most
/// 32 flags (`privflags_prepare_data`, net/ethtool/privflags.c).
impl Request for PrivateFlags {
    const WORD: &'static str = "private flags";
    const GET: Option<u8> = Some(13);

    fn parse(answer: &Attributes<'_>, _names: &Names) -> Result<Self> {
        bitset::read_named(answer, FLAGS)
    }
}

impl Change for FlagChange {
    type Of = PrivateFlags;
    const SET: u8 = 14;

    fn write(&self, writer: &mut Writer) {
        let changes = self.0.iter().map(|(name, on)| (name.as_str(), *on));
        bitset::write(writer, FLAGS, changes);
    }
}

/// The requests are those of ethtool 6.1, but for the order of the names. No port here has private flags: the answer is
/// written from the definition (`privflags_fill_reply`,
/// net/ethtool/privflags.c, and `ethnl_put_bitset32`, net/ethtool/bitset.c).
#[cfg(test)]
mod tests {
    use super::*;
    use crate::ethtool::testing::{answer, get, set};

    #[test]
    fn reads_every_flag_of_the_driver() {
        assert_eq!(
            get::<PrivateFlags>("v0"),
            "0d0100000c0001800700020076300000"
        );
        let flags: PrivateFlags = answer(
            "0e010000 14000180 08000100 03000000 07000200 76300000
             44000280 08000200 02000000 38000380
             14000180 08000100 00000000 08000200 4d465000
             20000180 08000100 01000000 0e000200 6c65676163792d727800 0000 04000300",
        );
        assert_eq!(
            flags,
            PrivateFlags::from([("MFP".to_owned(), false), ("legacy-rx".to_owned(), true)])
        );
    }

    #[test]
    fn changes_flags_by_name() {
        let change = FlagChange([("on".to_owned(), true), ("off".to_owned(), false)].into());
        assert_eq!(
            set("v0", &change),
            "0e0100000c000180070002007630000024000280200003800c000180080002006f6666001000018007000200\
             6f6e000004000300"
        );
    }
}
