//! The resolved plan of a host in the words of other tools, for those who may not install a binary.
//!
//! ```text
//! Export -> Pieces -> one file per format -> Written
//! ```
//! A piece that a format has no word for is [`Unsaid`](hftune_model::export::Unsaid): a comment in the output, and a line of the
//! command's own. Ids stay in comments, so that `hftune explain ID` tells about them.

mod pieces;
mod ports;
mod quote;
mod shell;
mod sysctl;

use std::fmt::Write as _;

use hftune_model::export::{Export, Unsaid, Written};

use pieces::Pieces;

/// A format of [`write`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A profile of tuned.
    Tuned,
    /// A playbook of Ansible.
    Ansible,
    /// A script for any POSIX shell, with its own undo.
    Shell,
    /// A part of a kickstart file.
    Kickstart,
    /// Files of an image of bootc.
    Bootc,
    /// A file of sysctl.d.
    Sysctl,
}

/// Writes an export in a format.
pub fn write(export: &Export, format: Format) -> Written {
    let pieces = Pieces::of(export);
    match format {
        Format::Shell => shell::write(&pieces),
        Format::Sysctl => sysctl::write(&pieces),
        _ => todo(),
    }
}

fn todo() -> Written {
    Written::default()
}

/// The comment that stands over what has ids.
fn comment(ids: &[&str]) -> String {
    let mut text = String::new();
    for id in ids {
        let _ = writeln!(text, "# {id}");
    }
    text
}

/// What the format cannot say, as comments.
fn unsaid_comments(unsaid: &[Unsaid]) -> String {
    if unsaid.is_empty() {
        return String::new();
    }
    let mut text = String::from("#\n# Not in here:\n");
    for unsaid in unsaid {
        let _ = writeln!(text, "#   {}: {}", unsaid.id, unsaid.reason);
    }
    text
}
