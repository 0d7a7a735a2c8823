//! Steps of a plan that may cut the operator off: the link of a port goes down, and something goes through it.

use std::collections::BTreeSet;

use hftune_model::host::Nic;
use hftune_model::plan::{Plan, Step};
use hftune_model::setting::Artifact;
use hftune_model::transaction::{After, State};

use crate::target::{key_parts, port_id};

/// Puts a warning for each such port before all others.
pub(crate) fn warn(plan: &mut Plan, nics: &[Nic]) {
    let told = warnings(&plan.steps, nics);
    plan.warnings.splice(0..0, told);
}

/// A warning for each port that carries something and whose link may go down for one of these steps.
pub fn warnings(steps: &[Step], nics: &[Nic]) -> Vec<String> {
    let ids: BTreeSet<&str> = steps.iter().filter_map(cuts).collect();
    let is_cut = |nic: &&Nic| {
        let device = nic.device.as_deref();
        device.is_some_and(|device| ids.contains(device)) || ids.contains(nic.name.as_str())
    };
    let ports = nics.iter().filter(|nic| !nic.carries.is_empty());
    ports
        .filter(is_cut)
        .map(|nic| {
            format!(
                "{} carries {}: its link may go down for some seconds",
                nic.name,
                nic.carries.join(" and ")
            )
        })
        .collect()
}

/// The port whose link may go down for a step, by its device or its name.
fn cuts(step: &Step) -> Option<&str> {
    match &step.after {
        After::Set(artifact @ Artifact::Port { change, .. }) => {
            change.may_cut_link().then(|| artifact.port_id()).flatten()
        }
        After::Restore {
            target,
            state: State::Port { values },
        } => values.may_cut_link().then(|| port_id(key_parts(target).1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hftune_model::ethtool::{Coalesce, Eee, FeatureChange, FlagChange, Pause, Rings};
    use hftune_model::port_change::PortChange;

    use super::*;

    fn nic(name: &str, device: Option<&str>, carries: &[&str]) -> Nic {
        Nic {
            name: name.to_owned(),
            device: device.map(str::to_owned),
            carries: carries.iter().map(|what| (*what).to_owned()).collect(),
            ..Nic::default()
        }
    }

    fn set(port: &str, device: Option<&str>, change: PortChange) -> Step {
        Step {
            ids: Vec::new(),
            after: After::Set(Artifact::Port {
                port: port.to_owned(),
                device: device.map(str::to_owned),
                change,
            }),
        }
    }

    #[test]
    fn only_changes_that_may_cut_the_link_of_a_port_in_use_are_told() {
        let device = Some("0000:3b:00.0");
        let session = "this ssh session (10.0.0.5)";
        let nics = [
            nic("ens1f0", device, &["the default route", session]),
            nic("ens2", None, &["the default route"]),
            nic("ens3", Some("0000:3c:00.0"), &[]),
        ];
        let rings = || PortChange::Rings(Rings::default());
        let told = |steps: &[Step]| warnings(steps, &nics);
        for change in [
            rings(),
            PortChange::Channels(hftune_model::ethtool::Channels::default()),
            PortChange::Flags(FlagChange::default()),
            PortChange::Pause(Pause::default()),
            PortChange::Eee(Eee::default()),
        ] {
            // By its device, whatever it was called when it was tuned.
            assert_eq!(
                told(&[set("old", device, change)]),
                [
                    "ens1f0 carries the default route and this ssh session (10.0.0.5): its link may go down for some seconds"
                ]
            );
        }
        for change in [
            PortChange::Features(FeatureChange::default()),
            PortChange::Adaptive(Coalesce::default()),
            PortChange::Coalesce(Coalesce::default()),
        ] {
            assert!(told(&[set("ens1f0", device, change)]).is_empty());
        }
        assert!(told(&[set("ens3", Some("0000:3c:00.0"), rings())]).is_empty());
        // What is put back cuts it too, and a port is told once.
        let back = Step {
            ids: Vec::new(),
            after: After::Restore {
                target: "port:ens2/rings".to_owned(),
                state: State::Port { values: rings() },
            },
        };
        let told = told(&[back, set("ens2", None, rings())]);
        assert_eq!(
            told,
            ["ens2 carries the default route: its link may go down for some seconds"]
        );
    }
}
