//! `hftune verify`

use std::path::Path;
use std::time::Instant;

use hftune_engine::machine::Machine;
use hftune_model::finding::{Finding, Verdict};
use hftune_model::{Error, Kind, Result};
use hftune_report::verify::{self, Occasion, Verified, exit_code};
use hftune_sys::{Root, time};

use super::{hostname, write_output};
use crate::args::{Format, Verify};
use crate::{Answer, terminal};

/// Whoever collects the result is not the one who made it.
const MODE: u32 = 0o644;

pub(super) fn run(root: &Root, args: &Verify) -> Result<Answer> {
    let answer = result(root, args).and_then(|answer| match &args.output {
        None => Ok(answer),
        Some(file) => {
            write(file, &answer.text)?;
            Ok(Answer::ok("").code(answer.code))
        }
    });
    match answer {
        // A plugin tells its failure in its line, and by a code of its own.
        Err(e) if args.format == Format::Nagios => {
            let (line, status) = verify::nagios_failed(&e.in_one_line());
            Ok(Answer::ok(line).code(status.code()))
        }
        answer => answer,
    }
}

fn result(root: &Root, args: &Verify) -> Result<Answer> {
    let started = Instant::now();
    let (time, began) = (time::now(), time::unix());
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
    let verified = Verified {
        profile: &machine.resolved.profile.name,
        all: &findings,
        shown: &shown,
        notes: &notes,
    };
    let host = hostname(root);
    let occasion = Occasion {
        version: env!("CARGO_PKG_VERSION"),
        host: &host,
        time: &time,
        began,
        took: started.elapsed().as_secs_f64(),
    };
    let format = if args.json { Format::Json } else { args.format };
    let text = match format {
        Format::Human => verify::human(&verified, terminal::width()),
        Format::Json => verify::json(&verified),
        Format::Junit => verify::junit(&verified, &occasion),
        Format::Tap => verify::tap(&verified),
        Format::Prometheus => verify::prometheus(&verified, &occasion, &[]),
        Format::Markdown => verify::markdown(&verified, &occasion),
        Format::Nagios => {
            let (line, status) = verify::nagios(&verified);
            return Ok(Answer::ok(line).code(status.code()));
        }
    };
    Ok(Answer::ok(text).code(exit_code(&findings)))
}

/// Replaces the file that was asked for. It is on this machine, whichever was verified.
fn write(file: &Path, text: &str) -> Result<()> {
    let here = Root::live();
    let path = std::path::absolute(file).map_err(|e| Error::io("find it", file, &e))?;
    // Somebody else's link, directory or device is not replaced.
    here.metadata(&path)?;
    // A file has no colours.
    let text = terminal::plain(text);
    write_output(&here, &path, text.as_bytes(), MODE).map_err(|e| mend(e, &path))
}

/// The remedy where the directory is not there or may not be written to.
fn mend(e: Error, path: &Path) -> Error {
    let dir = path
        .parent()
        .unwrap_or(Path::new("/"))
        .display()
        .to_string();
    let hint = match e.kind {
        Kind::Missing => format!("mkdir -p {dir}, or name a file in another directory"),
        Kind::NeedsRoot => {
            format!("run it as a user who may write to {dir}, or name a file elsewhere")
        }
        _ => return e,
    };
    e.hint(hint)
}

/// Whether `only` names the id, its domain, or the beginning of its name.
fn selects(only: &str, id: &str) -> bool {
    id.strip_prefix(only)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || only.contains('/'))
}
