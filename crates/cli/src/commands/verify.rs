//! `hftune verify`

use hftune_engine::machine::Machine;
use hftune_model::finding::{Finding, Verdict};
use hftune_model::{Error, Kind, Result};
use hftune_report::verify::{exit_code, human, json};
use hftune_sys::Root;

use crate::args::{Format, Verify};
use crate::{Answer, terminal};

pub(super) fn run(root: &Root, args: &Verify) -> Result<Answer> {
    let machine = Machine::read(root, args.choices.choices()?)?;
    terminal::warn(&machine.warnings);
    let (mut findings, mut notes) = machine.verify()?;
    if !args.only.is_empty() {
        findings.retain(|finding| args.only.iter().any(|only| selects(only, &finding.id)));
        if findings.is_empty() {
            return Err(Error::new(
                Kind::Usage,
                format!("no setting begins with {}", args.only.join(" or ")),
            )
            .hint("hftune verify lists all settings"));
        }
        // They are about the host as a whole.
        notes.clear();
    }
    let shown: Vec<Finding> = findings
        .iter()
        .filter(|f| {
            !args.failed
                || !matches!(
                    f.verdict,
                    Verdict::Ok | Verdict::NotApplicable | Verdict::Rounded
                )
        })
        .cloned()
        .collect();
    let profile = &machine.resolved.profile.name;
    let text = if args.json || args.format == Format::Json {
        json(profile, &findings, &shown, &notes)
    } else {
        human(profile, &findings, &shown, &notes, terminal::width())
    };
    Ok(Answer::ok(text).code(exit_code(&findings)))
}

/// Whether `only` names the id, its domain, or the beginning of its name.
fn selects(only: &str, id: &str) -> bool {
    id.strip_prefix(only)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || only.contains('/'))
}
