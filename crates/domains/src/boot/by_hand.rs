//! Boot loaders that hftune does not edit: the exact arguments to add, and the proof once they are there.

use hftune_model::finding::Verdict;
use hftune_model::host::BootKind;

use super::argument::{Argument, skip};
use super::placed::Placed;
use crate::Context;

/// Keeps the arguments with which the kernel is running already, and says of the others how to add them.
pub fn place(cx: &Context<'_>, wanted: &[Argument]) -> Placed {
    let mut placed = Placed::default();
    for argument in wanted {
        if argument.is_on(&cx.host.kernel.cmdline) {
            placed.kept.push(argument.clone());
            continue;
        }
        let (reason, fix) = if cx.host.boot_loader.kind == BootKind::Ostree {
            (
                format!(
                    "ostree owns the boot entries of this system, so hftune does not edit them; {argument} is missing"
                ),
                format!("rpm-ostree kargs --append-if-missing={argument}, then reboot"),
            )
        } else {
            (
                format!("hftune does not know what boots this machine; {argument} is missing"),
                format!("add {argument} to the kernel's arguments in the boot loader, then reboot"),
            )
        };
        placed.skipped.push(skip(
            &argument.name,
            Verdict::NotPermitted,
            reason,
            Some(fix),
        ));
    }
    placed
}
