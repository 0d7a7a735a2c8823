//! `.link` files of systemd, as far as they set up ports: systemd.link(5).
//!
//! Of the files in all directories, in the order of their names, the first that fits a port is applied by udev when the
//! device appears, with its drop-ins; the others are not.

use std::collections::BTreeMap;

use hftune_domains::sysctl_files::matches;
use hftune_model::host::Nic;
use hftune_model::others::{PortOwner, PortSetting};

use super::facts::Facts;
use super::ini::{self, Dialect, Entry};

/// The highest rank first.
const DIRECTORIES: [&str; 5] = [
    "/etc/systemd/network",
    "/run/systemd/network",
    "/usr/local/lib/systemd/network",
    "/usr/lib/systemd/network",
    "/lib/systemd/network",
];

/// Keys of `[Link]` and what NetworkManager calls the same.
const KNOBS: &[(&str, &str)] = &[
    ("RxBufferSize", "ring-rx"),
    ("RxMiniBufferSize", "ring-rx-mini"),
    ("RxJumboBufferSize", "ring-rx-jumbo"),
    ("TxBufferSize", "ring-tx"),
    ("RxChannels", "channels-rx"),
    ("TxChannels", "channels-tx"),
    ("OtherChannels", "channels-other"),
    ("CombinedChannels", "channels-combined"),
    ("RxFlowControl", "pause-rx"),
    ("TxFlowControl", "pause-tx"),
    ("AutoNegotiationFlowControl", "pause-autoneg"),
    ("UseAdaptiveRxCoalesce", "coalesce-adaptive-rx"),
    ("UseAdaptiveTxCoalesce", "coalesce-adaptive-tx"),
    ("RxCoalesceSec", "coalesce-rx-usecs"),
    ("RxCoalesceIrqSec", "coalesce-rx-usecs-irq"),
    ("RxCoalesceLowSec", "coalesce-rx-usecs-low"),
    ("RxCoalesceHighSec", "coalesce-rx-usecs-high"),
    ("TxCoalesceSec", "coalesce-tx-usecs"),
    ("TxCoalesceIrqSec", "coalesce-tx-usecs-irq"),
    ("TxCoalesceLowSec", "coalesce-tx-usecs-low"),
    ("TxCoalesceHighSec", "coalesce-tx-usecs-high"),
    ("RxMaxCoalescedFrames", "coalesce-rx-frames"),
    ("RxMaxCoalescedIrqFrames", "coalesce-rx-frames-irq"),
    ("RxMaxCoalescedLowFrames", "coalesce-rx-frames-low"),
    ("RxMaxCoalescedHighFrames", "coalesce-rx-frames-high"),
    ("TxMaxCoalescedFrames", "coalesce-tx-frames"),
    ("TxMaxCoalescedIrqFrames", "coalesce-tx-frames-irq"),
    ("TxMaxCoalescedLowFrames", "coalesce-tx-frames-low"),
    ("TxMaxCoalescedHighFrames", "coalesce-tx-frames-high"),
    ("CoalescePacketRateLow", "coalesce-pkt-rate-low"),
    ("CoalescePacketRateHigh", "coalesce-pkt-rate-high"),
    (
        "CoalescePacketRateSampleIntervalSec",
        "coalesce-sample-interval",
    ),
    ("StatisticsBlockCoalesceSec", "coalesce-stats-block-usecs"),
    ("ReceiveChecksumOffload", "feature-rx"),
    ("TransmitChecksumOffload", "feature-tx"),
    ("TCPSegmentationOffload", "feature-tso"),
    ("TCP6SegmentationOffload", "feature-tx-tcp6-segmentation"),
    ("GenericSegmentationOffload", "feature-gso"),
    ("GenericReceiveOffload", "feature-gro"),
    ("GenericReceiveOffloadHardware", "feature-rx-gro-hw"),
    ("LargeReceiveOffload", "feature-lro"),
    ("ReceiveVLANCTAGHardwareAcceleration", "feature-rxvlan"),
    ("TransmitVLANCTAGHardwareAcceleration", "feature-txvlan"),
    ("ReceiveVLANCTAGFilter", "feature-rx-vlan-filter"),
    ("NTupleFilter", "feature-ntuple"),
    ("ReceivePacketSteeringCPUMask", "rps-cpus"),
    ("TransmitQueues", "tx-queues"),
    ("ReceiveQueues", "rx-queues"),
    ("TransmitQueueLength", "txqueuelen"),
];

