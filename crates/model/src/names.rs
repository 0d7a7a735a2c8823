//! Names that come from users or the kernel, checked before they are used in a path or a command.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// The name of a network interface.
///
/// The rules are those of `dev_valid_name()` (net/core/dev.c): 1 to 15 bytes, not `.` or `..`, no slash, colon or
/// white space. A leading `-` is refused too, since such a name would be read as an option.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfName(String);

impl IfName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IfName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let why = if text.is_empty() {
            "it is empty"
        } else if text.len() > 15 {
            "it is longer than 15 bytes"
        } else if text == "." || text == ".." {
            "it is a directory"
        } else if text.starts_with('-') {
            "it starts like an option"
        } else if text
            .chars()
            .any(|c| c == '/' || c == ':' || c.is_whitespace() || c.is_control())
        {
            "it has a slash, a colon, white space or a control character"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(Error::invalid(format!(
            "{text:?} is not the name of a network interface: {why}"
        ))
        .hint("hftune host lists the interfaces"))
    }
}

impl fmt::Display for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::text_schema::text_schema!(IfName, "The name of a network interface");

impl serde::Serialize for IfName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for IfName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse()
            .map_err(|e: Error| serde::de::Error::custom(e.what))
    }
}

/// Whether it is a PCI address like 0000:3b:00.0; a domain behind a VMD controller has more than four digits.
pub fn is_pci_address(name: &str) -> bool {
    let mut parts = name.split([':', '.']);
    let mut hex = |least: usize, most: usize| {
        parts.next().is_some_and(|part| {
            (least..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_hexdigit())
        })
    };
    hex(4, 8) && hex(2, 2) && hex(2, 2) && hex(1, 1) && parts.next().is_none()
}

/// The name of a sysctl and the file it stands for.
///
/// In `net.ipv4.conf.eth0/100.rp_filter` and `net/ipv4/conf/eth0.100/rp_filter` the first separator decides which of
/// the two characters separates; the other one stands for a literal dot or slash (sysctl.d(5)).
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct SysctlKey(String);

impl SysctlKey {
    /// The path below `/proc/sys`, without a leading slash.
    pub fn path(&self) -> String {
        match self.0.find(['.', '/']) {
            Some(i) if self.0.as_bytes()[i] == b'.' => self
                .0
                .chars()
                .map(|c| match c {
                    '.' => '/',
                    '/' => '.',
                    c => c,
                })
                .collect(),
            _ => self.0.clone(),
        }
    }

    /// The key as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SysctlKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let key = Self(text.to_owned());
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._/-*:@".contains(c);
        let path = key.path();
        if text.is_empty()
            || !text.chars().all(allowed)
            || path
                .split('/')
                .any(|part| part.is_empty() || part == "." || part == "..")
        {
            return Err(
                Error::invalid(format!("{text:?} is not the name of a sysctl"))
                    .hint("write it like vm.swappiness or net.ipv4.conf.all.rp_filter"),
            );
        }
        Ok(key)
    }
}

impl fmt::Display for SysctlKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for SysctlKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse()
            .map_err(|e: Error| serde::de::Error::custom(e.what))
    }
}

/// How many letters must be changed, added, removed or swapped with the next one to make `a` of `b`.
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let change = usize::from(a[i - 1] != b[j - 1]);
                let mut best = (rows[i - 1][j] + 1)
                    .min(rows[i][j - 1] + 1)
                    .min(rows[i - 1][j - 1] + change);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_names_are_the_kernels() {
        for good in ["eth0", "ens1f0np0", "a", "br-lan", "eth0.100", "$(reboot)"] {
            assert!(good.parse::<IfName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "-h",
            "a/b",
            "a b",
            "a\n",
            "0123456789abcdef",
            "eth0:1",
        ] {
            assert!(bad.parse::<IfName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn knows_a_pci_address() {
        assert!(is_pci_address("0000:3b:00.0") && is_pci_address("10000:e1:00.0"));
        for other in [
            "pci0000:00",
            "virtio1",
            "",
            "0000:3b:00",
            "0000:3b:00.0.1",
            "0000:3b:zz.0",
        ] {
            assert!(!is_pci_address(other), "{other}");
        }
    }

    #[test]
    fn the_first_separator_of_a_sysctl_decides() {
        let path = |text: &str| text.parse::<SysctlKey>().expect(text).path();
        assert_eq!(path("vm.swappiness"), "vm/swappiness");
        assert_eq!(
            path("net.ipv4.conf.eth0/100.rp_filter"),
            "net/ipv4/conf/eth0.100/rp_filter"
        );
        assert_eq!(
            path("net/ipv4/conf/eth0.100/rp_filter"),
            "net/ipv4/conf/eth0.100/rp_filter"
        );
        for bad in [
            "",
            "vm..swappiness",
            "../etc",
            "vm.",
            "a b",
            "vm.x;y",
            "/etc/passwd",
        ] {
            assert!(bad.parse::<SysctlKey>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn distance_counts_slips_of_the_finger() {
        assert_eq!(distance("enabled", "enabled"), 0);
        assert_eq!(distance("enabeld", "enabled"), 1);
        assert_eq!(distance("enable", "enabled"), 1);
        assert_eq!(distance("", "thp"), 3);
    }
}
