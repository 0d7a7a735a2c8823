//! Captures: what the tool reads on one machine, in a file, so that another machine can plan and verify from it.
//!
//! A capture holds the answers to everything that `host`, `plan`, `verify` and `nic` ask, the refusals too, and nothing
//! else. What is left out or blanked is in `docs/capture.md`, in [`secrets`] and in [`redact`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hftune_model::{Error, Result};
use hftune_sys::record::{Entry, Recording};
use hftune_sys::replay::Manifest;
use hftune_sys::{FileType, Reader, Root, archive, time};
use serde::{Deserialize, Serialize};

use crate::in_force::Choices;
use crate::machine::{Asked, Machine, resolve};
use crate::{host, journal, profile, redact, secrets};

/// The directory in the archive that stands for `/`.
const TOP: &str = "hftune-capture";

/// The file in it that says what the tree cannot: what was refused, and what was not asked.
const MANIFEST: &str = "hftune-capture.json";

const SCHEMA: &str = "hftune/capture/1";

/// Directories by which the top of a machine's tree is known.
const TOP_NAMES: [&str; 4] = ["proc", "sys", "etc", "boot"];

/// A capture, ready to be written.
#[derive(Debug)]
pub struct Capture {
    /// The archive, a gzip'd tar.
    pub archive: Vec<u8>,
    /// Files whose content is in it.
    pub files: usize,
    /// What was blanked: the file, and the name of the value.
    pub blanked: Vec<Blanked>,
    /// What could not be read, and why.
    pub unread: Vec<Refused>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// A value that was blanked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blanked {
    /// The file.
    pub path: PathBuf,
    /// The name of the value.
    pub name: String,
}

/// A file or directory that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Its path.
    pub path: PathBuf,
    /// The number of the error on Linux.
    pub errno: i32,
    /// Its text, for people.
    pub why: String,
}

impl Refused {
    /// Whether root could have read it (EPERM, EACCES).
    pub fn only_root(&self) -> bool {
        let error = std::io::Error::from_raw_os_error(self.errno);
        error.kind() == std::io::ErrorKind::PermissionDenied
    }
}

/// The manifest as it is written.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    schema: String,
    /// The version of hftune that made it.
    hftune: String,
    /// When, in UTC.
    time: String,
    /// Whether the machine was running, and is not a directory tree.
    running: bool,
    answers: BTreeMap<String, String>,
    blanked: Vec<Blanked>,
    refused: Vec<Refused>,
    names_only: Vec<PathBuf>,
    listed: Vec<PathBuf>,
    absent: Vec<PathBuf>,
}

/// Reads everything that `host`, `plan` and `verify` read below `root`, and packs it.
pub fn capture(root: Root) -> Result<Capture> {
    let running = root.is_running();
    let root = root.recording();
    let warnings = ask_everything(&root);
    let Recording {
        mut entries,
        listed,
        absent,
        refused,
        answers,
    } = root.take_recording();
    let mut blanked = Vec::new();
    let mut names_only = Vec::new();
    let mut files = 0;
    for (path, entry) in &mut entries {
        let Entry::File { content, .. } = entry else {
            continue;
        };
        let Some(content) = content else {
            names_only.push(path.clone());
            continue;
        };
        files += 1;
        if path.starts_with(journal::TRANSACTIONS) {
            *content = redact::journal(content);
            continue;
        }
        let (kept, names) = secrets::blank(path, content);
        *content = kept;
        blanked.extend(names.into_iter().map(|name| Blanked {
            path: path.clone(),
            name,
        }));
    }
    let unread: Vec<Refused> = refused
        .into_iter()
        .map(|(path, errno)| Refused {
            path,
            errno,
            why: std::io::Error::from_raw_os_error(errno).to_string(),
        })
        .collect();
    let manifest = Written {
        schema: SCHEMA.to_owned(),
        hftune: env!("CARGO_PKG_VERSION").to_owned(),
        time: time::now(),
        running,
        answers,
        blanked: blanked.clone(),
        refused: unread.clone(),
        names_only,
        listed: listed.into_iter().collect(),
        absent: absent.into_iter().collect(),
    };
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|e| Error::invalid(format!("the list of what was read cannot be written: {e}")))?;
    let seconds = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
    Ok(Capture {
        archive: archive::pack(TOP, (MANIFEST, &text), &entries, seconds)?,
        files,
        blanked,
        unread,
        warnings,
    })
}

