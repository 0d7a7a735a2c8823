//! The rules, as libvma reads them.

use std::net::Ipv4Addr;

use hftune_model::Kind;
use hftune_model::vma::diagnosis::{Area, Diagnosis};
use hftune_model::vma::rules::{Group, Role, Socket, Transport, decide, parse};
use hftune_model::vma::{PortAddress, RULES_FILE};

use super::variables::Sources;
use crate::machine::Machine;

const AREA: Area = Area::Rules;

pub(super) fn check(machine: &Machine<'_>, sources: &Sources) -> Vec<Diagnosis> {
    let file = sources
        .of_applications("VMA_CONFIG_FILE")
        .unwrap_or(RULES_FILE);
    let text = match machine.reader.text(file) {
        Ok(text) => text,
        Err(e) if e.kind == Kind::Missing => {
            return vec![Diagnosis::note(
                AREA,
                file,
                "it is not there: every socket that a card can carry is offloaded",
            )];
        }
        Err(e) => {
            return vec![Diagnosis::fault(
                AREA,
                "",
                format!("{e}: what libvma reads of it cannot be told"),
                "make it a readable text file",
            )];
        }
    };
    let parsed = parse(&text);
    let mut found: Vec<Diagnosis> = parsed
        .faults
        .iter()
        .map(|fault| {
            Diagnosis::fault(
                AREA,
                format!("{file}:{}", fault.line),
                fault.problem.what.clone(),
                fault.problem.remedy.clone(),
            )
        })
        .collect();
    let rules: usize = parsed.groups.iter().map(|group| group.rules.len()).sum();
    if let Some(line) = parsed.stopped {
        let lost = parsed.lost;
        found.push(Diagnosis::fault(
            AREA,
            file,
            format!(
                "libvma stops reading at line {line}: {rules} rules hold, {lost} are lost, and what no rule decides is offloaded"
            ),
            "mend that line",
        ));
    } else if found.is_empty() {
        found.push(Diagnosis::ok(
            AREA,
            file,
            format!("libvma reads every rule of it: {rules}"),
        ));
    }
    found.extend(ports(machine, &parsed.groups));
    found
}

/// Whether sockets on the addresses of the chosen ports are offloaded.
fn ports(machine: &Machine<'_>, groups: &[Group]) -> Vec<Diagnosis> {
    let addresses = machine
        .host
        .vma
        .as_ref()
        .and_then(|facts| facts.addresses.as_ref());
    let Some(addresses) = addresses else {
        return Vec::new();
    };
    let chosen = &machine.resolved.profile.vma.ports;
    chosen
        .iter()
        .flat_map(|name| {
            let of = addresses.get(name.as_str()).map(|of| of.v4.as_slice());
            of.unwrap_or_default()
                .iter()
                .map(move |of| (name.as_str(), *of))
        })
        .map(|(name, of)| port(groups, name, of))
        .collect()
}

fn port(groups: &[Group], name: &str, of: PortAddress) -> Diagnosis {
    let place = format!("{name} {}", of.address);
    // Somebody who is nowhere special: the port of no service, and an address of documentation.
    let (own, other) = ((of.address, 40000), (Ipv4Addr::new(198, 51, 100, 9), 40001));
    let left: Vec<&str> = [Role::TcpServer, Role::TcpClient, Role::UdpReceiver]
        .into_iter()
        .filter(|role| {
            let (first, second) = if role.has_two_ends() {
                (other, Some(own))
            } else {
                (own, None)
            };
            let socket = Socket {
                role: *role,
                first,
                second,
            };
            decide(groups, "application", "", &socket) != Transport::Vma
        })
        .map(Role::word)
        .collect();
    if left.is_empty() {
        Diagnosis::ok(AREA, place, "its sockets are offloaded")
    } else {
        Diagnosis::fault(
            AREA,
            place,
            format!(
                "the rules leave its sockets to the kernel: {}",
                left.join(", ")
            ),
            "hftune setup writes the rules for the addresses of now",
        )
    }
}
