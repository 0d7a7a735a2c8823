//! A machine described in text, one file a line.
//!
//! ```text
//! # a comment
//! include ../sysctls.tree
//! /sys/devices/system/cpu/online = 0-7
//! /sys/devices/system/cpu/cpu{0-7}/topology/core_cpus_list = {}
//! /sys/class/net/eth0 -> ../../devices/pci0000:00/0000:00:05.0/net/eth0
//! /etc/os-release:
//!     ID=debian
//! ```
//! A CPU list in braces makes a file for each number; `{}` in the value is that number. A backslash at the very end of a
//! text leaves out its last newline.
#![allow(
    clippy::disallowed_methods,
    reason = "a test reads the cases and makes the trees that hftune reads"
)]

use std::fs;
use std::path::Path;

use hftune_model::CpuSet;

use crate::machine::Machine;

/// Makes what a file describes.
pub fn make(machine: &Machine, file: &Path) {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(other) = line.strip_prefix("include ") {
            make(machine, &file.parent().expect("a directory").join(other));
        } else if let Some((path, target)) = line.split_once(" -> ") {
            each(path, target, |path, target| machine.link(path, target));
        } else if let Some((path, value)) = line.split_once(" = ") {
            each(path, value, |path, value| {
                machine.file(path, &format!("{value}\n"));
            });
        } else if let Some(path) = line.strip_suffix(':') {
            let mut content = String::new();
            while let Some(line) = lines.next_if(|line| line.is_empty() || line.starts_with("    "))
            {
                content.push_str(line.strip_prefix("    ").unwrap_or(line));
                content.push('\n');
            }
            // The empty lines before the next file are not part of this one.
            let content = content.trim_end_matches('\n');
            match content.strip_suffix('\\') {
                Some(content) => machine.file(path, content),
                None => machine.file(path, &format!("{content}\n")),
            }
        } else {
            panic!("{}: \"{line}\" describes no file", file.display());
        }
    }
}

/// Calls `make` for every number in the braces of `path`, or once where there are none.
fn each(path: &str, value: &str, make: impl Fn(&str, &str)) {
    let Some((before, rest)) = path.split_once('{') else {
        return make(path, value);
    };
    let (list, after) = rest.split_once('}').expect("a closing brace");
    for number in CpuSet::parse_list(list, None).expect("a list").iter() {
        let value = value.replace("{}", &number.to_string());
        make(&format!("{before}{number}{after}"), &value);
    }
}
