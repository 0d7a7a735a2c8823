//! `/boot/grub/grub.cfg`: the menu entries that grub-mkconfig made for this system, with their arguments.
//!
//! On a machine only its own program writes the file. Where no program can be started, the edit here is the one that it
//! would make: words come and go in the `linux` lines, every other byte stays.

use std::ops::Range;

use super::cmdline::{Edit, tokens};

/// A menu entry that boots a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its title.
    pub title: String,
    /// The line of its `linux` command, counted from 1.
    pub line: usize,
    /// The kernel's path as GRUB sees it.
    pub kernel: String,
    /// The arguments as the kernel gets them, `$variables` as written.
    pub arguments: String,
    /// Whether it is for recovery.
    pub recovery: bool,
}

/// The entries of this system: those in the sections of `10_linux` and its like, where the file has such sections.
///
/// What `40_custom` holds is the administrator's, and what `30_os-prober` found boots another system.
pub fn entries(text: &str) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut section: Option<&str> = None;
    let mut title = String::new();
    let mut recovery = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(script) = line.strip_prefix("### BEGIN ") {
            section = script.strip_suffix(" ###");
            continue;
        }
        let words = words(line);
        match words.first().map(|word| word.text.as_str()) {
            Some("menuentry") => {
                title = words
                    .get(1)
                    .map(|word| word.text.clone())
                    .unwrap_or_default();
                // The id is the same in every language, the title is not.
                recovery = title.contains("recovery mode")
                    || words.iter().skip(2).any(|w| w.text.contains("-recovery-"));
            }
            Some("linux" | "linux16" | "linuxefi") => {
                let Some(kernel) = words.get(1).map(|word| &word.text) else {
                    continue;
                };
                if section.is_some_and(|script| {
                    !script.ends_with("_linux") && !script.ends_with("_linux_zfs")
                }) || kernel
                    .rsplit('/')
                    .next()
                    .unwrap_or(kernel)
                    .starts_with("memtest")
                {
                    continue;
                }
                found.push(Entry {
                    title: title.clone(),
                    line: number + 1,
                    kernel: kernel.clone(),
                    recovery: recovery
                        || words[2..]
                            .iter()
                            .any(|word| matches!(word.text.as_str(), "single" | "recovery")),
                    arguments: arguments(&words),
                });
            }
            _ => {}
        }
    }
    found
}

/// What the last `set NAME=VALUE` gives a variable.
pub fn variable(text: &str, name: &str) -> Option<String> {
    let set = |line: &str| {
        let [command, assigned, ..] = &words(line)[..] else {
            return None;
        };
        let value = assigned.text.strip_prefix(name)?.strip_prefix('=')?;
        (command.text == "set").then(|| value.to_owned())
    };
    text.lines().rev().find_map(set)
}

/// GRUB puts a word that holds a space into double quotes on its way to the kernel (grub-core/lib/cmdline.c).
fn for_kernel(word: &str) -> String {
    if word.contains(' ') {
        format!("\"{word}\"")
    } else {
        word.to_owned()
    }
}

/// The text with an edit made in every entry that is not for recovery; `edit` is given the entry's arguments.
pub fn edit(text: &str, edit: impl Fn(&str) -> Edit) -> String {
    let entries = entries(text);
    let mut edited = String::with_capacity(text.len() + 1024);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        match entries.iter().find(|entry| entry.line == number + 1) {
            Some(entry) if !entry.recovery => {
                let edit = edit(&entry.arguments);
                let new = put_in(&take_out(line, &edit.remove), &edit.insert);
                // A quote within another would swallow the words, which would then be put in again by each setup.
                let seen = arguments(&words(new.trim()));
                let seen = tokens(&seen);
                let is_seen = |word: &String| seen.iter().any(|token| token.raw == word);
                let whole = edit.insert.iter().all(is_seen);
                edited.push_str(if whole { &new } else { line });
            }
            _ => edited.push_str(line),
        }
    }
    edited
}

/// The arguments of a `linux` line, as GRUB hands them to the kernel.
fn arguments(words: &[Word]) -> String {
    let words = words.iter().skip(2).map(|word| for_kernel(&word.text));
    words.collect::<Vec<_>>().join(" ")
}

