//! The settings: three proofs, a verdict, a reason and a remedy for each.

use std::fmt::Write as _;

use hftune_model::finding::{Finding, Proof, Verdict};

use super::escape::Text;
use super::page::warnings;
use crate::text::plural;
use crate::verify::{conclusion_words, counts, exit_code};

/// Values that are longer are told in the reason only.
const SHORT: usize = 24;

/// How many settings have each verdict.
pub(super) fn tiles(findings: &[Finding]) -> String {
    let class = match exit_code(findings) {
        0 => "good",
        4 => "wait",
        _ => "bad",
    };
    let mut out = format!(
        "<p class=\"conclusion {class}\">{}</p>\n<ul class=\"tiles\">\n",
        conclusion_words(findings)
    );
    for (verdict, n) in counts(findings).into_iter().filter(|(_, n)| *n > 0) {
        let _ = writeln!(
            out,
            "<li class=\"{}\"><b>{n}</b> {} {}</li>",
            look(verdict).0,
            look(verdict).1,
            verdict
        );
    }
    out + "</ul>\n"
}

/// The section. What is not as desired comes first and is open.
pub(super) fn section(profile: &str, findings: &[Finding], notes: &[String]) -> String {
    let mut out = format!(
        "<section id=\"verify\">\n<h2>Settings</h2>\n<p>What the profile {} wants, and three proofs of each setting: \
         <b>saved</b>, it outlives a reboot; <b>live</b>, the kernel holds it; <b>effect</b>, the kernel acts on it.</p>\n",
        Text(profile)
    );
    let quiet = |finding: &Finding| {
        matches!(
            finding.verdict,
            Verdict::Ok | Verdict::Rounded | Verdict::NotApplicable
        )
    };
    let (fine, mut open): (Vec<&Finding>, Vec<&Finding>) =
        findings.iter().partition(|finding| quiet(finding));
    // Those that need somebody before those that need a reboot.
    open.sort_by_key(|finding| !finding.verdict.is_finding());
    if open.is_empty() {
        out.push_str("<p class=\"good\">Nothing is left to do.</p>\n");
    } else {
        table("What is not as desired", &open, &mut out);
    }
    if !fine.is_empty() {
        let _ = writeln!(
            out,
            "<details>\n<summary>{} as desired, or of no use here</summary>",
            plural(fine.len(), "setting")
        );
        table("What is as desired, or of no use here", &fine, &mut out);
        out.push_str("</details>\n");
    }
    if !notes.is_empty() {
        out.push_str("<h3>Other tools, no findings</h3>\n");
        out += &warnings(notes);
    }
    out + "</section>\n"
}

/// The anchor of a setting.
pub(super) fn anchor(id: &str) -> String {
    let word: String = id
        .chars()
        .map(|c| if c.is_whitespace() { '_' } else { c })
        .collect();
    format!("setting/{}", Text(word))
}

/// An id that may break between its parts.
fn breakable(id: &str) -> String {
    let mut out = Text(id).to_string();
    for end in ["/", ".", "_"] {
        out = out.replace(end, &format!("{end}<wbr>"));
    }
    out
}

