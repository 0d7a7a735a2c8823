//! The text format of Prometheus (Exposition formats, version 0.0.4), for the textfile directory of node_exporter.
//!
//! Names follow the conventions: the application first, a base unit last, seconds as a gauge for a moment. The host is no
//! label: the scrape adds `instance`.

use std::fmt::{self, Display, Write};

use hftune_model::finding::{Finding, Verdict};

use super::{Occasion, Verified, counts, domain};

/// Since when a setting has had its verdict, as far as runs of `hftune drift` saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// The setting.
    pub id: String,
    /// The first run that saw the verdict, in seconds since 1970.
    pub seconds: u64,
}

/// The metrics. What does not exist on this host is counted, and is no series of its own: it is neither 1 nor 0.
pub fn prometheus(verified: &Verified<'_>, occasion: &Occasion<'_>, since: &[Since]) -> String {
    let mut out = Metrics(String::new());
    out.family(
        "hftune_info",
        "The version of hftune and the profile that was verified; always 1.",
    );
    out.value(
        "hftune_info",
        &[("version", occasion.version), ("profile", verified.profile)],
        1,
    );
    out.family("hftune_settings", "Settings that have each verdict.");
    for (verdict, n) in counts(verified.all) {
        out.value("hftune_settings", &[("verdict", verdict.word())], n);
    }
    let shown = || {
        verified
            .shown
            .iter()
            .filter(|f| f.verdict != Verdict::NotApplicable)
    };
    if shown().next().is_some() {
        out.family(
            "hftune_setting_ok",
            "Whether a setting is as desired: saved, live and in effect.",
        );
    }
    for finding in shown() {
        let ok = matches!(finding.verdict, Verdict::Ok | Verdict::Rounded);
        out.value(
            "hftune_setting_ok",
            &[
                ("id", &finding.id),
                ("domain", domain(&finding.id)),
                ("verdict", finding.verdict.word()),
            ],
            u8::from(ok),
        );
    }
    if !since.is_empty() {
        out.family(
            "hftune_setting_since_timestamp_seconds",
            "Since when a setting is not as desired: the time of the first run of the timer that saw its present verdict.",
        );
    }
    for Since { id, seconds } in since {
        out.value(
            "hftune_setting_since_timestamp_seconds",
            &[("id", id), ("domain", domain(id))],
            seconds,
        );
    }
    out.family(
        "hftune_reboot_pending",
        "Whether a setting waits for a reboot.",
    );
    out.value(
        "hftune_reboot_pending",
        &[],
        u8::from(verified.all.iter().any(pending)),
    );
    out.family("hftune_verify_timestamp_seconds", "When verify ran last.");
    out.value("hftune_verify_timestamp_seconds", &[], occasion.began);
    out.family("hftune_verify_duration_seconds", "How long verify took.");
    out.value(
        "hftune_verify_duration_seconds",
        &[],
        format_args!("{:.3}", occasion.took),
    );
    out.0
}

fn pending(finding: &Finding) -> bool {
    finding.verdict == Verdict::RebootPending
}

/// The text as far as it is written.
struct Metrics(String);

impl Metrics {
    /// Announces a metric; its values follow. All are gauges.
    fn family(&mut self, name: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{}\"", Label(text));
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }
}

/// The value of a label: a backslash, a quote and a line feed are escaped, everything else may stand in it.
struct Label<'t>(&'t str);

impl Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn names_labels_and_values() {
        let all = samples::findings();
        let text = prometheus(
            &Verified {
                profile: "a\\b\"c\nd",
                all: &all,
                shown: &all,
                notes: &[],
            },
            &Occasion {
                version: "0.1.0",
                host: "db1",
                time: "2027-01-15T08:00:00Z",
                began: 1_800_000_000,
                took: 0.25,
            },
            &[Since {
                id: "sysctl/vm.b".to_owned(),
                seconds: 1_700_000_000,
            }],
        );
        insta::assert_snapshot!(text, @r##"
        # HELP hftune_info The version of hftune and the profile that was verified; always 1.
        # TYPE hftune_info gauge
        hftune_info{version="0.1.0",profile="a\\b\"c\nd"} 1
        # HELP hftune_settings Settings that have each verdict.
        # TYPE hftune_settings gauge
        hftune_settings{verdict="ok"} 1
        hftune_settings{verdict="wrong"} 1
        hftune_settings{verdict="overridden"} 1
        hftune_settings{verdict="reboot-pending"} 1
        hftune_settings{verdict="not-applicable"} 1
        hftune_settings{verdict="not-permitted"} 1
        hftune_settings{verdict="rounded"} 1
        hftune_settings{verdict="unknown"} 1
        # HELP hftune_setting_ok Whether a setting is as desired: saved, live and in effect.
        # TYPE hftune_setting_ok gauge
        hftune_setting_ok{id="sysctl/vm.a",domain="sysctl",verdict="ok"} 1
        hftune_setting_ok{id="sysctl/vm.b",domain="sysctl",verdict="wrong"} 0
        hftune_setting_ok{id="thp/enabled",domain="thp",verdict="overridden"} 0
        hftune_setting_ok{id="boot/isolcpus",domain="boot",verdict="reboot-pending"} 0
        hftune_setting_ok{id="cpus/split",domain="cpus",verdict="not-permitted"} 0
        hftune_setting_ok{id="nic/eth0/ring-rx",domain="nic",verdict="rounded"} 1
        hftune_setting_ok{id="irq/a \"#\\|`<b>&amp;",domain="irq",verdict="unknown"} 0
        # HELP hftune_setting_since_timestamp_seconds Since when a setting is not as desired: the time of the first run of the timer that saw its present verdict.
        # TYPE hftune_setting_since_timestamp_seconds gauge
        hftune_setting_since_timestamp_seconds{id="sysctl/vm.b",domain="sysctl"} 1700000000
        # HELP hftune_reboot_pending Whether a setting waits for a reboot.
        # TYPE hftune_reboot_pending gauge
        hftune_reboot_pending 1
        # HELP hftune_verify_timestamp_seconds When verify ran last.
        # TYPE hftune_verify_timestamp_seconds gauge
        hftune_verify_timestamp_seconds 1800000000
        # HELP hftune_verify_duration_seconds How long verify took.
        # TYPE hftune_verify_duration_seconds gauge
        hftune_verify_duration_seconds 0.250
        "##);
    }

    #[test]
    fn a_metric_without_values_is_not_announced() {
        let text = prometheus(
            &Verified {
                profile: "hft",
                all: &[],
                shown: &[],
                notes: &[],
            },
            &Occasion {
                version: "0.1.0",
                host: "",
                time: "1970-01-01T00:00:01Z",
                began: 1,
                took: 0.0,
            },
            &[],
        );
        assert!(!text.contains("hftune_setting_ok") && !text.contains("since"));
        assert!(text.contains("\nhftune_settings{verdict=\"wrong\"} 0\n"));
        assert!(text.contains("\nhftune_reboot_pending 0\n"));
    }
}
