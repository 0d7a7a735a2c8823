//! Boot loaders that hftune does not edit: the exact arguments to add, and the proof once they are there.

use std::path::Path;

use hftune_model::finding::Verdict;
use hftune_model::host::{BootLoader, Kernel};

use super::argument::{Argument, skip};
use super::cmdline;
use super::placed::{Placed, line};
use crate::Context;

/// The configuration of boot loaders that are known by name only: it tells where the arguments go.
///
/// `append` of extlinux (<https://wiki.syslinux.org/wiki/index.php?title=Config>), `parameters` of zipl.conf(5),
/// `kernel` of GRUB 1 (its manual, "Making GRUB bootable").
pub const HAND_WRITTEN: [&str; 4] = [
    EXTLINUX,
    ZIPL,
    "/boot/grub/menu.lst",
    "/boot/grub/grub.conf",
];

const EXTLINUX: &str = "/boot/extlinux/extlinux.conf";
const ZIPL: &str = "/etc/zipl.conf";

/// A machine whose boot loader hftune does not know, or knows by its configuration only.
pub fn unknown(cx: &Context<'_>, wanted: &[Argument]) -> Placed {
    let (why, place) = match configuration(&cx.host.boot_loader) {
        Some(EXTLINUX) => (
            format!(
                "extlinux or U-Boot boots this machine by {EXTLINUX}, which hftune does not edit"
            ),
            format!(
                "the append line in {EXTLINUX} (where u-boot-update writes it: U_BOOT_PARAMETERS in /etc/default/u-boot)"
            ),
        ),
        Some(ZIPL) => (
            format!("zipl boots this machine by {ZIPL}, which hftune does not edit"),
            format!("the parameters line in {ZIPL}, and run zipl"),
        ),
        Some(path) => (
            format!("GRUB 1 boots this machine by {path}, which hftune does not edit"),
            format!("the kernel line in {path}"),
        ),
        None => (
            "hftune does not know what boots this machine".to_owned(),
            "the kernel's arguments in the boot loader".to_owned(),
        ),
    };
    place_by_hand(&cx.host.kernel, wanted, &why, |missing| {
        format!("add to {place}, then reboot: {}", line(missing))
    })
}

fn configuration(loader: &BootLoader) -> Option<&'static str> {
    HAND_WRITTEN
        .into_iter()
        .find(|path| loader.files.contains_key(Path::new(path)))
}

/// Keeps the arguments that are on the running kernel's command line, and says of the others, once for all of them, how
/// to add them.
pub fn place_by_hand(
    kernel: &Kernel,
    wanted: &[Argument],
    why: &str,
    how: impl Fn(&[Argument]) -> String,
) -> Placed {
    let running = kernel.cmdline.as_str();
    let (kept, missing): (Vec<Argument>, Vec<Argument>) = wanted
        .iter()
        .cloned()
        .partition(|argument| argument.is_on(running));
    let mut placed = Placed {
        kept,
        ..Placed::default()
    };
    if missing.is_empty() {
        return placed;
    }
    let mut fix = how(&missing);
    let in_the_way: Vec<&str> = cmdline::tokens(running)
        .iter()
        .filter(|token| {
            let same = |argument: &&Argument| cmdline::same_name(&argument.name, token.name());
            cmdline::first_wins(token.name()) && missing.iter().any(|a| same(&a))
        })
        .map(|token| token.raw)
        .collect();
    if !in_the_way.is_empty() {
        fix.push_str("; and take out, since the kernel takes the first: ");
        fix.push_str(&in_the_way.join(" "));
    }
    if let Some(too_long) = cmdline::too_long(
        &format!("{running} {}", line(&missing)),
        &kernel.architecture,
    ) {
        fix.push_str("; but ");
        fix.push_str(&too_long);
    }
    let first = missing[0].id();
    for (number, argument) in missing.iter().enumerate() {
        placed.skipped.push(skip(
            &argument.name,
            Verdict::NotPermitted,
            format!("{why}; {argument} is missing"),
            Some(if number == 0 {
                fix.clone()
            } else {
                format!("see {first}, which has one line for all of them")
            }),
        ));
    }
    placed
}