fn table(caption: &str, findings: &[&Finding], out: &mut String) {
    let _ = writeln!(
        out,
        "<table class=\"proofs stack\" role=\"table\">\n<caption>{caption}</caption>\n<thead role=\"rowgroup\"><tr role=\"row\">\
         <th role=\"columnheader\" scope=\"col\">Verdict</th><th role=\"columnheader\" scope=\"col\">Setting</th>\
         <th role=\"columnheader\" scope=\"col\">Saved</th><th role=\"columnheader\" scope=\"col\">Live</th>\
         <th role=\"columnheader\" scope=\"col\">Effect</th><th role=\"columnheader\" scope=\"col\">Wanted, and why it is so</th>\
         </tr></thead>\n<tbody role=\"rowgroup\">"
    );
    for finding in findings {
        let (class, sign) = look(finding.verdict);
        let _ = write!(
            out,
            "<tr role=\"row\" id=\"{}\"><td role=\"cell\" class=\"{class}\">{sign} {}</td>\
             <th role=\"rowheader\" scope=\"row\"><code>{}</code></th>",
            anchor(&finding.id),
            finding.verdict,
            breakable(&finding.id),
        );
        let proofs = [
            ("Saved", &finding.saved),
            ("Live", &finding.live),
            ("Effect", &finding.effect),
        ];
        for (name, proof) in proofs {
            out.push_str(&cell(name, proof));
        }
        out.push_str("<td role=\"cell\">");
        if !finding.desired.is_empty() {
            let _ = write!(
                out,
                "<span class=\"wanted\">wanted <b>{}</b></span> ",
                Text(&finding.desired)
            );
        }
        let _ = write!(out, "<span class=\"why\">{}</span>", Text(&finding.reason));
        if let Some(fix) = &finding.fix {
            let _ = write!(out, " <span class=\"fix\">Remedy: {}</span>", Text(fix));
        }
        out.push_str("</td></tr>\n");
    }
    out.push_str("</tbody>\n</table>\n");
}

/// A proof: a word, and what was read where it is not what was wanted.
fn cell(name: &str, proof: &Proof) -> String {
    let (class, word, detail) = match proof {
        Proof::Holds(_) => ("good", "yes", None),
        Proof::Rounded(value, _) => ("good", "rounded", Some(value)),
        Proof::Pending(value, _) => ("wait", "after a reboot", Some(value)),
        Proof::Differs(value) | Proof::Overridden(value, _) => ("bad", "NO", Some(value)),
        Proof::Unknown(_) | Proof::NotPermitted(_) => ("wait", "?", None),
        Proof::None(_) | Proof::NotApplicable(_) => ("none", "-", None),
    };
    let detail = match detail {
        Some(value) if value.is_empty() => " <small>not set</small>".to_owned(),
        Some(value) if value.len() <= SHORT => format!(" <small>{}</small>", Text(value)),
        _ => String::new(),
    };
    format!("<td role=\"cell\" class=\"{class}\" data-label=\"{name}\">{word}{detail}</td>")
}

/// The class and the sign of a verdict: the sense must not hang on colour.
fn look(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Ok | Verdict::Rounded => ("good", "&#10003;"),
        Verdict::NotApplicable => ("none", "&#8211;"),
        Verdict::RebootPending => ("wait", "&#8635;"),
        Verdict::Unknown => ("wait", "?"),
        Verdict::Wrong | Verdict::Overridden | Verdict::NotPermitted => ("bad", "&#10007;"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::sample;

    #[test]
    fn what_is_wrong_comes_first_and_is_open() {
        let html = section("hft", &sample::findings(), &["a note".to_owned()]);
        let place = |text: &str| html.find(text).expect(text);
        assert!(
            place("setting/boot/nohz_full") < place("<details>"),
            "{html}"
        );
        assert!(place("<details>") < place("setting/sysctl/vm.swappiness"));
        assert!(
            html.contains("class=\"bad\" data-label=\"Live\">NO <small>&lt;evil&gt;</small>"),
            "{html}"
        );
        assert!(html.contains("Remedy: hftune setup") && html.contains("<li>a note</li>"));
    }

    #[test]
    fn an_id_breaks_between_its_parts() {
        assert_eq!(breakable("a/b_<.c"), "a/<wbr>b_<wbr>&lt;.<wbr>c");
    }

    #[test]
    fn a_host_that_is_as_desired_says_so() {
        let fine: Vec<Finding> = sample::findings()
            .into_iter()
            .filter(|f| f.verdict == Verdict::Ok)
            .collect();
        assert!(section("hft", &fine, &[]).contains("Nothing is left to do."));
        assert!(tiles(&fine).contains("This host is as the profile wants it."));
    }
}
