//! What hftune remembers of its boot arguments where they stand in files that it shares with others.

use super::bls;
use super::cmdline::{self, Edit};
use hftune_model::Result;
use std::path::Path;

/// Where it is kept.
pub const PATH: &str = "/var/lib/hftune/boot-arguments";

/// What a line of the file begins with that names an entry.
const ENTRY: &str = "entry ";

/// The words of hftune, so that a changed profile replaces them and keeps the administrator's, and the entries that were
/// there before the first of them: a later one got them from the template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Words, as written.
    pub words: Vec<String>,
    /// File names of entries.
    pub entries: Vec<String>,
}

impl Record {
    /// Reads the file.
    pub fn parse(text: &str) -> Self {
        let mut record = Self::default();
        for line in text.lines() {
            match line.strip_prefix(ENTRY) {
                Some(name) => record.entries.push(name.to_owned()),
                None => record
                    .words
                    .extend(cmdline::tokens(line).iter().map(|word| word.raw.to_owned())),
            }
        }
        record
    }

    /// The text of the file.
    pub fn render(&self) -> String {
        let mut text = self.words.join(" ") + "\n";
        for name in &self.entries {
            text.extend([ENTRY, name, "\n"]);
        }
        text
    }

    /// An entry without these words, where it is one that was installed since the record was made, is not for rescue, and
    /// holds any of them.
    ///
    /// # Errors
    /// If the entry cannot be edited.
    pub fn taken_out_of(
        &self,
        path: &Path,
        text: &str,
        words: &[String],
    ) -> Result<Option<String>> {
        let known = path
            .file_name()
            .is_some_and(|name| self.entries.iter().any(|known| **known == *name));
        let entry = bls::parse(path, text);
        let held = cmdline::tokens(&entry.options);
        let mut remove = words.to_vec();
        remove.retain(|word| held.iter().any(|token| token.raw == word));
        if known || entry.rescue || remove.is_empty() {
            return Ok(None);
        }
        let edit = Edit {
            remove,
            insert: Vec::new(),
        };
        bls::edit(text, &edit).map(Some)
    }
}

/// The words of a template, like `/etc/kernel/cmdline`.
pub fn words(text: &str) -> Vec<String> {
    cmdline::tokens(text)
        .iter()
        .map(|token| token.raw.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_it_was_written() {
        let record = Record {
            words: vec!["isolcpus=2-7".to_owned(), "nowatchdog".to_owned()],
            entries: vec!["a b.conf".to_owned(), "c.conf".to_owned()],
        };
        assert_eq!(Record::parse(&record.render()), record);
        assert_eq!(Record::parse("").words, [""; 0]);
        // As it was written before entries were noted.
        assert_eq!(Record::parse("a=1 b\n").words, ["a=1", "b"]);
    }

    #[test]
    fn only_our_words_leave_only_new_entries() {
        let record = Record {
            words: vec!["a=1".to_owned()],
            entries: vec!["old.conf".to_owned()],
        };
        let text = "linux /v\noptions root=x a=1 a=12 b $tuned_params\n";
        let out = |name: &str, text: &str| {
            let path = Path::new("/boot/loader/entries").join(name);
            record.taken_out_of(&path, text, &record.words).unwrap()
        };
        assert_eq!(
            out("new.conf", text).as_deref(),
            Some("linux /v\noptions root=x a=12 b $tuned_params\n")
        );
        assert_eq!(out("old.conf", text), None);
        assert_eq!(out("x-0-rescue.conf", text), None);
        assert_eq!(out("new.conf", "linux /v\noptions a=12\n"), None);
    }
}
