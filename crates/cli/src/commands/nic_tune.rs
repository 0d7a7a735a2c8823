//! `hftune nic tune`

use std::collections::BTreeMap;

use hftune_engine::in_force::Choices;
use hftune_engine::machine::of_ports;
use hftune_engine::{host, port};
use hftune_model::finding::{Finding, Verdict};
use hftune_model::host::Nic as Port;
use hftune_model::{Error, Kind, Result};
use hftune_report::nic_tune::{Tuned, human};
use hftune_report::verify::exit_code;
use hftune_sys::{Reader, Root};

use super::part::{self, Done, Part};
use super::setup::need_installed;
use crate::{Answer, commands, terminal};

pub(super) struct Options<'a> {
    /// The ports; `None` for every one.
    pub names: Option<&'a Vec<String>>,
    pub yes: bool,
    pub json: bool,
}

pub(super) fn run(root: &Root, options: &Options<'_>) -> Result<Answer> {
    commands::need_root(root, "nic tune")?;
    let (nics, unread) = host::nics(&Reader::new(root));
    terminal::warn(&unread);
    let (ports, mut refused) = choose(root, &nics, options.names)?;
    need_installed(root)?;
    let choices = Choices {
        ports: ports
            .iter()
            .map(|port| Ok((port.name.parse()?, port.device.clone())))
            .collect::<Result<_>>()?,
        ..Choices::default()
    };
    let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
    let before = carrier_changes(root, &names);
    let made = part::run(
        root,
        Part {
            command: "nic tune",
            schema: Tuned::SCHEMA,
            choices,
            yes: options.yes,
            plan: &|machine, transactions| machine.plan_ports(transactions, &names),
            is_of: &|id| of_ports(id, &names),
        },
    )?;
    let Some(Done {
        result,
        not_made,
        failure,
        findings,
        profile,
    }) = made
    else {
        return Ok(part::declined());
    };
    if let Some(e) = failure {
        refused.push(e);
    }
    let code = if refused.is_empty() {
        exit_code(&findings)
    } else {
        1
    };
    for e in &refused {
        terminal::error(e);
    }
    let tuned = Tuned::new(result, link_changes(root, &before));
    Ok(Answer::ok(if options.json {
        hftune_report::to_json(&tuned)
    } else {
        let told: Vec<Finding> = findings
            .iter()
            .filter(|f| !matches!(f.verdict, Verdict::Ok))
            .cloned()
            .collect();
        human(
            &profile,
            &tuned,
            &not_made,
            &findings,
            &told,
            terminal::width(),
        )
    })
    .code(code))
}

/// The ports of these names, each once, and what is wrong with the other names. Without a single port it is an error.
fn choose<'h>(
    root: &Root,
    nics: &'h [Port],
    names: Option<&Vec<String>>,
) -> Result<(Vec<&'h Port>, Vec<Error>)> {
    let Some(names) = names else {
        if nics.is_empty() {
            return Err(Error::new(
                Kind::Missing,
                "no network port has a device behind it",
            ));
        }
        return Ok((nics.iter().collect(), Vec::new()));
    };
    let mut ports: Vec<&Port> = Vec::new();
    let mut refused = Vec::new();
    for name in names {
        match host::named_port(root, nics, name) {
            Ok(port) if ports.iter().any(|known| known.name == port.name) => {}
            Ok(port) => ports.push(port),
            Err(e) => refused.push(e),
        }
    }
    if ports.is_empty() {
        let last = refused.pop().expect("a port or what is wrong with it");
        for e in &refused {
            terminal::error(e);
        }
        return Err(last);
    }
    Ok((ports, refused))
}

fn carrier_changes(root: &Root, names: &[&str]) -> BTreeMap<String, u64> {
    let count = |name: &&str| Some(((*name).to_owned(), port::carrier_changes(root, name)?));
    names.iter().filter_map(count).collect()
}

/// How often each link came or went since `before`.
fn link_changes(root: &Root, before: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let since = |(name, before): (&String, &u64)| {
        let now = port::carrier_changes(root, name)?;
        Some((name.clone(), now.saturating_sub(*before)))
    };
    before.iter().filter_map(since).collect()
}
