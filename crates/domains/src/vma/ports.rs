//! The ports whose sockets libvma takes: which are fit for it, and what is wrong with the others.

use std::collections::BTreeMap;

use hftune_model::host::{Addresses, Host, Nic, Vma as Facts};
use hftune_model::vma::{PortAddress, generation};

use crate::Context;

/// Why a port is not fit, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong.
    pub why: String,
    /// What to do.
    pub remedy: String,
}

impl Refused {
    fn new(why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            remedy: remedy.into(),
        }
    }
}

/// Whether no port of the host can be driven by libvma.
pub(super) fn none_capable(cx: &Context<'_>) -> bool {
    cx.host.nics.iter().all(|nic| !nic.vma_capable)
}

/// The driver family of a port's card: mlx5 or mlx4.
pub(super) fn is_mlx4(nic: &Nic) -> bool {
    nic.driver
        .as_deref()
        .is_some_and(|driver| driver.starts_with("mlx4"))
}

/// The chosen ports, each with the one address that its sockets have, or why it has none.
pub(super) fn chosen<'c>(
    cx: &Context<'c>,
    facts: &'c Facts,
) -> Vec<(&'c str, Result<PortAddress, Refused>)> {
    cx.profile
        .vma
        .ports
        .iter()
        .map(|name| (name.as_str(), fit(cx.host, facts, name.as_str())))
        .collect()
}

fn fit(host: &Host, facts: &Facts, name: &str) -> Result<PortAddress, Refused> {
    let Some(nic) = host.nics.iter().find(|nic| nic.name == name) else {
        return Err(match host.renamed.get(name) {
            Some(new) => Refused::new(
                format!("there is no port {name} any more: its device is now called {new}"),
                format!("hftune vma configure {new}"),
            ),
            None => Refused::new(
                format!("there is no port {name} on this host now"),
                "hftune nic list shows the ports",
            ),
        });
    };
    address(nic, facts.addresses.as_ref())
}

/// What keeps the sockets of a port from being offloaded; the reason names the card.
pub fn unfit(nic: &Nic, addresses: Option<&BTreeMap<String, Addresses>>) -> Option<Refused> {
    address(nic, addresses).err()
}

fn address(
    nic: &Nic,
    addresses: Option<&BTreeMap<String, Addresses>>,
) -> Result<PortAddress, Refused> {
    driven(nic)?;
    let Some(addresses) = addresses else {
        return Err(Refused::new(
            "the addresses of this host cannot be told here",
            "run it on the machine itself",
        ));
    };
    one_address(nic, addresses.get(&nic.name))
}

fn driven(nic: &Nic) -> Result<(), Refused> {
    let name = &nic.name;
    let driver = nic.driver.as_deref().unwrap_or("no driver");
    let card = nic.pci_id.as_deref().and_then(generation);
    if !nic.vma_capable {
        let what = match card {
            Some(card) => {
                format!("{name} is a {card} that is driven by {driver}, not by mlx5 or mlx4")
            }
            None => format!(
                "{name} is driven by {driver}: libvma offloads ports of NVIDIA ConnectX cards only"
            ),
        };
        return Err(Refused::new(
            what,
            format!("hftune nic tune {name} tunes it for the kernel's stack"),
        ));
    }
    if let Some(upper) = nic.uppers.first() {
        return Err(Refused::new(
            format!(
                "{name} is below {upper}, which has the addresses: hftune writes rules for plain ports only"
            ),
            format!(
                "take {name} out of {upper}, or write {} by hand",
                hftune_model::vma::RULES_FILE
            ),
        ));
    }
    Ok(())
}

fn one_address(nic: &Nic, addresses: Option<&Addresses>) -> Result<PortAddress, Refused> {
    let name = &nic.name;
    let none = Addresses::default();
    let addresses = addresses.unwrap_or(&none);
    match addresses.v4.as_slice() {
        [one] => Ok(*one),
        [] if addresses.v6 > 0 => Err(Refused::new(
            format!("{name} has IPv6 addresses only, and libvma offloads IPv4 alone"),
            format!("give {name} an IPv4 address"),
        )),
        [] => Err(Refused::new(
            format!("{name} has no IPv4 address, and rules go by addresses"),
            format!("give {name} an IPv4 address, then hftune vma configure {name}"),
        )),
        many => Err(Refused::new(
            format!(
                "{name} has {} IPv4 addresses ({}), and it cannot be told which of them applications use",
                many.len(),
                many.iter()
                    .map(|of| of.address.to_string())
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            format!(
                "leave {name} one address, or write {} by hand",
                hftune_model::vma::RULES_FILE
            ),
        )),
    }
}

/// Two ports in one network: the kernel routes through either, and libvma through the one that it names.
pub(super) fn same_network(ports: &[(&str, PortAddress)]) -> Option<String> {
    for (at, (a, of_a)) in ports.iter().enumerate() {
        for (b, of_b) in &ports[at + 1..] {
            if of_a.network() == of_b.network() && of_a.prefix == of_b.prefix {
                return Some(format!(
                    "{a} and {b} are both in {}/{}: what one thinks it sends through {b} goes out through the port that the \
                     routing table names first, so only one of them is fast",
                    of_a.network(),
                    of_a.prefix
                ));
            }
        }
    }
    None
}
