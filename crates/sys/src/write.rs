//! Writing so that a crash leaves the old file or the new one, never half of either.

use std::io::{Error as IoError, Read as _, Seek as _, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use hftune_model::{Error, Kind, Result};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Uid, XattrFlags, fchmod, fchown, fgetxattr, flistxattr,
    fsetxattr, fsync, openat, renameat, statat, symlinkat, unlinkat,
};

use crate::Root;

/// What belongs to a file besides its content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// Permission bits, like 0o644.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Extended attributes, the SELinux label (`security.selinux`) among them.
    pub xattrs: Vec<(String, Vec<u8>)>,
}

impl Root {
    /// The mode, owner and extended attributes of a regular file; `None` where nothing has that name.
    ///
    /// A symbolic link, a directory or a device in its place is an error: hftune never writes through one.
    pub fn metadata(&self, path: impl AsRef<Path>) -> Result<Option<Metadata>> {
        let path = path.as_ref();
        self.note_look(path);
        // An archive has no files to open, and whose they were says nothing here.
        if self.is_archive() {
            return match self.stat(path) {
                Some(mode) if FileType::from_raw_mode(mode) != FileType::RegularFile => {
                    Err(Error::new(Kind::Conflict, "it is not a regular file").at(self.shown(path)))
                }
                mode => Ok(mode.map(|mode| Metadata {
                    mode: mode & 0o7777,
                    ..Metadata::default()
                })),
            };
        }
        let fail = |e: IoError| Error::io("look at it", &self.shown(path), &e);
        let parent = path.parent().unwrap_or(Path::new("/"));
        if !self.is_dir(parent) {
            return Ok(None);
        }
        let (dir, name) = self.parent(path)?;
        let fd = match openat(
            &dir,
            &name,
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC,
            Mode::empty(),
        ) {
            Ok(fd) => fd,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::LOOP) => {
                return Err(Error::new(
                    Kind::Conflict,
                    "it is a symbolic link, which hftune does not write through",
                )
                .at(self.shown(path))
                .hint("put a regular file in its place"));
            }
            Err(e) => return Err(fail(e.into())),
        };
        let stat = rustix::fs::fstat(&fd).map_err(|e| fail(e.into()))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Error::new(Kind::Conflict, "it is not a regular file").at(self.shown(path)));
        }
        Ok(Some(Metadata {
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            xattrs: read_xattrs(&fd).map_err(fail)?,
        }))
    }

    /// Replaces a file atomically: a temporary file in the same directory, fsync, rename, fsync of the directory.
    ///
    /// `metadata` is given to the new file before it takes the name. Owner and label are kept as far as this process
    /// may set them; without root, only an owner that already is the caller's.
    pub fn write_atomic(
        &self,
        path: impl AsRef<Path>,
        content: &[u8],
        metadata: &Metadata,
    ) -> Result<()> {
        let path = path.as_ref();
        let fail = |e: IoError| Error::io("write it", &self.shown(path), &e);
        let (dir, name) = self.parent(path)?;
        let temporary = temporary_name(&name);
        let create = || {
            openat(
                &dir,
                &temporary,
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                Mode::from_raw_mode(0o600),
            )
        };
        let fd = match create() {
            Err(rustix::io::Errno::EXIST) => {
                // Left by a process that was killed: the lock says that nobody uses it now.
                unlinkat(&dir, &temporary, AtFlags::empty()).map_err(|e| fail(e.into()))?;
                create()
            }
            created => created,
        }
        .map_err(|e| fail(e.into()))?;
        let written = (|| -> Result<(), IoError> {
            let mut file = std::fs::File::from(fd);
            file.write_all(content)?;
            let stat = rustix::fs::fstat(&file)?;
            if (stat.st_uid, stat.st_gid) != (metadata.uid, metadata.gid) {
                fchown(
                    &file,
                    Some(Uid::from_raw(metadata.uid)),
                    Some(Gid::from_raw(metadata.gid)),
                )?;
            }
            // A file system without labels of its own (vfat, of the EFI partition) shows one that cannot be set: the new
            // file has it already.
            let own = read_xattrs(&file)?;
            for (name, value) in metadata.xattrs.iter().filter(|xattr| !own.contains(xattr)) {
                fsetxattr(&file, name.as_str(), value, XattrFlags::empty())?;
            }
            fchmod(&file, Mode::from_raw_mode(metadata.mode))?;
            fsync(&file)?;
            renameat(&dir, &temporary, &dir, &name)?;
            sync_dir(&dir)
        })();
        written.map_err(|e| {
            // Best effort: the temporary file is ours and the target is untouched.
            let _ = unlinkat(&dir, &temporary, AtFlags::empty());
            fail(e)
        })
    }

    /// Makes a symbolic link, replacing a link of that name atomically.
    pub fn write_link(&self, path: impl AsRef<Path>, target: &str) -> Result<()> {
        let path = path.as_ref();
        let fail = |e: rustix::io::Errno| Error::io("make the link", &self.shown(path), &e.into());
        let (dir, name) = self.parent(path)?;
        if let Ok(stat) = statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW)
            && FileType::from_raw_mode(stat.st_mode) != FileType::Symlink
        {
            return Err(
                Error::new(Kind::Conflict, "something that is not a link has that name")
                    .at(self.shown(path)),
            );
        }
        let temporary = temporary_name(&name);
        let _ = unlinkat(&dir, &temporary, AtFlags::empty());
        symlinkat(target, &dir, &temporary).map_err(fail)?;
        renameat(&dir, &temporary, &dir, &name).map_err(|e| {
            let _ = unlinkat(&dir, &temporary, AtFlags::empty());
            fail(e)
        })?;
        sync_dir(&dir).map_err(|e| Error::io("sync its directory", &self.shown(path), &e))
    }

    /// Removes what a process that was killed while it wrote a file or made a link left beside it.
    pub fn remove_leftover(&self, path: impl AsRef<Path>) {
        let path = path.as_ref();
        if let Ok((dir, name)) = self.parent(path) {
            // Nothing is there but after a kill.
            let _ = unlinkat(&dir, temporary_name(&name), AtFlags::empty());
        }
    }

    /// Writes a value to a `/proc` or `/sys` file in one `write` call, as the kernel wants it.
    ///
    /// The error keeps the kernel's errno in its text: EINVAL and EIO are answers of a driver, not of a file system.
    pub fn write_kernel(&self, path: impl AsRef<Path>, value: &str) -> Result<()> {
        self.write_value(
            path.as_ref(),
            &format!("write {value:?}"),
            &format!("{value}\n"),
        )
    }

    /// Puts the text of a kernel file back: the value where a kernel reads it, the very text in a directory tree.
    pub fn restore_kernel(&self, path: impl AsRef<Path>, value: &str, text: &str) -> Result<()> {
        if self.is_live() {
            return self.write_kernel(path, value);
        }
        self.write_value(path.as_ref(), "put it back", text)
    }

    fn write_value(&self, path: &Path, doing: &str, text: &str) -> Result<()> {
        let fail = |e: IoError| Error::io(doing, &self.shown(path), &e);
        if !self.is_live() {
            // In a tree it is a file like others, which a kill must not leave empty. There has to be one.
            let metadata = self.metadata(path)?;
            let metadata = metadata.ok_or_else(|| fail(rustix::io::Errno::NOENT.into()))?;
            return self.write_atomic(path, text.as_bytes(), &metadata);
        }
        let fd = self
            .open(path, OFlags::WRONLY | OFlags::NOFOLLOW)
            .map_err(fail)?;
        let written = rustix::io::write(&fd, text.as_bytes()).map_err(|e| fail(e.into()))?;
        if written != text.len() {
            let short = format!("only {written} of {} bytes were taken", text.len());
            return Err(fail(IoError::other(short)));
        }
        Ok(())
    }

    /// Appends to a log of our own and waits until it is on disk. A line that was torn by a crash is cut off first, and a
    /// line that cannot be written whole is taken back, so that the log always ends with a whole line.
    pub fn append_synced(&self, path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
        let path = path.as_ref();
        let fail = |e: IoError| Error::io("append to it", &self.shown(path), &e);
        let (dir, name) = self.parent(path)?;
        let fd = openat(
            &dir,
            &name,
            OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::from_raw_mode(0o600),
        )
        .map_err(|e| fail(e.into()))?;
        let mut file = std::fs::File::from(fd);
        let whole = whole_lines(&mut file).map_err(fail)?;
        file.set_len(whole).map_err(fail)?;
        if let Err(e) = file.write_all(bytes).and_then(|()| file.sync_all()) {
            // Best effort: the next append cuts off what could not be taken back now.
            let _ = file.set_len(whole);
            return Err(fail(e));
        }
        sync_dir(&dir).map_err(fail)
    }
}

