//! One pass: the loop on each CPU at the same time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use hftune_model::{CpuSet, Error, Kind, Result};
use hftune_sys::sched::{self, Usage};

use crate::clock::{Clock, Moment};
use crate::counter;
use crate::spin::{self, Quiet, Recorder};

/// Its stack: the loop needs none to speak of.
const STACK: usize = 128 << 10;

/// How often a loop looks whether it is asked to stop: between two turns, so that it costs none of them.
const SLICE: Duration = Duration::from_millis(100);

/// Gaps shorter than this are counted, and not kept one by one, in nanoseconds: no event of the kernel fits in.
pub const KEEP_FROM: u64 = 1000;

/// How long the first look at the clock takes: enough for a threshold; durations are told by the whole pass.
const CALIBRATION: Duration = Duration::from_millis(200);

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The CPUs.
    pub cpus: CpuSet,
    /// How long.
    pub duration: Duration,
    /// What counts as a gap, in nanoseconds; without, what a quiet CPU tells.
    pub threshold: Option<u64>,
}

/// What one CPU saw.
#[derive(Debug)]
pub struct Seen {
    /// Its number.
    pub cpu: u32,
    /// Whether its memory was locked.
    pub locked: bool,
    /// The thread that looked.
    pub thread: u32,
    /// What a turn takes there.
    pub quiet: Quiet,
    /// What counted as a gap, in steps.
    pub threshold: u64,
    /// Turns, and how long they took together, in steps.
    pub turns: u64,
    /// As above.
    pub steps: u64,
    /// The gaps.
    pub recorder: Recorder,
    /// What the kernel counted for the thread meanwhile.
    pub usage: Usage,
}

/// A whole pass.
#[derive(Debug)]
pub struct Pass {
    /// The clock, over the whole pass.
    pub clock: Clock,
    /// The counter when it began.
    pub start: u64,
    /// The CPUs, in their order.
    pub seen: Vec<Seen>,
}

/// Runs it. `began` is called when all loops are about to start, `stop` now and then: it ends the pass.
pub fn run(
    wanted: &Wanted,
    began: impl FnOnce() -> Result<()>,
    mut stop: impl FnMut() -> bool,
) -> Result<Pass> {
    let first = Moment::now();
    thread::sleep(CALIBRATION);
    let clock = Clock::between(first, Moment::now());
    let count = wanted.cpus.iter().count();
    let stopped = AtomicBool::new(false);
    // When to begin; None: not at all. Whoever waits for it is let go whatever happens.
    let start_at = OnceLock::<Option<u64>>::new();
    let (told, results) = mpsc::channel();
    let (ready, all_ready) = mpsc::channel();
    thread::scope(|scope| {
        for cpu in wanted.cpus.iter() {
            let (told, ready) = (told.clone(), ready.clone());
            let (stopped, start_at) = (&stopped, &start_at);
            let look = move || {
                let prepared = prepare(cpu, wanted, clock);
                let _ = ready.send(());
                let seen = match (prepared, start_at.wait()) {
                    (Ok(prepared), Some(start)) => {
                        Ok(measure(prepared, *start, wanted, clock, stopped))
                    }
                    (Ok(_), None) => return,
                    (Err(error), _) => Err(error),
                };
                let _ = told.send(seen);
            };
            let thread = thread::Builder::new()
                .name(format!("jitter/{cpu}"))
                .stack_size(STACK);
            if let Err(e) = thread.spawn_scoped(scope, look) {
                let _ = start_at.set(None);
                return Err(Error::new(Kind::Io, format!("cannot start a thread: {e}")));
            }
        }
        drop((told, ready));
        for () in all_ready.iter().take(count) {}
        let started = began();
        // All are let go at once; the counter says when to begin.
        let start = counter::now() + clock.steps(20_000_000);
        let _ = start_at.set(started.is_ok().then_some(start));
        started?;
        let mut seen = Vec::with_capacity(count);
        while seen.len() < count {
            match results.recv_timeout(SLICE) {
                Ok(result) => seen.push(result?),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    if stop() {
                        stopped.store(true, Ordering::Relaxed);
                    }
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(Error::new(
                        Kind::Io,
                        "a measuring thread ended without a result",
                    ));
                }
            }
        }
        seen.sort_by_key(|seen: &Seen| seen.cpu);
        Ok(Pass {
            clock: Clock::between(first, Moment::now()),
            start,
            seen,
        })
    })
}

struct Prepared {
    cpu: u32,
    locked: bool,
    quiet: Quiet,
    threshold: u64,
    recorder: Recorder,
}

fn prepare(cpu: u32, wanted: &Wanted, clock: Clock) -> Result<Prepared> {
    sched::set_affinity(0, &CpuSet::from_iter([cpu]))?;
    let quiet = Quiet::measure();
    let threshold = wanted
        .threshold
        .map_or_else(|| quiet.threshold(), |ns| clock.steps(ns));
    let mut recorder = Recorder::new(cpu, threshold.max(clock.steps(KEEP_FROM)));
    let locked = recorder.touch();
    Ok(Prepared {
        cpu,
        locked,
        quiet,
        threshold,
        recorder,
    })
}

fn measure(
    prepared: Prepared,
    start: u64,
    wanted: &Wanted,
    clock: Clock,
    stopped: &AtomicBool,
) -> Seen {
    let Prepared {
        cpu,
        locked,
        quiet,
        threshold,
        mut recorder,
    } = prepared;
    let end = start + clock.steps(u64::try_from(wanted.duration.as_nanos()).unwrap_or(u64::MAX));
    let slice = clock.steps(u64::try_from(SLICE.as_nanos()).unwrap_or(u64::MAX));
    let thread = sched::thread_id();
    let before = sched::usage();
    let mut last = counter::now();
    while last < start {
        last = counter::now();
    }
    let (begun, mut turns) = (last, 0);
    while last < end && !stopped.load(Ordering::Relaxed) {
        let (more, at) = spin::run(last, end.min(last + slice), threshold, &mut recorder);
        turns += more;
        last = at;
    }
    let after = sched::usage();
    Seen {
        cpu,
        locked,
        thread,
        quiet,
        threshold,
        turns,
        steps: last - begun,
        recorder,
        usage: Usage {
            faults: after.faults - before.faults,
            switches: after.switches - before.switches,
        },
    }
}
