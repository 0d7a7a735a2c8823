//! Sets of CPUs in the two notations of the kernel: lists (`0-3,8`) and masks (`ff,00000003`).

use std::fmt::{self, Write as _};
use std::str::FromStr;

use crate::{Error, Result};

/// The highest CPU number accepted: x86 kernels are built with at most `NR_CPUS=8192` (arch/x86/Kconfig).
pub const MAX_CPU: u32 = 8191;

/// A set of CPU numbers.
#[derive(Clone, PartialEq, Eq, Default, Hash, PartialOrd, Ord)]
pub struct CpuSet {
    /// Bit `n % 64` of word `n / 64` is CPU `n`. No trailing zero words, so that equality is set equality.
    words: Vec<u64>,
}

impl CpuSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether no CPU is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// How many CPUs are in the set.
    pub fn len(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Whether `cpu` is in the set.
    pub fn contains(&self, cpu: u32) -> bool {
        self.words
            .get(cpu as usize / 64)
            .is_some_and(|w| w >> (cpu % 64) & 1 == 1)
    }

    /// Adds a CPU.
    ///
    /// # Panics
    /// If `cpu` is above [`MAX_CPU`]; parsers check before.
    pub fn insert(&mut self, cpu: u32) {
        assert!(cpu <= MAX_CPU, "CPU {cpu} is above {MAX_CPU}");
        let word = cpu as usize / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (cpu % 64);
    }

    /// Adds the CPUs from `first` to `last`, a word at a time: lists of hundreds of CPUs are read for every interrupt.
    fn insert_range(&mut self, first: u32, last: u32) {
        self.insert(first);
        self.insert(last);
        let (from, to) = (first as usize / 64, last as usize / 64);
        for word in from..=to {
            let low = if word == from { first % 64 } else { 0 };
            let high = if word == to { last % 64 } else { 63 };
            self.words[word] |= (u64::MAX >> (63 - (high - low))) << low;
        }
    }

    /// The runs of neighbouring CPUs, first and last of each, in rising order.
    fn runs(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let end = u32::try_from(self.words.len()).expect("few words") * 64;
        // The first CPU from `at` on that is in the set, or is not.
        let next = move |mut at: u32, member: bool| {
            while at < end {
                let word = self.words[at as usize / 64];
                let rest = if member { word } else { !word } >> (at % 64);
                if rest != 0 {
                    return at + rest.trailing_zeros();
                }
                at = (at / 64 + 1) * 64;
            }
            end
        };
        let mut at = 0;
        std::iter::from_fn(move || {
            let first = next(at, true);
            at = next(first, false);
            (first < end).then(|| (first, at - 1))
        })
    }

    /// The CPUs in rising order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(i, &word)| {
            (0..64u32)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| u32::try_from(i).expect("few words") * 64 + bit)
        })
    }

    /// The lowest CPU.
    pub fn first(&self) -> Option<u32> {
        self.iter().next()
    }

    /// The highest CPU.
    pub fn last(&self) -> Option<u32> {
        self.iter().last()
    }

    /// CPUs in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a | b)
    }

    /// CPUs in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a & b)
    }

    /// CPUs of this set that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a & !b)
    }

    /// Whether every CPU of this set is in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.difference(other).is_empty()
    }

    fn combine(&self, other: &Self, op: impl Fn(u64, u64) -> u64) -> Self {
        let len = self.words.len().max(other.words.len());
        let word = |set: &Self, i: usize| set.words.get(i).copied().unwrap_or(0);
        let mut words: Vec<u64> = (0..len)
            .map(|i| op(word(self, i), word(other, i)))
            .collect();
        while words.last() == Some(&0) {
            words.pop();
        }
        Self { words }
    }

    /// Reads a list as the kernel writes and takes it: `0-3,8`, `0-30:1/2`, and, where `max` is known, `N` and `all`.
    ///
    /// The grammar is that of `bitmap_parselist()` (lib/bitmap-str.c): groups are `first-last:used/size`; `N` is the
    /// last CPU, `all` every CPU. The kernel's own "(null)" (an unset `nohz_full`) and an empty text are the empty set.
    pub fn parse_list(text: &str, max: Option<u32>) -> Result<Self> {
        let text = text.trim();
        let mut set = Self::new();
        if text.is_empty() || text == "(null)" {
            return Ok(set);
        }
        for part in text.split(',') {
            let part = part.trim();
            if part.is_empty() {
                return Err(bad_list(text, "there is nothing between two commas"));
            }
            if part == "all" {
                let max =
                    max.ok_or_else(|| bad_list(text, "\"all\" needs a known number of CPUs"))?;
                (0..=max).for_each(|cpu| set.insert(cpu));
                continue;
            }
            let (range, stride) = match part.split_once(':') {
                Some((range, stride)) => (range, Some(stride)),
                None => (part, None),
            };
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (number(text, first, max)?, number(text, last, max)?);
            if last < first {
                return Err(bad_list(text, &format!("\"{range}\" runs backwards")));
            }
            let (used, size) = match stride {
                None => (1, 1),
                Some(stride) => {
                    let (used, size) = stride
                        .split_once('/')
                        .ok_or_else(|| bad_list(text, &format!("\"{stride}\" is not used/size")))?;
                    (number(text, used, None)?, number(text, size, None)?)
                }
            };
            if size == 0 || used > size || used == 0 {
                return Err(bad_list(
                    text,
                    &format!("\"{part}\" takes {used} of every {size} CPUs"),
                ));
            }
            if used == size {
                set.insert_range(first, last);
                continue;
            }
            (first..=last)
                .filter(|cpu| (cpu - first) % size < used)
                .for_each(|cpu| set.insert(cpu));
        }
        Ok(set)
    }

    /// Reads a hexadecimal mask, with or without commas and leading zeros: `ff`, `00000000,000000ff`.
    pub fn parse_mask(text: &str) -> Result<Self> {
        let text = text.trim();
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let mut nibbles = Vec::new();
        for c in digits.chars().filter(|c| *c != ',') {
            let nibble = c.to_digit(16).ok_or_else(|| {
                Error::invalid(format!(
                    "\"{text}\" is not a CPU mask: '{c}' is no hexadecimal digit"
                ))
            })?;
            nibbles.push(nibble);
        }
        if nibbles.is_empty() {
            return Err(Error::invalid("a CPU mask is empty"));
        }
        let mut set = Self::new();
        for (i, nibble) in nibbles.iter().rev().enumerate() {
            for bit in (0..4).filter(|bit| nibble >> bit & 1 == 1) {
                let cpu = u32::try_from(i * 4).unwrap_or(u32::MAX).saturating_add(bit);
                if cpu > MAX_CPU {
                    return Err(Error::invalid(format!(
                        "a CPU mask names CPU {cpu}; {MAX_CPU} is the most that Linux has"
                    )));
                }
                set.insert(cpu);
            }
        }
        Ok(set)
    }

    /// Writes the set as the kernel writes masks: 32-bit groups, comma-separated, without leading zero groups.
    pub fn to_mask(&self) -> String {
        let groups: Vec<u32> = self
            .words
            .iter()
            .flat_map(|w| {
                #[allow(clippy::cast_possible_truncation, reason = "the two halves of a word")]
                [*w as u32, (*w >> 32) as u32]
            })
            .collect();
        let top = groups.iter().rposition(|g| *g != 0).unwrap_or(0);
        let mut text = format!("{:x}", groups.get(top).copied().unwrap_or(0));
        for group in groups[..top.min(groups.len())].iter().rev() {
            let _ = write!(text, ",{group:08x}");
        }
        text
    }
}

