//! Packed trees: gzip'd tars, made and unpacked in memory.
//!
//! Unpacking trusts nothing: every header is checked before a member is unpacked, no member goes through a link, and what
//! would fill the memory is refused. Nothing is written to a disk, and links are followed inside the tree only.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{Error as IoError, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use hftune_model::{Error, Kind, Result};
use tar::{Archive, Builder, EntryType, Header};

use crate::memory::{Clash, Limits, Node, Tree};
use crate::record::Entry;
use crate::root::MAX_FILE;

/// The most bytes of an archive when it is unpacked. A machine of 512 CPUs has less than a tenth.
pub const MAX_UNPACKED: u64 = 256 << 20;

/// The most members of an archive, with the directories that it implies.
pub const MAX_MEMBERS: usize = 500_000;

/// What the names of its members may take: full paths of deep directories need much more than the archive itself.
const LIMITS: Limits = Limits {
    nodes: MAX_MEMBERS,
    path_bytes: MAX_UNPACKED,
};

/// The most directories above each other.
pub const MAX_DEPTH: usize = 64;

/// Characters of a member's name in a message.
const SHOWN: usize = 240;

/// The most bytes of a header that holds a long name: those of a path (`PATH_MAX`, include/uapi/linux/limits.h).
const MAX_NAME: u64 = 4096;

/// Records of an extended header that change where the next member begins.
const UNSEEN: [&str; 2] = [" size=", " GNU.sparse."];

/// What other packers write first, and how they are called.
const OTHERS: [(&[u8], &str); 4] = [
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
];

/// A gzip'd tar of `entries`, which are absolute paths, below the directory `top`; a file with a reserved name first.
pub fn pack(
    top: &str,
    first: (&str, &[u8]),
    entries: &BTreeMap<PathBuf, Entry>,
    seconds: u64,
) -> Result<Vec<u8>> {
    let fail = |e: IoError| Error::new(Kind::Io, format!("the archive cannot be made: {e}"));
    let header = |kind: EntryType, mode: u32, size: usize| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size as u64);
        header.set_mtime(seconds);
        header
    };
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let (name, bytes) = first;
    let mut head = header(EntryType::Regular, 0o600, bytes.len());
    tar.append_data(&mut head, Path::new(top).join(name), bytes)
        .map_err(fail)?;
    for (path, entry) in entries {
        let path = Path::new(top).join(path.strip_prefix("/").unwrap_or(path));
        match entry {
            Entry::Dir { mode } => {
                // Whoever unpacks it must be able to fill it and to remove it.
                let mut head = header(EntryType::Directory, mode | 0o700, 0);
                tar.append_data(&mut head, path, std::io::empty())
            }
            Entry::File { content, mode } => {
                let bytes = content.as_deref().unwrap_or_default();
                let mut head = header(EntryType::Regular, mode & 0o777 | 0o400, bytes.len());
                tar.append_data(&mut head, path, bytes)
            }
            Entry::Link { target } => {
                let mut head = header(EntryType::Symlink, 0o777, 0);
                tar.append_link(&mut head, path, target)
            }
        }
        .map_err(fail)?;
    }
    tar.into_inner().and_then(GzEncoder::finish).map_err(fail)
}

/// Unpacks a tar, gzip'd or plain. `archive` is its name for messages.
pub(crate) fn unpack(archive: &Path, bytes: &[u8]) -> Result<Tree> {
    unpack_within(archive, bytes, LIMITS)
}

fn unpack_within(archive: &Path, bytes: &[u8], limits: Limits) -> Result<Tree> {
    if let Some((_, packer)) = OTHERS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(Error::invalid(format!("it is packed with {packer}"))
            .at(archive)
            .hint("unpack it into a directory, and give that to --from"));
    }
    check(archive, bytes, MAX_UNPACKED)?;
    let damaged = |e: IoError| damaged(archive, &e);
    let mut tree = Tree::new(limits);
    let mut tar = Archive::new(open(bytes, MAX_UNPACKED));
    for entry in tar.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let member = PathBuf::from(OsStr::from_bytes(&entry.path_bytes()));
        let mode = entry.header().mode().map_err(damaged)?;
        let node = match entry.header().entry_type() {
            EntryType::Regular => {
                let mut content = Vec::new();
                let size = entry.size();
                entry.read_to_end(&mut content).map_err(damaged)?;
                if content.len() as u64 != size {
                    return Err(damaged(std::io::ErrorKind::UnexpectedEof.into()));
                }
                Node::File { content, mode }
            }
            EntryType::Symlink => Node::Link {
                target: OsStr::from_bytes(&entry.link_name_bytes().unwrap_or_default()).into(),
            },
            EntryType::Directory => Node::dir(mode),
            // `check` has let nothing else pass but what describes the archive.
            _ => continue,
        };
        place(&member)
            .and_then(|path| tree.insert(&path, node).map_err(clash_text))
            .map_err(|why| {
                let name: String = member.to_string_lossy().chars().take(SHOWN).collect();
                Error::invalid(format!("its member {name:?} {why}")).at(archive)
            })?;
    }
    Ok(tree)
}

