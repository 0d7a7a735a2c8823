//! dnf(8), on the RHEL family and Fedora.

use std::path::Path;

use hftune_model::Result;
use hftune_sys::exec;

use super::{only, run_ok, with};

pub(super) const DNF: &str = "/usr/bin/dnf";
const RPM: &str = "/usr/bin/rpm";

pub(super) fn available(names: &[String]) -> Result<Vec<String>> {
    let args = with(&["-q", "repoquery", "--qf", "%{name}\n"], names);
    let output = run_ok(DNF, &args)?;
    let have: Vec<&str> = output.stdout.lines().map(str::trim).collect();
    Ok(names
        .iter()
        .filter(|name| have.contains(&name.as_str()))
        .cloned()
        .collect())
}

/// The end of the process is that of somebody who said no.
pub(super) fn additions(names: &[String]) -> Result<Vec<String>> {
    let args = with(
        &["--assumeno", "--setopt=install_weak_deps=False", "install"],
        names,
    );
    exec::run(Path::new(DNF), &args).map(|output| listed(&output.stdout, "Installing"))
}

/// The packages in the tables of a transaction under heads that begin with a word.
fn listed(text: &str, head: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in text.lines() {
        if !line.starts_with(' ') {
            inside = line.starts_with(head) && line.ends_with(':');
            continue;
        }
        // Name, architecture, version, repository, size. A name that is too long for its column stands alone.
        if let (true, Some(name)) = (inside, line.split_whitespace().next())
            && line.starts_with(' ')
            && !line.starts_with("  ")
        {
            names.push(name.to_owned());
        }
    }
    names
}

pub(super) fn install(names: &[String]) -> Result<()> {
    let args = with(
        &["-y", "-q", "--setopt=install_weak_deps=False", "install"],
        names,
    );
    run_ok(DNF, &args).map(drop)
}

pub(super) fn remove(names: &[String]) -> Result<()> {
    let keep = "--setopt=clean_requirements_on_remove=False";
    let simulated = with(&["--assumeno", keep, "remove"], names);
    let simulated = exec::run(Path::new(DNF), &simulated)?.stdout;
    only(names, &listed(&simulated, "Removing"))?;
    run_ok(DNF, &with(&["-y", "-q", keep, "remove"], names)).map(drop)
}

pub(super) fn absent(names: &[String]) -> Result<Vec<String>> {
    let args = with(&["-q", "--qf", "%{NAME}\n"], names);
    // It ends with the number of those that are not installed, and says so of each.
    let output = exec::run(Path::new(RPM), &args)?;
    let installed: Vec<&str> = output.stdout.lines().map(str::trim).collect();
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
    fn reads_the_tables_of_a_transaction() {
        let text = "Dependencies resolved.\n================\n Package      Arch    Version     Repository   Size\n\
                    ================\nInstalling:\n libvma       x86_64  9.8.60-1.el9  appstream  1.0 M\n\
                    Installing dependencies:\n libibverbs   x86_64  48.0-1.el9  baseos  400 k\n librdmacm    x86_64  48.0-1.el9  baseos  70 k\n\n\
                    Transaction Summary\n================\nInstall  3 Packages\n\nOperation aborted.\n";
        assert_eq!(
            listed(text, "Installing"),
            ["libvma", "libibverbs", "librdmacm"]
        );
        assert_eq!(
            listed(
                "Removing:\n a x86_64 1 @r 1 k\nRemoving dependent packages:\n b x86_64 1 @r 1 k\n",
                "Removing"
            ),
            ["a", "b"]
        );
    }
}
