//! `cargo xtask dist`: the deb and the rpm, in `target/dist`.

use crate::progress::say;
use crate::{notices, packages, static_build, tool, workspace};
use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(ClapArgs)]
pub struct Args {
    /// deb or rpm; both where none is named
    #[arg(value_parser = ["deb", "rpm"])]
    formats: Vec<String>,
    /// Judge both with the tools of their distributions, and install and remove them below target/
    #[arg(long, conflicts_with = "formats")]
    check: bool,
}

/// Builds the static binary and makes packages of it.
pub fn run(args: &Args) -> Result<ExitCode> {
    if args.check {
        return packages::check();
    }
    let made = make(&Request {
        binary: &static_build::hftune()?,
        out: &out()?,
        formats: &args.formats,
        version: None,
    })?;
    for package in made {
        println!("{}", package.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Where packages are put.
pub fn out() -> Result<PathBuf> {
    Ok(workspace::target_dir()?.join("dist"))
}

/// What is to be made.
pub struct Request<'a> {
    /// The static binary.
    pub binary: &'a Path,
    /// Where to put the packages.
    pub out: &'a Path,
    /// "deb", "rpm"; both where there is none.
    pub formats: &'a [String],
    /// Another version than that of the workspace.
    pub version: Option<&'a str>,
}

/// Makes packages and returns their paths.
pub fn make(request: &Request) -> Result<Vec<PathBuf>> {
    say("making packages");
    let notices = workspace::target_dir()?.join("notices");
    notices::write(&notices)?;
    let mut cargo = tool::command(&workspace::cargo());
    cargo
        .args(["run", "--quiet", "--package", "hftune-packaging", "--"])
        .args(request.formats)
        .arg("--binary")
        .arg(request.binary)
        .arg("--notices")
        .arg(notices)
        .arg("--checkout")
        .arg(workspace::root())
        .args(["--time", &time()?])
        .arg("--out")
        .arg(request.out);
    if let Some(version) = request.version {
        cargo.args(["--as-version", version]);
    }
    let printed = tool::read(&mut cargo)?;
    Ok(printed
        .lines()
        .map(|line| Path::new(line).to_path_buf())
        .collect())
}

/// The time that every file in the packages gets, so that the same commit makes the same bytes: what `SOURCE_DATE_EPOCH` says
/// (reproducible-builds.org), or when the commit was made.
fn time() -> Result<String> {
    if let Ok(time) = env::var("SOURCE_DATE_EPOCH") {
        return Ok(time);
    }
    let mut git = tool::command("git");
    git.args(["log", "-1", "--format=%ct"])
        .current_dir(workspace::root());
    let time = tool::read(&mut git).context(
        "this is no checkout of git: set SOURCE_DATE_EPOCH to when the sources were made",
    )?;
    Ok(time.trim().to_owned())
}
