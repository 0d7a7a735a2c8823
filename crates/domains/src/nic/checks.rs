//! What is looked at of a tuned port and is nobody's to set: the link, the slot, the node, the interrupts, lost packets.
//!
//! Each is a setting without artifacts, so that verify and nic tune tell it, and no plan changes it.

use hftune_model::ethtool::{LinkModes, Port, Told};
use hftune_model::finding::{Proof, Proofs};
use hftune_model::host::{Irq, Nic as Device, PcieEnd};
use hftune_model::setting::{Setting, When};
use hftune_sys::Reader;

use super::docs;
use crate::{Context, irq};

/// One thing to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    Link,
    Pcie,
    Node,
    Irqs,
    Drops,
    TimeStamps,
    Stack,
}

impl Check {
    const ALL: [Self; 7] = [
        Self::Link,
        Self::Pcie,
        Self::Node,
        Self::Irqs,
        Self::Drops,
        Self::TimeStamps,
        Self::Stack,
    ];

    /// The last part of its id.
    fn word(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Pcie => "pcie",
            Self::Node => "node",
            Self::Irqs => "irqs",
            Self::Drops => "drops",
            Self::TimeStamps => "time-stamps",
            Self::Stack => "stack",
        }
    }
}

/// The check of an id's last part.
pub(super) fn of(word: &str) -> Option<Check> {
    Check::ALL.into_iter().find(|check| check.word() == word)
}

/// The checks of one port.
pub(super) fn settings(device: &Device, cx: &Context<'_>) -> Vec<Setting> {
    let moves = cx.profile.irq.housekeeping && !cx.cpus.isolated.is_empty();
    Check::ALL
        .into_iter()
        .filter(|check| *check != Check::Irqs || moves)
        .map(|check| Setting {
            id: super::id(&device.name, check.word()),
            desired: match check {
                Check::Link => "up, full duplex, the best speed".to_owned(),
                Check::Pcie => "what the card can do".to_owned(),
                Check::Node => "an isolated CPU".to_owned(),
                Check::Irqs => format!("all on {}", cx.cpus.housekeeping),
                Check::Drops => "no more of them".to_owned(),
                Check::TimeStamps | Check::Stack => "any".to_owned(),
            },
            when: When::Now,
            doc: docs::check(check.word()),
            note: None,
            artifacts: Vec::new(),
        })
        .collect()
}

/// The proofs of a check.
pub(super) fn prove(
    check: Check,
    device: &Device,
    cx: &Context<'_>,
    reader: &Reader<'_>,
) -> Proofs {
    let unknown = Port::unknown("the kernel was not asked");
    let port = cx.host.ports.get(&device.name).unwrap_or(&unknown);
    match check {
        Check::Link => link(device, port),
        Check::Pcie => same(pcie(device), "seat the card anew, or use another slot"),
        Check::Node => same(
            node(device, cx),
            &format!("add {} to cpus.nics in the profile", device.name),
        ),
        Check::Irqs => interrupts(device, cx, reader),
        Check::Drops => same(drops(device), "hftune explain nic/IF/drops"),
        Check::TimeStamps => time_stamps(port),
        Check::Stack => same(stack(device), ""),
    }
}

/// What is so is not saved anywhere.
fn nothing_saved() -> Proof {
    Proof::None("it is looked at, not set".to_owned())
}

/// The proofs of what one look tells, and what to do where it is not as it should be.
fn same(now: Proof, fix: &str) -> Proofs {
    let fix = matches!(now, Proof::Differs(_) | Proof::Rounded(..)).then(|| fix.to_owned());
    Proofs {
        saved: nothing_saved(),
        live: now.clone(),
        effect: now,
        fix,
    }
}

fn link(device: &Device, port: &Port) -> Proofs {
    let told = match &port.link_state {
        Told::Value(state) => state.up,
        Told::Unsupported | Told::Unknown(_) => None,
    };
    // Of a driver that does not tell, the kernel's own state says it.
    let state = device.state.as_deref();
    let up = told.or(match state {
        Some("up") => Some(true),
        Some("down" | "lowerlayerdown" | "notpresent") => Some(false),
        _ => None,
    });
    match up {
        None => same(
            Proof::Unknown(format!("nobody tells whether {} has a link", device.name)),
            "",
        ),
        Some(false) => same(
            Proof::Differs("down".to_owned()),
            "bring the port up; then look at the cable, the transceiver and the switch",
        ),
        Some(true) => {
            let effect = negotiated(&port.link_modes);
            let fix = matches!(effect, Proof::Differs(_)).then(|| {
                "look at the cable, the transceiver and the settings of the switch port".to_owned()
            });
            Proofs {
                saved: nothing_saved(),
                live: Proof::Holds("up".to_owned()),
                effect,
                fix,
            }
        }
    }
}

