//! What a capture says besides its files: which answers it holds, and which the machine refused.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Error as IoError;
use std::path::{Path, PathBuf};

use crate::Root;
use crate::resolve::Resolver;

/// A question that nobody asked when the capture was made. It is no answer to say that the file is missing.
const NOT_ASKED: &str = "the capture does not hold it";

/// The manifest of a capture, by paths without links in them.
#[derive(Debug, Default)]
pub struct Manifest {
    /// Whether it was taken of a running machine, and not of a directory tree.
    pub running: bool,
    /// Files of which only the name was read.
    pub names_only: HashSet<PathBuf>,
    /// Directories whose names are all there.
    pub listed: HashSet<PathBuf>,
    /// What does not exist on the machine.
    pub absent: HashSet<PathBuf>,
    /// What the machine refused, with the errno.
    pub refused: HashMap<PathBuf, i32>,
    /// What the system told besides files.
    pub answers: BTreeMap<String, String>,
}

/// Where a root comes from that stands for another machine.
#[derive(Debug)]
pub(crate) struct Replay {
    /// `None` for a tree that another tool recorded.
    manifest: Option<Manifest>,
    resolver: Resolver,
}

impl Replay {
    pub(crate) fn new(manifest: Option<Manifest>) -> Self {
        Self {
            manifest,
            resolver: Resolver::default(),
        }
    }

    pub(crate) fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// The answer of the machine to reading a file, from what the tree has in its place.
    pub(crate) fn read(
        &self,
        root: &Root,
        path: &Path,
        found: Result<Vec<u8>, IoError>,
    ) -> Result<Vec<u8>, IoError> {
        let Some(manifest) = &self.manifest else {
            return found;
        };
        match found {
            // What could not be read, or was not, is an empty file in the tree.
            Ok(bytes) if bytes.is_empty() => {
                let path = self.resolver.resolve(root, path, true);
                manifest.refusal(&path)?;
                if manifest.names_only.contains(&path) {
                    return Err(IoError::other(NOT_ASKED));
                }
                Ok(bytes)
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                manifest.missing(root, &self.resolver.resolve(root, path, true))?;
                Err(e)
            }
            found => found,
        }
    }

    /// The answer of the machine to listing a directory.
    pub(crate) fn list(
        &self,
        root: &Root,
        path: &Path,
        found: Result<Vec<String>, IoError>,
    ) -> Result<Vec<String>, IoError> {
        let Some(manifest) = &self.manifest else {
            return found;
        };
        let real = self.resolver.resolve(root, path, true);
        manifest.refusal(&real)?;
        match &found {
            Ok(_) if !manifest.listed.contains(&real) => Err(IoError::other(NOT_ASKED)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                manifest.missing(root, &real)?;
                found
            }
            _ => found,
        }
    }
}

impl Manifest {
    fn refusal(&self, path: &Path) -> Result<(), IoError> {
        match self.refused.get(path) {
            Some(errno) => Err(IoError::from_raw_os_error(*errno)),
            None => Ok(()),
        }
    }

    /// Whether it is known that the machine does not have what the tree does not have.
    fn missing(&self, root: &Root, path: &Path) -> Result<(), IoError> {
        self.refusal(path)?;
        // Of a directory that was listed every name is there: one that is not in the tree does not exist.
        let known = self.absent.contains(path)
            || path
                .ancestors()
                .skip(1)
                .find(|above| self.absent.contains(*above) || root.stat(above).is_some())
                .is_some_and(|above| self.absent.contains(above) || self.listed.contains(above));
        if known {
            Ok(())
        } else {
            Err(IoError::other(NOT_ASKED))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::symlink;

    use hftune_model::Kind;

    use super::*;
    use crate::archive::pack;
    use crate::record::{Entry, Recording};
    use crate::write::Metadata;

    /// What was recorded, as another machine sees it.
    fn replayed(recording: Recording) -> Root {
        let names_only = recording
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry, Entry::File { content: None, .. }));
        let manifest = Manifest {
            running: false,
            names_only: names_only.map(|(path, _)| path.clone()).collect(),
            listed: recording.listed.into_iter().collect(),
            absent: recording.absent.into_iter().collect(),
            refused: recording.refused.into_iter().collect(),
            answers: recording.answers,
        };
        let bytes = pack("t", ("m", b""), &recording.entries, 0).expect("pack");
        Root::archive(Path::new("a.tgz"), &bytes)
            .and_then(|root| root.below(Path::new("/t")))
            .expect("archive")
            .captured(Some(manifest))
    }

