//! The one list of what both packages hold.

use crate::sources::{MAINTAINER, NAME, Sources, files, read};
use crate::{completions, manual};
use anyhow::{Result, ensure};
use clap::ValueEnum;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

/// Folders that the package owns, with those below them. Those of shells are there where a shell is not installed, too;
/// whoever installs it shares them.
const OWN_FOLDERS: [&str; 6] = [
    "/usr/share/bash-completion",
    "/usr/share/doc/hftune",
    "/usr/share/fish",
    "/usr/share/hftune",
    "/usr/share/lintian",
    "/usr/share/zsh",
];

/// A kind of package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Debian, Ubuntu.
    Deb,
    /// RHEL, Rocky, AlmaLinux, Fedora.
    Rpm,
}

/// Something in a package. All of it belongs to root.
#[derive(Debug)]
pub struct Entry {
    /// Where it goes.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// What it is.
    pub what: What,
    /// The one package that holds it: distributions keep some things in different places, and Debian asks for some that
    /// nobody else does. Everything else is in both.
    pub only: Option<Format>,
}

/// What an entry is.
#[derive(Debug)]
pub enum What {
    /// A folder.
    Folder,
    /// A file.
    File(Vec<u8>),
    /// A file to be read by people, which hosts may leave out.
    Doc(Vec<u8>),
    /// The text of a licence.
    Licence(Vec<u8>),
}

impl Entry {
    /// Whether a package of this kind holds it.
    pub fn is_in(&self, format: Format) -> bool {
        self.only.is_none_or(|only| only == format)
    }

    /// The bytes of a file; `None` of a folder.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.what {
            What::Folder => None,
            What::File(bytes) | What::Doc(bytes) | What::Licence(bytes) => Some(bytes),
        }
    }
}

/// Everything, sorted by path, so that each folder stands before what is in it.
pub fn list(sources: &Sources) -> Result<Vec<Entry>> {
    let mut list = List(Vec::new());
    list.add("/usr/bin/hftune", 0o755, What::File(read(&sources.binary)?));
    for (name, page) in manual::pages(sources)? {
        let path = format!("/usr/share/man/man8/{name}.gz");
        list.add(&path, 0o644, What::Doc(gzip(&page)?));
    }
    completions(&mut list);
    let share = "/usr/share/hftune";
    list.copies(sources, "profiles", ".toml", &format!("{share}/profiles"))?;
    list.copies(sources, "docs/schema", ".json", &format!("{share}/schema"))?;
    scripts(&mut list, sources)?;
    units(&mut list, sources)?;
    documents(&mut list, sources)?;
    for_debian(&mut list, sources)?;
    list.with_own_folders()
}

/// In the folders where the shells of the distributions look; zsh looks in different ones.
fn completions(list: &mut List) {
    use clap_complete::Shell;
    let file = |shell| What::File(completions::of(shell));
    let share = "/usr/share";
    let path = format!("{share}/bash-completion/completions/hftune");
    list.add(&path, 0o644, file(Shell::Bash));
    let path = format!("{share}/fish/vendor_completions.d/hftune.fish");
    list.add(&path, 0o644, file(Shell::Fish));
    let path = format!("{share}/zsh/vendor-completions/_hftune");
    list.only(Format::Deb, &path, file(Shell::Zsh));
    let path = format!("{share}/zsh/site-functions/_hftune");
    list.only(Format::Rpm, &path, file(Shell::Zsh));
}

/// The old names of commands: in a folder of their own, since words like `install-vma.sh` in everybody's path would not say
/// whose they are. They find hftune by the path.
fn scripts(list: &mut List, sources: &Sources) -> Result<()> {
    for name in sources.files("scripts", ".sh")? {
        let bytes = sources.read(&format!("scripts/{name}"))?;
        let path = format!("/usr/share/hftune/scripts/{name}");
        list.add(&path, 0o755, What::File(bytes));
    }
    Ok(())
}

/// Units of the package. Nothing enables them. Their names begin so that the scripts of the package know them.
fn units(list: &mut List, sources: &Sources) -> Result<()> {
    for ending in [".service", ".timer"] {
        for name in sources.files("packaging/systemd", ending)? {
            ensure!(
                name.starts_with("hftune-"),
                "packaging/systemd/{name}: the name of a unit of the package begins with hftune-, by which \
                 packaging/scripts disable it before the package goes"
            );
            let bytes = sources.read(&format!("packaging/systemd/{name}"))?;
            let path = format!("/usr/lib/systemd/system/{name}");
            list.add(&path, 0o644, What::File(bytes));
        }
    }
    Ok(())
}

