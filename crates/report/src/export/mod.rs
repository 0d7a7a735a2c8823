//! The resolved plan of a host in the words of other tools, for those who may not install a binary.
//!
//! ```text
//! Export -> Pieces -> one file per format -> Written
//! ```
//! A piece that a format has no word for is [`Unsaid`](hftune_model::export::Unsaid): a comment in the output, and a line of the
//! command's own. Ids stay in comments, so that `hftune explain ID` tells about them.

mod ansible;
mod bootc;
mod kickstart;
mod pieces;
mod ports;
mod quote;
mod shell;
mod sysctl;
mod tuned;

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
        Format::Tuned => tuned::write(&pieces),
        Format::Ansible => ansible::write(&pieces),
        Format::Shell => shell::write(&pieces),
        Format::Kickstart => kickstart::write(&pieces),
        Format::Bootc => bootc::write(&pieces),
        Format::Sysctl => sysctl::write(&pieces),
    }
}

/// The first lines of every file: what it is, and for which CPUs.
fn header(pieces: &Pieces<'_>, format: &str) -> String {
    let cpus = &pieces.export.cpus;
    let isolated = if cpus.isolated.is_empty() {
        "and no other is isolated".to_owned()
    } else {
        format!("{} are isolated", cpus.isolated)
    };
    format!(
        "# Made by \"hftune export --format {format}\" out of the profile {}, for one machine: one with its CPUs.\n\
         # CPUs {} serve the OS, {isolated}.\n\
         # Settings stand under their ids; \"hftune explain ID\", on any machine, tells what each does and why.\n",
        one_line(&pieces.export.profile),
        cpus.housekeeping,
    )
}

/// A text that ends no comment.
fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
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
