//! What lintian, rpmlint and shellcheck say. Findings that are meant are in `packaging/debian/lintian-overrides` and
//! `packaging/rpmlint.toml`, each with its reason.

use super::{Pair, answer};
use crate::lab::Checks;
use crate::{tool::Answer, workspace};
use anyhow::Result;
use std::fs;
use std::path::Path;

/// Asserts that they find nothing.
pub fn check(checks: &mut Checks, pair: &Pair) -> Result<()> {
    let root = workspace::root();
    let text = |path: &Path| path.to_string_lossy().into_owned();

    let deb = text(&pair.deb);
    let lintian = answer(
        "lintian",
        &[
            "--display-info",
            "--pedantic",
            "--allow-root",
            // Remarks below a warning change with the words that happen to lie beside each other in the binary.
            "--fail-on=error,warning",
            &deb,
        ],
    )?;
    clean(checks, "lintian", &lintian);

    let config = text(&root.join("packaging/rpmlint.toml"));
    let rpmlint = answer("rpmlint", &["--config", &config, &text(&pair.rpm)])?;
    clean(checks, "rpmlint", &rpmlint);
    checks.that(
        "rpmlint has looked",
        rpmlint
            .stdout
            .contains("1 packages and 0 specfiles checked; 0 errors, 0 warnings"),
        "1 packages ... checked; 0 errors, 0 warnings",
        rpmlint.stdout.lines().last().unwrap_or_default(),
    );

    let mut scripts = vec!["--severity=style".to_owned()];
    for folder in ["packaging/scripts", "scripts"] {
        for entry in fs::read_dir(root.join(folder))? {
            scripts.push(text(&entry?.path()));
        }
    }
    let arguments: Vec<&str> = scripts.iter().map(String::as_str).collect();
    clean(checks, "shellcheck", &answer("shellcheck", &arguments)?);
    Ok(())
}

fn clean(checks: &mut Checks, tool: &str, answer: &Answer) {
    checks.that(
        tool,
        answer.code == Some(0),
        "no finding",
        match answer.code {
            Some(0) => "no finding".to_owned(),
            _ => format!("{}{}", answer.stdout, answer.stderr),
        },
    );
}
