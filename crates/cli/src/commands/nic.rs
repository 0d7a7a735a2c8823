//! `hftune nic`

use hftune_engine::host;
use hftune_model::host::Nic as Port;
use hftune_model::names::IfName;
use hftune_model::{Error, Kind, Result};
use hftune_report::nic;
use hftune_sys::{Reader, Root};

use crate::args::Nic;
use crate::{Answer, terminal};

pub(super) fn run(root: &Root, command: &Nic) -> Result<Answer> {
    let (nics, unread) = host::nics(&Reader::new(root));
    terminal::warn(&unread);
    let told = host::ports(root, &nics);
    let all: Vec<&Port> = nics.iter().collect();
    Ok(Answer::ok(match command {
        Nic::List { output, .. } => {
            let ports = nic::join(&all, &told);
            if output.json {
                nic::json(&ports)
            } else {
                nic::list(&ports, terminal::width())
            }
        }
        Nic::Show { ports, output, .. } => {
            let ports = nic::join(&chosen(root, &all, ports)?, &told);
            if output.json {
                nic::json(&ports)
            } else {
                nic::show(&ports, terminal::width())
            }
        }
    }))
}

/// The ports of these names, each once; all where none is named.
fn chosen<'h>(root: &Root, all: &[&'h Port], names: &[String]) -> Result<Vec<&'h Port>> {
    if names.is_empty() {
        return Ok(all.to_vec());
    }
    let mut chosen: Vec<&Port> = Vec::new();
    for name in names {
        let name: IfName = name.parse().map_err(|e: Error| Error {
            kind: Kind::Usage,
            ..e
        })?;
        let Some(port) = all.iter().find(|port| port.name == name.as_str()) else {
            let what = if root.exists(format!("/sys/class/net/{name}")) {
                format!(
                    "{name} has no device behind it: it is no port (lo, a bond, a VLAN, a bridge)"
                )
            } else {
                format!("there is no port {name}")
            };
            return Err(Error::new(Kind::Missing, what).hint("hftune nic list shows the ports"));
        };
        if !chosen.iter().any(|other| other.name == port.name) {
            chosen.push(port);
        }
    }
    Ok(chosen)
}
