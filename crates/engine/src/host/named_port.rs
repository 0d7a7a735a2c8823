//! The port that somebody named, or what it is that has this name and is no port.

use hftune_model::host::Nic;
use hftune_model::names::IfName;
use hftune_model::{Error, Kind, Result};
use hftune_sys::Root;

const NET: &str = "/sys/class/net";

/// The type of the loopback interface (`ARPHRD_LOOPBACK`, include/uapi/linux/if_arp.h).
const LOOPBACK: &str = "772";

const LIST: &str = "hftune nic list shows the ports";

/// The port of that name among `nics`. A name that no interface can have is a matter of usage.
pub fn named_port<'n>(root: &Root, nics: &'n [Nic], name: &str) -> Result<&'n Nic> {
    let name: IfName = name.parse().map_err(|e: Error| Error {
        kind: Kind::Usage,
        ..e
    })?;
    let port = nics.iter().find(|nic| nic.name == name.as_str());
    port.ok_or_else(|| why_none(root, nics, name.as_str()))
}

fn why_none(root: &Root, nics: &[Nic], name: &str) -> Error {
    let Some(what) = kind(root, name) else {
        return Error::new(Kind::Missing, format!("there is no port {name}")).hint(LIST);
    };
    let below: Vec<&str> = nics
        .iter()
        .filter(|nic| nic.uppers.iter().any(|upper| upper == name))
        .map(|nic| nic.name.as_str())
        .collect();
    let error = Error::new(
        Kind::Missing,
        format!("{name} is {what}: it has no device behind it and is no port"),
    );
    match below.as_slice() {
        [] => error.hint(LIST),
        [only] => error.hint(format!("name the port below it: {only}")),
        ports => error.hint(format!("name the ports below it: {}", ports.join(" "))),
    }
}

/// What an interface without a device is; `None` where there is no interface of that name.
fn kind(root: &Root, name: &str) -> Option<&'static str> {
    let directory = format!("{NET}/{name}");
    // Not everything there is an interface: bonding_masters is a file.
    if !root.is_dir(&directory) {
        return None;
    }
    let text = |file: &str| root.read_text(format!("{directory}/{file}")).ok();
    let number = |file: &str| text(file).map(|text| text.trim().to_owned());
    if name == "lo" || number("type").as_deref() == Some(LOOPBACK) {
        return Some("the loopback interface");
    }
    // What drivers of virtual interfaces call their kind (`SET_NETDEV_DEVTYPE()`).
    let event = text("uevent").unwrap_or_default();
    let devtype = event.lines().find_map(|line| line.strip_prefix("DEVTYPE="));
    let there = |file: &str| root.exists(format!("{directory}/{file}"));
    Some(match devtype {
        Some("bond") => "a bond",
        Some("bridge") => "a bridge",
        Some("vlan") => "a VLAN",
        Some("macvlan" | "macvtap") => "a virtual interface on another one (macvlan)",
        Some("ipvlan") => "a virtual interface on another one (ipvlan)",
        Some("vxlan" | "geneve" | "gretap" | "wireguard" | "ppp") => "a tunnel",
        _ if there("bonding") => "a bond",
        _ if there("bridge") => "a bridge",
        _ if root.exists(format!("/proc/net/vlan/{name}")) => "a VLAN",
        _ if there("tun_flags") => "a virtual interface of a program (tun or tap)",
        // The number of the interface below it, or of the other end of a pair (`dev_get_iflink()`, net/core/dev.c).
        _ if is_above_none(root, &directory) && other_link(number("ifindex"), number("iflink")) => {
            "one end of a virtual pair (veth)"
        }
        _ => "a virtual interface",
    })
}

/// Whether no interface of this network namespace is below it.
fn is_above_none(root: &Root, directory: &str) -> bool {
    let names = root.list(directory).unwrap_or_default();
    !names.iter().any(|name| name.starts_with("lower_"))
}

/// Whether the number of what it leads to is known and not its own; a tunnel leads to none, which is 0.
fn other_link(own: Option<String>, other: Option<String>) -> bool {
    own.zip(other)
        .is_some_and(|(own, other)| other != "0" && own != other)
}
