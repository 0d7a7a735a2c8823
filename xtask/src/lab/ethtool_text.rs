//! What `hftune nic show --json` tells, as the lines that ethtool prints of the same: ethtool is the judge.

use serde_json::Value;

/// One call of ethtool and what it has to print.
pub struct Expected {
    /// Its option before the port; empty for none.
    pub option: &'static str,
    /// The line from which on the others are looked for; empty for all.
    pub from: &'static str,
    /// The lines, with single blanks. Empty where the port does not have it, and ethtool has to say so.
    pub lines: Vec<String>,
}

impl Expected {
    fn new(option: &'static str, from: &'static str, lines: Vec<String>) -> Self {
        Self {
            option,
            from,
            lines,
        }
    }

    /// Lines that ethtool did not print.
    pub fn missing(&self, said: &str) -> Vec<String> {
        if self.lines.is_empty() {
            let refused = said.contains("not supported");
            return if refused {
                Vec::new()
            } else {
                vec!["a refusal".to_owned()]
            };
        }
        let part = match (self.from, said.split_once(self.from)) {
            ("", _) | (_, None) => said,
            (_, Some((_, part))) => part,
        };
        // The last section ends the text; of the first one what comes later is the next one's.
        let part = part
            .split_once("Current hardware settings:")
            .map_or(part, |(first, _)| first);
        let printed: Vec<String> = part.lines().map(in_words).collect();
        let lacks = |line: &&String| !printed.contains(&in_words(line));
        self.lines.iter().filter(lacks).cloned().collect()
    }
}

fn in_words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Everything that ethtool is to print of one port of the report.
pub fn expected(port: &Value) -> Vec<Expected> {
    let told = &port["ethtool"];
    let mut all = Vec::new();
    let rings = [
        ("RX", "rx"),
        ("RX Mini", "rx_mini"),
        ("RX Jumbo", "rx_jumbo"),
        ("TX", "tx"),
    ];
    let channels = [
        ("RX", "rx"),
        ("TX", "tx"),
        ("Other", "other"),
        ("Combined", "combined"),
    ];
    for (option, of, fields) in [
        ("-g", &told["rings"], rings),
        ("-l", &told["channels"], channels),
    ] {
        for (from, suffix) in [
            ("Pre-set maximums:", "_max"),
            ("Current hardware settings:", ""),
        ] {
            let line = |value: &Value| {
                let lines = fields.iter().map(|(label, field)| {
                    let field = format!("{field}{suffix}");
                    format!("{label}: {}", number(&value[field.as_str()]))
                });
                lines.collect()
            };
            all.push(Expected::new(option, from, lines_of(of, line)));
        }
    }
    all.push(Expected::new(
        "-c",
        "",
        lines_of(&told["coalesce"], coalescing),
    ));
    all.push(Expected::new(
        "-k",
        "",
        lines_of(&told["features"], features),
    ));
    all.push(Expected::new(
        "-a",
        "",
        lines_of(&told["pause"], |value| {
            let label = [("Autonegotiate", "autoneg"), ("RX", "rx"), ("TX", "tx")];
            let lines = label.map(|(label, field)| format!("{label}: {}", on_off(&value[field])));
            lines.to_vec()
        }),
    ));
    all.push(Expected::new("", "", link(told)));
    all.push(Expected::new(
        "-i",
        "",
        vec![
            format!("driver: {}", text(&port["driver"])),
            format!("bus-info: {}", text(&port["pci_address"])),
        ],
    ));
    all.push(Expected::new(
        "-T",
        "",
        lines_of(&told["time_stamping"], |value| {
            let words = value["capabilities"].as_array().into_iter().flatten();
            let mut lines: Vec<String> = words.map(text).collect();
            let clock = &value["phc_index"];
            let clock = if clock.is_null() {
                "none".to_owned()
            } else {
                clock.to_string()
            };
            lines.push(format!("PTP Hardware Clock: {clock}"));
            lines
        }),
    ));
    all
}

/// The lines of a value that the driver told; none where it does not have it.
fn lines_of(told: &Value, lines: impl Fn(&Value) -> Vec<String>) -> Vec<String> {
    let value = &told["value"];
    if value.is_null() {
        Vec::new()
    } else {
        lines(value)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("n/a").to_owned()
}

fn number(value: &Value) -> String {
    value
        .as_u64()
        .map_or_else(|| "n/a".to_owned(), |n| n.to_string())
}

fn on_off(value: &Value) -> &'static str {
    match value.as_bool() {
        Some(true) => "on",
        Some(false) => "off",
        None => "n/a",
    }
}

