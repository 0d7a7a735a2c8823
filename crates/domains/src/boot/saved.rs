//! The proof that a boot argument survives the next boot, in two states: staged, which is what the boot loader will give
//! to the kernels that are installed, and template, from which the next kernel's entry is made.

use std::path::Path;

use hftune_model::finding::Proof;
use hftune_model::host::{BootKind, BootLoader};
use hftune_sys::Reader;

use super::argument::{Argument, shown};
use super::cmdline::{find, which_wins};
use super::holders::{DEFAULT_GRUB, VARIABLE, default_variable};
use super::mkconfig::Template;
use super::placed::unread;
use super::proof::failed;
use super::staged::Staged;
use super::{bls, dropin, grub_default, kernel_cmdline, staged, tuned};
use crate::Context;

/// Whether the argument survives the next boot: every entry that is not for recovery has it, and so has the template
/// from which the next kernel's entry is made. The remedy comes with it, where it is not another set-up.
pub fn saved(
    argument: &Argument,
    cx: &Context<'_>,
    reader: &Reader<'_>,
) -> (Proof, Option<String>) {
    let loader = &cx.host.boot_loader;
    let entries = staged::entries(loader);
    if let Some(proof) = undecided(argument, cx, reader, entries.is_empty()) {
        return (proof, None);
    }
    if let Some(rival) = tuned::rival(argument, loader).filter(|rival| rival.wins) {
        let by = format!(
            "tuned adds {} ({}), and the kernel takes the {} {}=",
            rival.argument,
            rival.place,
            which_wins(&argument.name),
            argument.name
        );
        return (
            Proof::Overridden(rival.argument.to_string(), by),
            Some(tuned::FIX.to_owned()),
        );
    }
    let templates = templates(loader);
    let told = [
        lacking_entries(argument, &entries),
        lacking_templates(argument, &templates),
    ];
    let nowhere = || {
        let mut lines = entries
            .iter()
            .map(|entry| &entry.arguments)
            .chain(templates.iter().map(|template| &template.arguments));
        lines.all(|line| find(line, &argument.name).is_none())
    };
    let told: Vec<String> = told.into_iter().flatten().collect();
    let proof = if told.is_empty() {
        Proof::Holds(argument.shown())
    } else if nowhere() {
        Proof::Differs(String::new())
    } else {
        Proof::Differs(told.join("; "))
    };
    (proof, None)
}

/// The proof where the entries and templates need not, or cannot, be compared.
fn undecided(
    argument: &Argument,
    cx: &Context<'_>,
    reader: &Reader<'_>,
    no_entries: bool,
) -> Option<Proof> {
    let loader = &cx.host.boot_loader;
    match loader.kind {
        BootKind::GrubMkconfig => {
            let template = Template::read(&loader.files, |_, _| true);
            if let Some((path, line)) = &template.reset
                && find(&template.command_line(), &argument.name).is_none()
            {
                let by = format!(
                    "{}:{line} assigns {} anew after {}",
                    path.display(),
                    dropin::VARIABLE,
                    dropin::PATH
                );
                return Some(Proof::Overridden(String::new(), by));
            }
        }
        BootKind::Unknown if no_entries => {
            let why = "hftune does not know what boots this machine";
            return Some(Proof::None(why.to_owned()));
        }
        _ => {}
    }
    unreadable(loader.kind, cx, reader, no_entries)
}

/// What entries to come are made from.
struct Source {
    /// What is made from it: "the next kernel".
    makes: &'static str,
    place: String,
    arguments: String,
}

fn templates(loader: &BootLoader) -> Vec<Source> {
    let file = |path: &str| loader.files.get(Path::new(path));
    let kernel = |place: &str, text: &str| Source {
        makes: "the next kernel",
        place: place.to_owned(),
        arguments: text.to_owned(),
    };
    match loader.kind {
        BootKind::GrubMkconfig => {
            let text = Template::read(&loader.files, |_, _| true).command_line();
            vec![kernel("/etc/default/grub and grub.d", &text)]
        }
        BootKind::Bls | BootKind::Grub2Menu => {
            let mut found = Vec::new();
            if let Some(text) = file(DEFAULT_GRUB) {
                let assigned = grub_default::assignments(text, VARIABLE).unwrap_or_default();
                let value = assigned.last().map_or("", |last| &last.value);
                let (after, _) = default_variable(text).unwrap_or_default();
                found.push(Source {
                    makes: "the next grub2-mkconfig",
                    place: DEFAULT_GRUB.to_owned(),
                    arguments: format!("{value} {after}"),
                });
            }
            if loader.kind == BootKind::Bls {
                let own = [kernel_cmdline::PATH, kernel_cmdline::VENDOR]
                    .into_iter()
                    .find_map(|path| Some(kernel(path, file(path)?)));
                found.extend(own);
            }
            found
        }
        _ => Vec::new(),
    }
}

/// The staged state, where it is not as wanted: "the entry A has 4-7, as 2 of 3 entries differ".
fn lacking_entries(argument: &Argument, entries: &[Staged]) -> Option<String> {
    let mut wrong = entries
        .iter()
        .filter(|entry| !argument.is_on(&entry.arguments));
    let first = wrong.next()?;
    let what = match value_on(argument, &first.arguments) {
        None => "lacks it".to_owned(),
        Some(value) => format!("has {value}"),
    };
    let more = match wrong.count() {
        0 => String::new(),
        more => format!(", and {more} more of {} entries differ", entries.len()),
    };
    Some(format!("the entry {what}: {}{more}", first.place()))
}

/// The template state, where it is not as wanted.
fn lacking_templates(argument: &Argument, templates: &[Source]) -> Option<String> {
    let wrong = templates
        .iter()
        .filter(|template| !argument.is_on(&template.arguments))
        .map(|template| match value_on(argument, &template.arguments) {
            None => format!("{} will lack it: {}", template.makes, template.place),
            Some(value) => format!("{} will get {value}: {}", template.makes, template.place),
        });
    let wrong: Vec<String> = wrong.collect();
    (!wrong.is_empty()).then(|| wrong.join("; "))
}

fn value_on(argument: &Argument, line: &str) -> Option<String> {
    find(line, &argument.name).map(|token| shown(token.value()))
}

/// Why the entries cannot be judged, where they cannot.
fn unreadable(kind: BootKind, cx: &Context<'_>, reader: &Reader<'_>, none: bool) -> Option<Proof> {
    if kind == BootKind::GrubMkconfig {
        return none.then(|| match reader.text(staged::GRUB_CFG) {
            Err(e) => failed(&e),
            Ok(_) => Proof::Unknown(format!(
                "{} has no entry that boots Linux",
                staged::GRUB_CFG
            )),
        });
    }
    if let Some((path, _)) = staged::menu(&cx.host.boot_loader) {
        let why = format!("{} has no entry that boots Linux", path.display());
        return none.then_some(Proof::Unknown(why));
    }
    if let Some(e) = unread(&[bls::DIRECTORY], "conf", &cx.host.boot_loader, reader) {
        return Some(failed(&e));
    }
    none.then(|| {
        Proof::Unknown(format!(
            "{} has no entry that is not for rescue",
            bls::DIRECTORY
        ))
    })
}