    fn tree() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().expect("temporary directory");
        let root = Root::tree(dir.path()).expect("root");
        let mine = Metadata {
            mode: 0o644,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            xattrs: Vec::new(),
        };
        for (path, text) in [
            ("/sys/devices/eth0/speed", "10\n"),
            ("/sys/devices/eth0/secret", "unasked"),
            ("/sys/devices/eth0/empty", ""),
            ("/proc/self.txt", "x"),
        ] {
            let path = Path::new(path);
            root.make_dirs(path.parent().expect("directory"), 0o755)
                .expect("directories");
            root.write_atomic(path, text.as_bytes(), &mine)
                .expect("file");
        }
        root.make_dirs("/sys/class/net", 0o755).expect("directory");
        for (link, target) in [
            ("sys/class/net/eth0", "../../devices/eth0"),
            ("sys/circle", "circle"),
            ("sys/out", "../../../../etc/passwd"),
        ] {
            symlink(target, dir.path().join(link)).expect("link");
        }
        (dir, root.recording())
    }

    #[test]
    fn a_capture_answers_as_the_machine_did() {
        let (_dir, root) = tree();
        let ask = |root: &Root| {
            let text = |path: &str| root.read_text(path).map_err(|e| (e.kind, e.what));
            (
                [
                    "/sys/class/net/eth0/speed",
                    "/sys/class/net/eth0/empty",
                    "/sys/class/net/eth0/missing",
                    "/sys/circle",
                    "/sys/out",
                    "/sys/devices",
                    "/proc/self.txt/x",
                    "/nowhere/x",
                ]
                .map(text),
                [
                    "/sys/class/net",
                    "/sys/class/net/eth0",
                    "/nowhere",
                    "/proc/self.txt",
                ]
                .map(|path| root.list(path).map_err(|e| (e.kind, e.what))),
                ["/sys/class/net/eth0", "/sys/out", "/proc"].map(|path| root.link_target(path)),
                ["/sys/class/net/eth0/speed", "/sys/x", "/sys"].map(|path| root.exists(path)),
                ["/sys/class/net/eth0", "/sys/x", "/proc/self.txt", "/"]
                    .map(|path| root.is_dir(path)),
                root.mode("/sys/devices/eth0/speed"),
            )
        };
        let before = ask(&root);
        let recording = root.take_recording();
        let holds_unasked = |entry: &Entry| matches!(entry, Entry::File { content: Some(content), .. } if content == b"unasked");
        assert!(!recording.entries.values().any(holds_unasked));
        assert_eq!(ask(&replayed(recording)), before);
    }

    #[test]
    fn what_was_not_asked_is_not_said_to_be_missing() {
        let (_dir, root) = tree();
        root.read("/sys/class/net/eth0/speed").expect("read");
        root.list("/proc").expect("list");
        assert!(!root.exists("/boot"));
        let capture = replayed(root.take_recording());
        let kind = |path: &str| capture.read(path).expect_err(path).kind;
        assert_eq!(kind("/sys/devices/eth0/empty"), Kind::Io, "nobody asked");
        assert_eq!(kind("/proc/self.txt"), Kind::Io, "only its name was read");
        assert_eq!(kind("/proc/other"), Kind::Missing, "all names are known");
        assert_eq!(
            kind("/boot/grub/grub.cfg"),
            Kind::Missing,
            "nothing is there"
        );
        assert!(
            capture.list("/sys/devices/eth0").is_err(),
            "nobody listed it"
        );
        assert!(capture.list("/etc").is_err(), "nobody asked");
        assert_eq!(capture.list("/boot").expect("nothing"), [""; 0]);
    }

    #[test]
    fn a_refusal_is_repeated() {
        let manifest = Manifest {
            refused: HashMap::from([
                ("/proc/secret".into(), 13),
                ("/proc/broken".into(), 5),
                ("/var/lib".into(), 13),
            ]),
            answers: BTreeMap::from([("affinity".to_owned(), "0-3".to_owned())]),
            running: true,
            ..Manifest::default()
        };
        let bytes = pack(
            "t",
            ("m", b""),
            &BTreeMap::from([(
                "/proc/secret".into(),
                Entry::File {
                    content: None,
                    mode: 0o400,
                },
            )]),
            0,
        )
        .expect("pack");
        let root = Root::archive(Path::new("a.tgz"), &bytes)
            .and_then(|root| root.below(Path::new("/t")))
            .expect("archive")
            .captured(Some(manifest));
        let error = root.read("/proc/secret").expect_err("refused");
        assert_eq!(error.kind, Kind::NeedsRoot);
        assert!(
            error
                .to_string()
                .starts_with("/proc/secret: cannot read it: Permission denied")
        );
        assert_eq!(
            root.read("/proc/broken").expect_err("refused").kind,
            Kind::Io
        );
        assert_eq!(
            root.list("/var/lib").expect_err("refused").kind,
            Kind::NeedsRoot
        );
        assert!(root.is_running() && !root.is_live());
        let asked = root.answer("affinity", || {
            panic!("the captured machine is not this one")
        });
        assert_eq!(asked, Some(Ok("0-3".to_owned())));
    }
}