/// Asks what the commands ask: for the profile in force, for the built-in one, and with as few CPUs for the OS as can be,
/// so that a plan from the capture may choose otherwise.
fn ask_everything(root: &Root) -> Vec<String> {
    let mut warnings = Vec::new();
    let transactions = journal::read_all_permitted(root).unwrap_or_else(|e| {
        warnings.push(format!("without what earlier setups did: {e}"));
        Vec::new()
    });
    let ask = |machine: Machine<'_>| {
        machine.plan(&transactions)?;
        machine.verify()
    };
    if let Err(e) = Machine::read(root, Choices::default()).and_then(ask) {
        warnings.push(format!("without the profile of the machine: {e}"));
    }
    let host = host::read(&Reader::new(root));
    host::ports(root, &host.nics);
    let first = host.cpus.cores.into_iter().next();
    let built_in = profile::built_in("hft").map(|resolved| Asked {
        choices: Choices::default(),
        resolved,
        warnings: Vec::new(),
    });
    let smallest = first.and_then(|core| {
        let choices = Choices {
            housekeeping: Some(core.cpus),
            ..Choices::default()
        };
        resolve(root, choices).ok()
    });
    for asked in [built_in, smallest].into_iter().flatten() {
        // What these cannot prove, the first one could not either.
        let _ = ask(Machine::with_profile(root, asked));
    }
    warnings
}

/// A captured machine: an archive or a directory tree, made by hftune or by another recorder.
pub fn open(from: &Path) -> Result<Root> {
    let path = std::path::absolute(from).map_err(|e| Error::io("find it", from, &e))?;
    let here = Root::live();
    let root = if here.is_dir(&path) {
        Root::tree(&path)?
    } else {
        Root::archive(from, &here.read(&path).map_err(|e| e.at(from))?)?
    };
    let root = match only_directory(&root)? {
        Some(dir) => root.below(&dir)?,
        None => root,
    };
    let manifest = manifest(&root, from)?;
    Ok(root.captured(manifest))
}

/// The one directory of a tree, where it is not itself the top of a machine's tree.
fn only_directory(root: &Root) -> Result<Option<PathBuf>> {
    let names = root.list("/")?;
    let [only] = names.as_slice() else {
        return Ok(None);
    };
    let path = Path::new("/").join(only);
    let is_top = TOP_NAMES.contains(&only.as_str()) || only == MANIFEST;
    // A link may lead anywhere, by names too that no text holds.
    let is_directory = root.file_type(&path) == Some(FileType::Directory);
    Ok((!is_top && is_directory).then_some(path))
}

