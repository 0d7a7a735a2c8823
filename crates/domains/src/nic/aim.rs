//! What a wanted value comes to on one port: what its driver can do is asked first.

use std::collections::BTreeMap;

use hftune_model::ethtool::{
    Channels, Coalesce, Eee, FeatureChange, FlagChange, Pause, Port, Rings, Told,
};
use hftune_model::finding::Verdict;
use hftune_model::host::Nic as Device;
use hftune_model::knob::{Knob, NumberKnob, SwitchKnob};
use hftune_model::port_change::PortChange;
use hftune_model::profile::nic::Wanted;

use super::drivers::{self, Driver};
use super::features;

/// What a knob of a port is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Aim {
    /// The value.
    pub goal: Goal,
    /// Why it is not the one that was asked for.
    pub rounded: Option<String>,
    /// What else the operator should know of it.
    pub note: Option<String>,
    /// Who else sets it, to the same value.
    pub owner: Option<String>,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Goal {
    /// A number.
    Number(u32),
    /// On or off.
    Switch(bool),
    /// Features, on or off, and whether each can be changed.
    Features(BTreeMap<String, bool>, bool),
}

impl Aim {
    fn new(goal: Goal) -> Self {
        Self {
            goal,
            rounded: None,
            note: None,
            owner: None,
        }
    }

    /// As a person reads it.
    pub fn shown(&self) -> String {
        match &self.goal {
            Goal::Number(number) => number.to_string(),
            Goal::Switch(on) | Goal::Features(_, on) => on_off(*on).to_owned(),
        }
    }

    /// Whether the port has it already.
    fn reached(&self, knob: &Knob, port: &Port) -> bool {
        match (&self.goal, knob) {
            (Goal::Number(goal), Knob::Number(knob)) => number_of(*knob, port) == Some(*goal),
            (Goal::Switch(goal), knob) => switch_of(knob, port) == Some(*goal),
            (Goal::Features(members, on), _) => port.features.value().is_some_and(|listed| {
                let changeable = members.iter().filter(|(_, changeable)| **changeable);
                changeable
                    .filter_map(|(name, _)| listed.get(name))
                    .all(|feature| feature.active == *on)
            }),
            _ => false,
        }
    }

    /// Whether hftune is to write it.
    pub fn is_ours(&self) -> bool {
        self.owner.is_none()
    }
}

pub(super) fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// Why a value is not set.
type Refusal = (Verdict, String);

/// What the knob is to be on this port.
pub(super) fn of(
    knob: &Knob,
    wanted: Wanted,
    device: &Device,
    port: &Port,
) -> Result<Aim, Refusal> {
    let mut aim = match (knob, wanted) {
        (Knob::Number(knob), wanted) => number(*knob, wanted, device, port),
        (Knob::Switch(knob), Wanted::Switch(on)) => switch(*knob, on, device, port),
        (Knob::Feature(word), Wanted::Switch(on)) => feature(word, on, port),
        (Knob::Flag(name), Wanted::Switch(on)) => flag(name, on, device, port),
        // The profile's reader refuses it.
        (knob, wanted) => Err((Verdict::NotApplicable, format!("{knob} cannot be {wanted}"))),
    }?;
    // Who sees a change planned is told what else it does.
    if !aim.reached(knob, port) {
        let about = known(device).about_change(knob);
        let notes: Vec<String> = aim.note.into_iter().chain(about).collect();
        aim.note = (!notes.is_empty()).then(|| notes.join("; "));
    }
    Ok(aim)
}

fn not_applicable<T>(reason: String) -> Result<T, Refusal> {
    Err((Verdict::NotApplicable, reason))
}

/// What the driver told of a group, or the reason why a knob of that group is not set.
fn told<'p, T>(told: &'p Told<T>, what: &str, device: &Device) -> Result<&'p T, Refusal> {
    match told {
        Told::Value(value) => Ok(value),
        Told::Unsupported => not_applicable(format!("{} has no {what} to set", driver(device))),
        Told::Unknown(why) => Err((Verdict::Unknown, why.clone())),
    }
}

/// What is known of the driver that it does not tell.
fn known(device: &Device) -> &'static Driver {
    drivers::of(device.driver.as_deref())
}

/// A reason, and what is special about the driver's coalescing.
fn with_coalescing(reason: String, device: &Device) -> String {
    match known(device).about_coalescing() {
        Some(about) => format!("{reason}; {about}"),
        None => reason,
    }
}

fn driver(device: &Device) -> &str {
    device.driver.as_deref().unwrap_or("the driver")
}