fn number(list: &str, text: &str, max: Option<u32>) -> Result<u32> {
    if text == "N" {
        return max.ok_or_else(|| bad_list(list, "\"N\" needs a known number of CPUs"));
    }
    if text.is_empty() {
        return Err(bad_list(list, "a number is missing"));
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad_list(list, &format!("\"{text}\" is not a number")));
    }
    match text.parse::<u32>() {
        Ok(cpu) if cpu <= MAX_CPU => Ok(cpu),
        _ => Err(bad_list(
            list,
            &format!("{text} is above {MAX_CPU}, the highest CPU that Linux has"),
        )),
    }
}

fn bad_list(list: &str, why: &str) -> Error {
    Error::invalid(format!("\"{list}\" is not a CPU list: {why}")).hint("write CPUs like 0-3,8")
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (first, last)) in self.runs().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CpuSet({self})")
    }
}

impl FromStr for CpuSet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse_list(text, None)
    }
}

impl FromIterator<u32> for CpuSet {
    fn from_iter<I: IntoIterator<Item = u32>>(cpus: I) -> Self {
        let mut set = Self::new();
        cpus.into_iter().for_each(|cpu| set.insert(cpu));
        set
    }
}

crate::text_schema::text_schema!(
    CpuSet,
    "CPUs as the kernel lists them, like 0-1,4; empty for none"
);

