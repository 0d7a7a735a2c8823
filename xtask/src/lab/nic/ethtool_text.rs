//! What `ethtool` prints of a port, as a map: a key and the words of the value for each line.
//!
//! ethtool is the judge of what hftune sets and says, so every line is read: one that is not known is an error and no line
//! that is passed over.

use super::super::control::Control;
use super::super::snapshot::Snapshot;
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;

/// The value of a whole section that the port's driver does not have.
pub const UNSUPPORTED: &str = "not supported";

/// Names that ethtool keeps for features from before the kernel had names for them, and the kernel's own.
const OLD_FEATURE_NAMES: [(&str, &str); 8] = [
    ("generic-receive-offload", "rx-gro"),
    ("generic-segmentation-offload", "tx-generic-segmentation"),
    ("large-receive-offload", "rx-lro"),
    ("ntuple-filters", "rx-ntuple-filter"),
    ("receive-hashing", "rx-hashing"),
    ("rx-checksumming", "rx-checksum"),
    ("rx-vlan-offload", "rx-vlan-hw-parse"),
    ("tx-vlan-offload", "tx-vlan-hw-insert"),
];

/// Lines of `ethtool PORT` about what hftune has nothing to do with: plugs, wires, waking up, logging.
const OTHER_SETTINGS: [&str; 14] = [
    "Supported FEC modes",
    "Advertised pause frame use",
    "Advertised auto-negotiation",
    "Advertised FEC modes",
    "Link partner advertised pause frame use",
    "Link partner advertised auto-negotiation",
    "Link partner advertised FEC modes",
    "Port",
    "PHYAD",
    "Transceiver",
    "MDI-X",
    "Supports Wake-on",
    "Wake-on",
    "Current message level",
];

/// Lines of `ethtool --show-ring` that are no sizes of rings.
const NO_RING_SIZES: [&str; 4] = ["RX Buf Len", "CQE Size", "TX Push", "TCP data split"];

/// Keys and values of one section.
type Pairs = Vec<(String, String)>;

/// What reads one section.
type Parser = fn(&str) -> Result<Pairs>;

/// Asks ethtool in the guest of ports with blanks between them. Keys are "PORT/section/what".
pub fn ask(control: &Control, ports: &str) -> Result<Snapshot> {
    let text = control.script("ports.sh", include_str!("ports.sh"), ports)?;
    parse(&text)
}

fn parse(text: &str) -> Result<Snapshot> {
    let mut all = Snapshot::new();
    for section in text.split("== ").filter(|section| !section.is_empty()) {
        let (header, body) = section.split_once('\n').context("a section has no end")?;
        let words: Vec<&str> = header.split(' ').collect();
        let [port, name, code] = words[..] else {
            bail!("expected a port, a section and an exit code, found {header:?}");
        };
        let entries = parse_section(name, code == "0", body)
            .with_context(|| format!("ethtool --{name} {port}"))?;
        all.extend(
            entries
                .into_iter()
                .map(|(key, value)| (format!("{port}/{key}"), value)),
        );
    }
    Ok(all)
}

fn parse_section(name: &str, fine: bool, body: &str) -> Result<BTreeMap<String, String>> {
    let (key, parser): (_, Parser) = match name {
        "show-ring" => ("rings", rings),
        "show-channels" => ("channels", maxima_and_now),
        "show-coalesce" => ("coalesce", coalesce),
        "show-features" => ("features", features),
        "show-pause" => ("pause", pause),
        "show-eee" => ("eee", eee),
        "show-priv-flags" => ("flags", flags),
        "driver" => ("driver", driver),
        "show-time-stamping" => ("stamps", stamps),
        "settings" => ("link", link),
        _ => bail!("an unknown section"),
    };
    if !fine {
        ensure!(
            body.contains("Operation not supported"),
            "failed: {}",
            body.trim()
        );
        return Ok(BTreeMap::from([(key.into(), UNSUPPORTED.into())]));
    }
    let pairs = parser(body)?;
    Ok(pairs
        .into_iter()
        .map(|(what, value)| {
            let key = if what.is_empty() {
                key.to_string()
            } else {
                format!("{key}/{what}")
            };
            (key, value)
        })
        .collect())
}

/// "name: value", both trimmed.
fn pair(line: &str) -> Result<(&str, &str)> {
    let (name, value) = line
        .split_once(':')
        .with_context(|| format!("cannot read {line:?}"))?;
    Ok((name.trim(), value.trim()))
}

/// The lines below the first, which names the port, that have anything in them.
fn below_title(body: &str) -> impl Iterator<Item = &str> {
    body.lines()
        .skip(1)
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
}

/// "RX Mini" is "rx-mini".
fn key(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}

