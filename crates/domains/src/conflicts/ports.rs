//! What other tools set of network ports. What the profile wants too is judged by the domain `nic`; the rest is told.

use hftune_model::others::{PortOwner, PortSetting};

use super::is_active;
use crate::{Context, nic};

/// Whether a tool of this kind sets ports on this host.
pub(crate) fn sets_ports(owner: PortOwner, cx: &Context<'_>) -> bool {
    let network_manager = || is_active("NetworkManager.service", cx);
    match owner {
        PortOwner::NetworkManager => network_manager(),
        PortOwner::Ifcfg => network_manager() || is_active("network.service", cx),
        PortOwner::Tuned => is_active("tuned.service", cx),
        PortOwner::SystemdLink => true,
    }
}

/// What it is called, and when it sets them.
pub(crate) fn writer(owner: PortOwner) -> (&'static str, &'static str) {
    match owner {
        PortOwner::NetworkManager => ("NetworkManager", "at every activation"),
        PortOwner::Ifcfg => ("ETHTOOL_OPTS", "at every activation"),
        PortOwner::SystemdLink => ("systemd-udevd", "when the device appears"),
        PortOwner::Tuned => ("tuned", "whenever it starts and when the device appears"),
    }
}

/// What takes settings of one file back.
pub(crate) fn remedy(group: &[&PortSetting]) -> String {
    let first = group[0];
    match first.owner {
        PortOwner::NetworkManager => {
            let what = group
                .iter()
                .map(|setting| format!("ethtool.{} ''", setting.knob));
            let what = what.collect::<Vec<_>>().join(" ");
            first.connection.as_ref().map_or_else(
                || format!("remove these lines of {}", first.file),
                |id| {
                    // As a shell has it: the quote ends, one stands by itself, and the next begins.
                    let id = id.replace('\'', r"'\''");
                    format!("nmcli connection modify '{id}' {what}")
                },
            )
        }
        PortOwner::Ifcfg => format!("edit line {} of {}", lines(group), first.file),
        PortOwner::SystemdLink => format!("remove line {} of {}", lines(group), first.file),
        PortOwner::Tuned => super::off("tuned.service"),
    }
}

fn lines(group: &[&PortSetting]) -> String {
    let mut lines: Vec<String> = group.iter().map(|s| s.line.to_string()).collect();
    lines.dedup();
    lines.join(",")
}

/// A note for each port and file.
pub(super) fn notes(cx: &Context<'_>) -> Vec<String> {
    let mut groups: Vec<Vec<&PortSetting>> = Vec::new();
    for setting in &cx.host.port_settings {
        if !sets_ports(setting.owner, cx) || nic::judges(setting, cx) {
            continue;
        }
        let same = |group: &Vec<&PortSetting>| {
            group[0].port == setting.port && group[0].file == setting.file
        };
        match groups.iter_mut().find(|group| same(group)) {
            Some(group) => group.push(setting),
            None => groups.push(vec![setting]),
        }
    }
    let mut notes: Vec<String> = groups.iter().map(|group| note(group)).collect();
    let unread = &cx.host.port_settings_unread;
    if !unread.is_empty() {
        notes.push(format!(
            "what these set of network ports is not known, since they cannot be read: {}",
            unread.join(", ")
        ));
    }
    notes
}

fn note(group: &[&PortSetting]) -> String {
    let first = group[0];
    let port = match &first.port {
        Some(port) if first.uncertain => format!("{port} (if the file is for it)"),
        Some(port) => port.clone(),
        None => "every port that it is used on".to_owned(),
    };
    let knobs: Vec<String> = group
        .iter()
        .map(|setting| format!("{}={}", setting.knob, setting.value))
        .collect();
    let place = format!("{}:{}", first.file, lines(group));
    let (who, when) = writer(first.owner);
    format!(
        "{port}: {who} sets {} ({place}) {when}. hftune does not set this, so it stands; to take it back: {}",
        knobs.join(", "),
        remedy(group)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_quotes_is_one_word_of_a_shell() {
        let setting = PortSetting {
            port: Some("ens1f0".to_owned()),
            knob: "ring-rx".to_owned(),
            value: "512".to_owned(),
            owner: PortOwner::NetworkManager,
            connection: Some("x'; reboot; '".to_owned()),
            ..PortSetting::default()
        };
        let note = note(&[&setting]);
        assert!(
            note.ends_with(r"nmcli connection modify 'x'\''; reboot; '\''' ethtool.ring-rx ''"),
            "{note}"
        );
    }
}