/// A `linux` line without these arguments, each gone with the white space before it.
fn take_out(line: &str, remove: &[String]) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut from = 0;
    for word in words(line)
        .iter()
        .skip(2)
        .filter(|word| remove.contains(&word.text))
    {
        kept.push_str(line[from..word.span.start].trim_end_matches(is_blank));
        from = word.span.end;
    }
    kept + &line[from..]
}

/// A `linux` line with new arguments where `10_linux` puts `GRUB_CMDLINE_LINUX_DEFAULT`: last, but before what that
/// script adds itself (`$vt_handoff`), before what is not for the kernel (`--`) and before what goes on in the next line.
fn put_in(line: &str, insert: &[String]) -> String {
    if insert.is_empty() {
        return line.to_owned();
    }
    let new = insert.join(" ");
    let words = words(line);
    // Nothing can be said of where its arguments end.
    if words.iter().take(2).any(|word| word.goes_on) {
        return line.to_owned();
    }
    let ends = |word: &&Word| word.goes_on || matches!(word.text.as_str(), "$vt_handoff" | "--");
    if let Some(word) = words.iter().skip(2).find(ends) {
        let (before, after) = line.split_at(word.span.start);
        return format!("{before}{new} {after}");
    }
    let (before, after) = line.split_at(words.last().map_or(0, |word| word.span.end));
    format!("{before} {new}{after}")
}

