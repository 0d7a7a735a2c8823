//! What hftune remembers of its boot arguments where they stand in files that it shares with others.

use super::bls;
use super::cmdline::{self, Edit};
use hftune_model::Result;
use hftune_model::host::BootLoader;
use hftune_model::setting::Artifact;
use std::path::{Path, PathBuf};

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
    /// The record of a host; of one without it, no words and the entries that are there.
    pub fn of(loader: &BootLoader) -> Self {
        if let Some(text) = loader.files.get(Path::new(PATH)) {
            return Self::parse(text);
        }
        let entries = loader.files.keys().filter(|path| {
            let directory = path.parent().and_then(Path::file_name);
            directory.is_some_and(|name| name == "entries")
        });
        Self {
            words: Vec::new(),
            entries: entries
                .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
                .collect(),
        }
    }

    /// The file, where there is anything to remember. It is written first, so that after a crash nothing stands in an
    /// entry that is not known to be ours.
    pub fn artifact(&self) -> Option<Artifact> {
        (!self.words.is_empty()).then(|| Artifact::File {
            path: PathBuf::from(PATH),
            content: self.render(),
            mode: 0o644,
        })
    }

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

    /// An entry without these words, where it is one that was installed since the record was made, is not for rescue nor
    /// owned by ostree, and holds any of them.
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
        let of_ostree = held.iter().any(|token| token.name() == "ostree");
        if known || entry.rescue || of_ostree || remove.is_empty() {
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
        // Only rpm-ostree changes a deployment's entry.
        let deployment = "linux /v\noptions ostree=/ostree/boot.1/x a=1\n";
        assert_eq!(out("ostree-2.conf", deployment), None);
    }
}
