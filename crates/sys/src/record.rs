//! Remembering what was asked of a root, so that a capture holds exactly that.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Error as IoError;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::Root;
use crate::resolve::Resolver;

/// Mode of a file or a directory that nobody looked at.
const FILE_MODE: u32 = 0o444;
const DIR_MODE: u32 = 0o755;

/// What was asked, and the answers. The first answer to a question stands.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    seen: RefCell<BTreeMap<PathBuf, Seen>>,
    answers: RefCell<BTreeMap<String, String>>,
}

/// The answers about one name.
#[derive(Debug, Default)]
struct Seen {
    /// What has the name, links not followed; `None` where nobody looked.
    name: Option<Name>,
    /// Its bytes, or the errno.
    content: Option<Result<Vec<u8>, i32>>,
    /// Whether its names were listed, or the errno.
    listed: Option<Result<(), i32>>,
    /// Whether it was asked what is behind a link of that name.
    followed: bool,
}

/// What has a name.
#[derive(Debug, Clone, Copy)]
enum Name {
    Nothing,
    /// Something of this type, with these permission bits.
    Of(FileType, u32),
}

/// What a machine answered, by paths without links in them.
#[derive(Debug, Default)]
pub struct Recording {
    /// Everything that was seen, with the directories above it.
    pub entries: BTreeMap<PathBuf, Entry>,
    /// Directories whose names are all among the entries.
    pub listed: BTreeSet<PathBuf>,
    /// What was asked for and does not exist.
    pub absent: BTreeSet<PathBuf>,
    /// What was asked for and refused, with the errno.
    pub refused: BTreeMap<PathBuf, i32>,
    /// What the system told besides files.
    pub answers: BTreeMap<String, String>,
}

/// One thing that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file; `None` where only its name was read. What is neither file, directory nor link counts as that.
    File {
        /// Its bytes.
        content: Option<Vec<u8>>,
        /// Permission bits.
        mode: u32,
    },
    /// A directory.
    Dir {
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// Where it points to.
        target: String,
    },
}

impl Recorder {
    /// Notes the answer to reading a file.
    pub(crate) fn read(&self, path: &Path, result: &Result<Vec<u8>, IoError>) {
        self.note(path, |seen| {
            seen.content
                .get_or_insert_with(|| result.as_ref().cloned().map_err(errno));
        });
    }

    /// Notes the answer to listing a directory.
    pub(crate) fn list(&self, root: &Root, path: &Path, result: &Result<Vec<String>, IoError>) {
        self.note(path, |seen| {
            seen.listed
                .get_or_insert_with(|| result.as_ref().map(|_| ()).map_err(errno));
        });
        // Processes come and go: what they were is asked at once.
        for name in result.iter().flatten() {
            self.look(root, &path.join(name));
        }
    }

    /// Notes what has a name.
    pub(crate) fn look(&self, root: &Root, path: &Path) {
        let known = self
            .seen
            .borrow()
            .get(path)
            .is_some_and(|seen| seen.name.is_some());
        // The root itself has no name to look at.
        if !known && path.file_name().is_some() {
            let name = root.stat(path).map_or(Name::Nothing, |mode| {
                Name::Of(FileType::from_raw_mode(mode), mode & 0o7777)
            });
            self.note(path, |seen| seen.name = Some(name));
        }
    }

    /// Notes what has a name, and what is behind it where it is a link.
    pub(crate) fn look_behind(&self, root: &Root, path: &Path) {
        self.look(root, path);
        self.note(path, |seen| seen.followed = true);
    }

    /// Notes what the system told.
    pub(crate) fn answer(&self, question: &str, answer: &str) {
        self.answers
            .borrow_mut()
            .entry(question.to_owned())
            .or_insert_with(|| answer.to_owned());
    }

    fn note(&self, path: &Path, change: impl FnOnce(&mut Seen)) {
        change(self.seen.borrow_mut().entry(path.to_owned()).or_default());
    }

    /// Everything so far, with links resolved, so that what was read by one path is found by another.
    pub(crate) fn take(&self, root: &Root) -> Recording {
        let resolver = Resolver::default();
        let mut recording = Recording {
            answers: self.answers.take(),
            ..Recording::default()
        };
        for (path, seen) in self.seen.take() {
            let here = resolver.resolve(root, &path, false);
            match seen.name {
                Some(Name::Nothing) => {
                    recording.absent.insert(here.clone());
                }
                Some(Name::Of(kind, mode)) => recording.add(root, here.clone(), kind, mode),
                None => {}
            }
            if seen.content.is_none() && seen.listed.is_none() && !seen.followed {
                continue;
            }
            let real = resolver.resolve(root, &path, true);
            if seen.followed
                && let Some(mode) = root.stat(&real)
            {
                let kind = FileType::from_raw_mode(mode);
                recording.add(root, real.clone(), kind, mode & 0o7777);
            }
            if let Some(content) = seen.content {
                recording.read(root, &real, content);
            }
            match seen.listed {
                Some(Ok(())) => {
                    recording.add(root, real.clone(), FileType::Directory, DIR_MODE);
                    recording.listed.insert(real);
                }
                Some(Err(errno)) => recording.refuse(root, &real, errno),
                None => {}
            }
        }
        for (path, target) in resolver.into_links() {
            recording.entries.insert(path, Entry::Link { target });
        }
        recording.complete();
        recording
    }
}

impl Recording {
    fn read(&mut self, root: &Root, path: &Path, content: Result<Vec<u8>, i32>) {
        match content {
            Ok(bytes) => {
                let mode = root.stat(path).map_or(FILE_MODE, |mode| mode & 0o7777);
                let content = Some(bytes);
                self.entries
                    .insert(path.to_owned(), Entry::File { content, mode });
            }
            // A directory in the place of a file says so by itself.
            Err(errno) if errno == Errno::ISDIR.raw_os_error() => {
                self.add(root, path.to_owned(), FileType::Directory, DIR_MODE);
            }
            Err(errno) => self.refuse(root, path, errno),
        }
    }

    fn refuse(&mut self, root: &Root, path: &Path, errno: i32) {
        if errno == Errno::NOENT.raw_os_error() {
            self.absent.insert(path.to_owned());
            return;
        }
        self.refused.insert(path.to_owned(), errno);
        if let Some(mode) = root.stat(path) {
            let kind = FileType::from_raw_mode(mode);
            self.add(root, path.to_owned(), kind, mode & 0o7777);
        }
    }

    /// Adds what is known by its name only, unless more is known.
    fn add(&mut self, root: &Root, path: PathBuf, kind: FileType, mode: u32) {
        self.entries.entry(path).or_insert_with_key(|path| {
            let name_only = Entry::File {
                content: None,
                mode,
            };
            match kind {
                FileType::Directory => Entry::Dir { mode },
                FileType::Symlink => root
                    .read_link(path)
                    .map_or(name_only, |target| Entry::Link { target }),
                _ => name_only,
            }
        });
    }

    /// Adds the directories above each entry, and drops what a change in between put below something else.
    fn complete(&mut self) {
        let paths: Vec<PathBuf> = self.entries.keys().cloned().collect();
        for path in paths {
            let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
            above.reverse();
            for dir in above {
                let dir = self
                    .entries
                    .entry(dir.to_owned())
                    .or_insert(Entry::Dir { mode: DIR_MODE });
                if !matches!(dir, Entry::Dir { .. }) {
                    self.entries.remove(&path);
                    break;
                }
            }
        }
    }
}

/// The errno of an error; EIO for one that has none.
fn errno(error: &IoError) -> i32 {
    error.raw_os_error().unwrap_or(Errno::IO.raw_os_error())
}
