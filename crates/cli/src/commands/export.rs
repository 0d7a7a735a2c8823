//! `hftune export`

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use hftune_engine::export;
use hftune_engine::machine::Machine;
use hftune_model::export::{Output, Written};
use hftune_model::{Error, Kind, Result};
use hftune_report::export::{Format, write};
use hftune_sys::Root;

use super::write_output;
use crate::args::{Export, ExportFormat};
use crate::{Answer, terminal};

pub(super) fn run(root: &Root, args: &Export) -> Result<Answer> {
    let machine = Machine::read(root, args.choices.choices()?)?;
    terminal::warn(&machine.warnings);
    let export = export::gather(&machine)?;
    let written = write(&export, format(args.format));
    let answer = match &args.output {
        None => to_standard_output(&written)?,
        Some(output) => to_files(&written, output, args.replace)?,
    };
    let notes: Vec<String> = export
        .skipped
        .iter()
        .map(|skipped| (&skipped.id, &skipped.reason))
        .chain(
            written
                .unsaid
                .iter()
                .map(|unsaid| (&unsaid.id, &unsaid.reason)),
        )
        .map(|(id, reason)| format!("not exported: {id}: {reason}"))
        .collect();
    terminal::warn(&notes);
    Ok(answer)
}

fn format(format: ExportFormat) -> Format {
    match format {
        ExportFormat::Tuned => Format::Tuned,
        ExportFormat::Ansible => Format::Ansible,
        ExportFormat::Shell => Format::Shell,
        ExportFormat::Kickstart => Format::Kickstart,
        ExportFormat::Bootc => Format::Bootc,
        ExportFormat::Sysctl => Format::Sysctl,
    }
}

fn to_standard_output(written: &Written) -> Result<Answer> {
    match &written.files[..] {
        [file] => Ok(Answer::ok(file.content.clone())),
        files => Err(Error::new(
            Kind::Usage,
            format!("this format has {} files", files.len()),
        )
        .hint("name a directory for them: -o DIR")),
    }
}

/// One file is written under the name that was given, or into the directory of that name; several into that directory.
fn to_files(written: &Written, output: &Path, replace: bool) -> Result<Answer> {
    // The files of the command line are those of this machine, whichever machine is told about.
    let here = Root::live();
    let output = std::path::absolute(output).map_err(|e| Error::io("find it", output, &e))?;
    let place = |file: &Output| -> PathBuf {
        if written.files.len() == 1 && !here.is_dir(&output) {
            output.clone()
        } else {
            output.join(&file.path)
        }
    };
    for file in &written.files {
        let path = place(file);
        if here.exists(&path) && !replace {
            return Err(Error::new(Kind::Conflict, "it exists already")
                .at(path)
                .hint("name another place, or replace it with --replace"));
        }
    }
    let mut text = String::new();
    for file in &written.files {
        let path = place(file);
        if written.files.len() > 1
            && let Some(directory) = path.parent()
        {
            here.make_dirs(directory, 0o755)?;
        }
        write_output(&here, &path, file.content.as_bytes(), file.mode)?;
        let _ = writeln!(text, "{} is written", path.display());
    }
    Ok(Answer::ok(text))
}
