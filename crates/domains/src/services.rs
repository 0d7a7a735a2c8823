//! Services that would set what hftune sets: off, or named with the command that resolves the conflict.

use hftune_model::Result;
use hftune_model::finding::{Proof, Proofs, Skipped, Verdict};
use hftune_model::host::{Rival, Services as Units};
use hftune_model::setting::{Artifact, Doc, Setting, When};
use hftune_sys::Reader;

use crate::unit::UNITS;
use crate::{Context, Desired, Domain};

/// The one instance.
#[derive(Debug)]
pub struct Services;

const DOCS: &[Doc] = &[Doc {
    id: "services/UNIT",
    what: "A service that is stopped, and masked so that nothing starts it, while the profile is in force.",
    why: "irqbalance moves interrupts every ten seconds, back onto CPUs that were cleared of them.",
    trade_off: "Interrupts stay where irq-affinity.service puts them, however the load shifts. Rollback starts the \
                service again if it was running.",
    read: "saved: /etc/systemd/system/UNIT links to /dev/null; live and effect: systemd holds no running instance \
           (/run/systemd/units) and no process of that name exists.",
    source: "systemctl(1), \"mask\"; irqbalance(1)",
}];

/// What resolves the conflict with a rival that the profile does not turn off.
fn advice(rival: &Rival, tuned_profile: Option<&str>) -> Option<(String, String)> {
    let unit = rival.unit.as_str();
    let (what, command) = match unit {
        "tuned.service" => {
            let profile = tuned_profile.unwrap_or("an unknown profile");
            (
                format!(
                    "tuned is running with {profile}: it writes sysctls, THP, the governor and boot arguments again whenever it starts"
                ),
                "tuned-adm off && systemctl disable --now tuned.service".to_owned(),
            )
        }
        "power-profiles-daemon.service"
        | "tlp.service"
        | "auto-cpufreq.service"
        | "cpupower.service" => (
            format!("{unit} sets the CPU frequency policy too"),
            format!("systemctl disable --now {unit}"),
        ),
        "numad.service" => (
            "numad moves processes and their memory between nodes".to_owned(),
            "systemctl disable --now numad.service".to_owned(),
        ),
        "ksm.service" | "ksmtuned.service" => (
            "merging equal memory pages (KSM) takes CPU time and adds page faults".to_owned(),
            format!("systemctl disable --now {unit}"),
        ),
        _ => return None,
    };
    Some((what, command))
}

/// What the host knows of a unit. An instance (`getty@tty1.service`) that has no file of its own and does not run is as
/// its template is, but for being off.
fn find(services: &Units, unit: &str) -> Option<Rival> {
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
            let id = format!("services/{}", unit.trim_end_matches(".service"));
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
        for rival in &services.rivals {
            let ours = cx.profile.services.off.contains(&rival.unit);
            if ours || !(rival.running || rival.enabled) || rival.masked {
                continue;
            }
            if let Some((what, command)) = advice(rival, services.tuned_profile.as_deref()) {
                desired.skipped.push(Skipped {
                    id: format!("services/{}", rival.unit.trim_end_matches(".service")),
                    verdict: Verdict::Overridden,
                    reason: what,
                    fix: Some(command),
                });
            }
        }
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
