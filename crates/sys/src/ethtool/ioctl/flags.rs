//! Private flags of drivers (`ETHTOOL_GPFLAGS`, `ETHTOOL_SPFLAGS`).

use hftune_model::ethtool::{FlagChange, PrivateFlags};

use super::device::{Device, Fault};
use super::layout::FlagParam;
use super::{ByIoctl, ChangeByIoctl};
use crate::ethtool::StringSet;

impl ByIoctl for PrivateFlags {
    fn read(device: &mut Device<'_>) -> Result<Self, Fault> {
        let of: FlagParam = device.get()?;
        let names = device.strings(StringSet::PrivateFlags)?;
        Ok(flags(of.bits, names))
    }
}

/// There are 32 bits, and so no more flags.
fn flags(bits: u32, names: Vec<String>) -> PrivateFlags {
    let pairs = names.into_iter().zip(0..u32::BITS);
    pairs
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, bit)| (name, bits >> bit & 1 == 1))
        .collect()
}

impl ChangeByIoctl for FlagChange {
    fn apply(&self, device: &mut Device<'_>) -> Result<Vec<String>, Fault> {
        let names = device.strings(StringSet::PrivateFlags)?;
        let change = bits(self, &names).map_err(Fault::unsupported)?;
        device.change(|to: &mut FlagParam| to.bits = to.bits & !change.named | change.on)?;
        Ok(Vec::new())
    }
}

/// The bits of a change.
#[derive(Debug, Default, PartialEq, Eq)]
struct Bits {
    named: u32,
    on: u32,
}

fn bits(change: &FlagChange, names: &[String]) -> Result<Bits, String> {
    let mut bits = Bits::default();
    for (name, on) in &change.0 {
        let mut found = (0..u32::BITS)
            .zip(names)
            .filter(|(_, known)| *known == name);
        let Some((bit, _)) = found.next() else {
            return Err(format!("the driver has no private flag {name}"));
        };
        bits.named |= 1 << bit;
        bits.on |= u32::from(*on) << bit;
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn bits_are_flags_by_name() {
        let names = names(&["MFP", "legacy-rx", "", "total-port-shutdown"]);
        let read = flags(0b1010, names.clone());
        let told: Vec<_> = read.iter().map(|(name, on)| (name.as_str(), *on)).collect();
        assert_eq!(
            told,
            [
                ("MFP", false),
                ("legacy-rx", true),
                ("total-port-shutdown", true)
            ]
        );
        let change = |of: &[(&str, bool)]| {
            FlagChange(
                of.iter()
                    .map(|(name, on)| ((*name).to_owned(), *on))
                    .collect(),
            )
        };
        assert_eq!(
            bits(&change(&[("legacy-rx", false), ("MFP", true)]), &names),
            Ok(Bits {
                named: 0b11,
                on: 0b01
            })
        );
        assert_eq!(
            bits(&change(&[("nope", true)]), &names),
            Err("the driver has no private flag nope".to_owned())
        );
    }

    proptest! {
        /// What was read is the change that gives the same bits.
        #[test]
        fn reads_what_it_sets(all: u32, count in 0usize..40) {
            let names: Vec<String> = (0..count).map(|bit| format!("flag-{bit}")).collect();
            let mask = u32::try_from((1_u64 << count.min(32)) - 1).expect("32 bits");
            let read = flags(all, names.clone());
            prop_assert_eq!(read.len(), count.min(32));
            let set = bits(&FlagChange(read), &names).expect("names of its own");
            prop_assert_eq!(set, Bits { named: mask, on: all & mask });
        }
    }
}