fn rings(body: &str) -> Result<Pairs> {
    let ours = |line: &&str| !NO_RING_SIZES.iter().any(|other| line.starts_with(other));
    maxima_and_now(&body.lines().filter(ours).collect::<Vec<_>>().join("\n"))
}

/// Two blocks of the same names. What the driver does not have ("n/a") is left out.
fn maxima_and_now(body: &str) -> Result<Pairs> {
    let mut suffix = None;
    let mut pairs = Vec::new();
    for line in below_title(body) {
        match line {
            "Pre-set maximums:" => suffix = Some("-max"),
            "Current hardware settings:" => suffix = Some(""),
            line => {
                let (name, value) = pair(line)?;
                let suffix = suffix.with_context(|| format!("no heading above {line:?}"))?;
                if value != "n/a" {
                    pairs.push((format!("{}{suffix}", key(name)), value.to_string()));
                }
            }
        }
    }
    Ok(pairs)
}

fn coalesce(body: &str) -> Result<Pairs> {
    let mut pairs = Vec::new();
    for line in below_title(body) {
        // Two values on one line.
        let two = ["Adaptive", "CQE mode"]
            .iter()
            .find_map(|what| Some((key(what), line.strip_prefix(what)?)));
        let values: Vec<(String, &str)> = match two {
            Some((what, rest)) => {
                let mut words = rest.split_whitespace();
                let mut one = || Some((words.next()?.trim_end_matches(':'), words.next()?));
                let (first, second) = one().zip(one()).context("expected two values")?;
                let named = |(direction, value): (&str, _)| {
                    (format!("{what}-{}", direction.to_lowercase()), value)
                };
                vec![named(first), named(second)]
            }
            None => pair(line).map(|(name, value)| vec![(name.to_string(), value)])?,
        };
        pairs.extend(
            values
                .into_iter()
                .filter(|(_, value)| *value != "n/a")
                .map(|(name, value)| (name, value.to_string())),
        );
    }
    Ok(pairs)
}

/// "on", "off", "off [fixed]", "off [requested on]". A line with others below it that are indented is their sum.
fn features(body: &str) -> Result<Pairs> {
    let lines: Vec<&str> = below_title(body).collect();
    let is_sum = |index: usize| {
        let indented = |index: usize| {
            lines
                .get(index)
                .is_some_and(|line| line.starts_with(char::is_whitespace))
        };
        !indented(index) && indented(index + 1)
    };
    let mut pairs = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let (name, value) = pair(line)?;
        if !is_sum(index) {
            let name = OLD_FEATURE_NAMES
                .iter()
                .find(|(old, _)| *old == name)
                .map_or(name, |(_, new)| new);
            pairs.push((name.to_string(), value.to_string()));
        }
    }
    Ok(pairs)
}

/// What both ends came to agree on is not a setting.
fn pause(body: &str) -> Result<Pairs> {
    let mut pairs = Vec::new();
    for line in below_title(body) {
        let (name, value) = pair(line)?;
        match name {
            "Autonegotiate" => pairs.push(("autoneg".into(), value.into())),
            "RX" | "TX" => pairs.push((key(name), value.into())),
            "RX negotiated" | "TX negotiated" => {}
            _ => bail!("cannot read {line:?}"),
        }
    }
    Ok(pairs)
}

fn eee(body: &str) -> Result<Pairs> {
    let mut pairs = Vec::new();
    for line in below_title(body) {
        let (name, value) = pair(line)?;
        match (name, value) {
            ("EEE status", UNSUPPORTED) => {
                return Ok(vec![(String::new(), UNSUPPORTED.to_string())]);
            }
            ("EEE status", value) => {
                let (enabled, active) = value.split_once(" - ").unwrap_or((value, "inactive"));
                pairs.push(("enabled".into(), on_off(enabled == "enabled").into()));
                pairs.push(("active".into(), on_off(active == "active").into()));
            }
            ("Tx LPI", value) => {
                pairs.push(("tx-lpi".into(), on_off(value != "disabled").into()));
            }
            // Modes of links.
            _ => {}
        }
    }
    Ok(pairs)
}

fn flags(body: &str) -> Result<Pairs> {
    below_title(body)
        .map(|line| pair(line).map(|(name, value)| (name.to_string(), value.to_string())))
        .collect()
}

/// The driver, and where the card is.
fn driver(body: &str) -> Result<Pairs> {
    let mut pairs = Vec::new();
    for line in body.lines() {
        let (name, value) = pair(line)?;
        match name {
            "driver" => pairs.push(("name".into(), value.into())),
            "bus-info" => pairs.push(("bus-info".into(), value.into())),
            "version" | "firmware-version" | "expansion-rom-version" => {}
            name if name.starts_with("supports-") => {}
            _ => bail!("cannot read {line:?}"),
        }
    }
    Ok(pairs)
}

