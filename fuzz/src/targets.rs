//! What each target does with its bytes.

use std::fmt::Debug;
use std::path::Path;

use hftune_domains::fuzz as domains;
use hftune_engine::in_force::Choices;
use hftune_engine::machine::Machine;
use hftune_engine::{fuzz as engine, import, journal as journals, redact as redactor, secrets};
use hftune_model::names::{IfName, SysctlKey};
use hftune_model::size::Size;
use hftune_model::vma::{banner, environment, rules, sockets};
use hftune_model::{CpuSet, Kind};
use hftune_sys::ethtool::fuzz as ethtool;
use hftune_sys::{Reader, Root};

use crate::machine;

/// Readers of text are given nothing else: what is no UTF-8 is refused where the file is read.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// What is shown reads as the same.
fn comes_back<T: Debug + PartialEq>(value: &T, again: &hftune_model::Result<T>) {
    assert_eq!(again.as_ref().ok(), Some(value));
}

pub(super) fn cpus(bytes: &[u8]) {
    let text = text(bytes);
    for max in [None, Some(7), Some(1023)] {
        if let Ok(set) = CpuSet::parse_list(text, max) {
            comes_back(&set, &CpuSet::parse_list(&set.to_string(), max));
        }
    }
    if let Ok(set) = CpuSet::parse_mask(text) {
        comes_back(&set, &CpuSet::parse_mask(&set.to_mask()));
    }
    drop(text.parse::<Size>().map(|size| size.to_string()));
    if let Ok(name) = text.parse::<IfName>() {
        comes_back(&name, &name.to_string().parse());
    }
    if let Ok(key) = text.parse::<SysctlKey>() {
        comes_back(&key, &key.to_string().parse());
        assert!(!key.path().contains("/../"), "{key} leads out");
    }
}

pub(super) fn boot_cmdline(bytes: &[u8]) {
    domains::cmdline(text(bytes));
}

pub(super) fn boot_bls(bytes: &[u8]) {
    domains::bls(text(bytes));
}

pub(super) fn boot_grub_cfg(bytes: &[u8]) {
    domains::grub_cfg(text(bytes));
}

pub(super) fn boot_grub_default(bytes: &[u8]) {
    domains::grub_default(text(bytes));
}

pub(super) fn boot_grubenv(bytes: &[u8]) {
    domains::grubenv(text(bytes));
}

pub(super) fn boot_record(bytes: &[u8]) {
    domains::record(text(bytes));
}

pub(super) fn sysctl(bytes: &[u8]) {
    domains::sysctl(text(bytes));
}

pub(super) fn vma(bytes: &[u8]) {
    let text = text(bytes);
    let parsed = rules::parse(text);
    // Whatever the file says, each question has an answer.
    drop(format!("{parsed:?}"));
    drop((
        environment::parse(text),
        banner::parse(text),
        sockets::parse(text),
    ));
}

/// A profile of tuned, the one that it includes, and its variables, with a NUL between them: whatever they say, what comes out
/// is a profile of hftune, and what is told of a line is told of one that is there.
pub(super) fn tuned(bytes: &[u8]) {
    const FILES: [&str; 3] = [
        "/etc/tuned/own/tuned.conf",
        "/usr/lib/tuned/base/tuned.conf",
        "/etc/tuned/own-variables.conf",
    ];
    let parts = bytes.splitn(FILES.len(), |byte| *byte == 0);
    let mut files: Vec<(&str, &[u8])> = FILES.into_iter().zip(parts).collect();
    for (path, content) in [
        ("/sys/devices/system/cpu/online", "0-7\n"),
        ("/sys/devices/system/cpu/present", "0-7\n"),
        ("/proc/cpuinfo", "vendor_id\t: GenuineIntel\n"),
    ] {
        files.push((path, content.as_bytes()));
    }
    let root = machine::of(&files);
    match import::tuned(&Reader::new(&root), "own") {
        Ok(imported) => {
            for left in imported.left {
                let file = files.iter().find(|(path, _)| *path == left.file);
                let lines = file.map_or(0, |(_, content)| text(content).lines().count());
                assert!(left.line <= lines, "{left:?}");
            }
        }
        // What is no text is not read.
        Err(e) => assert!(matches!(e.kind, Kind::Missing | Kind::Invalid), "{e}"),
    }
}

pub(super) fn interrupts(bytes: &[u8]) {
    engine::interrupts(text(bytes));
}

pub(super) fn profile(bytes: &[u8]) {
    engine::profile(text(bytes));
}

pub(super) fn words(bytes: &[u8]) {
    engine::words(text(bytes));
}

/// With sums and without: a fuzzer does not guess a sum.
pub(super) fn journal(bytes: &[u8]) {
    let text = text(bytes);
    drop(journals::parse("fuzz", text));
    drop(journals::parse("fuzz", &engine::with_sums(text)));
}

pub(super) fn redact(bytes: &[u8]) {
    drop(redactor::journal(bytes));
    drop(redactor::journal(engine::with_sums(text(bytes)).as_bytes()));
    for path in [
        "/proc/cmdline",
        "/proc/self/mountinfo",
        "/boot/grub/grub.cfg",
        "/etc/default/grub",
        "/etc/NetworkManager/system-connections/a.nmconnection",
        "/etc/NetworkManager/NetworkManager.conf",
    ] {
        let (blanked, _) = secrets::blank(Path::new(path), bytes);
        // Lengths and lines stay what they are.
        let lines = |bytes: &[u8]| -> Vec<usize> {
            let newline = |(at, byte): (usize, &u8)| (*byte == b'\n').then_some(at);
            bytes.iter().enumerate().filter_map(newline).collect()
        };
        assert_eq!(blanked.len(), bytes.len(), "{path}");
        assert_eq!(lines(&blanked), lines(bytes), "{path}");
    }
}

pub(super) fn netlink(bytes: &[u8]) {
    ethtool::messages(bytes);
}

pub(super) fn archive(bytes: &[u8]) {
    let Ok(root) = Root::archive(Path::new("fuzz.tar"), bytes) else {
        return;
    };
    for path in ["/", "/proc", "/sys", "/etc"] {
        for name in root.list(path).unwrap_or_default() {
            drop(root.read(Path::new(path).join(name)));
        }
    }
}

/// A whole machine is read, proved and planned for.
pub(super) fn host(bytes: &[u8]) {
    let Some(root) = machine::with(bytes) else {
        return;
    };
    let Ok(machine) = Machine::read(&root, Choices::default()) else {
        return;
    };
    drop(machine.verify());
    let past = journals::read_all(&root).unwrap_or_default();
    drop(machine.plan(&past));
}
