//! The rules for some ports: exactly the sockets on their addresses go to libvma.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::{End, Role, Rule, Transport};
use crate::vma::PortAddress;

/// Every multicast group (RFC 5771).
const MULTICAST: PortAddress = PortAddress {
    address: Ipv4Addr::new(224, 0, 0, 0),
    prefix: 4,
};

/// Services that stay with the kernel on these addresses too: ssh, DNS.
const SSH: u16 = 22;
const DNS: u16 = 53;

/// The text of a file of rules after `header`, which is comments. Each port is an interface and its address.
pub fn render(header: &str, ports: &[(&str, PortAddress)]) -> String {
    let mut text = format!("{header}application-id * *\n");
    let mut push = |transport, role, first, second| {
        let rule = Rule {
            transport,
            role,
            first,
            second,
        };
        let _ = writeln!(text, "{rule}");
    };
    let own = |role: Role, address: Ipv4Addr| match role {
        Role::TcpServer | Role::UdpReceiver => (End::address(address), None),
        _ => (End::ALL, Some(End::address(address))),
    };
    let all = |role: Role| role.has_two_ends().then_some(End::ALL);
    push(Transport::Os, Role::TcpServer, End::port(SSH), None);
    for role in [Role::TcpClient, Role::UdpConnect] {
        for service in [SSH, DNS] {
            push(Transport::Os, role, End::port(service), Some(End::ALL));
        }
    }
    push(Transport::Os, Role::UdpSender, End::port(DNS), None);
    for role in Role::ALL {
        for (_, port) in ports {
            match role {
                // Libvma asks for the destination alone.
                Role::UdpSender => push(Transport::Vma, role, End::network(*port), None),
                role => {
                    let (first, second) = own(role, port.address);
                    push(Transport::Vma, role, first, second);
                }
            }
        }
        if matches!(role, Role::UdpReceiver | Role::UdpSender) && !ports.is_empty() {
            push(Transport::Vma, role, End::network(MULTICAST), None);
        }
        push(Transport::Os, role, End::ALL, all(role));
    }
    text
}
