//! `hftune nic watch`

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hftune_engine::{live, nic_units, port};
use hftune_model::names::IfName;
use hftune_model::{Error, Kind, Result};
use hftune_sys::Root;
use hftune_sys::ethtool::{Event, Watch};

use crate::{Answer, commands, terminal};

/// How long it waits for more, since one change of a port is several events; and how long at most, where they do not end.
const SETTLE: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(3);
/// Somebody's values are undone at most so often in so long: whoever sets a port again and again is not fought without
/// end, since a change of some of them takes the link down.
const TIMES: usize = 10;
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
                    waiting.add(port, true, Instant::now());
                }
            }
            Some(Event::Changed { port }) => waiting.add(port, false, Instant::now()),
            // The port's unit ends with its device, and starts with it.
            Some(Event::Gone { port }) => {
                links.remove(&port);
                waiting.forget(&port);
            }
            Some(Event::Lost) => {
                for port in port::names(root) {
                    waiting.add(port, true, Instant::now());
                }
            }
            None => {}
        }
        let differs = |port: &IfName| match live::port_differs(root, port) {
            Ok(differs) => differs,
            Err(e) => {
                terminal::error(&e);
                false
            }
        };
        for due in waiting.due(Instant::now(), differs) {
            match due {
                Due::Run(port) => {
                    if let Err(e) = nic_units::run_again(root, &port) {
                        terminal::error(&e);
                    }
                }
                Due::TooOften(port) => terminal::warn(&[format!(
                    "{port} was set otherwise {TIMES} times in a minute: it is left alone for a minute"
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
    /// Its values were undone too often, and are looked at again when a minute is over.
    TooOften(IfName),
}

/// When a port is to be looked at.
#[derive(Debug)]
struct Look {
    at: Instant,
    latest: Instant,
    /// Whether its link came back: its unit is to run whatever its values are, for the sake of its interrupts.
    link: bool,
}

/// Ports of which something changed.
#[derive(Debug, Default)]
struct Waiting {
    ports: BTreeMap<IfName, Look>,
    /// When values of each were undone of late.
    undone: BTreeMap<IfName, Vec<Instant>>,
}

impl Waiting {
    /// Something of a port changed, or its link came back.
    fn add(&mut self, port: IfName, link: bool, now: Instant) {
        let look = self.ports.entry(port).or_insert(Look {
            at: now + SETTLE,
            latest: now + LONGEST,
            link,
        });
        look.at = look.at.max((now + SETTLE).min(look.latest));
        look.link |= link;
    }

    fn forget(&mut self, port: &IfName) {
        self.ports.remove(port);
    }

    /// How long to wait for events; for ever where no port is waiting.
    fn timeout(&self, now: Instant) -> Option<Duration> {
        let first = self.ports.values().map(|look| look.at).min()?;
        Some(first.saturating_duration_since(now))
    }

    /// What is to be done with the ports whose time has come. What hftune itself sets raises events too, so that many of
    /// them differ in nothing.
    fn due(&mut self, now: Instant, differs: impl Fn(&IfName) -> bool) -> Vec<Due> {
        let ready: Vec<IfName> = self
            .ports
            .iter()
            .filter(|(_, look)| look.at <= now)
            .map(|(port, _)| port.clone())
            .collect();
        let mut due = Vec::new();
        for port in ready {
            let look = self.ports.remove(&port).expect("it was just found");
            if !differs(&port) {
                if look.link {
                    due.push(Due::Run(port));
                }
                continue;
            }
            let undone = self.undone.entry(port.clone()).or_default();
            undone.retain(|time| now.duration_since(*time) < WITHIN);
            if undone.len() < TIMES {
                undone.push(now);
                due.push(Due::Run(port));
            } else {
                // Whoever it was may be done then, and no event tells that.
                undone.clear();
                let at = now + WITHIN;
                let look = Look {
                    at,
                    latest: at,
                    ..look
                };
                self.ports.insert(port.clone(), look);
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
        while waiting.due(now, |_| true).is_empty() {
            assert!(now < start + LONGEST * 2, "it is put off");
            waiting.add(port(), false, now);
            now += Duration::from_millis(100);
        }
        assert!(now >= start + LONGEST && now < start + LONGEST + SETTLE);
        assert_eq!(waiting.timeout(now), None);
        waiting.add(port(), false, now);
        assert_eq!(waiting.timeout(now), Some(SETTLE));
        assert_eq!(waiting.due(now + SETTLE, |_| true), [Due::Run(port())]);
    }

    #[test]
    fn what_differs_in_nothing_is_left_alone_unless_a_link_came_back() {
        let now = Instant::now();
        let mut waiting = Waiting::default();
        waiting.add(port(), false, now);
        assert_eq!(waiting.due(now + SETTLE, |_| false), []);
        assert_eq!(waiting.timeout(now), None);
        waiting.add(port(), true, now);
        waiting.add(port(), false, now);
        assert_eq!(waiting.due(now + SETTLE, |_| false), [Due::Run(port())]);
    }

    #[test]
    fn who_sets_a_port_again_and_again_is_left_alone_for_a_minute_and_no_longer() {
        let mut now = Instant::now();
        let mut waiting = Waiting::default();
        for _ in 0..TIMES {
            waiting.add(port(), false, now);
            now += SETTLE;
            assert_eq!(waiting.due(now, |_| true), [Due::Run(port())]);
            // What hftune set then is no quarrel.
            waiting.add(port(), false, now);
            assert_eq!(waiting.due(now + SETTLE, |_| false), []);
        }
        waiting.add(port(), false, now);
        now += SETTLE;
        assert_eq!(waiting.due(now, |_| true), [Due::TooOften(port())]);
        // What comes meanwhile does not bring it forward.
        waiting.add(port(), false, now);
        assert_eq!(waiting.due(now + WITHIN / 2, |_| true), []);
        assert_eq!(waiting.due(now + WITHIN, |_| true), [Due::Run(port())]);
        waiting.add(port(), false, now);
        waiting.forget(&port());
        assert_eq!(waiting.timeout(now), None);
    }
}
