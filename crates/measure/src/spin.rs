//! The loop: read the counter, compare, and do nothing else, so that whatever takes the CPU shows as a gap.

use hftune_sys::sched;

use crate::counter;
use crate::histogram::Histogram;

/// A time in which the loop did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gap {
    /// The counter when it ended.
    pub end: u64,
    /// How long it was, in steps of the counter.
    pub length: u64,
}

impl Gap {
    /// The counter when it began.
    pub fn start(&self) -> u64 {
        self.end - self.length
    }
}

/// Gaps that are kept one by one: 512 KiB.
pub const KEPT: usize = 32 << 10;

/// What the loop writes. Nothing in it is allocated while the loop runs.
#[derive(Debug)]
pub struct Recorder {
    /// Of all gaps.
    pub histogram: Histogram,
    /// The last ones, where the next one goes, and how many there were.
    ring: Vec<Gap>,
    next: usize,
    kept: u64,
    /// Shorter ones are counted only.
    keep_from: u64,
    /// The CPU that it is to run on, and how often it found itself on another.
    cpu: u32,
    migrations: u64,
}

impl Recorder {
    /// One for a CPU, which keeps gaps from so many steps on.
    pub fn new(cpu: u32, keep_from: u64) -> Self {
        Self {
            histogram: Histogram::default(),
            ring: vec![Gap::default(); KEPT],
            next: 0,
            kept: 0,
            keep_from,
            cpu,
            migrations: 0,
        }
    }

    /// Touches all of its memory, by the thread that is to use it, so that the loop faults nothing in, and keeps it there;
    /// whether it was allowed to.
    pub fn touch(&mut self) -> bool {
        self.histogram.touch();
        for gap in &mut self.ring {
            // SAFETY: the place is valid; a plain write of zeros into zeros would be left out.
            unsafe { std::ptr::write_volatile(gap, Gap::default()) };
        }
        self.histogram.lock() && sched::lock_memory(&self.ring)
    }

    #[cold]
    #[inline(never)]
    fn record(&mut self, gap: Gap) {
        self.histogram.record(gap.length);
        self.migrations += u64::from(counter::cpu() != self.cpu);
        if gap.length >= self.keep_from {
            self.ring[self.next] = gap;
            self.next = (self.next + 1) % KEPT;
            self.kept += 1;
        }
    }

    /// The gaps that were kept, in their order.
    pub fn gaps(&self) -> Vec<Gap> {
        if self.kept <= KEPT as u64 {
            return self.ring[..self.next].to_vec();
        }
        let (newer, older) = self.ring.split_at(self.next);
        [older, newer].concat()
    }

    /// How many long ones the ring had no room for.
    pub fn dropped(&self) -> u64 {
        self.kept.saturating_sub(KEPT as u64)
    }

    /// How often it ran on another CPU than its own.
    pub fn migrations(&self) -> u64 {
        self.migrations
    }
}

/// Runs from `last`, the counter as it was read last, until `end`, and records every gap of `threshold` steps or more. Answers
/// how often it turned, and the counter.
#[inline(never)]
pub fn run(mut last: u64, end: u64, threshold: u64, recorder: &mut Recorder) -> (u64, u64) {
    let mut turns = 0;
    loop {
        let now = counter::now();
        turns += 1;
        let length = now.wrapping_sub(last);
        last = now;
        if length >= threshold {
            recorder.record(Gap { end: now, length });
            // What recording took is no gap.
            last = counter::now();
        }
        if last >= end {
            return (turns, last);
        }
    }
}

/// What a turn takes while nothing disturbs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// Turns that were looked at.
    pub turns: u64,
    /// The least and the 99th percentile, in steps of the counter. At least one, where a counter takes longer for a step than
    /// the CPU for a turn, as many of aarch64 do (25 MHz are 40 ns).
    pub least: u64,
    /// As above.
    pub p99: u64,
}

/// Turns for that.
const QUIET_TURNS: u64 = 2_000_000;

/// How much longer than a quiet turn a gap is.
pub const FACTOR: u64 = 4;

impl Quiet {
    /// Looks at a stretch of turns on this CPU.
    pub fn measure() -> Self {
        let mut histogram = Histogram::default();
        let mut least = u64::MAX;
        let mut before = counter::now();
        for _ in 0..QUIET_TURNS {
            let now = counter::now();
            let length = now.wrapping_sub(before);
            least = least.min(length);
            histogram.record(length);
            before = counter::now();
        }
        Self::of(&histogram, least)
    }

    fn of(histogram: &Histogram, least: u64) -> Self {
        Self {
            turns: histogram.count(),
            least: least.max(1),
            p99: histogram.per_mille(990).max(1),
        }
    }

    /// From how many steps on a turn is a gap: four times the 99th percentile of quiet ones.
    pub fn threshold(&self) -> u64 {
        self.p99 * FACTOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_last_and_counts_the_rest() {
        let mut recorder = Recorder::new(0, 10);
        for end in 0..KEPT as u64 + 5 {
            recorder.record(Gap {
                end: 100 + end,
                length: 10,
            });
        }
        recorder.record(Gap { end: 1, length: 9 });
        let gaps = recorder.gaps();
        assert_eq!(gaps.len(), KEPT);
        assert_eq!((gaps[0].end, gaps[KEPT - 1].end), (105, 104 + KEPT as u64));
        assert_eq!(
            (recorder.dropped(), recorder.histogram.count()),
            (5, KEPT as u64 + 6)
        );
    }

    /// Most turns end within the step that they began in: else each would be a gap.
    #[test]
    fn a_counter_slower_than_the_loop_resolves_one_step() {
        let mut histogram = Histogram::default();
        for _ in 0..1000 {
            histogram.record(0);
        }
        let quiet = Quiet::of(&histogram, 0);
        assert_eq!((quiet.turns, quiet.least, quiet.p99), (1000, 1, 1));
        assert_eq!(quiet.threshold(), FACTOR);
    }

    #[test]
    fn it_ends_and_turns() {
        let mut recorder = Recorder::new(0, 1);
        let now = counter::now();
        let (turns, last) = run(now, now + 10_000_000, u64::MAX, &mut recorder);
        assert!(turns > 1000 && last >= now + 10_000_000, "{turns}");
        assert_eq!(recorder.histogram.count(), 0);
    }
}
