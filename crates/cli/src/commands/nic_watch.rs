//! `hftune nic watch`

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hftune_engine::{nic_units, port};
use hftune_model::names::IfName;
use hftune_model::{Error, Kind, Result};
use hftune_sys::Root;
use hftune_sys::ethtool::{Event, Watch};

use crate::{Answer, commands, terminal};

/// How long it waits for more, since one change of a port is several events; and how long at most, where they do not end.
const SETTLE: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(3);
/// A port's unit runs at most so often in so long: somebody who sets the port again and again is not fought without end.
const RUNS: usize = 10;
const WITHIN: Duration = Duration::from_secs(60);

/// Waits for ever; ends only with an error.
pub(super) fn run(root: &Root) -> Result<Answer> {
    commands::need_root(root, "nic watch")?;
    if !root.is_live() {
        return Err(Error::new(
            Kind::Usage,
            "nothing changes in a directory tree",
        ));
    }
    let mut watch = Watch::open()?;
    let mut waiting = Waiting::default();
    let mut links: BTreeMap<IfName, bool> = BTreeMap::new();
    loop {
        match watch.next(waiting.timeout(Instant::now()))? {
            // Statistics and addresses raise link events too; only a link that came is of interest.
            Some(Event::Link { port, carrier }) => {
                let before = links.insert(port.clone(), carrier);
                if carrier && before != Some(true) {
                    waiting.add(port, Instant::now());
                }
            }
            Some(Event::Changed { port }) => waiting.add(port, Instant::now()),
            // The port's unit ends with its device, and starts with it.
            Some(Event::Gone { port }) => {
                links.remove(&port);
                waiting.forget(&port);
            }
            Some(Event::Lost) => {
                for port in port::names(root) {
                    waiting.add(port, Instant::now());
                }
            }
            None => {}
        }
        for due in waiting.due(Instant::now()) {
            match due {
                Due::Run(port) => {
                    if let Err(e) = nic_units::run_again(root, &port) {
                        terminal::error(&e);
                    }
                }
                Due::TooOften(port) => terminal::warn(&[format!(
                    "{port} was tuned again {RUNS} times in a minute: something else sets it; it is left alone for a minute"
                )]),
            }
        }
    }
}

/// What is to be done with a port.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    /// Its unit is to run.
    Run(IfName),
    /// Its unit ran too often, and is to run when a minute is over.
    TooOften(IfName),
}

/// Ports of which something changed.
#[derive(Debug, Default)]
struct Waiting {
    /// When each is to be looked at, and when at the latest.
    ports: BTreeMap<IfName, (Instant, Instant)>,
    /// When the units ran of late.
    runs: BTreeMap<IfName, Vec<Instant>>,
}

impl Waiting {
    /// Something of a port changed.
    fn add(&mut self, port: IfName, now: Instant) {
        let (at, latest) = self
            .ports
            .entry(port)
            .or_insert((now + SETTLE, now + LONGEST));
        *at = (*at).max((now + SETTLE).min(*latest));
    }

    fn forget(&mut self, port: &IfName) {
        self.ports.remove(port);
    }

    /// How long to wait for events; for ever where no port is waiting.
    fn timeout(&self, now: Instant) -> Option<Duration> {
        let first = self.ports.values().map(|(at, _)| *at).min()?;
        Some(first.saturating_duration_since(now))
    }

    /// The ports whose time has come.
    fn due(&mut self, now: Instant) -> Vec<Due> {
        let ready: Vec<IfName> = self
            .ports
            .iter()
            .filter(|(_, (at, _))| *at <= now)
            .map(|(port, _)| port.clone())
            .collect();
        let mut due = Vec::new();
        for port in ready {
            let runs = self.runs.entry(port.clone()).or_default();
            runs.retain(|run| now.duration_since(*run) < WITHIN);
            if runs.len() < RUNS {
                runs.push(now);
                self.ports.remove(&port);
                due.push(Due::Run(port));
            } else {
                // Whoever it was may be done then, and no event tells that.
                runs.clear();
                self.ports
                    .insert(port.clone(), (now + WITHIN, now + WITHIN));
                due.push(Due::TooOften(port));
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port() -> IfName {
        "ens1".parse().expect("name")
    }

    #[test]
    fn several_events_are_one_run_and_do_not_put_it_off_for_ever() {
        let start = Instant::now();
        let mut waiting = Waiting::default();
        assert_eq!(waiting.timeout(start), None);
        let mut now = start;
        while waiting.due(now).is_empty() {
            assert!(now < start + LONGEST * 2, "it is put off");
            waiting.add(port(), now);
            now += Duration::from_millis(100);
        }
        assert!(now >= start + LONGEST && now < start + LONGEST + SETTLE);
        assert_eq!(waiting.timeout(now), None);
        waiting.add(port(), now);
        assert_eq!(waiting.timeout(now), Some(SETTLE));
        assert_eq!(waiting.due(now + SETTLE), [Due::Run(port())]);
    }

    #[test]
    fn who_sets_a_port_again_and_again_is_left_alone_for_a_minute_and_no_longer() {
        let mut now = Instant::now();
        let mut waiting = Waiting::default();
        for _ in 0..RUNS {
            waiting.add(port(), now);
            now += SETTLE;
            assert_eq!(waiting.due(now), [Due::Run(port())]);
        }
        waiting.add(port(), now);
        now += SETTLE;
        assert_eq!(waiting.due(now), [Due::TooOften(port())]);
        // What comes meanwhile does not bring it forward.
        waiting.add(port(), now);
        assert_eq!(waiting.due(now + WITHIN / 2), []);
        assert_eq!(waiting.due(now + WITHIN), [Due::Run(port())]);
        waiting.add(port(), now);
        waiting.forget(&port());
        assert_eq!(waiting.timeout(now), None);
    }
}
