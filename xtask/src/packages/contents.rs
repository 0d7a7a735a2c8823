//! What is in the packages, as dpkg and rpm read them.

use super::Pair;
use crate::lab::{Checks, Snapshot};
use crate::tool;
use anyhow::{Context, Result};
use std::path::Path;

/// What only the deb holds: Debian's policy asks for the first two.
const ONLY_DEB: [&str; 5] = [
    "/usr/share/doc/hftune/changelog.gz",
    "/usr/share/doc/hftune/copyright",
    "/usr/share/lintian",
    "/usr/share/lintian/overrides",
    "/usr/share/lintian/overrides/hftune",
];

/// Where zsh looks on Debian, and everywhere else.
const ZSH: (&str, &str) = (
    "/usr/share/zsh/vendor-completions",
    "/usr/share/zsh/site-functions",
);

/// Folders of the distribution, which a deb names and an rpm does not.
pub const OF_THE_DISTRIBUTION: [&str; 11] = [
    "/",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib/systemd",
    "/usr/lib/systemd/system",
    "/usr/share",
    "/usr/share/doc",
    "/usr/share/man",
    "/usr/share/man/man8",
    "/usr/share/licenses",
];

/// What must be in both, whatever else is: a list that nobody looked into could be equal and empty.
const LEAST: [(&str, &str); 10] = [
    ("/usr/bin/hftune", "-rwxr-xr-x root/root"),
    (
        "/usr/share/bash-completion/completions/hftune",
        "-rw-r--r-- root/root",
    ),
    (
        "/usr/share/doc/hftune/LICENSE-APACHE",
        "-rw-r--r-- root/root",
    ),
    ("/usr/share/doc/hftune/LICENSE-MIT", "-rw-r--r-- root/root"),
    (
        "/usr/share/doc/hftune/third-party/crates.txt",
        "-rw-r--r-- root/root",
    ),
    (
        "/usr/share/fish/vendor_completions.d/hftune.fish",
        "-rw-r--r-- root/root",
    ),
    (
        "/usr/share/hftune/profiles/hft.toml",
        "-rw-r--r-- root/root",
    ),
    (
        "/usr/share/hftune/scripts/setup-hft-optimization.sh",
        "-rwxr-xr-x root/root",
    ),
    ("/usr/share/man/man8/hftune.8.gz", "-rw-r--r-- root/root"),
    (
        "/usr/share/zsh/site-functions/_hftune",
        "-rw-r--r-- root/root",
    ),
];

/// Asserts that both hold the same: paths, kinds, permissions, owners and sizes.
pub fn check(checks: &mut Checks, pair: &Pair) -> Result<()> {
    let mut deb: Snapshot = of_deb(&pair.deb)?
        .into_iter()
        .map(|(path, facts)| (path.replace(ZSH.0, ZSH.1), facts))
        .collect();
    let rpm = of_rpm(&pair.rpm)?;
    for path in ONLY_DEB {
        let there = deb.remove(path);
        checks.that(
            format!("only the deb holds {path}"),
            there.is_some() && !rpm.contains_key(path),
            "in the deb, not in the rpm",
            there.unwrap_or_else(|| "not in the deb".to_owned()),
        );
    }
    deb.retain(|path, _| !OF_THE_DISTRIBUTION.contains(&path.as_str()));
    checks.same("the deb and the rpm hold the same", &deb, &rpm);
    for (path, facts) in LEAST {
        let found = rpm.get(path).map_or("nothing", String::as_str);
        checks.that(
            format!("both hold {path}"),
            found.starts_with(facts),
            facts,
            found,
        );
    }
    Ok(())
}

fn of_deb(deb: &Path) -> Result<Snapshot> {
    let text = tool::read(tool::command("dpkg-deb").arg("--contents").arg(deb))?;
    let mut entries = Snapshot::new();
    for line in text.lines() {
        // -rwxr-xr-x root/root    128464 2026-11-28 11:15 ./usr/bin/hftune
        let words: Vec<&str> = line.split_whitespace().collect();
        let [mode, owner, size, _, _, path] = words[..] else {
            anyhow::bail!("dpkg-deb --contents printed {line:?}");
        };
        let path = path.trim_start_matches('.');
        let path = if path == "/" {
            path
        } else {
            path.trim_end_matches('/')
        };
        entries.insert(path.to_owned(), facts(mode, owner, size));
    }
    Ok(entries)
}

fn of_rpm(rpm: &Path) -> Result<Snapshot> {
    const FORMAT: &str =
        "[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILESIZES} %{FILENAMES}\\n]";
    let mut query = tool::command("rpm");
    query
        .args(["--query", "--queryformat", FORMAT, "--package"])
        .arg(rpm);
    let text = tool::read(&mut query)?;
    let mut entries = Snapshot::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        let mut next = || {
            words
                .next()
                .with_context(|| format!("rpm printed {line:?}"))
        };
        let (mode, owner, size, path) = (next()?, next()?, next()?, next()?);
        entries.insert(path.to_owned(), facts(mode, owner, size));
    }
    Ok(entries)
}

/// Folders have no size worth telling.
fn facts(mode: &str, owner: &str, size: &str) -> String {
    if mode.starts_with('d') {
        format!("{mode} {owner}")
    } else {
        format!("{mode} {owner} {size}")
    }
}
