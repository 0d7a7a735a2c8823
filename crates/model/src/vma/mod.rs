//! libvma, the NVIDIA Messaging Accelerator: what it reads, what it prints, and what it makes of what people write.

pub mod banner;
pub mod check;
pub mod diagnosis;
pub mod environment;
pub mod param;
pub mod params;
pub mod presets;
pub mod rules;
pub mod sockets;

use std::net::Ipv4Addr;

/// The rules that libvma reads where `VMA_CONFIG_FILE` names no others.
pub const RULES_FILE: &str = "/etc/libvma.conf";

/// The variables that the launcher and the unit give to applications.
pub const ENVIRONMENT_FILE: &str = "/etc/hftune/vma.env";

/// The PCI vendor of ConnectX cards.
const MELLANOX: &str = "15b3:";

/// PCI devices and the generations of cards that they are (the alias tables of mlx4_core and mlx5_core; pci.ids).
const GENERATIONS: &[(&str, &str)] = &[
    ("1003", "ConnectX-3"),
    ("1004", "ConnectX-3 (virtual function)"),
    ("1007", "ConnectX-3 Pro"),
    ("1011", "Connect-IB"),
    ("1012", "Connect-IB (virtual function)"),
    ("1013", "ConnectX-4"),
    ("1014", "ConnectX-4 (virtual function)"),
    ("1015", "ConnectX-4 Lx"),
    ("1016", "ConnectX-4 Lx (virtual function)"),
    ("1017", "ConnectX-5"),
    ("1018", "ConnectX-5 (virtual function)"),
    ("1019", "ConnectX-5 Ex"),
    ("101a", "ConnectX-5 Ex (virtual function)"),
    ("101b", "ConnectX-6"),
    ("101c", "ConnectX-6 (virtual function)"),
    ("101d", "ConnectX-6 Dx"),
    ("101e", "ConnectX-6 Dx or later (virtual function)"),
    ("101f", "ConnectX-6 Lx"),
    ("1021", "ConnectX-7"),
    ("1023", "ConnectX-8"),
    ("1025", "ConnectX-9"),
    ("1027", "ConnectX-10"),
    ("2101", "ConnectX-10"),
    ("a2d2", "BlueField (ConnectX-5)"),
    ("a2d3", "BlueField (virtual function)"),
    ("a2d6", "BlueField-2 (ConnectX-6 Dx)"),
    ("a2dc", "BlueField-3 (ConnectX-7)"),
    ("a2df", "BlueField-4"),
];

/// The generation of a card, from its PCI vendor and device like 15b3:1017; `None` where it is none of these.
pub fn generation(pci_id: &str) -> Option<&'static str> {
    let device = pci_id.strip_prefix(MELLANOX)?;
    GENERATIONS
        .iter()
        .find(|(id, _)| *id == device)
        .map(|(_, name)| *name)
}

/// An IPv4 address of a port and the length of its network's prefix.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
pub struct PortAddress {
    /// The address.
    pub address: Ipv4Addr,
    /// Bits of the prefix, 0 to 32.
    pub prefix: u8,
}

impl PortAddress {
    /// The first address of the network.
    pub fn network(self) -> Ipv4Addr {
        let mask = u32::MAX
            .checked_shl(32 - u32::from(self.prefix))
            .unwrap_or(0);
        Ipv4Addr::from(u32::from(self.address) & mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_named_from_the_pci_id() {
        assert_eq!(generation("15b3:1017"), Some("ConnectX-5"));
        assert_eq!(generation("15b3:ffff"), None);
        assert_eq!(generation("8086:1017"), None);
    }

    #[test]
    fn networks_are_masked() {
        let network = |address: &str, prefix| {
            PortAddress {
                address: address.parse().expect("address"),
                prefix,
            }
            .network()
            .to_string()
        };
        assert_eq!(network("192.0.2.77", 24), "192.0.2.0");
        assert_eq!(network("192.0.2.77", 32), "192.0.2.77");
        assert_eq!(network("192.0.2.77", 0), "0.0.0.0");
    }
}
