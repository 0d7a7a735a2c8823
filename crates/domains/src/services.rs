//! Services that would set what hftune sets: off, or named with the command that resolves the conflict.

use hftune_model::Result;
use hftune_model::finding::{Proof, Proofs, Skipped, Verdict};
use hftune_model::host::Rival;
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
            let Some(rival) = services.rivals.iter().find(|rival| &rival.unit == unit) else {
                desired.skipped.push(Skipped {
                    id,
                    verdict: Verdict::NotApplicable,
                    reason: format!("{unit} is not installed"),
                    fix: None,
                });
                continue;
            };
            desired.settings.push(Setting {
                id,
                desired: "off".to_owned(),
                when: When::Now,
                doc: &DOCS[0],
                note: None,
                artifacts: vec![
                    Artifact::Unit {
                        name: rival.unit.clone(),
                        active: false,
                    },
                    Artifact::Link {
                        path: format!("{UNITS}/{}", rival.unit).into(),
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
        let unit = format!("{}.service", setting.id.trim_start_matches("services/"));
        let rival = cx
            .host
            .services
            .rivals
            .iter()
            .find(|rival| rival.unit == unit);
        let masked = reader
            .root()
            .link_target(format!("{UNITS}/{unit}"))
            .as_deref()
            == Some("/dev/null");
        let running = match rival {
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
