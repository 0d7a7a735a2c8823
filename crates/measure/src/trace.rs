//! What is traced, and the text of a trace, line by line.

use std::io::{BufRead as _, BufReader, Read};

use hftune_model::{Error, Kind, Result};
use hftune_sys::Root;
use hftune_sys::tracing::Instance;

use crate::cause::Cause;

/// The kernel's buffer for a CPU's events, in KiB: some ten thousand events a MiB.
pub const TRACE_KIB: u32 = 4096;

/// The clock of the trace that is the counter itself (Documentation/trace/ftrace.rst, "trace_clock").
pub const CLOCK: &str = "x86-tsc";

/// The events that say who has the CPU.
pub fn events(root: &Root) -> Vec<String> {
    let mut events: Vec<String> = [
        "irq:irq_handler_entry",
        "irq:irq_handler_exit",
        "irq:softirq_entry",
        "irq:softirq_exit",
        "sched:sched_switch",
        "nmi:nmi_handler",
    ]
    .map(str::to_owned)
    .into();
    let vectors = Instance::events_of(root, "irq_vectors").into_iter();
    let bounds = vectors.filter(|name| name.ends_with("_entry") || name.ends_with("_exit"));
    events.extend(bounds.map(|name| format!("irq_vectors:{name}")));
    events
}

/// What an event means for the CPU on which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something began that takes the CPU from the thread that ran.
    Enter(Cause),
    /// It ended; without its name, since what began last ends first.
    Leave,
    /// Another thread runs from now on: its number, and its name.
    Switch {
        /// The number of the thread.
        next: u32,
        /// Its name, without the number of its CPU.
        name: String,
    },
    /// Something happened in no time that is known.
    Instant(Cause),
}

/// Hands on what happened on a CPU, in order, with the counter of each moment. One line is held at a time.
///
/// # Errors
/// Where the trace cannot be read.
pub fn each(trace: impl Read, cpu: u32, mut on: impl FnMut(u64, Event)) -> Result<()> {
    let mut reader = BufReader::new(trace);
    let mut text = Vec::new();
    loop {
        text.clear();
        let read = reader
            .read_until(b'\n', &mut text)
            .map_err(|e| Error::new(Kind::Io, format!("the trace cannot be read: {e}")))?;
        if read == 0 {
            return Ok(());
        }
        if let Some((at, event)) = line(String::from_utf8_lossy(&text).trim_end(), cpu) {
            on(at, event);
        }
    }
}

/// One line: the counter, and what happened. `None` for comments, and for lines of other events.
fn line(text: &str, cpu: u32) -> Option<(u64, Event)> {
    // A name in front may hold anything; what follows the CPU does not.
    let cpu = format!(" [{cpu:03}] ");
    let rest = &text[text.find(&cpu)? + cpu.len()..];
    let (_flags, rest) = rest.split_once(' ')?;
    let (time, rest) = rest.trim_start().split_once(": ")?;
    let (name, arguments) = rest
        .split_once(": ")
        .unwrap_or((rest.trim_end_matches(':'), ""));
    Some((time.parse().ok()?, event(name, arguments)?))
}

fn event(name: &str, arguments: &str) -> Option<Event> {
    Some(match name {
        "irq_handler_entry" => {
            let device = arguments.split_once(" name=")?.1;
            Event::Enter(Cause::Interrupt(device.trim().to_owned()))
        }
        "softirq_entry" => {
            let action = arguments.split_once("[action=")?.1.trim_end_matches(']');
            Event::Enter(Cause::Softirq(action.to_owned()))
        }
        "irq_handler_exit" | "softirq_exit" => Event::Leave,
        "sched_switch" => {
            let (_, next) = arguments.split_once(" ==> next_comm=")?;
            let (comm, rest) = next.rsplit_once(" next_pid=")?;
            let next = rest.split(' ').next()?.parse().ok()?;
            Event::Switch {
                next,
                name: thread_name(comm),
            }
        }
        "nmi_handler" => Event::Instant(Cause::Nmi),
        vector => {
            if let Some(vector) = vector.strip_suffix("_entry") {
                return Some(Event::Enter(Cause::Vector(vector.to_owned())));
            }
            vector.strip_suffix("_exit")?;
            Event::Leave
        }
    })
}

/// A name without the number of a CPU or a worker, so that `kworker/3:1-mm` and `kworker/5:0` are one.
fn thread_name(comm: &str) -> String {
    match comm.split_once('/') {
        Some((kind @ ("kworker" | "ksoftirqd" | "migration" | "cpuhp" | "rcuog" | "rcuop"), _)) => {
            kind.to_owned()
        }
        _ => comm.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines_of_linux_6() {
        let read = |text| line(text, 1);
        assert_eq!(
            read(
                "          <idle>-0       [001] d.h1. 123456789: irq_handler_entry: irq=36 name=virtio0-input.0"
            ),
            Some((
                123_456_789,
                Event::Enter(Cause::Interrupt("virtio0-input.0".to_owned()))
            ))
        );
        assert_eq!(
            read(
                "          <idle>-0       [001] d.h1. 123456790: irq_handler_exit: irq=36 ret=handled"
            ),
            Some((123_456_790, Event::Leave))
        );
        assert_eq!(
            read("       opt cgu.0-77      [001] ..s.. 5: softirq_entry: vec=1 [action=TIMER]"),
            Some((5, Event::Enter(Cause::Softirq("TIMER".to_owned()))))
        );
        assert_eq!(
            read(
                "           a [001] b-77      [001] d..2. 6: sched_switch: prev_comm=a prev_pid=77 prev_prio=120 prev_state=R ==> next_comm=x next_pid=1 next_pid=9 next_prio=9"
            ),
            None,
            "a name that looks like a CPU is told by what follows"
        );
        assert_eq!(
            read(
                "            hft-77      [001] d..2. 6: sched_switch: prev_comm=hft prev_pid=77 prev_prio=120 prev_state=R ==> next_comm=kworker/1:2 next_pid=9 next_prio=120"
            ),
            Some((
                6,
                Event::Switch {
                    next: 9,
                    name: "kworker".to_owned()
                }
            ))
        );
        assert_eq!(
            read("            hft-77      [001] d.h.. 7: local_timer_entry: vector=236"),
            Some((7, Event::Enter(Cause::Vector("local_timer".to_owned()))))
        );
        assert_eq!(read("#           TASK-PID     CPU#"), None);
        assert_eq!(read("CPU:1 [LOST 12 EVENTS]"), None);
    }
}
