//! Markdown, for a ticket, a merge request or a wiki.

use std::fmt::Write as _;

use super::{Occasion, Verified, conclusion_words, counts, word};

/// The conclusion, the counts, and a table of the settings with the reason and the remedy of each.
pub fn markdown(verified: &Verified<'_>, occasion: &Occasion<'_>) -> String {
    let mut out = match occasion.host {
        "" => "# hftune verify\n".to_owned(),
        host => format!("# hftune verify: {}\n", cell(host)),
    };
    let _ = writeln!(
        out,
        "\n**{}** Profile {}, hftune {}, {}.\n",
        conclusion_words(verified.all),
        cell(verified.profile),
        cell(occasion.version),
        occasion.time
    );
    out.push_str("| verdict | settings |\n| --- | ---: |\n");
    for (verdict, n) in counts(verified.all).into_iter().filter(|(_, n)| *n > 0) {
        let _ = writeln!(out, "| {verdict} | {n} |");
    }
    if !verified.shown.is_empty() {
        out.push_str(
            "\n| setting | verdict | wanted | saved | live | effect | because | mend |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        );
    }
    for finding in verified.shown {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            cell(&finding.id),
            finding.verdict,
            cell(&finding.desired),
            word(&finding.saved),
            word(&finding.live),
            word(&finding.effect),
            cell(&finding.reason),
            cell(finding.fix.as_deref().unwrap_or_default()),
        );
    }
    if !verified.notes.is_empty() {
        out.push_str("\nOther tools, no findings:\n\n");
        for note in verified.notes {
            let _ = writeln!(out, "- {}", cell(note));
        }
    }
    out
}

/// Text that is shown as it is, in one line and in one cell: every punctuation mark may be escaped (CommonMark, 2.4), and those
/// that may begin something are.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '&' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_row_a_setting_and_nothing_in_a_cell_is_markup() {
        let all = samples::findings();
        let text = markdown(
            &Verified {
                profile: "hft",
                all: &all,
                shown: &all[1..],
                notes: &["a *note*".to_owned()],
            },
            &Occasion {
                version: "0.1.0",
                host: "db_1",
                time: "2027-01-15T08:00:00Z",
                began: 1_800_000_000,
                took: 0.0,
            },
        );
        for line in [
            "# hftune verify: db\\_1",
            "**4 settings are not as the profile wants them.** Profile hft, hftune 0.1.0, 2027-01-15T08:00:00Z.",
            "| reboot-pending | 1 |",
            "| sysctl/vm.b | wrong | 1 | yes | NO | - | live: 2 | hftune setup |",
            "| irq/a \"\\#\\\\\\|\\`\\<b\\>\\&amp; | unknown | 1 | yes | ? | - | live:     \\[1m   \\]\\]\\> ...   \u{fffe}  --- 'x' \\| é | run it as root |",
            "- a \\*note\\*",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
        assert!(!text.contains("sysctl/vm.a"), "it is not listed");
    }
}
