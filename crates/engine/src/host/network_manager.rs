//! Connection profiles of NetworkManager, as far as they set up ports with ethtool.
//!
//! Such files hold passwords. Of each only `[connection]` (id, interface-name) and `[ethtool]` are looked at; nothing
//! else is kept, nor quoted in an error.

use hftune_model::others::{PortOwner, PortSetting};

use super::facts::Facts;
use super::ini::{self, Dialect};
use super::shell_words::{self, Assignment};

/// Where keyfiles are (NetworkManager.conf(5), "keyfile").
const DIRECTORIES: [&str; 3] = [
    "/etc/NetworkManager/system-connections",
    "/run/NetworkManager/system-connections",
    "/usr/lib/NetworkManager/system-connections",
];

/// The files of RHEL 8 and before; only `ifcfg-*`, for `keys-*` hold passwords.
const NETWORK_SCRIPTS: &str = "/etc/sysconfig/network-scripts";

/// The settings. What cannot be read is put into `unread`.
pub(super) fn read(facts: &Facts<'_>, unread: &mut Vec<String>) -> Vec<PortSetting> {
    let mut settings = Vec::new();
    for directory in DIRECTORIES {
        for name in facts.list_or(directory, unread).iter() {
            let path = format!("{directory}/{name}");
            // Editors' copies and hidden files are no connections. A name without a suffix is one, of old.
            if name.starts_with('.') || name.ends_with('~') || facts.root().is_dir(&path) {
                continue;
            }
            if let Some(text) = facts.text_or(&path, unread) {
                settings.extend(keyfile(&text, &path));
            }
        }
    }
    for name in facts.list_or(NETWORK_SCRIPTS, unread).iter() {
        let copy = [".bak", ".orig", ".rpmnew", ".rpmsave", "~"];
        if !name.starts_with("ifcfg-") || copy.iter().any(|end| name.ends_with(end)) {
            continue;
        }
        let path = format!("{NETWORK_SCRIPTS}/{name}");
        if let Some(text) = facts.text_or(&path, unread) {
            settings.extend(ifcfg(&text, &path));
        }
    }
    settings
}

/// The settings in a keyfile (nm-settings-keyfile(5), "ethtool").
fn keyfile(text: &str, path: &str) -> Vec<PortSetting> {
    let entries = ini::parse(text, Dialect::KeyFile);
    let connection = |key: &str| {
        let mut entries = entries.iter();
        let found = entries.find(|e| e.section == "connection" && e.key == key);
        found.map(|e| e.value.clone()).filter(|v| !v.is_empty())
    };
    let port = connection("interface-name");
    let id = connection("id");
    entries
        .iter()
        .filter(|entry| entry.section == "ethtool" && !entry.value.is_empty())
        .map(|entry| PortSetting {
            uncertain: port.is_none(),
            port: port.clone(),
            knob: entry.key.clone(),
            value: entry.value.clone(),
            owner: PortOwner::NetworkManager,
            connection: id.clone(),
            file: path.to_owned(),
            line: entry.line,
        })
        .collect()
}

/// The settings in `ETHTOOL_OPTS` of an ifcfg file, of which there may be several (ETHTOOL_OPTS_1, ...).
fn ifcfg(text: &str, path: &str) -> Vec<PortSetting> {
    let assignments = shell_words::parse(text);
    let value = |key: &str| {
        shell_words::last(&assignments, key)
            .map(|a| a.value.clone())
            .filter(|value| !value.is_empty())
    };
    let port = value("DEVICE");
    let connection = value("NAME").or_else(|| port.clone());
    let of_line = |a: &Assignment| {
        let mut settings = Vec::new();
        for command in a.value.split(';') {
            for (knob, value) in ethtool(command, port.as_deref()) {
                settings.push(PortSetting {
                    port: port.clone(),
                    knob,
                    value,
                    owner: PortOwner::Ifcfg,
                    connection: connection.clone(),
                    file: path.to_owned(),
                    line: a.line,
                    uncertain: port.is_none(),
                });
            }
        }
        settings
    };
    assignments
        .iter()
        .filter(|a| a.key.starts_with("ETHTOOL_OPTS"))
        .flat_map(of_line)
        .collect()
}

