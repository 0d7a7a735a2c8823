//! What libvma needs and finds here.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hftune_domains::vma::{MODULES, library};
use hftune_model::host::{Addresses, Module, Vma};
use hftune_model::vma::{PortAddress, RULES_FILE};
use hftune_sys::{Reader, Root, network};

use super::facts::Facts;

/// Reads it.
pub(crate) fn read(reader: &Reader<'_>, release: &str) -> Vma {
    let facts = Facts::new(reader);
    Vma {
        library: library(reader.root()),
        addresses: addresses(reader.root()),
        rules: facts.text(RULES_FILE).map(|text| text.to_string()),
        modules: MODULES
            .iter()
            .map(|name| ((*name).to_owned(), module(&facts, release, name)))
            .collect(),
    }
}

/// The addresses of every interface; `None` where they cannot be told. A capture holds no addresses.
pub fn addresses(root: &Root) -> Option<BTreeMap<String, Addresses>> {
    if root.is_captured() {
        return None;
    }
    if !root.is_live() {
        let text = |path: &str| root.read_text(path).ok();
        return Some(of_files(
            &text("/proc/net/route")?,
            &text("/proc/net/fib_trie")?,
        ));
    }
    let mut all: BTreeMap<String, Addresses> = BTreeMap::new();
    for of in network::addresses().ok()? {
        let known = all.entry(of.interface).or_default();
        match of.address {
            IpAddr::V4(address) => known.v4.push(PortAddress {
                address,
                prefix: of.prefix.unwrap_or(32),
            }),
            IpAddr::V6(address) => known.v6 += usize::from(!address.is_unicast_link_local()),
        }
    }
    Some(all)
}

/// The addresses of a tree: those of the local table, each on the interface of the most special network that it is in
/// and that needs no gateway.
fn of_files(route: &str, trie: &str) -> BTreeMap<String, Addresses> {
    /// `RTF_GATEWAY` (include/uapi/linux/route.h).
    const GATEWAY: u32 = 0x2;
    let networks: Vec<(String, u32, u32)> = route
        .lines()
        .skip(1)
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let hex = |at: usize| u32::from_str_radix(words.get(at)?, 16).ok();
            // Addresses are in the order of the network, read as a number of this machine.
            let (network, flags, mask) = (hex(1)?.swap_bytes(), hex(3)?, hex(7)?.swap_bytes());
            (flags & GATEWAY == 0 && mask != 0).then(|| ((*words[0]).to_owned(), network, mask))
        })
        .collect();
    let mut all: BTreeMap<String, Addresses> = BTreeMap::new();
    let mut last = None;
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse::<std::net::Ipv4Addr>().ok();
        }
        if line != "/32 host LOCAL" {
            continue;
        }
        let Some(address) = last.take() else { continue };
        let on = networks
            .iter()
            .filter(|(_, network, mask)| u32::from(address) & mask == *network)
            .max_by_key(|(_, _, mask)| *mask);
        if let Some((interface, _, mask)) = on {
            let prefix = u8::try_from(mask.count_ones()).unwrap_or(32);
            let known = all.entry(interface.clone()).or_default();
            let of = PortAddress { address, prefix };
            // The table is listed twice, as main and as local.
            if !known.v4.contains(&of) {
                known.v4.push(of);
            }
        }
    }
    all
}

/// What became of a module: loaded ones have a directory, those in the kernel are listed beside those that can be loaded
/// (kmod(8), modules.builtin).
fn module(facts: &Facts<'_>, release: &str, name: &str) -> Module {
    if facts.root().is_dir(format!("/sys/module/{name}")) {
        return Module::Loaded;
    }
    let has = |file: &str| {
        let text = facts.text(&format!("/lib/modules/{release}/{file}"))?;
        let ends = |path: &str| {
            let file = path.rsplit('/').next().unwrap_or_default();
            file.split('.')
                .next()
                .is_some_and(|stem| stem.replace('-', "_") == name)
        };
        Some(
            text.lines()
                .any(|line| ends(line.split(':').next().unwrap_or_default())),
        )
    };
    if has("modules.builtin") == Some(true) {
        return Module::Loaded;
    }
    match has("modules.dep") {
        Some(true) => Module::Available,
        Some(false) => Module::Absent,
        None => Module::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        eno1\t00000000\t0101010A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
        eno1\t0001010A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
        ens1f0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
    const TRIE: &str = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
        Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.1.1.7\n        /32 host LOCAL\n     |-- 10.1.1.255\n        /32 link BROADCAST\n\
           |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 192.0.2.2\n        /32 host LOCAL\n";

    #[test]
    fn addresses_of_a_tree_are_on_the_interface_of_their_network() {
        let all = of_files(ROUTE, TRIE);
        let shown: Vec<String> = all
            .iter()
            .flat_map(|(name, of)| {
                of.v4
                    .iter()
                    .map(move |a| format!("{name} {}/{}", a.address, a.prefix))
            })
            .collect();
        assert_eq!(shown, ["eno1 10.1.1.7/24", "ens1f0 192.0.2.2/24"]);
        assert!(of_files("", "nonsense").is_empty());
    }
}
