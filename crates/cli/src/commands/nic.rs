//! `hftune nic`

use hftune_engine::host;
use hftune_model::Result;
use hftune_model::host::Nic as Port;
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
    let ports = match names {
        Some(names) => nic::join(&chosen(root, &nics, names)?, &told),
        None => nic::join(&nics.iter().collect::<Vec<_>>(), &told),
    };
    Ok(Answer::ok(match names {
        _ if json => nic::json(&ports),
        Some(_) => nic::show(&ports, terminal::width()),
        None => nic::list(&ports, terminal::width()),
    }))
}

/// The ports of these names, each once; all where none is named.
fn chosen<'h>(root: &Root, all: &'h [Port], names: &[String]) -> Result<Vec<&'h Port>> {
    if names.is_empty() {
        return Ok(all.iter().collect());
    }
    let mut chosen: Vec<&Port> = Vec::new();
    for name in names {
        let port = host::named_port(root, all, name)?;
        if !chosen.iter().any(|other| other.name == port.name) {
            chosen.push(port);
        }
    }
    Ok(chosen)
}
