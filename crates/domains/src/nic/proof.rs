//! The proofs of what a port is set to: saved by its unit, live as asked for, in effect as the driver tells it.

use hftune_model::ethtool::{Feature, Port};
use hftune_model::finding::{Proof, Proofs};
use hftune_model::host::Nic as Device;
use hftune_model::knob::{Knob, NumberKnob};
use hftune_model::setting::Setting;
use hftune_sys::Reader;

use super::aim::{self, Aim, Goal, on_off};
use super::{checks, owner, service};
use crate::Context;

/// The proofs of one setting of the domain.
pub(super) fn of(setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Proofs {
    let gone = |why: &str| {
        let proof = Proof::Unknown(why.to_owned());
        Proofs {
            saved: proof.clone(),
            live: proof.clone(),
            effect: proof,
            fix: None,
        }
    };
    let mut words = setting.id.splitn(3, '/').skip(1);
    let (Some(name), Some(what)) = (words.next(), words.next()) else {
        return gone("it is no id of a port");
    };
    let Some(device) = cx.host.nics.iter().find(|device| device.name == name) else {
        return gone("the port is gone");
    };
    if what == "service" {
        let running = service::running(name, reader);
        return Proofs {
            saved: service::saved(name, cx, reader),
            live: running.clone(),
            effect: running,
            fix: None,
        };
    }
    if let Some(check) = checks::of(what) {
        return checks::prove(check, device, cx, reader);
    }
    let (Ok(knob), Some(port)) = (what.parse::<Knob>(), cx.host.ports.get(name)) else {
        return gone("the kernel was not asked");
    };
    let wanted = cx.profile.nic.of(device);
    let aimed = wanted
        .get(&knob)
        .ok_or("the profile does not want it".to_owned())
        .and_then(|value| {
            let aim = aim::of(&knob, *value, device, port).map_err(|(_, why)| why)?;
            Ok((aim, owner::of(&knob, *value, device, cx)))
        });
    let (aim, owner) = match aimed {
        Ok(found) => found,
        Err(why) => return gone(&why),
    };
    let saved = match owner {
        Some(owner) => Proof::Holds(owner.told),
        None => service::saved(name, cx, reader),
    };
    let (live, effect) = now(&knob, &aim, device, port);
    Proofs {
        saved,
        live,
        effect,
        fix: None,
    }
}

/// What the port holds, and what it acts on.
fn now(knob: &Knob, aim: &Aim, device: &Device, port: &Port) -> (Proof, Proof) {
    match (&aim.goal, knob) {
        (Goal::Number(goal), Knob::Number(knob)) => number(*knob, *goal, aim, device, port),
        (Goal::Switch(goal), knob) => {
            let proof = aim::switch_of(knob, port).map_or_else(
                || Proof::Unknown("the driver does not tell it".to_owned()),
                |now| Proof::of(now == *goal, on_off(now)),
            );
            (proof.clone(), proof)
        }
        (Goal::Features(members, on), _) => {
            let Some(listed) = port.features.value() else {
                let unknown = Proof::Unknown("the kernel does not tell it".to_owned());
                return (unknown.clone(), unknown);
            };
            // What cannot be changed does not count against it; the setting's note names it.
            let strays = |is: fn(&Feature) -> bool| {
                let names = members
                    .iter()
                    .filter(|(_, changeable)| **changeable)
                    .filter_map(|(name, _)| listed.get_key_value(name))
                    .filter(|(_, feature)| is(feature) != *on)
                    .map(|(name, _)| name.as_str());
                names.collect::<Vec<_>>()
            };
            let proof = |strays: Vec<&str>| {
                if strays.is_empty() {
                    Proof::Holds(on_off(*on).to_owned())
                } else {
                    Proof::Differs(format!("{}: {}", on_off(!*on), strays.join(", ")))
                }
            };
            // What was asked of the driver is live; what it made of it is in effect ("[requested on]" of ethtool).
            (
                proof(strays(|feature| feature.wanted)),
                proof(strays(|feature| feature.active)),
            )
        }
        _ => {
            let unknown = Proof::Unknown("the value is of another kind".to_owned());
            (unknown.clone(), unknown)
        }
    }
}

fn number(knob: NumberKnob, goal: u32, aim: &Aim, device: &Device, port: &Port) -> (Proof, Proof) {
    let Some(now) = aim::number_of(knob, port) else {
        let unknown = Proof::Unknown("the driver does not tell it".to_owned());
        return (unknown.clone(), unknown);
    };
    let value = now.to_string();
    let live = match &aim.rounded {
        _ if now != goal => Proof::Differs(value.clone()),
        Some(why) => Proof::Rounded(value.clone(), why.clone()),
        None => Proof::Holds(value.clone()),
    };
    let effect = match adapted(knob, port) {
        Some(direction) => Proof::Differs(format!(
            "{value}, but adaptive {direction} coalescing is on, so that {} chooses",
            device.driver.as_deref().unwrap_or("the driver")
        )),
        None => Proof::of(now == goal, value),
    };
    (live, effect)
}

/// The direction in which the driver chooses the number by itself.
fn adapted(knob: NumberKnob, port: &Port) -> Option<&'static str> {
    use NumberKnob as N;
    let coalesce = port.coalesce.value()?;
    match knob {
        N::RxUsecs | N::RxFrames if coalesce.adaptive_rx == Some(true) => Some("rx"),
        N::TxUsecs | N::TxFrames if coalesce.adaptive_tx == Some(true) => Some("tx"),
        _ => None,
    }
}
