//! The counters of packets that a port lost.

use std::collections::BTreeMap;

use super::facts::Facts;

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

fn file(port: &str, counter: &str) -> String {
    format!("{NET}/{port}/statistics/{counter}")
}
