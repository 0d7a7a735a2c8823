//! The RHEL family and Fedora: every entry that is not for rescue, and the two files from which the next kernel's entry
//! is made. No program is run: grub2-mkconfig changes no entry there since 9.3.

use std::path::{Path, PathBuf};

use hftune_model::finding::{Skipped, Verdict};
use hftune_model::host::BootLoader;
use hftune_model::setting::Artifact;
use hftune_model::{Error, Result};

use super::argument::Argument;
use super::cmdline::{self, Edit, Token};
use super::placed::{Conflict, Placed, overridden, refuse};
use super::record::{self, Record};
use super::{bls, dropin, grub_default, grubenv, kernel_cmdline, staged};
use crate::Context;

/// The file of GRUB's defaults.
pub const DEFAULT_GRUB: &str = "/etc/default/grub";

/// Its variable for all entries.
pub const VARIABLE: &str = "GRUB_CMDLINE_LINUX";

/// RHEL 8's variable in the environment block.
const KERNELOPTS: &str = "kernelopts";

/// A place that holds boot arguments.
struct Place<'a> {
    path: &'a Path,
    file: &'a str,
    kind: Holder,
    line: usize,
    /// The arguments that it holds now.
    arguments: String,
    /// What the boot loader's tools put after them, from another variable of the same file, with its line.
    followed_by: Option<(String, usize)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    Entry,
    Environment,
    KernelCmdline,
    DefaultGrub,
}

