//! Opening a path below a directory as if that were `/`: links in it are followed inside it, absolute ones and `..` too.

use std::ffi::{OsStr, OsString};
use std::io::Error as IoError;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2, readlinkat};
use rustix::io::Errno;

use crate::resolve::{MAX_LINKS, components};

/// Opens a relative path below `root`.
///
/// The kernel does it (openat2(2), `RESOLVE_IN_ROOT`), where it can: not before Linux 5.6, so not on RHEL 8, and not in containers
/// whose filter of system calls is older. It also gives up on `..` while anybody on the machine renames something
/// (`EAGAIN`). Then each component is opened by itself.
pub(crate) fn open(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, IoError> {
    match by_kernel(root, path, flags) {
        // A filter refuses with EPERM what it does not know; the file's own refusal would be EACCES.
        Err(Errno::NOSYS | Errno::AGAIN | Errno::PERM) => by_steps(root, path, flags),
        answer => answer,
    }
    .map_err(Into::into)
}

fn by_kernel(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = flags | OFlags::CLOEXEC;
    openat2(root, path, flags, Mode::empty(), resolve)
}

/// No link is ever followed by the kernel, and `..` goes back to a directory that is held open: nothing leads out, whatever is
/// renamed meanwhile. A last component that becomes a link between the two looks at it is refused as one.
fn by_steps(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    let mut todo: Vec<OsString> = components(path).collect();
    let mut held: Vec<OwnedFd> = Vec::new();
    let mut links = 0;
    while let Some(part) = todo.pop() {
        if part == ".." {
            held.pop();
            continue;
        }
        let here = held.last().map_or(root, AsFd::as_fd);
        let look = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let entry = openat(here, &part, look, Mode::empty())?;
        let kind = FileType::from_raw_mode(fstat(&entry)?.st_mode);
        let is_last = todo.is_empty();
        if kind == FileType::Symlink && !(is_last && flags.contains(OFlags::NOFOLLOW)) {
            links += 1;
            if links > MAX_LINKS {
                return Err(Errno::LOOP);
            }
            let target = readlinkat(&entry, c"", Vec::new())?;
            let target = Path::new(OsStr::from_bytes(target.as_bytes()));
            if target.is_absolute() {
                held.clear();
            }
            todo.extend(components(target));
        } else if is_last {
            return openat(here, &part, flags | OFlags::NOFOLLOW, Mode::empty());
        } else if kind == FileType::Directory {
            held.push(entry);
        } else {
            return Err(Errno::NOTDIR);
        }
    }
    let here = held.last().map_or(root, AsFd::as_fd);
    openat(here, c".", flags, Mode::empty())
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "a tree of its own, made without what is tested"
)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    /// The same file, or the same error.
    fn answer(opened: Result<OwnedFd, Errno>) -> Result<(u64, u64), Errno> {
        let stat = fstat(opened?)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    #[test]
    fn step_by_step_it_answers_as_the_kernel_does() {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |path: &str| dir.path().join(path);
        fs::create_dir_all(at("etc/default")).expect("folders");
        fs::write(at("etc/passwd"), "inside").expect("a file");
        fs::write(at("etc/default/grub"), "inside").expect("a file");
        for (target, link) in [
            ("/etc/passwd", "absolute"),
            ("../../../../etc/passwd", "etc/up"),
            ("default", "etc/folder"),
            ("/", "etc/top"),
            ("..", "etc/default/above"),
            ("/etc/nothing", "dangling"),
            ("round", "round"),
            ("absolute", "second"),
            ("/dev/shm", "outside"),
        ] {
            symlink(target, at(link)).expect("a link");
        }
        // A row of links one longer than the kernel follows, and one that it just follows.
        for number in 1..=41 {
            let target = match number {
                1 => "/etc/passwd".to_owned(),
                _ => format!("row{}", number - 1),
            };
            symlink(target, at(&format!("row{number}"))).expect("a link");
        }
        let root = File::open(dir.path()).expect("the folder");
        for path in [
            ".",
            "..",
            "etc",
            "etc/passwd",
            "etc/passwd/below",
            "etc/passwd/..",
            "etc/../etc/./passwd",
            "../../etc/passwd",
            "absolute",
            "second",
            "etc/up",
            "etc/folder/grub",
            "etc/folder/../passwd",
            "etc/top/etc/top/absolute",
            "etc/default/above/passwd",
            "etc/default/above/..",
            "etc/folder/above/folder",
            "dangling",
            "round",
            "round/below",
            "outside",
            "row40",
            "row41",
            "nothing",
            "nothing/below",
        ] {
            for flags in [
                OFlags::RDONLY,
                OFlags::PATH,
                OFlags::RDONLY | OFlags::NOFOLLOW,
                OFlags::PATH | OFlags::NOFOLLOW,
                OFlags::PATH | OFlags::DIRECTORY,
            ] {
                let path = Path::new(path);
                // Somebody may be renaming something while the tests run.
                let kernel = loop {
                    let answer = answer(by_kernel(root.as_fd(), path, flags));
                    if answer != Err(Errno::AGAIN) {
                        break answer;
                    }
                };
                if kernel == Err(Errno::NOSYS) {
                    return;
                }
                let steps = answer(by_steps(root.as_fd(), path, flags));
                assert_eq!(steps, kernel, "{} {flags:?}", path.display());
            }
        }
    }
}
