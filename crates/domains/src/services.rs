//! Services that would set what hftune sets: off, or named with the command that resolves the conflict.

use std::collections::BTreeMap;

use hftune_model::Result;
use hftune_model::finding::{Proof, Proofs, Skipped, Verdict};
use hftune_model::host::{Rival, Services as Units};
use hftune_model::setting::{Artifact, Doc, Setting, When};
use hftune_sys::Reader;

use crate::unit::UNITS;
use crate::{Context, Desired, Domain, conflicts};

/// The one instance.
#[derive(Debug)]
pub struct Services;

const DOCS: &[Doc] = &[Doc {
    id: "services/UNIT",
    what: "A service that is stopped, and masked so that nothing starts it, while the profile is in force. Others that \
           work against it are not touched, but named with the command that ends that.",
    why: "irqbalance moves interrupts every ten seconds, back onto CPUs that were cleared of them.",
    trade_off: "Interrupts stay where irq-affinity.service puts them, however the load shifts. Rollback starts the \
                service again if it was running.",
    read: "saved: /etc/systemd/system/UNIT links to /dev/null; live and effect: systemd holds no running instance \
           (/run/systemd/units) and no process of that name exists.",
    source: "systemctl(1), \"mask\"; irqbalance(1)",
}];

/// What active tools do that no one setting shows, with the command that resolves it. What they write is in
/// [`conflicts`].
fn rivals(cx: &Context<'_>) -> Vec<Skipped> {
    let services = &cx.host.services;
    let skipped = |unit: &str, verdict, reason| Skipped {
        id: id_of(unit),
        verdict,
        reason,
        fix: Some(conflicts::off(unit)),
    };
    let mut found = Vec::new();
    // numad(8) binds a process to a node: all its threads lose the CPUs that they were pinned to.
    if conflicts::is_active("numad.service", cx) {
        let what = "numad.service moves processes and their memory between nodes, off the CPUs that they were pinned to";
        found.push(skipped(
            "numad.service",
            Verdict::Overridden,
            what.to_owned(),
        ));
    }
    let mut unknown: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for claims in &services.unknown_claims {
        unknown.entry(&claims.owner).or_default().push(&claims.why);
    }
    for (unit, why) in unknown {
        if conflicts::is_active(unit, cx) {
            let what = format!(
                "{unit} is active, and not all that it sets is known: {}",
                why.join("; ")
            );
            found.push(skipped(unit, Verdict::Unknown, what));
        }
    }
    found
}

fn id_of(unit: &str) -> String {
    format!("services/{}", unit.trim_end_matches(".service"))
}

/// What the host knows of a unit. An instance (`getty@tty1.service`) that has no file of its own and does not run is as
/// its template is, but for being off.
pub(crate) fn find(services: &Units, unit: &str) -> Option<Rival> {
    let exact = |name: &str| services.units.iter().find(|known| known.unit == name);
    exact(unit).cloned().or_else(|| {
        let (template, instance) = unit.split_once('@')?;
        let (_, kind) = instance.rsplit_once('.')?;
        exact(&format!("{template}@.{kind}"))?;
        Some(Rival {
            unit: unit.to_owned(),
            ..Rival::default()
        })
    })
}

/// Why a unit that the profile wants off is not masked.
fn refusal(
    services: &Units,
    unit: &str,
    known: Option<&Rival>,
) -> Option<(Verdict, String, Option<String>)> {
    match (known, &services.units_unread) {
        (None, Some(why)) => Some((
            Verdict::Unknown,
            format!("whether {unit} is installed is not known: {why}"),
            None,
        )),
        (None, None) => Some((
            Verdict::NotApplicable,
            format!("{unit} is not installed"),
            None,
        )),
        // A mask is a link of that name, and the file there is the administrator's only copy.
        (Some(known), _) if known.own_file && (known.running || known.enabled) => Some((
            Verdict::NotPermitted,
            format!(
                "{UNITS}/{unit} is a file of the administrator's, so a mask cannot be put there"
            ),
            Some(format!("systemctl disable --now {unit}")),
        )),
        (Some(known), _) if known.own_file => Some((
            Verdict::NotApplicable,
            format!(
                "{unit} is neither running nor enabled, and {UNITS}/{unit} is a file, which hftune does not replace"
            ),
            None,
        )),
        _ => None,
    }
}

impl Domain for Services {
    fn name(&self) -> &'static str {
        "services"
    }

    fn docs(&self) -> &'static [Doc] {
        DOCS
    }

    fn desire(&self, cx: &Context<'_>) -> Desired {
        let mut desired = Desired::default();
        let services = &cx.host.services;
        for unit in &cx.profile.services.off {
            let id = id_of(unit);
            let known = find(services, unit);
            if let Some((verdict, reason, fix)) = refusal(services, unit, known.as_ref()) {
                desired.skipped.push(Skipped {
                    id,
                    verdict,
                    reason,
                    fix,
                });
                continue;
            }
            desired.settings.push(Setting {
                id,
                desired: "off".to_owned(),
                when: When::Now,
                doc: &DOCS[0],
                note: None,
                artifacts: vec![
                    Artifact::Unit {
                        name: unit.clone(),
                        active: false,
                    },
                    Artifact::Link {
                        path: format!("{UNITS}/{unit}").into(),
                        target: "/dev/null".to_owned(),
                    },
                ],
            });
        }
        desired.skipped.extend(rivals(cx));
        desired
    }

    fn prove(&self, setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Result<Proofs> {
        let unit = setting
            .artifacts
            .iter()
            .find_map(|artifact| match artifact {
                Artifact::Unit { name, .. } => Some(name.as_str()),
                _ => None,
            })
            .unwrap_or_default();
        let masked = reader
            .root()
            .link_target(format!("{UNITS}/{unit}"))
            .as_deref()
            == Some("/dev/null");
        let running = match find(&cx.host.services, unit) {
            Some(rival) => Proof::of(
                !rival.running,
                if rival.running { "running" } else { "off" },
            ),
            None => Proof::Unknown(format!("{unit} was not looked for")),
        };
        Ok(Proofs {
            saved: Proof::of(masked, if masked { "masked" } else { "not masked" }),
            effect: running.clone(),
            live: running,
            fix: None,
        })
    }
}
