//! What was proved of each setting.

use std::fmt::Write as _;

use hftune_model::finding::{Finding, Proof, Verdict};

use super::svg::escape;

pub(super) fn section(profile: &str, findings: &[Finding], notes: &[String]) -> String {
    let good = |f: &&Finding| {
        matches!(
            f.verdict,
            Verdict::Ok | Verdict::Rounded | Verdict::NotApplicable
        )
    };
    let (fine, rest): (Vec<&Finding>, Vec<&Finding>) = findings.iter().partition(good);
    let mut out = format!(
        "<section><h2>The settings of {}</h2>\n<p>{} of {} are as desired: saved for the next boot, live in the kernel, and in effect.</p>\n",
        escape(profile),
        fine.len(),
        findings.len()
    );
    for note in notes {
        let _ = writeln!(out, "<p class=\"faint\">{}</p>", escape(note));
    }
    if !rest.is_empty() {
        out.push_str("<h3>Not as desired</h3>\n");
        table(&mut out, &rest, true);
    }
    if !fine.is_empty() {
        let _ = writeln!(
            out,
            "<details><summary>{} settings as desired</summary>",
            fine.len()
        );
        table(&mut out, &fine, false);
        out.push_str("</details>\n");
    }
    out.push_str("</section>\n");
    out
}

fn table(out: &mut String, findings: &[&Finding], with_reason: bool) {
    out.push_str(
        "<div class=\"scroll\"><table><thead><tr><th>Setting</th><th>Verdict</th><th>Desired</th><th>Saved</th><th>Live</th><th>Effect</th></tr></thead><tbody>\n",
    );
    for finding in findings {
        let class = match finding.verdict {
            Verdict::Ok => "ok",
            Verdict::Wrong | Verdict::Overridden => "wrong",
            _ => "other",
        };
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td class=\"{class}\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&finding.id),
            finding.verdict.word(),
            escape(&finding.desired),
            proof(&finding.saved),
            proof(&finding.live),
            proof(&finding.effect)
        );
        if with_reason {
            let fix = finding
                .fix
                .as_ref()
                .map_or_else(String::new, |fix| format!(" <b>{}</b>", escape(fix)));
            let _ = writeln!(
                out,
                "<tr><td></td><td colspan=\"5\" class=\"faint\">{}{fix}</td></tr>",
                escape(&finding.reason)
            );
        }
    }
    out.push_str("</tbody></table></div>\n");
}

/// A word for a proof, and what was read where that differs.
fn proof(proof: &Proof) -> String {
    match proof {
        Proof::Holds(_) | Proof::Rounded(..) => "<span class=\"ok\">yes</span>".to_owned(),
        Proof::Pending(read, _) => format!(
            "<span class=\"other\">after a reboot</span> {}",
            escape(read)
        ),
        Proof::Differs(read) | Proof::Overridden(read, _) => {
            format!("<span class=\"wrong\">no</span> {}", escape(read))
        }
        _ => "<span class=\"other\">unknown</span>".to_owned(),
    }
}
