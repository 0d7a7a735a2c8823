//! A small checkout, and what packages make of it.

use crate::list::{Entry, Format, list};
use crate::sources::Sources;
use crate::{deb, rpm};
use std::fs;
use std::io::Read as _;
use std::path::Path;

struct Checkout(tempfile::TempDir);

impl Checkout {
    fn new() -> Self {
        let checkout = Self(tempfile::tempdir().expect("a folder"));
        for path in [
            "CHANGELOG.md",
            "LICENSE-APACHE",
            "LICENSE-MIT",
            "README.md",
            "binary",
            "docs/pictures/one.svg",
            "docs/settings.md",
            "notices/crates.txt",
            "packaging/debian/copyright",
            "packaging/debian/lintian-overrides",
            "packaging/scripts/after-installation.sh",
            "packaging/scripts/after-removal.sh",
            "packaging/scripts/before-removal.sh",
            "profiles/hft.toml",
            "scripts/verify-hft-setup.sh",
        ] {
            checkout.file(path);
        }
        checkout
    }

    fn file(&self, path: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().expect("below the checkout")).expect("a folder");
        fs::write(&path, "text\n").expect("a file");
    }

    fn sources(&self) -> Sources {
        Sources {
            checkout: self.0.path().to_owned(),
            binary: self.0.path().join("binary"),
            notices: self.0.path().join("notices"),
            version: "1.2.3".to_owned(),
            time: 1_800_000_000,
        }
    }

    fn list(&self) -> Vec<Entry> {
        list(&self.sources()).expect("a list")
    }

    fn refused(&self) -> String {
        list(&self.sources()).expect_err("refused").to_string()
    }

    fn packages(&self, time: u32) -> [Vec<u8>; 2] {
        let sources = Sources {
            time,
            ..self.sources()
        };
        let list = list(&sources).expect("a list");
        [
            deb::package(&sources, &list).expect("a deb"),
            rpm::package(&sources, &list).expect("an rpm"),
        ]
    }
}

/// The names in the tar of what dpkg is told.
fn control_files(deb: &[u8]) -> Vec<String> {
    let mut archive = ar::Archive::new(deb);
    while let Some(member) = archive.next_entry() {
        let mut member = member.expect("a member");
        if member.header().identifier() == b"control.tar.xz" {
            let mut bytes = Vec::new();
            member.read_to_end(&mut bytes).expect("a tar");
            let mut tar = tar::Archive::new(liblzma::read::XzDecoder::new(bytes.as_slice()));
            return tar
                .entries()
                .expect("entries")
                .map(|entry| {
                    entry
                        .expect("an entry")
                        .path()
                        .expect("a path")
                        .display()
                        .to_string()
                })
                .collect();
        }
    }
    panic!("no control.tar.xz")
}

fn has(list: &[Entry], path: &str) -> bool {
    list.iter().any(|entry| entry.path == path)
}

/// The same bytes go in, the same come out; nothing of the machine or of the hour is in them.
#[test]
fn equal_input_makes_equal_bytes() {
    // In two folders: their paths must not matter.
    let (one, other) = (Checkout::new(), Checkout::new());
    let first = one.packages(1_700_000_000);
    assert_eq!(first, other.packages(1_700_000_000));
    let later = one.packages(1_700_000_001);
    assert_ne!(first[0], later[0]);
    assert_ne!(first[1], later[1]);
}

/// dpkg has to tell systemd of units, and of nothing else.
#[test]
fn units_bring_the_script_that_tells_systemd() {
    let checkout = Checkout::new();
    let [deb, _] = checkout.packages(0);
    let without = control_files(&deb);
    assert_eq!(
        without,
        ["./", "./control", "./md5sums", "./postrm", "./prerm"]
    );

    checkout.file("packaging/systemd/hftune-verify.service");
    checkout.file("packaging/systemd/hftune-verify.timer");
    let list = checkout.list();
    assert!(has(&list, "/usr/lib/systemd/system/hftune-verify.timer"));
    assert!(has(&list, "/usr/lib/systemd/system/hftune-verify.service"));
    let [deb, _] = checkout.packages(0);
    assert!(control_files(&deb).contains(&"./postinst".to_owned()));
}

/// The scripts of the packages know units by the beginning of their names.
#[test]
fn a_unit_of_another_name_is_refused() {
    let checkout = Checkout::new();
    checkout.file("packaging/systemd/verify.timer");
    assert!(
        checkout
            .refused()
            .contains("packaging/systemd/verify.timer")
    );
}

/// Schemas are packaged as soon as there are any, and are not forgotten when they move.
#[test]
fn schemas_are_packaged_and_not_forgotten() {
    let checkout = Checkout::new();
    assert!(!has(&checkout.list(), "/usr/share/hftune/schema"));
    checkout.file("docs/schema/verify.json");
    let list = checkout.list();
    assert!(
        has(&list, "/usr/share/hftune/schema"),
        "the folder is the package's"
    );
    assert!(has(&list, "/usr/share/hftune/schema/verify.json"));

    let schema = checkout.0.path().join("docs/schema");
    fs::rename(schema.join("verify.json"), schema.join("verify.schema")).expect("renamed");
    assert!(checkout.refused().contains("docs/schema holds no .json"));
}

/// What others wrote goes out with their terms, or not at all.
#[test]
fn a_binary_without_the_terms_of_others_is_refused() {
    let checkout = Checkout::new();
    let path = "/usr/share/doc/hftune/third-party/crates.txt";
    assert!(has(&checkout.list(), path));
    fs::remove_file(checkout.0.path().join("notices/crates.txt")).expect("removed");
    assert!(checkout.refused().contains("holds no terms"));
}

/// A page in the list that `--help` does not know, or the other way round, would be somebody's stale copy.
#[test]
fn every_command_has_a_page_in_both_packages() {
    let list = Checkout::new().list();
    let mut command = hftune_cli::command_line();
    command.build();
    let mut names = Vec::new();
    collect(&command, "hftune", &mut names);
    assert!(names.len() > 30, "{names:?}");
    for name in &names {
        let path = format!("/usr/share/man/man8/{name}.8.gz");
        let entry = list.iter().find(|entry| entry.path == path);
        let entry = entry.unwrap_or_else(|| panic!("{path} is missing"));
        assert!(
            entry.is_in(Format::Deb) && entry.is_in(Format::Rpm),
            "{path}"
        );
    }
    let pages = list.iter().filter(|entry| {
        Path::new(&entry.path).starts_with("/usr/share/man") && entry.bytes().is_some()
    });
    assert_eq!(pages.count(), names.len());
}

fn collect(command: &clap::Command, name: &str, names: &mut Vec<String>) {
    names.push(name.to_owned());
    for inner in command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
    {
        collect(inner, &format!("{name}-{}", inner.get_name()), names);
    }
}
