//! What the fuzz targets call here. The first line of a text holds the arguments that are wanted, the second those that
//! were written earlier, and the rest is the file.

use std::cell::RefCell;
use std::path::Path;

use super::argument::Argument;
use super::cmdline::{Edit, find, tokens};
use super::placed::of_others;
use super::record::{Record, words};
use super::{
    bls as entry, grub_cfg as menu, grub_default as shell, grubenv as block, kernel_cmdline,
};

const VARIABLE: &str = "GRUB_CMDLINE_LINUX";

/// What is wanted, what is there from earlier, and the file.
fn parts(text: &str) -> (Vec<Argument>, Vec<String>, &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let (second, file) = rest.split_once('\n').unwrap_or((rest, ""));
    // Once each, as a profile's table has them, and in words that a profile takes.
    let mut wanted: Vec<Argument> = Vec::new();
    for token in tokens(first) {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".,_=:-".contains(c);
        let known = |a: &Argument| super::cmdline::same_name(&a.name, token.name());
        if token.raw.chars().all(plain)
            && token.name().starts_with(|c: char| c.is_ascii_alphabetic())
            && !wanted.iter().any(known)
        {
            wanted.push(Argument::new(token.name(), token.value()));
        }
    }
    (wanted, words(second), file)
}

/// What is written into these arguments: all that is wanted, less what an administrator set otherwise.
fn edit_of(arguments: &str, ours: &[String], wanted: &[Argument]) -> Edit {
    let free = |a: &&Argument| match of_others(arguments, ours, &a.name) {
        Some(theirs) => a.is(theirs.value()),
        None => true,
    };
    let wanted: Vec<Argument> = wanted.iter().filter(free).cloned().collect();
    Edit::new(arguments, ours, &wanted)
}

/// A command line: what was put in is not put in again.
pub fn cmdline(text: &str) {
    let (wanted, ours, line) = parts(text);
    let _ = find(line, "isolcpus");
    let edit = edit_of(line, &ours, &wanted);
    again(&edit.apply(line), &edit, &ours, &wanted);
    if let Ok(written) = kernel_cmdline::edit(line, &edit) {
        again(&written, &edit, &ours, &wanted);
    }
}

/// A second edit leaves the text as it is; what the first put in is ours.
fn again(edited: &str, first: &Edit, ours: &[String], wanted: &[Argument]) {
    let ours: Vec<String> = ours.iter().chain(&first.insert).cloned().collect();
    let more = edit_of(edited, &ours, wanted);
    assert_eq!(more.apply(edited), edited, "it is edited again: {more:?}");
}

/// An entry of the boot loader specification: every line but the options stays.
pub fn bls(text: &str) {
    let (wanted, ours, file) = parts(text);
    let parsed = entry::parse(Path::new("/boot/loader/entries/fuzz.conf"), file);
    let edit = edit_of(&parsed.options, &ours, &wanted);
    let Ok(edited) = entry::edit(file, &edit) else {
        return;
    };
    assert_eq!(edited.lines().count(), file.lines().count());
    let after = entry::parse(Path::new("/boot/loader/entries/fuzz.conf"), &edited);
    again(&after.options, &edit, &ours, &wanted);
}

/// GRUB's menu: nothing but lines that load a kernel changes, and those once.
pub fn grub_cfg(text: &str) {
    let (wanted, ours, file) = parts(text);
    let _ = menu::variable(file, "kernelopts");
    // What was put into each entry, in their order: in another it may be an administrator's own.
    let put_in = RefCell::new(Vec::new());
    let edited = menu::edit(file, |arguments| {
        let edit = edit_of(arguments, &ours, &wanted);
        put_in.borrow_mut().push(edit.insert.clone());
        edit
    });
    let put_in = RefCell::new(put_in.take().into_iter());
    let make = |arguments: &str| {
        let mut ours = ours.clone();
        ours.extend(put_in.borrow_mut().next().unwrap_or_default());
        edit_of(arguments, &ours, &wanted)
    };
    let entries = menu::entries(&edited);
    assert_eq!(entries.len(), menu::entries(file).len());
    assert_eq!(menu::edit(&edited, make), edited, "it is edited again");
}

/// A file of GRUB's settings: the new value is read back, and every other variable stays.
pub fn grub_default(text: &str) {
    let (wanted, ours, file) = parts(text);
    let mut new = None;
    let edited = shell::edit(file, VARIABLE, |value| {
        let value = edit_of(value, &ours, &wanted).apply(value);
        new = Some(value.clone());
        value
    });
    let (Ok(edited), Some(new)) = (edited, new) else {
        return;
    };
    if new.contains("GRUB_TIMEOUT") {
        return;
    }
    let found = shell::assignments(&edited, VARIABLE).expect("it was readable before");
    let last = found.last().map(|a| a.value.as_str()).unwrap_or_default();
    assert_eq!(last, new, "{edited:?}");
    let other = |text: &str| {
        shell::assignments(text, "GRUB_TIMEOUT")
            .map(|all| all.len())
            .ok()
    };
    assert_eq!(other(file), other(&edited));
}

/// GRUB's environment block: its size stays, and the variable is read back.
pub fn grubenv(text: &str) {
    let (first, body) = text.split_once('\n').unwrap_or((text, ""));
    let mut file = format!("# GRUB Environment Block\n{body}");
    if !body.starts_with("kernelopts=") {
        let _ = block::value(text, "kernelopts");
        file = format!("# GRUB Environment Block\nkernelopts=root=a ro\n{body}");
    }
    while file.len() < block::SIZE {
        file.push('#');
    }
    let value = block::escape(first);
    if let Ok(edited) = block::set(&file, "kernelopts", &value) {
        assert_eq!(edited.len(), block::SIZE);
        assert_eq!(block::value(&edited, "kernelopts").as_deref(), Some(first));
    }
}

/// The record of our own words: what is written reads as the same.
pub fn record(text: &str) {
    let record = Record::parse(text);
    // No word of ours has a quote or is "entry", and no entry has a carriage return.
    if text.contains(['"', '\r']) || record.words.iter().any(|word| word == "entry") {
        return;
    }
    assert_eq!(Record::parse(&record.render()), record);
}