/// A word of a GRUB script.
struct Word {
    /// What it means, quotes and backslashes undone.
    text: String,
    /// Where it stands in the line.
    span: Range<usize>,
    /// Whether it goes on in the next line: a quote is open, or the newline has a backslash.
    goes_on: bool,
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// The words of a line of a GRUB script: single quotes, double quotes and the backslash as in sh.
fn words(line: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut quote = None;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        if quote.is_none() && matches!(c, ' ' | '\t' | '\r' | '\n') {
            words.extend(word.take());
            continue;
        }
        if quote.is_none() && c == '#' && word.is_none() {
            break;
        }
        let word = word.get_or_insert_with(|| Word {
            text: String::new(),
            span: at..at,
            goes_on: false,
        });
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => {
                let escaped = chars.next().map(|(_, escaped)| escaped);
                word.goes_on |= matches!(escaped, None | Some('\n'));
                word.text.extend(escaped);
            }
            (_, c) => word.text.push(c),
        }
        word.span.end = chars.offset();
    }
    words.extend(word.map(|word| Word {
        goes_on: word.goes_on || quote.is_some(),
        ..word
    }));
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::boot::argument::Argument;
    use crate::boot::cmdline::find;

    const DEBIAN: &str = include_str!("grub_cfg/debian.cfg");

    #[test]
    fn tells_the_entries_apart() {
        let found = entries(DEBIAN);
        let shown: Vec<_> = found
            .iter()
            .map(|e| (e.line, e.title.as_str(), e.recovery))
            .collect();
        assert_eq!(
            shown,
            [
                (17, "Debian GNU/Linux", false),
                (25, "Debian GNU/Linux, with Linux 6.1.0-18-amd64", false),
                (
                    31,
                    "Debian GNU/Linux, with Linux 6.1.0-18-amd64 (recovery mode)",
                    true
                ),
                (
                    36,
                    "Debian GNU/Linux, mit Linux 6.1.0-17-amd64 (Wiederherstellungsmodus)",
                    true
                ),
            ]
        );
        assert_eq!(found[0].kernel, "/boot/vmlinuz-6.1.0-18-amd64");
        assert_eq!(
            found[0].arguments,
            "root=UUID=4cbb-02 ro quiet \"dyndbg=file a.c +p\" $vt_handoff"
        );
        assert_eq!(found[2].arguments, "root=UUID=4cbb-02 ro single");
    }

    #[test]
    fn what_goes_on_in_the_next_line_stays_whole() {
        for line in [
            "linux /v ro a=\"b\n",
            "linux /v ro a\\\n",
            "linux /v ro a\\",
        ] {
            let rest = &line["linux /v ro ".len()..];
            let edited = put_in(line, &["quiet".to_owned()]);
            assert_eq!(edited, format!("linux /v ro quiet {rest}"));
        }
    }

    #[test]
    fn the_sample_is_what_grub_itself_takes() {
        match crate::boot::shell::grub_takes(DEBIAN) {
            Some(takes) => assert!(takes),
            None => eprintln!("skipped: grub-script-check is not installed"),
        }
    }

    #[test]
    fn reads_what_the_menu_sets() {
        let text = "set tuned_params=\"skew_tick=1 a=b\"\n  set tuned_initrd=\"\"\nlinux set\n";
        assert_eq!(
            variable(text, "tuned_params").as_deref(),
            Some("skew_tick=1 a=b")
        );
        assert_eq!(variable(text, "tuned_initrd").as_deref(), Some(""));
        assert_eq!(variable(text, "tuned"), None);
        assert_eq!(variable(DEBIAN, "default").as_deref(), Some("0"));
    }

    #[test]
    fn a_file_without_sections_is_all_ours() {
        let found = entries("menuentry \"x\" {\n  linux /vmlinuz a=b\n}\n");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].arguments, "a=b");
        assert_eq!(entries(""), []);
    }

    fn isolate(arguments: &str) -> Edit {
        let wanted = [Argument::new("isolcpus", Some("2-7"))];
        Edit::new(arguments, &["isolcpus=4-7".to_owned()], &wanted)
    }

    #[test]
    fn edits_the_entries_that_are_not_for_recovery_and_nothing_else() {
        let edited = edit(DEBIAN, isolate);
        let expected = DEBIAN
            .replace("+p\" $vt", "+p\" isolcpus=2-7 $vt")
            .replace("ro  quiet\n", "ro  quiet isolcpus=2-7\n");
        assert_eq!(edited, expected);
        assert_eq!(
            edit(&edited, isolate),
            edited,
            "a second time changes nothing"
        );
        if let Some(takes) = crate::boot::shell::grub_takes(&edited) {
            assert!(takes);
        }
    }

    #[test]
    fn a_word_of_ours_is_replaced_wherever_it_stands() {
        for (before, after) in [
            ("linux /v", "linux /v isolcpus=2-7"),
            ("linux /v isolcpus=4-7", "linux /v isolcpus=2-7"),
            (
                "\tlinux\t/v a  isolcpus=4-7 b \r\n",
                "\tlinux\t/v a b isolcpus=2-7 \r\n",
            ),
            (
                "linux /v 'x isolcpus=4-7 y'\n",
                "linux /v 'x isolcpus=4-7 y' isolcpus=2-7\n",
            ),
            (
                "linux /v a # isolcpus=4-7\n",
                "linux /v a isolcpus=2-7 # isolcpus=4-7\n",
            ),
            ("linux /v a -- b\n", "linux /v a isolcpus=2-7 -- b\n"),
        ] {
            let menu = |line: &str| format!("menuentry 'x' {{\n{line}}}\n");
            let line = |line: &str| {
                if line.ends_with('\n') {
                    line.to_owned()
                } else {
                    format!("{line}\n")
                }
            };
            assert_eq!(edit(&menu(&line(before)), isolate), menu(&line(after)));
        }
    }

    proptest! {
        #[test]
        fn an_edit_can_be_taken_back(
            arguments in prop::collection::vec("[a-z]{1,6}(=[a-z0-9,]{0,5})?|'[a-z ]{0,5}'|\\$[a-z]{3}", 0..6),
            around in "(echo 'x'\n|# linux a\n|\tinitrd /i\n){0,3}",
        ) {
            let text = format!(
                "{around}menuentry 'x' {{\n\tlinux /v {}\n{around}}}\nmenuentry 'y (recovery mode)' {{\n\tlinux /v single\n}}\n",
                arguments.join(" ")
            );
            let edited = edit(&text, isolate);
            prop_assert!(find(&entries(&edited)[0].arguments, "isolcpus").is_some());
            prop_assert_eq!(&entries(&edited)[1].arguments, "single");
            prop_assert_eq!(edited.lines().count(), text.lines().count());
            let ours = ["isolcpus=2-7".to_owned()];
            let back = edit(&edited, |arguments| Edit::new(arguments, &ours, &[]));
            prop_assert_eq!(back.replace("/v \n", "/v\n"), text.replace("/v \n", "/v\n"));
        }

        #[test]
        fn never_panics(text in "(\\PC|\\n|linux |menuentry |'|\"|\\\\| ){0,60}") {
            let _ = (entries(&text), edit(&text, isolate));
        }
    }
}
