//! `cargo xtask docs`: `docs/settings.md` out of the words that the settings carry, `docs/commands.md` out of what `--help` says,
//! and `docs/schema` out of the types that are printed.

mod links;

use crate::{tool, workspace};
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
    let wanted = documents()?;
    let mut outdated: Vec<&str> = wanted
        .iter()
        .filter(|(name, text)| fs::read_to_string(root.join(name)).ok().as_ref() != Some(text))
        .map(|(name, _)| name.as_str())
        .collect();
    let left_over = left_over(&root, &wanted)?;
    if args.check {
        links::check()?;
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
fn documents() -> Result<BTreeMap<String, String>> {
    let mut documents = BTreeMap::from([
        ("docs/settings.md".to_owned(), settings()),
        ("docs/commands.md".to_owned(), commands()?),
    ]);
    let mut index = String::from(
        "# JSON outputs\n\nWritten by `cargo xtask docs`. Each output names its schema and the version of it in `schema`. Fields may be \
         added, never renamed; a change that breaks readers gets another number.\n\n| output | schema |\n|---|---|\n",
    );
    for named in hftune_report::schema::all() {
        let file = named.file();
        let _ = writeln!(index, "| `{}` | [{file}]({file}) |", named.id);
        documents.insert(
            format!("{SCHEMAS}/{file}"),
            hftune_report::to_json(&named.schema),
        );
    }
    documents.insert(format!("{SCHEMAS}/README.md"), index);
    Ok(documents)
}

/// The page of all commands; the program that makes packages is built of the same command line.
fn commands() -> Result<String> {
    tool::read(
        tool::command(&workspace::cargo())
            .args([
                "run",
                "--quiet",
                "--package",
                "hftune-packaging",
                "--",
                "--commands",
            ])
            .current_dir(workspace::root()),
    )
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