/// The manifest in a tree; `None` where another recorder made it.
fn manifest(root: &Root, from: &Path) -> Result<Option<Manifest>> {
    let path = Path::new("/").join(MANIFEST);
    let text = root
        .read_text_if_present(&path)
        .map_err(|e| e.at(from.join(MANIFEST)))?;
    let Some(text) = text else {
        let names = root.list("/")?;
        if names.iter().any(|name| TOP_NAMES.contains(&name.as_str())) {
            return Ok(None);
        }
        return Err(Error::invalid(format!(
            "it is no captured machine: it has none of {}",
            TOP_NAMES.join(", ")
        ))
        .at(from)
        .hint("a capture is made by hftune host --capture FILE.tgz"));
    };
    let damaged = |why: String| Error::invalid(why).at(from.join(MANIFEST));
    let written: Written = serde_json::from_str(&text)
        .map_err(|e| damaged(format!("it cannot be understood: {e}")))?;
    if written.schema != SCHEMA {
        return Err(damaged(format!(
            "it is of {:?}, expected {SCHEMA:?}",
            written.schema
        ))
        .hint("another version of hftune made it; use that one"));
    }
    Ok(Some(Manifest {
        running: written.running,
        names_only: written.names_only.into_iter().collect(),
        listed: written.listed.into_iter().collect(),
        absent: written.absent.into_iter().collect(),
        refused: written
            .refused
            .into_iter()
            .map(|refused| (refused.path, refused.errno))
            .collect(),
        answers: written.answers,
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opened(manifest: &[u8]) -> Result<Root> {
        let entries = BTreeMap::from([
            ("/".into(), Entry::Dir { mode: 0o755 }),
            ("/proc".into(), Entry::Dir { mode: 0o755 }),
        ]);
        let bytes = archive::pack(TOP, (MANIFEST, manifest), &entries, 0)?;
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        std::io::Write::write_all(&mut file.as_file(), &bytes).expect("write");
        open(file.path())
    }

    #[test]
    fn a_manifest_of_another_version_is_refused() {
        let good = r#"{"schema":"hftune/capture/1","hftune":"","time":"","running":true,"answers":{},"blanked":[],
            "refused":[{"path":"/proc/x","errno":-7,"why":""}],"names_only":[],"listed":[],"absent":["/proc/y"]}"#;
        let root = opened(good.as_bytes()).expect("good");
        assert!(root.is_running() && root.is_captured());
        assert!(root.read("/proc/x").is_err());
        assert_eq!(
            root.read("/proc/y").expect_err("absent").kind,
            hftune_model::Kind::Missing
        );
        let other = opened(good.replace("capture/1", "capture/2").as_bytes()).map(drop);
        let error = other.expect_err("another version");
        assert!(
            error.to_string().contains("hftune/capture/2") && error.hint.is_some(),
            "{error}"
        );
        assert!(opened(b"{}").is_err() && opened(b"\xff").is_err() && opened(b"").is_err());
    }

    #[test]
    #[allow(
        clippy::disallowed_methods,
        reason = "the test builds a directory that is given to --from"
    )]
    fn a_link_leads_out_of_no_directory() {
        use std::os::unix::ffi::OsStrExt as _;
        let dir = tempfile::tempdir().expect("temporary directory");
        let from = dir.path().join("from");
        let unnamed = std::ffi::OsStr::from_bytes(b"\xff");
        std::fs::create_dir_all(from.join(unnamed)).expect("directory");
        std::fs::create_dir(dir.path().join("proc")).expect("directory");
        let out = Path::new(unnamed).join("../..");
        std::os::unix::fs::symlink(out, from.join("x")).expect("link");
        let error = open(&from).map(drop).expect_err("a link");
        assert!(error.to_string().contains("no captured machine"), "{error}");
        // A directory is taken.
        std::fs::remove_file(from.join("x")).expect("remove");
        std::fs::create_dir_all(from.join("x/proc")).expect("directory");
        assert!(open(&from).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_manifest_makes_it_panic(text in "[\\[\\]{}\":,a-z0-9/-]{0,60}", errno in any::<i32>(), path in "\\PC{0,20}") {
            let _ = opened(text.as_bytes());
            let text = serde_json::json!({
                "schema": SCHEMA, "hftune": "", "time": "", "running": true, "answers": {"affinity": path},
                "blanked": [], "refused": [{"path": path, "errno": errno, "why": ""}], "names_only": ["/proc", path],
                "listed": [path, "/"], "absent": [path],
            });
            let root = opened(text.to_string().as_bytes()).expect("it is of the right form");
            let _ = host::read(&Reader::new(&root));
        }
    }
}
