//! Reading one fact: a missing file is no fact, and what cannot be read or understood is written down.

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::Path;
use std::rc::Rc;
use std::str::FromStr;

use hftune_model::{CpuSet, Error, Kind, Result};
use hftune_sys::{Reader, Root};

/// The most characters of one entry of `Host::unread`: an error quotes the text it found, and garbage is long.
const UNREAD_CHARS: usize = 240;

/// A reader that never fails and remembers what it could not read.
pub(crate) struct Facts<'r> {
    reader: &'r Reader<'r>,
    unread: RefCell<Vec<String>>,
    /// The same, to find one among thousands.
    known: RefCell<HashSet<String>>,
}

impl<'r> Facts<'r> {
    pub(crate) fn new(reader: &'r Reader<'r>) -> Self {
        Self {
            reader,
            unread: RefCell::default(),
            known: RefCell::default(),
        }
    }

    /// What could not be read, as "path: reason", in the order in which it was met.
    pub(crate) fn into_unread(self) -> Vec<String> {
        self.unread.into_inner()
    }

    pub(crate) fn root(&self) -> &'r Root {
        self.reader.root()
    }

    /// Writes down that `path` holds no fact, and why.
    pub(super) fn note(&self, path: &str, error: Error) {
        let error = match error.path {
            Some(_) => error,
            None => error.at(self.root().shown(Path::new(path))),
        };
        let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        let text = error.to_string();
        let mut entry: String = text.chars().take(UNREAD_CHARS).map(printable).collect();
        if text.chars().nth(UNREAD_CHARS).is_some() {
            entry.push('…');
        }
        // Several facts may ask for one file.
        if self.known.borrow_mut().insert(entry.clone()) {
            self.unread.borrow_mut().push(entry);
        }
    }

    fn noted<T>(&self, path: &str, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                if error.kind != Kind::Missing {
                    self.note(path, error);
                }
                None
            }
        }
    }

    /// The whole text of a file.
    pub(crate) fn text(&self, path: &str) -> Option<Rc<str>> {
        self.noted(path, self.reader.text(path))
    }

    /// The text of a file without white space around it.
    pub(crate) fn value(&self, path: &str) -> Option<String> {
        self.noted(path, self.reader.value(path)).flatten()
    }

    /// The same, where an empty file holds no fact.
    pub(crate) fn word(&self, path: &str) -> Option<String> {
        self.value(path).filter(|text| !text.is_empty())
    }

    /// The same, where a refusal is normal and says nothing: `speed` of a port that is down, a process that ended,
    /// debugfs without root.
    pub(super) fn word_if_told(&self, path: &str) -> Option<String> {
        let text = self.reader.value(path).ok().flatten()?;
        (!text.is_empty()).then_some(text)
    }

    /// A value parsed.
    pub(super) fn parsed<T>(&self, path: &str, parse: impl FnOnce(&str) -> Result<T>) -> Option<T> {
        self.noted(path, self.reader.parsed(path, parse)).flatten()
    }

    /// A whole text parsed.
    pub(super) fn parsed_text<T>(
        &self,
        path: &str,
        parse: impl FnOnce(&str) -> Result<T>,
    ) -> Option<T> {
        let text = self.text(path)?;
        self.noted(path, parse(&text))
    }

    /// The same of a text that is large and asked for once.
    pub(super) fn parsed_once<T>(
        &self,
        path: &str,
        parse: impl FnOnce(&str) -> Result<T>,
    ) -> Option<T> {
        let text = self.noted(path, self.reader.text_once(path))?;
        self.noted(path, parse(&text))
    }

    /// The same, of a file that nothing else asks for: of each interrupt there is one.
    pub(super) fn cpus_once(&self, path: &str) -> Option<CpuSet> {
        self.parsed_once(path, cpu_list)
    }

    /// The permission bits of a file that is about to be asked for.
    pub(super) fn mode_with_text(&self, path: &str) -> Option<u32> {
        self.reader.mode_with_text(path)
    }

    /// A CPU list.
    pub(super) fn cpus(&self, path: &str) -> Option<CpuSet> {
        self.parsed(path, cpu_list)
    }

    /// CPUs from `list`, or from `mask` where a kernel or a recorded tree has only that.
    pub(super) fn cpus_or_mask(&self, list: &str, mask: &str) -> Option<CpuSet> {
        self.cpus(list)
            .or_else(|| self.parsed(mask, CpuSet::parse_mask))
    }

    /// A number.
    pub(super) fn number<T: FromStr>(&self, path: &str) -> Option<T> {
        self.parsed(path, |text| {
            text.parse()
                .map_err(|_| Error::invalid(format!("expected a number, found \"{text}\"")))
        })
    }

    /// The names in a directory, sorted.
    pub(super) fn list(&self, path: &str) -> Rc<[String]> {
        self.noted(path, self.reader.list(path)).unwrap_or_default()
    }

    /// The whole text of a file; where it is there and cannot be read, or is no text, its path is put into `refused`.
    pub(super) fn text_or(&self, path: &str, refused: &mut Vec<String>) -> Option<Rc<str>> {
        let text = self.text(path);
        let error = self.reader.text(path).err();
        if error.is_some_and(|error| error.kind != Kind::Missing) {
            refused.push(path.to_owned());
        }
        text
    }

    /// The names in a directory; where it is there and cannot be listed, its path is put into `refused`.
    pub(super) fn list_or(&self, path: &str, refused: &mut Vec<String>) -> Rc<[String]> {
        if self.unlisted(path).is_some() {
            refused.push(path.to_owned());
        }
        self.list(path)
    }

    /// Why a directory that is there cannot be listed.
    pub(super) fn unlisted(&self, path: &str) -> Option<String> {
        let error = self.reader.list(path).err()?;
        (error.kind != Kind::Missing).then(|| error.to_string())
    }

    /// The names in a directory, where a refusal is normal and says nothing.
    pub(super) fn list_if_told(&self, path: &str) -> Rc<[String]> {
        self.reader.list(path).unwrap_or_default()
    }

    /// The numbers in names like `cpu12`, in rising order.
    pub(super) fn numbered(&self, path: &str, prefix: &str) -> Vec<u32> {
        let mut numbers: Vec<u32> = self
            .list(path)
            .iter()
            .filter_map(|name| number_after(name, prefix))
            .collect();
        numbers.sort_unstable();
        numbers
    }

    /// The last component of the target of a link.
    pub(super) fn link_name(&self, path: &str) -> Option<String> {
        let target = self.root().link_target(path)?;
        target
            .rsplit('/')
            .find(|part| !part.is_empty())
            .map(str::to_owned)
    }
}

/// A CPU list. An empty file is the empty set, and so is what kernels print of a mask that was never set: "(null)", or a
/// NUL.
fn cpu_list(text: &str) -> Result<CpuSet> {
    CpuSet::parse_list(text.trim_end().trim_end_matches('\0'), None)
}

/// 12 of "cpu12".
pub(super) fn number_after(name: &str, prefix: &str) -> Option<u32> {
    let digits = name.strip_prefix(prefix)?;
    // `parse` takes "+1" too, which is no name of the kernel's.
    (digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}
