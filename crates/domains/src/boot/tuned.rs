//! What tuned adds to the kernel's arguments.
//!
//! An entry that holds `$tuned_params` gets the words that tuned keeps in GRUB's environment block; on Debian the menu
//! itself sets that variable. `/etc/tuned/bootcmdline` holds the same words for what is made later (tuned:
//! tuned/plugins/plugin_bootloader.py, 00_tuned, 92-tuned.install). hftune leaves the variable where it is.

use std::path::Path;

use hftune_model::host::{BootKind, BootLoader};

use super::argument::Argument;
use super::cmdline::{self, Edit};
use super::record::{self, Record};
use super::{dropin, grub_cfg, grub_default, grubenv, staged};

/// Where tuned keeps its words for later.
pub const BOOTCMDLINE: &str = "/etc/tuned/bootcmdline";

/// What takes them away.
pub const FIX: &str =
    "tuned-adm off, or a tuned profile without it (tuned-adm profile NAME); then reboot";

/// The variable of GRUB.
const VARIABLE: &str = "tuned_params";

/// An argument of tuned that means another thing than an argument of the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rival {
    /// The argument that it is.
    pub argument: Argument,
    /// Where tuned keeps it.
    pub place: String,
    /// Whether the kernel takes it, with the argument of the profile in the entry too.
    pub wins: bool,
}

/// What tuned says of an argument, where some entry takes its words and they differ.
pub fn rival(argument: &Argument, loader: &BootLoader) -> Option<Rival> {
    let (words, place) = words(loader)?;
    let found =
        cmdline::find(&words, &argument.name).filter(|token| !argument.is(token.value()))?;
    let ours = ours(loader);
    let mut uses = staged::entries(loader)
        .into_iter()
        .filter(|entry| {
            cmdline::tokens(&entry.options)
                .iter()
                .any(|token| is_variable(token.raw))
        })
        .peekable();
    uses.peek()?;
    let wins = uses.any(|entry| {
        let edit = Edit::new(&entry.options, &ours, std::slice::from_ref(argument));
        let line = expand(&edit.apply(&entry.options), &words);
        cmdline::find(&line, &argument.name).is_some_and(|token| token.raw == found.raw)
    });
    let argument = Argument::new(found.name(), found.value());
    Some(Rival {
        argument,
        place,
        wins,
    })
}

/// Puts the words of tuned in place of its variable.
pub fn expand(options: &str, words: &str) -> String {
    options
        .replace("${tuned_params}", words)
        .replace("$tuned_params", words)
}

/// The words of tuned that GRUB's menu sets, where it does.
pub fn in_menu(menu: &str) -> Option<String> {
    grub_cfg::variable(menu, VARIABLE)
}

fn is_variable(word: &str) -> bool {
    matches!(word, "$tuned_params" | "${tuned_params}")
}

/// The words of tuned and where they stand: what GRUB will put into the entries, else what tuned keeps for later.
fn words(loader: &BootLoader) -> Option<(String, String)> {
    let staged = if let Some((path, menu)) = staged::menu(loader) {
        in_menu(menu).map(|words| (words, format!("{VARIABLE} in {}", path.display())))
    } else {
        staged::environment(loader).and_then(|(path, block)| {
            let words = grubenv::value(block, VARIABLE)?.into_owned();
            Some((words, format!("{VARIABLE} in {}", path.display())))
        })
    };
    staged.or_else(|| {
        let text = loader.files.get(Path::new(BOOTCMDLINE))?;
        let last = grub_default::assignments(text, "TUNED_BOOT_CMDLINE")
            .ok()?
            .pop()?;
        Some((last.value, format!("{BOOTCMDLINE}:{}", last.line)))
    })
}

/// The words that hftune wrote earlier.
fn ours(loader: &BootLoader) -> Vec<String> {
    let text = |path: &str| loader.files.get(Path::new(path));
    match loader.kind {
        BootKind::GrubMkconfig => text(dropin::PATH).map(|text| dropin::words(text)),
        _ => text(record::PATH).map(|text| Record::parse(text).words),
    }
    .unwrap_or_default()
}
