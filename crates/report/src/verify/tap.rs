//! TAP 14 (testanything.org), for harnesses that read test results line by line.
//!
//! What waits for a reboot is "not ok" with a TODO: it is not as desired, and no harness fails because of it. What does not
//! exist here is skipped.

use std::fmt::Write as _;

use hftune_model::finding::Verdict;

use super::{Verified, details};

/// A test point for each setting, with what is known of it as YAML where it is not plainly as desired.
pub fn tap(verified: &Verified<'_>) -> String {
    let mut out = String::from("TAP version 14\n");
    let shown = verified.shown;
    if shown.is_empty() {
        // A plan of none is only valid where something says why.
        out.push_str("1..0 # SKIP every setting is as desired\n");
    } else {
        let _ = writeln!(out, "1..{}", shown.len());
    }
    let _ = writeln!(
        out,
        "# hftune verify, profile {}",
        one_line(verified.profile)
    );
    for note in verified.notes {
        let _ = writeln!(out, "# {}", one_line(note));
    }
    for (at, finding) in shown.iter().enumerate() {
        let (result, directive) = match finding.verdict {
            Verdict::Ok | Verdict::Rounded => ("ok", ""),
            Verdict::NotApplicable => ("ok", "SKIP"),
            Verdict::RebootPending => ("not ok", "TODO"),
            Verdict::Wrong | Verdict::Overridden | Verdict::NotPermitted | Verdict::Unknown => {
                ("not ok", "")
            }
        };
        let _ = write!(out, "{result} {} - {}", at + 1, description(&finding.id));
        if directive.is_empty() {
            out.push('\n');
        } else {
            let why = format!("{}: {}", finding.verdict, finding.reason);
            let _ = writeln!(out, " # {directive} {}", description(&why));
        }
        if finding.verdict == Verdict::Ok && finding.reason.is_empty() {
            continue;
        }
        let _ = writeln!(out, "  ---\n  verdict: {}", finding.verdict);
        for (label, text) in details(finding) {
            let _ = writeln!(out, "  {label}: {}", yaml(text));
        }
        out.push_str("  ...\n");
    }
    out
}

/// One line without escapes of ours: a comment.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if ends_or_hides(c) { ' ' } else { c })
        .collect()
}

/// A description: `#` begins a directive and `\` escapes, unless they are escaped.
fn description(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('#', "\\#")
}

/// A double-quoted YAML 1.2 scalar; what is not printable there (section 5.1), or ends a line, is escaped.
fn yaml(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if ends_or_hides(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out + "\""
}

/// Whether a character ends a line for somebody, or is none that is shown.
fn ends_or_hides(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn every_setting_is_a_point_and_no_text_breaks_a_line() {
        let all = samples::findings();
        let text = tap(&Verified {
            profile: "hft",
            all: &all,
            shown: &all,
            notes: &["a note\nof two lines".to_owned()],
        });
        insta::assert_snapshot!(text, @r#"
        TAP version 14
        1..8
        # hftune verify, profile hft
        # a note of two lines
        ok 1 - sysctl/vm.a
        not ok 2 - sysctl/vm.b
          ---
          verdict: wrong
          wanted: "1"
          saved: "1"
          live: "2"
          because: "live: 2"
          mend: "hftune setup"
          ...
        not ok 3 - thp/enabled
          ---
          verdict: overridden
          wanted: "1"
          saved: "1"
          live: "2"
          because: "/etc/tuned/a.conf:3 sets 2"
          mend: "systemctl disable tuned"
          ...
        not ok 4 - boot/isolcpus # TODO reboot-pending: saved
          ---
          verdict: reboot-pending
          wanted: "1"
          saved: "1"
          live: ""
          because: "saved"
          mend: "reboot"
          ...
        ok 5 - power/governor # SKIP not-applicable: no cpufreq
          ---
          verdict: not-applicable
          wanted: "1"
          saved: "1"
          because: "no cpufreq"
          ...
        not ok 6 - cpus/split
          ---
          verdict: not-permitted
          wanted: "1"
          saved: "1"
          because: "refused"
          ...
        ok 7 - nic/eth0/ring-rx
          ---
          verdict: rounded
          wanted: "1"
          saved: "1"
          live: "2"
          because: "2 is the most"
          ...
        not ok 8 - irq/a "\#\\|`<b>&amp;
          ---
          verdict: unknown
          wanted: "1"
          saved: "1"
          because: "live: \u0000\u0001\u000b\u001b[1m\r\n\t]]> ... \u007f\u0085\ufffe\u2028 --- 'x' | é"
          mend: "run it as root"
          ...
        "#);
    }

    #[test]
    fn nothing_to_list_is_a_plan_of_none_with_its_reason() {
        let all = &samples::findings()[..1];
        let text = tap(&Verified {
            profile: "hft",
            all,
            shown: &[],
            notes: &[],
        });
        assert!(text.contains("\n1..0 # SKIP every setting is as desired\n"));
    }
}