impl Place<'_> {
    /// The place as it is to be.
    fn edited(&self, edit: &Edit) -> Result<Artifact> {
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

/// Where the arguments go.
pub fn place(cx: &Context<'_>, wanted: &[Argument]) -> Placed {
    let loader = &cx.host.boot_loader;
    let Record {
        words: ours,
        entries: before,
    } = match loader.files.get(Path::new(record::PATH)) {
        Some(text) => Record::parse(text),
        None => Record {
            words: Vec::new(),
            entries: entry_names(loader),
        },
    };
    let mut placed = Placed::default();
    let mut holders = Vec::new();
    for found in places_of(cx) {
        match found {
            Ok(place) => holders.push(place),
            Err(e) => placed.skipped.push(cannot_edit(&e)),
        }
    }
    for argument in wanted {
        let conflicts: Vec<Conflict> = holders
            .iter()
            .filter_map(|place| conflict(place, &ours, argument))
            .collect();
        if conflicts.is_empty() {
            placed.kept.push(argument.clone());
        } else {
            placed.skipped.push(overridden(argument, &conflicts));
        }
    }
    if let Some(reason) = too_long(cx, &holders, &ours, &placed.kept) {
        let fix = "take arguments out with grubby --update-kernel=ALL --remove-args=\"...\"";
        let refused = std::mem::take(&mut placed.kept);
        placed.skipped.extend(refuse(&refused, &reason, Some(fix)));
        return placed;
    }

    let mut written = ours.clone();
    let mut files = Vec::new();
    for place in &holders {
        let edit = Edit::new(&place.arguments, &ours, &placed.kept);
        match place.edited(&edit) {
            Ok(artifact) => {
                written.extend(edit.insert);
                files.push(artifact);
            }
            Err(e) => {
                let error = e.at(place.path);
                placed.skipped.push(cannot_edit(&error));
                // Every entry takes its arguments from there: a template alone would break the next grub2-mkconfig.
                if place.kind == Holder::Environment {
                    let refused = std::mem::take(&mut placed.kept);
                    let fix = error.hint.as_deref();
                    placed
                        .skipped
                        .extend(refuse(&refused, &error.to_string(), fix));
                    return placed;
                }
            }
        }
    }
    if files.is_empty() {
        let refused = std::mem::take(&mut placed.kept);
        let reason = "no file that holds boot arguments can be edited";
        placed.skipped.extend(refuse(
            &refused,
            reason,
            Some("grubby --update-kernel=ALL --args=\"...\""),
        ));
        return placed;
    }
    if !holders
        .iter()
        .any(|place| matches!(place.kind, Holder::Entry | Holder::Environment))
    {
        placed.warnings.push(format!(
            "no boot entry in {} can be read, so the plan leaves them out; run it as root",
            bls::DIRECTORY
        ));
    }
    if let Some((line, text)) = loader.files.get(Path::new(DEFAULT_GRUB)).and_then(|text| {
        let last = grub_default::assignments(text, "GRUB_ENABLE_BLSCFG")
            .ok()?
            .pop()?;
        Some((last.line, last.value))
    }) && text == "false"
    {
        placed.warnings.push(format!(
            "{DEFAULT_GRUB}:{line} has GRUB_ENABLE_BLSCFG=false: the next grub2-mkconfig makes a menu without these entries, \
             rescue kernels with the arguments too"
        ));
    }
    if !holders
        .iter()
        .any(|place| matches!(place.kind, Holder::KernelCmdline | Holder::Environment))
    {
        // Not made here: it would have to hold every argument of the next kernel, root= among them, for good.
        placed.warnings.push(format!(
            "there is no {}, so kernel-install gives a new kernel the arguments of the running one: those of hftune from the \
             next boot on. Reboot before you install a kernel",
            kernel_cmdline::PATH
        ));
    }
    let words = placed.kept.iter().map(ToString::to_string);
    let record = Record {
        words: words.filter(|word| written.contains(word)).collect(),
        entries: before,
    };
    if !record.words.is_empty() {
        // First, so that after a crash nothing stands in an entry that is not known to be ours.
        placed.artifacts.push(Artifact::File {
            path: PathBuf::from(record::PATH),
            content: record.render(),
            mode: 0o644,
        });
    }
    placed.artifacts.append(&mut files);
    placed
}

/// The first place whose command line the kernel would cut off: an entry as it boots, or the template of the next one.
fn too_long(
    cx: &Context<'_>,
    holders: &[Place<'_>],
    ours: &[String],
    kept: &[Argument],
) -> Option<String> {
    let entries = staged::entries(&cx.host.boot_loader);
    let kernel = entries.first();
    let with = |text: &str| Edit::new(text, ours, kept).apply(text);
    let booted = entries.iter().map(|entry| {
        let line = entry.command_line(&with(&entry.arguments));
        (entry.place(), line)
    });
    let templates = holders
        .iter()
        .filter(|place| matches!(place.kind, Holder::KernelCmdline | Holder::DefaultGrub))
        .map(|place| {
            let line = with(&place.arguments);
            let line = match kernel {
                Some(entry) => entry.command_line(line.trim()),
                None => line,
            };
            (format!("{}:{}", place.path.display(), place.line), line)
        });
    booted.chain(templates).find_map(|(place, line)| {
        let why = cmdline::too_long(&line, &cx.host.kernel.architecture)?;
        Some(format!("{place}: {why}"))
    })
}

/// The file names of all entries.
fn entry_names(loader: &BootLoader) -> Vec<String> {
    loader
        .files
        .keys()
        .filter(|path| path.starts_with(bls::DIRECTORY))
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect()
}

/// The places in the order in which they are written. `/etc/default/grub` comes before `/etc/kernel/cmdline`: the hook
/// of kernel-install takes the second for out of date where it is older.
fn places_of<'a>(cx: &'a Context<'_>) -> Vec<Result<Place<'a>>> {
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
fn conflict(place: &Place<'_>, ours: &[String], argument: &Argument) -> Option<Conflict> {
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

fn cannot_edit(error: &Error) -> Skipped {
    let path = error.path.as_deref().unwrap_or(Path::new("/"));
    Skipped {
        id: format!("boot{}", path.display()),
        verdict: Verdict::NotPermitted,
        reason: error.to_string(),
        fix: error.hint.clone(),
    }
}