/// What both ends came to, against the best that both offer.
fn negotiated(modes: &Told<LinkModes>) -> Proof {
    let modes = match modes {
        Told::Value(modes) => modes,
        Told::Unsupported => return Proof::None("the driver tells no speed".to_owned()),
        Told::Unknown(why) => return Proof::Unknown(why.clone()),
    };
    let Some(speed) = modes.speed_mbps else {
        return match modes.full_duplex {
            Some(false) => Proof::Differs("half duplex".to_owned()),
            _ => Proof::None("the driver tells no speed".to_owned()),
        };
    };
    let duplex = match modes.full_duplex {
        Some(true) => ", full duplex",
        Some(false) => ", half duplex",
        None => "",
    };
    let now = format!("{speed} Mbit/s{duplex}");
    if modes.full_duplex == Some(false) {
        return Proof::Differs(now);
    }
    match best_of_both(modes) {
        Some(best) if best > speed => {
            Proof::Differs(format!("{now}; both ends offer {best} Mbit/s"))
        }
        _ => Proof::Holds(now),
    }
}

/// The highest speed in Mbit/s that both ends offer; `None` where one of them does not tell.
fn best_of_both(modes: &LinkModes) -> Option<u32> {
    let offered = modes.advertised.iter();
    offered
        .filter(|mode| modes.peer.contains(mode))
        .filter_map(|mode| speed_of(mode))
        .max()
}

/// 25000 of `25000baseCR/Full` (`link_mode_names`, net/ethtool/common.c).
fn speed_of(mode: &str) -> Option<u32> {
    let (speed, _) = mode.split_once("base")?;
    speed.parse().ok()
}

fn pcie(device: &Device) -> Proof {
    let Some(link) = device.pcie else {
        return Proof::NotApplicable("the port tells of no PCI Express link".to_owned());
    };
    let card = link.device;
    let (Some(speed), Some(width)) = (card.speed_mtps, card.width) else {
        return Proof::Unknown("the device does not tell at what its link runs".to_owned());
    };
    let (Some(most_speed), Some(most_width)) = (card.max_speed_mtps, card.max_width) else {
        return Proof::Unknown("the device does not tell what it is capable of".to_owned());
    };
    let now = shown(speed, width);
    let most = shown(most_speed, most_width);
    if speed >= most_speed && width >= most_width {
        return Proof::Holds(now);
    }
    let Some(PcieEnd {
        max_speed_mtps: Some(slot_speed),
        max_width: Some(slot_width),
        ..
    }) = link.bridge
    else {
        return Proof::Differs(format!(
            "{now}, although the card can do {most}; whether the slot can is not told"
        ));
    };
    let slot = shown(slot_speed, slot_width);
    if speed >= most_speed.min(slot_speed) && width >= most_width.min(slot_width) {
        let why = format!("the slot can do {slot} at most, and the card {most}");
        return Proof::Rounded(now, why);
    }
    Proof::Differs(format!(
        "{now}, although the card can do {most} and the slot {slot}"
    ))
}

/// "8 GT/s x16" or "2.5 GT/s x1".
fn shown(speed_mtps: u32, width: u32) -> String {
    format!("{} GT/s x{width}", f64::from(speed_mtps) / 1000.0)
}

fn node(device: &Device, cx: &Context<'_>) -> Proof {
    let isolated = &cx.cpus.isolated;
    if isolated.is_empty() {
        return Proof::NotApplicable("no CPU is isolated".to_owned());
    }
    let Some(id) = device.node else {
        return match cx.host.nodes.as_slice() {
            [only] => Proof::Holds(format!("node {}, the only one", only.id)),
            // Nothing can be read, and nothing is wrong.
            _ => Proof::NotApplicable(
                "the firmware does not tell on which node the port is".to_owned(),
            ),
        };
    };
    if let Some(why) = &cx.host.nodes_make_no_sense {
        return Proof::Unknown(why.clone());
    }
    let Some(node) = cx.host.nodes.iter().find(|node| node.id == id) else {
        return Proof::Unknown(format!("nobody tells the CPUs of node {id}"));
    };
    let near = node.cpus.intersection(isolated);
    if near.is_empty() {
        Proof::Differs(format!("no isolated CPU on node {id}"))
    } else {
        Proof::Holds(format!("{near} on node {id}"))
    }
}

/// The interrupts of the port's device that somebody can move, judged as the settings of the single ones are.
fn interrupts(device: &Device, cx: &Context<'_>, reader: &Reader<'_>) -> Proofs {
    let saved = irq::service(cx).saved(cx, reader);
    let alone = |proof: Proof| Proofs {
        saved: saved.clone(),
        live: proof.clone(),
        effect: proof,
        fix: None,
    };
    let Some(address) = device.pci_address.as_deref() else {
        let why = "the port is no PCI device, whose interrupts could be told";
        return alone(Proof::NotApplicable(why.to_owned()));
    };
    let all = &cx.host.irqs.list;
    if all.is_empty() {
        return alone(Proof::Unknown("no interrupt can be read".to_owned()));
    }
    let lines: Vec<&Irq> = all
        .iter()
        .filter(|line| line.device.as_deref() == Some(address) && irq::is_movable(line))
        .collect();
    if lines.is_empty() {
        let why = "the device has no interrupt that can be moved; many drivers ask for them when the port is brought up";
        return alone(Proof::NotApplicable(why.to_owned()));
    }
    let mut fixes = Vec::new();
    let (live, effect): (Vec<_>, Vec<_>) = lines
        .into_iter()
        .map(|line| {
            let (live, effect, fix) = irq::judged(line, cx);
            fixes.extend(fix);
            ((line.number, live), (line.number, effect))
        })
        .unzip();
    Proofs {
        saved,
        live: sum(&live, cx),
        effect: sum(&effect, cx),
        fix: fixes.into_iter().next(),
    }
}