fn number(knob: NumberKnob, wanted: Wanted, device: &Device, port: &Port) -> Result<Aim, Refusal> {
    use NumberKnob as N;
    let word = knob.word();
    match knob {
        N::RingRx | N::RingTx | N::ChannelsRx | N::ChannelsTx | N::ChannelsCombined => {
            let (now, most) = match knob {
                N::RingRx | N::RingTx => {
                    let rings = told(&port.rings, "rings", device)?;
                    if knob == N::RingRx {
                        (rings.rx, rings.rx_max)
                    } else {
                        (rings.tx, rings.tx_max)
                    }
                }
                _ => {
                    let channels = told(&port.channels, "channels", device)?;
                    if !known(device).sets_channels() {
                        return not_applicable(format!("{} has no {word} to set", driver(device)));
                    }
                    match knob {
                        N::ChannelsRx => (channels.rx, channels.rx_max),
                        N::ChannelsTx => (channels.tx, channels.tx_max),
                        _ => (channels.combined, channels.combined_max),
                    }
                }
            };
            if now.is_none() || most == Some(0) {
                return not_applicable(format!("{} has no {word} to set", driver(device)));
            }
            at_most(knob, wanted, most, device)
        }
        _ => coalesce(knob, wanted, device, port),
    }
}

/// A number of coalescing.
fn coalesce(
    knob: NumberKnob,
    wanted: Wanted,
    device: &Device,
    port: &Port,
) -> Result<Aim, Refusal> {
    let word = knob.word();
    let coalesce = told(&port.coalesce, "coalescing", device)?;
    let taken = |_: &u32| known(device).takes(word, coalesce);
    let Some(now) = coalescing(coalesce, knob).filter(taken) else {
        let reason = format!("{} takes no {word}", driver(device));
        return not_applicable(with_coalescing(reason, device));
    };
    let Wanted::Number(number) = wanted else {
        return not_applicable(format!("{word} has no maximum"));
    };
    let known = known(device);
    if knob == NumberKnob::TxUsecs && known.ties_tx(coalesce, port.channels.value()) {
        return not_applicable(format!(
            "queues of {} share their interrupts here, so that coalesce-rx-usecs counts for both",
            driver(device)
        ));
    }
    let got = known.coalesced(knob, number);
    if known.refuses(knob, got) {
        let reason = format!("{} refuses {word} {number}", driver(device));
        return not_applicable(with_coalescing(reason, device));
    }
    let note = if known.adapts_by(knob, number) {
        Some(format!(
            "{number} is no time: by it, the driver adapts to the traffic"
        ))
    } else {
        (now != got).then(|| known.about_coalescing()).flatten()
    };
    let rounded = (got != number).then(|| {
        format!(
            "asked for {number}, got {got}: {} rounds it",
            driver(device)
        )
    });
    Ok(Aim {
        rounded,
        note,
        ..Aim::new(Goal::Number(got))
    })
}

/// The nearest to a wanted number that the port can hold, and why it is another.
fn at_most(
    knob: NumberKnob,
    wanted: Wanted,
    most: Option<u32>,
    device: &Device,
) -> Result<Aim, Refusal> {
    let asked = match (wanted, most) {
        (Wanted::Number(number), _) => number,
        (_, Some(most)) => most,
        (_, None) => {
            let what = format!("{} does not tell the most that it can do", driver(device));
            return Err((Verdict::Unknown, what));
        }
    };
    let limit = most.unwrap_or(u32::MAX);
    let sizes = known(device).ring(knob);
    let got = sizes.map_or(asked.min(limit), |sizes| sizes.round(asked, limit));
    let rounded = (got != asked).then(|| match sizes {
        Some(sizes) if asked <= limit => {
            let why = sizes.why(asked);
            format!("asked for {asked}, got {got}: {} has {why}", driver(device))
        }
        _ => format!("asked for {asked}, got {got}: the port has at most {limit}"),
    });
    Ok(Aim {
        rounded,
        ..Aim::new(Goal::Number(got))
    })
}

