//! The RHEL family and Fedora with `GRUB_ENABLE_BLSCFG` not true: grub2-mkconfig makes a whole menu from
//! `/etc/default/grub`, and the entries of the Boot Loader Specification are not read.
//!
//! hftune does not run grub2-mkconfig there: what it makes where the line is absent differs from version to version, so
//! it might change how the machine boots altogether. The operator is told what to type, and the outcome is proved.

use super::argument::Argument;
use super::by_hand::place_by_hand;
use super::placed::{Placed, line};
use super::staged;
use crate::Context;

/// Keeps the arguments that are in the menu already, and says of the others how to add them.
pub fn place(cx: &Context<'_>, wanted: &[Argument]) -> Placed {
    let loader = &cx.host.boot_loader;
    let entries = staged::entries(loader);
    let path = staged::menu(loader).map_or("its grub.cfg".to_owned(), |(path, _)| {
        path.display().to_string()
    });
    let (staged, rest): (Vec<Argument>, Vec<Argument>) =
        wanted.iter().cloned().partition(|argument| {
            !entries.is_empty() && entries.iter().all(|entry| argument.is_on(&entry.arguments))
        });
    let why = format!(
        "GRUB boots from {path}, which grub2-mkconfig made without reading /boot/loader/entries (GRUB_ENABLE_BLSCFG is not \
         true), and hftune does not make it anew"
    );
    let mut placed = place_by_hand(&cx.host.kernel, &rest, &why, |missing| {
        format!(
            "add to GRUB_CMDLINE_LINUX_DEFAULT in /etc/default/grub: {}; run grub2-mkconfig -o {path}, then reboot; or go over \
             to an entry for each kernel with grub2-switch-to-blscfg, then run hftune setup",
            line(missing)
        )
    });
    placed.kept.splice(0..0, staged);
    placed
}
