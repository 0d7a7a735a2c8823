//! The terms of what others wrote and the static binary holds. Licences ask that their texts go along with it, and whoever
//! approves software for a trading firm asks for them first.

use crate::static_build::TARGET;
use crate::{tool, workspace};
use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// How the names of files with terms begin, whatever their case.
const NAMES: [&str; 6] = [
    "COPYING",
    "COPYRIGHT",
    "LICENCE",
    "LICENSE",
    "NOTICE",
    "UNLICENSE",
];

/// Where distributions keep the terms of the C library: its notices, then the LGPL. Debian's first, then that of the RHEL family.
const C_LIBRARY: [[&str; 2]; 2] = [
    [
        "/usr/share/doc/libc6/copyright",
        "/usr/share/common-licenses/LGPL-2.1",
    ],
    [
        "/usr/share/licenses/glibc/LICENSES",
        "/usr/share/licenses/glibc/COPYING.LIB",
    ],
];

/// A crate in the binary, and its version.
type Crate = (String, String);

/// Writes them into a folder, which is made anew: of crates, of Rust's own library, of the C library.
pub fn write(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    fs::create_dir_all(dir)?;
    fs::write(dir.join("crates.txt"), of_crates()?)?;
    fs::write(dir.join("c-library.txt"), of_c_library()?)?;
    let rust = of_rust()?;
    fs::copy(&rust, dir.join("rust-library.html"))
        .with_context(|| format!("cannot copy {}", rust.display()))?;
    Ok(())
}

/// All crates with their licences, then each text once, with the crates that it is of.
fn of_crates() -> Result<String> {
    let crates = crates()?;
    let mut out = format!(
        "{} crates are linked into hftune. Where a licence says \"or\", the choice is yours.\n\n",
        crates.len()
    );
    // Many differ in their white space only.
    let mut texts: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    let folders = folders()?;
    for ((name, version), licence) in &crates {
        let _ = writeln!(out, "{name} {version}: {licence}");
        let folder = folders
            .get(&(name.clone(), version.clone()))
            .with_context(|| format!("cargo metadata does not know {name} {version}"))?;
        let files = terms(folder)?;
        ensure!(
            !files.is_empty(),
            "{name} {version} comes without the text of its licence, in {}: it cannot be passed on",
            folder.display()
        );
        for file in files {
            let text = read(&file)?;
            let words: Vec<&str> = text.split_whitespace().collect();
            let (_, of) = texts
                .entry(words.join(" "))
                .or_insert_with(|| (text.trim_end().to_owned(), Vec::new()));
            of.push(format!("{name} {version}"));
        }
    }
    let mut texts: Vec<_> = texts.into_values().collect();
    texts.sort_by(|(_, one), (_, other)| one.cmp(other));
    for (text, of) in texts {
        let _ = write!(
            out,
            "\n{}\nOf {}:\n\n{text}\n",
            "=".repeat(78),
            of.join(", ")
        );
    }
    Ok(out)
}

/// The crates of others in the binary with their licences: those of the workspace and procedural macros are none.
fn crates() -> Result<BTreeMap<Crate, String>> {
    let mut tree = tool::command(&workspace::cargo());
    tree.current_dir(workspace::root());
    tree.args(["tree", "--package", "hftune", "--target", TARGET])
        .args(["--edges", "normal,no-proc-macro", "--prefix", "none"])
        .args(["--format", "{p}\t{l}"]);
    let mut crates = BTreeMap::new();
    for line in tool::read(&mut tree)?.lines() {
        // "serde v1.0.229\tMIT OR Apache-2.0", and " (*)" after one that came before; ours have their folder after the version.
        let (package, licence) = line
            .split_once('\t')
            .with_context(|| format!("cargo tree printed {line:?}"))?;
        let mut words = package.split(' ');
        let (Some(name), Some(version)) = (words.next(), words.next()) else {
            bail!("cargo tree printed {line:?}");
        };
        if words.next().is_some_and(|place| place.starts_with("(/")) {
            continue;
        }
        let version = version.trim_start_matches('v').to_owned();
        let licence = licence.trim_end_matches(" (*)").to_owned();
        crates.insert((name.to_owned(), version), licence);
    }
    ensure!(!crates.is_empty(), "cargo tree names no crate of others");
    Ok(crates)
}

/// The folders of all packages that cargo knows.
fn folders() -> Result<BTreeMap<Crate, PathBuf>> {
    let metadata = workspace::metadata(&["--filter-platform", TARGET])?;
    let packages = metadata["packages"].as_array();
    let mut folders = BTreeMap::new();
    for package in packages.context("cargo metadata names no packages")? {
        let word = |key: &str| {
            let word = package[key].as_str();
            word.with_context(|| format!("cargo metadata: a package without {key}"))
        };
        let folder = Path::new(word("manifest_path")?)
            .parent()
            .context("a manifest lies in a folder")?;
        let key = (word("name")?.to_owned(), word("version")?.to_owned());
        folders.insert(key, folder.to_owned());
    }
    Ok(folders)
}

/// The files with terms of a folder, sorted.
fn terms(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        if NAMES.iter().any(|begin| name.starts_with(begin)) && entry.path().is_file() {
            files.insert(entry.path());
        }
    }
    Ok(files)
}

/// The page that comes with the compiler: of its library, and of the crates in it.
fn of_rust() -> Result<PathBuf> {
    let mut rustc = tool::command("rustc");
    rustc
        .args(["--print", "sysroot"])
        .current_dir(workspace::root());
    let sysroot = tool::read(&mut rustc)?;
    let page = Path::new(sysroot.trim()).join("share/doc/rust/COPYRIGHT-library.html");
    ensure!(
        page.is_file(),
        "{} is missing, which every rustc of rustup has: packages need the terms of Rust's library",
        page.display()
    );
    Ok(page)
}

/// The C library is under the LGPL, which asks that it can be exchanged: whoever has the sources links anew.
fn of_c_library() -> Result<String> {
    let there = C_LIBRARY
        .iter()
        .find(|files| files.iter().all(|file| Path::new(file).is_file()))
        .with_context(|| format!("the terms of the C library are in none of {C_LIBRARY:?}"))?;
    let version = tool::read(tool::command("getconf").arg("GNU_LIBC_VERSION"))?;
    let mut out = format!(
        "The GNU C library ({}) is linked into hftune, unchanged. To put another into its place, have it\n\
         installed, and run \"cargo xtask dist\" in the sources of hftune. What of GCC's run-time library is\n\
         linked in asks for nothing (GCC Runtime Library Exception 3.1).\n",
        version.trim()
    );
    for file in there {
        let _ = write!(
            out,
            "\n{}\n\n{}\n",
            "=".repeat(78),
            read(Path::new(file))?.trim_end()
        );
    }
    Ok(out)
}

/// A text that others wrote: some are older than UTF-8.
fn read(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(String::from_utf8_lossy(&bytes).replace('\r', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_of_others_is_named_with_its_terms_and_none_of_ours() {
        let all = crates().expect("cargo answers");
        let named = |name: &str| all.keys().any(|(krate, _)| krate == name);
        assert!(named("rustix") && named("serde_core") && named("clap_builder"));
        assert!(!named("hftune-sys") && !named("clap_derive") && !named("syn"));
        let text = of_crates().expect("every one comes with a text");
        let (list, texts) = text.split_once("=====").expect("a list, then texts");
        for ((name, version), licence) in &all {
            assert!(list.contains(&format!("\n{name} {version}: {licence}\n")));
            assert!(texts.contains(&format!("{name} {version}")), "{name}");
        }
        assert!(texts.contains("Permission is hereby granted, free of charge"));
    }
}