/// Whether a file is for a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Yes,
    No,
    /// It asks for what is not known of the port.
    Maybe,
}

/// An assignment and the file that it is in: the file itself or a drop-in.
#[derive(Debug, Clone)]
struct Placed {
    file: String,
    entry: Entry,
}

/// The settings. What cannot be read is put into `unread`.
pub(super) fn read(facts: &Facts<'_>, nics: &[Nic], unread: &mut Vec<String>) -> Vec<PortSetting> {
    let files = files(facts, "", ".link", unread);
    let texts: Vec<Vec<Placed>> = files
        .iter()
        .map(|(name, path)| {
            let mut placed = parse(facts, path, unread);
            for drop_in in self::files(facts, &format!("/{name}.d"), ".conf", unread).values() {
                placed.extend(parse(facts, drop_in, unread));
            }
            placed
        })
        .collect();
    let mut settings = Vec::new();
    for nic in nics {
        for text in &texts {
            let fit = fits(text, nic);
            if fit != Fit::No {
                settings.extend(knobs(text, nic, fit));
            }
            if fit == Fit::Yes {
                break;
            }
        }
    }
    settings
}

/// The files of a suffix below all directories, by name: the one in the directory of the highest rank.
fn files(
    facts: &Facts<'_>,
    below: &str,
    suffix: &str,
    unread: &mut Vec<String>,
) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for directory in DIRECTORIES {
        let directory = format!("{directory}{below}");
        let names = facts.list_or(&directory, unread);
        for name in names.iter().filter(|name| name.ends_with(suffix)) {
            files
                .entry(name.clone())
                .or_insert_with(|| format!("{directory}/{name}"));
        }
    }
    files
}

fn parse(facts: &Facts<'_>, path: &str, unread: &mut Vec<String>) -> Vec<Placed> {
    // A link to /dev/null masks the files of that name.
    if facts.root().link_target(path).as_deref() == Some("/dev/null") {
        return Vec::new();
    }
    let text = facts.text_or(path, unread);
    text.map(|text| placed(&text, path)).unwrap_or_default()
}

fn placed(text: &str, path: &str) -> Vec<Placed> {
    let entries = ini::parse(text, Dialect::Systemd).into_iter();
    let place = |entry| Placed {
        file: path.to_owned(),
        entry,
    };
    entries.map(place).collect()
}

/// Whether the conditions of a file hold for a port. A file without any is not applied.
fn fits(text: &[Placed], nic: &Nic) -> Fit {
    let mut conditions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Placed { entry, .. } in text.iter().filter(|p| p.entry.section == "Match") {
        let values = conditions.entry(&entry.key).or_default();
        if entry.value.is_empty() {
            values.clear();
        }
        values.extend(entry.value.split_whitespace());
    }
    conditions.retain(|_, values| !values.is_empty());
    if conditions.is_empty() {
        return Fit::No;
    }
    let mut fit = Fit::Yes;
    for (key, values) in conditions {
        match holds(key, &values, nic) {
            Fit::No => return Fit::No,
            Fit::Maybe => fit = Fit::Maybe,
            Fit::Yes => {}
        }
    }
    fit
}

fn holds(key: &str, values: &[&str], nic: &Nic) -> Fit {
    let (not, first) = match values[0].strip_prefix('!') {
        Some(first) => (true, first),
        None => (false, values[0]),
    };
    let patterns = || std::iter::once(first).chain(values[1..].iter().copied());
    let any = |text: &str| patterns().any(|pattern| matches(pattern, text));
    let known = |text: Option<&str>| match text {
        None => Fit::Maybe,
        Some(text) if any(text) => Fit::Yes,
        Some(_) => Fit::No,
    };
    let hex = |text: &str| {
        let digits = text.chars().filter(char::is_ascii_hexdigit);
        digits.collect::<String>().to_ascii_lowercase()
    };
    let has_mac = |mac: &str| {
        let mut macs = patterns().flat_map(|list| list.split(','));
        macs.any(|listed| hex(listed) == hex(mac))
    };
    let fit = match key {
        // The name that the kernel gave, which is no longer known of a port that was renamed.
        "OriginalName" if any(&nic.name) => Fit::Yes,
        "OriginalName" if nic.name.starts_with("eth") => Fit::No,
        "Driver" => known(nic.driver.as_deref()),
        "Path" => known(
            nic.pci_address
                .as_ref()
                .map(|at| format!("pci-{at}"))
                .as_deref(),
        ),
        "MACAddress" => match &nic.mac {
            None => Fit::Maybe,
            Some(mac) if has_mac(mac) => Fit::Yes,
            Some(_) => Fit::No,
        },
        // The address in use is the permanent one unless somebody changed it.
        "PermanentMACAddress" if nic.mac.as_deref().is_some_and(has_mac) => Fit::Yes,
        "Type" if any("ether") => Fit::Yes,
        _ => Fit::Maybe,
    };
    match (not, fit) {
        (true, Fit::Yes) => Fit::No,
        (true, Fit::No) => Fit::Yes,
        (_, fit) => fit,
    }
}

