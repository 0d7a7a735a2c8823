//! `cargo xtask dist --check`: what both packages promise, judged by the tools of the distributions. Nothing of this machine is
//! changed: they are installed below `target/` only.

mod contents;
mod lints;
mod manual;
mod roots;
mod shells;
mod tools;

use crate::lab::Checks;
use crate::progress::say;
use crate::{dist, static_build, tool, workspace};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A version that is higher than every real one.
const NEWER: &str = "99.0.0";

/// One package of each kind.
struct Pair {
    deb: PathBuf,
    rpm: PathBuf,
}

/// Makes packages and judges them.
pub fn check() -> Result<ExitCode> {
    let work = workspace::target_dir()?.join("packages");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;
    tools::ensure(&work.join("tools.log"))?;

    let binary = static_build::hftune()?;
    let pair = make(&binary, &dist::out()?, None)?;
    let again = make(&binary, &work.join("again"), None)?;
    let newer = make(&binary, &work.join("newer"), Some(NEWER))?;
    let unpacked = work.join("unpacked");
    tool::run(
        tool::command("dpkg-deb")
            .arg("--extract")
            .args([&pair.deb, &unpacked]),
    )?;

    let mut checks = Checks::new(&work)?;
    same_bytes(&mut checks, &pair, &again)?;
    contents::check(&mut checks, &pair)?;
    manual::check(&mut checks, &binary, &unpacked)?;
    shells::check(&mut checks, &unpacked)?;
    lints::check(&mut checks, &pair)?;
    roots::check_deb(&mut checks, &work.join("deb-root"), &pair.deb, &newer.deb)?;
    roots::check_rpm(&mut checks, &work.join("rpm-root"), &pair.rpm, &newer.rpm)?;
    Ok(if checks.finish() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn make(binary: &Path, out: &Path, version: Option<&str>) -> Result<Pair> {
    let made = dist::make(&dist::Request {
        binary,
        out,
        formats: &[],
        version,
    })?;
    let of_kind = |ending: &str| {
        let found = made
            .iter()
            .find(|path| path.extension().is_some_and(|e| e == ending));
        found
            .cloned()
            .with_context(|| format!("no {ending} was made"))
    };
    Ok(Pair {
        deb: of_kind("deb")?,
        rpm: of_kind("rpm")?,
    })
}

/// Equal input makes equal bytes.
fn same_bytes(checks: &mut Checks, first: &Pair, second: &Pair) -> Result<()> {
    for (one, other) in [(&first.deb, &second.deb), (&first.rpm, &second.rpm)] {
        ensure!(
            one != other,
            "{} was made in place of itself",
            one.display()
        );
        let (one_bytes, other_bytes) = (fs::read(one)?, fs::read(other)?);
        let name = one.file_name().unwrap_or_default().to_string_lossy();
        checks.that(
            format!("{name}, made twice"),
            !one_bytes.is_empty() && one_bytes == other_bytes,
            "the same bytes",
            format!("{} and {} bytes", one_bytes.len(), other_bytes.len()),
        );
    }
    Ok(())
}

/// What a program said, for a report; `None` of it is an error here.
fn answer(program: &str, arguments: &[&str]) -> Result<tool::Answer> {
    say(format!("{program} {}", arguments.first().unwrap_or(&"")));
    tool::converse(tool::command(program).args(arguments), b"", CAP)
}

/// No tool here takes longer, lintian a tenth of it.
const CAP: std::time::Duration = std::time::Duration::from_secs(300);
