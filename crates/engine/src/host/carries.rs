//! What would be cut off while the link of a port is down: the default route, and the ssh session of the operator.
//!
//! Of the live machine only, and not part of a capture, which holds no addresses and no environments.

use std::net::{IpAddr, Ipv6Addr};

use hftune_model::host::Nic;
use hftune_sys::{Root, identity, network};

/// The flags of a route (include/uapi/linux/route.h, `RTF_UP` and `RTF_REJECT`).
const UP: u32 = 0x0001;
const REJECT: u32 = 0x0200;

/// How many ancestors of a process are looked at: more are a circle of a table that changes meanwhile.
const ANCESTORS: usize = 64;

/// The variable by which sshd(8) tells a session its two ends: client address and port, server address and port.
const SESSION: &str = "SSH_CONNECTION";

/// Notes what each port carries.
pub(super) fn note(root: &Root, nics: &mut [Nic]) {
    if !root.is_live() {
        return;
    }
    // Another root than the one that asks, which may be recording.
    let root = Root::live();
    let own = std::env::var(SESSION).ok();
    let session = session(&root, own, identity::pid());
    let interface_of = |address| network::interface_of(address).ok().flatten();
    put(nics, &carried(&root, session.as_deref(), interface_of));
}

/// An interface and what it carries.
type Carried = (String, String);

/// What interfaces carry, whether or not they are ports.
fn carried(
    root: &Root,
    session: Option<&str>,
    interface_of: impl Fn(IpAddr) -> Option<String>,
) -> Vec<Carried> {
    let text = |path: &str| root.read_text(path).unwrap_or_default();
    let mut carried = Vec::new();
    let v4 = default_routes_v4(&text("/proc/net/route"));
    let v6 = default_routes_v6(&text("/proc/net/ipv6_route"));
    for interface in v4.into_iter().chain(v6) {
        let known = carried.iter().any(|(other, _)| *other == interface);
        if !known {
            carried.push((interface, "the default route".to_owned()));
        }
    }
    if let Some(end) = session.and_then(server_end) {
        let interface = end.zone.clone().or_else(|| interface_of(end.address));
        let words = format!("this ssh session ({})", end.address);
        carried.extend(interface.map(|interface| (interface, words)));
    }
    carried
}

/// Gives each port what it or an interface above it carries.
fn put(nics: &mut [Nic], carried: &[Carried]) {
    for nic in nics {
        let goes_through =
            |interface: &String| *interface == nic.name || nic.uppers.contains(interface);
        let mut words: Vec<String> = Vec::new();
        for (_, what) in carried
            .iter()
            .filter(|(interface, _)| goes_through(interface))
        {
            if !words.contains(what) {
                words.push(what.clone());
            }
        }
        nic.carries = words;
    }
}

/// The interfaces of the default routes in `/proc/net/route` that the kernel prefers, those of the lowest metric.
///
/// Of a route with several ways the kernel prints the first only (`fib_route_seq_show()`, net/ipv4/fib_trie.c).
fn default_routes_v4(text: &str) -> Vec<String> {
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [
            interface,
            "00000000",
            _,
            flags,
            _,
            _,
            metric,
            "00000000",
            ..,
        ] = fields[..]
        else {
            return None;
        };
        let flags = u32::from_str_radix(flags, 16).ok()?;
        usable(interface, flags, metric.parse().ok()?)
    };
    preferred(text.lines().filter_map(route).collect())
}

/// The same of `/proc/net/ipv6_route` (`rt6_info_route()`, net/ipv6/route.c): target and length, source and length, next
/// hop, metric, references, uses, flags, interface; all numbers are hexadecimal.
fn default_routes_v6(text: &str) -> Vec<String> {
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [target, "00", _, _, _, metric, _, _, flags, interface] = fields[..] else {
            return None;
        };
        if target.bytes().any(|digit| digit != b'0') {
            return None;
        }
        let number = |text| u32::from_str_radix(text, 16).ok();
        usable(interface, number(flags)?, number(metric)?)
    };
    preferred(text.lines().filter_map(route).collect())
}

/// A route, unless it leads nowhere: the kernel keeps one that rejects everything on lo.
fn usable(interface: &str, flags: u32, metric: u32) -> Option<(u32, String)> {
    let leads = flags & UP != 0 && flags & REJECT == 0 && !matches!(interface, "lo" | "*");
    leads.then(|| (metric, interface.to_owned()))
}

fn preferred(routes: Vec<(u32, String)>) -> Vec<String> {
    let best = routes.iter().map(|(metric, _)| *metric).min();
    routes
        .into_iter()
        .filter(|(metric, _)| Some(*metric) == best)
        .map(|(_, interface)| interface)
        .collect()
}

