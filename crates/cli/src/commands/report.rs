//! `hftune report`

use std::path::Path;

use hftune_domains::irq::map;
use hftune_engine::machine::Machine;
use hftune_model::jitter::{Jitter, SCHEMA};
use hftune_model::{Error, Kind, Result};
use hftune_report::html::{Page, page};
use hftune_sys::write::Metadata;
use hftune_sys::{Root, identity};

use crate::args::Report;
use crate::{Answer, terminal};

/// A page is for everybody who may see the directory.
const MODE: u32 = 0o644;

pub(super) fn run(root: &Root, args: &Report) -> Result<Answer> {
    // Measurements and the page are on the machine that runs this, whatever machine the page is about.
    let here = Root::live();
    let output = absolute(&args.output)?;
    if !args.overwrite && here.exists(&output) {
        return Err(Error::new(Kind::Conflict, "it exists already")
            .at(&args.output)
            .hint("name another page with -o, or add --overwrite to replace this one"));
    }
    let measured = args
        .measured
        .iter()
        .map(|file| read(&here, file))
        .collect::<Result<Vec<Jitter>>>()?;
    let machine = Machine::read(root, args.choices.choices()?)?;
    terminal::warn(&machine.warnings);
    let (findings, notes) = machine.verify()?;
    let title = title(root, &measured);
    let html = page(&Page {
        title: &title,
        host: &machine.host,
        cpus: &machine.cpus,
        irqs: &map(&machine.context()),
        profile: &machine.resolved.profile.name,
        findings: &findings,
        notes: &notes,
        measured: &measured,
    });
    let (uid, gid) = identity::owner();
    let metadata = Metadata {
        mode: MODE,
        uid,
        gid,
        xattrs: Vec::new(),
    };
    here.write_atomic(&output, html.as_bytes(), &metadata)?;
    Ok(Answer::ok(format!(
        "{}: {} KiB\n",
        args.output.display(),
        html.len().div_ceil(1024)
    )))
}

fn absolute(file: &Path) -> Result<std::path::PathBuf> {
    std::path::absolute(file).map_err(|e| Error::io("find it", file, &e))
}

/// The name of the machine.
fn title(root: &Root, measured: &[Jitter]) -> String {
    let name = root
        .read_text("/proc/sys/kernel/hostname")
        .or_else(|_| root.read_text("/etc/hostname"));
    let name = name.map(|name| name.trim().to_owned()).unwrap_or_default();
    match (name.is_empty(), measured.last()) {
        (false, _) => name,
        (true, Some(jitter)) => jitter.host.clone(),
        (true, None) => "a server".to_owned(),
    }
}

fn read(here: &Root, file: &Path) -> Result<Jitter> {
    let remedy = "make it with: hftune jitter --json > FILE";
    let text = here.read_text(absolute(file)?)?;
    let jitter: Jitter = serde_json::from_str(&text).map_err(|e| {
        Error::invalid(format!("it is no measurement of jitter: {e}"))
            .at(file)
            .line(e.line())
            .hint(remedy)
    })?;
    if jitter.schema != SCHEMA {
        return Err(Error::invalid(format!(
            "its schema is {:?}, and {SCHEMA:?} is read",
            jitter.schema
        ))
        .at(file)
        .hint(remedy));
    }
    Ok(jitter)
}
