//! Offloads and other features (Documentation/networking/ethtool-netlink.rst, "FEATURES_GET" and "FEATURES_SET").

use hftune_model::Result;
use hftune_model::ethtool::{Feature, FeatureChange, Features};

use super::bitset::{self, Bits};
use super::wire::{Attributes, Writer};
use super::{Change, Dump, Names, Request, StringSet};

/// `ETHTOOL_A_FEATURES_*`.
const HW: u16 = 2;
const WANTED: u16 = 3;
const ACTIVE: u16 = 4;
const NO_CHANGE: u16 = 5;

impl Dump for Features {}

impl Request for Features {
    const WORD: &'static str = "features";
    const GET: Option<u8> = Some(11);
    const STRINGS: &'static [StringSet] = &[StringSet::Features];

    fn parse(answer: &Attributes<'_>, names: &Names) -> Result<Self> {
        let hw = Bits::parse(answer, HW)?;
        let wanted = Bits::parse(answer, WANTED)?;
        let active = Bits::parse(answer, ACTIVE)?;
        let no_change = Bits::parse(answer, NO_CHANGE)?;
        Ok((0..active.size)
            .zip(names.of(StringSet::Features))
            .filter(|(_, name)| !name.is_empty())
            .map(|(bit, name)| {
                let feature = Feature {
                    active: active.value(bit),
                    wanted: wanted.value(bit),
                    // As ethtool(8) decides on "[fixed]".
                    fixed: !hw.value(bit) || no_change.value(bit),
                };
                (name.clone(), feature)
            })
            .collect())
    }
}

impl Change for FeatureChange {
    type Of = Features;
    const SET: u8 = 12;

    fn write(&self, writer: &mut Writer) {
        let changes = self.0.iter().map(|(name, on)| (name.as_str(), *on));
        bitset::write(writer, WANTED, changes);
    }

    /// The features that did not become what was asked: the kernel does not refuse the request for them.
    fn refused(answer: &Attributes<'_>, names: &Names) -> Result<Vec<String>> {
        Ok(Bits::parse(answer, WANTED)?.mask_names(names.of(StringSet::Features)))
    }
}

/// The messages are those of ethtool 6.1 and the answers of Linux 6.18.
#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ethtool::testing::{answer_with, get, set};
    use crate::ethtool::wire::bytes;

    /// Bits 0 to 63 by number, since the kernel's names are long; some by their name.
    fn names() -> Names {
        let mut names: Vec<String> = (0..64).map(|bit| format!("bit-{bit:02}")).collect();
        for (bit, name) in [
            (14, "tx-generic-segmentation"),
            (12, "tx-checksum-fcoe-crc"),
        ] {
            names[bit] = name.to_owned();
        }
        Names::from([(StringSet::Features, names)])
    }

    #[test]
    fn reads_which_are_on_and_which_are_fixed() {
        assert_eq!(
            get::<Features>("v0"),
            "0b0100001400018007000200763000000800030001000000"
        );
        // virtio_net.
        let features: Features = answer_with(
            "0b010000 18000180 08000100 04000000 09000200 6574683000000000
             24000280 08000200 40000000 0c000400 094819000002000a 0c000500 ffffffffffffffff
             1c000380 04000100 08000200 40000000 0c000400 0948110000000000
             1c000480 04000100 08000200 40000000 0c000400 294813000001801c
             1c000580 04000100 08000200 40000000 0c000400 0000040000000000",
            &names(),
        );
        assert_eq!(features.len(), 64);
        let is = |bit: u32| features[&format!("bit-{bit:02}")];
        let on = Feature {
            active: true,
            wanted: true,
            fixed: false,
        };
        assert_eq!(is(0), on);
        // rx-checksumming: "on [fixed]" as highdma, bit 5, of the same port.
        assert_eq!(
            is(5),
            Feature {
                active: true,
                wanted: false,
                fixed: true
            }
        );
        assert_eq!(
            is(1),
            Feature {
                active: false,
                wanted: false,
                fixed: true
            }
        );
    }

    #[test]
    fn changes_bits_by_name() {
        let change = FeatureChange(BTreeMap::from([("tx-checksum-fcoe-crc".to_owned(), true)]));
        // Of ethtool's message the three bytes of padding behind the name are zeros here.
        assert_eq!(
            set("v0", &change),
            "0c0100001400018007000200763000000800030001000000
             2c000380 28000380 24000180 19000200 74782d636865636b73756d2d66636f652d63726300 000000 04000300"
                .replace([' ', '\n'], "")
        );
        let off = FeatureChange(BTreeMap::from([
            ("rx-gro".to_owned(), true),
            ("tx-tcp-segmentation".to_owned(), false),
        ]));
        let sent = set("v0", &off);
        // The first two bits of `ethtool -K v0 gro on tso off`.
        assert!(
            sent.ends_with(
                "140001800b00020072782d67726f0000040003001c0001801800020074782d7463702d7365676d656e746174696f6e00"
            ),
            "{sent}"
        );
    }

    #[test]
    fn names_what_was_not_done() {
        let answer = bytes(
            "14000180 08000100 03000000 07000200 76300000
             24000380 08000200 40000000 0c000400 0000000010000000 0c000500 0000000010000000
             24000480 08000200 40000000 0c000400 0000000000000000 0c000500 0000000000000000",
        );
        let answer = Attributes::parse(&answer).expect("attributes");
        assert_eq!(
            FeatureChange::refused(&answer, &names()).expect("refused"),
            ["bit-36"]
        );
    }
}