/// The ends of the ssh session that this process belongs to: sudo(8) leaves the variable out, and an ancestor has it.
///
/// A terminal that outlives its session (tmux, screen) has that of the session in which it was started.
fn session(root: &Root, own: Option<String>, pid: u32) -> Option<String> {
    let mut pid = pid;
    let mut session = own.filter(|value| !value.is_empty());
    for _ in 0..ANCESTORS {
        if session.is_some() {
            break;
        }
        pid = parent(&root.read_text(format!("/proc/{pid}/status")).ok()?)?;
        if pid <= 1 {
            return None;
        }
        // Without root it is readable only of this user's own processes, and the search goes on.
        let environment = root
            .read(format!("/proc/{pid}/environ"))
            .unwrap_or_default();
        session = variable(&environment, SESSION);
    }
    session
}

fn parent(status: &str) -> Option<u32> {
    let mut lines = status.lines();
    lines.find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}

/// A variable of an environment, the entries of which end with a zero (proc(5)).
fn variable(environment: &[u8], name: &str) -> Option<String> {
    let value = |entry: &[u8]| {
        let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        (!value.is_empty()).then(|| String::from_utf8_lossy(value).into_owned())
    };
    environment.split(|byte| *byte == 0).find_map(value)
}

/// The end of an ssh session on this machine.
struct End {
    address: IpAddr,
    /// The interface that a link-local address names itself: fe80::1%eth0.
    zone: Option<String>,
}

