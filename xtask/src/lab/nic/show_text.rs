//! What `hftune nic show` prints for people, and the same lines worked out from what ethtool says.

use super::super::snapshot::Snapshot;
use super::ethtool_text::UNSUPPORTED;
use anyhow::{Context, Result};

/// Lines that tell of what ethtool does not know: the interface's state, what goes through it, the card's ids and place,
/// its slot, kernel bypass, the kernel's counters, and which time stamps are turned on.
const NOT_OF_ETHTOOL: [&str; 9] = [
    "state",
    "carries",
    "part of",
    "device",
    "PCI Express",
    "VMA",
    "link changes",
    "lost packets",
    "stamping",
];

/// Where values stand: two blanks, the longest key, two blanks.
const VALUES: usize = 15;

/// The lines that hftune printed. Keys are "PORT/what"; the parts of a value are in the order of the alphabet.
pub fn printed(text: &str) -> Result<Snapshot> {
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut port = "";
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if !line.starts_with(' ') {
            port = line.trim();
        } else if line.get(..VALUES).is_some_and(|key| key.trim().is_empty()) {
            let (_, value) = lines.last_mut().context("a value has no key")?;
            *value = format!("{value} {}", line.trim());
        } else {
            let (key, value) = line
                .split_at_checked(VALUES)
                .with_context(|| format!("cannot read {line:?}"))?;
            lines.push((format!("{port}/{}", key.trim()), value.trim().to_string()));
        }
    }
    let ours = lines.into_iter().filter(|(key, _)| {
        !NOT_OF_ETHTOOL
            .iter()
            .any(|other| key.ends_with(&format!("/{other}")))
    });
    Ok(ours
        .map(|(key, value)| (key, in_order(value.split(", "))))
        .collect())
}

/// The lines that must stand there of these ports, from what ethtool says of them.
pub fn right(told: &Snapshot, ports: &[&str]) -> Snapshot {
    let mut lines = Snapshot::new();
    for port in ports {
        let told = One { told, port };
        for (key, value) in [
            ("link", told.link()),
            ("speed", told.speed()),
            ("driver", told.word("driver/name")),
            ("rings", told.sizes("rings")),
            ("channels", told.sizes("channels")),
            ("coalescing", told.values("coalesce")),
            ("offloads", told.offloads()),
            ("pause", told.values("pause")),
            ("EEE", told.values("eee")),
            ("time stamps", told.stamps()),
        ] {
            lines.insert(format!("{port}/{key}"), value);
        }
        // Where there are none the line is left out.
        let flags = told.values("flags");
        if flags != UNSUPPORTED && !flags.is_empty() {
            lines.insert(format!("{port}/flags"), flags);
        }
    }
    lines
}

fn in_order<'p>(parts: impl Iterator<Item = &'p str>) -> String {
    let mut parts: Vec<&str> = parts.collect();
    parts.sort_unstable();
    parts.join(", ")
}

/// What ethtool says of one port.
struct One<'t> {
    told: &'t Snapshot,
    port: &'t str,
}