/// What the proofs of several interrupts come to: the gravest of them.
fn sum(proofs: &[(u32, Proof)], cx: &Context<'_>) -> Proof {
    let housekeeping = &cx.cpus.housekeeping;
    // Those that are not in use, or have not fired since boot, are nowhere.
    let counted = proofs
        .iter()
        .filter(|(_, proof)| !matches!(proof, Proof::None(_)));
    let holding = proofs
        .iter()
        .filter(|(_, proof)| matches!(proof, Proof::Holds(_)));
    let on = format!(
        "{} of {} on {housekeeping}",
        holding.count(),
        counted.count()
    );
    let strays: Vec<String> = proofs
        .iter()
        .filter_map(|(number, proof)| match proof {
            Proof::Differs(value) => Some(format!("{number} on {value}")),
            _ => None,
        })
        .collect();
    for (_, proof) in proofs {
        if let Proof::Unknown(why) = proof {
            return Proof::Unknown(why.clone());
        }
    }
    if !strays.is_empty() {
        return Proof::Differs(format!("{on}: {}", strays.join(", ")));
    }
    for (number, proof) in proofs {
        if let Proof::Pending(_, why) = proof {
            return Proof::Pending(on, format!("{number}: {why}"));
        }
    }
    match proofs {
        [(_, Proof::None(why)), ..] if proofs.iter().all(|(_, p)| matches!(p, Proof::None(_))) => {
            Proof::None(why.clone())
        }
        _ => Proof::Holds(on),
    }
}

fn drops(device: &Device) -> Proof {
    if device.drops.is_empty() {
        return Proof::Unknown("no counter of lost packets can be read".to_owned());
    }
    let lost = |(name, count): (&String, &u64)| (*count > 0).then(|| format!("{name} {count}"));
    let counts: Vec<String> = device.drops.iter().filter_map(lost).collect();
    if counts.is_empty() {
        return Proof::Holds("none".to_owned());
    }
    let counts = counts.join(", ");
    let Some(since) = &device.drops_since else {
        return Proof::Unknown(format!(
            "{counts}; whether more are lost is seen on the running machine only"
        ));
    };
    if let Some(gone) = device.drops.keys().find(|name| !since.contains_key(*name)) {
        return Proof::Unknown(format!("{counts}; {gone} cannot be read again"));
    }
    let grew = |(name, by): (&String, &u64)| (*by > 0).then(|| format!("{name} by {by}"));
    let growing: Vec<String> = since.iter().filter_map(grew).collect();
    if growing.is_empty() {
        Proof::Holds(format!("{counts}; none while hftune looked"))
    } else {
        Proof::Differs(format!(
            "{counts}; grew while hftune looked: {}",
            growing.join(", ")
        ))
    }
}

fn time_stamps(port: &Port) -> Proofs {
    let told = match &port.time_stamping {
        Told::Value(told) => told,
        Told::Unsupported => {
            let why = "the port takes no time stamps".to_owned();
            return same(Proof::NotApplicable(why), "");
        }
        Told::Unknown(why) => return same(Proof::Unknown(why.clone()), ""),
    };
    let clock = told.phc_index.map(|index| format!("clock /dev/ptp{index}"));
    let words: Vec<String> = told.capabilities.iter().cloned().chain(clock).collect();
    if words.is_empty() {
        let why = "the port takes no time stamps".to_owned();
        return same(Proof::NotApplicable(why), "");
    }
    Proofs {
        saved: nothing_saved(),
        live: Proof::Holds(words.join(", ")),
        effect: stamping(port),
        fix: None,
    }
}

/// What of it an application has turned on (SIOCGHWTSTAMP): information, since only an application can.
fn stamping(port: &Port) -> Proof {
    let on = match &port.stamping {
        Told::Value(on) => on,
        Told::Unsupported => {
            return Proof::None("the driver does not tell what is turned on".to_owned());
        }
        Told::Unknown(why) => return Proof::None(why.clone()),
    };
    let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "off".to_owned());
    Proof::Holds(format!(
        "turned on: sent packets {}, received packets {}",
        word(&on.tx),
        word(&on.rx_filter)
    ))
}

fn stack(device: &Device) -> Proof {
    let Some(driver) = &device.driver else {
        return Proof::Unknown("the driver of the port is not known".to_owned());
    };
    Proof::Holds(if device.vma_capable {
        format!("{driver}, which libvma can drive")
    } else {
        format!("{driver}, the kernel's stack only")
    })
}

#[cfg(test)]
mod tests;
