//! The tools that the lab needs on this machine, installed with apt where they are missing.

use super::apt_private::{PrivateApt, apt_get};
use super::apt_sources;
use crate::progress::say;
use crate::skip::skip;
use crate::tool;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// The emulator, under the name the lab starts.
pub const QEMU: &str = "qemu-system-x86_64";

/// QEMU 8 brought the `igb` NIC, without which no NIC of the guest has everything that is tuned; the lab was measured
/// with 10.
const OLDEST_QEMU: u32 = 8;

/// Packages for a QEMU, and the tool that tells whether the others are there.
const QEMU_PACKAGE: &str = "qemu-system-x86";
const TOOLS: [(&str, &str); 4] = [
    ("debootstrap", "debootstrap"),
    ("mke2fs", "e2fsprogs"),
    ("ssh", "openssh-client"),
    ("unshare", "util-linux"),
];

/// Installs what is missing. `work` holds the log and, for a while, a private apt configuration.
pub fn ensure(work: &Path) -> Result<()> {
    let missing: Vec<&str> = TOOLS
        .iter()
        .filter(|(tool, _)| tool::find(tool).is_none())
        .map(|(_, package)| *package)
        .collect();
    let qemu = installed_qemu();
    if missing.is_empty() && qemu.is_some_and(|major| major >= OLDEST_QEMU) {
        return Ok(());
    }
    need_root_and_apt(&missing)?;
    let log = work.join("packages.log");
    say("installing the lab's tools with apt");
    tool::run_logged(apt_get().arg("update"), &log)?;
    if !missing.is_empty() {
        tool::run_logged(apt_get().arg("install").args(&missing), &log)?;
    }
    if qemu.is_none_or(|major| major < OLDEST_QEMU) {
        install_qemu(work, &log)?;
    }
    match installed_qemu() {
        Some(major) if major >= OLDEST_QEMU => Ok(()),
        found => Err(skip(format!(
            "the lab needs QEMU {OLDEST_QEMU} or later, apt gave {found:?}"
        ))),
    }
}

fn need_root_and_apt(missing: &[&str]) -> Result<()> {
    let wanted = format!("debootstrap, e2fsprogs, openssh-client and QEMU {OLDEST_QEMU} or later");
    if tool::find("apt-get").is_none() {
        return Err(skip(format!(
            "the lab needs {wanted}; this machine has no apt-get to install them with"
        )));
    }
    if !rustix::process::geteuid().is_root() {
        let what = if missing.is_empty() {
            QEMU_PACKAGE.into()
        } else {
            missing.join(", ")
        };
        return Err(skip(format!(
            "{what} must be installed, which needs root; run as root once, or install {wanted}"
        )));
    }
    Ok(())
}

/// From the machine's own sources where they are new enough, from its release's backports otherwise.
fn install_qemu(work: &Path, log: &Path) -> Result<()> {
    let policy = tool::read(tool::command("apt-cache").args(["policy", QEMU_PACKAGE]))?;
    if candidate_major(&policy).is_some_and(|major| major >= OLDEST_QEMU) {
        return tool::run_logged(apt_get().args(["install", QEMU_PACKAGE]), log);
    }
    let codename = codename(&fs::read_to_string("/etc/os-release")?)
        .context("/etc/os-release names no release")?;
    let sources = apt_sources::read(Path::new("/etc/apt"))?;
    let Some(backports) = apt_sources::backports_of(&sources, &codename) else {
        return Err(skip(format!(
            "QEMU {OLDEST_QEMU} or later is not in this machine's package sources, and none of them serves \
             {codename}, from which its backports could be derived"
        )));
    };
    let apt = PrivateApt::new(&work.join("apt"))?;
    apt.add_the_machines_own()?;
    apt.add(&backports)?;
    say(format!(
        "this release has an older QEMU: taking it from {codename}-backports"
    ));
    tool::run_logged(apt.get().arg("update"), log)?;
    let release = format!("{codename}-backports");
    tool::run_logged(
        apt.get()
            .args(["install", "--target-release", &release, QEMU_PACKAGE]),
        log,
    )?;
    apt.remove()
}

fn installed_qemu() -> Option<u32> {
    tool::find(QEMU)?;
    let text = tool::read(tool::command(QEMU).arg("--version")).ok()?;
    major(text.split("version ").nth(1)?)
}

/// The major version that `apt-cache policy` would install.
fn candidate_major(policy: &str) -> Option<u32> {
    let version = policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate:"))?
        .trim();
    major(version.rsplit(':').next()?)
}

fn major(version: &str) -> Option<u32> {
    version
        .split(|character: char| !character.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// The codename in `/etc/os-release`.
fn codename(os_release: &str) -> Option<String> {
    let value = os_release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(value.trim_matches(['"', '\'']).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidate_version_has_an_epoch_or_none() {
        let policy = "qemu-system-x86:\n  Installed: (none)\n  Candidate: 1:7.2+dfsg-7+deb12u18\n  Version table:\n";
        assert_eq!(candidate_major(policy), Some(7));
        assert_eq!(candidate_major("x:\n  Candidate: 10.0.2\n"), Some(10));
        assert_eq!(candidate_major("x:\n  Candidate: (none)\n"), None);
    }

    #[test]
    fn codename_is_read_quoted_or_bare() {
        assert_eq!(
            codename("ID=debian\nVERSION_CODENAME=bookworm\n").as_deref(),
            Some("bookworm")
        );
        assert_eq!(
            codename("VERSION_CODENAME=\"jammy\"").as_deref(),
            Some("jammy")
        );
        assert_eq!(codename("ID=x"), None);
    }
}
