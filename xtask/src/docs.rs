//! `cargo xtask docs`: `docs/settings.md` out of the words that the settings carry, and `docs/schema` out of the types that
//! are printed.

use crate::workspace;
use anyhow::{Context, Result, bail};
use clap::Args as ClapArgs;
use hftune_domains::ALL;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

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
    let root = workspace::root();
    let wanted = documents();
    let mut outdated: Vec<&str> = wanted
        .iter()
        .filter(|(name, text)| fs::read_to_string(root.join(name)).ok().as_ref() != Some(text))
        .map(|(name, _)| name.as_str())
        .collect();
    let left_over = left_over(&root, &wanted)?;
    if args.check {
        outdated.extend(left_over.iter().map(String::as_str));
        if !outdated.is_empty() {
            bail!(
                "{} not up to date: run cargo xtask docs",
                outdated.join(", ")
            );
        }
        return Ok(());
    }
    fs::create_dir_all(root.join(SCHEMAS))?;
    for name in outdated {
        let path = root.join(name);
        fs::write(&path, &wanted[name])
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    for name in left_over {
        fs::remove_file(root.join(name))?;
    }
    Ok(())
}

/// Where the schemas lie.
const SCHEMAS: &str = "docs/schema";

/// Every document that is written, by its path.
fn documents() -> BTreeMap<String, String> {
    let schemas = hftune_report::schema::all().into_iter().map(|named| {
        let path = format!("{SCHEMAS}/{}", named.file());
        (path, hftune_report::to_json(&named.schema))
    });
    std::iter::once(("docs/settings.md".to_owned(), settings()))
        .chain(schemas)
        .collect()
}

/// Schemas of what is printed no longer.
fn left_over(root: &Path, wanted: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let Ok(entries) = fs::read_dir(root.join(SCHEMAS)) else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = format!("{SCHEMAS}/{}", entry?.file_name().display());
        if !wanted.contains_key(&name) {
            names.push(name);
        }
    }
    Ok(names)
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
