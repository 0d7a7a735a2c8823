//! A directory that stands for the machine: `/` itself, or a tree below which everything is read and written.

use std::io::Error as IoError;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use hftune_model::{Error, Kind, Result};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RawDir, ResolveFlags, openat, openat2, readlinkat, statat,
};

/// Nothing that hftune reads is larger (`/proc/interrupts` of 512 CPUs with 4000 interrupts has 23 MiB); a larger file is
/// refused rather than read into memory.
pub const MAX_FILE: u64 = 64 << 20;

/// Room for the first read of a file, in bytes: a page, which is what most kernel files give at most.
const FIRST_READ: usize = 4096;

/// The machine, or a directory tree in its place.
#[derive(Debug)]
pub struct Root {
    /// The directory that stands for `/`; `None` for the live machine.
    prefix: Option<(PathBuf, OwnedFd)>,
}

impl Root {
    /// The live machine.
    pub fn live() -> Self {
        Self { prefix: None }
    }

    /// A directory tree in place of the machine.
    ///
    /// Symbolic links in it are resolved inside it (openat2(2), `RESOLVE_IN_ROOT`), absolute ones too.
    pub fn tree(prefix: &Path) -> Result<Self> {
        let fd = openat(
            CWD,
            prefix,
            OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(|e| Error::io("open the root directory", prefix, &e.into()))?;
        Ok(Self {
            prefix: Some((prefix.to_owned(), fd)),
        })
    }

    /// Whether this is the live machine, where processes may be started.
    pub fn is_live(&self) -> bool {
        self.prefix.is_none()
    }

    /// The path as it is on the machine that runs hftune, for messages.
    pub fn shown(&self, path: &Path) -> PathBuf {
        match &self.prefix {
            None => path.to_owned(),
            Some((prefix, _)) => prefix.join(relative(path)),
        }
    }

    /// Opens `path`, which is absolute on the machine.
    pub(crate) fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, IoError> {
        match &self.prefix {
            None => openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty()).map_err(Into::into),
            Some((_, root)) => openat2(
                root,
                relative(path),
                flags | OFlags::CLOEXEC,
                Mode::empty(),
                ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
            )
            .map_err(Into::into),
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
        self.read_open(path.as_ref()).map(|(bytes, _)| bytes)
    }

    /// The bytes of a file, and the file.
    fn read_open(&self, path: &Path) -> Result<(Vec<u8>, OwnedFd)> {
        let fail = |e: &IoError| Error::io("read it", &self.shown(path), e);
        // NONBLOCK: opening a pipe that somebody left there must not hang.
        let fd = self
            .open(path, OFlags::RDONLY | OFlags::NONBLOCK)
            .map_err(|e| fail(&e))?;
        // Most files of the kernel fit, so that one read and the end of the file are all. A short read is no end: the
        // kernel hands out some files page by page.
        let mut bytes = Vec::with_capacity(FIRST_READ);
        loop {
            if bytes.len() == bytes.capacity() {
                bytes.reserve(bytes.capacity());
            }
            match rustix::io::read(&fd, rustix::buffer::spare_capacity(&mut bytes)) {
                Ok(0) => return Ok((bytes, fd)),
                Ok(_) if bytes.len() as u64 > MAX_FILE => {
                    let what = format!("it is larger than {} MiB", MAX_FILE >> 20);
                    return Err(Error::invalid(what).at(self.shown(path)));
                }
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(fail(&e.into())),
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
        let (bytes, fd) = self.read_open(path)?;
        let stat = rustix::fs::fstat(&fd)
            .map_err(|e| Error::io("look at it", &self.shown(path), &e.into()))?;
        Ok((self.as_text(path, bytes)?, stat.st_mode & 0o7777))
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
        let fail = |e: &IoError| Error::io("list it", &self.shown(path), e);
        let fd = match self.open(path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(fd) => fd,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(fail(&e)),
        };
        let mut names = Vec::new();
        let mut buffer = Vec::with_capacity(32 << 10);
        let mut entries = RawDir::new(&fd, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(|e| fail(&e.into()))?;
            if let Ok(name) = entry.file_name().to_str()
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
        let (dir, name) = self.parent(path.as_ref()).ok()?;
        readlinkat(&dir, &name, Vec::new()).ok()?.into_string().ok()
    }

    /// Whether something of that name exists; a dangling link counts.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.file_type(path).is_some()
    }

    /// What is there under that name, links not followed.
    pub fn file_type(&self, path: impl AsRef<Path>) -> Option<FileType> {
        let (dir, name) = self.parent(path.as_ref()).ok()?;
        let stat = statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(FileType::from_raw_mode(stat.st_mode))
    }

    /// Permission bits of a file, links not followed; `None` where nothing has that name.
    pub fn mode(&self, path: impl AsRef<Path>) -> Option<u32> {
        let (dir, name) = self.parent(path.as_ref()).ok()?;
        let stat = statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(stat.st_mode & 0o7777)
    }

    /// Whether a directory is there, links followed.
    pub fn is_dir(&self, path: impl AsRef<Path>) -> bool {
        self.open(path.as_ref(), OFlags::DIRECTORY | OFlags::PATH)
            .is_ok()
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

    /// Removes a directory if it is empty; whether it was removed.
    pub fn remove_empty_dir(&self, path: impl AsRef<Path>) -> bool {
        let Ok((dir, name)) = self.parent(path.as_ref()) else {
            return false;
        };
        rustix::fs::unlinkat(&dir, &name, AtFlags::REMOVEDIR).is_ok()
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
            rustix::fs::mkdirat(&parent, &name, Mode::from_raw_mode(mode))
                .and_then(|()| {
                    // mkdir(2) takes the umask off the mode; others must be able to read what hftune leaves.
                    rustix::fs::chmodat(&parent, &name, Mode::from_raw_mode(mode), AtFlags::empty())
                })
                .map_err(|e| Error::io("make the directory", &self.shown(dir), &e.into()))?;
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
