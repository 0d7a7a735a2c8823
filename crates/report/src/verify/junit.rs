//! JUnit XML, as CI systems read it: a test case a setting, its domain as the class.
//!
//! A finding is a failure, what could not be read an error. What does not exist here is skipped; so is what waits for a
//! reboot, which is neither as desired nor a finding.

use std::fmt::{self, Display, Write as _};

use hftune_model::finding::{Finding, Verdict};

use super::{Occasion, Verified, details, domain};

/// One test suite.
pub fn junit(verified: &Verified<'_>, occasion: &Occasion<'_>) -> String {
    let shown = verified.shown;
    let count = |result: Result| shown.iter().filter(|f| of(f.verdict) == result).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        shown.len(),
        count(Result::Failure),
        count(Result::Error),
        count(Result::Skipped)
    );
    let time = format!("time=\"{:.3}\"", occasion.took);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"hftune verify\" {counts} {time}>\n"
    );
    let host = match occasion.host {
        "" => String::new(),
        host => format!(" hostname=\"{}\"", Text(host)),
    };
    // Readers of JUnit expect UTC without saying so.
    let _ = writeln!(
        out,
        "  <testsuite name=\"hftune verify, profile {}\" {counts} {time} timestamp=\"{}\"{host}>",
        Text(verified.profile),
        Text(occasion.time.trim_end_matches('Z')),
    );
    let _ = writeln!(
        out,
        "    <properties>\n      <property name=\"hftune.version\" value=\"{}\"/>\n      <property name=\"hftune.profile\" value=\"{}\"/>\n    </properties>",
        Text(occasion.version),
        Text(verified.profile)
    );
    for finding in shown {
        case(finding, &mut out);
    }
    if !verified.notes.is_empty() {
        let _ = writeln!(
            out,
            "    <system-out>{}</system-out>",
            Text(verified.notes.join("\n"))
        );
    }
    out + "  </testsuite>\n</testsuites>\n"
}

/// What a test case came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Result {
    Passed,
    Failure,
    Error,
    Skipped,
}

fn of(verdict: Verdict) -> Result {
    match verdict {
        Verdict::Ok | Verdict::Rounded => Result::Passed,
        Verdict::Wrong | Verdict::Overridden | Verdict::NotPermitted => Result::Failure,
        Verdict::Unknown => Result::Error,
        Verdict::NotApplicable | Verdict::RebootPending => Result::Skipped,
    }
}

fn case(finding: &Finding, out: &mut String) {
    let _ = write!(
        out,
        "    <testcase classname=\"{}\" name=\"{}\"",
        Text(domain(&finding.id)),
        Text(&finding.id)
    );
    let message = format!("{}: {}", finding.verdict, finding.reason);
    let told: Vec<String> = details(finding)
        .into_iter()
        .map(|(label, text)| format!("{label}: {text}"))
        .collect();
    let told = told.join("\n");
    let element = match of(finding.verdict) {
        Result::Passed if finding.reason.is_empty() => {
            let _ = writeln!(out, "/>");
            return;
        }
        Result::Passed => {
            let _ = writeln!(
                out,
                "><system-out>{}</system-out></testcase>",
                Text(&message)
            );
            return;
        }
        // It has no text in the schemas that are in use.
        Result::Skipped => {
            let _ = writeln!(out, "><skipped message=\"{}\"/></testcase>", Text(&message));
            return;
        }
        Result::Failure => "failure",
        Result::Error => "error",
    };
    let _ = writeln!(
        out,
        ">\n      <{element} type=\"{}\" message=\"{}\">{}</{element}>\n    </testcase>",
        finding.verdict,
        Text(&message),
        Text(&told)
    );
}

/// Text in an element or a quoted attribute. What is no character of XML 1.0 (section 2.2), not even as a reference, is
/// written as `\xNN` or `\u{NNNN}`.
struct Text<T>(T);

impl<T: Display> Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.to_string().chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                // An attribute would have a space in their place, and a line end would change.
                '\t' | '\n' | '\r' => write!(f, "&#{};", u32::from(c))?,
                c if c.is_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                '\u{fffe}' | '\u{ffff}' => write!(f, "{}", c.escape_unicode())?,
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

    fn report(shown: &[Finding]) -> String {
        let all = samples::findings();
        junit(
            &Verified {
                profile: "hft",
                all: &all,
                shown,
                notes: &["a <note>".to_owned()],
            },
            &Occasion {
                version: "0.1.0",
                host: "a&b",
                time: "2027-01-15T08:00:00Z",
                began: 1_800_000_000,
                took: 0.25,
            },
        )
    }

    #[test]
    fn a_finding_is_a_failure_and_what_could_not_be_read_an_error() {
        let text = report(&samples::findings());
        assert!(
            text.contains("<testsuite name=\"hftune verify, profile hft\" tests=\"8\" failures=\"3\" errors=\"1\" skipped=\"2\" time=\"0.250\" timestamp=\"2027-01-15T08:00:00\" hostname=\"a&amp;b\">"),
            "{text}"
        );
        for part in [
            "<testcase classname=\"sysctl\" name=\"sysctl/vm.a\"/>",
            "<failure type=\"wrong\" message=\"wrong: live: 2\">wanted: 1&#10;saved: 1&#10;live: 2&#10;because: live: 2&#10;mend: hftune setup</failure>",
            "<skipped message=\"reboot-pending: saved\"/>",
            "<skipped message=\"not-applicable: no cpufreq\"/>",
            "<error type=\"unknown\" message=\"unknown: live: \\x00\\x01\\x0b\\x1b[1m&#13;&#10;&#9;]]&gt; ... \\x7f\\x85\\u{fffe}",
            "<system-out>a &lt;note&gt;</system-out>",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(
            text.chars().all(|c| !c.is_control() || c == '\n'),
            "a control character is in it"
        );
    }

    #[test]
    fn counts_are_of_the_cases_that_are_listed() {
        let wrong: Vec<Finding> = samples::findings().drain(1..2).collect();
        let text = report(&wrong);
        assert!(text.contains("tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\""));
        assert_eq!(text.matches("<testcase").count(), 1);
        assert!(report(&[]).contains("tests=\"0\""));
    }

    proptest::proptest! {
        #[test]
        fn any_text_gives_xml_that_is_read_back(id in "\\PC*", reason in ".*", raw: Vec<u8>) {
            let mut wrong = samples::findings().remove(1);
            wrong.id = id;
            wrong.reason = reason + &String::from_utf8_lossy(&raw);
            let text = report(&[wrong.clone()]);
            let read = roxmltree::Document::parse(&text).expect("well-formed");
            let failure = read.descendants().find(|n| n.has_tag_name("failure")).expect("a failure");
            let plain = |text: &str| text.chars().all(|c| "\t\n\r".contains(c) || !c.is_control() && !"\u{fffe}\u{ffff}".contains(c));
            if plain(&wrong.reason) {
                let told = format!("wrong: {}", wrong.reason);
                proptest::prop_assert_eq!(failure.attribute("message"), Some(told.as_str()));
            }
        }
    }
}
