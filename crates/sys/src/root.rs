//! A directory that stands for the machine: `/` itself, or a tree below which everything is read and written.

use std::io::Error as IoError;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use hftune_model::{Error, Kind, Result};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, openat, readlinkat, statat};
use rustix::io::Errno;

use crate::in_root;
use crate::memory::Tree;
use crate::record::{Recorder, Recording};
use crate::replay::{Manifest, Replay};

/// Nothing that hftune reads is larger (`/proc/interrupts` of 512 CPUs with 4000 interrupts has 23 MiB); a larger file is
/// refused rather than read into memory.
pub const MAX_FILE: u64 = 64 << 20;

/// What reading a larger file is answered with.
const TOO_LARGE: Errno = Errno::FBIG;

/// Room for the first read of a file, in bytes: a page, which is what most kernel files give at most.
const FIRST_READ: usize = 4096;

/// The machine, or a directory tree in its place.
#[derive(Debug)]
pub struct Root {
    place: Place,
    /// What was asked so far, where it is to be captured.
    recorder: Option<Box<Recorder>>,
    /// Set where the tree stands for another machine.
    replay: Option<Box<Replay>>,
}

/// What stands for `/`.
#[derive(Debug)]
enum Place {
    /// `/` itself.
    Live,
    /// A directory.
    Directory(PathBuf, OwnedFd),
    /// An archive, which nothing can be written to.
    Archive(Tree),
}

impl Root {
    fn new(place: Place) -> Self {
        Self {
            place,
            recorder: None,
            replay: None,
        }
    }

    /// The live machine.
    pub fn live() -> Self {
        Self::new(Place::Live)
    }

    /// A directory tree in place of the machine.
    ///
    /// Symbolic links in it are resolved inside it, absolute ones too.
    pub fn tree(prefix: &Path) -> Result<Self> {
        let fd = openat(
            CWD,
            prefix,
            OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(|e| Error::io("open the root directory", prefix, &e.into()))?;
        Ok(Self::new(Place::Directory(prefix.to_owned(), fd)))
    }

    /// An archive (tar, gzip'd or plain) in place of the machine. `name` is for messages.
    pub fn archive(name: &Path, bytes: &[u8]) -> Result<Self> {
        crate::archive::unpack(name, bytes).map(|tree| Self::new(Place::Archive(tree)))
    }

    /// The tree below one of its directories.
    pub fn below(self, dir: &Path) -> Result<Self> {
        match self.place {
            Place::Live => Self::tree(dir),
            Place::Directory(prefix, _) => Self::tree(&prefix.join(relative(dir))),
            Place::Archive(tree) => Ok(Self::new(Place::Archive(tree.below(dir)))),
        }
    }

    /// The same tree, as that of another machine. Without a manifest the tree is all that is known.
    #[must_use]
    pub fn captured(mut self, manifest: Option<Manifest>) -> Self {
        self.replay = Some(Box::new(Replay::new(manifest)));
        self
    }

    /// The same root, which from now on remembers what it is asked.
    #[must_use]
    pub fn recording(mut self) -> Self {
        self.recorder = Some(Box::default());
        self
    }

    /// What it was asked since it records, and the answers; nothing where it does not.
    pub fn take_recording(&self) -> Recording {
        self.recorder
            .as_ref()
            .map(|recorder| recorder.take(self))
            .unwrap_or_default()
    }

    /// Whether this is the live machine, where processes may be started.
    pub fn is_live(&self) -> bool {
        matches!(self.place, Place::Live)
    }

    /// Whether it was recorded on another machine.
    pub fn is_captured(&self) -> bool {
        self.replay.is_some()
    }

    /// Whether it is a machine that runs, or ran when it was captured: what is active there can be told.
    pub fn is_running(&self) -> bool {
        self.is_live() || self.manifest().is_some_and(|manifest| manifest.running)
    }

    pub(crate) fn is_archive(&self) -> bool {
        matches!(self.place, Place::Archive(_))
    }

    fn manifest(&self) -> Option<&Manifest> {
        self.replay.as_deref().and_then(Replay::manifest)
    }

    /// What the running system tells besides files; of a capture, what it told then. `None` where nobody knows.
    pub fn answer(
        &self,
        question: &str,
        ask: impl FnOnce() -> Result<String>,
    ) -> Option<Result<String>> {
        if !self.is_live() {
            return self.manifest()?.answers.get(question).cloned().map(Ok);
        }
        let answer = ask();
        if let (Some(recorder), Ok(answer)) = (&self.recorder, &answer) {
            recorder.answer(question, answer);
        }
        Some(answer)
    }

    /// The path as it is on the machine that runs hftune, for messages; of a captured machine, as it is there.
    pub fn shown(&self, path: &Path) -> PathBuf {
        match &self.place {
            Place::Directory(prefix, _) if !self.is_captured() => prefix.join(relative(path)),
            _ => path.to_owned(),
        }
    }

    /// Opens `path`, which is absolute on the machine.
    pub(crate) fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, IoError> {
        match &self.place {
            Place::Archive(_) => Err(Errno::ROFS.into()),
            Place::Live => {
                openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty()).map_err(Into::into)
            }
            Place::Directory(_, root) => in_root::open(root.as_fd(), relative(path), flags),
        }
    }