/// What a file sets of a port; the last assignment of a key counts, and an empty one takes it back.
fn knobs(text: &[Placed], nic: &Nic, fit: Fit) -> Vec<PortSetting> {
    let mut settings = Vec::new();
    for (key, knob) in KNOBS {
        let mut assignments = text.iter().rev();
        let last = assignments.find(|p| p.entry.section == "Link" && p.entry.key == *key);
        let Some(Placed { file, entry }) = last.filter(|p| !p.entry.value.is_empty()) else {
            continue;
        };
        settings.push(PortSetting {
            port: Some(nic.name.clone()),
            knob: (*knob).to_owned(),
            value: entry.value.clone(),
            owner: PortOwner::SystemdLink,
            connection: None,
            file: file.clone(),
            line: entry.line,
            uncertain: fit == Fit::Maybe,
        });
    }
    settings
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nic() -> Nic {
        Nic {
            name: "ens1f0".to_owned(),
            driver: Some("mlx5_core".to_owned()),
            pci_address: Some("0000:3b:00.0".to_owned()),
            mac: Some("b8:ce:f6:00:00:01".to_owned()),
            ..Nic::default()
        }
    }

    fn fit(text: &str) -> Fit {
        fits(&placed(text, "/x"), &nic())
    }

    #[test]
    fn conditions_are_those_of_systemd_link() {
        for (text, expected) in [
            ("[Match]\nOriginalName=*\n", Fit::Yes),
            ("[Match]\nOriginalName=eth7\n", Fit::Maybe),
            ("[Match]\nDriver=i40e mlx5*\n", Fit::Yes),
            ("[Match]\nDriver=!i40e mlx5*\n", Fit::No),
            ("[Match]\nDriver=i40e\n", Fit::No),
            (
                "[Match]\nDriver=i40e\nDriver=\nDriver=mlx5_core\n",
                Fit::Yes,
            ),
            ("[Match]\nMACAddress=B8-CE-F6-00-00-01\n", Fit::Yes),
            (
                "[Match]\nMACAddress=b8:ce:f6:00:00:02,b8ce.f600.0003\n",
                Fit::No,
            ),
            (
                "[Match]\nPermanentMACAddress=b8:ce:f6:00:00:02\n",
                Fit::Maybe,
            ),
            ("[Match]\nPath=pci-0000:3b:00.*\nType=ether\n", Fit::Yes),
            ("[Match]\nPath=pci-0000:3c:00.0\nHost=a\n", Fit::No),
            ("[Match]\nOriginalName=*\nHost=a\n", Fit::Maybe),
            ("[Match]\n[Link]\nRxBufferSize=1\n", Fit::No),
            ("", Fit::No),
        ] {
            assert_eq!(fit(text), expected, "{text}");
        }
    }

    #[test]
    fn the_last_assignment_counts() {
        let mut text = placed(
            "[Link]\nRxBufferSize=1024\nGenericReceiveOffload=no\nTxBufferSize=9\n",
            "/a",
        );
        text.extend(placed("[Link]\nRxBufferSize=max\nTxBufferSize=\n", "/b"));
        let told: Vec<_> = knobs(&text, &nic(), Fit::Yes)
            .into_iter()
            .map(|s| (s.knob, s.value, s.file, s.line))
            .collect();
        let of = |knob: &str, value: &str, file: &str, line| {
            (knob.to_owned(), value.to_owned(), file.to_owned(), line)
        };
        assert_eq!(
            told,
            [
                of("ring-rx", "max", "/b", 2),
                of("feature-gro", "no", "/a", 3)
            ]
        );
    }

    proptest! {
        #[test]
        fn never_panics(text in "(\\[Match\\]\n|\\[Link\\]\n|Driver=|MACAddress=|OriginalName=|RxBufferSize=|[a-z!*?\\[\\], \n\u{e4}]){0,60}") {
            let text = placed(&text, "/x");
            let fit = fits(&text, &nic());
            let _ = knobs(&text, &nic(), fit);
        }
    }
}
