//! `hftune nic`

use hftune_engine::host;
use hftune_model::host::Nic as Port;
use hftune_model::names::IfName;
use hftune_model::{Error, Kind, Result};
use hftune_report::nic;
use hftune_sys::{Reader, Root};

use crate::args::Nic;
use crate::commands::{nic_tune, nic_watch};
use crate::{Answer, terminal};

pub(super) fn run(root: &Root, command: &Nic) -> Result<Answer> {
    match command {
        Nic::Tune {
            ports,
            all,
            consent,
            output,
        } => {
            let options = nic_tune::Options {
                names: (!all).then_some(ports),
                yes: consent.yes,
                json: output.json,
            };
            nic_tune::run(root, &options)
        }
        Nic::Watch => nic_watch::run(root),
        Nic::List { output, .. } => show(root, None, output.json),
        Nic::Show { ports, output, .. } => show(root, Some(ports), output.json),
    }
}

/// The list of all ports, or the sections of some.
fn show(root: &Root, names: Option<&[String]>, json: bool) -> Result<Answer> {
    let (nics, unread) = host::nics(&Reader::new(root));
    terminal::warn(&unread);
    let told = host::ports(root, &nics);
    let all: Vec<&Port> = nics.iter().collect();
    let ports = match names {
        Some(names) => nic::join(&chosen(root, &all, names)?, &told),
        None => nic::join(&all, &told),
    };
    Ok(Answer::ok(match names {
        _ if json => nic::json(&ports),
        Some(_) => nic::show(&ports, terminal::width()),
        None => nic::list(&ports, terminal::width()),
    }))
}

/// The ports of these names, each once; all where none is named.
fn chosen<'h>(root: &Root, all: &[&'h Port], names: &[String]) -> Result<Vec<&'h Port>> {
    if names.is_empty() {
        return Ok(all.to_vec());
    }
    let mut chosen: Vec<&Port> = Vec::new();
    for name in names {
        let port = find(root, all, name)?;
        if !chosen.iter().any(|other| other.name == port.name) {
            chosen.push(port);
        }
    }
    Ok(chosen)
}

/// The port of a name, or why there is none.
pub(super) fn find<'h>(root: &Root, all: &[&'h Port], name: &str) -> Result<&'h Port> {
    let name: IfName = name.parse().map_err(|e: Error| Error {
        kind: Kind::Usage,
        ..e
    })?;
    let port = all.iter().find(|port| port.name == name.as_str());
    port.copied().ok_or_else(|| {
        let what = if root.exists(format!("/sys/class/net/{name}")) {
            format!("{name} has no device behind it: it is no port (lo, a bond, a VLAN, a bridge)")
        } else {
            format!("there is no port {name}")
        };
        Error::new(Kind::Missing, what).hint("hftune nic list shows the ports")
    })
}
