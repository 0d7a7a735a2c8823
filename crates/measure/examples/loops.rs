//! What `cargo xtask bench jitter` measures in one process: loops side by side, the clock, and preemptions that are made on
//! purpose. Prints a name and a number a line. As root.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hftune_measure::cause::Cause;
use hftune_measure::clock::{Clock, Moment};
use hftune_measure::pass::{self, Pass, Wanted};
use hftune_measure::spin::{self, Quiet, Recorder};
use hftune_measure::{attribution, counter, cpus, trace};
use hftune_model::CpuSet;
use hftune_sys::tracing::{self, Instance};
use hftune_sys::{Root, sched};

/// Rounds, and how long a loop turns in each.
const ROUNDS: usize = 8;
const ROUND: Duration = Duration::from_millis(500);

/// Preemptions, how long each is, and how far apart they are.
const INJECTED: usize = 2000;
const PREEMPTION: u64 = 20_000;
const APART: Duration = Duration::from_micros(1500);

/// Counts what is allocated.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let root = Root::live();
    tracing::mount_for_us(&root).expect("tracefs");
    let cpus = cpus::default_cpus(&root).expect("CPUs");
    let cpu = cpus.last().expect("a CPU");
    let one: CpuSet = [cpu].into_iter().collect();
    clock();
    let clock = Clock::between(Moment::now(), {
        thread::sleep(Duration::from_millis(200));
        Moment::now()
    });
    loops(&root, cpu, &one, clock);
    injected(&root, cpu, &one);
}

/// How far the clock of 0.2 s is from that of 5 s, in parts of a million.
fn clock() {
    let first = Moment::now();
    thread::sleep(Duration::from_millis(200));
    let short = Clock::between(first, Moment::now());
    thread::sleep(Duration::from_secs(5));
    let long = Clock::between(first, Moment::now());
    println!("clock_ghz {:.7}", long.per_nanosecond);
    let ppm = (short.per_nanosecond / long.per_nanosecond - 1.0).abs() * 1e6;
    println!("clock_ppm {ppm:.3}");
}

/// Nanoseconds a turn of each loop, gaps left out: the median of the rounds.
fn loops(root: &Root, cpu: u32, one: &CpuSet, clock: Clock) {
    let threshold = Quiet::measure().threshold();
    let events = trace::events(root);
    let trace = Instance::create(root, trace::CLOCK, one, 1024, &events).expect("a trace");
    sched::set_affinity(0, one).expect("the CPU");
    let mut recorder = Recorder::new(cpu, u64::MAX);
    let _ = recorder.touch();
    let mut times: [Vec<f64>; 4] = Default::default();
    let (mut allocations, mut faults) = (0, 0);
    for _ in 0..ROUNDS {
        let before = (ALLOCATIONS.load(Ordering::Relaxed), sched::usage().faults);
        let time = ours(clock, threshold, &mut recorder);
        faults += sched::usage().faults - before.1;
        allocations += ALLOCATIONS.load(Ordering::Relaxed) - before.0;
        times[0].push(time);
        times[1].push(stores_the_gap(clock, threshold));
        times[2].push(reads_the_time());
        trace.record(true).expect("trace");
        times[3].push(ours(clock, threshold, &mut recorder));
        trace.record(false).expect("trace");
    }
    let names = ["loop_ns", "sysjitter_ns", "clock_gettime_ns", "traced_ns"];
    for (name, times) in names.iter().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        println!("{name} {:.3}", times[times.len() / 2]);
    }
    println!("allocations {allocations}\nfaults {faults}");
    println!("threshold_ns {:.1}", clock.nanoseconds(threshold));
}

#[allow(clippy::cast_precision_loss, reason = "turns of half a second")]
fn per_turn(clock: Clock, steps: u64, turns: u64) -> f64 {
    clock.nanoseconds(steps) / turns.max(1) as f64
}

fn length(clock: Clock) -> u64 {
    clock.steps(u64::try_from(ROUND.as_nanos()).expect("half a second"))
}

fn ours(clock: Clock, threshold: u64, recorder: &mut Recorder) -> f64 {
    let (sum, count) = (recorder.histogram.sum(), recorder.histogram.count());
    let start = counter::now();
    let (turns, end) = spin::run(start, start + length(clock), threshold, recorder);
    let gaps = recorder.histogram.count() - count;
    per_turn(
        clock,
        end - start - (recorder.histogram.sum() - sum),
        turns - gaps,
    )
}