/// "-G eth0 rx 4096" as knobs and values. Options without a dash are of ethtool -s: speed and negotiation, which is not
/// tuned.
fn ethtool(command: &str, port: Option<&str>) -> Vec<(String, String)> {
    let mut words = command.split_whitespace().peekable();
    let family = match words.next() {
        Some("-G" | "--set-ring") => "ring",
        Some("-C" | "--coalesce") => "coalesce",
        Some("-K" | "--features" | "--offload") => "feature",
        Some("-A" | "--pause") => "pause",
        Some("-L" | "--set-channels") => "channels",
        _ => return Vec::new(),
    };
    words.next_if(|word| word.starts_with('$') || Some(*word) == port);
    let words: Vec<&str> = words.collect();
    let pairs = words.chunks_exact(2);
    pairs
        .map(|pair| (format!("{family}-{}", pair[0]), pair[1].to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(settings: &[PortSetting]) -> Vec<String> {
        let told = |s: &PortSetting| {
            format!(
                "{} {}={} {} {}",
                s.port.as_deref().unwrap_or("?"),
                s.knob,
                s.value,
                s.line,
                s.connection.as_deref().unwrap_or("?")
            )
        };
        settings.iter().map(told).collect()
    }

    #[test]
    fn only_ethtool_settings_of_a_keyfile_are_kept() {
        let text = "[connection]\nid=Trading A\nuuid=1\ntype=ethernet\ninterface-name=ens1f0\n\n\
                    [802-1x]\npassword=secret\nidentity=me\n\n\
                    [ethtool]\nring-rx=4096\nfeature-gro=false\ncoalesce-rx-usecs=0\n# feature-lro=true\nring-tx=\n\n\
                    [ipv4]\nmethod=auto\n";
        let settings = keyfile(text, "/etc/x");
        assert_eq!(
            told(&settings),
            [
                "ens1f0 ring-rx=4096 12 Trading A",
                "ens1f0 feature-gro=false 13 Trading A",
                "ens1f0 coalesce-rx-usecs=0 14 Trading A",
            ]
        );
        assert!(!format!("{settings:?}").contains("secret"));
        let anywhere = keyfile("[ethtool]\nring-rx=1\n", "/etc/x");
        assert_eq!(told(&anywhere), ["? ring-rx=1 2 ?"]);
        assert!(anywhere[0].uncertain);
    }

    #[test]
    fn ethtool_options_of_an_ifcfg_file_are_read() {
        let text = "DEVICE=ens1f0\nNAME=\"System ens1f0\"\nBOOTPROTO=none\n\
                    ETHTOOL_OPTS=\"-G ${DEVICE} rx 4096 tx 4096; -K ens1f0 gro off ; autoneg off speed 100\"\n\
                    ETHTOOL_OPTS_1=\"-C ens1f0 rx-usecs 0 adaptive-rx\"\n";
        assert_eq!(
            told(&ifcfg(text, "/etc/x")),
            [
                "ens1f0 ring-rx=4096 4 System ens1f0",
                "ens1f0 ring-tx=4096 4 System ens1f0",
                "ens1f0 feature-gro=off 4 System ens1f0",
                "ens1f0 coalesce-rx-usecs=0 5 System ens1f0",
            ]
        );
    }

    proptest! {
        #[test]
        fn never_panics(text in "(\\[ethtool\\]\n|\\[connection\\]\n|ring-rx=|ETHTOOL_OPTS=|-G |[a-z\"'$; \n\u{e4}]){0,60}") {
            for setting in keyfile(&text, "/x").iter().chain(&ifcfg(&text, "/x")) {
                prop_assert!(setting.line > 0);
            }
        }
    }
}
