//! Installing, upgrading, refusing to go and going, in a folder that holds a shell and nothing else: dpkg and rpm run the
//! packages' scripts in it with chroot(2).

use super::contents::OF_THE_DISTRIBUTION;
use crate::lab::Checks;
use crate::progress::say;
use crate::tool::{self, Answer};
use crate::workspace;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the scripts of the packages call.
const APPLETS: [&str; 6] = ["cat", "echo", "mv", "rm", "sh", "true"];

/// A change that is in force, as a setup records it.
const JOURNAL: &str = "var/lib/hftune/transactions/2026-01-01T00-00-00Z.jsonl";

/// What that setup wrote.
const CHANGED: &str = "etc/security/limits.d/99-hft.conf";

/// Made by an operator who wants the package gone all the same.
const ANYWAY: &str = "var/lib/hftune/remove-anyway";

/// Where dpkg and rpm keep what they know, Debian's rpm in the home of root.
const DATABASES: [&str; 4] = ["/root", "/var/lib/dpkg", "/var/lib/rpm", "/var/tmp"];

/// How a package manager is told what to do in a folder.
struct Manager<'m> {
    name: &'static str,
    install: &'m dyn Fn(&Path) -> Command,
    remove: &'m dyn Fn() -> Command,
}

/// The deb, with dpkg.
pub fn check_deb(checks: &mut Checks, root: &Path, deb: &Path, newer: &Path) -> Result<()> {
    make_root(root)?;
    for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::write(root.join("var/lib/dpkg/status"), "")?;
    let dpkg = || {
        let mut command = tool::command("dpkg");
        command.arg(format!("--root={}", root.display()));
        command.arg("--force-unsafe-io");
        command
    };
    let manager = Manager {
        name: "dpkg",
        install: &|package| {
            let mut command = dpkg();
            command.arg("--install").arg(package);
            command
        },
        remove: &|| {
            let mut command = dpkg();
            command.args(["--purge", "hftune"]);
            command
        },
    };
    let left = life(checks, &manager, root, deb, newer)?;
    checks.equal("dpkg leaves", &left, &BTreeSet::new());
    kept_by_purge(checks, &manager, root, deb)
}

/// The rpm, with rpm.
pub fn check_rpm(checks: &mut Checks, root: &Path, package: &Path, newer: &Path) -> Result<()> {
    make_root(root)?;
    let rpm = || {
        let mut command = tool::command("rpm");
        // Debian's rpm warns of being no package manager of Debian; what it needs is not in the folder.
        command
            .args(["--force-debian", "--nodeps", "--root"])
            .arg(root);
        command
    };
    tool::run(tool::command("rpm").arg("--initdb").arg("--root").arg(root))?;
    let manager = Manager {
        name: "rpm",
        install: &|package| {
            let mut command = rpm();
            command.arg("--upgrade").arg(package);
            command
        },
        remove: &|| {
            let mut command = rpm();
            command.args(["--erase", "hftune"]);
            command
        },
    };
    let mut left = life(checks, &manager, root, package, newer)?;
    left.retain(|path| !OF_THE_DISTRIBUTION.contains(&path.as_str()));
    checks.equal("rpm leaves", &left, &BTreeSet::new());
    Ok(())
}

/// From an empty folder to an empty folder; returns what is left in it.
fn life(
    checks: &mut Checks,
    manager: &Manager,
    root: &Path,
    package: &Path,
    newer: &Path,
) -> Result<BTreeSet<String>> {
    let name = manager.name;
    let before = tree(root)?;
    expect(
        checks,
        name,
        "installs it",
        true,
        &mut (manager.install)(package),
    )?;
    let installed = tree(root)?;
    let binary = root.join("usr/bin/hftune");
    let version = tool::read(
        tool::command("chroot")
            .arg(root)
            .args(["/usr/bin/hftune", "--version"]),
    )?;
    checks.that(
        format!("{name}: hftune --version from the package"),
        version.starts_with("hftune "),
        "hftune VERSION",
        version.trim(),
    );
    let outside: Vec<&String> = installed
        .difference(&before)
        .filter(|path| !path.starts_with("/usr/") && *path != "/usr")
        .collect();
    checks.equal(format!("{name} puts outside of /usr"), &outside[..], &[]);

    set_up(root)?;
    let refused = expect(
        checks,
        name,
        "refuses removal",
        false,
        &mut (manager.remove)(),
    )?;
    for words in [
        "changes are in force",
        "hftune rollback --all",
        "/var/lib/hftune/remove-anyway",
    ] {
        says(checks, name, words, &refused);
    }
    let there = tree(root)?;
    let gone: Vec<&String> = installed.difference(&there).collect();
    checks.equal(format!("{name} then has removed"), &gone[..], &[]);
    expect(
        checks,
        name,
        "upgrades with changes in force",
        true,
        &mut (manager.install)(newer),
    )?;

    // Damage must not read as "nothing is in force".
    let whole = fs::read(root.join(JOURNAL))?;
    fs::write(
        root.join(JOURNAL),
        [b"{\"record\":\n".as_slice(), &whole].concat(),
    )?;
    let refused = expect(
        checks,
        name,
        "refuses removal where the journal is damaged",
        false,
        &mut (manager.remove)(),
    )?;
    says(checks, name, "cannot tell", &refused);
    fs::write(root.join(JOURNAL), whole)?;

    // Whoever holds the lock is about to write units.
    let lock = fs::File::create(root.join("var/lib/hftune/lock"))?;
    tool::run(
        tool::command(&binary.to_string_lossy())
            .arg("--root")
            .arg(root)
            .args(["rollback", "--all", "--yes"]),
    )
    .context("rollback below the folder")?;
    lock.lock()?;
    let refused = expect(
        checks,
        name,
        "refuses removal while hftune is at work",
        false,
        &mut (manager.remove)(),
    )?;
    says(checks, name, "is at work", &refused);
    drop(lock);

    checks.equal(
        format!("{name}: what setup changed is as before"),
        &fs::read_to_string(root.join(CHANGED))?,
        &"old\n".to_owned(),
    );
    expect(
        checks,
        name,
        "removes it after the rollback",
        true,
        &mut (manager.remove)(),
    )?;
    // An rpm knows no purging: what was done when is left to read.
    if name == "rpm" {
        fs::remove_dir_all(root.join("var/lib/hftune"))?;
    }
    fs::remove_dir_all(root.join("etc"))?;
    Ok(tree(root)?.difference(&before).cloned().collect())
}

