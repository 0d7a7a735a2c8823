//! Gaps joined with what the kernel did meanwhile.

use std::collections::HashMap;
use std::io::Read;

use hftune_model::Result;

use crate::cause::Cause;
use crate::spin::Gap;
use crate::trace::{Event, each};

/// How far a stamp of the kernel may lie outside of the gap that it explains, in steps of the counter: it is taken a little
/// after the CPU was, and the loop sees a gap a turn late.
const SLACK: u64 = 200;

/// A stretch of time that something other than the loop had.
struct Stretch {
    start: u64,
    end: u64,
    cause: usize,
}

/// The causes that were met, each with a number.
#[derive(Debug, Default)]
struct Causes {
    known: Vec<Cause>,
    numbers: HashMap<Cause, usize>,
}

impl Causes {
    fn number(&mut self, cause: Cause) -> usize {
        if let Some(number) = self.numbers.get(&cause) {
            return *number;
        }
        let number = self.known.len();
        self.known.push(cause.clone());
        self.numbers.insert(cause, number);
        number
    }
}

/// Turns events into stretches: what began last has the CPU, below it whichever thread runs.
struct Timeline {
    loop_thread: u32,
    /// The thread that runs, where it is not the loop.
    other: Option<usize>,
    open: Vec<usize>,
    since: u64,
}

impl Timeline {
    fn next(&mut self, at: u64, event: Event, causes: &mut Causes, emit: &mut impl FnMut(Stretch)) {
        if let Some(cause) = self.open.last().copied().or(self.other) {
            emit(Stretch {
                start: self.since.min(at),
                end: at,
                cause,
            });
        }
        self.since = at;
        match event {
            Event::Enter(cause) => self.open.push(causes.number(cause)),
            Event::Leave => {
                self.open.pop();
            }
            Event::Switch { next, name } => {
                // No interrupt is being served where threads change.
                self.open.clear();
                self.other = (next != self.loop_thread).then(|| causes.number(Cause::Thread(name)));
            }
            Event::Instant(cause) => {
                let cause = causes.number(cause);
                emit(Stretch {
                    start: at,
                    end: at,
                    cause,
                });
            }
        }
    }
}

/// The gaps with their causes, in the order of the gaps.
#[derive(Debug)]
pub struct Named {
    /// Each gap, and the number of its cause.
    pub gaps: Vec<(Gap, usize)>,
    /// The causes.
    pub causes: Vec<Cause>,
}

/// Names gaps of one CPU, which are in order, by the trace of that CPU. `lost` says that the trace lost its beginning.
///
/// The cause of a gap is what had most of its time; all of its length is counted for that.
pub fn name(
    gaps: &[Gap],
    trace: impl Read,
    cpu: u32,
    loop_thread: u32,
    lost: bool,
) -> Result<Named> {
    let mut causes = Causes::default();
    let nothing = causes.number(Cause::NoEvent);
    let untraced = causes.number(Cause::Untraced);
    let mut named: Vec<(Gap, usize)> = Vec::with_capacity(gaps.len());
    let mut timeline = Timeline {
        loop_thread,
        other: None,
        open: Vec::new(),
        since: 0,
    };
    // What the gap that is next to be named has seen so far; gaps are far apart against the slack, or share what is between.
    let mut shares: HashMap<usize, u64> = HashMap::new();
    let mut begins = None;
    let mut finish = |gap: Gap, shares: &mut HashMap<usize, u64>, begins: Option<u64>| {
        let most = shares
            .iter()
            .max_by_key(|(cause, time)| (**time, std::cmp::Reverse(**cause)));
        let before = lost && begins.is_none_or(|begins| gap.start() < begins);
        let cause = most.map_or(if before { untraced } else { nothing }, |(cause, _)| *cause);
        shares.clear();
        named.push((gap, cause));
    };
    let mut rest = gaps.iter().copied().peekable();
    each(trace, cpu, |at, event| {
        begins.get_or_insert(at);
        timeline.next(at, event, &mut causes, &mut |stretch| {
            while let Some(gap) = rest.next_if(|gap| gap.end + SLACK < stretch.start) {
                finish(gap, &mut shares, begins);
            }
            if let Some(gap) = rest.peek() {
                let start = stretch.start.max(gap.start().saturating_sub(SLACK));
                let end = stretch.end.min(gap.end + SLACK);
                if start <= end {
                    *shares.entry(stretch.cause).or_default() += (end - start).max(1);
                }
            }
            // It may reach into the gaps behind.
            while let Some(gap) = rest.next_if(|gap| gap.end + SLACK < stretch.end) {
                finish(gap, &mut shares, begins);
                if let Some(gap) = rest.peek()
                    && gap.start().saturating_sub(SLACK) <= stretch.end
                {
                    let start = stretch.start.max(gap.start().saturating_sub(SLACK));
                    let end = stretch.end.min(gap.end + SLACK);
                    *shares.entry(stretch.cause).or_default() += end.saturating_sub(start).max(1);
                }
            }
        });
    })?;
    for gap in rest {
        finish(gap, &mut shares, begins);
    }
    Ok(Named {
        gaps: named,
        causes: causes.known,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "\
# tracer: nop
  hft-7 [001] d.h.. 10000: local_timer_entry: vector=236
  hft-7 [001] d.h.. 10900: local_timer_exit: vector=236
  hft-7 [001] ..s.. 10910: softirq_entry: vec=1 [action=TIMER]
  hft-7 [001] ..s.. 10950: softirq_exit: vec=1 [action=TIMER]
  hft-7 [001] d..2. 50000: sched_switch: prev_comm=hft prev_pid=7 prev_prio=120 prev_state=R ==> next_comm=kworker/1:0 next_pid=9 next_prio=120
  kworker/1:0-9 [001] d.h.. 52000: irq_handler_entry: irq=3 name=eth0
  kworker/1:0-9 [001] d.h.. 53000: irq_handler_exit: irq=3 ret=handled
  kworker/1:0-9 [001] d..2. 60000: sched_switch: prev_comm=kworker/1:0 prev_pid=9 prev_prio=120 prev_state=I ==> next_comm=hft next_pid=7 next_prio=120
  hft-7 [001] d.h.. 90000: nmi_handler: default_do_nmi() delta_ns: 1 handled: 1
";

    #[test]
    fn what_had_most_of_a_gap_is_its_cause() {
        let gaps = [
            (11_000, 1100),
            (30_000, 700),
            (60_100, 10_200),
            (90_050, 90),
        ]
        .map(|(end, length)| Gap { end, length });
        let named = name(&gaps, TRACE.as_bytes(), 1, 7, false).expect("a trace");
        let causes: Vec<String> = named
            .gaps
            .iter()
            .map(|(_, cause)| named.causes[*cause].to_string())
            .collect();
        assert_eq!(
            causes,
            [
                "CPU interrupt local_timer",
                "no kernel event: firmware or hypervisor",
                "thread kworker",
                "NMI"
            ]
        );
    }

    #[test]
    fn what_is_before_a_trace_that_lost_its_beginning_is_not_traced() {
        let gaps = [
            Gap {
                end: 5000,
                length: 100,
            },
            Gap {
                end: 70_000,
                length: 100,
            },
        ];
        let named = name(&gaps, TRACE.as_bytes(), 1, 7, true).expect("a trace");
        let causes: Vec<&Cause> = named.gaps.iter().map(|(_, c)| &named.causes[*c]).collect();
        assert_eq!(causes, [&Cause::Untraced, &Cause::NoEvent]);
    }
}
