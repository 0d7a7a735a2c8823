//! `hftune vma configure`

use std::collections::BTreeMap;

use hftune_domains::vma;
use hftune_engine::host;
use hftune_engine::in_force::Choices;
use hftune_engine::machine::of_vma;
use hftune_model::host::Nic;
use hftune_model::{Error, Kind, Result};
use hftune_sys::{Reader, Root};

use super::answer;
use crate::commands::part::{self, Part};
use crate::commands::setup::need_installed;
use crate::{Answer, commands, terminal};

const NEXT: &str =
    "\nNext: hftune vma check, then systemctl start vma-app@NAME, or hftune run --vma -- APP.\n";

pub(super) fn run(root: &Root, names: &[String], yes: bool, json: bool) -> Result<Answer> {
    commands::need_root(root, "vma configure")?;
    let (nics, unread) = host::nics(&Reader::new(root));
    terminal::warn(&unread);
    let ports = fit(root, &nics, names)?;
    need_installed(root)?;
    let choices = Choices {
        vma_ports: ports
            .iter()
            .map(|port| Ok((port.name.parse()?, port.device.clone())))
            .collect::<Result<BTreeMap<_, _>>>()?,
        ..Choices::default()
    };
    let made = part::run(
        root,
        Part {
            command: "vma configure",
            schema: "hftune/vma-configure/1",
            choices,
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

/// The ports of these names. All must be fit: rules for some of them would send the sockets of the others to the kernel.
fn fit<'n>(root: &Root, nics: &'n [Nic], names: &[String]) -> Result<Vec<&'n Nic>> {
    let addresses = host::addresses(root);
    let mut ports = Vec::new();
    let mut errors = Vec::new();
    for name in names {
        let port = match host::named_port(root, nics, name) {
            Ok(port) => port,
            Err(e) => {
                errors.push(e);
                continue;
            }
        };
        match vma::unfit(port, addresses.as_ref()) {
            Some(refused) => {
                errors.push(Error::new(Kind::Invalid, refused.why).hint(refused.remedy));
            }
            None => ports.push(port),
        }
    }
    match errors.pop() {
        None => Ok(ports),
        Some(last) => {
            for e in &errors {
                terminal::error(e);
            }
            Err(last)
        }
    }
}
