//! The counters of packets that a port lost.

use std::collections::BTreeMap;
use std::time::Duration;

use hftune_model::host::Nic;
use hftune_sys::Root;

use super::facts::Facts;

/// How long ports that lost packets are watched: whether they still do is the question.
const WATCH: Duration = Duration::from_millis(100);

/// The table of all interfaces (proc(5)), and its columns of errors, drops, full queues, bad frames; sent ones likewise.
const TABLE: &str = "/proc/net/dev";
const ERRORS: [usize; 8] = [2, 3, 4, 5, 10, 11, 12, 14];

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
    // One file of all ports spares the many of those that lost nothing.
    let table = facts.text(TABLE);
    if table.is_some_and(|table| lost_nothing(&table, port)) {
        return COUNTERS
            .iter()
            .map(|name| ((*name).to_owned(), 0))
            .collect();
    }
    let count = |name: &&str| Some(((*name).to_owned(), facts.number(&file(port, name))?));
    COUNTERS.iter().filter_map(count).collect()
}

/// Whether the table has a port, with nothing in the columns of errors. Each of the counters is part of a column
/// (`dev_seq_printf_stats()`, net/core/net-procfs.c).
fn lost_nothing(table: &str, port: &str) -> bool {
    let line = table.lines().find_map(|line| {
        let (name, counts) = line.split_once(':')?;
        (name.trim_start() == port).then_some(counts)
    });
    let columns: Vec<&str> = line.unwrap_or_default().split_ascii_whitespace().collect();
    columns.len() == 16 && ERRORS.iter().all(|column| columns[*column] == "0")
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo \
                        frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n";

    #[test]
    fn a_port_that_lost_nothing_is_known_by_one_line() {
        for column in 0..16 {
            let counts = (0..16).map(|at| if at == column { " 7" } else { " 0" });
            let line: String = counts.collect();
            let table = format!("{HEAD}    lo:{line}\n  eth0:{line}\n");
            // Bytes, packets, compressed ones and multicasts are no losses; collisions are sent again.
            let harmless = matches!(column, 0 | 1 | 6 | 7 | 8 | 9 | 13 | 15);
            assert_eq!(lost_nothing(&table, "eth0"), harmless, "{column}");
            assert!(!lost_nothing(&table, "eth") && !lost_nothing(&table, "eth00"));
        }
        assert!(!lost_nothing("eth0: 0 0 0\n", "eth0") && !lost_nothing("", "eth0"));
    }

    proptest! {
        #[test]
        fn never_panics(text in "([ 0-9:\n]|eth0){0,60}") {
            lost_nothing(&text, "eth0");
        }
    }
}
