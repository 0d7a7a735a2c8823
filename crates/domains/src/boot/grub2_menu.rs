//! The RHEL family and Fedora with `GRUB_ENABLE_BLSCFG` not true: grub2-mkconfig makes a whole menu from
//! `/etc/default/grub`, and the entries of the Boot Loader Specification are not read.
//!
//! hftune does not run grub2-mkconfig there: what it makes where the line is absent differs from version to version, so
//! it might change how the machine boots altogether. The operator is told what to type, and the outcome is proved.

use hftune_model::finding::Verdict;

use super::argument::{Argument, skip};
use super::placed::Placed;
use super::staged;
use crate::Context;

/// Keeps the arguments that are in the menu already, and says of the others how to add them.
pub fn place(cx: &Context<'_>, wanted: &[Argument]) -> Placed {
    let loader = &cx.host.boot_loader;
    let entries = staged::entries(loader);
    let path = staged::menu(loader).map_or("its grub.cfg".to_owned(), |(path, _)| {
        path.display().to_string()
    });
    let mut placed = Placed::default();
    for argument in wanted {
        let staged =
            !entries.is_empty() && entries.iter().all(|entry| argument.is_on(&entry.arguments));
        if staged || argument.is_on(&cx.host.kernel.cmdline) {
            placed.kept.push(argument.clone());
            continue;
        }
        let reason = format!(
            "GRUB boots from {path}, which grub2-mkconfig made without reading /boot/loader/entries (GRUB_ENABLE_BLSCFG is \
             not true), and hftune does not make it anew; {argument} is missing"
        );
        let fix = format!(
            "add {argument} to GRUB_CMDLINE_LINUX_DEFAULT in /etc/default/grub, run grub2-mkconfig -o {path}, then reboot; or \
             go over to an entry for each kernel with grub2-switch-to-blscfg, then run hftune setup"
        );
        let verdict = Verdict::NotPermitted;
        placed
            .skipped
            .push(skip(&argument.name, verdict, reason, Some(fix)));
    }
    placed
}