/// The name under which a file is written before it takes its own. It is the same for every process, so that a later one
/// finds what a killed one left; there is one writer at a time, and the file is made anew (`O_EXCL`, `O_NOFOLLOW`).
fn temporary_name(name: &Path) -> String {
    format!(".{}.hftune", name.display())
}

/// Length of a log up to and with its last newline, in bytes.
fn whole_lines(file: &mut std::fs::File) -> Result<u64, IoError> {
    let length = file.metadata()?.len();
    let mut last = [b'\n'];
    if length > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last == [b'\n'] {
        return Ok(length);
    }
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n');
    Ok(whole.map_or(0, |newline| newline as u64 + 1))
}

/// Waits until the names in a directory are on disk. The directory may have been opened for its path only.
pub(crate) fn sync_dir(dir: &OwnedFd) -> Result<(), IoError> {
    let readable = openat(
        dir,
        ".",
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    fsync(&readable)?;
    Ok(())
}

fn read_xattrs(fd: impl AsFd) -> Result<Vec<(String, Vec<u8>)>, IoError> {
    let fd = fd.as_fd();
    let mut names = vec![0u8; 4096];
    let size = match flistxattr(fd, &mut names[..]) {
        Ok(size) => size,
        Err(rustix::io::Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Err(e) => return Err(e.into()),
    };
    let mut xattrs = Vec::new();
    for name in names[..size]
        .split(|b| *b == 0)
        .filter(|name| !name.is_empty())
    {
        let name = String::from_utf8_lossy(name).into_owned();
        let mut value = vec![0u8; 64 << 10];
        let size = fgetxattr(fd, name.as_str(), &mut value[..])?;
        value.truncate(size);
        xattrs.push((name, value));
    }
    Ok(xattrs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().expect("temporary directory");
        let root = Root::tree(dir.path()).expect("root");
        (dir, root)
    }

    #[test]
    fn replaces_a_file_and_keeps_its_mode() {
        let (_dir, root) = tree();
        root.make_dirs("/etc", 0o755).expect("etc");
        let new = Metadata {
            mode: 0o640,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            xattrs: Vec::new(),
        };
        root.write_atomic("/etc/a", b"one", &new).expect("first");
        let kept = root.metadata("/etc/a").expect("metadata").expect("exists");
        assert_eq!(kept.mode, 0o640);
        root.write_atomic("/etc/a", b"two", &kept).expect("second");
        assert_eq!(root.read("/etc/a").expect("read"), b"two");
        assert_eq!(
            root.list("/etc").expect("list"),
            ["a"],
            "no temporary file is left"
        );
    }

    #[test]
    fn links_lead_nowhere_outside_the_root() {
        let (dir, root) = tree();
        root.make_dirs("/etc", 0o755).expect("etc");
        root.write_link("/etc/out", "/etc/passwd").expect("link");
        assert_eq!(
            root.read("/etc/out").expect_err("dangling inside").kind,
            Kind::Missing
        );
        root.write_link("/etc/up", "../../../../etc/passwd")
            .expect("link");
        assert_eq!(
            root.read("/etc/up").expect_err("dangling inside").kind,
            Kind::Missing
        );
        assert!(
            root.metadata("/etc/out").is_err(),
            "hftune does not write through links"
        );
        drop(dir);
    }

    #[test]
    fn a_torn_line_is_cut_off_before_the_next_one() {
        let (dir, root) = tree();
        root.append_synced("/log", b"one\n").expect("first");
        std::fs::OpenOptions::new()
            .append(true)
            .open(dir.path().join("log"))
            .and_then(|mut log| log.write_all(b"tor"))
            .expect("tear");
        root.append_synced("/log", b"two\n").expect("second");
        assert_eq!(root.read("/log").expect("read"), b"one\ntwo\n");
    }

    #[test]
    fn a_directory_is_no_file() {
        let (_dir, root) = tree();
        root.make_dirs("/etc/default/grub", 0o755)
            .expect("directories");
        assert!(root.read("/etc/default/grub").is_err());
        assert!(root.metadata("/etc/default/grub").is_err());
    }

    #[test]
    fn a_directory_has_its_mode_whatever_the_umask() {
        let (_dir, root) = tree();
        // Of the whole process, but no other test here looks at a mode that it takes bits off.
        let old = rustix::process::umask(Mode::from_raw_mode(0o077));
        let made = root.make_dirs("/var/lib/hftune", 0o755);
        rustix::process::umask(old);
        assert_eq!(made.expect("made").len(), 3);
        assert_eq!(root.mode("/var/lib/hftune"), Some(0o755));
        assert_eq!(root.mode("/var"), Some(0o755));
    }
}
