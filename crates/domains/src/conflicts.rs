//! Other tools that write what a setting writes: who wins, and what resolves it.
//!
//! A tool that is masked, or neither runs nor starts at boot, wins nothing. One that writes what the profile wants is
//! no conflict.

mod ports;
mod services;

pub(crate) use ports::{remedy, sets_ports, writer};

use std::collections::BTreeMap;

use hftune_model::finding::{Finding, Verdict};
use hftune_model::others::Claim;
use hftune_model::setting::{Artifact, Compare, Setting};

use crate::sysctl_files::{OWN, matches};
use crate::{Context, services::find};

/// One value of another tool's against one of ours.
struct Conflict<'a> {
    claim: &'a Claim,
    /// Whether the other's value is the one that stays.
    lost: bool,
}

impl Conflict<'_> {
    fn reason(&self) -> String {
        let claim = self.claim;
        let value = value(claim);
        let at = place(claim);
        if self.lost {
            format!(
                "{} sets it to {value} ({at}) {}",
                claim.owner,
                when(&claim.owner)
            )
        } else {
            format!(
                "{} sets it to {value} ({at}), but then applies {OWN}, which wins",
                claim.owner
            )
        }
    }

    fn fix(&self) -> String {
        let claim = self.claim;
        match claim.owner.as_str() {
            "ufw.service" => format!("remove line {} of {}", claim.line, claim.file),
            owner => format!("{} && hftune setup", off(owner)),
        }
    }
}

/// The value in words.
fn value(claim: &Claim) -> String {
    match (claim.unresolved, claim.value.split_at_checked(1)) {
        (true, _) => format!(
            "\"{}\", which only the tool itself can tell for sure",
            claim.value
        ),
        (_, Some((">", least))) => format!("at least {least}"),
        (_, Some(("<", most))) => format!("at most {most}"),
        _ => claim.value.clone(),
    }
}

/// The word and the line that say so.
fn place(claim: &Claim) -> String {
    match claim.line {
        0 => format!("{}, its default", claim.word),
        line => format!("{}, {}:{line}", claim.word, claim.file),
    }
}

/// When a tool writes its values: what it takes for ours to be lost.
fn when(owner: &str) -> &'static str {
    match owner {
        // tuned.service is started with multi-user.target, without an order between it and units of ours.
        "tuned.service" | "power-profiles-daemon.service" => {
            "whenever it starts or changes its profile"
        }
        // After=multi-user.target.
        "tlp.service" => "at the end of every boot and when the power source changes",
        "cpupower.service" => "when it starts, which may be after cpu-performance.service",
        "auto-cpufreq.service" => "every few seconds",
        // Started before the network, without an order between it and systemd-sysctl.service.
        "ufw.service" => "whenever it starts or is reloaded",
        _ => "whenever it starts",
    }
}

/// The command that takes a rival out of the way.
pub(crate) fn off(unit: &str) -> String {
    match unit {
        // A firewall is not to be turned off for a sysctl.
        "ufw.service" => "mend the file that IPT_SYSCTL in /etc/default/ufw names".to_owned(),
        // Its values go back first.
        "tuned.service" => "tuned-adm off && systemctl disable --now tuned.service".to_owned(),
        unit => format!("systemctl disable --now {unit}"),
    }
}

/// Whether a unit runs or will, and is not turned off by the profile.
pub(crate) fn is_active(unit: &str, cx: &Context<'_>) -> bool {
    find(&cx.host.services, unit)
        .is_some_and(|known| (known.running || known.enabled) && !known.masked)
        && !cx.profile.services.off.iter().any(|off| off == unit)
}

/// What active tools write.
fn claims<'a>(cx: &Context<'a>) -> Vec<&'a Claim> {
    let mut active: BTreeMap<&str, bool> = BTreeMap::new();
    let claims = cx.host.services.claims.iter();
    claims
        .filter(|claim| {
            *active
                .entry(&claim.owner)
                .or_insert_with(|| is_active(&claim.owner, cx))
        })
        .collect()
}

/// The files in which other tools say that they write what a setting writes, whether or not they run.
pub fn files_about(setting: &Setting, cx: &Context<'_>) -> Vec<String> {
    let mut files = Vec::new();
    for artifact in &setting.artifacts {
        let Artifact::Kernel { path, .. } = artifact else {
            continue;
        };
        let path = path.to_string_lossy();
        let claims = cx.host.services.claims.iter();
        files.extend(
            claims
                .filter(|claim| is_about(claim, &path))
                .map(|claim| claim.file.clone()),
        );
    }
    files
}