fn stamps(body: &str) -> Result<Pairs> {
    let mut lists: Vec<(String, Vec<&str>)> = Vec::new();
    for line in below_title(body) {
        if let Some(word) = line.strip_prefix('\t') {
            let (_, words) = lists.last_mut().context("a list has no name")?;
            // A kernel's word in parentheses may follow.
            words.push(word.split(' ').next().unwrap_or(word));
            continue;
        }
        let (name, value) = pair(line)?;
        let name = match name {
            "Capabilities" => "capabilities",
            "PTP Hardware Clock" => "clock",
            "Hardware Transmit Timestamp Modes" => "tx-types",
            "Hardware Receive Filter Modes" => "rx-filters",
            _ => bail!("cannot read {line:?}"),
        };
        let words = if value.is_empty() {
            Vec::new()
        } else {
            vec![value]
        };
        lists.push((name.to_string(), words));
    }
    Ok(lists
        .into_iter()
        .map(|(name, words)| (name, words.join(" ")))
        .collect())
}

/// Speed, duplex, whether there is a link, and what the port can do and offers.
fn link(body: &str) -> Result<Pairs> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for line in below_title(body) {
        // The next words of a list that takes more than one line, aligned under the first.
        if line.starts_with("\t   ") || line.starts_with("         ") {
            if let Some((name, value)) = pairs.last_mut()
                && MODES.iter().any(|(_, key)| key == name)
            {
                *value = format!("{value} {}", words(line));
            }
            continue;
        }
        let (name, value) = pair(line)?;
        let unknown = value.starts_with("Unknown!");
        let value = match name {
            "Speed" | "Duplex" if unknown => "unknown".into(),
            "Speed" => value.trim_end_matches("Mb/s").into(),
            "Duplex" | "Supports auto-negotiation" | "Supported pause frame use" => {
                value.to_lowercase()
            }
            "Auto-negotiation" | "Link detected" => value.to_string(),
            "Supported ports" => words(value.trim_matches(['[', ']'])),
            name if MODES.iter().any(|(line, _)| *line == name) => {
                if value == "Not reported" {
                    String::new()
                } else {
                    words(value)
                }
            }
            name if OTHER_SETTINGS.contains(&name) => {
                // So that the lines under it are not taken for more of what stood before it.
                pairs.push((String::from("other"), String::new()));
                continue;
            }
            _ => bail!("cannot read {line:?}"),
        };
        let key = MODES
            .iter()
            .find(|(line, _)| *line == name)
            .map_or_else(|| key(name), |(_, key)| (*key).to_string());
        pairs.push((key, value));
    }
    pairs.retain(|(name, _)| name != "other");
    for (name, value) in &mut pairs {
        if MODES.iter().any(|(_, key)| key == name) || name == "supported-ports" {
            *value = sorted(value.split(' '));
        }
    }
    Ok(pairs)
}

/// Lists of link modes, as ethtool calls them, and as they are called here.
const MODES: [(&str, &str); 3] = [
    ("Supported link modes", "modes"),
    ("Advertised link modes", "advertised-modes"),
    ("Link partner advertised link modes", "peer-modes"),
];

/// Words in the order of the alphabet: ethtool's own follows a table of its version.
pub fn sorted<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let mut words: Vec<&str> = words.collect();
    words.sort_unstable();
    words.join(" ")
}

