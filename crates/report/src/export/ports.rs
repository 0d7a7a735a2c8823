//! Network ports in the words of ethtool(8).

use std::fmt::Write as _;

use hftune_model::port_change::PortChange;

use super::pieces::Port;
use super::quote::word;

/// The group of ethtool's, and what is set in it: word and value.
pub(super) fn words(change: &PortChange) -> (&'static str, Vec<(String, String)>) {
    let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
    let mut said = Vec::new();
    let mut number = |name: &str, value: Option<u32>| {
        if let Some(value) = value {
            said.push((name.to_owned(), value.to_string()));
        }
    };
    let group = match change {
        PortChange::Channels(c) => {
            number("rx", c.rx);
            number("tx", c.tx);
            number("other", c.other);
            number("combined", c.combined);
            "channels"
        }
        PortChange::Rings(r) => {
            number("rx", r.rx);
            number("tx", r.tx);
            number("rx-mini", r.rx_mini);
            number("rx-jumbo", r.rx_jumbo);
            "ring"
        }
        PortChange::Adaptive(c) | PortChange::Coalesce(c) => {
            number("rx-usecs", c.rx_usecs);
            number("rx-frames", c.rx_frames);
            number("rx-usecs-irq", c.rx_usecs_irq);
            number("rx-frames-irq", c.rx_frames_irq);
            number("tx-usecs", c.tx_usecs);
            number("tx-frames", c.tx_frames);
            number("tx-usecs-irq", c.tx_usecs_irq);
            number("tx-frames-irq", c.tx_frames_irq);
            let switches = [
                ("adaptive-rx", c.adaptive_rx),
                ("adaptive-tx", c.adaptive_tx),
            ];
            for (name, on) in switches {
                if let Some(on) = on {
                    said.push((name.to_owned(), switch(on)));
                }
            }
            "coalesce"
        }
        PortChange::Pause(p) => {
            for (name, on) in [("autoneg", p.autoneg), ("rx", p.rx), ("tx", p.tx)] {
                if let Some(on) = on {
                    said.push((name.to_owned(), switch(on)));
                }
            }
            "pause"
        }
        PortChange::Features(features) => {
            said.extend(
                features
                    .0
                    .iter()
                    .map(|(name, on)| (name.clone(), switch(*on))),
            );
            "features"
        }
        PortChange::Flags(flags) => {
            said.extend(flags.0.iter().map(|(name, on)| (name.clone(), switch(*on))));
            "private-flags"
        }
        PortChange::Eee(eee) => {
            if let Some(on) = eee.enabled {
                said.push(("eee".to_owned(), switch(on)));
            }
            "eee"
        }
    };
    (group, said)
}

/// The options of ethtool(8) that show a group, and that set it.
pub(super) fn options(group: &str) -> (&'static str, &'static str) {
    match group {
        "channels" => ("-l", "-L"),
        "ring" => ("-g", "-G"),
        "coalesce" => ("-c", "-C"),
        "pause" => ("-a", "-A"),
        "features" => ("-k", "-K"),
        "private-flags" => ("--show-priv-flags", "--set-priv-flags"),
        _ => ("--show-eee", "--set-eee"),
    }
}

/// The line of the shell script for a change.
pub(super) fn shell_line(port: &Port<'_>) -> String {
    let (group, said) = words(port.change);
    let (show, set) = options(group);
    let mut line = format!(
        "    port {} {} {show} {set}",
        word(port.id),
        word(port.name)
    );
    for (name, value) in said {
        let _ = write!(line, " {} {}", word(&name), word(&value));
    }
    line.push('\n');
    line
}
