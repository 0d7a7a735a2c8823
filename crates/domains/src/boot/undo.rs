//! Undoing an edit of boot arguments in a file that someone else edited since, as grubby and grub2-mkconfig do: the words
//! that hftune put in go, those that it took out come back, and the rest is theirs.

use std::path::Path;

use hftune_model::Result;

use super::cmdline::{self, Edit};
use super::holders::{DEFAULT_GRUB, VARIABLE};
use super::systemd_boot::is_entry;
use super::{bls, grub_default, kernel_cmdline};

/// The text as it is `now`, with the edit undone that made `made` out of `before`. `None` where the file holds no boot
/// arguments of the RHEL family.
///
/// # Errors
/// If the text cannot be edited as it is now.
pub fn undone(path: &Path, before: &str, made: &str, now: &str) -> Result<Option<String>> {
    let Some(now_line) = arguments(path, now)? else {
        return Ok(None);
    };
    let (Some(before), Some(made)) = (arguments(path, before)?, arguments(path, made)?) else {
        return Ok(None);
    };
    let edit = reversal(&before, &made, &now_line);
    if edit.is_empty() {
        return Ok(Some(now.to_owned()));
    }
    if is_entry(path) {
        bls::edit(now, &edit)
    } else if path == Path::new(kernel_cmdline::PATH) {
        kernel_cmdline::edit(now, &edit)
    } else {
        grub_default::edit(now, VARIABLE, |value| edit.apply(value))
    }
    .map(Some)
}

/// A line of arguments as it is `now`, with the edit undone that made `made` out of `before`.
pub fn undone_line(before: &str, made: &str, now: &str) -> String {
    reversal(before, made, now).apply(now)
}

/// The words that `made` put in and are still there go, and those that it took out come back.
fn reversal(before: &str, made: &str, now: &str) -> Edit {
    let missing = |from: &str, to: &str| -> Vec<String> {
        let there = cmdline::tokens(to);
        cmdline::tokens(from)
            .iter()
            .filter(|word| !there.iter().any(|other| other.raw == word.raw))
            .map(|word| word.raw.to_owned())
            .collect()
    };
    let put_in = missing(made, before);
    let taken_out = missing(before, made);
    let absent = missing(&put_in.join(" "), now);
    Edit {
        remove: put_in
            .into_iter()
            .filter(|word| !absent.contains(word))
            .collect(),
        insert: missing(&taken_out.join(" "), now),
    }
}

/// The arguments that a file holds.
fn arguments(path: &Path, text: &str) -> Result<Option<String>> {
    Ok(if is_entry(path) {
        Some(bls::parse(path, text).options)
    } else if path == Path::new(kernel_cmdline::PATH) {
        Some(text.to_owned())
    } else if path == Path::new(DEFAULT_GRUB) {
        let last = grub_default::assignments(text, VARIABLE)?.pop();
        Some(last.map_or_else(String::new, |last| last.value))
    } else {
        None
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cmdline(before: &str, made: &str, now: &str) -> String {
        undone(Path::new(kernel_cmdline::PATH), before, made, now)
            .unwrap()
            .unwrap()
    }

    #[test]
    fn what_others_did_stays() {
        let made = "ro a=1 b=2";
        assert_eq!(cmdline("ro", made, "ro a=1 b=2 debug\n"), "ro debug\n");
        assert_eq!(cmdline("ro", made, "rw debug b=2\n"), "rw debug\n");
        assert_eq!(cmdline("ro", made, "rw a=12\n"), "rw a=12\n");
        // A profile that was changed: the words of the earlier one come back.
        assert_eq!(cmdline("ro a=0", "ro a=1", "ro a=1 debug"), "ro debug a=0");
        // A word that stood there before.
        assert_eq!(cmdline("ro a=1", made, "ro a=1 b=2 debug"), "ro a=1 debug");
    }

    #[test]
    fn every_kind_of_file_and_no_other() {
        let entry = |options: &str| format!("linux /v\noptions {options}\ngrub_class x\n");
        let grub = |value: &str| format!("GRUB_TIMEOUT=1\nGRUB_CMDLINE_LINUX=\"{value}\"\n");
        let undo = |path: &str, text: &dyn Fn(&str) -> String| {
            let path = Path::new(path);
            undone(path, &text("ro"), &text("ro a=1"), &text("ro a=1 debug")).unwrap()
        };
        assert_eq!(
            undo("/boot/loader/entries/x.conf", &entry),
            Some(entry("ro debug"))
        );
        assert_eq!(undo(DEFAULT_GRUB, &grub), Some(grub("ro debug")));
        assert_eq!(
            undo("/efi/loader/entries/x.conf", &entry),
            Some(entry("ro debug"))
        );
        assert_eq!(undo("/etc/sysctl.d/99-hft.conf", &grub), None);
        let broken = "GRUB_CMDLINE_LINUX=\"$(x)\"\n";
        assert!(undone(Path::new(DEFAULT_GRUB), &grub("ro"), &grub("ro a"), broken).is_err());
    }

    proptest! {
        #[test]
        fn an_untouched_file_is_as_before(before in "[a-z]{1,4}( [a-z]{1,4}){0,4}", added in "[A-Z]{1,4}( [A-Z]{1,4}){0,3}") {
            let made = format!("{before} {added}");
            prop_assert_eq!(cmdline(&before, &made, &made), before);
        }
    }
}
