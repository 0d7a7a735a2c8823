//! What `hftune nic show --json` tells, in the words of [`super::ethtool_text`], so that the two can be set side by side line by line.

use super::super::snapshot::Snapshot;
use super::ethtool_text::{UNSUPPORTED, on_off, sorted};
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// The ports that `hftune nic show --json` told of. Keys are "PORT/section/what".
pub fn ports(report: &Value) -> Result<Snapshot> {
    let mut all = Snapshot::new();
    let ports = report["ports"].as_array().context("no list of ports")?;
    for port in ports {
        let name = port["name"].as_str().context("a port has no name")?;
        let entries = of_port(port).with_context(|| format!("port {name}"))?;
        all.extend(
            entries
                .into_iter()
                .map(|(key, value)| (format!("{name}/{key}"), value)),
        );
    }
    Ok(all)
}

fn of_port(port: &Value) -> Result<Vec<(String, String)>> {
    let mut entries = vec![
        ("driver/name".to_string(), text(&port["driver"])?),
        ("driver/bus-info".to_string(), text(&port["pci_address"])?),
    ];
    let told = &port["ethtool"];
    for section in [
        "rings", "channels", "coalesce", "features", "pause", "eee", "flags",
    ] {
        match value(&told[section])? {
            None => entries.push((section.to_string(), UNSUPPORTED.to_string())),
            Some(fields) => {
                for (name, value) in fields {
                    if let Some(value) = field(section, name, value)? {
                        entries.push((format!("{section}/{}", key(section, name)), value));
                    }
                }
            }
        }
    }
    link(told, &mut entries)?;
    stamps(told, &mut entries)?;
    Ok(entries)
}

/// What the driver told of a section: `None` for what it does not have.
fn value(told: &Value) -> Result<Option<&Map<String, Value>>> {
    if told == "unsupported" {
        return Ok(None);
    }
    match told["value"].as_object() {
        Some(fields) => Ok(Some(fields)),
        None => bail!("neither a value nor unsupported: {told}"),
    }
}

/// Names of features and flags are the kernel's and the driver's, and may hold underscores.
fn key(section: &str, name: &str) -> String {
    match section {
        "features" | "flags" => name.to_string(),
        _ => name.replace('_', "-"),
    }
}

