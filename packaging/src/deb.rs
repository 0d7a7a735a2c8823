//! The deb: an ar of a version, a tar of what dpkg is told, and a tar of the files (deb(5)).

use crate::list::{Entry, Format, What};
use crate::scripts::{has_units, scripts};
use crate::sources::{DESCRIPTION, MAINTAINER, NAME, SUMMARY, Sources};
use anyhow::Result;
use liblzma::write::XzEncoder;
use md5::{Digest as _, Md5};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use tar::{EntryType, Header};

/// xz's own default. What higher ones win of a package this small is nothing, and they cost memory on the host.
const XZ_PRESET: u32 = 6;

/// The name of the file.
pub fn name(sources: &Sources) -> String {
    format!("{NAME}_{}_amd64.deb", sources.version)
}

/// The bytes of the package.
pub fn package(sources: &Sources, list: &[Entry]) -> Result<Vec<u8>> {
    let time = u64::from(sources.time);
    let list: Vec<&Entry> = list.iter().filter(|e| e.is_in(Format::Deb)).collect();
    let members: [(&[u8], Vec<u8>); 3] = [
        (b"debian-binary", b"2.0\n".to_vec()),
        (b"control.tar.xz", control(sources, &list, time)?),
        (b"data.tar.xz", data(&list, time)?),
    ];
    let mut archive = ar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = ar::Header::new(name.to_vec(), bytes.len() as u64);
        header.set_mode(0o100_644);
        header.set_mtime(time);
        archive.append(&header, bytes.as_slice())?;
    }
    Ok(archive.into_inner()?)
}

/// What dpkg is told.
fn control(sources: &Sources, list: &[&Entry], time: u64) -> Result<Vec<u8>> {
    let scripts = scripts(sources)?;
    let mut tar = Tar::new(time);
    tar.folder("./", 0o755)?;
    tar.file("./control", 0o644, fields(sources, list).as_bytes())?;
    tar.file("./md5sums", 0o644, sums(list).as_bytes())?;
    if has_units(list) {
        tar.file("./postinst", 0o755, scripts.after_installation.as_bytes())?;
    }
    tar.file("./postrm", 0o755, scripts.after_removal.as_bytes())?;
    tar.file("./prerm", 0o755, scripts.before_removal.as_bytes())?;
    tar.finish()
}

/// The control file (deb-control(5)). It depends on nothing: the binary is static, and the scripts need what every Debian has.
fn fields(sources: &Sources, list: &[&Entry]) -> String {
    // In KiB, each file rounded up and each folder as one (deb-substvars(5)).
    let size: usize = list
        .iter()
        .map(|entry| entry.bytes().map_or(1, |bytes| bytes.len().div_ceil(1024)))
        .sum();
    let mut text = format!(
        "Package: {NAME}\nVersion: {}\nArchitecture: amd64\nMaintainer: {MAINTAINER}\nInstalled-Size: {size}\nSection: admin\n\
         Priority: optional\nDescription: {SUMMARY}\n",
        sources.version
    );
    for line in DESCRIPTION {
        let _ = writeln!(text, " {line}");
    }
    text
}

/// What `dpkg --verify` compares with.
fn sums(list: &[&Entry]) -> String {
    let mut text = String::new();
    for entry in list {
        if let Some(bytes) = entry.bytes() {
            for byte in Md5::digest(bytes) {
                let _ = write!(text, "{byte:02x}");
            }
            let _ = writeln!(text, "  {}", entry.path.trim_start_matches('/'));
        }
    }
    text
}

/// The files, with every folder above them: dpkg makes none that is not in it.
fn data(list: &[&Entry], time: u64) -> Result<Vec<u8>> {
    let mut tar = Tar::new(time);
    tar.folder("./", 0o755)?;
    let mut folders: BTreeSet<&Path> = BTreeSet::new();
    for entry in list {
        let mut above: Vec<&Path> = Path::new(&entry.path).ancestors().skip(1).collect();
        above.reverse();
        for folder in above {
            if folder != Path::new("/") && folders.insert(folder) {
                tar.folder(&format!(".{}/", folder.display()), 0o755)?;
            }
        }
        match (&entry.what, entry.bytes()) {
            (What::Folder, _) => {
                if folders.insert(Path::new(&entry.path)) {
                    tar.folder(&format!(".{}/", entry.path), entry.mode)?;
                }
            }
            (_, bytes) => {
                let bytes = bytes.expect("all but folders have bytes");
                tar.file(&format!(".{}", entry.path), entry.mode, bytes)?;
            }
        }
    }
    tar.finish()
}

/// A compressed tar in which everything is of root and of the same time.
struct Tar {
    builder: tar::Builder<XzEncoder<Vec<u8>>>,
    time: u64,
}

impl Tar {
    fn new(time: u64) -> Self {
        let xz = XzEncoder::new(Vec::new(), XZ_PRESET);
        Self {
            builder: tar::Builder::new(xz),
            time,
        }
    }

    fn folder(&mut self, path: &str, mode: u32) -> Result<()> {
        self.append(EntryType::Directory, path, mode, &[])
    }

    fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        self.append(EntryType::Regular, path, mode, bytes)
    }

    fn append(&mut self, kind: EntryType, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_username("root")?;
        header.set_groupname("root")?;
        header.set_mtime(self.time);
        header.set_size(bytes.len() as u64);
        // set_path() would drop the "./" that dpkg's own packages have.
        let name = &mut header.as_old_mut().name;
        anyhow::ensure!(path.len() < name.len(), "{path} is too long for a header");
        name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        self.builder.append(&header, bytes)?;
        Ok(())
    }

    fn finish(self) -> Result<Vec<u8>> {
        let mut xz = self.builder.into_inner()?;
        xz.flush()?;
        Ok(xz.finish()?)
    }
}
