//! The kernel's boot arguments: on every entry that is not for recovery, and in the template of the next kernel's entry.
//!
//! What the files hold is decided here from the host's facts alone: every editor is a function from text to text.

mod argument;
mod bls;
mod by_hand;
mod cmdline;
mod docs;
mod dropin;
mod grub_cfg;
mod grub_default;
mod grubenv;
mod kernel_cmdline;
mod loader_spec;
mod mkconfig;
mod placed;
mod proof;
#[cfg(test)]
mod shell;
mod staged;
#[cfg(test)]
mod tests;

use hftune_model::finding::{Proof, Proofs};
use hftune_model::host::BootKind;
use hftune_model::setting::{Doc, Setting, When};
use hftune_model::{Error, Result};
use hftune_sys::Reader;

use crate::{Context, Desired, Domain};
use placed::Placed;

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
            warnings,
        } = match cx.host.boot_loader.kind {
            BootKind::GrubMkconfig => mkconfig::place(cx, &wanted),
            BootKind::Bls => loader_spec::place(cx, &wanted),
            BootKind::Ostree | BootKind::Unknown => by_hand::place(cx, &wanted),
        };
        skipped.extend(unplaced);
        let settings = kept.iter().map(|argument| Setting {
            id: argument.id(),
            desired: argument.shown(),
            when: When::Reboot,
            doc: docs::doc(&argument.name),
            note: None,
            artifacts: artifacts.clone(),
        });
        Desired {
            settings: settings.collect(),
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
        let live = proof::live(argument, reader);
        let booted = matches!(live, Proof::Holds(_));
        Ok(Proofs {
            saved: proof::saved(argument, cx, reader),
            effect: proof::effect(argument, booted, cx, reader),
            live,
            fix: None,
        })
    }
}

/// An argument that names CPUs, as it stands in a command line, with its flags and its CPUs.
pub(crate) fn cpus_of(command_line: &str, name: &str) -> Option<(String, argument::Cpus)> {
    let token = cmdline::find(command_line, name)?;
    let cpus = argument::Argument::new(name, token.value()).cpus()?;
    Some((token.raw.to_owned(), cpus))
}
