//! What hftune remembers of its boot arguments where they stand in files that it shares with others.

use super::bls;
use super::cmdline::{self, Edit};
use super::placed::holds;
use super::systemd_boot::is_entry;
use hftune_model::Result;
use hftune_model::host::BootLoader;
use hftune_model::setting::Artifact;
use std::path::{Path, PathBuf};

/// Where it is kept.
pub const PATH: &str = "/var/lib/hftune/boot-arguments";

/// What a line of the file begins with that names an entry.
const ENTRY: &str = "entry ";

/// The words of hftune, so that a changed profile replaces them and keeps the administrator's, and the entries in which
/// one of them stood before: there it is the administrator's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Words, as written.
    pub words: Vec<String>,
    /// File names of entries.
    pub entries: Vec<String>,
}

impl Record {
    /// The record of a host.
    pub fn of(loader: &BootLoader) -> Self {
        let text = loader.files.get(Path::new(PATH));
        text.map_or_else(Self::default, |text| Self::parse(text))
    }

    /// The record with these words, before they are written. Older words stay in it while they may still `stand`
    /// somewhere: a setup that stops half way must not leave a word that nobody owns. A record that has all it needs stays
    /// as it is.
    #[must_use]
    pub fn with(
        &self,
        words: Vec<String>,
        loader: &BootLoader,
        stand: impl Fn(&str) -> bool,
    ) -> Self {
        if words.is_empty() {
            return Self::default();
        }
        let new: Vec<&String> = words
            .iter()
            .filter(|word| !self.words.contains(word))
            .collect();
        if new.is_empty() {
            return self.clone();
        }
        let mut entries = self.entries.clone();
        for (path, text) in loader.files.iter().filter(|(path, _)| is_entry(path)) {
            let options = bls::parse(path, text).all_options;
            if let Some(name) = path.file_name().and_then(|name| name.to_str())
                && !entries.iter().any(|known| known == name)
                && new.iter().any(|word| holds(&options, word))
            {
                entries.push(name.to_owned());
            }
        }
        let older = self.words.iter().filter(|word| !words.contains(word));
        let older: Vec<String> = older.filter(|word| stand(word)).cloned().collect();
        Self {
            words: words.into_iter().chain(older).collect(),
            entries,
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
                None => record.words.extend(words(line)),
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

    /// An entry without these words, where it holds any of them, none of which is the administrator's, and is not for
    /// rescue nor owned by ostree.
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
            .and_then(|name| name.to_str())
            .is_some_and(|name| {
                self.entries
                    .iter()
                    .any(|known| uncounted(known) == uncounted(name))
            });
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

/// The name of an entry without the count of boots that systemd-boot keeps in it: `a+2-1.conf` is `a`
/// (<https://systemd.io/AUTOMATIC_BOOT_ASSESSMENT>).
pub fn uncounted(name: &str) -> &str {
    let stem = name.strip_suffix(".conf").unwrap_or(name);
    stem.rsplit_once('+').map_or(stem, |(stem, _)| stem)
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
    fn a_word_that_may_still_stand_stays_ours() {
        let mut loader = BootLoader::default();
        let entry = |options: &str| format!("linux /v\noptions {options}\n");
        let path = |name: &str| Path::new("/boot/loader/entries").join(name);
        loader.files.insert(path("a.conf"), entry("ro b=1"));
        loader.files.insert(path("b.conf"), entry("ro b=2"));
        let words = |text: &str| words(text);
        let first = Record::default().with(words("b=1 c"), &loader, |_| true);
        assert_eq!(
            (first.words.join(" "), first.entries.join(" ")),
            ("b=1 c".into(), "a.conf".into())
        );
        let second = first.with(words("b=2 c"), &loader, |word| word == "b=1");
        assert_eq!(second.words, ["b=2", "c", "b=1"]);
        assert_eq!(second.entries, ["a.conf", "b.conf"]);
        // A second set-up changes nothing, and the next change forgets what stands nowhere.
        assert_eq!(second.with(words("b=2 c"), &loader, |_| false), second);
        assert_eq!(second.with(words("d"), &loader, |_| false).words, ["d"]);
        assert_eq!(
            second.with(Vec::new(), &loader, |_| true),
            Record::default()
        );
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
        assert_eq!(out("old+3-1.conf", text), None);
        // Only rpm-ostree changes a deployment's entry.
        let deployment = "linux /v\noptions ostree=/ostree/boot.1/x a=1\n";
        assert_eq!(out("ostree-2.conf", deployment), None);
    }
}
