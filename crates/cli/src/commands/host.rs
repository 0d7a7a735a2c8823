//! `hftune host`

use std::path::Path;

use hftune_engine::capture;
use hftune_model::{Error, Kind, Result};
use hftune_report::capture::{Captured, human};
use hftune_sys::{Reader, Root};

use super::write_output;
use crate::args::Host;
use crate::{Answer, terminal};

/// A capture is for its owner's eyes until he gives it away.
const MODE: u32 = 0o600;

pub(super) fn run(root: Root, args: &Host) -> Result<Answer> {
    if let Some(file) = &args.capture {
        return write_capture(root, file, args);
    }
    let host = hftune_engine::host::read(&Reader::new(&root));
    Ok(Answer::ok(if args.output.json {
        hftune_report::host::json(&host)
    } else {
        hftune_report::host::human(&host, terminal::width())
    }))
}

fn write_capture(root: Root, file: &Path, args: &Host) -> Result<Answer> {
    let here = Root::live();
    let path = std::path::absolute(file).map_err(|e| Error::io("find it", file, &e))?;
    // Before anything is read: a name that cannot be written to is told at once.
    if !args.force && here.exists(&path) {
        return Err(Error::new(Kind::Conflict, "it exists already")
            .at(file)
            .hint("name another file, or add --force to replace this one"));
    }
    here.metadata(&path)?;
    let capture = capture::capture(root)?;
    terminal::warn(&capture.warnings);
    if capture.unread.iter().any(capture::Refused::only_root) {
        terminal::warn(&["what only root may read is not in it; run it with sudo".to_owned()]);
    }
    write_output(&here, &path, &capture.archive, MODE)?;
    let captured = Captured {
        schema: "hftune/captured/1",
        file,
        bytes: capture.archive.len(),
        files: capture.files,
        blanked: capture
            .blanked
            .iter()
            .map(|blanked| format!("{}: {}", blanked.path.display(), blanked.name))
            .collect(),
        unread: capture
            .unread
            .iter()
            .map(|refused| format!("{}: {}", refused.path.display(), refused.why))
            .collect(),
    };
    Ok(Answer::ok(if args.output.json {
        hftune_report::to_json(&captured)
    } else {
        human(&captured)
    }))
}
