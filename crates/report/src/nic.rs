//! The report of `nic`: what network ports are and what they are set to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hftune_model::ethtool::{
    Channels, Coalesce, Eee, Features, LinkModes, LinkState, Pause, PauseFrames, Port,
    PrivateFlags, Rings, StampingNow, TimeStamping, Told,
};
use hftune_model::host::{Nic, PcieEnd, PcieLink};
use owo_colors::OwoColorize as _;
use schemars::JsonSchema;
use serde::Serialize;

use crate::table::Table;

/// A port: where it is, and what it is set to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OnePort<'h> {
    /// What `/sys` tells.
    #[serde(flatten)]
    pub nic: &'h Nic,
    /// What the driver tells.
    pub ethtool: &'h Port,
}

/// Each port with what is told of it.
pub fn join<'h>(nics: &[&'h Nic], told: &'h BTreeMap<String, Port>) -> Vec<OnePort<'h>> {
    nics.iter()
        .filter_map(|nic| {
            let ethtool = told.get(&nic.name)?;
            Some(OnePort { nic, ethtool })
        })
        .collect()
}

/// What `hftune nic list` and `nic show` print with `--json`.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Report<'p> {
    schema: &'static str,
    ports: &'p [OnePort<'p>],
}

/// One JSON object: the ports with everything that is known of them.
pub fn json(ports: &[OnePort<'_>]) -> String {
    crate::to_json(&Report {
        schema: "hftune/nic/1",
        ports,
    })
}

/// A line for each port.
pub fn list(ports: &[OnePort<'_>], width: usize) -> String {
    if ports.is_empty() {
        return "no network port has a device behind it\n".to_owned();
    }
    let mut table = Table::new(&[
        "PORT", "STATE", "MBIT/S", "NODE", "DRIVER", "PCI", "VMA", "RINGS",
    ]);
    for OnePort { nic, ethtool } in ports {
        table.push([
            nic.name.clone(),
            or_dash(nic.state.clone()),
            or_dash(nic.speed_mbps.map(|speed| speed.to_string())),
            or_dash(nic.node.map(|node| node.to_string())),
            or_dash(nic.driver.clone()),
            or_dash(nic.pci_address.clone()),
            yes_no(nic.vma_capable).to_owned(),
            words(&ethtool.rings, rings),
        ]);
    }
    table.render(width)
}

/// A section for each port.
pub fn show(ports: &[OnePort<'_>], width: usize) -> String {
    let mut out = String::new();
    for OnePort { nic, ethtool } in ports {
        let blank = if out.is_empty() { "" } else { "\n" };
        let _ = writeln!(out, "{blank}{}", nic.name.bold());
        let mut table = Table::headless().indent(2);
        for (key, value) in facts(nic, ethtool) {
            table.push([key.to_owned(), value]);
        }
        out.push_str(&table.render(width));
    }
    out
}

fn facts(nic: &Nic, port: &Port) -> Vec<(&'static str, String)> {
    let device = [
        nic.pci_address.clone(),
        nic.pci_id.as_ref().map(|id| format!("({id})")),
        nic.node.map(|node| format!("on node {node}")),
    ];
    let device: Vec<String> = device.into_iter().flatten().collect();
    let vma = if nic.vma_capable {
        "yes"
    } else {
        "no, kernel stack only"
    };
    let mut facts = vec![
        ("state", or_dash(nic.state.clone())),
        ("link", words(&port.link_state, |state| link_state(*state))),
        ("speed", words(&port.link_modes, link_modes)),
        (
            "link changes",
            or_dash(nic.carrier_changes.map(|n| n.to_string())),
        ),
        ("lost packets", lost(&nic.drops)),
        ("carries", nic.carries.join(", ")),
        ("part of", nic.uppers.join(", ")),
        ("driver", or_dash(nic.driver.clone())),
        ("device", or_dash(Some(device.join(" ")))),
        ("PCI Express", nic.pcie.map_or_else(String::new, pcie)),
        ("VMA", vma.to_owned()),
        ("rings", words(&port.rings, rings)),
        ("channels", words(&port.channels, channels)),
        ("coalescing", words(&port.coalesce, coalesce)),
        ("offloads", words(&port.features, offloads)),
        ("flags", private_flags(&port.flags)),
        ("pause", words(&port.pause, |told| pause(*told))),
        ("pause frames", value(&port.pause_frames, pause_frames)),
        ("EEE", words(&port.eee, eee)),
        ("time stamps", words(&port.time_stamping, time_stamping)),
        ("stamping", value(&port.stamping, stamping)),
    ];
    // What a port does not have is left out where most ports do not have it.
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

/// The counters that are not zero. `--json` has all.
fn lost(drops: &BTreeMap<String, u64>) -> String {
    let some = drops.iter().filter(|(_, count)| **count > 0);
    let some: Vec<String> = some
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    match some.as_slice() {
        [] if drops.is_empty() => "-".to_owned(),
        [] => "none".to_owned(),
        some => some.join(", "),
    }
}

/// "8 GT/s x8 of 16 GT/s x16, slot 8 GT/s x8": at what the link runs, and the most of either end.
fn pcie(link: PcieLink) -> String {
    let end = |speed: Option<u32>, width: Option<u32>| {
        let speed = speed.map(|speed| format!("{} GT/s", f64::from(speed) / 1000.0));
        let width = width.map(|width| format!("x{width}"));
        let words: Vec<String> = speed.into_iter().chain(width).collect();
        (!words.is_empty()).then(|| words.join(" "))
    };
    let most = |end_of: PcieEnd| end(end_of.max_speed_mtps, end_of.max_width);
    let now = end(link.device.speed_mtps, link.device.width);
    let mut text = now.unwrap_or_else(|| "unknown".to_owned());
    if let Some(most) = most(link.device) {
        let _ = write!(text, " of {most}");
    }
    if let Some(slot) = link.bridge.and_then(most) {
        let _ = write!(text, ", slot {slot}");
    }
    text
}

/// Nothing where the driver has none.
fn private_flags(flags: &Told<PrivateFlags>) -> String {
    let list = |flags: &PrivateFlags| {
        let flags = flags.iter();
        flags
            .map(|(name, on)| format!("{name} {}", on_off(*on)))
            .collect()
    };
    match flags {
        Told::Unsupported => String::new(),
        Told::Value(flags) if flags.is_empty() => String::new(),
        flags => words(flags, list),
    }
}

fn or_dash(text: Option<String>) -> String {
    text.filter(|text| !text.is_empty())
        .unwrap_or_else(|| "-".to_owned())
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn words<T>(told: &Told<T>, value: impl Fn(&T) -> Vec<String>) -> String {
    match told {
        Told::Value(told) => or_dash(Some(value(told).join(", "))),
        Told::Unsupported => "not supported".to_owned(),
        Told::Unknown(why) => format!("unknown: {why}"),
    }
}

/// "rx 512 of 4096" for what the driver has.
fn of_most(parts: [(&str, Option<u32>, Option<u32>); 4]) -> Vec<String> {
    parts
        .into_iter()
        .filter_map(|(name, now, most)| {
            let now = now?;
            Some(match most {
                Some(most) => format!("{name} {now} of {most}"),
                None => format!("{name} {now}"),
            })
        })
        .collect()
}

fn rings(rings: &Rings) -> Vec<String> {
    of_most([
        ("rx", rings.rx, rings.rx_max),
        ("rx-mini", rings.rx_mini, rings.rx_mini_max),
        ("rx-jumbo", rings.rx_jumbo, rings.rx_jumbo_max),
        ("tx", rings.tx, rings.tx_max),
    ])
}

fn channels(channels: &Channels) -> Vec<String> {
    of_most([
        ("rx", channels.rx, channels.rx_max),
        ("tx", channels.tx, channels.tx_max),
        ("other", channels.other, channels.other_max),
        ("combined", channels.combined, channels.combined_max),
    ])
}

fn coalesce(told: &Coalesce) -> Vec<String> {
    let switch = |name: &str, on: Option<bool>| on.map(|on| format!("{name} {}", on_off(on)));
    let number = |name: &str, value: Option<u32>| value.map(|value| format!("{name} {value}"));
    [
        switch("adaptive-rx", told.adaptive_rx),
        switch("adaptive-tx", told.adaptive_tx),
        number("rx-usecs", told.rx_usecs),
        number("rx-frames", told.rx_frames),
        number("rx-usecs-irq", told.rx_usecs_irq),
        number("rx-frames-irq", told.rx_frames_irq),
        number("tx-usecs", told.tx_usecs),
        number("tx-frames", told.tx_frames),
        number("tx-usecs-irq", told.tx_usecs_irq),
        number("tx-frames-irq", told.tx_frames_irq),
        switch("cqe-mode-rx", told.cqe_mode_rx),
        switch("cqe-mode-tx", told.cqe_mode_tx),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Those that put packets together or take them apart, unless they are off for good. `--json` has all features.
fn offloads(features: &Features) -> Vec<String> {
    features
        .iter()
        .filter(|(name, feature)| {
            let ours = ["gro", "lro", "segmentation"]
                .iter()
                .any(|word| name.contains(word));
            ours && (feature.active || !feature.fixed)
        })
        .map(|(name, feature)| {
            let fixed = if feature.fixed { " [fixed]" } else { "" };
            let requested = if !feature.fixed && feature.active != feature.wanted {
                format!(" [requested {}]", on_off(feature.wanted))
            } else {
                String::new()
            };
            format!("{name} {}{fixed}{requested}", on_off(feature.active))
        })
        .collect()
}

fn pause(pause: Pause) -> Vec<String> {
    [
        ("autoneg", pause.autoneg),
        ("rx", pause.rx),
        ("tx", pause.tx),
    ]
    .into_iter()
    .filter_map(|(name, on)| Some(format!("{name} {}", on_off(on?))))
    .collect()
}

/// The value of what few ports have, else nothing.
fn value<T>(told: &Told<T>, words: impl Fn(&T) -> Vec<String>) -> String {
    told.value()
        .map_or_else(String::new, |told| words(told).join(", "))
}

/// Counts since the driver was loaded.
fn pause_frames(frames: &PauseFrames) -> Vec<String> {
    let count = |name: &str, count: Option<u64>| count.map(|count| format!("{name} {count}"));
    [count("received", frames.rx), count("sent", frames.tx)]
        .into_iter()
        .flatten()
        .collect()
}

/// What of the time stamps is turned on.
fn stamping(now: &StampingNow) -> Vec<String> {
    let on = |name: &str, word: &Option<String>| word.as_ref().map(|word| format!("{name} {word}"));
    [on("sent", &now.tx), on("received", &now.rx_filter)]
        .into_iter()
        .flatten()
        .collect()
}

fn eee(eee: &Eee) -> Vec<String> {
    let state = eee.enabled.map(|enabled| match eee.active {
        Some(true) if enabled => "on, active".to_owned(),
        Some(false) if enabled => "on, not active".to_owned(),
        _ => on_off(enabled).to_owned(),
    });
    let sleep = eee
        .tx_lpi
        .filter(|lpi| *lpi)
        .map(|_| match eee.tx_lpi_timer_us {
            Some(us) => format!("transmitter sleeps after {us} us"),
            None => "transmitter may sleep".to_owned(),
        });
    state.into_iter().chain(sleep).collect()
}

fn link_state(state: LinkState) -> Vec<String> {
    let word = state.up.map(|up| if up { "up" } else { "down" });
    word.into_iter().map(str::to_owned).collect()
}

fn link_modes(modes: &LinkModes) -> Vec<String> {
    let speed = modes
        .speed_mbps
        .map_or_else(|| "unknown".to_owned(), |speed| format!("{speed} Mbit/s"));
    let duplex = modes.full_duplex.map(|full| {
        let word = if full { "full" } else { "half" };
        format!("{word} duplex")
    });
    let autoneg = modes.autoneg.map(|on| format!("autoneg {}", on_off(on)));
    [Some(speed), duplex, autoneg]
        .into_iter()
        .flatten()
        .collect()
}

fn time_stamping(stamps: &TimeStamping) -> Vec<String> {
    let clock = stamps
        .phc_index
        .map(|index| format!("clock /dev/ptp{index}"));
    stamps.capabilities.iter().cloned().chain(clock).collect()
}

#[cfg(test)]
mod tests {
    use hftune_model::ethtool::Feature;
    use insta::assert_snapshot;

    use super::*;

    fn nic() -> Nic {
        Nic {
            name: "ens1f0".to_owned(),
            driver: Some("i40e".to_owned()),
            pci_address: Some("0000:3b:00.0".to_owned()),
            node: Some(1),
            speed_mbps: Some(25_000),
            state: Some("up".to_owned()),
            pcie: Some(PcieLink {
                device: PcieEnd {
                    speed_mtps: Some(2500),
                    width: Some(8),
                    max_speed_mtps: Some(16_000),
                    max_width: Some(16),
                },
                bridge: Some(PcieEnd {
                    max_speed_mtps: Some(8000),
                    max_width: Some(8),
                    ..PcieEnd::default()
                }),
            }),
            carrier_changes: Some(3),
            drops: [("rx_dropped", 12), ("rx_errors", 0), ("tx_dropped", 1)]
                .map(|(name, count)| (name.to_owned(), count))
                .into(),
            uppers: vec!["bond0".to_owned(), "bond0.7".to_owned()],
            carries: vec!["the default route".to_owned()],
            ..Nic::default()
        }
    }

    fn port() -> Port {
        let feature = |active, wanted, fixed| Feature {
            active,
            wanted,
            fixed,
        };
        let features = [
            ("rx-gro", feature(true, true, false)),
            ("rx-lro", feature(false, false, true)),
            ("tx-tcp-segmentation", feature(false, true, false)),
            ("tx-gre-segmentation", feature(true, true, true)),
            ("rx-checksum", feature(true, true, false)),
        ];
        Port {
            rings: Told::Value(Rings {
                rx: Some(512),
                rx_max: Some(4096),
                tx: Some(512),
                ..Rings::default()
            }),
            coalesce: Told::Value(Coalesce {
                adaptive_rx: Some(true),
                rx_usecs: Some(50),
                ..Coalesce::default()
            }),
            features: Told::Value(features.map(|(name, of)| (name.to_owned(), of)).into()),
            eee: Told::Unsupported,
            flags: Told::Value([("link-down-on-close".to_owned(), true)].into()),
            link_modes: Told::Value(LinkModes {
                speed_mbps: Some(25_000),
                autoneg: Some(false),
                ..LinkModes::default()
            }),
            ..Port::unknown("nobody knows")
        }
    }

    #[test]
    fn what_a_port_does_not_have_or_nobody_counts_is_not_shown_as_none() {
        let (nic, port) = (Nic::default(), Port::default());
        let facts = facts(&nic, &port);
        let value = |key: &str| {
            let found = facts.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(value("lost packets"), Some("-"));
        assert_eq!(value("link changes"), Some("-"));
        assert_eq!(value("flags"), Some("unknown: nobody asked"));
        for absent in ["carries", "part of", "PCI Express"] {
            assert_eq!(value(absent), None, "{absent}");
        }
        assert_eq!(lost(&[("rx_dropped".to_owned(), 0)].into()), "none");
        assert_eq!(private_flags(&Told::Unsupported), "");
        assert_eq!(pcie(PcieLink::default()), "unknown");
    }

    #[test]
    fn one_port() {
        let (nic, port) = (nic(), port());
        let ports = [OnePort {
            nic: &nic,
            ethtool: &port,
        }];
        let plain = |text: &str| anstream::adapter::strip_str(text).to_string();
        assert_snapshot!(plain(&show(&ports, 80)), @r"
        ens1f0
          state         up
          link          unknown: nobody knows
          speed         25000 Mbit/s, autoneg off
          link changes  3
          lost packets  rx_dropped 12, tx_dropped 1
          carries       the default route
          part of       bond0, bond0.7
          driver        i40e
          device        0000:3b:00.0 on node 1
          PCI Express   2.5 GT/s x8 of 16 GT/s x16, slot 8 GT/s x8
          VMA           no, kernel stack only
          rings         rx 512 of 4096, tx 512
          channels      unknown: nobody knows
          coalescing    adaptive-rx on, rx-usecs 50
          offloads      rx-gro on, tx-gre-segmentation on [fixed], tx-tcp-segmentation
                        off [requested on]
          flags         link-down-on-close on
          pause         unknown: nobody knows
          EEE           not supported
          time stamps   unknown: nobody knows
        ");
        assert_snapshot!(plain(&list(&ports, 100)), @r"
        PORT    STATE  MBIT/S  NODE  DRIVER  PCI           VMA  RINGS
        ens1f0  up     25000   1     i40e    0000:3b:00.0  no   rx 512 of 4096, tx 512
        ");
        let one: serde_json::Value = serde_json::from_str(&json(&ports)).expect("JSON");
        assert_eq!(one["schema"], "hftune/nic/1");
        let told = &one["ports"][0]["ethtool"];
        assert_eq!(told["rings"]["value"]["rx_max"], 4096);
        assert_eq!(told["eee"], "unsupported");
        assert_eq!(told["pause"]["unknown"], "nobody knows");
        assert_eq!(one["ports"][0]["drops"]["rx_errors"], 0);
        assert_eq!(one["ports"][0]["pcie"]["bridge"]["max_width"], 8);
        assert_eq!(one["ports"][0]["carries"][0], "the default route");
        assert!(list(&[], 80).starts_with("no network port"));
    }
}
