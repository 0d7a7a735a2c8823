//! What a port must be set to once it is tuned, worked out from what it was before.

use super::super::snapshot::Snapshot;

/// What the built-in profile wants of rings.
const RING: u64 = 4096;

/// Parts of the names of features that put packets together or cut them up: all that `ethtool -K PORT gro off lro off tso
/// off gso off` turns off, and what does the same in other places or for other protocols.
const OFF: [&str; 4] = ["gro", "lro", "gso", "segmentation"];

/// Keys of what the kernel numbers anew: clocks, in the order in which cards are found.
const NUMBERED: &str = "stamps/clock";

/// The entries that are the same as long as nobody sets the ports.
pub fn judged(entries: &Snapshot) -> Snapshot {
    let mut entries = entries.clone();
    entries.retain(|key, _| !key.ends_with(NUMBERED));
    entries
}

/// The state of the ports once they are tuned: what is not in the profile stays as it was `before`.
pub fn tuned(before: &Snapshot) -> Snapshot {
    let mut after = judged(before);
    for (key, value) in &mut after {
        let Some((_, what)) = key.split_once('/') else {
            continue;
        };
        if let Some(wanted) = wanted(what, before.get(&format!("{key}-max")))
            && !value.ends_with("[fixed]")
        {
            *value = wanted;
        }
    }
    after
}

/// What the profile makes of a key that the driver has; `None` where it leaves it alone.
fn wanted(what: &str, most: Option<&String>) -> Option<String> {
    match what {
        "rings/rx" | "rings/tx" => {
            let most = most?.parse().unwrap_or(RING);
            Some(RING.min(most).to_string())
        }
        "coalesce/adaptive-rx" | "coalesce/adaptive-tx" => Some("off".into()),
        "coalesce/rx-usecs" | "coalesce/tx-usecs" => Some("0".into()),
        what => {
            let feature = what.strip_prefix("features/")?;
            let ours = feature.split(['-', '_']).any(|part| OFF.contains(&part));
            ours.then(|| "off".into())
        }
    }
}

/// The settings of each port in hftune's own report, and the verdicts that are right for the driver.
pub fn verdicts(model: &str) -> Vec<(&'static str, &'static [&'static str])> {
    const OK: &[&str] = &["ok"];
    const ROUNDED: &[&str] = &["rounded"];
    const NOT_APPLICABLE: &[&str] = &["not-applicable"];
    // What is off for good is as desired.
    const OFF_FOR_GOOD: &[&str] = &["ok", "not-applicable"];
    let ring = if model == "virtio-net-pci" {
        ROUNDED
    } else {
        OK
    };
    let (rx_usecs, tx_usecs) = match model {
        // One number of e1000e, and of the queues of igb that share their interrupts, serves both directions.
        "e1000e" | "igb" => (OK, NOT_APPLICABLE),
        "vmxnet3" => (NOT_APPLICABLE, NOT_APPLICABLE),
        _ => (OK, OK),
    };
    let lro = if model == "vmxnet3" { OK } else { OFF_FOR_GOOD };
    vec![
        ("service", OK),
        ("ring-rx", ring),
        ("ring-tx", ring),
        ("feature-gro", OK),
        ("feature-lro", lro),
        ("feature-tso", OK),
        ("feature-gso", OK),
        ("coalesce-adaptive-rx", NOT_APPLICABLE),
        ("coalesce-adaptive-tx", NOT_APPLICABLE),
        ("coalesce-rx-usecs", rx_usecs),
        ("coalesce-tx-usecs", tx_usecs),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_driver_has_and_the_profile_wants_changes() {
        let pairs = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_string(), (*value).to_string()))
                .collect::<Snapshot>()
        };
        let before = pairs(&[
            ("a/channels/combined", "8"),
            ("a/coalesce/rx-usecs", "3"),
            ("a/features/rx-gro", "on"),
            ("a/features/rx-lro", "off [fixed]"),
            ("a/features/tx-generic-segmentation", "off [requested on]"),
            ("a/features/rx-checksum", "on"),
            ("a/features/tx-udp_tnl-segmentation", "on"),
            ("a/pause/rx", "on"),
            ("a/rings/rx", "512"),
            ("a/rings/rx-jumbo", "512"),
            ("a/rings/rx-jumbo-max", "4096"),
            ("a/rings/rx-max", "4096"),
            ("a/stamps/clock", "1"),
            ("v/coalesce", "not supported"),
            ("v/rings/rx", "256"),
            ("v/rings/rx-max", "256"),
        ]);
        let after = pairs(&[
            ("a/channels/combined", "8"),
            ("a/coalesce/rx-usecs", "0"),
            ("a/features/rx-gro", "off"),
            ("a/features/rx-lro", "off [fixed]"),
            ("a/features/tx-generic-segmentation", "off"),
            ("a/features/rx-checksum", "on"),
            ("a/features/tx-udp_tnl-segmentation", "off"),
            ("a/pause/rx", "on"),
            ("a/rings/rx", "4096"),
            ("a/rings/rx-jumbo", "512"),
            ("a/rings/rx-jumbo-max", "4096"),
            ("a/rings/rx-max", "4096"),
            ("v/coalesce", "not supported"),
            ("v/rings/rx", "256"),
            ("v/rings/rx-max", "256"),
        ]);
        assert_eq!(tuned(&before), after);
    }
}