/// The pool of the whole host, which the kernel spreads over the pools of the nodes: of 2 MiB pages, unless the kernel
/// was booted with another default size (Documentation/admin-guide/mm/hugetlbpage.rst).
const POOL: &str = "/proc/sys/vm/nr_hugepages";
const POOL_OF_NODE: &str = "/hugepages-2048kB/nr_hugepages";

/// Whether a claim is about this path.
fn is_about(claim: &Claim, path: &str) -> bool {
    if claim.path == POOL && path.ends_with(POOL_OF_NODE) {
        return true;
    }
    // Most are not, and a comparison costs less than a match.
    match claim.path.find(['*', '?', '[']) {
        None => claim.path == path,
        Some(fixed) => path.starts_with(&claim.path[..fixed]) && matches(&claim.path, path),
    }
}

/// Whether a claim leaves another value than the desired one.
fn differs(claim: &Claim, desired: &str, compare: Compare) -> bool {
    if claim.unresolved {
        return true;
    }
    let limit = |text: &str| {
        Some((
            text.parse::<i64>().ok()?,
            desired.trim().parse::<i64>().ok()?,
        ))
    };
    let (op, bound) = claim.value.split_at_checked(1).unwrap_or_default();
    match (op, limit(bound)) {
        (">", Some((least, desired))) => desired < least,
        ("<", Some((most, desired))) => desired > most,
        _ => !compare.same(&claim.value, desired),
    }
}

/// The claims that are about a setting, each with whether it leaves another value.
fn about<'a>(setting: &Setting, claims: &[&'a Claim]) -> Vec<(&'a Claim, bool)> {
    let mut found: Vec<(&Claim, bool)> = Vec::new();
    for artifact in &setting.artifacts {
        let Artifact::Kernel {
            path,
            value,
            compare,
        } = artifact
        else {
            continue;
        };
        let Some(path) = path.to_str() else { continue };
        for claim in claims.iter().filter(|claim| is_about(claim, path)) {
            let differs = differs(claim, value, *compare);
            match found
                .iter_mut()
                .find(|(known, _)| std::ptr::eq(*known, *claim))
            {
                Some((_, known)) => *known |= differs,
                None => found.push((claim, differs)),
            }
        }
    }
    found
}

/// Whether a setting is saved by lines of our sysctl file.
fn is_in_our_file(setting: &Setting) -> bool {
    let ours = |artifact: &Artifact| matches!(artifact, Artifact::File { path, .. } if path.as_os_str() == OWN);
    setting.artifacts.iter().any(ours)
}

fn of_setting<'a>(setting: &Setting, claims: &[&'a Claim]) -> Vec<Conflict<'a>> {
    let found = about(setting, claims).into_iter();
    found
        .filter(|(_, differs)| *differs)
        .map(|(claim, _)| Conflict {
            claim,
            // The lines of our file name every key that the setting writes.
            lost: !(claim.yields && is_in_our_file(setting)),
        })
        .collect()
}

/// Puts the conflicts of the settings into what was found of them: `findings` are those of `settings`, in their order.
pub fn judge(settings: &[Setting], findings: &mut [Finding], cx: &Context<'_>) {
    let claims = claims(cx);
    if claims.is_empty() {
        return;
    }
    for (setting, finding) in settings.iter().zip(findings) {
        if finding.verdict == Verdict::NotApplicable {
            continue;
        }
        let conflicts = of_setting(setting, &claims);
        // What is lost for good is told first, and the last word of a tool before its first.
        for conflict in conflicts.iter().rev() {
            let reason = conflict.reason();
            finding.reason = match (conflict.lost, finding.reason.is_empty()) {
                (_, true) => reason,
                (true, false) => format!("{reason}; {}", finding.reason),
                (false, false) => format!("{}; {reason}", finding.reason),
            };
            if conflict.lost && finding.verdict != Verdict::Unknown {
                finding.fix = Some(match finding.fix.take() {
                    Some(other)
                        if finding.verdict == Verdict::Overridden && other != conflict.fix() =>
                    {
                        format!("{other}; {}", conflict.fix())
                    }
                    _ => conflict.fix(),
                });
                finding.verdict = Verdict::Overridden;
            }
        }
    }
}

/// What the operator should know of other tools and what is no finding: values of theirs that do not stay, or that are
/// the same as ours, and what they set beside the profile.
pub fn notes(settings: &[Setting], cx: &Context<'_>) -> Vec<String> {
    let mut notes = services::notes(settings, &claims(cx), cx);
    notes.extend(ports::notes(cx));
    notes
}

#[cfg(test)]
mod tests;