/// The words with one blank between them.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// As ethtool prints it.
pub fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(name: &str, body: &str) -> Vec<String> {
        let entries = parse_section(name, true, body).expect("parses");
        let lines = entries.iter().map(|(key, value)| format!("{key}={value}"));
        lines.collect()
    }

    #[test]
    fn sizes_that_a_driver_does_not_have_are_left_out() {
        let text = "Ring parameters for ens1:\nPre-set maximums:\nRX:\t\t4096\nRX Mini:\tn/a\nRX Jumbo:\t2048\n\
                    TX:\t\t4096\nCurrent hardware settings:\nRX:\t\t256\nRX Mini:\tn/a\nRX Jumbo:\t128\nTX:\t\t512\n\
                    RX Buf Len:\t\tn/a\nCQE Size:\t\tn/a\nTX Push:\toff\nTCP data split:\tn/a\n";
        assert_eq!(
            section("show-ring", text),
            [
                "rings/rx=256",
                "rings/rx-jumbo=128",
                "rings/rx-jumbo-max=2048",
                "rings/rx-max=4096",
                "rings/tx=512",
                "rings/tx-max=4096",
            ]
        );
        assert!(rings("t\nRX:\t5\n").is_err());
    }

    #[test]
    fn two_values_of_one_line() {
        let text = "Coalesce parameters for ens1:\nAdaptive RX: off  TX: n/a\nstats-block-usecs: n/a\n\nrx-usecs: 3\n\
                    tx-usecs: n/a\n\nCQE mode RX: on  TX: off\n\n";
        assert_eq!(
            section("show-coalesce", text),
            [
                "coalesce/adaptive-rx=off",
                "coalesce/cqe-mode-rx=on",
                "coalesce/cqe-mode-tx=off",
                "coalesce/rx-usecs=3",
            ]
        );
    }

    #[test]
    fn features_have_the_kernels_names_and_sums_are_none() {
        let text = "Features for ens1:\nrx-checksumming: on\ntcp-segmentation-offload: on\n\ttx-tcp-segmentation: on\n\
                    \ttx-tcp-mangleid-segmentation: off\ngeneric-segmentation-offload: off [requested on]\n\
                    large-receive-offload: off [fixed]\ntx-gso-partial: on\n";
        assert_eq!(
            section("show-features", text),
            [
                "features/rx-checksum=on",
                "features/rx-lro=off [fixed]",
                "features/tx-generic-segmentation=off [requested on]",
                "features/tx-gso-partial=on",
                "features/tx-tcp-mangleid-segmentation=off",
                "features/tx-tcp-segmentation=on",
            ]
        );
    }

    #[test]
    fn link_modes_take_several_lines() {
        let text = "Settings for ens1:\n\tSupported ports: [ TP\t FIBRE ]\n\
                    \tSupported link modes:   10baseT/Half 10baseT/Full\n\
                    \t                        1000baseT/Full\n\tSupported pause frame use: Symmetric\n\
                    \tSupports auto-negotiation: Yes\n\tAdvertised link modes:  Not reported\n\tSpeed: 1000Mb/s\n\
                    \tDuplex: Full\n\tAuto-negotiation: on\n\tPort: Twisted Pair\n\
                    \x20       Current message level: 0x00000007 (7)\n\
                    \x20                              drv probe link\n\tLink detected: yes\n";
        assert_eq!(
            section("settings", text),
            [
                "link/advertised-modes=",
                "link/auto-negotiation=on",
                "link/duplex=full",
                "link/link-detected=yes",
                "link/modes=1000baseT/Full 10baseT/Full 10baseT/Half",
                "link/speed=1000",
                "link/supported-pause-frame-use=symmetric",
                "link/supported-ports=FIBRE TP",
                "link/supports-auto-negotiation=yes",
            ]
        );
        let down = "Settings for ens4:\n\tSpeed: Unknown!\n\tDuplex: Unknown! (255)\n\tLink detected: no\n";
        assert_eq!(
            section("settings", down),
            [
                "link/duplex=unknown",
                "link/link-detected=no",
                "link/speed=unknown"
            ]
        );
    }

    #[test]
    fn stamps_with_and_without_a_clock() {
        let text = "Time stamping parameters for ens1:\nCapabilities:\n\thardware-transmit\n\tsoftware-receive\n\
                    PTP Hardware Clock: 1\nHardware Transmit Timestamp Modes:\n\toff\n\ton\n\
                    Hardware Receive Filter Modes: none\n";
        assert_eq!(
            section("show-time-stamping", text),
            [
                "stamps/capabilities=hardware-transmit software-receive",
                "stamps/clock=1",
                "stamps/rx-filters=none",
                "stamps/tx-types=off on",
            ]
        );
    }

    #[test]
    fn what_a_port_does_not_have_is_said_and_other_failures_are_errors() {
        let text = "== ens3 show-pause 1\nnetlink error: Operation not supported\n\
                    == ens3 show-eee 0\nEEE settings for ens3:\n\tEEE status: not supported\n\
                    == ens3 show-priv-flags 0\nPrivate flags for ens3:\nlegacy-rx: off\n\
                    == ens3 driver 0\ndriver: vmxnet3\nversion: 1\nbus-info: 0000:41:00.0\nsupports-test: no\n";
        let all = parse(text).expect("parses");
        assert_eq!(all["ens3/pause"], UNSUPPORTED);
        assert_eq!(all["ens3/eee"], UNSUPPORTED);
        assert_eq!(all["ens3/flags/legacy-rx"], "off");
        assert_eq!(all["ens3/driver/name"], "vmxnet3");
        assert!(
            parse("== ens9 driver 1\nCannot get driver information: No such device\n").is_err()
        );
        assert!(
            parse("== ens9 show-pause 0\nPause parameters for ens9:\nSomething: on\n").is_err()
        );
    }
}
