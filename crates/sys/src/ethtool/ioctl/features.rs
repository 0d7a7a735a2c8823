//! Offloads and other features (`ETHTOOL_GFEATURES`, `ETHTOOL_SFEATURES`).

use hftune_model::Error;
use hftune_model::ethtool::{Feature, FeatureChange, Features};

use super::device::{Device, Fault};
use super::layout::{FeatureParam, FeatureSet, FeatureWord};
use super::{ByIoctl, ChangeByIoctl};

impl ByIoctl for Features {
    fn read(device: &mut Device<'_>) -> Result<Self, Fault> {
        let words = words(&device.get()?)?;
        Ok(features(&words, device.feature_names()?))
    }
}

/// The words that the kernel has.
fn words(of: &FeatureParam) -> Result<Vec<FeatureWord>, Error> {
    let count = of.size as usize;
    let words = of.words.get(..count).map(<[FeatureWord]>::to_vec);
    words.ok_or_else(|| {
        Error::invalid(format!(
            "the kernel says that it has {count} words of features"
        ))
    })
}

fn is_set(word: u32, bit: u32) -> bool {
    word >> bit & 1 == 1
}

fn features(words: &[FeatureWord], names: &[String]) -> Features {
    let bits = words
        .iter()
        .flat_map(|word| (0..u32::BITS).map(move |bit| (word, bit)));
    bits.zip(names)
        .filter(|(_, name)| !name.is_empty())
        .map(|((word, bit), name)| {
            let feature = Feature {
                active: is_set(word.active, bit),
                wanted: is_set(word.requested, bit),
                // As ethtool(8) decides on "[fixed]".
                fixed: !is_set(word.available, bit) || is_set(word.never_changed, bit),
            };
            (name.clone(), feature)
        })
        .collect()
}

/// The kernel takes a change of some bits alone, so that nothing is read before. That it did not do all of it is in the
/// value that the ioctl returns, and which part of it only in the features afterwards.
impl ChangeByIoctl for FeatureChange {
    fn apply(&self, device: &mut Device<'_>) -> Result<Vec<String>, Fault> {
        let size = device.get::<FeatureParam>()?.size;
        let set = set(self, size, device.feature_names()?).map_err(Fault::unsupported)?;
        device.set(set)?;
        let after = Features::read(device)?;
        let differs = |name: &String, on: bool| after.get(name).is_none_or(|of| of.active != on);
        let undone = self.0.iter().filter(|(name, on)| differs(name, **on));
        Ok(undone.map(|(name, _)| name.clone()).collect())
    }
}

fn set(change: &FeatureChange, size: u32, names: &[String]) -> Result<FeatureSet, String> {
    let mut set = FeatureSet {
        size,
        ..FeatureSet::default()
    };
    for (name, on) in &change.0 {
        let at = names.iter().position(|known| known == name);
        // A name without a bit would be one of a kernel with more words than there is room for.
        let Some((at, word)) = at.and_then(|at| Some((at, set.words.get_mut(at / 32)?))) else {
            return Err(format!("this kernel has no feature {name}"));
        };
        let [valid, requested] = word;
        *valid |= 1 << (at % 32);
        *requested |= u32::from(*on) << (at % 32);
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ethtool::ioctl::layout::FEATURE_WORDS;
    use proptest::prelude::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|bit| format!("bit-{bit:02}")).collect()
    }

    #[test]
    fn reads_which_are_on_and_which_are_fixed() {
        let word = FeatureWord {
            available: 0b0011,
            requested: 0b0001,
            active: 0b0101,
            never_changed: 0b0100,
        };
        let features = features(&[FeatureWord::default(), word], &names(36));
        let is = |bit: usize| {
            let of = features[&format!("bit-{bit}")];
            (of.active, of.wanted, of.fixed)
        };
        assert_eq!(is(32), (true, true, false));
        assert_eq!(is(33), (false, false, false));
        assert_eq!(is(34), (true, false, true));
        assert_eq!(is(35), (false, false, true));
        assert_eq!(features.len(), 36);
    }

    #[test]
    fn more_words_than_there_is_room_for_are_an_error() {
        let mut of = FeatureParam {
            size: 8,
            ..FeatureParam::default()
        };
        assert_eq!(words(&of).map(|words| words.len()), Ok(8));
        of.size = 9;
        assert!(words(&of).is_err());
    }

    #[test]
    fn an_unknown_name_is_refused() {
        let change = FeatureChange(BTreeMap::from([("nope".to_owned(), true)]));
        assert_eq!(
            set(&change, 2, &names(64)),
            Err("this kernel has no feature nope".to_owned())
        );
    }

    proptest! {
        #[test]
        fn changes_these_bits_and_no_others(wanted in proptest::collection::btree_map(0usize..64, any::<bool>(), 0..64)) {
            let names = names(64);
            let change = wanted.iter().map(|(bit, on)| (names[*bit].clone(), *on)).collect();
            let set = set(&FeatureChange(change), 2, &names).expect("names of its own");
            prop_assert_eq!(set.size, 2);
            for bit in 0..FEATURE_WORDS * 32 {
                let [valid, requested] = set.words[bit / 32].map(|word| word >> (bit % 32) & 1 == 1);
                prop_assert_eq!(valid.then_some(requested), wanted.get(&bit).copied());
                prop_assert!(valid || !requested);
            }
        }
    }
}
