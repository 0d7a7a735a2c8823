//! Waiting until ethtool shows the ports as they are wanted: what is disturbed is not mended in the same moment.

use super::super::scenario::Scenario;
use super::super::snapshot::{Snapshot, differences};
use super::ethtool_text;
use super::guest_ports::GuestPorts;
use anyhow::Result;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A watcher that sleeps half a second and a unit that takes a link down and up again are done long before; the machine
/// has other work.
const CAP: Duration = Duration::from_secs(30);

/// Whatever sets the ports in answer to what it just did itself does so within this time.
const QUIET: Duration = Duration::from_secs(2);

/// The state that the ports are to be in.
pub struct Wanted {
    state: Snapshot,
    ports: String,
}

impl Wanted {
    /// The state, and the ports that ethtool is asked about.
    pub fn new(state: Snapshot, ports: &GuestPorts) -> Self {
        Self {
            state,
            ports: ports.line(),
        }
    }

    /// Asserts the state now.
    pub fn now(&self, scenario: &mut Scenario, when: &str) -> Result<()> {
        let now = self.ask(scenario)?;
        scenario
            .checks
            .same(format!("{when}: ethtool, tuned"), &self.state, &now);
        Ok(())
    }

    /// Asserts that the state is there soon, and stays.
    pub fn soon(&self, scenario: &mut Scenario, when: &str) -> Result<()> {
        self.within(scenario, when, CAP)
    }

    /// Asserts that the state is there within `cap`, and stays.
    pub fn within(&self, scenario: &mut Scenario, when: &str, cap: Duration) -> Result<()> {
        let began = Instant::now();
        loop {
            // A port that is just being set may be gone for ethtool for a moment.
            if let Ok(now) = self.ask(scenario)
                && differences(&self.state, &now).is_empty()
            {
                break;
            }
            if began.elapsed() > cap {
                break;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        let took = began.elapsed();
        std::thread::sleep(QUIET);
        scenario
            .checks
            .note(format!("{when}: waited {:.1} s", took.as_secs_f32()));
        self.now(scenario, when)
    }

    fn ask(&self, scenario: &Scenario) -> Result<Snapshot> {
        let all = ethtool_text::ask(scenario.control(), &self.ports)?;
        Ok(super::expected::judged(&all))
    }
}

/// How often each link came or went between two counts, in words.
pub fn since(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> String {
    let words = after.iter().map(|(port, count)| {
        let before = before.get(port).copied().unwrap_or(0);
        format!("{port} {}", count.saturating_sub(before))
    });
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_by_port() {
        let before = BTreeMap::from([("a".to_string(), 2)]);
        let after = BTreeMap::from([("a".to_string(), 4), ("b".to_string(), 1)]);
        assert_eq!(since(&before, &after), "a 2, b 1");
    }
}
