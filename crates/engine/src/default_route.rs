//! Which ports the default route goes through: their link is not to go down unannounced.

use std::collections::BTreeSet;

use hftune_model::plan::Plan;
use hftune_model::port_change::PortChange;
use hftune_model::setting::Artifact;
use hftune_model::transaction::After;
use hftune_sys::Root;

/// The tables of the kernel (proc(5); Documentation/networking/proc_net_tcp.rst has their kin).
const IPV4: &str = "/proc/net/route";
const IPV6: &str = "/proc/net/ipv6_route";

/// A warning for each port whose link a plan may take down and that the default route goes through, by itself or below a
/// bond, a VLAN or a bridge.
pub fn warnings(root: &Root, plan: &Plan) -> Vec<String> {
    let touched: BTreeSet<&str> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.after {
            After::Set(Artifact::Port { port, change, .. }) if takes_link_down(change) => {
                Some(port.as_str())
            }
            _ => None,
        })
        .collect();
    if touched.is_empty() {
        return Vec::new();
    }
    let text = |path: &str| root.read_text(path).unwrap_or_default();
    let routes = interfaces(&text(IPV4), &text(IPV6));
    let through = |port: &&&str| {
        routes.iter().any(|interface| {
            interface == **port || root.exists(format!("/sys/class/net/{interface}/lower_{port}"))
        })
    };
    touched
        .iter()
        .filter(through)
        .map(|port| {
            format!(
                "{port} carries the default route: its link may go down for some seconds, and with it this connection"
            )
        })
        .collect()
}

/// Whether drivers may take the link down for a change: queues are rebuilt, or the link is negotiated anew.
fn takes_link_down(change: &PortChange) -> bool {
    change.rebuilds() || matches!(change, PortChange::Pause(_) | PortChange::Eee(_))
}

/// The interfaces of default routes.
fn interfaces(ipv4: &str, ipv6: &str) -> BTreeSet<String> {
    let four = ipv4.lines().skip(1).filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (interface, to, mask) = (words.first()?, words.get(1)?, words.get(7)?);
        (*to == "00000000" && *mask == "00000000").then(|| (*interface).to_owned())
    });
    let six = ipv6.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (to, length, interface) = (words.first()?, words.get(1)?, words.get(9)?);
        let default = to.bytes().all(|digit| digit == b'0') && *length == "00";
        // The kernel's own route that refuses what no other route takes.
        (default && *interface != "lo").then(|| (*interface).to_owned())
    });
    four.chain(six).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_routes_of_both_protocols_are_found() {
        let four = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                    eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                    eth1\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        let zeros = "0".repeat(32);
        let six = format!(
            "{zeros} 00 {zeros} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     bond0\n\
             {zeros} 00 {zeros} 00 {zeros} ffffffff 00000001 00000000 00200200       lo\n\
             fe800000000000000000000000000000 40 {zeros} 00 {zeros} 00000100 00000001 00000000 00000001     eth1\n"
        );
        let found = interfaces(four, &six);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["bond0", "eth0"]);
        assert!(interfaces("", "").is_empty());
        assert!(interfaces("x\n\ny z\n", "a b\n").is_empty());
    }
}
