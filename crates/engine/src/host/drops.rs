//! The counters of packets that a port lost.

use std::collections::BTreeMap;
use std::time::Duration;

use hftune_model::host::Nic;
use hftune_sys::Root;

use super::facts::Facts;

/// How long ports that lost packets are watched: whether they still do is the question.
const WATCH: Duration = Duration::from_millis(100);

const NET: &str = "/sys/class/net";

/// The counters below `statistics` that mean a lost packet (Documentation/networking/statistics.rst, which takes its words
/// from `struct rtnl_link_stats64` in include/uapi/linux/if_link.h).
///
/// `rx_errors` and `tx_errors` are sums that may hold more than the counters after them, so that one packet can be in two
/// of the list: it tells whether packets are lost, not how many. Left out are `rx_nohandler` (a port that is not to receive,
/// like the idle one of a bond), `collisions` (sent again) and `tx_heartbeat_errors` (no packet). `rx_dropped` counts
/// packets of protocols that nobody listens to as well, and the kernel has no counter without them.
const COUNTERS: &[&str] = &[
    "rx_dropped",
    "rx_missed_errors",
    "rx_errors",
    "rx_length_errors",
    "rx_over_errors",
    "rx_crc_errors",
    "rx_frame_errors",
    "rx_fifo_errors",
    "tx_dropped",
    "tx_errors",
    "tx_aborted_errors",
    "tx_carrier_errors",
    "tx_fifo_errors",
    "tx_window_errors",
];

pub(super) fn read(facts: &Facts<'_>, port: &str) -> BTreeMap<String, u64> {
    let count = |name: &&str| Some(((*name).to_owned(), facts.number(&file(port, name))?));
    COUNTERS.iter().filter_map(count).collect()
}

/// Looks a second time at those of these ports that lost packets, for all of them at once. Where none did it costs nothing.
pub(crate) fn watch<'n>(root: &Root, nics: impl Iterator<Item = &'n mut Nic>) {
    let mut losers: Vec<&mut Nic> = nics
        .filter(|nic| nic.drops.values().any(|count| *count > 0))
        .collect();
    if !root.is_live() || losers.is_empty() {
        return;
    }
    std::thread::sleep(WATCH);
    for nic in &mut losers {
        nic.drops_since = Some(since(root, nic));
    }
}

/// How much the counters of a port grew; one that cannot be read again is absent.
fn since(root: &Root, nic: &Nic) -> BTreeMap<String, u64> {
    let grown = |(name, before): (&String, &u64)| {
        let text = root.read_text(file(&nic.name, name)).ok()?;
        let now: u64 = text.trim().parse().ok()?;
        // A driver that is loaded anew starts at 0.
        Some((name.clone(), now.saturating_sub(*before)))
    };
    nic.drops.iter().filter_map(grown).collect()
}

fn file(port: &str, counter: &str) -> String {
    format!("{NET}/{port}/statistics/{counter}")
}
