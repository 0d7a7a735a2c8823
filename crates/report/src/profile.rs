//! A resolved profile: as TOML with the origin of each value beside it, and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hftune_model::Size;
use hftune_model::profile::{Origin, Profile, Resolved};
use owo_colors::OwoColorize as _;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// The tables in the order in which a profile is written.
const TABLES: [&str; 15] = [
    "cpus",
    "sysctl",
    "boot",
    "hugepages",
    "thp",
    "power",
    "irq",
    "threads",
    "rps",
    "workqueue",
    "kernel",
    "nic",
    "services",
    "limits",
    "drift",
];

/// What `hftune profile show --json` prints.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Json<'a> {
    schema: &'static str,
    layers: &'a [String],
    profile: &'a Profile,
    origins: &'a BTreeMap<String, Origin>,
}

/// The profile as JSON.
pub fn json(resolved: &Resolved) -> String {
    crate::to_json(&Json {
        schema: "hftune/profile/1",
        layers: &resolved.layers,
        profile: &resolved.profile,
        origins: &resolved.origins,
    })
}

/// The profile as TOML, each value with where it came from. What is printed is itself a profile.
pub fn human(resolved: &Resolved, width: usize) -> String {
    let values =
        serde_json::to_value(&resolved.profile).expect("a profile is maps, lists and scalars");
    // (table, line, origin); the values without a table come first, as TOML wants it.
    let mut lines: Vec<(&str, String, String)> = Vec::new();
    for (key, origin) in &resolved.origins {
        let (table, name) = key.split_once('.').unwrap_or(("", key));
        let Some(value) = find(&values, key) else {
            continue;
        };
        lines.push((
            table,
            format!("{} = {}", toml_key(table, name), toml(key, value)),
            origin.to_string(),
        ));
    }
    let rank = |table: &str| {
        TABLES
            .iter()
            .position(|known| *known == table)
            .map_or(0, |i| i + 1)
    };
    lines.sort_by_key(|(table, ..)| rank(table));

    let fits =
        |(_, line, origin): &&(&str, String, String)| length(line) + 4 + length(origin) <= width;
    let column = lines
        .iter()
        .filter(fits)
        .map(|(_, line, _)| length(line))
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    let mut current = "";
    for entry in &lines {
        let (table, line, origin) = entry;
        if *table != current {
            current = table;
            let _ = writeln!(out, "\n{}", format_args!("[{table}]").bold());
        }
        let origin = format!("# {origin}");
        if !fits(&entry) {
            let _ = writeln!(out, "{}\n{line}", origin.dimmed());
        } else if column + 2 + length(&origin) <= width {
            let _ = writeln!(out, "{line:column$}  {}", origin.dimmed());
        } else {
            let _ = writeln!(out, "{line}  {}", origin.dimmed());
        }
    }
    out
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// The value of a key in the profile. The names of kernel parameters, and PCI addresses, have dots of their own.
fn find<'v>(values: &'v Value, key: &str) -> Option<&'v Value> {
    let in_table = |at: usize| find(values.get(&key[..at])?, &key[at + 1..]);
    let mut dots = key.match_indices('.');
    values
        .get(key)
        .or_else(|| dots.find_map(|(at, _)| in_table(at)))
}

/// A key as TOML writes it.
fn toml_key(table: &str, name: &str) -> String {
    let bare = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
    };
    let nested = !["sysctl", "boot"].contains(&table) && name.split('.').all(bare);
    if nested || bare(name) {
        return name.to_owned();
    }
    // A port's name stands between its table and what is set of it.
    match (name.split_once('.'), name.rsplit_once('.')) {
        (Some((kind, _)), Some((_, knob))) if table == "nic" => {
            let port = &name[kind.len() + 1..name.len() - knob.len() - 1];
            format!("{kind}.{}.{knob}", Value::from(port))
        }
        _ => Value::from(name).to_string(),
    }
}

