//! Every link between documents leads somewhere.

use crate::tool;
use crate::workspace;
use anyhow::{Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A link in a document.
#[derive(Debug, PartialEq, Eq)]
struct Link {
    /// Line number, from 1.
    line: usize,
    /// What stands between the parentheses.
    target: String,
}

/// Fails with every link of the repository's Markdown files whose file or heading is missing. Addresses of other hosts are not
/// asked: a check that needs them fails for their reasons.
pub fn check() -> Result<()> {
    let root = workspace::root();
    let documents = documents(&root)?;
    let mut broken = Vec::new();
    let mut links = 0;
    for document in &documents {
        let text = fs::read_to_string(root.join(document))?;
        for link in links_of(&text) {
            links += 1;
            if let Err(why) = leads_somewhere(&root, document, &link.target, &text) {
                broken.push(format!(
                    "{}:{}: {}: {why}",
                    document.display(),
                    link.line,
                    link.target
                ));
            }
        }
    }
    if links == 0 {
        bail!(
            "no link in {} documents: the check looks in the wrong place",
            documents.len()
        );
    }
    if !broken.is_empty() {
        bail!("links that lead nowhere:\n{}", broken.join("\n"));
    }
    Ok(())
}

/// Markdown files that the repository has, or will have with the next commit.
fn documents(root: &Path) -> Result<Vec<PathBuf>> {
    let listed = tool::read(
        tool::command("git")
            .args([
                "ls-files",
                "--cached",
                "--others",
                "--exclude-standard",
                "*.md",
            ])
            .current_dir(root),
    )?;
    Ok(listed
        .lines()
        .map(PathBuf::from)
        .filter(|path| root.join(path).is_file())
        .collect())
}

/// Links outside code: `[text](target)`.
fn links_of(text: &str) -> Vec<Link> {
    let mut links = Vec::new();
    let mut in_code = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
            continue;
        }
        if in_code {
            continue;
        }
        // Every second part is between back quotes.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("x");
        let mut rest = prose.as_str();
        while let Some((_, after)) = rest.split_once("](") {
            let Some((target, after)) = after.split_once(')') else {
                break;
            };
            links.push(Link {
                line: number + 1,
                target: target.to_owned(),
            });
            rest = after;
        }
    }
    links
}

fn leads_somewhere(root: &Path, document: &Path, target: &str, text: &str) -> Result<(), String> {
    if target.starts_with("https://") || target.starts_with("mailto:") {
        return Ok(());
    }
    let (file, heading) = match target.split_once('#') {
        Some((file, heading)) => (file, Some(heading)),
        None => (target, None),
    };
    let path = if file.is_empty() {
        document.to_path_buf()
    } else {
        document.parent().unwrap_or(Path::new("")).join(file)
    };
    if !root.join(&path).exists() {
        return Err(format!("{} does not exist", path.display()));
    }
    let Some(heading) = heading else {
        return Ok(());
    };
    let other;
    let text = if file.is_empty() {
        text
    } else {
        other = fs::read_to_string(root.join(&path)).map_err(|e| e.to_string())?;
        &other
    };
    if anchors(text).contains(heading) {
        Ok(())
    } else {
        Err(format!("{} has no such heading", path.display()))
    }
}

/// The names by which headings are linked to: lower case, blanks as dashes, other punctuation left out.
fn anchors(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter_map(|line| {
            line.trim_start_matches('#')
                .strip_prefix(' ')
                .filter(|_| line.starts_with('#'))
        })
        .map(|heading| {
            heading
                .trim()
                .to_lowercase()
                .chars()
                .filter_map(|c| match c {
                    ' ' => Some('-'),
                    c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                    _ => None,
                })
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_code_are_none() {
        let text = "see [a](b.md) and `[c](d)`\n```\n[e](f)\n```\n[g](#h-i)\n";
        let targets: Vec<_> = links_of(text)
            .into_iter()
            .map(|l| (l.line, l.target))
            .collect();
        assert_eq!(targets, [(1, "b.md".to_owned()), (5, "#h-i".to_owned())]);
    }

    #[test]
    fn a_missing_file_or_heading_is_told() {
        let root = workspace::root();
        let here = Path::new("README.md");
        let to = |target: &str| leads_somewhere(&root, here, target, "# What it: does\n");
        assert_eq!(to("#what-it-does"), Ok(()));
        assert!(to("#other").is_err());
        assert_eq!(to("docs/settings.md"), Ok(()));
        assert_eq!(to("docs/settings.md#settings"), Ok(()));
        assert!(to("docs/settings.md#nothing").is_err());
        assert!(to("docs/none.md").is_err());
    }
}
