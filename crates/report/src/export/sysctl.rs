//! A file for `/etc/sysctl.d`.

use std::fmt::Write as _;
use std::path::Path;

use hftune_model::export::{Found, Output, Unsaid, Written};

use super::pieces::{Pieces, SYSCTL_FILE};
use super::{comment, header, unsaid_comments};

/// The file of sysctls, and what is in its place.
pub(super) struct File {
    pub(super) content: String,
    pub(super) found: Found,
}

/// The lines with their ids, as the file that hftune itself writes has them.
pub(super) fn lines(pieces: &Pieces<'_>) -> String {
    let mut text = String::new();
    let mut last = "";
    for (id, line) in &pieces.sysctl {
        if *id != last {
            text.push_str(&comment(&[id]));
            last = id;
        }
        let _ = writeln!(text, "{line}");
    }
    text
}

/// The file that other formats bring along; `None` where there is nothing to set.
pub(super) fn place(pieces: &Pieces<'_>) -> Option<File> {
    let path = Path::new(SYSCTL_FILE);
    let found = pieces.export.found.get(path).cloned();
    (!pieces.sysctl.is_empty()).then(|| File {
        content: format!("# Made by \"hftune export\".\n{}", lines(pieces)),
        found: found.unwrap_or(Found::Absent),
    })
}

/// The format `sysctl`.
pub(super) fn write(pieces: &Pieces<'_>) -> Written {
    let has_line = |id: &str| pieces.sysctl.iter().any(|(known, _)| *known == id);
    let mut unsaid = pieces.unsaid.clone();
    for setting in &pieces.export.settings {
        let known = unsaid.iter().any(|unsaid| unsaid.id == setting.id);
        // The pools of all nodes are one line, which the first of them has.
        let pool = setting.id.starts_with("hugepages/")
            && pieces
                .sysctl
                .iter()
                .any(|(id, _)| id.starts_with("hugepages/"));
        // A pattern without an interface has no line of its own value.
        if !known && !pool && !has_line(&setting.id) {
            unsaid.push(Unsaid {
                id: setting.id.clone(),
                reason: "no sysctl sets it".to_owned(),
            });
        }
    }
    let content = format!(
        "{}# Install it as {SYSCTL_FILE}, then: sysctl --system. To undo it, remove the file and reboot.\n{}\n{}",
        header(pieces, "sysctl"),
        unsaid_comments(&unsaid),
        lines(pieces),
    );
    Written {
        files: vec![Output {
            path: "99-hft.conf".into(),
            content,
            mode: 0o644,
        }],
        unsaid,
    }
}
