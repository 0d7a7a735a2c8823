//! The report of `verify`, one file a format, all made of the same findings.

mod human;
mod json;
mod junit;
mod markdown;
mod nagios;
mod prometheus;
mod tap;

use hftune_model::finding::{Finding, Proof, Verdict};

pub use human::human;
pub use json::{Report, json};
pub use junit::junit;
pub use markdown::markdown;
pub use nagios::{Status, nagios, nagios_failed};
pub use prometheus::{Since, prometheus};
pub use tap::tap;

/// What verify found.
#[derive(Debug, Clone, Copy)]
pub struct Verified<'f> {
    /// Name of the profile.
    pub profile: &'f str,
    /// Every setting that was asked for. They are what is counted and what the exit code is of.
    pub all: &'f [Finding],
    /// Those of them that are listed.
    pub shown: &'f [Finding],
    /// What other tools do that is no finding.
    pub notes: &'f [String],
}

/// Where and when it was found, by which hftune.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'f> {
    /// Version of hftune.
    pub version: &'f str,
    /// Name of the host; empty where it is not known, as that of a captured machine.
    pub host: &'f str,
    /// When it began, in UTC (RFC 3339, to the second).
    pub time: &'f str,
    /// The same, in seconds since 1970.
    pub began: u64,
    /// How long it took, in seconds.
    pub took: f64,
}

/// The domain of a setting: the first word of its id.
pub(crate) fn domain(id: &str) -> &str {
    id.split('/').next().unwrap_or(id)
}

/// How many findings have each verdict; every verdict is listed.
pub fn counts(findings: &[Finding]) -> Vec<(Verdict, usize)> {
    Verdict::ALL
        .into_iter()
        .map(|verdict| {
            (
                verdict,
                findings.iter().filter(|f| f.verdict == verdict).count(),
            )
        })
        .collect()
}

/// What the operator does next.
pub(crate) fn conclusion_words(findings: &[Finding]) -> String {
    let wrong = findings.iter().filter(|f| f.verdict.is_finding()).count();
    match (wrong, exit_code(findings)) {
        (0, 4) => "Everything is saved. Reboot, then run hftune verify again.".to_owned(),
        (0, _) => "This host is as the profile wants it.".to_owned(),
        (1, _) => "One setting is not as the profile wants it.".to_owned(),
        (n, _) => format!("{n} settings are not as the profile wants them."),
    }
}

/// Exit code of `verify`: 0 as desired, 3 findings, 4 only a reboot is missing.
pub fn exit_code(findings: &[Finding]) -> u8 {
    if findings.iter().any(|f| f.verdict.is_finding()) {
        3
    } else if findings.iter().any(|f| f.verdict == Verdict::RebootPending) {
        4
    } else {
        0
    }
}

/// A word for a proof: the sense must not hang on colour.
fn word(proof: &Proof) -> &'static str {
    match proof {
        Proof::Holds(_) => "yes",
        Proof::Differs(_) | Proof::Overridden(..) => "NO",
        Proof::Unknown(_) | Proof::NotPermitted(_) => "?",
        _ => "-",
    }
}

/// What is told of a finding besides its id and its verdict, where there is something to tell, in the order in which it is
/// told: each with its label.
fn details(finding: &Finding) -> Vec<(&'static str, &str)> {
    let proof = |proof: &'_ Proof| proof.value().is_some();
    let mut details = Vec::new();
    if !finding.desired.is_empty() {
        details.push(("wanted", finding.desired.as_str()));
    }
    for (label, of) in [
        ("saved", &finding.saved),
        ("live", &finding.live),
        ("effect", &finding.effect),
    ] {
        if proof(of) {
            details.push((label, of.value().unwrap_or_default()));
        }
    }
    if !finding.reason.is_empty() {
        details.push(("because", finding.reason.as_str()));
    }
    if let Some(fix) = &finding.fix {
        details.push(("mend", fix.as_str()));
    }
    details
}

#[cfg(test)]
mod samples {
    use hftune_model::finding::{Finding, Proof, Verdict};

    /// A setting of each verdict, the last with what no format may let through as it is.
    pub(super) fn findings() -> Vec<Finding> {
        let finding = |id: &str, verdict, live: Proof, reason: &str, fix: Option<&str>| Finding {
            id: id.to_owned(),
            verdict,
            desired: "1".to_owned(),
            saved: Proof::Holds("1".to_owned()),
            live,
            effect: Proof::None("nothing to read".to_owned()),
            reason: reason.to_owned(),
            fix: fix.map(str::to_owned),
        };
        let value = |v: &str| v.to_owned();
        vec![
            finding(
                "sysctl/vm.a",
                Verdict::Ok,
                Proof::Holds(value("1")),
                "",
                None,
            ),
            finding(
                "sysctl/vm.b",
                Verdict::Wrong,
                Proof::Differs(value("2")),
                "live: 2",
                Some("hftune setup"),
            ),
            finding(
                "thp/enabled",
                Verdict::Overridden,
                Proof::Overridden(value("2"), value("tuned")),
                "/etc/tuned/a.conf:3 sets 2",
                Some("systemctl disable tuned"),
            ),
            finding(
                "boot/isolcpus",
                Verdict::RebootPending,
                Proof::Differs(value("")),
                "saved",
                Some("reboot"),
            ),
            finding(
                "power/governor",
                Verdict::NotApplicable,
                Proof::NotApplicable(value("no cpufreq")),
                "no cpufreq",
                None,
            ),
            finding(
                "cpus/split",
                Verdict::NotPermitted,
                Proof::None(value("refused")),
                "refused",
                None,
            ),
            finding(
                "nic/eth0/ring-rx",
                Verdict::Rounded,
                Proof::Rounded(value("2"), value("most")),
                "2 is the most",
                None,
            ),
            finding(
                "irq/a \"#\\|`<b>&amp;",
                Verdict::Unknown,
                Proof::Unknown(value("odd")),
                "live: \0\u{1}\u{b}\u{1b}[1m\r\n\t]]> ... \u{7f}\u{85}\u{fffe}\u{2028} --- 'x' | é",
                Some("run it as root"),
            ),
        ]
    }
}