fn switch(knob: SwitchKnob, on: bool, device: &Device, port: &Port) -> Result<Aim, Refusal> {
    use SwitchKnob as S;
    let now = match knob {
        S::AdaptiveRx | S::AdaptiveTx => {
            let coalesce = told(&port.coalesce, "coalescing", device)?;
            let now = if knob == S::AdaptiveRx {
                coalesce.adaptive_rx
            } else {
                coalesce.adaptive_tx
            };
            now.filter(|_| known(device).takes(knob.word(), coalesce))
        }
        S::PauseAutoneg | S::PauseRx | S::PauseTx => {
            let pause = told(&port.pause, "pause frames", device)?;
            match knob {
                S::PauseAutoneg => pause.autoneg,
                S::PauseRx => pause.rx,
                _ => pause.tx,
            }
        }
        S::Eee => told(&port.eee, "energy-efficient Ethernet", device)?.enabled,
    };
    let adaptive = matches!(knob, S::AdaptiveRx | S::AdaptiveTx);
    let Some(now) = now else {
        return not_applicable(if adaptive {
            let reason = format!("{} adapts no coalescing to the traffic", driver(device));
            with_coalescing(reason, device)
        } else {
            format!("{} does not tell it", driver(device))
        });
    };
    if knob == S::PauseAutoneg && now != on && !known(device).negotiates_pause() {
        return not_applicable(format!(
            "{} does not turn the negotiation of pause frames {} by itself",
            driver(device),
            on_off(on)
        ));
    }
    Ok(Aim {
        note: (adaptive && now != on)
            .then(|| known(device).about_coalescing())
            .flatten(),
        ..Aim::new(Goal::Switch(on))
    })
}

fn feature(word: &str, on: bool, port: &Port) -> Result<Aim, Refusal> {
    let listed = match &port.features {
        Told::Value(listed) => listed,
        Told::Unsupported => return not_applicable("the kernel lists no features".to_owned()),
        Told::Unknown(why) => return Err((Verdict::Unknown, why.clone())),
    };
    let members: Vec<(&String, bool)> = features::switched(word, on)
        .iter()
        .filter_map(|name| listed.get_key_value(*name))
        .map(|(name, feature)| (name, !feature.fixed))
        .collect();
    if members.is_empty() {
        return not_applicable(format!("this kernel lists no feature {word}"));
    }
    // Turning on a word of several is for those that the driver can do.
    let stuck = |name: &String| listed[name].active != on;
    let fixed: Vec<&str> = members
        .iter()
        .filter(|(name, changeable)| !changeable && stuck(name))
        .map(|(name, _)| name.as_str())
        .collect();
    if members.iter().all(|(_, changeable)| !changeable) && !fixed.is_empty() {
        return not_applicable(format!(
            "the driver has it {} for good ([fixed])",
            on_off(!on)
        ));
    }
    let note = (!on && !fixed.is_empty())
        .then(|| format!("{} cannot be turned off ([fixed])", fixed.join(", ")));
    let goal = members
        .into_iter()
        .map(|(name, changeable)| (name.clone(), changeable))
        .collect();
    Ok(Aim {
        note,
        ..Aim::new(Goal::Features(goal, on))
    })
}

fn flag(name: &str, on: bool, device: &Device, port: &Port) -> Result<Aim, Refusal> {
    let flags = told(&port.flags, "private flags", device)?;
    let known = known(device);
    if !flags.contains_key(name) {
        let names: Vec<&str> = flags.keys().map(String::as_str).collect();
        let worth = known.flags_worth().iter();
        let worth = worth
            .filter(|flag| flags.contains_key(flag.name))
            .map(|flag| format!("; worth a try: {} {}", flag.name, on_off(flag.on)));
        return not_applicable(format!(
            "{} has no private flag {name}; it has {}{}",
            driver(device),
            names.join(", "),
            worth.collect::<String>()
        ));
    }
    Ok(Aim {
        note: known.flag(name).map(|flag| {
            if flag.on == on {
                flag.why.to_owned()
            } else {
                format!("{} is quicker: {}", on_off(flag.on), flag.why)
            }
        }),
        ..Aim::new(Goal::Switch(on))
    })
}

/// One number of coalescing.
fn coalescing(coalesce: &Coalesce, knob: NumberKnob) -> Option<u32> {
    let mut coalesce = *coalesce;
    *coalescing_mut(&mut coalesce, knob)?
}

fn coalescing_mut(coalesce: &mut Coalesce, knob: NumberKnob) -> Option<&mut Option<u32>> {
    use NumberKnob as N;
    Some(match knob {
        N::RxUsecs => &mut coalesce.rx_usecs,
        N::RxFrames => &mut coalesce.rx_frames,
        N::RxUsecsIrq => &mut coalesce.rx_usecs_irq,
        N::RxFramesIrq => &mut coalesce.rx_frames_irq,
        N::TxUsecs => &mut coalesce.tx_usecs,
        N::TxFrames => &mut coalesce.tx_frames,
        N::TxUsecsIrq => &mut coalesce.tx_usecs_irq,
        N::TxFramesIrq => &mut coalesce.tx_frames_irq,
        N::RingRx | N::RingTx | N::ChannelsRx | N::ChannelsTx | N::ChannelsCombined => return None,
    })
}

