//! `hftune vma install`

use hftune_domains::vma;
use hftune_engine::in_force::Choices;
use hftune_engine::machine::of_vma;
use hftune_engine::{host, packages};
use hftune_model::Result;
use hftune_sys::{Reader, Root};

use super::answer;
use crate::commands::part::{self, Part};
use crate::commands::setup::need_installed;
use crate::{Answer, commands, terminal};

const NEXT: &str =
    "\nNext: hftune vma configure IF... chooses the ports, and hftune vma check proves the rest.\n";

pub(super) fn run(root: &Root, yes: bool, json: bool) -> Result<Answer> {
    commands::need_root(root, "vma install")?;
    need_installed(root)?;
    let reader = Reader::new(root);
    if root.is_live() && vma::library(root).is_none() {
        // Nothing is planned that no repository can give.
        terminal::progress("looking for libvma in the repositories of this host");
        packages::available(root, &vma::packages(&host::distribution(&reader)))?;
    }
    let made = part::run(
        root,
        Part {
            command: "vma install",
            schema: "hftune/vma-install/1",
            choices: Choices {
                vma_install: true,
                ..Choices::default()
            },
            yes,
            plan: &|machine, transactions| machine.plan_vma(transactions),
            is_of: &of_vma,
        },
    )?;
    Ok(match made {
        Some(made) => answer(&made, json, NEXT),
        None => part::declined(),
    })
}
