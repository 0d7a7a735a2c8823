//! The report of `vma check`.

use std::fmt::Write as _;

use hftune_model::vma::diagnosis::{Diagnosis, Grade};
use owo_colors::{OwoColorize as _, Style};
use schemars::JsonSchema;
use serde::Serialize;

use crate::table::{Cell, Table};
use crate::text::{indented, plural};

/// The findings by what they are about, then how many are wrong.
pub fn human(diagnoses: &[Diagnosis], width: usize) -> String {
    let mut out = String::new();
    for group in diagnoses.chunk_by(|a, b| a.area == b.area) {
        if !out.is_empty() {
            out.push('\n');
        }
        let _ = writeln!(out, "{}", group[0].area.title().bold());
        for diagnosis in group {
            let (word, style) = match diagnosis.grade {
                Grade::Ok => ("ok", Style::new().green()),
                Grade::Note => ("note", Style::new()),
                Grade::Fault => ("wrong", Style::new().red()),
            };
            let what = match diagnosis.place.as_str() {
                "" => diagnosis.what.clone(),
                place => format!("{place}: {}", diagnosis.what),
            };
            out.push_str(
                &Table::headless()
                    .indent(2)
                    .row([Cell::styled(format!("{word:<5}"), style), what.into()])
                    .render(width),
            );
            if let Some(remedy) = &diagnosis.remedy {
                out.push_str(&indented(&format!("fix: {remedy}"), 9, width));
            }
        }
    }
    let faults = faults(diagnoses);
    out.push('\n');
    if faults == 0 {
        out.push_str("Nothing is wrong.\n");
    } else {
        let _ = writeln!(out, "{} wrong.", plural(faults, "thing"));
    }
    out
}

/// How many are wrong.
pub fn faults(diagnoses: &[Diagnosis]) -> usize {
    diagnoses
        .iter()
        .filter(|diagnosis| diagnosis.grade == Grade::Fault)
        .count()
}

/// What `hftune vma check --json` prints.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Report<'d> {
    schema: &'static str,
    faults: usize,
    findings: &'d [Diagnosis],
}

/// One JSON object.
pub fn json(diagnoses: &[Diagnosis]) -> String {
    crate::to_json(&Report {
        schema: "hftune/vma-check/1",
        faults: faults(diagnoses),
        findings: diagnoses,
    })
}

#[cfg(test)]
mod tests {
    use hftune_model::vma::diagnosis::Area;

    use super::*;

    #[test]
    fn each_finding_has_its_place_and_its_remedy() {
        let diagnoses = [
            Diagnosis::ok(Area::Machine, "", "libvma is installed"),
            Diagnosis::fault(
                Area::Rules,
                "/etc/libvma.conf:2",
                "VMA_SPEC= has no effect: libvma reads variables from the environment only",
                "remove the line",
            ),
        ];
        let text = anstream::adapter::strip_str(&human(&diagnoses, 60)).to_string();
        insta::assert_snapshot!(text, @r"
        This machine
          ok     libvma is installed

        Rules
          wrong  /etc/libvma.conf:2: VMA_SPEC= has no effect: libvma
                 reads variables from the environment only
                 fix: remove the line

        1 thing wrong.
        ");
        assert!(json(&diagnoses).contains("\"faults\": 1"));
    }
}
