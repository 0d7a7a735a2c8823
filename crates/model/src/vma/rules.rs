//! The rules of `/etc/libvma.conf`: which sockets libvma takes and which it leaves to the kernel.
//!
//! Grammar and matching are those of libvma 9.8.84 (`src/vma/config_parser.c`, `src/vma/util/libvma.c`).

mod glob;
mod matcher;
mod parse;
mod render;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::Ipv4Addr;

use serde::Serialize;

pub use matcher::{Side, Socket, decide};
pub use parse::{Fault, Parsed, parse};
pub use render::render;

use super::PortAddress;

/// Who carries a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// libvma.
    Vma,
    /// The kernel.
    Os,
    /// A transport that is gone: such a rule matches nothing.
    Sdp,
    /// The same.
    Sa,
    /// libvma for listeners, the kernel for those who connect.
    Any,
}

/// What a socket does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Listens; accepted sockets follow it.
    TcpServer,
    /// Connects.
    TcpClient,
    /// Receives, by its local address or the group.
    UdpReceiver,
    /// Sends without being connected, by the destination alone.
    UdpSender,
    /// Connects.
    UdpConnect,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] = [
        Self::TcpServer,
        Self::TcpClient,
        Self::UdpReceiver,
        Self::UdpSender,
        Self::UdpConnect,
    ];

    /// Its word in a rule.
    pub fn word(self) -> &'static str {
        match self {
            Self::TcpServer => "tcp_server",
            Self::TcpClient => "tcp_client",
            Self::UdpReceiver => "udp_receiver",
            Self::UdpSender => "udp_sender",
            Self::UdpConnect => "udp_connect",
        }
    }

    /// Whether its rules name both ends.
    pub fn has_two_ends(self) -> bool {
        matches!(self, Self::TcpClient | Self::UdpConnect)
    }
}

/// Addresses and ports of one end of a socket; `None` is all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct End {
    /// A network, or one address with a prefix of 32.
    pub net: Option<PortAddress>,
    /// The least and the greatest port.
    pub ports: Option<(u16, u16)>,
}

impl End {
    /// Every address, every port.
    pub const ALL: Self = Self {
        net: None,
        ports: None,
    };

    /// One address, every port.
    pub fn address(address: Ipv4Addr) -> Self {
        Self::network(PortAddress {
            address,
            prefix: 32,
        })
    }

    /// A network, every port.
    pub fn network(net: PortAddress) -> Self {
        Self {
            net: Some(net),
            ports: None,
        }
    }

    /// Every address, one port.
    pub fn port(port: u16) -> Self {
        Self {
            net: None,
            ports: Some((port, port)),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.net {
            None => f.write_str("*")?,
            Some(net) if net.prefix == 32 => write!(f, "{}", net.address)?,
            Some(net) => write!(f, "{}/{}", net.network(), net.prefix)?,
        }
        match self.ports {
            None => f.write_str(":*"),
            Some((low, high)) if low == high => write!(f, ":{low}"),
            Some((low, high)) => write!(f, ":{low}-{high}"),
        }
    }
}

/// One rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Who carries the sockets that it matches.
    pub transport: Transport,
    /// Whose sockets it is about.
    pub role: Role,
    /// The local end of a listener or receiver; the remote end of the others.
    pub first: End,
    /// The local end of one who connects.
    pub second: Option<End>,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.transport {
            Transport::Vma => "vma",
            Transport::Os => "os",
            Transport::Sdp => "sdp",
            Transport::Sa => "sa",
            Transport::Any => "*",
        };
        write!(
            f,
            "use {transport:<3} {:<12} {}",
            self.role.word(),
            self.first
        )?;
        match self.second {
            Some(second) => write!(f, ":{second}"),
            None => Ok(()),
        }
    }
}

/// The rules of some programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// A shell pattern of the program's short name.
    pub program: String,
    /// `VMA_APPLICATION_ID` of the program, or `*`.
    pub id: String,
    /// The first that matches decides.
    pub rules: Vec<Rule>,
}
