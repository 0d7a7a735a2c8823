//! Files of shell assignments, like those in `/etc/default`: read, not run.

use super::ini::{self, Dialect};

/// One `KEY=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) key: String,
    /// Without its quotes.
    pub(super) value: String,
    /// Counted from 1.
    pub(super) line: usize,
}

/// The assignments of a text. Quotes go; variables stay as they are written.
pub(super) fn parse(text: &str) -> Vec<Assignment> {
    let entries = ini::parse(text, Dialect::KeyFile).into_iter();
    entries
        .filter_map(|entry| {
            let key = entry.key.strip_prefix("export ").unwrap_or(&entry.key);
            let name = key.trim();
            let is_name =
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            is_name.then(|| Assignment {
                key: name.to_owned(),
                value: unquoted(&entry.value).to_owned(),
                line: entry.line,
            })
        })
        .collect()
}

/// The last assignment of a key.
pub(super) fn last<'a>(assignments: &'a [Assignment], key: &str) -> Option<&'a Assignment> {
    assignments.iter().rfind(|a| a.key == key)
}

fn unquoted(value: &str) -> &str {
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let rest = &value[1..];
            rest.find(quote).map_or(rest, |end| &rest[..end])
        }
        _ => value.split_whitespace().next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_and_comments_go() {
        let text = "# A=1\nA=2 # why\nexport B='x y' # z\nC=\"open\nno name=3\nD=\n";
        let read: Vec<_> = parse(text)
            .into_iter()
            .map(|a| (a.key, a.value, a.line))
            .collect();
        let expected = [
            ("A", "2", 2),
            ("B", "x y", 3),
            ("C", "open", 4),
            ("D", "", 6),
        ];
        let expected = expected.map(|(key, value, line)| (key.to_owned(), value.to_owned(), line));
        assert_eq!(read, expected);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[A-C='\" #\n\u{e4}]{0,100}") {
            for a in parse(&text) {
                prop_assert!(last(std::slice::from_ref(&a), &a.key).is_some());
            }
        }
    }
}