impl One<'_> {
    fn word(&self, key: &str) -> String {
        let word = self.told.get(&format!("{}/{key}", self.port));
        word.cloned().unwrap_or_default()
    }

    /// Keys and values of a section; `None` where the driver does not have it.
    fn section(&self, name: &str) -> Option<Vec<(&str, &str)>> {
        let start = format!("{}/{name}", self.port);
        if self
            .told
            .get(&start)
            .is_some_and(|value| value == UNSUPPORTED)
        {
            return None;
        }
        let entries = self.told.iter().filter_map(|(key, value)| {
            let key = key.strip_prefix(&start)?.strip_prefix('/')?;
            Some((key, value.as_str()))
        });
        Some(entries.collect())
    }

    fn joined(&self, name: &str, part: impl Fn(&str, &str) -> Option<String>) -> String {
        let Some(entries) = self.section(name) else {
            return UNSUPPORTED.to_string();
        };
        let parts: Vec<String> = entries
            .into_iter()
            .filter_map(|(key, value)| part(key, value))
            .collect();
        in_order(parts.iter().map(String::as_str))
    }

    fn values(&self, section: &str) -> String {
        self.joined(section, |key, value| Some(format!("{key} {value}")))
    }

    /// "rx 256 of 4096"
    fn sizes(&self, section: &str) -> String {
        self.joined(section, |key, value| {
            (!key.ends_with("-max")).then(|| {
                let most = self.word(&format!("{section}/{key}-max"));
                format!("{key} {value} of {most}")
            })
        })
    }

    /// Those that put packets together or cut them up, unless they are off for good.
    fn offloads(&self) -> String {
        self.joined("features", |name, value| {
            let ours = ["gro", "lro", "segmentation"]
                .iter()
                .any(|word| name.contains(word));
            (ours && value != "off [fixed]").then(|| format!("{name} {value}"))
        })
    }

    fn link(&self) -> String {
        let up = self.word("link/link-detected") == "yes";
        String::from(if up { "up" } else { "down" })
    }

    fn speed(&self) -> String {
        let mut parts = vec![match self.word("link/speed").as_str() {
            "unknown" => "unknown".to_string(),
            speed => format!("{speed} Mbit/s"),
        }];
        let duplex = self.word("link/duplex");
        if duplex != "unknown" {
            parts.push(format!("{duplex} duplex"));
        }
        parts.push(format!("autoneg {}", self.word("link/auto-negotiation")));
        in_order(parts.iter().map(String::as_str))
    }

    fn stamps(&self) -> String {
        let capabilities = self.word("stamps/capabilities");
        let clock = self.word("stamps/clock");
        let clock = format!("clock /dev/ptp{clock}");
        let has_clock = !clock.ends_with("none");
        in_order(
            capabilities
                .split(' ')
                .chain(has_clock.then_some(clock.as_str())),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
ens1
  state        up
  link         up
  speed        1000 Mbit/s, full duplex, autoneg on
  driver       igb
  device       0000:21:00.0 (8086:10c9) on node 0
  VMA          no, kernel stack only
  rings        rx 256 of 4096, tx 512 of 4096
  channels     other 1 of 1, combined 8 of 8
  coalescing   rx-usecs 3, tx-usecs 0
  offloads     rx-gro on, tx-generic-segmentation off [requested
               on]
  flags        legacy-rx off
  pause        not supported
  EEE          not supported
  time stamps  hardware-transmit, software-transmit,
               clock /dev/ptp1
";

    #[test]
    fn both_come_to_the_same_lines() {
        let told: Snapshot = [
            ("channels/combined", "8"),
            ("channels/combined-max", "8"),
            ("channels/other", "1"),
            ("channels/other-max", "1"),
            ("coalesce/rx-usecs", "3"),
            ("coalesce/tx-usecs", "0"),
            ("driver/name", "igb"),
            ("eee", UNSUPPORTED),
            ("features/rx-checksum", "on"),
            ("features/rx-gro", "on"),
            ("features/rx-lro", "off [fixed]"),
            ("features/tx-generic-segmentation", "off [requested on]"),
            ("flags/legacy-rx", "off"),
            ("link/auto-negotiation", "on"),
            ("link/duplex", "full"),
            ("link/link-detected", "yes"),
            ("link/speed", "1000"),
            ("pause", UNSUPPORTED),
            ("rings/rx", "256"),
            ("rings/rx-max", "4096"),
            ("rings/tx", "512"),
            ("rings/tx-max", "4096"),
            ("stamps/capabilities", "hardware-transmit software-transmit"),
            ("stamps/clock", "1"),
        ]
        .map(|(key, value)| (format!("ens1/{key}"), value.to_string()))
        .into();
        let printed = printed(PRINTED).expect("reads");
        assert_eq!(printed, right(&told, &["ens1"]));
        assert_eq!(
            printed["ens1/offloads"],
            "rx-gro on, tx-generic-segmentation off [requested on]"
        );
    }
}