/// An operator's word has the package removed; what can undo the changes stays.
fn kept_by_purge(
    checks: &mut Checks,
    manager: &Manager,
    root: &Path,
    package: &Path,
) -> Result<()> {
    let name = manager.name;
    expect(
        checks,
        name,
        "installs it again",
        true,
        &mut (manager.install)(package),
    )?;
    set_up(root)?;
    fs::write(root.join(ANYWAY), "")?;
    expect(
        checks,
        name,
        "removes it all the same where it is told to",
        true,
        &mut (manager.remove)(),
    )?;
    checks.that(
        format!("{name} --purge keeps the journal of changes in force"),
        root.join(JOURNAL).exists() && !root.join(ANYWAY).exists(),
        "the journal is there, the operator's word is used up",
        format!(
            "the journal is there: {}, the word is: {}",
            root.join(JOURNAL).exists(),
            root.join(ANYWAY).exists()
        ),
    );
    expect(
        checks,
        name,
        "installs it a third time",
        true,
        &mut (manager.install)(package),
    )?;
    expect(
        checks,
        name,
        "refuses again",
        false,
        &mut (manager.remove)(),
    )?;
    Ok(())
}

/// A shell, and what the scripts call.
fn make_root(root: &Path) -> Result<()> {
    let bin = root.join("bin");
    fs::create_dir_all(&bin)?;
    fs::create_dir_all(root.join("var/lib"))?;
    let busybox = tool::find("busybox").context("no busybox")?;
    fs::copy(busybox, bin.join("busybox"))?;
    for applet in APPLETS {
        symlink("busybox", bin.join(applet))?;
    }
    copy_program(root, "flock")
}

/// A program that busybox does not have, with the libraries that ldd(1) names.
fn copy_program(root: &Path, program: &str) -> Result<()> {
    let path = tool::find(program).with_context(|| format!("no {program}"))?;
    let libraries = tool::read(tool::command("ldd").arg(&path))?;
    let files = libraries
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from);
    for file in files.chain([path]) {
        let to = root.join(file.strip_prefix("/")?);
        fs::create_dir_all(to.parent().expect("it is below the root"))?;
        fs::copy(&file, to)?;
    }
    Ok(())
}

/// What a setup of one setting leaves.
fn set_up(root: &Path) -> Result<()> {
    let journal = workspace::root().join("crates/cli/tests/journal/version-1.jsonl");
    for path in [JOURNAL, CHANGED] {
        let folder = root.join(path);
        fs::create_dir_all(folder.parent().expect("it is below the root"))?;
    }
    fs::copy(journal, root.join(JOURNAL))?;
    Ok(fs::write(root.join(CHANGED), "new\n")?)
}

fn expect(
    checks: &mut Checks,
    name: &str,
    does: &str,
    well: bool,
    command: &mut Command,
) -> Result<Answer> {
    say(format!("{name} {does}"));
    let answer = tool::converse(command, b"", super::CAP)?;
    checks.that(
        format!("{name} {does}"),
        (answer.code == Some(0)) == well,
        if well { "success" } else { "a failure" },
        match answer.code {
            Some(0) => "success".to_owned(),
            Some(code) if !well => format!("exit code {code}"),
            code => format!("exit code {code:?}: {}", answer.stderr.trim()),
        },
    );
    Ok(answer)
}

fn says(checks: &mut Checks, name: &str, words: &str, answer: &Answer) {
    let said = format!("{}{}", answer.stdout, answer.stderr);
    let found = said.contains(words);
    let got = if found { words } else { said.trim() };
    checks.that(format!("{name} says"), found, words, got);
}

/// Every path below the folder but those of the package manager's own.
fn tree(root: &Path) -> Result<BTreeSet<String>> {
    let mut paths = BTreeSet::new();
    let mut folders = vec![PathBuf::from(root)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            let shown = format!("/{}", path.strip_prefix(root)?.display());
            if DATABASES.iter().any(|database| shown.starts_with(database)) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                folders.push(path);
            }
            paths.insert(shown);
        }
    }
    Ok(paths)
}
