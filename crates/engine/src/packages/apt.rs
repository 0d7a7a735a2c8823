//! apt-get(8), on Debian and Ubuntu.

use std::path::Path;

use hftune_model::Result;
use hftune_sys::exec;

use super::{only, run_ok, with};

pub(super) const APT_GET: &str = "/usr/bin/apt-get";
const APT_CACHE: &str = "/usr/bin/apt-cache";
const DPKG_QUERY: &str = "/usr/bin/dpkg-query";

/// How everything is asked: no recommended packages, nothing removed, and a wait for whoever holds the lock.
const INSTALL: &[&str] = &[
    "-y",
    "-q",
    "--no-install-recommends",
    "--no-remove",
    "-o",
    "DPkg::Lock::Timeout=60",
    "install",
    "--",
];

/// Where the first package is in no index, the indices are read anew, once: an image may have none.
pub(super) fn available(names: &[String]) -> Result<Vec<String>> {
    let ask = || {
        run_ok(APT_CACHE, &with(&["policy", "--"], names)).map(|output| candidates(&output.stdout))
    };
    let have = ask()?;
    if names.first().is_none_or(|first| have.contains(first)) {
        return Ok(ordered(names, &have));
    }
    // It fails where one of several repositories cannot be reached; the others are read all the same.
    let _ = run_ok(APT_GET, &["-q", "-o", "DPkg::Lock::Timeout=60", "update"]);
    Ok(ordered(names, &ask()?))
}

fn ordered(names: &[String], have: &[String]) -> Vec<String> {
    names
        .iter()
        .filter(|name| have.contains(name))
        .cloned()
        .collect()
}

/// The packages in what `apt-cache policy` prints that have a candidate.
fn candidates(text: &str) -> Vec<String> {
    let mut name = "";
    let mut have = Vec::new();
    for line in text.lines() {
        if let Some(candidate) = line.strip_prefix("  Candidate: ") {
            if candidate != "(none)" {
                have.push(name.to_owned());
            }
        } else if !line.starts_with(' ') {
            name = line.trim_end_matches(':');
        }
    }
    have
}

pub(super) fn additions(names: &[String]) -> Result<Vec<String>> {
    let mut args = vec!["-s"];
    args.extend(with(INSTALL, names));
    run_ok(APT_GET, &args).map(|output| named(&output.stdout, "Inst"))
}

/// The packages of lines like `Inst libvma (9.8.60-1 Debian:13/stable [amd64])` in a simulation.
fn named(text: &str, verb: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some(verb))
                .then(|| words.next())
                .flatten()
                .map(str::to_owned)
        })
        .collect()
}

pub(super) fn install(names: &[String]) -> Result<()> {
    run_ok(APT_GET, &with(INSTALL, names)).map(drop)
}

/// With their configuration files, which nobody had before.
pub(super) fn remove(names: &[String]) -> Result<()> {
    let fixed = ["-y", "-q", "-o", "DPkg::Lock::Timeout=60", "purge", "--"];
    let mut simulated = vec!["-s"];
    simulated.extend(with(&fixed, names));
    let simulated = run_ok(APT_GET, &simulated)?.stdout;
    let mut removed = named(&simulated, "Purg");
    removed.extend(named(&simulated, "Remv"));
    only(names, &removed)?;
    run_ok(APT_GET, &with(&fixed, names)).map(drop)
}

pub(super) fn absent(names: &[String]) -> Result<Vec<String>> {
    // It ends with 1 where it knows one of them not at all.
    let args = with(
        &["-W", "-f", "${db:Status-Status} ${Package}\\n", "--"],
        names,
    );
    let output = exec::run(Path::new(DPKG_QUERY), &args)?;
    let installed: Vec<&str> = output
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("installed "))
        .collect();
    Ok(names
        .iter()
        .filter(|name| !installed.contains(&name.as_str()))
        .cloned()
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_apt_prints() {
        let policy = "libvma:\n  Installed: (none)\n  Candidate: 9.8.60-1\n  Version table:\n     9.8.60-1 500\n\
                      rdma-core:\n  Installed: 44.0-2\n  Candidate: 44.0-2\nlibvma-utils:\n  Installed: (none)\n  Candidate: (none)\n";
        assert_eq!(candidates(policy), ["libvma", "rdma-core"]);
        let simulated = "NOTE: This is only a simulation!\nInst libibverbs1 (44.0-2 Debian:12.5/stable [amd64])\n\
                         Inst libvma (9.8.60-1 lab [amd64])\nConf libibverbs1 (44.0-2 Debian:12.5/stable [amd64])\n";
        assert_eq!(named(simulated, "Inst"), ["libibverbs1", "libvma"]);
        assert_eq!(named("Purg libvma [9.8.60-1]\n", "Purg"), ["libvma"]);
    }

    /// Of the packages of the machine that runs the test; nothing is changed.
    #[test]
    fn asks_the_installed_packages() {
        if !Path::new(DPKG_QUERY).exists() {
            println!("skipped: no dpkg here");
            return;
        }
        let names = ["dpkg".to_owned(), "no-such-package-hftune".to_owned()];
        assert_eq!(absent(&names).expect("dpkg-query"), names[1..]);
    }
}
