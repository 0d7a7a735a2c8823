//! The RHEL family and Fedora: every entry that is not for rescue, and the two files from which the next kernel's entry
//! is made. No program is run: grub2-mkconfig changes no entry there since 9.3.

use std::path::Path;

use super::argument::Argument;
use super::cmdline::{self, Edit};
use super::holders::{DEFAULT_GRUB, Holder, Place, conflict, places_of};
use super::placed::{Conflict, Placed, cannot_edit, holds, overridden, refuse};
use super::record::Record;
use super::{bls, grub_default, kernel_cmdline, staged};
use crate::Context;

/// Where the arguments go.
pub fn place(cx: &Context<'_>, wanted: &[Argument]) -> Placed {
    let loader = &cx.host.boot_loader;
    let recorded = Record::of(loader);
    let ours = recorded.words.clone();
    let mut placed = Placed::default();
    let mut holders = Vec::new();
    let mut unknown_place = false;
    for found in places_of(cx) {
        match found {
            Ok(place) => holders.push(place),
            Err(e) => {
                unknown_place = true;
                placed.skipped.push(cannot_edit(&e));
            }
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
    let words: Vec<String> = words.filter(|word| written.contains(word)).collect();
    let record = recorded.with(words, loader, |word| {
        unknown_place || holders.iter().any(|place| holds(&place.arguments, word))
    });
    placed.artifacts.extend(record.artifact());
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
