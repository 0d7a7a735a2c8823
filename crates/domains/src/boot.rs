//! The kernel's boot arguments: on every entry that is not for recovery, and in the template of the next kernel's entry.
//!
//! What the files hold is decided here from the host's facts alone: every editor is a function from text to text.

mod argument;
mod bls;
mod by_hand;
mod cmdline;
mod docs;
mod dropin;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod grub2_menu;
mod grub_cfg;
mod grub_default;
pub mod grubenv;
mod holders;
mod kernel_cmdline;
mod loader_spec;
mod mkconfig;
mod ostree;
mod placed;
mod proof;
pub mod record;
mod remarks;
mod saved;
#[cfg(test)]
mod shell;
mod staged;
mod systemd_boot;
#[cfg(test)]
mod tests;
mod tuned;
pub mod undo;

use hftune_model::finding::{Proof, Proofs};
use hftune_model::host::BootKind;
use hftune_model::setting::{Doc, Setting, When};
use hftune_model::{Error, Result};
use hftune_sys::Reader;

pub use bls::DIRECTORY as ENTRIES;
pub use kernel_cmdline::{PATH as KERNEL_CMDLINE, VENDOR as VENDOR_CMDLINE};

use crate::{Context, Desired, Domain};
use placed::Placed;

pub use by_hand::HAND_WRITTEN;
pub use ostree::{KARGS_D, NextDeployment, RPM_OSTREE, next_deployment};
pub use systemd_boot::{ENTRY_DIRECTORIES, UNIFIED_DIRECTORIES, is_entry};

/// The domain.
#[derive(Debug, Clone, Copy)]
pub struct Boot;

impl Domain for Boot {
    fn name(&self) -> &'static str {
        "boot"
    }

    fn docs(&self) -> &'static [Doc] {
        &docs::DOCS
    }

    fn desire(&self, cx: &Context<'_>) -> Desired {
        let (wanted, mut skipped) = argument::wanted(cx);
        if wanted.is_empty() {
            return Desired {
                skipped,
                ..Desired::default()
            };
        }
        let Placed {
            kept,
            artifacts,
            skipped: unplaced,
            mut warnings,
        } = match cx.host.boot_loader.kind {
            BootKind::GrubMkconfig => mkconfig::place(cx, &wanted),
            BootKind::Bls => loader_spec::place(cx, &wanted),
            BootKind::Ostree => ostree::place(cx, &wanted),
            BootKind::Image => ostree::place_in_image(cx, &wanted),
            BootKind::SystemdBoot => systemd_boot::place(cx, &wanted),
            BootKind::Grub2Menu => grub2_menu::place(cx, &wanted),
            BootKind::Unknown => by_hand::unknown(cx, &wanted),
        };
        skipped.extend(unplaced);
        let mut settings = Vec::new();
        for argument in &kept {
            let remarks = remarks::remarks(argument, cx);
            let told = remarks
                .iter()
                .map(|remark| format!("{}: {remark}", argument.id()));
            warnings.extend(told);
            settings.push(Setting {
                id: argument.id(),
                desired: argument.shown(),
                when: When::Reboot,
                doc: docs::doc(&argument.name),
                note: (!remarks.is_empty()).then(|| remarks.join("; ")),
                artifacts: artifacts.clone(),
            });
        }
        Desired {
            settings,
            skipped,
            warnings,
        }
    }

    fn prove(&self, setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Result<Proofs> {
        let (wanted, _) = argument::wanted(cx);
        let argument = wanted
            .iter()
            .find(|argument| argument.id() == setting.id)
            .ok_or_else(|| {
                Error::invalid(format!(
                    "{} is not a boot argument of the profile",
                    setting.id
                ))
            })?;
        let kind = cx.host.boot_loader.kind;
        if kind == BootKind::Image {
            return Ok(ostree::prove_in_image(argument, cx, reader));
        }
        let live = proof::live(argument, reader);
        let booted = matches!(live, Proof::Holds(_));
        let (saved, fix) = match kind {
            BootKind::Ostree => (ostree::saved(argument, cx, reader), None),
            BootKind::SystemdBoot => systemd_boot::saved(argument, booted, cx, reader),
            _ => saved::saved(argument, cx, reader),
        };
        Ok(Proofs {
            saved,
            effect: proof::effect(argument, booted, cx, reader),
            live,
            fix,
        })
    }
}

/// The boot arguments that the profile wants of this host: the id of each one's setting, and the word.
pub fn words(cx: &Context<'_>) -> Vec<(String, String)> {
    let (wanted, _) = argument::wanted(cx);
    let words = wanted.iter();
    words
        .map(|argument| (argument.id(), argument.to_string()))
        .collect()
}

/// An argument that names CPUs, as it stands in a command line, with its flags and its CPUs.
pub(crate) fn cpus_of(command_line: &str, name: &str) -> Option<(String, argument::Cpus)> {
    let token = cmdline::find(command_line, name)?;
    let cpus = argument::Argument::new(name, token.value()).cpus()?;
    Some((token.raw.to_owned(), cpus))
}