/// A value as ethtool writes it; `None` for what the driver does not have.
fn field(section: &str, name: &str, value: &Value) -> Result<Option<String>> {
    Ok(match value {
        Value::Null => None,
        Value::Bool(on) => Some(on_off(*on).to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(feature) if section == "features" => {
            let is = |what: &str| {
                feature
                    .get(what)
                    .and_then(Value::as_bool)
                    .with_context(|| format!("feature {name} has no {what}"))
            };
            let (active, wanted) = (is("active")?, is("wanted")?);
            let mark = if is("fixed")? {
                " [fixed]".to_string()
            } else if active == wanted {
                String::new()
            } else {
                format!(" [requested {}]", on_off(wanted))
            };
            Some(format!("{}{mark}", on_off(active)))
        }
        other => bail!("{section}/{name}: cannot read {other}"),
    })
}

/// Words of the kernel's list of link modes that are plugs and not modes, which ethtool has a line of its own for.
const PLUGS: [&str; 6] = ["TP", "AUI", "MII", "FIBRE", "BNC", "Backplane"];

fn link(told: &Value, entries: &mut Vec<(String, String)>) -> Result<()> {
    let mut add = |key: &str, value: String| entries.push((format!("link/{key}"), value));
    let modes = value(&told["link_modes"])?.context("no link modes")?;
    let list = |name: &str| list(&modes[name]);
    let named = |name: &str| Ok::<_, anyhow::Error>(list(name)?.into_iter());
    let supported = list("supported")?;
    let offers = |word: &str| supported.contains(&word);
    let is_mode = |word: &&str| word.contains('/');
    add("modes", sorted(named("supported")?.filter(is_mode)));
    add(
        "advertised-modes",
        sorted(named("advertised")?.filter(is_mode)),
    );
    let peer = sorted(named("peer")?.filter(is_mode));
    // ethtool leaves the line out where the peer told nothing.
    if !peer.is_empty() {
        add("peer-modes", peer);
    }
    add(
        "supported-ports",
        sorted(named("supported")?.filter(|word| PLUGS.contains(word))),
    );
    let pause = match (offers("Pause"), offers("Asym_Pause")) {
        (true, false) => "symmetric",
        (true, true) => "symmetric receive-only",
        (false, true) => "transmit-only",
        (false, false) => "no",
    };
    add("supported-pause-frame-use", pause.to_string());
    add(
        "supports-auto-negotiation",
        yes_no(offers("Autoneg")).to_string(),
    );
    add(
        "speed",
        modes["speed_mbps"]
            .as_u64()
            .map_or_else(|| "unknown".to_string(), |speed| speed.to_string()),
    );
    let duplex = match modes["full_duplex"].as_bool() {
        Some(true) => "full",
        Some(false) => "half",
        None => "unknown",
    };
    add("duplex", duplex.to_string());
    if let Some(autoneg) = modes["autoneg"].as_bool() {
        add("auto-negotiation", on_off(autoneg).to_string());
    }
    let state = value(&told["link_state"])?.context("no state of the link")?;
    if let Some(up) = state["up"].as_bool() {
        add("link-detected", yes_no(up).to_string());
    }
    Ok(())
}

fn stamps(told: &Value, entries: &mut Vec<(String, String)>) -> Result<()> {
    let stamps = value(&told["time_stamping"])?.context("no time stamps")?;
    let mut add = |key: &str, value: String| entries.push((format!("stamps/{key}"), value));
    add("capabilities", list(&stamps["capabilities"])?.join(" "));
    add(
        "clock",
        stamps["phc_index"]
            .as_u64()
            .map_or_else(|| "none".to_string(), |index| index.to_string()),
    );
    for (key, name) in [("tx-types", "tx_types"), ("rx-filters", "rx_filters")] {
        let words = list(&stamps[name])?.join(" ");
        add(
            key,
            if words.is_empty() {
                "none".into()
            } else {
                words
            },
        );
    }
    Ok(())
}

fn list(value: &Value) -> Result<Vec<&str>> {
    let words = value
        .as_array()
        .with_context(|| format!("no list: {value}"))?;
    words
        .iter()
        .map(|word| {
            word.as_str()
                .with_context(|| format!("not a word: {value}"))
        })
        .collect()
}

fn text(value: &Value) -> Result<String> {
    Ok(value
        .as_str()
        .with_context(|| format!("not a word: {value}"))?
        .to_string())
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report() -> Value {
        let feature =
            |active, wanted, fixed| json!({ "active": active, "wanted": wanted, "fixed": fixed });
        json!({ "ports": [{
            "name": "ens1", "driver": "igb", "pci_address": "0000:21:00.0",
            "ethtool": {
                "rings": { "value": { "rx": 256, "rx_max": 4096, "rx_mini": null } },
                "channels": "unsupported",
                "coalesce": { "value": { "adaptive_rx": false, "rx_usecs": 3, "tx_usecs": null } },
                "features": { "value": {
                    "rx-gro": feature(true, true, false),
                    "rx-lro": feature(false, false, true),
                    "tx-udp_tnl-segmentation": feature(false, true, false),
                } },
                "pause": { "value": { "autoneg": true, "rx": false, "tx": null } },
                "eee": "unsupported",
                "flags": { "value": { "legacy_rx": true } },
                "link_modes": { "value": {
                    "autoneg": true, "speed_mbps": 1000, "full_duplex": null,
                    "supported": ["10baseT/Half", "Autoneg", "TP", "Pause", "Asym_Pause"], "advertised": [], "peer": [],
                } },
                "link_state": { "value": { "up": true } },
                "time_stamping": { "value": {
                    "capabilities": ["a", "b"], "tx_types": [], "rx_filters": ["none", "all"], "phc_index": 1,
                } },
            },
        }] })
    }

    #[test]
    fn every_field_is_in_the_words_of_ethtool() {
        let entries = ports(&report()).expect("reads");
        let lines: Vec<String> = entries
            .iter()
            .map(|(key, value)| {
                format!(
                    "{}={value}",
                    key.strip_prefix("ens1/").expect("of the port")
                )
            })
            .collect();
        assert_eq!(
            lines,
            [
                "channels=not supported",
                "coalesce/adaptive-rx=off",
                "coalesce/rx-usecs=3",
                "driver/bus-info=0000:21:00.0",
                "driver/name=igb",
                "eee=not supported",
                "features/rx-gro=on",
                "features/rx-lro=off [fixed]",
                "features/tx-udp_tnl-segmentation=off [requested on]",
                "flags/legacy_rx=on",
                "link/advertised-modes=",
                "link/auto-negotiation=on",
                "link/duplex=unknown",
                "link/link-detected=yes",
                "link/modes=10baseT/Half",
                "link/speed=1000",
                "link/supported-pause-frame-use=symmetric receive-only",
                "link/supported-ports=TP",
                "link/supports-auto-negotiation=yes",
                "pause/autoneg=on",
                "pause/rx=off",
                "rings/rx=256",
                "rings/rx-max=4096",
                "stamps/capabilities=a b",
                "stamps/clock=1",
                "stamps/rx-filters=none all",
                "stamps/tx-types=none",
            ]
        );
    }

    #[test]
    fn what_nobody_knows_is_no_agreement() {
        let mut report = report();
        report["ports"][0]["ethtool"]["pause"] = json!({ "unknown": "no time" });
        let error = ports(&report).expect_err("pause is not known");
        assert!(format!("{error:#}").contains("no time"), "{error:#}");
    }
}
