//! Lines of "[section]" and "key = value", in the dialects of those who write them.

/// Whose rules hold for comments and for values of more than one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// tuned, which reads with Python's configparser: an indented line continues the value, and a comment may follow it.
    Tuned,
    /// GLib's key files, of NetworkManager and of power-profiles-daemon.
    KeyFile,
    /// systemd.syntax(7): a backslash at the end continues the line.
    Systemd,
}

/// One assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The section, without its brackets; empty before the first.
    pub(crate) section: String,
    /// The key.
    pub(crate) key: String,
    /// The value, without white space around it.
    pub(crate) value: String,
    /// Its line, counted from 1.
    pub(crate) line: usize,
}

/// The assignments of a text. Lines that are none are skipped.
pub(crate) fn parse(text: &str, dialect: Dialect) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut section = String::new();
    // Whether the entry that was read last goes on, and whether only because a backslash says so.
    let mut goes_on = false;
    for (i, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        let comment = trimmed.starts_with(['#', ';']);
        if dialect == Dialect::Systemd && goes_on && !comment {
            let (part, more) = without_backslash(trimmed);
            if let Some(last) = entries.last_mut() {
                if !last.value.is_empty() {
                    last.value.push(' ');
                }
                last.value.push_str(part);
            }
            goes_on = more;
            continue;
        }
        if trimmed.is_empty() || comment {
            continue;
        }
        if dialect == Dialect::Tuned && goes_on && line.starts_with([' ', '\t']) {
            if let Some(last) = entries.last_mut() {
                last.value.push('\n');
                last.value.push_str(without_comment(trimmed));
            }
            continue;
        }
        goes_on = false;
        if let Some(name) = trimmed
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
            .map(|(name, _)| name)
        {
            name.clone_into(&mut section);
            continue;
        }
        let Some((key, value)) = trimmed.split_once('=') else {
            continue;
        };
        let (key, mut value) = (key.trim(), value.trim());
        match dialect {
            Dialect::Tuned => {
                value = without_comment(value);
                goes_on = true;
            }
            Dialect::Systemd => (value, goes_on) = without_backslash(value),
            Dialect::KeyFile => {}
        }
        entries.push(Entry {
            section: section.clone(),
            key: key.to_owned(),
            value: value.to_owned(),
            line: i + 1,
        });
    }
    entries
}

/// The value before a comment in its own line: a hash after white space, or at the start.
fn without_comment(value: &str) -> &str {
    let mut before = ' ';
    for (at, c) in value.char_indices() {
        if c == '#' && before.is_whitespace() {
            return value[..at].trim_end();
        }
        before = c;
    }
    value
}

/// The text before a backslash at its end, and whether there was one.
fn without_backslash(text: &str) -> (&str, bool) {
    match text.strip_suffix('\\') {
        Some(text) => (text.trim_end(), true),
        None => (text, false),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, dialect: Dialect) -> Vec<(String, String, String, usize)> {
        let entries = parse(text, dialect).into_iter();
        entries
            .map(|e| (e.section, e.key, e.value, e.line))
            .collect()
    }

    fn entry(
        section: &str,
        key: &str,
        value: &str,
        line: usize,
    ) -> (String, String, String, usize) {
        (section.to_owned(), key.to_owned(), value.to_owned(), line)
    }

    #[test]
    fn each_dialect_has_its_own_comments_and_continuations() {
        let text = "a=0\n[main]\n# b=1\n ; c=2\nd = 3 # why\n  e=4\nnothing\n[ x ]\nf=5\\\n6\n";
        assert_eq!(
            read(text, Dialect::Tuned),
            [
                entry("", "a", "0", 1),
                entry("main", "d", "3\ne=4", 5),
                entry(" x ", "f", "5\\", 9),
            ]
        );
        assert_eq!(
            read(text, Dialect::KeyFile),
            [
                entry("", "a", "0", 1),
                entry("main", "d", "3 # why", 5),
                entry("main", "e", "4", 6),
                entry(" x ", "f", "5\\", 9),
            ]
        );
        assert_eq!(read(text, Dialect::Systemd)[3], entry(" x ", "f", "5 6", 9));
    }

    #[test]
    fn a_greater_sign_is_part_of_the_value() {
        assert_eq!(
            read("[sysctl]\nnet.core.somaxconn=>2048\n", Dialect::Tuned),
            [entry("sysctl", "net.core.somaxconn", ">2048", 2)]
        );
    }

    proptest! {
        #[test]
        fn never_panics_and_keeps_lines_in_order(text in "[\\[\\]a-z=#; \\\\\n\t\u{e4}]{0,200}") {
            for dialect in [Dialect::Tuned, Dialect::KeyFile, Dialect::Systemd] {
                let lines: Vec<usize> = parse(&text, dialect).iter().map(|e| e.line).collect();
                prop_assert!(lines.windows(2).all(|pair| pair[0] < pair[1]));
                prop_assert!(lines.iter().all(|line| *line <= text.lines().count()));
            }
        }
    }
}