fn coalescing(value: &Value) -> Vec<String> {
    let adaptive = format!(
        "Adaptive RX: {} TX: {}",
        on_off(&value["adaptive_rx"]),
        on_off(&value["adaptive_tx"])
    );
    let numbers = [
        "rx-usecs",
        "rx-frames",
        "rx-usecs-irq",
        "rx-frames-irq",
        "tx-usecs",
        "tx-frames",
        "tx-usecs-irq",
        "tx-frames-irq",
    ];
    let numbers = numbers.map(|word| {
        format!(
            "{word}: {}",
            number(&value[word.replace('-', "_").as_str()])
        )
    });
    std::iter::once(adaptive).chain(numbers).collect()
}

/// Features by the words that ethtool prints for some of them (`off_flag_def`, ethtool's common.c).
fn features(value: &Value) -> Vec<String> {
    let all = value.as_object().into_iter().flatten();
    all.map(|(name, feature)| {
        let label = match name.as_str() {
            "rx-checksum" => "rx-checksumming",
            "rx-gro" => "generic-receive-offload",
            "rx-lro" => "large-receive-offload",
            "tx-generic-segmentation" => "generic-segmentation-offload",
            "rx-vlan-hw-parse" => "rx-vlan-offload",
            "tx-vlan-hw-insert" => "tx-vlan-offload",
            "rx-ntuple-filter" => "ntuple-filters",
            "rx-hashing" => "receive-hashing",
            name => name,
        };
        let [active, wanted, fixed] = ["active", "wanted", "fixed"].map(|key| feature[key] == true);
        let state = if active { "on" } else { "off" };
        let more = match (fixed, wanted) {
            (true, _) => " [fixed]",
            (false, wanted) if wanted == active => "",
            (false, true) => " [requested on]",
            (false, false) => " [requested off]",
        };
        format!("{label}: {state}{more}")
    })
    .collect()
}

fn link(told: &Value) -> Vec<String> {
    let modes = &told["link_modes"]["value"];
    let mut lines = Vec::new();
    if let Some(speed) = modes["speed_mbps"].as_u64() {
        lines.push(format!("Speed: {speed}Mb/s"));
    }
    if let Some(full) = modes["full_duplex"].as_bool() {
        lines.push(format!("Duplex: {}", if full { "Full" } else { "Half" }));
    }
    if let Some(autoneg) = modes["autoneg"].as_bool() {
        lines.push(format!(
            "Auto-negotiation: {}",
            if autoneg { "on" } else { "off" }
        ));
    }
    if let Some(up) = told["link_state"]["value"]["up"].as_bool() {
        lines.push(format!("Link detected: {}", if up { "yes" } else { "no" }));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What ethtool 6.1 prints of an igb port.
    const RINGS: &str = "Ring parameters for ens1:\nPre-set maximums:\nRX:\t\t4096\nRX Mini:\tn/a\nRX Jumbo:\tn/a\nTX:\t\t4096\n\
                         Current hardware settings:\nRX:\t\t256\nRX Mini:\tn/a\nRX Jumbo:\tn/a\nTX:\t\t256\n";

    fn of<'e>(all: &'e [Expected], option: &str) -> Vec<&'e Expected> {
        all.iter().filter(|e| e.option == option).collect()
    }

    #[test]
    fn rings_are_compared_section_by_section() {
        let port = |rx: u32| json!({ "ethtool": { "rings": { "value": { "rx": rx, "rx_max": 4096, "tx": 256, "tx_max": 4096 } } } });
        let missing = |rx: u32| -> Vec<String> {
            let all = expected(&port(rx));
            of(&all, "-g")
                .iter()
                .flat_map(|e| e.missing(RINGS))
                .collect()
        };
        assert!(missing(256).is_empty());
        assert_eq!(
            missing(4096),
            ["RX: 4096"],
            "the maximum is no present value"
        );
    }

    #[test]
    fn what_a_port_does_not_have_is_a_refusal() {
        let all = expected(&json!({ "ethtool": { "coalesce": "unsupported" } }));
        let coalescing = of(&all, "-c")[0];
        assert!(
            coalescing
                .missing("netlink error: Operation not supported\n")
                .is_empty()
        );
        assert_eq!(coalescing.missing("rx-usecs: 0\n"), ["a refusal"]);
    }

    #[test]
    fn features_have_the_words_of_ethtool() {
        let feature =
            |active, wanted, fixed| json!({ "active": active, "wanted": wanted, "fixed": fixed });
        let value = json!({
            "rx-gro": feature(true, true, false), "rx-lro": feature(false, false, true),
            "tx-tcp-segmentation": feature(false, true, false),
        });
        assert_eq!(
            features(&value),
            [
                "generic-receive-offload: on",
                "large-receive-offload: off [fixed]",
                "tx-tcp-segmentation: off [requested on]",
            ]
        );
    }
}
