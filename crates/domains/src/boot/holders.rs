//! The places that hold boot arguments on the RHEL family and Fedora.

use std::path::Path;

use hftune_model::setting::Artifact;
use hftune_model::{Error, Result};

use super::argument::Argument;
use super::cmdline::{self, Edit, Token};
use super::placed::Conflict;
use super::{bls, dropin, grub_default, grubenv, kernel_cmdline, staged};
use crate::Context;

/// The file of GRUB's defaults.
pub const DEFAULT_GRUB: &str = "/etc/default/grub";

/// Its variable for all entries.
pub const VARIABLE: &str = "GRUB_CMDLINE_LINUX";

/// RHEL 8's variable in the environment block.
const KERNELOPTS: &str = "kernelopts";

/// A place that holds boot arguments.
#[derive(Debug)]
pub struct Place<'a> {
    /// The file.
    pub path: &'a Path,
    /// Its text, or the text that it is to start from.
    file: &'a str,
    /// What it is.
    pub kind: Holder,
    /// The line of the arguments, counted from 1.
    pub line: usize,
    /// The arguments that it holds now.
    pub arguments: String,
    /// What the boot loader's tools put after them, from another variable of the same file, with its line.
    followed_by: Option<(String, usize)>,
}

/// What a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// An entry that is not for rescue.
    Entry,
    /// GRUB's environment block (RHEL 8).
    Environment,
    /// `/etc/kernel/cmdline`.
    KernelCmdline,
    /// `/etc/default/grub`.
    DefaultGrub,
}

impl Place<'_> {
    /// The place as it is to be.
    pub fn edited(&self, edit: &Edit) -> Result<Artifact> {
        let content = match self.kind {
            Holder::Environment => {
                let value = edit.apply(&self.arguments);
                // It is set in the block as that is then; here only whether the block has room for it.
                grubenv::set(self.file, KERNELOPTS, &grubenv::escape(&value))?;
                return Ok(Artifact::Variable {
                    path: self.path.to_owned(),
                    name: KERNELOPTS.to_owned(),
                    value,
                });
            }
            _ if edit.is_empty() => self.file.to_owned(),
            Holder::Entry => bls::edit(self.file, edit)?,
            Holder::KernelCmdline => kernel_cmdline::edit(self.file, edit)?,
            Holder::DefaultGrub => {
                grub_default::edit(self.file, VARIABLE, |value| edit.apply(value))?
            }
        };
        Ok(Artifact::File {
            path: self.path.to_owned(),
            content,
            mode: 0o644,
        })
    }
}

/// The places in the order in which they are written. `/etc/default/grub` comes before `/etc/kernel/cmdline`: the hook
/// of kernel-install takes the second for out of date where it is older.
pub fn places_of<'a>(cx: &'a Context<'_>) -> Vec<Result<Place<'a>>> {
    let loader = &cx.host.boot_loader;
    let file = |path: &str| {
        loader
            .files
            .get_key_value(Path::new(path))
            .map(|(path, text)| (path.as_path(), text.as_str()))
    };
    let mut places = Vec::new();
    if let Some((path, text)) = file(DEFAULT_GRUB) {
        places.push(
            grub_default::assignments(text, VARIABLE)
                .map_err(|e| e.at(path))
                .map(|found| {
                    let (line, arguments) = found
                        .last()
                        .map_or((1, String::new()), |last| (last.line, last.value.clone()));
                    Place {
                        path,
                        file: text,
                        kind: Holder::DefaultGrub,
                        line,
                        arguments,
                        followed_by: default_variable(text),
                    }
                }),
        );
    }
    // A vendor's template is overridden by a whole one, as kernel-install(8) has it.
    let of_vendor = || {
        let (_, text) = file(kernel_cmdline::VENDOR)?;
        Some((Path::new(kernel_cmdline::PATH), text))
    };
    if let Some((path, text)) = file(kernel_cmdline::PATH).or_else(of_vendor) {
        places.push(Ok(Place {
            path,
            file: text,
            kind: Holder::KernelCmdline,
            line: 1,
            arguments: text.to_owned(),
            followed_by: None,
        }));
    }
    let mut by_environment = false;
    for (path, entry) in staged::bls_entries(loader) {
        if cmdline::tokens(&entry.options)
            .iter()
            .any(|t| matches!(t.raw, "$kernelopts" | "${kernelopts}"))
        {
            by_environment = true;
            continue;
        }
        places.push(Ok(Place {
            path,
            file: &loader.files[path],
            kind: Holder::Entry,
            line: entry.line.unwrap_or(1),
            arguments: entry.options,
            followed_by: None,
        }));
    }
    if by_environment {
        places.push(environment_place(cx));
    }
    places
}

fn environment_place<'a>(cx: &'a Context<'_>) -> Result<Place<'a>> {
    let Some((path, text)) = staged::environment(&cx.host.boot_loader) else {
        return Err(Error::invalid(
            "the boot entries take $kernelopts from it, and it cannot be read",
        )
        .at("/boot/grub2/grubenv")
        .hint("run it as root; where it is a link to the EFI partition, mount that"));
    };
    let Some(value) = grubenv::value(text, KERNELOPTS) else {
        return Err(
            Error::invalid("it does not set kernelopts, which the boot entries use")
                .at(path)
                .hint("grub2-mkconfig -o /boot/grub2/grub.cfg sets it"),
        );
    };
    Ok(Place {
        path,
        file: text,
        kind: Holder::Environment,
        line: grubenv::line(text, KERNELOPTS).unwrap_or(1),
        arguments: value.into_owned(),
        followed_by: None,
    })
}

/// What grub2-mkconfig puts after [`VARIABLE`] in every entry that is not for recovery (10_linux), with its line.
pub fn default_variable(text: &str) -> Option<(String, usize)> {
    let last = grub_default::assignments(text, dropin::VARIABLE)
        .unwrap_or_default()
        .pop()?;
    Some((last.value, last.line))
}

/// The administrator's argument in this place that wins over ours.
pub fn conflict(place: &Place<'_>, ours: &[String], argument: &Argument) -> Option<Conflict> {
    if !cmdline::first_wins(&argument.name) {
        let (text, line) = place.followed_by.as_ref()?;
        let token =
            cmdline::find(text, &argument.name).filter(|token| !argument.is(token.value()))?;
        return Some(Conflict {
            place: format!("{}:{line}", place.path.display()),
            word: token.raw.to_owned(),
        });
    }
    let tokens = cmdline::tokens(&place.arguments);
    let not_ours: Vec<Token<'_>> = tokens
        .into_iter()
        .filter(|t| !ours.iter().any(|word| word == t.raw))
        .collect();
    let token = cmdline::effective(&not_ours, &argument.name)
        .filter(|token| !argument.is(token.value()))?;
    Some(Conflict {
        place: format!("{}:{}", place.path.display(), place.line),
        word: token.raw.to_owned(),
    })
}