/// As in the checkout, so that links from one to another lead somewhere.
fn documents(list: &mut List, sources: &Sources) -> Result<()> {
    let doc = "/usr/share/doc/hftune";
    for name in ["README.md", "CHANGELOG.md"] {
        list.add(
            &format!("{doc}/{name}"),
            0o644,
            What::Doc(sources.read(name)?),
        );
    }
    for name in ["LICENSE-APACHE", "LICENSE-MIT"] {
        list.add(
            &format!("{doc}/{name}"),
            0o644,
            What::Licence(sources.read(name)?),
        );
    }
    let notices = files(&sources.notices, "")?;
    ensure!(
        !notices.is_empty(),
        "{} holds no terms of what others wrote",
        sources.notices.display()
    );
    for name in notices {
        let bytes = read(&sources.notices.join(&name))?;
        let path = format!("{doc}/third-party/{name}");
        list.add(&path, 0o644, What::Licence(bytes));
    }
    for (folder, ending) in [("docs", ".md"), ("docs/pictures", ".svg")] {
        let names = sources.files(folder, ending)?;
        ensure!(!names.is_empty(), "{folder} holds no {ending}");
        for name in names {
            let bytes = sources.read(&format!("{folder}/{name}"))?;
            list.add(&format!("{doc}/{folder}/{name}"), 0o644, What::Doc(bytes));
        }
    }
    Ok(())
}

/// What Debian's policy asks for (12.5, 12.7), and the findings of lintian that are meant, each with its reason.
fn for_debian(list: &mut List, sources: &Sources) -> Result<()> {
    let doc = "/usr/share/doc/hftune";
    let copyright = sources.read("packaging/debian/copyright")?;
    list.only(
        Format::Deb,
        &format!("{doc}/copyright"),
        What::Doc(copyright),
    );
    let changelog = format!(
        "{NAME} ({}) stable; urgency=medium\n\n  * What changed is in CHANGELOG.md beside this file.\n\n -- {MAINTAINER}  {}\n",
        sources.version,
        sources.date("%a, %d %b %Y %H:%M:%S +0000")?,
    );
    let changelog = What::Doc(gzip(changelog.as_bytes())?);
    list.only(Format::Deb, &format!("{doc}/changelog.gz"), changelog);
    let overrides = What::File(sources.read("packaging/debian/lintian-overrides")?);
    list.only(
        Format::Deb,
        "/usr/share/lintian/overrides/hftune",
        overrides,
    );
    Ok(())
}

struct List(Vec<Entry>);

impl List {
    fn add(&mut self, path: &str, mode: u32, what: What) {
        self.0.push(Entry {
            path: path.to_owned(),
            mode,
            what,
            only: None,
        });
    }

    fn only(&mut self, format: Format, path: &str, what: What) {
        self.add(path, 0o644, what);
        self.0.last_mut().expect("just added").only = Some(format);
    }

    /// The files of a folder of the checkout. A folder that is there and holds none was forgotten here when they moved.
    fn copies(&mut self, sources: &Sources, from: &str, ending: &str, to: &str) -> Result<()> {
        let names = sources.files(from, ending)?;
        ensure!(
            !names.is_empty() || !sources.checkout.join(from).exists(),
            "{from} holds no {ending}: tell packaging/src/list.rs where they are"
        );
        for name in names {
            let bytes = sources.read(&format!("{from}/{name}"))?;
            self.add(&format!("{to}/{name}"), 0o644, What::File(bytes));
        }
        Ok(())
    }

    fn with_own_folders(mut self) -> Result<Vec<Entry>> {
        let mut folders = BTreeMap::new();
        for entry in &self.0 {
            for folder in Path::new(&entry.path).ancestors().skip(1) {
                if OWN_FOLDERS.iter().any(|own| folder.starts_with(own)) {
                    let only = folders
                        .entry(folder.to_string_lossy().into_owned())
                        .or_insert(entry.only);
                    // Something else is in it in the other package.
                    if *only != entry.only {
                        *only = None;
                    }
                }
            }
        }
        self.0.extend(folders.into_iter().map(|(path, only)| Entry {
            path,
            mode: 0o755,
            what: What::Folder,
            only,
        }));
        self.0.sort_by(|a, b| a.path.cmp(&b.path));
        for pair in self.0.windows(2) {
            ensure!(
                pair[0].path != pair[1].path,
                "{} is listed twice",
                pair[0].path
            );
        }
        Ok(self.0)
    }
}

/// Compressed as well as can be, without a time or a name in it.
fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}
