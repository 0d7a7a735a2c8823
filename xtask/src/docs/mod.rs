//! `cargo xtask docs`: `docs/settings.md` out of the words that the settings carry.

mod links;

use crate::workspace;
use anyhow::{Context, Result, bail};
use clap::Args as ClapArgs;
use hftune_domains::ALL;
use std::fmt::Write as _;

#[derive(ClapArgs)]
pub struct Args {
    /// Fail where a document is not up to date, instead of writing it
    #[arg(long)]
    check: bool,
}

impl Args {
    /// As `--check`.
    pub fn check() -> Self {
        Self { check: true }
    }
}

/// Writes the documents, or compares them with what would be written.
pub fn run(args: &Args) -> Result<()> {
    let path = workspace::root().join("docs/settings.md");
    let text = settings();
    if args.check {
        links::check()?;
        let present = std::fs::read_to_string(&path).unwrap_or_default();
        if present != text {
            bail!("docs/settings.md is not up to date: run cargo xtask docs");
        }
        return Ok(());
    }
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn settings() -> String {
    let mut text = String::from(
        "# Settings\n\nWritten by `cargo xtask docs` from the settings' own words; `hftune explain ID` shows the same.\n",
    );
    for domain in ALL {
        let _ = write!(text, "\n## {}\n", domain.name());
        for doc in domain.docs() {
            let _ = write!(text, "\n{}", hftune_report::explain::markdown(doc));
        }
    }
    text
}
