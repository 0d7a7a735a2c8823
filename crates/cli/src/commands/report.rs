//! `hftune report`

use std::path::{Path, PathBuf};

use hftune_domains::irq::map;
use hftune_engine::machine::Machine;
use hftune_model::jitter::{Jitter, SCHEMA};
use hftune_model::{Error, Kind, Result};
use hftune_report::html::{Measured, Page, page};
use hftune_sys::{Root, time};
use serde_json::Value;

use super::write_output;
use crate::args::Report;
use crate::{Answer, terminal};

/// A report is there to be read by others.
const MODE: u32 = 0o644;

/// How a measurement is made.
const MEASURE: &str = "make it with hftune jitter --json > FILE";

pub(super) fn run(root: &Root, args: &Report, given_root: Option<&Path>) -> Result<Answer> {
    // The files of the command line are those of this machine, whichever machine is told about.
    let here = Root::live();
    let path = absolute(&args.output)?;
    check_output(&here, &path, args)?;
    let measured = args
        .files
        .iter()
        .map(|file| measured(&here, file))
        .collect::<Result<Vec<_>>>()?;
    let machine = Machine::read(root, args.choices.choices()?)?;
    terminal::warn(&machine.warnings);
    let (findings, notes) = machine.verify()?;
    let tree = given_root.or(args.from.from.as_deref());
    let read_from = tree.map_or_else(
        || "this machine".to_owned(),
        |tree| tree.display().to_string(),
    );
    let html = page(&Page {
        name: &name(root, tree),
        time: &time::now(),
        read_from: &read_from,
        host: &machine.host,
        cpus: &machine.cpus,
        refused: machine.refused.as_ref(),
        irqs: &map(&machine.context()),
        profile: &machine.resolved.profile.name,
        findings: &findings,
        notes: &notes,
        measured: &measured,
    });
    write_output(&here, &path, html.as_bytes(), MODE)?;
    Ok(Answer::ok(format!(
        "{} is written: {} KiB, one page that needs nothing else; open it in a browser\n",
        args.output.display(),
        html.len().div_ceil(1 << 10)
    )))
}

/// What the machine is called, else the name of the file that it is in.
fn name(root: &Root, tree: Option<&Path>) -> String {
    let name = super::hostname(root);
    match (name.as_str(), tree.and_then(Path::file_name)) {
        ("", Some(file)) => file.display().to_string(),
        ("", None) => "this machine".to_owned(),
        _ => name,
    }
}

fn absolute(file: &Path) -> Result<PathBuf> {
    std::path::absolute(file).map_err(|e| Error::io("find it", file, &e))
}

/// Before anything is read: a name that cannot be written to is told at once.
fn check_output(here: &Root, path: &Path, args: &Report) -> Result<()> {
    for file in &args.files {
        if absolute(file)? == path {
            return Err(Error::new(
                Kind::Usage,
                "the page would take the place of the measurement",
            )
            .at(file)
            .hint("name another file after -o"));
        }
    }
    if !args.replace && here.exists(path) {
        return Err(Error::new(Kind::Conflict, "it exists already")
            .at(&args.output)
            .hint("name another file, or add --replace to replace this one"));
    }
    here.metadata(path).map(drop)
}

/// Reads the output of `hftune jitter --json`.
fn measured(here: &Root, file: &Path) -> Result<Measured> {
    let text = here.read_text(absolute(file)?).map_err(|e| match e.kind {
        Kind::Missing => e.at(file).hint(MEASURE),
        _ => e.at(file),
    })?;
    let jitter = parse(&text).map_err(|e| e.at(file))?;
    Ok(Measured {
        name: file.display().to_string(),
        jitter,
    })
}

fn parse(text: &str) -> Result<Jitter> {
    let value: Value = serde_json::from_str(text).map_err(|e| {
        Error::invalid(format!("it is no JSON: {e}"))
            .line(e.line())
            .hint(MEASURE)
    })?;
    match value.get("schema").and_then(Value::as_str) {
        Some(SCHEMA) => {}
        Some(other) => {
            let what = format!("its schema is \"{other}\", and \"{SCHEMA}\" was expected");
            return Err(Error::invalid(what).hint(MEASURE));
        }
        None => {
            return Err(Error::invalid("it is no measurement: it has no \"schema\"").hint(MEASURE));
        }
    }
    serde_json::from_value(value)
        .map_err(|e| Error::invalid(format!("it is no measurement: {e}")).hint(MEASURE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_measurement_is_told_with_its_remedy() {
        let told = |text: &str| parse(text).expect_err(text).in_one_line();
        assert!(told("{\n  \"schema\": ").contains("it is no JSON"));
        assert_eq!(parse("{\n  nonsense").expect_err("no JSON").line, Some(2));
        assert!(told("[]").contains("it has no \"schema\""));
        assert!(told(r#"{"schema":"hftune/host/1"}"#).contains("its schema is \"hftune/host/1\""));
        assert!(told(r#"{"schema":"hftune/jitter/1"}"#).contains("missing field"));
        assert!(told("").contains(MEASURE));
    }

    #[test]
    fn a_measurement_is_read() {
        let text = r#"{"schema":"hftune/jitter/1","time":"t","host":"h","kernel":"k","seconds":1,
            "counter_ghz":2.5,"warnings":[],"cpus":[]}"#;
        assert_eq!(parse(text).expect("a measurement").host, "h");
    }
}
