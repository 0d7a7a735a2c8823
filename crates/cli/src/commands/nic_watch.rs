//! `hftune nic watch`

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use hftune_engine::{nic_units, port};
use hftune_model::names::IfName;
use hftune_model::{Error, Kind, Result};
use hftune_sys::Root;
use hftune_sys::ethtool::{Event, Watch};

use crate::{Answer, commands, terminal};

/// How long it waits for more, since one change of a port is several events.
const SETTLE: Duration = Duration::from_millis(500);
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
    let mut due: BTreeSet<IfName> = BTreeSet::new();
    let mut runs: BTreeMap<IfName, Vec<Instant>> = BTreeMap::new();
    let mut links: BTreeMap<IfName, bool> = BTreeMap::new();
    loop {
        match watch.next((!due.is_empty()).then_some(SETTLE))? {
            // Statistics and addresses raise link events too; only a link that came is of interest.
            Some(Event::Link { port, carrier }) => {
                let before = links.insert(port.clone(), carrier);
                if carrier && before != Some(true) {
                    due.insert(port);
                }
            }
            Some(Event::Changed { port }) => {
                due.insert(port);
            }
            // The port's unit ends with its device, and starts with it.
            Some(Event::Gone { port }) => {
                links.remove(&port);
                due.remove(&port);
            }
            Some(Event::Lost) => due.extend(port::names(root)),
            None => {
                for port in std::mem::take(&mut due) {
                    again(root, &port, runs.entry(port.clone()).or_default());
                }
            }
        }
    }
}

/// Has a port's unit run again, unless it ran too often.
fn again(root: &Root, port: &IfName, runs: &mut Vec<Instant>) {
    let now = Instant::now();
    runs.retain(|run| now.duration_since(*run) < WITHIN);
    if runs.len() > RUNS {
        return;
    }
    runs.push(now);
    if runs.len() > RUNS {
        terminal::warn(&[format!(
            "{port} was tuned again {RUNS} times in a minute: something else sets it; it is left alone for a minute"
        )]);
        return;
    }
    if let Err(e) = nic_units::run_again(root, port) {
        terminal::error(&e);
    }
}