/// The number that the port holds.
pub(super) fn number_of(knob: NumberKnob, port: &Port) -> Option<u32> {
    use NumberKnob as N;
    match knob {
        N::RingRx => port.rings.value()?.rx,
        N::RingTx => port.rings.value()?.tx,
        N::ChannelsRx => port.channels.value()?.rx,
        N::ChannelsTx => port.channels.value()?.tx,
        N::ChannelsCombined => port.channels.value()?.combined,
        knob => coalescing(port.coalesce.value()?, knob),
    }
}

/// Whether the port has it on.
pub(super) fn switch_of(knob: &Knob, port: &Port) -> Option<bool> {
    use SwitchKnob as S;
    match knob {
        Knob::Switch(S::AdaptiveRx) => port.coalesce.value()?.adaptive_rx,
        Knob::Switch(S::AdaptiveTx) => port.coalesce.value()?.adaptive_tx,
        Knob::Switch(S::PauseAutoneg) => port.pause.value()?.autoneg,
        Knob::Switch(S::PauseRx) => port.pause.value()?.rx,
        Knob::Switch(S::PauseTx) => port.pause.value()?.tx,
        Knob::Switch(S::Eee) => port.eee.value()?.enabled,
        Knob::Flag(name) => port.flags.value()?.get(name).copied(),
        Knob::Number(_) | Knob::Feature(_) => None,
    }
}

/// The requests that bring a port to all its aims.
#[derive(Debug, Default)]
pub(super) struct Changes {
    channels: Channels,
    rings: Rings,
    flags: FlagChange,
    features: FeatureChange,
    pause: Pause,
    eee: Eee,
    adaptive: Coalesce,
    coalesce: Coalesce,
}

impl Changes {
    /// Puts the aims that are ours to write together, kind by kind: one request a kind, so that a link goes down once.
    pub fn of<'a>(aims: impl Iterator<Item = (&'a Knob, &'a Aim)>) -> Self {
        let mut changes = Self::default();
        for (knob, aim) in aims.filter(|(_, aim)| aim.is_ours()) {
            changes.put(knob, &aim.goal);
        }
        changes
    }

    fn put(&mut self, knob: &Knob, goal: &Goal) {
        use NumberKnob as N;
        use SwitchKnob as S;
        match (knob, goal) {
            (Knob::Number(knob), Goal::Number(number)) => {
                let field = match knob {
                    N::RingRx => &mut self.rings.rx,
                    N::RingTx => &mut self.rings.tx,
                    N::ChannelsRx => &mut self.channels.rx,
                    N::ChannelsTx => &mut self.channels.tx,
                    N::ChannelsCombined => &mut self.channels.combined,
                    knob => coalescing_mut(&mut self.coalesce, *knob)
                        .expect("what is neither rings nor channels is coalescing"),
                };
                *field = Some(*number);
            }
            (Knob::Switch(knob), Goal::Switch(on)) => {
                let field = match knob {
                    S::AdaptiveRx => &mut self.adaptive.adaptive_rx,
                    S::AdaptiveTx => &mut self.adaptive.adaptive_tx,
                    S::PauseAutoneg => &mut self.pause.autoneg,
                    S::PauseRx => &mut self.pause.rx,
                    S::PauseTx => &mut self.pause.tx,
                    S::Eee => &mut self.eee.enabled,
                };
                *field = Some(*on);
            }
            (Knob::Feature(_), Goal::Features(members, on)) => {
                let changeable = members.iter().filter(|(_, changeable)| **changeable);
                self.features
                    .0
                    .extend(changeable.map(|(name, _)| (name.clone(), *on)));
            }
            (Knob::Flag(name), Goal::Switch(on)) => {
                self.flags.0.insert(name.clone(), *on);
            }
            _ => {}
        }
    }

    /// The request that a knob is part of; `None` where it has nothing to change.
    pub fn with(&self, knob: &Knob) -> Option<PortChange> {
        use NumberKnob as N;
        use SwitchKnob as S;
        let change = match knob {
            Knob::Number(N::RingRx | N::RingTx) => PortChange::Rings(self.rings),
            Knob::Number(N::ChannelsRx | N::ChannelsTx | N::ChannelsCombined) => {
                PortChange::Channels(self.channels)
            }
            Knob::Number(_) => PortChange::Coalesce(self.coalesce),
            Knob::Switch(S::AdaptiveRx | S::AdaptiveTx) => PortChange::Adaptive(self.adaptive),
            Knob::Switch(S::PauseAutoneg | S::PauseRx | S::PauseTx) => {
                PortChange::Pause(self.pause)
            }
            Knob::Switch(S::Eee) => PortChange::Eee(self.eee),
            Knob::Feature(_) => PortChange::Features(self.features.clone()),
            Knob::Flag(_) => PortChange::Flags(self.flags.clone()),
        };
        (!change.is_empty()).then_some(change)
    }
}
