//! Makes hftune's packages out of one list of files. `cargo xtask dist` builds the binary and calls this.
//!
//! A program of its own rather than a part of xtask: it is built of the whole of hftune, whose command line is what manual
//! pages and completions are made of, and of what writes packages, and no other chore should wait for that.
#![allow(
    clippy::disallowed_methods,
    reason = "the ban keeps the product on one road to the machine; this reads a checkout and writes under target/"
)]

mod commands;
mod completions;
mod deb;
mod list;
mod manual;
mod rpm;
mod scripts;
mod sources;
#[cfg(test)]
mod tests;

use anyhow::{Context, Result};
use clap::Parser;
use list::Format;
use sources::Sources;
use std::fs;
use std::path::PathBuf;

/// Make hftune's packages, or the page of its commands
#[derive(Parser)]
struct Args {
    /// Which; all of them where none is named
    #[arg(value_enum)]
    formats: Vec<Format>,
    /// Print the page of all commands instead
    #[arg(long, exclusive = true)]
    commands: bool,
    #[command(flatten)]
    of: Option<Of>,
}

/// What packages are made of, and where they are put.
#[derive(clap::Args)]
struct Of {
    /// The static binary
    #[arg(long, value_name = "FILE")]
    binary: PathBuf,
    /// The terms of what others wrote and the binary holds
    #[arg(long, value_name = "DIR")]
    notices: PathBuf,
    /// The checkout whose documents and profiles go into them
    #[arg(long, value_name = "DIR")]
    checkout: PathBuf,
    /// Seconds since 1970 that every file is said to have been changed at: the time of the commit
    #[arg(long, value_name = "SECONDS")]
    time: u32,
    /// Another version than that of the workspace
    #[arg(long = "as-version", value_name = "VERSION", default_value = env!("CARGO_PKG_VERSION"))]
    version: String,
    /// Where to put them
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

fn main() -> Result<()> {
    let mut args = Args::parse();
    if args.formats.is_empty() {
        args.formats = vec![Format::Deb, Format::Rpm];
    }
    if args.commands {
        print!("{}", commands::page());
        return Ok(());
    }
    let of = args
        .of
        .context("--binary, --notices, --checkout, --time and --out are needed")?;
    let sources = Sources {
        checkout: of.checkout,
        binary: of.binary,
        notices: of.notices,
        version: of.version,
        time: of.time,
    };
    let list = list::list(&sources)?;
    fs::create_dir_all(&of.out)?;
    for format in args.formats {
        let (name, bytes) = match format {
            Format::Deb => (deb::name(&sources), deb::package(&sources, &list)?),
            Format::Rpm => (rpm::name(&sources), rpm::package(&sources, &list)?),
        };
        let path = of.out.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}
