//! The report of `nic`: what network ports are and what they are set to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hftune_model::ethtool::{
    Channels, Coalesce, Eee, Features, LinkModes, LinkState, Pause, Port, Rings, TimeStamping, Told,
};
use hftune_model::host::Nic;
use owo_colors::OwoColorize as _;
use serde::Serialize;

use crate::table::Table;

/// A port: where it is, and what it is set to.
#[derive(Debug, Serialize)]
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

/// One JSON object: the ports with everything that is known of them.
pub fn json(ports: &[OnePort<'_>]) -> String {
    #[derive(Serialize)]
    struct Report<'p> {
        schema: &'static str,
        ports: &'p [OnePort<'p>],
    }
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
    vec![
        ("state", or_dash(nic.state.clone())),
        ("link", words(&port.link_state, |state| link_state(*state))),
        ("speed", words(&port.link_modes, link_modes)),
        ("driver", or_dash(nic.driver.clone())),
        ("device", or_dash(Some(device.join(" ")))),
        ("VMA", vma.to_owned()),
        ("rings", words(&port.rings, rings)),
        ("channels", words(&port.channels, channels)),
        ("coalescing", words(&port.coalesce, coalesce)),
        ("offloads", words(&port.features, offloads)),
        ("pause", words(&port.pause, |told| pause(*told))),
        ("EEE", words(&port.eee, eee)),
        ("time stamps", words(&port.time_stamping, time_stamping)),
    ]
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
            link_modes: Told::Value(LinkModes {
                speed_mbps: Some(25_000),
                autoneg: Some(false),
                ..LinkModes::default()
            }),
            ..Port::unknown("nobody knows")
        }
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
          state        up
          link         unknown: nobody knows
          speed        25000 Mbit/s, autoneg off
          driver       i40e
          device       0000:3b:00.0 on node 1
          VMA          no, kernel stack only
          rings        rx 512 of 4096, tx 512
          channels     unknown: nobody knows
          coalescing   adaptive-rx on, rx-usecs 50
          offloads     rx-gro on, tx-gre-segmentation on [fixed], tx-tcp-segmentation
                       off [requested on]
          pause        unknown: nobody knows
          EEE          not supported
          time stamps  unknown: nobody knows
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
        assert!(list(&[], 80).starts_with("no network port"));
    }
}
