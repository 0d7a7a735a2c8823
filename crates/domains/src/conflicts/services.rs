//! What services do beside or as the profile, in words.

use hftune_model::others::{Claim, Tuned};
use hftune_model::setting::Setting;

use super::{about, is_active, of_setting, off, place, value};
use crate::Context;
use crate::sysctl_files::OWN;

/// Sysctls that are listed in one note; `hftune host --json` lists all.
const MOST: usize = 6;

/// A note for each tool that is active, unless all there is to say of it is in the findings.
pub(super) fn notes(settings: &[Setting], claims: &[&Claim], cx: &Context<'_>) -> Vec<String> {
    let services = &cx.host.services;
    let rivals = services.rivals.iter().map(|rival| rival.unit.as_str());
    let mut notes = Vec::new();
    for owner in rivals.filter(|unit| is_active(unit, cx)) {
        let own: Vec<&Claim> = claims
            .iter()
            .copied()
            .filter(|claim| claim.owner == owner)
            .collect();
        let note = match owner {
            // It has a domain of its own, and numad is a finding.
            "irqbalance.service" | "numad.service" => continue,
            "ksm.service" | "ksmtuned.service" => format!(
                "{owner} merges equal memory pages (KSM), which takes CPU time and adds page faults; the profile sets \
                 nothing of it. To stop it: {}",
                off(owner)
            ),
            "thermald.service" => format!(
                "{owner} lowers the clock of a package that gets hot, whatever the governor; the profile sets nothing \
                 of it. It protects the hardware: better cooling is the remedy"
            ),
            owner => {
                let mut unknown = services.unknown_claims.iter();
                of_owner(owner, settings, &own, unknown.all(|u| u.owner != owner))
            }
        };
        if !note.is_empty() {
            notes.push(note);
        }
        if owner == "tuned.service"
            && let Some(tuned) = &services.tuned
        {
            notes.extend(beside(tuned, cx));
        }
    }
    notes
}

/// Values of a tool's that do not stay; where it has no others, whether there is anything to fear.
fn of_owner(owner: &str, settings: &[Setting], claims: &[&Claim], known: bool) -> String {
    let (mut yielding, mut same, mut lost) = (Vec::new(), Vec::new(), false);
    for setting in settings {
        for conflict in of_setting(setting, claims) {
            lost |= conflict.lost;
            if !conflict.lost {
                yielding.push(format!(
                    "{} to {} instead of {} ({})",
                    setting.id,
                    value(conflict.claim),
                    setting.desired,
                    place(conflict.claim)
                ));
            }
        }
        for (claim, differs) in about(setting, claims) {
            if !differs {
                same.push(format!("{} ({})", setting.id, place(claim)));
            }
        }
    }
    if !yielding.is_empty() {
        return format!(
            "{owner} sets {}, and then applies /etc/sysctl.d, so that {OWN} wins",
            list(&yielding)
        );
    }
    match (lost || !known, same.is_empty()) {
        // What there is to say is in the findings.
        (true, _) => String::new(),
        (false, true) => format!("{owner} is active, and sets nothing that the profile sets"),
        (false, false) => format!(
            "{owner} is active, and sets as the profile does: {}",
            list(&same)
        ),
    }
}

fn list(texts: &[String]) -> String {
    let shown = texts.iter().take(MOST).cloned().collect::<Vec<_>>();
    match texts.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// What tuned does that is no value of ours.
fn beside(tuned: &Tuned, cx: &Context<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if !tuned.boot_arguments.is_empty() {
        notes.push(format!(
            "tuned has boot arguments of its own ({}); \"{}\" takes them away, after a reboot",
            list(&tuned.boot_arguments),
            off("tuned.service")
        ));
    }
    if !tuned.scripts.is_empty() {
        notes.push(format!(
            "tuned runs {}; what a script changes cannot be told",
            list(&tuned.scripts)
        ));
    }
    let isolated = &cx.cpus.isolated;
    if let Some(cores) = &tuned.isolated_cores
        && cores.parse::<hftune_model::CpuSet>().ok().as_ref() != Some(isolated)
    {
        let ours = if isolated.is_empty() {
            "no CPU".to_owned()
        } else {
            isolated.to_string()
        };
        notes.push(format!(
            "tuned keeps threads and interrupts off the CPUs {cores}, while the profile isolates {ours}; \"{}\" leaves \
             that to hftune",
            off("tuned.service")
        ));
    }
    notes
}
