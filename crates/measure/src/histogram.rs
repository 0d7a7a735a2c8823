//! A log-linear histogram: 32 steps between a power of two and the next, so that a value is known to 3 %.

/// Bits of a value below its highest one that are kept.
const BITS: u32 = 5;
const STEPS: usize = 1 << BITS;

/// Counts of values of all sizes, in 15 KiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    sum: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; STEPS * (65 - BITS as usize)],
            total: 0,
            sum: 0,
            max: 0,
        }
    }
}

/// The place of a value: itself below 32, then 32 places for each power of two.
fn place(value: u64) -> usize {
    let power = u64::BITS - value.leading_zeros();
    if power <= BITS + 1 {
        return usize::try_from(value).unwrap_or_default();
    }
    let shift = power - BITS - 1;
    let step = usize::try_from(value >> shift).unwrap_or_default();
    shift as usize * STEPS + step
}

/// The greatest value of a place.
fn upper(place: usize) -> u64 {
    if place < 2 * STEPS {
        return place as u64;
    }
    let shift = place / STEPS - 1;
    let step = (place % STEPS + STEPS) as u64;
    ((step + 1) << shift).wrapping_sub(1)
}

impl Histogram {
    /// Counts a value. Nothing is allocated.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.counts[place(value)] += 1;
        self.total += 1;
        self.sum = self.sum.saturating_add(value);
        self.max = self.max.max(value);
    }

    /// Touches every place, so that counting faults nothing in.
    pub fn touch(&mut self) {
        for count in &mut self.counts {
            // SAFETY: the place is valid, and no value is dropped; a plain write of what is there would be left out.
            unsafe { std::ptr::write_volatile(count, 0) };
        }
    }

    /// Keeps it in memory; whether that was allowed.
    pub fn lock(&self) -> bool {
        hftune_sys::sched::lock_memory(&self.counts)
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// Their sum.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The greatest, exactly.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value that so many of a thousand do not exceed, to 3 %; 0 where there is none.
    pub fn per_mille(&self, share: u64) -> u64 {
        let rank = (self.total.saturating_mul(share)).div_ceil(1000).max(1);
        let mut seen = 0;
        for (place, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper(place).min(self.max);
            }
        }
        self.max
    }

    /// The places that hold something: the greatest value of each, and how many there are.
    pub fn filled(&self) -> impl Iterator<Item = (u64, u64)> {
        let places = self.counts.iter().enumerate();
        places
            .filter(|(_, count)| **count > 0)
            .map(|(place, count)| (upper(place), *count))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_value_is_known_to_three_per_cent(value in any::<u64>()) {
            let most = upper(place(value));
            prop_assert!(most >= value);
            prop_assert!(most - value <= value / 32);
        }

        #[test]
        fn places_follow_values(a in any::<u64>(), b in any::<u64>()) {
            prop_assert_eq!(a.cmp(&b) == std::cmp::Ordering::Less && place(a) > place(b), false);
        }
    }

    #[test]
    fn percentiles_and_the_greatest() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|value| histogram.record(value));
        assert_eq!(histogram.count(), 1000);
        assert_eq!(histogram.sum(), 500_500);
        assert!((500..=516).contains(&histogram.per_mille(500)));
        assert!((990..=1000).contains(&histogram.per_mille(990)));
        assert_eq!(histogram.max(), 1000);
        assert_eq!(Histogram::default().per_mille(999), 0);
    }
}