/// Looks at every header before anything is written, long names unread: types, sizes, the number of members, the end.
fn check(archive: &Path, bytes: &[u8], limit: u64) -> Result<()> {
    let damaged = |e: IoError| damaged(archive, &e);
    let refuse = |what: String| Error::invalid(what).at(archive);
    let mut tar = Archive::new(open(bytes, limit));
    let mut members = 0;
    for entry in tar.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        let kind = entry.header().entry_type();
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let largest = match kind {
            EntryType::Regular => MAX_FILE,
            EntryType::Directory | EntryType::Symlink => 0,
            EntryType::GNULongName
            | EntryType::GNULongLink
            | EntryType::XHeader
            | EntryType::XGlobalHeader => MAX_NAME,
            other => {
                return Err(refuse(format!(
                    "its member {name:?} is {}, which no capture has",
                    kind_name(other)
                )));
            }
        };
        if entry.size() > largest {
            return Err(refuse(format!(
                "its member {name:?} has {} bytes; at most {largest} are taken",
                entry.size()
            )));
        }
        if matches!(kind, EntryType::XHeader | EntryType::XGlobalHeader) {
            let mut records = Vec::new();
            entry.read_to_end(&mut records).map_err(damaged)?;
            // With a second size, or a map of holes, this pass would not see what the next one unpacks.
            if let Some(key) = UNSEEN.iter().find(|key| holds(&records, key)) {
                return Err(refuse(format!(
                    "its extended header {name:?} has a record \"{key}\", which no capture has"
                )));
            }
        }
        members += 1;
        if members > MAX_MEMBERS {
            return Err(refuse(format!("it has more than {MAX_MEMBERS} members")));
        }
    }
    if members == 0 {
        return Err(refuse(
            "it holds nothing, or is no tar archive, gzip'd or plain".to_owned(),
        ));
    }
    let mut rest = tar.into_inner();
    let mut block = [0; 4096];
    loop {
        match rest.read(&mut block).map_err(damaged)? {
            0 => break,
            n if block[..n].iter().any(|byte| *byte != 0) => {
                return Err(refuse("something follows its end".to_owned()));
            }
            _ => {}
        }
    }
    if rest.zeros < BLOCK {
        return Err(
            refuse("it was cut off: the mark of its end is missing".to_owned())
                .hint("copy it again"),
        );
    }
    Ok(())
}

/// Bytes of a tar header, and of the zeros that mark the end at least.
const BLOCK: u64 = 512;

/// The tar, unpacked on the way.
fn open(bytes: &[u8], limit: u64) -> Limited<Box<dyn Read + '_>> {
    let inner: Box<dyn Read> = if bytes.starts_with(b"\x1f\x8b") {
        Box::new(MultiGzDecoder::new(bytes))
    } else {
        Box::new(bytes)
    };
    Limited {
        inner,
        limit,
        left: limit,
        zeros: 0,
    }
}

/// Reads no more than a limit.
struct Limited<R> {
    inner: R,
    limit: u64,
    left: u64,
    /// Zero bytes at the end of what was read.
    zeros: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, IoError> {
        let n = self.inner.read(buffer)?;
        let Some(left) = self.left.checked_sub(n as u64) else {
            return Err(IoError::other(format!(
                "it has more than {} MiB when it is unpacked",
                self.limit >> 20
            )));
        };
        self.left = left;
        let tail = buffer[..n].iter().rev().take_while(|b| **b == 0).count();
        self.zeros = if tail == n { self.zeros } else { 0 } + tail as u64;
        Ok(n)
    }
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes
        .windows(word.len())
        .any(|window| window == word.as_bytes())
}

