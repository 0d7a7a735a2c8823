//! What a step of the counter is in nanoseconds, and whether the counter may be trusted.

use hftune_model::Result;
use hftune_sys::{Root, sched};

use crate::counter;

/// Tries of which the narrowest is taken: one that an interrupt hit is wide.
const TRIES: usize = 50;

/// The counter and the kernel's raw clock at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The counter.
    pub counter: u64,
    /// `CLOCK_MONOTONIC_RAW`, in nanoseconds: what NTP does to the time is not in it.
    pub nanoseconds: u64,
}

impl Moment {
    /// Now; the two are read within some ten nanoseconds of each other.
    pub fn now() -> Self {
        let mut best = (
            u64::MAX,
            Self {
                counter: 0,
                nanoseconds: 0,
            },
        );
        for _ in 0..TRIES {
            let before = counter::now();
            let nanoseconds = sched::raw_nanoseconds();
            let after = counter::now();
            let width = after.wrapping_sub(before);
            if width < best.0 {
                let counter = before + width / 2;
                best = (
                    width,
                    Self {
                        counter,
                        nanoseconds,
                    },
                );
            }
        }
        best.1
    }
}

/// How long a step of the counter is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clock {
    /// Steps in a nanosecond.
    pub per_nanosecond: f64,
}

impl Clock {
    /// From two moments; the further apart, the better: over 0.2 s the error is below 1 ppm.
    #[allow(
        clippy::cast_precision_loss,
        reason = "52 bits of nanoseconds are 52 days"
    )]
    pub fn between(first: Moment, last: Moment) -> Self {
        let steps = last.counter.wrapping_sub(first.counter) as f64;
        let nanoseconds = (last.nanoseconds - first.nanoseconds) as f64;
        Self {
            per_nanosecond: steps / nanoseconds,
        }
    }

    /// Steps as nanoseconds.
    #[allow(clippy::cast_precision_loss, reason = "see above")]
    pub fn nanoseconds(&self, steps: u64) -> f64 {
        steps as f64 / self.per_nanosecond
    }

    /// Nanoseconds as steps.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "durations of a measurement, positive and far below 2^52"
    )]
    pub fn steps(&self, nanoseconds: u64) -> u64 {
        (nanoseconds as f64 * self.per_nanosecond) as u64
    }
}

/// Whether the counter tells the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// It does.
    Good,
    /// It may not, for this reason.
    Doubtful(String),
}

/// What the kernel says of the counter: where it does not use it as its own clock, it found it unstable.
pub fn trust(root: &Root) -> Result<Trust> {
    if cfg!(target_arch = "aarch64") {
        return Ok(Trust::Good);
    }
    let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let source = root.read_text(path)?;
    let source = source.trim();
    let info = root.read_text("/proc/cpuinfo")?;
    let flags: Vec<&str> = info
        .lines()
        .find_map(|line| line.strip_prefix("flags"))
        .map(|line| line.split_ascii_whitespace().collect())
        .unwrap_or_default();
    let lacks = ["constant_tsc", "nonstop_tsc"]
        .into_iter()
        .find(|flag| !flags.contains(flag));
    Ok(match lacks {
        _ if source == "tsc" => Trust::Good,
        None if source == "kvm-clock" || source.starts_with("hyperv") => Trust::Good,
        None => Trust::Doubtful(format!(
            "the kernel keeps its time with {source}, not with the TSC"
        )),
        Some(flag) => Trust::Doubtful(format!(
            "the CPU has no {flag}, so that the TSC changes its pace"
        )),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn two_measurements_agree() {
        let first = Moment::now();
        std::thread::sleep(Duration::from_millis(200));
        let middle = Moment::now();
        std::thread::sleep(Duration::from_millis(200));
        let last = Moment::now();
        let (a, b) = (Clock::between(first, middle), Clock::between(middle, last));
        let ppm = (a.per_nanosecond / b.per_nanosecond - 1.0).abs() * 1e6;
        assert!(ppm < 50.0, "{ppm} ppm");
    }

    #[test]
    fn steps_and_nanoseconds_are_inverse() {
        let clock = Clock {
            per_nanosecond: 2.6,
        };
        assert_eq!(clock.steps(1000), 2600);
        assert!((clock.nanoseconds(2600) - 1000.0).abs() < 1e-9);
    }
}
