//! Bit sets in compact form, in long form, and the kernel's names of their bits (Documentation/networking/ethtool-netlink.rst, "Bit sets").

use std::collections::BTreeMap;

use hftune_model::{Error, Result};

use super::wire::{Attributes, Writer};

/// `ETHTOOL_A_BITSET_*`.
const SIZE: u16 = 2;
const BITS: u16 = 3;
const VALUE: u16 = 4;
const MASK: u16 = 5;
/// `ETHTOOL_A_BITSET_BITS_BIT`.
const BIT: u16 = 1;
/// `ETHTOOL_A_BITSET_BIT_*`.
const BIT_NAME: u16 = 2;
const BIT_VALUE: u16 = 3;

/// A set of bits by their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bits {
    /// How many bits there are.
    pub size: u32,
    value: Vec<u8>,
    mask: Vec<u8>,
}

impl Bits {
    /// The bit set in an attribute; empty where it is not there.
    pub(super) fn parse(attributes: &Attributes<'_>, kind: u16) -> Result<Self> {
        if !attributes.has(kind) {
            return Ok(Self::default());
        }
        let set = attributes.nest(kind)?;
        let size = set.u32(SIZE)?.unwrap_or(0);
        let (value, mask) = (set.bytes(VALUE).to_vec(), set.bytes(MASK).to_vec());
        // Whole words of 32 bits, as many as the size needs.
        let bytes = size.div_ceil(32) as usize * 4;
        if value.len() != bytes || (!mask.is_empty() && mask.len() != bytes) {
            return Err(Error::invalid(format!(
                "the kernel's bit set of {size} bits has {} bytes of values and {} bytes of mask",
                value.len(),
                mask.len()
            )));
        }
        Ok(Self { size, value, mask })
    }

    /// Whether a bit is set.
    pub(super) fn value(&self, bit: u32) -> bool {
        is_set(&self.value, bit)
    }

    /// Whether a bit is in the mask.
    pub(super) fn mask(&self, bit: u32) -> bool {
        is_set(&self.mask, bit)
    }

    /// The names of the bits that are set.
    pub(super) fn names(&self, names: &[String]) -> Vec<String> {
        self.named(names, Self::value)
    }

    /// The names of the bits in the mask.
    pub(super) fn mask_names(&self, names: &[String]) -> Vec<String> {
        self.named(names, Self::mask)
    }

    fn named(&self, names: &[String], has: impl Fn(&Self, u32) -> bool) -> Vec<String> {
        (0..self.size)
            .zip(names)
            .filter(|(bit, name)| has(self, *bit) && !name.is_empty())
            .map(|(_, name)| name.clone())
            .collect()
    }
}

/// Words of 32 bits in the order of the machine.
fn is_set(words: &[u8], bit: u32) -> bool {
    words
        .chunks_exact(4)
        .nth(bit as usize / 32)
        .and_then(|word| word.try_into().ok())
        .is_some_and(|word| u32::from_ne_bytes(word) >> (bit % 32) & 1 == 1)
}

/// The bits that a set in long form lists, by their names; none where the set is not there.
pub(super) fn read_named(attributes: &Attributes<'_>, kind: u16) -> Result<BTreeMap<String, bool>> {
    let mut named = BTreeMap::new();
    for bit in attributes.nest(kind)?.nest(BITS)?.nests(BIT) {
        let bit = bit?;
        if let Some(name) = bit.text(BIT_NAME).filter(|name| !name.is_empty()) {
            named.insert(name, bit.has(BIT_VALUE));
        }
    }
    Ok(named)
}

/// Writes a set that changes the bits of these names and no others.
pub(super) fn write<'n>(
    writer: &mut Writer,
    kind: u16,
    changes: impl IntoIterator<Item = (&'n str, bool)>,
) {
    writer.nest(kind, |set| {
        set.nest(BITS, |bits| {
            for (name, on) in changes {
                bits.nest(BIT, |bit| {
                    bit.text(BIT_NAME, name);
                    if on {
                        bit.flag(BIT_VALUE);
                    }
                });
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ethtool::wire::bytes;
    use proptest::prelude::*;

    fn parse(hex: &str) -> Result<Bits> {
        let bytes = bytes(hex);
        Bits::parse(&Attributes::parse(&bytes)?, 2)
    }

    #[test]
    fn reads_the_words_of_a_set() {
        let bits = parse(
            "24000280 08000200 40000000 0c000400 01000000 00000080 0c000500 00000000 ffffffff",
        )
        .expect("set");
        assert_eq!(bits.size, 64);
        let set = |has: fn(&Bits, u32) -> bool| -> Vec<u32> {
            (0..70).filter(|bit| has(&bits, *bit)).collect()
        };
        assert_eq!(set(Bits::value), [0, 63]);
        assert_eq!(set(Bits::mask), (32..64).collect::<Vec<_>>());
    }

    #[test]
    fn a_set_that_lacks_words_is_an_error() {
        assert!(parse("14000280 08000200 40000000 08000400 01000000").is_err());
        assert!(parse("0c000280 08000200 ffffffff").is_err());
        assert_eq!(parse("").expect("not there"), Bits::default());
    }

    /// The long form: 1 is on and 2 is off.
    #[test]
    fn reads_the_names_of_a_set() {
        let set = bytes(
            "34000280 08000200 02000000 28000380 14000180 08000100 00000000 06000200 31000000 10000180",
        );
        assert!(Attributes::parse(&set).is_err(), "cut off");
        let set = bytes(
            "24000280 20000380 10000180 06000200 31000000 04000300 0c000180 06000200 32000000",
        );
        let set = Attributes::parse(&set).expect("attributes");
        let named = read_named(&set, 2).expect("set");
        assert_eq!(
            named,
            BTreeMap::from([("1".to_owned(), true), ("2".to_owned(), false)])
        );
    }

    proptest! {
        #[test]
        fn never_panics(set in proptest::collection::vec(any::<u8>(), 0..60), kinds in proptest::collection::vec(1u8..6, 3)) {
            let mut set = set;
            let mut rest = set.as_mut_slice();
            // Attributes inside each other, so that the bytes get further than the first header.
            for kind in kinds {
                let Ok(length) = u8::try_from(rest.len()) else { break };
                let Some((header, inside)) = rest.split_at_mut_checked(4) else { break };
                header.copy_from_slice(&[length, 0, kind, 0x80]);
                rest = inside;
            }
            if let Ok(attributes) = Attributes::parse(&set) {
                for kind in 1..6 {
                    let _ = read_named(&attributes, kind);
                    if let Ok(bits) = Bits::parse(&attributes, kind) {
                        let _ = (bits.value(bits.size), bits.names(&[String::new()]));
                    }
                }
            }
        }
    }
}
