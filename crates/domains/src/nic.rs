//! Network ports: what a driver holds of a port, set over netlink, and a unit of each port that sets it again.
//!
//! Only ports that the operator chose are tuned (`hftune nic tune IF`, or `ports` in the profile). Of these it is checked, too,
//! what nobody can set: the link, the slot, where the interrupts fire, whether packets are lost.

mod aim;
mod checks;
mod docs;
pub mod drivers;
pub mod features;
mod owner;
mod proof;
mod service;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use hftune_model::Result;
use hftune_model::ethtool::Port;
use hftune_model::finding::{Proofs, Skipped, Verdict};
use hftune_model::host::Nic as Device;
use hftune_model::knob::Knob;
use hftune_model::others::PortSetting;
use hftune_model::profile::nic::Wanted;
use hftune_model::setting::{Artifact, Doc, Setting, When};
use hftune_sys::Reader;

use crate::{Context, Desired, Domain};
use aim::{Aim, Changes};
pub use service::{WATCH, unit_name};

/// The domain.
#[derive(Debug, Clone, Copy)]
pub struct Nic;

impl Domain for Nic {
    fn name(&self) -> &'static str {
        "nic"
    }

    fn docs(&self) -> &'static [Doc] {
        docs::DOCS
    }

    fn desire(&self, cx: &Context<'_>) -> Desired {
        let mut desired = Desired::default();
        for device in chosen(cx) {
            of_port(device, cx, &mut desired);
        }
        desired.skipped.extend(missing(cx));
        desired
    }

    fn prove(&self, setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Result<Proofs> {
        Ok(proof::of(setting, cx, reader))
    }
}

/// The ports of this host that are tuned.
pub fn chosen<'h>(cx: &Context<'h>) -> impl Iterator<Item = &'h Device> {
    let profile = &cx.profile.nic;
    let nics = cx.host.nics.iter();
    nics.filter(|device| profile.chooses(device))
}

/// Whether a setting of another tool's is of a value that hftune judges itself.
pub fn judges(setting: &PortSetting, cx: &Context<'_>) -> bool {
    let of_port = |device: &&Device| setting.port.as_deref() == Some(device.name.as_str());
    !setting.uncertain
        && chosen(cx).filter(of_port).any(|device| {
            let wanted = cx.profile.nic.of(device);
            wanted.keys().any(|knob| owner::is_about(setting, knob))
        })
}

/// The id of something of a port.
fn id(port: &str, what: &str) -> String {
    format!("nic/{port}/{what}")
}

fn of_port(device: &Device, cx: &Context<'_>, desired: &mut Desired) {
    desired.settings.push(service::setting(device, cx));
    let unknown = Port::unknown("the kernel was not asked");
    let port = cx.host.ports.get(&device.name).unwrap_or(&unknown);
    let wanted = cx.profile.nic.of(device);
    let (aims, skipped) = aims(&wanted, device, port, cx);
    desired.skipped.extend(skipped);
    let changes = Changes::of(aims.iter().map(|(knob, aim)| (*knob, aim)));
    // What is fixed is as it is, and somebody else's is theirs to write.
    let mut aims: Vec<_> = aims
        .into_iter()
        .map(|(knob, aim)| (changes.with(knob).filter(|_| aim.is_ours()), knob, aim))
        .collect();
    // The order in which changes stand is the order in which they are made.
    aims.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    for (change, knob, aim) in aims {
        let artifact = change.map(|change| Artifact::Port {
            port: device.name.clone(),
            device: device.device.clone(),
            change,
        });
        desired.settings.push(Setting {
            id: id(&device.name, &knob.to_string()),
            desired: aim.shown(),
            when: When::Now,
            doc: docs::of(knob),
            note: aim.note.clone(),
            artifacts: Vec::from_iter(artifact),
        });
    }
    desired.settings.extend(checks::settings(device, cx));
}

/// What becomes of each wanted value on this port: an aim, or the reason why there is none.
fn aims<'w>(
    wanted: &'w BTreeMap<Knob, Wanted>,
    device: &Device,
    port: &Port,
    cx: &Context<'_>,
) -> (Vec<(&'w Knob, Aim)>, Vec<Skipped>) {
    let mut aims = Vec::new();
    let mut skipped = Vec::new();
    for (knob, value) in wanted {
        let id = id(&device.name, &knob.to_string());
        match aim::of(knob, *value, device, port) {
            Err((verdict, reason)) => skipped.push(Skipped {
                id,
                verdict,
                reason,
                fix: None,
            }),
            Ok(mut aim) => match owner::of(knob, *value, device, cx) {
                Some(owner) if owner.agrees => {
                    aim.owner = Some(owner.told);
                    aims.push((knob, aim));
                }
                Some(owner) => skipped.push(Skipped {
                    id,
                    verdict: Verdict::Overridden,
                    reason: owner.told,
                    fix: Some(owner.remedy),
                }),
                None => aims.push((knob, aim)),
            },
        }
    }
    (aims, skipped)
}

/// Ports that were chosen by name or address and are not there.
fn missing(cx: &Context<'_>) -> Vec<Skipped> {
    let ports = cx.profile.nic.ports.iter();
    ports
        .filter(|chosen| {
            chosen.names_one() && !cx.host.nics.iter().any(|device| chosen.is(device))
        })
        .map(|chosen| {
            let name = chosen.as_str();
            let (reason, fix) = match cx.host.renamed.get(name) {
                Some(new) => (
                    format!("there is no port {name} any more: its device is now called {new}"),
                    format!("hftune nic tune {new}"),
                ),
                None if cx.host.interfaces.iter().any(|known| known == name) => (
                    format!("{name} has no device behind it: the ports below it are tuned instead"),
                    "hftune nic list shows the ports".to_owned(),
                ),
                None => (
                    format!("there is no port {name} on this host now; its unit tunes it when it appears"),
                    "hftune nic list shows the ports".to_owned(),
                ),
            };
            Skipped {
                id: format!("nic/{name}"),
                verdict: Verdict::Unknown,
                reason,
                fix: Some(fix),
            }
        })
        .collect()
}
