//! What libvma decides of a socket.

use std::net::Ipv4Addr;

use super::glob::fits;
use super::{End, Group, Role, Rule, Transport};

/// One end of a socket.
pub type Side = (Ipv4Addr, u16);

/// A socket at the moment at which libvma decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Socket {
    /// What it does.
    pub role: Role,
    /// As in [`Rule::first`].
    pub first: Side,
    /// As in [`Rule::second`].
    pub second: Option<Side>,
}

/// Who carries a socket of a program: the first rule of its role that matches, in the first group of that program that
/// has any rule of the role at all. Where none matches, it is libvma.
pub fn decide(groups: &[Group], program: &str, id: &str, socket: &Socket) -> Transport {
    let mut of_program = groups
        .iter()
        .filter(|group| fits(&group.program, program) && (group.id == "*" || group.id == id));
    let Some(group) = of_program.find(|group| group.rules.iter().any(|r| r.role == socket.role))
    else {
        return Transport::Vma;
    };
    let rule = group
        .rules
        .iter()
        .find(|rule| rule.role == socket.role && matches(rule, socket));
    match rule.map(|rule| rule.transport) {
        Some(Transport::Any) if socket.role.has_two_ends() => Transport::Os,
        Some(Transport::Os) => Transport::Os,
        _ => Transport::Vma,
    }
}

fn matches(rule: &Rule, socket: &Socket) -> bool {
    // Such transports are parsed and never chosen.
    if matches!(rule.transport, Transport::Sdp | Transport::Sa) {
        return false;
    }
    holds(&rule.first, socket.first)
        && match (&rule.second, socket.second) {
            (Some(end), Some(side)) => holds(end, side),
            _ => true,
        }
}

fn holds(end: &End, (address, port): Side) -> bool {
    let in_net = end.net.is_none_or(|net| {
        let same = super::PortAddress {
            address,
            prefix: net.prefix,
        };
        same.network() == net.network()
    });
    in_net
        && end
            .ports
            .is_none_or(|(low, high)| (low..=high).contains(&port))
}