/// sysjitter's loop: the counter and the gap go to memory at every turn, the place moves on where it is long enough.
fn stores_the_gap(clock: Clock, threshold: u64) -> f64 {
    static GO: AtomicBool = AtomicBool::new(true);
    let mut kept = vec![(0u64, 0u64); 1 << 20];
    let (mut at, mut turns, mut gone) = (0, 0u64, 0);
    let start = counter::now();
    let end = start + length(clock);
    let mut last = start;
    while GO.load(Ordering::Relaxed) {
        let now = counter::now();
        let gap = now.wrapping_sub(last);
        kept[at] = (now, gap);
        turns += 1;
        if gap >= threshold {
            gone += gap;
            at = (at + 1) % kept.len();
        }
        last = now;
        if now >= end {
            break;
        }
    }
    black_box(&kept);
    per_turn(clock, last - start - gone, turns - at as u64)
}

/// A loop over `clock_gettime`, as it is read without a system call. What is longer than 300 ns is left out.
fn reads_the_time() -> f64 {
    let start = Instant::now();
    let (mut last, mut turns, mut gone) = (start, 0u32, Duration::ZERO);
    loop {
        let now = Instant::now();
        let gap = now - last;
        if gap > Duration::from_nanos(300) {
            gone += gap;
        } else {
            turns += 1;
        }
        last = now;
        if now - start >= ROUND {
            return (now - start).saturating_sub(gone).as_secs_f64() * 1e9
                / f64::from(turns.max(1));
        }
    }
}

/// Preempts the loop by a real-time thread on its CPU, and looks whether each is found and named.
fn injected(root: &Root, cpu: u32, one: &CpuSet) {
    let others = CpuSet::parse_list(
        &root
            .read_text("/sys/devices/system/cpu/online")
            .expect("CPUs"),
        None,
    )
    .expect("a list")
    .difference(one);
    sched::set_affinity(0, &others).expect("the others");
    let events = trace::events(root);
    let trace = Instance::create(root, trace::CLOCK, one, 8192, &events).expect("a trace");
    let wanted = Wanted {
        cpus: one.clone(),
        duration: Duration::from_secs(5),
        threshold: None,
    };
    let mut injector = None;
    let began = || {
        trace.record(true)?;
        let one = one.clone();
        injector = Some(
            thread::Builder::new()
                .name("injector".to_owned())
                .spawn(move || inject(&one))
                .expect("a thread"),
        );
        Ok(())
    };
    let pass = pass::run(&wanted, began, || false).expect("a pass");
    trace.record(false).expect("trace");
    let injected = injector.expect("it began").join().expect("the injector");
    judge(&trace, &pass, cpu, &injected);
}

/// When each preemption began and ended.
fn inject(cpu: &CpuSet) -> Vec<(u64, u64)> {
    sched::set_affinity(0, cpu).expect("the CPU");
    sched::set_priority(50).expect("a real-time priority");
    let clock = Clock::between(Moment::now(), {
        thread::sleep(Duration::from_millis(200));
        Moment::now()
    });
    let mut done = Vec::with_capacity(INJECTED);
    for _ in 0..INJECTED {
        thread::sleep(APART);
        let start = counter::now();
        let mut now = start;
        while now - start < clock.steps(PREEMPTION) {
            now = counter::now();
        }
        done.push((start, now));
    }
    done
}

fn judge(trace: &Instance<'_>, pass: &Pass, cpu: u32, injected: &[(u64, u64)]) {
    let seen = &pass.seen[0];
    let gaps = seen.recorder.gaps();
    let text = trace.text(cpu).expect("the trace");
    let named = attribution::name(&gaps, text, cpu, seen.thread, false).expect("names");
    let (mut found, mut right) = (0, 0);
    for (start, end) in injected {
        let of = |(gap, _): &&(spin::Gap, usize)| gap.start() <= *start && gap.end >= *end;
        let Some((_, cause)) = named.gaps.iter().find(of) else {
            continue;
        };
        found += 1;
        right += u32::from(named.causes[*cause] == Cause::Thread("injector".to_owned()));
    }
    println!("injected {}\nfound {found}\nnamed {right}", injected.len());
    let long = |(gap, _): &&(spin::Gap, usize)| pass.clock.nanoseconds(gap.length) > 100_000.0;
    let long: Vec<_> = named.gaps.iter().filter(long).collect();
    let told = long
        .iter()
        .filter(|(_, cause)| !matches!(named.causes[*cause], Cause::NoEvent | Cause::Untraced));
    println!("long {}\nlong_named {}", long.len(), told.count());
    println!(
        "dropped {}\nevents_lost {}",
        seen.recorder.dropped(),
        trace.lost(cpu).unwrap_or_default()
    );
}