/// A value as TOML writes it.
fn toml(key: &str, value: &Value) -> String {
    match value {
        // Bytes as the operator wrote them.
        Value::Number(bytes) if key == "hugepages.size" => {
            bytes.as_u64().map_or_else(|| bytes.to_string(), short_size)
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| toml("", item)).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

/// 2097152 is "2M".
fn short_size(bytes: u64) -> String {
    let units = [(30, 'G'), (20, 'M'), (10, 'K')];
    let unit = units
        .into_iter()
        .find(|(shift, _)| bytes > 0 && Size(bytes).0.is_multiple_of(1 << shift));
    unit.map_or_else(
        || bytes.to_string(),
        |(shift, unit)| format!("\"{}{unit}\"", bytes >> shift),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use hftune_model::profile::{BootValue, SysctlValue};

    fn resolved() -> Resolved {
        let mut profile = Profile {
            name: "desk".to_owned(),
            ..Profile::default()
        };
        profile.sysctl.insert(
            "vm.swappiness".parse().expect("key"),
            SysctlValue::Number(0),
        );
        profile.sysctl.insert(
            "net.ipv4.conf.eth0/100.rp_filter".parse().expect("key"),
            SysctlValue::Text("0".to_owned()),
        );
        profile
            .boot
            .insert("nosmt".to_owned(), BootValue::Flag(true));
        profile.hugepages.nodes.insert("0".to_owned(), 512);
        profile.services.off = vec!["a.service".to_owned(), "b.service".to_owned()];
        let hft = Origin::BuiltIn("hft");
        let file = Origin::File("/etc/hftune/profile.toml".into(), 7);
        let origins = [
            ("name", file.clone()),
            ("sysctl.vm.swappiness", hft.clone()),
            ("sysctl.net.ipv4.conf.eth0/100.rp_filter", file.clone()),
            ("boot.nosmt", Origin::CommandLine),
            ("hugepages.size", hft.clone()),
            ("hugepages.nodes.0", file),
            ("services.off", hft),
        ];
        Resolved {
            profile,
            origins: origins.map(|(key, origin)| (key.to_owned(), origin)).into(),
            layers: vec![
                "built-in hft".to_owned(),
                "/etc/hftune/profile.toml".to_owned(),
            ],
        }
    }

    fn plain(width: usize) -> String {
        anstream::adapter::strip_str(&human(&resolved(), width)).to_string()
    }

    #[test]
    fn origins_stand_beside_the_values() {
        insta::assert_snapshot!(plain(80), @r#"
        name = "desk"                             # /etc/hftune/profile.toml:7

        [sysctl]
        "net.ipv4.conf.eth0/100.rp_filter" = "0"  # /etc/hftune/profile.toml:7
        "vm.swappiness" = 0                       # built-in hft

        [boot]
        nosmt = true                              # command line

        [hugepages]
        nodes.0 = 512                             # /etc/hftune/profile.toml:7
        size = "2M"                               # built-in hft

        [services]
        off = ["a.service", "b.service"]          # built-in hft
        "#);
    }

    #[test]
    fn a_narrow_terminal_has_them_above() {
        insta::assert_snapshot!(plain(50), @r#"
        name = "desk"  # /etc/hftune/profile.toml:7

        [sysctl]
        # /etc/hftune/profile.toml:7
        "net.ipv4.conf.eth0/100.rp_filter" = "0"
        "vm.swappiness" = 0               # built-in hft

        [boot]
        nosmt = true                      # command line

        [hugepages]
        nodes.0 = 512  # /etc/hftune/profile.toml:7
        size = "2M"                       # built-in hft

        [services]
        off = ["a.service", "b.service"]  # built-in hft
        "#);
    }

    #[test]
    fn json_has_its_schema() {
        let json: Value = serde_json::from_str(&json(&resolved())).expect("json");
        assert_eq!(json["schema"], "hftune/profile/1");
        assert_eq!(json["origins"]["boot.nosmt"], "command line");
        assert_eq!(json["profile"]["hugepages"]["size"], 2_097_152);
    }
}