    /// Opens the directory that holds `path` and returns it with the last component.
    pub(crate) fn parent(&self, path: &Path) -> Result<(OwnedFd, PathBuf)> {
        let name = match path.components().next_back() {
            Some(Component::Normal(name)) => PathBuf::from(name),
            _ => return Err(Error::new(Kind::Io, "it names no file").at(path)),
        };
        let dir = path.parent().unwrap_or(Path::new("/"));
        let fd = self
            .open(dir, OFlags::DIRECTORY | OFlags::PATH)
            .map_err(|e| Error::io("open the directory", &self.shown(dir), &e))?;
        Ok((fd, name))
    }

    /// The bytes of a file. Directories, pipes and devices are refused.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Vec<u8>> {
        let path = path.as_ref();
        let read = self.read_file(path).map(|(bytes, _)| bytes);
        self.answered(path, read)
    }

    /// What a read answered, as a capture has it where there is one, and remembered where one is made.
    fn answered(&self, path: &Path, mut read: Result<Vec<u8>, IoError>) -> Result<Vec<u8>> {
        if let Some(replay) = &self.replay {
            read = replay.read(self, path, read);
        }
        if let Some(recorder) = &self.recorder {
            recorder.read(path, &read);
        }
        read.map_err(|e| {
            if e.raw_os_error() == Some(TOO_LARGE.raw_os_error()) {
                let what = format!("it is larger than {} MiB", MAX_FILE >> 20);
                return Error::invalid(what).at(self.shown(path));
            }
            Error::io("read it", &self.shown(path), &e)
        })
    }

    /// The bytes of a file, and the file where it is one of the machine's or a tree's.
    fn read_file(&self, path: &Path) -> Result<(Vec<u8>, Option<OwnedFd>), IoError> {
        if let Place::Archive(tree) = &self.place {
            return Ok((tree.read(path)?, None));
        }
        // NONBLOCK: opening a pipe that somebody left there must not hang.
        let fd = self.open(path, OFlags::RDONLY | OFlags::NONBLOCK)?;
        // Most files of the kernel fit, so that one read and the end of the file are all. A short read is no end: the
        // kernel hands out some files page by page.
        let mut bytes = Vec::with_capacity(FIRST_READ);
        loop {
            if bytes.len() == bytes.capacity() {
                bytes.reserve(bytes.capacity());
            }
            match rustix::io::read(&fd, rustix::buffer::spare_capacity(&mut bytes)) {
                Ok(0) => return Ok((bytes, Some(fd))),
                Ok(_) if bytes.len() as u64 > MAX_FILE => return Err(TOO_LARGE.into()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// The text of a file; an error where it is not UTF-8.
    pub fn read_text(&self, path: impl AsRef<Path>) -> Result<String> {
        let path = path.as_ref();
        self.as_text(path, self.read(path)?)
    }

    /// The text of a file and its permission bits, for one call more than the text alone.
    pub fn read_text_and_mode(&self, path: impl AsRef<Path>) -> Result<(String, u32)> {
        let path = path.as_ref();
        let (bytes, fd) = match self.read_file(path) {
            Ok((bytes, fd)) => (Ok(bytes), fd),
            Err(e) => (Err(e), None),
        };
        let text = self.as_text(path, self.answered(path, bytes)?)?;
        self.note_look(path);
        let mode = match fd {
            Some(fd) => Some(
                rustix::fs::fstat(&fd)
                    .map_err(|e| Error::io("look at it", &self.shown(path), &e.into()))?
                    .st_mode,
            ),
            None => self.stat(path),
        };
        Ok((text, mode.unwrap_or(0) & 0o7777))
    }

    fn as_text(&self, path: &Path, bytes: Vec<u8>) -> Result<String> {
        String::from_utf8(bytes).map_err(|e| {
            Error::invalid(format!(
                "it is not text (byte {})",
                e.utf8_error().valid_up_to()
            ))
            .at(self.shown(path))
        })
    }

    /// The text of a file, or `None` where it does not exist.
    pub fn read_text_if_present(&self, path: impl AsRef<Path>) -> Result<Option<String>> {
        match self.read_text(path) {
            Ok(text) => Ok(Some(text)),
            Err(e) if e.kind == Kind::Missing => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The names in a directory, sorted; empty where it does not exist.
    pub fn list(&self, path: impl AsRef<Path>) -> Result<Vec<String>> {
        let path = path.as_ref();
        let mut names = self.list_names(path);
        if let Some(replay) = &self.replay {
            names = replay.list(self, path, names);
        }
        if let Some(recorder) = &self.recorder {
            recorder.list(self, path, &names);
        }
        match names {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            names => names.map_err(|e| Error::io("list it", &self.shown(path), &e)),
        }
    }

    fn list_names(&self, path: &Path) -> Result<Vec<String>, IoError> {
        if let Place::Archive(tree) = &self.place {
            return Ok(tree.list(path)?);
        }
        let fd = self.open(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        let mut buffer = Vec::with_capacity(32 << 10);
        let mut entries = RawDir::new(&fd, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            if let Ok(name) = entry?.file_name().to_str()
                && name != "."
                && name != ".."
            {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// What a symbolic link points to, or `None` where there is no link of that name.
    pub fn link_target(&self, path: impl AsRef<Path>) -> Option<String> {
        self.note_look(path.as_ref());
        self.read_link(path.as_ref())
    }

    pub(crate) fn read_link(&self, path: &Path) -> Option<String> {
        if let Place::Archive(tree) = &self.place {
            return tree.read_link(path);
        }
        let (dir, name) = self.parent(path).ok()?;
        readlinkat(&dir, &name, Vec::new()).ok()?.into_string().ok()
    }

    /// Whether something of that name exists; a dangling link counts.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.file_type(path).is_some()
    }

    /// What is there under that name, links not followed.
    pub fn file_type(&self, path: impl AsRef<Path>) -> Option<FileType> {
        self.note_look(path.as_ref());
        self.stat(path.as_ref()).map(FileType::from_raw_mode)
    }

    /// Permission bits of a file, links not followed; `None` where nothing has that name.
    pub fn mode(&self, path: impl AsRef<Path>) -> Option<u32> {
        self.note_look(path.as_ref());
        self.stat(path.as_ref()).map(|mode| mode & 0o7777)
    }

    /// When a file was changed last, in seconds since 1970, links not followed; `None` where nothing has that name, or
    /// where it is of an archive.
    pub fn modified(&self, path: impl AsRef<Path>) -> Option<u64> {
        if self.is_archive() {
            return None;
        }
        let (dir, name) = self.parent(path.as_ref()).ok()?;
        let stat = statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        u64::try_from(stat.st_mtime).ok()
    }

    /// Type and permission bits, links not followed; `None` where nothing has that name.
    pub(crate) fn stat(&self, path: &Path) -> Option<u32> {
        if let Place::Archive(tree) = &self.place {
            return tree.stat(path);
        }
        let (dir, name) = self.parent(path).ok()?;
        let stat = statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(stat.st_mode)
    }

    /// Whether a directory is there, links followed.
    pub fn is_dir(&self, path: impl AsRef<Path>) -> bool {
        if let Some(recorder) = &self.recorder {
            recorder.look_behind(self, path.as_ref());
        }
        if let Place::Archive(tree) = &self.place {
            return tree.list(path.as_ref()).is_ok();
        }
        self.open(path.as_ref(), OFlags::DIRECTORY | OFlags::PATH)
            .is_ok()
    }

    /// Remembers what has a name, where a capture is made.
    pub(crate) fn note_look(&self, path: &Path) {
        if let Some(recorder) = &self.recorder {
            recorder.look(self, path);
        }
    }

    /// Removes a file or a link.
    pub fn remove_file(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let (dir, name) = self.parent(path)?;
        rustix::fs::unlinkat(&dir, &name, AtFlags::empty())
            .map_err(|e| Error::io("remove it", &self.shown(path), &e.into()))?;
        crate::write::sync_dir(&dir)
            .map_err(|e| Error::io("sync its directory", &self.shown(path), &e))
    }

    /// Removes a directory if it is empty; whether it was removed. One that is not there is none to remove.
    pub fn remove_empty_dir(&self, path: impl AsRef<Path>) -> Result<bool> {
        let path = path.as_ref();
        let fail = |e: Errno| Error::io("remove the directory", &self.shown(path), &e.into());
        let (dir, name) = match self.parent(path) {
            Err(e) if e.kind == Kind::Missing => return Ok(false),
            parent => parent?,
        };
        match rustix::fs::unlinkat(&dir, &name, AtFlags::REMOVEDIR) {
            Ok(()) => crate::write::sync_dir(&dir)
                .map(|()| true)
                .map_err(|e| Error::io("sync its directory", &self.shown(path), &e)),
            // POSIX allows either for one that is not empty; a link in its place is not ours.
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT | Errno::NOTDIR) => Ok(false),
            Err(e) => Err(fail(e)),
        }
    }

    /// Makes a directory and those above it; returns the ones that were made, outermost first.
    pub fn make_dirs(&self, path: impl AsRef<Path>, mode: u32) -> Result<Vec<PathBuf>> {
        let path = path.as_ref();
        let missing: Vec<&Path> = path
            .ancestors()
            .take_while(|dir| !self.is_dir(dir))
            .collect();
        let mut created = Vec::new();
        for &dir in missing.iter().rev() {
            let (parent, name) = self.parent(dir)?;
            // mkdir(2) takes the umask off the mode. In one step, so that whatever stops it here leaves none that others
            // cannot read.
            let umask = rustix::process::umask(Mode::empty());
            let outcome = rustix::fs::mkdirat(&parent, &name, Mode::from_raw_mode(mode));
            rustix::process::umask(umask);
            outcome.map_err(|e| Error::io("make the directory", &self.shown(dir), &e.into()))?;
            crate::write::sync_dir(&parent)
                .map_err(|e| Error::io("sync it", &self.shown(dir), &e))?;
            created.push(dir.to_owned());
        }
        Ok(created)
    }
}

/// The path below the root: without the leading slash, never empty.
fn relative(path: &Path) -> &Path {
    let below = path.strip_prefix("/").unwrap_or(path);
    if below.as_os_str().is_empty() {
        Path::new(".")
    } else {
        below
    }
}