fn server_end(session: &str) -> Option<End> {
    let word = session.split_ascii_whitespace().nth(2)?;
    let (address, zone) = match word.split_once('%') {
        Some((address, zone)) => (address, Some(zone.to_owned())),
        None => (word, None),
    };
    let address: IpAddr = address.parse().ok()?;
    // An IPv4 connection to a socket of both families.
    let mapped = |address: Ipv6Addr| address.to_ipv4_mapped().map(IpAddr::V4);
    let address = match address {
        IpAddr::V6(v6) => mapped(v6).unwrap_or(address),
        IpAddr::V4(_) => address,
    };
    Some(End { address, zone })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const V4: &str =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
    const NOWHERE: &str = "00000000000000000000000000000000";

    fn v4(lines: &[&str]) -> Vec<String> {
        default_routes_v4(&format!("{V4}{}\n", lines.join("\n")))
    }

    #[test]
    fn the_default_route_is_that_of_the_lowest_metric() {
        let net = "ens1f1\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0";
        let first = "bond0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0     ";
        let second = "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0";
        let same = "ens2\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0";
        let reject = "*\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0";
        let down = "ens3\t00000000\t00000000\t0002\t0\t0\t0\t00000000\t0\t0\t0";
        assert_eq!(v4(&[net, second, first, reject, down]), ["bond0"]);
        assert_eq!(v4(&[first, same]), ["bond0", "ens2"]);
        assert!(v4(&[net]).is_empty() && v4(&[]).is_empty());
        // Half of all addresses is no default route.
        assert!(v4(&["tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0"]).is_empty());
    }

    #[test]
    fn the_default_route_of_ipv6_is_found() {
        let route = |target: &str, length: &str, metric: &str, flags: &str, interface: &str| {
            format!(
                "{target} {length} {NOWHERE} 00 {NOWHERE} {metric} 00000002 00000000 {flags} {interface:>8}\n"
            )
        };
        let local = "fe800000000000000000000000000000";
        let text = [
            route(local, "40", "00000100", "00000001", "eth1"),
            route(NOWHERE, "00", "00000400", "00000003", "eth0"),
            route(NOWHERE, "00", "ffffffff", "00200200", "lo"),
            route(NOWHERE, "01", "00000001", "00000003", "eth2"),
        ];
        assert_eq!(default_routes_v6(&text.concat()), ["eth0"]);
        assert!(default_routes_v6(&text[2]).is_empty());
    }

    #[test]
    fn the_end_of_a_session_is_an_address_or_an_interface() {
        let end = |text: &str| server_end(text).map(|end| (end.address.to_string(), end.zone));
        let is =
            |address: &str, zone: Option<&str>| Some((address.to_owned(), zone.map(str::to_owned)));
        assert_eq!(end("10.0.0.9 51000 10.0.0.5 22"), is("10.0.0.5", None));
        assert_eq!(
            end("fe80::2%eth0 5 fe80::1%eth0 22"),
            is("fe80::1", Some("eth0"))
        );
        assert_eq!(
            end("::ffff:10.0.0.9 5 ::ffff:10.0.0.5 22"),
            is("10.0.0.5", None)
        );
        for nothing in [
            "",
            "UNKNOWN 65535 UNKNOWN 65535",
            "10.0.0.9 51000",
            "a b c d",
        ] {
            assert_eq!(end(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn variables_of_an_environment_are_whole_names() {
        let environment = b"XSSH_CONNECTION=a\0SSH_CONNECTIONS=b\0SSH_CONNECTION=c d\0\0";
        assert_eq!(variable(environment, SESSION).as_deref(), Some("c d"));
        assert_eq!(variable(b"SSH_CONNECTION=\0PATH=\xff", SESSION), None);
        assert_eq!(variable(b"", SESSION), None);
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "a test prepares its own directory"
    )]
    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().expect("temporary directory");
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("directory");
            std::fs::write(path, text).expect("file");
        }
        let root = Root::tree(dir.path()).expect("tree");
        (dir, root)
    }

    #[test]
    fn a_session_is_found_behind_sudo() {
        let (_dir, root) = tree(&[
            ("proc/90/status", "Name:\thftune\nPid:\t90\nPPid:\t80\n"),
            ("proc/80/status", "Name:\tsudo\nPPid:\t70\n"),
            ("proc/80/environ", "PATH=/usr/bin\0"),
            ("proc/70/status", "Name:\tbash\nPPid:\t60\n"),
            (
                "proc/70/environ",
                "A=b\0SSH_CONNECTION=10.0.0.9 5 10.0.0.5 22\0",
            ),
            ("proc/50/status", "Name:\tbash\nPPid:\t1\n"),
            ("proc/40/status", "Name:\todd\nPPid:\t41\n"),
            ("proc/41/status", "Name:\todd\nPPid:\t40\n"),
        ]);
        let found = |own: Option<&str>, pid| session(&root, own.map(str::to_owned), pid);
        let there = Some("10.0.0.9 5 10.0.0.5 22".to_owned());
        assert_eq!(found(None, 90), there);
        assert_eq!(found(Some(""), 90), there);
        assert_eq!(found(Some("a"), 90).as_deref(), Some("a"));
        // A session of its own, a circle, and a process that is gone.
        assert_eq!(found(None, 50), None);
        assert_eq!(found(None, 40), None);
        assert_eq!(found(None, 30), None);
    }

    #[test]
    fn a_port_carries_what_goes_through_it_or_above_it() {
        let route = "bond0.7\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n";
        let six = format!(
            "{NOWHERE} 00 {NOWHERE} 00 {NOWHERE} 00000400 00000001 00000000 00000003 bond0.7\n"
        );
        let (_dir, root) = tree(&[
            ("proc/net/route", &format!("{V4}{route}")),
            ("proc/net/ipv6_route", &six),
        ]);
        let nic = |name: &str, uppers: &[&str]| Nic {
            name: name.to_owned(),
            uppers: uppers.iter().map(|upper| (*upper).to_owned()).collect(),
            ..Nic::default()
        };
        let mut nics = [
            nic("ens1f0", &["bond0", "bond0.7"]),
            nic("ens2", &[]),
            nic("ens3", &["bond0"]),
        ];
        let interface_of =
            |address: IpAddr| (address.to_string() == "10.0.0.5").then(|| "bond0.7".to_owned());
        let mut told = |session: Option<&str>| {
            put(&mut nics, &carried(&root, session, interface_of));
            nics.each_ref().map(|nic| nic.carries.join(", "))
        };
        assert_eq!(told(None), ["the default route", "", ""]);
        assert_eq!(
            told(Some("10.0.0.9 5 10.0.0.5 22")),
            ["the default route, this ssh session (10.0.0.5)", "", ""]
        );
        // A link-local address says itself where it is; one that nobody has is nowhere.
        assert_eq!(
            told(Some("fe80::2%x 5 fe80::1%ens2 22")),
            ["the default route", "this ssh session (fe80::1)", ""]
        );
        assert_eq!(
            told(Some("10.0.0.9 5 10.0.0.6 22")),
            ["the default route", "", ""]
        );
    }

    proptest! {
        #[test]
        fn never_panics(text in "([0-9a-f]{0,32}[\t ]|lo|\n|%|:){0,40}", any in "\\PC{0,40}") {
            for text in [&text, &any] {
                let _ = (default_routes_v4(text), default_routes_v6(text));
                let _ = (server_end(text), parent(text), variable(text.as_bytes(), SESSION));
            }
        }
    }
}
