//! The state of a guest as a map, so that two of them can be told apart entry by entry.

use super::control::Control;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;

/// Where hftune writes files, the binary itself included.
const FOLDERS: &str = "/etc /boot /usr/local";

/// What it is, and the value that it has.
pub type Snapshot = BTreeMap<String, String>;

/// Keys, or beginnings of keys, of values that change by themselves, are drawn at boot, or follow the number of pages that
/// the kernel happened to have free at boot.
const VOLATILE: [&str; 15] = [
    "fs.dentry-state",
    "fs.file-max",
    "fs.file-nr",
    "fs.inode-nr",
    "fs.inode-state",
    "fs.quota.syncs",
    "kernel.ns_last_pid",
    "kernel.perf_event_max_sample_rate",
    "kernel.random.",
    "kernel.threads-max",
    "net.core.netdev_rss_key",
    "net.ipv4.tcp_mem",
    "net.ipv4.udp_mem",
    "unit/systemd-tmpfiles-clean.service",
    "user.max_",
];

/// Every file, folder and link that hftune might touch: type, mode, owner, content or target.
pub fn files(control: &Control) -> Result<Snapshot> {
    parse_files(&control.script("manifest.sh", include_str!("scripts/manifest.sh"), FOLDERS)?)
}

/// The rest of the disk, by size and time of change: reading all of it would take minutes.
pub fn everything(control: &Control) -> Result<Snapshot> {
    parse_files(&control.script("everything.sh", include_str!("scripts/everything.sh"), "")?)
}

/// What the kernel and systemd hold now.
pub fn live(control: &Control) -> Result<Snapshot> {
    let text = control.script("live.sh", include_str!("scripts/live.sh"), "")?;
    Ok(parse_live(&text))
}

fn parse_files(text: &str) -> Result<Snapshot> {
    let mut entries = Snapshot::new();
    for line in text.lines() {
        if let Some(entry) = line.strip_prefix("entry\t") {
            let mut fields = entry.split('\t');
            let path = fields.next().unwrap_or_default();
            let facts = fields
                .next()
                .with_context(|| format!("cannot read {line:?}"))?;
            let target = fields.next().filter(|target| !target.is_empty());
            let value = target.map_or(facts.to_string(), |target| format!("{facts} -> {target}"));
            entries.insert(path.to_string(), value);
        } else {
            let (hash, path) = line
                .split_once("  ")
                .with_context(|| format!("cannot read {line:?}"))?;
            match entries.get_mut(path) {
                Some(facts) => *facts += &[" sha256 ", hash].concat(),
                None => bail!("{path} appeared while it was read"),
            }
        }
    }
    Ok(entries)
}

/// A value of several lines (network tables) is kept whole under its key's line.
fn parse_live(text: &str) -> Snapshot {
    let pairs = text.lines().filter_map(|line| line.split_once('\t'));
    pairs
        .filter(|(key, _)| !VOLATILE.iter().any(|volatile| key.starts_with(volatile)))
        .map(|(key, value)| (key.to_string(), value.trim().to_string()))
        .collect()
}

/// One line for each entry that is not the same in both.
pub fn differences(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, old) in before {
        match after.get(key) {
            None => lines.push(format!("{key}: was {old}, is gone")),
            Some(new) if new != old => lines.push(format!("{key}: was {old}, is {new}")),
            Some(_) => {}
        }
    }
    for (key, new) in after {
        if !before.contains_key(key) {
            lines.push(format!("{key}: is new: {new}"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_difference_is_told() {
        let before = "entry\t/etc\td 755 0:0\t\nentry\t/etc/a\tf 644 0:0\t\nentry\t/etc/b\tl 777 0:0\ta\n\
                      aaaa  /etc/a\n";
        let after = "entry\t/etc\td 700 0:0\t\nentry\t/etc/a\tf 644 0:0\t\nentry\t/etc/c d\tf 600 0:0\t\n\
                     bbbb  /etc/a\ncccc  /etc/c d\n";
        let before = parse_files(before).expect("parses");
        let after = parse_files(after).expect("parses");
        assert_eq!(differences(&before, &before), Vec::<String>::new());
        assert_eq!(
            differences(&before, &after),
            [
                "/etc: was d 755 0:0, is d 700 0:0",
                "/etc/a: was f 644 0:0 sha256 aaaa, is f 644 0:0 sha256 bbbb",
                "/etc/b: was l 777 0:0 -> a, is gone",
                "/etc/c d: is new: f 600 0:0 sha256 cccc",
            ]
        );
    }

    #[test]
    fn live_values_keep_inner_blanks() {
        let live = parse_live("net.ipv4.tcp_rmem\t4096\t131072\t6291456\nkernel.modprobe\t\n");
        assert_eq!(live["net.ipv4.tcp_rmem"], "4096\t131072\t6291456");
        assert_eq!(live["kernel.modprobe"], "");
    }
}