impl serde::Serialize for CpuSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for CpuSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse()
            .map_err(|e: Error| serde::de::Error::custom(e.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(text: &str) -> String {
        match CpuSet::parse_list(text, Some(7)) {
            Ok(set) => set.to_string(),
            Err(error) => error.what,
        }
    }

    #[test]
    fn reads_the_kernels_notations() {
        assert_eq!(list("0-3,8"), "0-3,8");
        assert_eq!(list("3,2,1"), "1-3");
        assert_eq!(list(" 0-1\n"), "0-1");
        assert_eq!(list(""), "");
        assert_eq!(list("(null)"), "");
        assert_eq!(list("all"), "0-7");
        assert_eq!(list("6-N"), "6-7");
        assert_eq!(list("0-6:1/2"), "0,2,4,6");
        assert_eq!(list("0-7:2/4"), "0-1,4-5");
    }

    #[test]
    fn refuses_what_is_no_list_and_says_why() {
        assert_eq!(
            list("7-2"),
            "\"7-2\" is not a CPU list: \"7-2\" runs backwards"
        );
        assert_eq!(list("0-"), "\"0-\" is not a CPU list: a number is missing");
        assert_eq!(
            list("1,,2"),
            "\"1,,2\" is not a CPU list: there is nothing between two commas"
        );
        assert!(list("99999999999").contains("above 8191"));
        assert!(list("0-7:3/2").contains("takes 3 of every 2"));
        assert!(list("0-7:1/0").contains("takes 1 of every 0"));
        assert!(list("two").contains("\"two\" is not a number"));
        assert!(list("+1").contains("is not a number"));
        assert!(CpuSet::parse_list("N", None).is_err());
    }

    #[test]
    fn reads_and_writes_masks() {
        let mask = |text: &str| CpuSet::parse_mask(text).expect(text).to_string();
        assert_eq!(mask("ff"), "0-7");
        assert_eq!(mask("00000000,00000003"), "0-1");
        assert_eq!(mask("1,00000000"), "32");
        assert!(CpuSet::parse_mask("xyz").is_err());
        assert!(CpuSet::parse_mask("").is_err());
        assert_eq!(
            "32,0".parse::<CpuSet>().expect("list").to_mask(),
            "1,00000001"
        );
        assert_eq!(CpuSet::new().to_mask(), "0");
    }

    proptest! {
        #[test]
        fn list_and_mask_round_trip(cpus in proptest::collection::btree_set(0u32..600, 0..40)) {
            let set: CpuSet = cpus.iter().copied().collect();
            prop_assert_eq!(set.len(), cpus.len());
            prop_assert_eq!(&set.to_string().parse::<CpuSet>().unwrap(), &set);
            let runs: Vec<u32> = set.runs().flat_map(|(first, last)| first..=last).collect();
            prop_assert_eq!(runs, set.iter().collect::<Vec<_>>());
            prop_assert_eq!(&CpuSet::parse_mask(&set.to_mask()).unwrap(), &set);
        }

        #[test]
        fn a_range_is_its_cpus(first in 0..300u32, more in 0..300u32) {
            let mut range = CpuSet::new();
            range.insert_range(first, first + more);
            prop_assert_eq!(range, (first..=first + more).collect::<CpuSet>());
        }

        #[test]
        fn never_panics(text in "[-0-9,:/Nal x(]{0,24}") {
            let _ = CpuSet::parse_list(&text, Some(15));
            let _ = CpuSet::parse_mask(&text);
        }

        #[test]
        fn set_algebra_agrees_with_membership(
            a in proptest::collection::btree_set(0u32..130, 0..30),
            b in proptest::collection::btree_set(0u32..130, 0..30),
        ) {
            let (x, y): (CpuSet, CpuSet) = (a.iter().copied().collect(), b.iter().copied().collect());
            prop_assert_eq!(x.union(&y), a.union(&b).copied().collect());
            prop_assert_eq!(x.intersection(&y), a.intersection(&b).copied().collect());
            prop_assert_eq!(x.difference(&y), a.difference(&b).copied().collect());
            prop_assert_eq!(x.is_subset(&y), a.is_subset(&b));
        }
    }
}