fn damaged(archive: &Path, error: &IoError) -> Error {
    Error::invalid(format!("it cannot be unpacked: {error}"))
        .at(archive)
        .hint("a capture is made by hftune host --capture FILE.tgz")
}

fn kind_name(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Link => "a hard link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a pipe",
        EntryType::GNUSparse => "a sparse file",
        _ => "of an unknown type",
    }
}

/// The path of a member in the tree: absolute there, and without dots.
fn place(member: &Path) -> Result<PathBuf, &'static str> {
    let mut path = PathBuf::from("/");
    for (depth, component) in member.components().enumerate() {
        match component {
            Component::Normal(_) if depth >= MAX_DEPTH => return Err("is too deep"),
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => return Err("climbs out of it"),
            Component::RootDir | Component::Prefix(_) => return Err("has an absolute path"),
        }
    }
    Ok(path)
}

fn clash_text(clash: Clash) -> &'static str {
    match clash {
        Clash::ThroughLink => "would be written through a symbolic link",
        Clash::BelowFile => "is below a file",
        Clash::Twice => "is in it twice",
        Clash::TooMuch => {
            "is one too many: its members, and the directories above them, have too many or too long names"
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use hftune_model::Kind;
    use proptest::prelude::*;

    use super::*;
    use crate::Root;

    const NAME: &str = "machine.tgz";

    fn header(name: &[u8], kind: EntryType, size: u64) -> Header {
        let mut header = Header::new_gnu();
        // Written by hand: the crate refuses to make the names that are tried here.
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(size);
        header.set_cksum();
        header
    }

    /// A plain tar of members: name, type, link target or content.
    fn tar(members: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, kind, content) in members {
            let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
            let size = if is_link { 0 } else { content.len() as u64 };
            let mut header = header(name.as_bytes(), *kind, size);
            if is_link {
                header.as_old_mut().linkname[..content.len()].copy_from_slice(content);
                header.set_cksum();
            }
            bytes.extend(header.as_bytes());
            if !is_link {
                bytes.extend(*content);
                bytes.resize(bytes.len().next_multiple_of(512), 0);
            }
        }
        bytes.extend([0; 1024]);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
        gz.write_all(bytes).expect("memory");
        gz.finish().expect("memory")
    }

    fn machine() -> Vec<u8> {
        use EntryType::{Directory, Regular, Symlink};
        tar(&[
            ("./", Directory, b""),
            ("./proc/cmdline", Regular, b"quiet\n"),
            ("./sys/class/net/eth0", Symlink, b"../../devices/eth0"),
            ("./sys/devices/eth0/", Directory, b""),
            ("./sys/devices/eth0/speed", Regular, b"10000\n"),
            ("./etc/out", Symlink, b"../../../../etc/passwd"),
            ("./etc/absolute", Symlink, b"/proc/cmdline"),
            ("./etc/circle", Symlink, b"circle"),
        ])
    }

    fn root(bytes: &[u8]) -> Result<Root> {
        Root::archive(Path::new(NAME), bytes)
    }

    #[test]
    fn links_are_followed_inside_the_tree_only() {
        for bytes in [machine(), gzip(&machine())] {
            let root = root(&bytes).expect("archive");
            let text = |path: &str| root.read_text(path);
            assert_eq!(text("/proc/cmdline").expect("file"), "quiet\n");
            assert_eq!(text("/sys/class/net/eth0/speed").expect("link"), "10000\n");
            assert_eq!(text("/etc/absolute").expect("link"), "quiet\n");
            assert_eq!(text("/etc/out").expect_err("inside").kind, Kind::Missing);
            assert_eq!(text("/etc/circle").expect_err("circle").kind, Kind::Io);
            assert!(
                text("/proc")
                    .expect_err("directory")
                    .what
                    .contains("Is a directory")
            );
            assert!(
                text("/proc/cmdline/x")
                    .expect_err("file")
                    .what
                    .contains("Not a directory")
            );
            assert_eq!(
                root.list("/etc").expect("list"),
                ["absolute", "circle", "out"]
            );
            assert_eq!(root.list("/sys/class/net/eth0").expect("list"), ["speed"]);
            assert!(root.is_dir("/sys/class/net/eth0") && !root.is_dir("/etc/out"));
            assert_eq!(root.link_target("/etc/circle").as_deref(), Some("circle"));
            assert_eq!(root.mode("/proc/cmdline"), Some(0o644));
            assert!(!root.exists("/proc/version") && root.exists("/etc/out"));
            assert!(root.write_kernel("/proc/cmdline", "x").is_err());
            assert!(root.make_dirs("/new", 0o755).is_err());
        }
    }

    #[test]
    fn what_no_capture_has_is_refused() {
        use EntryType::{Block, Char, Directory, Fifo, GNUSparse, Link, Regular, Symlink};
        let long = "x/".repeat(49);
        for (members, words) in [
            (
                vec![("/etc/passwd", Regular, &b"x"[..])],
                ["\"/etc/passwd\"", "absolute"],
            ),
            (
                vec![("a/../../b", Regular, b"x")],
                ["\"a/../../b\"", "climbs out"],
            ),
            (vec![("..", Directory, b"")], ["\"..\"", "climbs out"]),
            (vec![("../l", Symlink, b"x")], ["\"../l\"", "climbs out"]),
            (vec![("a", Link, b"/etc/shadow")], ["\"a\"", "a hard link"]),
            (vec![("a", Char, b"")], ["\"a\"", "a device"]),
            (vec![("a", Block, b"")], ["\"a\"", "a device"]),
            (vec![("a", Fifo, b"")], ["\"a\"", "a pipe"]),
            (vec![("a", GNUSparse, b"")], ["\"a\"", "a sparse file"]),
            (
                vec![("d", Symlink, b"/etc"), ("d/passwd", Regular, b"x")],
                ["\"d/passwd\"", "through a symbolic link"],
            ),
            (
                vec![("d", Symlink, b"/etc"), ("d", Directory, b"")],
                ["\"d\"", "through a symbolic link"],
            ),
            (
                vec![("d", Symlink, b"/etc"), ("d", Regular, b"x")],
                ["\"d\"", "twice"],
            ),
            (
                vec![("a", Regular, b"1"), ("./a", Regular, b"2")],
                ["\"./a\"", "twice"],
            ),
            (
                vec![("a", Regular, b"1"), ("a/b", Regular, b"2")],
                ["\"a/b\"", "below a file"],
            ),
            (
                vec![
                    ("p", EntryType::XHeader, b"12 size=99\n"),
                    ("a", Regular, b"1"),
                ],
                ["\"p\"", "size="],
            ),
            (vec![], ["holds nothing", "no tar archive"]),
        ] {
            for bytes in [tar(&members), gzip(&tar(&members))] {
                let error = root(&bytes).map(drop).expect_err(words[0]).to_string();
                for word in words.iter().chain(&[NAME]) {
                    assert!(error.contains(word), "{word} is not in: {error}");
                }
            }
        }
        assert!(root(&tar(&[(&long, Regular, b"x")])).is_ok());
        assert!(place(Path::new(&"d/".repeat(MAX_DEPTH))).is_ok());
        assert!(place(Path::new(&"d/".repeat(MAX_DEPTH + 1))).is_err());
    }

    #[test]
    fn gigabytes_of_zeros_are_refused() {
        // Nothing of the content need be there.
        let mut bytes = header(b"zeros", EntryType::Regular, 8 << 30)
            .as_bytes()
            .to_vec();
        let error = root(&gzip(&bytes)).map(drop).expect_err("too large");
        assert!(
            error.to_string().contains("\"zeros\" has 8589934592 bytes"),
            "{error}"
        );
        let mut long = header(b"L", EntryType::GNULongName, MAX_NAME + 1);
        long.set_cksum();
        assert!(root(long.as_bytes()).is_err());

        bytes = gzip(header(b"a", EntryType::Regular, 3 << 20).as_bytes());
        let mebibyte = gzip(&vec![0; 1 << 20]);
        for _ in 0..3 {
            bytes.extend(&mebibyte);
        }
        bytes.extend(gzip(&[0; 1024]));
        assert!(root(&bytes).is_ok(), "several gzip streams are one");
        let error = check(Path::new(NAME), &bytes, 2 << 20).expect_err("limit");
        assert!(error.to_string().contains("more than 2 MiB"), "{error}");
    }

    #[test]
    fn directories_that_are_only_implied_are_counted() {
        let names: Vec<String> = (0..10)
            .map(|i| format!("{i}/{}x", "d/".repeat(40)))
            .collect();
        let members: Vec<(&str, EntryType, &[u8])> = names
            .iter()
            .map(|name| (name.as_str(), EntryType::Regular, &b""[..]))
            .collect();
        let bytes = gzip(&tar(&members));
        // Each member brings a directory of its own and 40 below it. Every node has its path and its name.
        let nodes = 10 * 42;
        let member = 2 + 2 * 40 + 2;
        let paths = (10 * (2 + 1 + (1..=40).map(|depth| 2 + 2 * depth + 1).sum::<u64>()))
            + 10 * (member + 1);
        let within = |nodes, path_bytes| {
            unpack_within(Path::new(NAME), &bytes, Limits { nodes, path_bytes }).map(drop)
        };
        assert!(within(nodes, paths).is_ok());
        for (nodes, paths) in [(nodes - 1, paths), (nodes, paths - 1)] {
            let error = within(nodes, paths).expect_err("too much").to_string();
            assert!(
                error.contains("9/d/d") && error.contains("one too many"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_cut_off_or_followed_by_something_is_refused() {
        let packed = gzip(&machine());
        for length in 0..packed.len() {
            assert!(
                root(&packed[..length]).is_err(),
                "{length} of {} bytes",
                packed.len()
            );
        }
        let plain = machine();
        for length in (0..plain.len() - 1024).step_by(512) {
            assert!(
                root(&plain[..length]).is_err(),
                "{length} of {} bytes",
                plain.len()
            );
        }
        assert!(root(&[&packed[..], b"garbage"].concat()).is_err());
        assert!(root(&[&plain[..], b"garbage"].concat()).is_err());
        assert!(root(&[&packed[..], &packed[..]].concat()).is_err());
        let error = root(b"BZh91AY").map(drop).expect_err("bzip2");
        assert!(error.in_one_line().contains("bzip2") && error.in_one_line().contains("--from"));
    }

    #[test]
    fn packs_what_it_unpacks() {
        let file = |content: Option<&[u8]>| Entry::File {
            content: content.map(<[u8]>::to_vec),
            mode: 0o640,
        };
        let long = format!("/sys/{}x", "directory-of-a-device/".repeat(20));
        let target = "../".repeat(60) + "x";
        let entries = BTreeMap::from([
            ("/".into(), Entry::Dir { mode: 0o755 }),
            ("/proc".into(), Entry::Dir { mode: 0o555 }),
            ("/proc/a".into(), file(Some(b"\xff\0"))),
            ("/proc/b".into(), file(None)),
            (
                "/proc/l".into(),
                Entry::Link {
                    target: "/dev/null".into(),
                },
            ),
            (
                "/proc/m".into(),
                Entry::Link {
                    target: target.clone(),
                },
            ),
            (PathBuf::from(&long), file(Some(b"deep"))),
        ]);
        let bytes = pack("top", ("manifest", b"{}"), &entries, 1).expect("pack");
        let root = root(&bytes)
            .expect("unpack")
            .below(Path::new("/top"))
            .expect("top");
        assert_eq!(root.read("/manifest").expect("first"), b"{}");
        assert_eq!(root.read("/proc/a").expect("bytes"), b"\xff\0");
        assert_eq!(root.read("/proc/b").expect("empty"), b"");
        assert_eq!(root.read(&long).expect("long name"), b"deep");
        assert_eq!(root.mode("/proc/a"), Some(0o640));
        assert_eq!(root.link_target("/proc/l").as_deref(), Some("/dev/null"));
        assert_eq!(root.link_target("/proc/m"), Some(target));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = root(&bytes);
            let _ = root(&gzip(&bytes));
        }

        /// Damage that the checksums do not tell, since they are made anew.
        #[test]
        fn no_header_makes_it_panic(changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..12)) {
            let mut bytes = machine();
            for (at, byte) in changes {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            let _ = root(&bytes);
            for block in bytes.chunks_exact_mut(512) {
                let sum: u32 = block.iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { 32 } else { u32::from(*b) }).sum();
                block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
            if let Ok(root) = root(&bytes) {
                let _ = (root.read("/proc/cmdline"), root.list("/sys/class/net/eth0"), root.read("/etc/out"));
            }
        }
    }
}
