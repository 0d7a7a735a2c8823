//! A manual page for every command that the shipped binary has, each without a fault.

use super::answer;
use crate::lab::Checks;
use crate::tool;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Compares the pages with the commands that the binary's own `--help` lists, and has man render them.
pub fn check(checks: &mut Checks, binary: &Path, unpacked: &Path) -> Result<()> {
    let mut wanted = BTreeSet::new();
    pages(binary, &mut vec!["hftune".to_owned()], &mut wanted)?;
    let folder = unpacked.join("usr/share/man/man8");
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(&folder)? {
        there.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    checks.that(
        "manual pages, one a command",
        there == wanted && wanted.len() > 30,
        "those of --help, more than 30",
        format!(
            "{}; without a page: {:?}; without a command: {:?}",
            there.len(),
            wanted.difference(&there).collect::<Vec<_>>(),
            there.difference(&wanted).collect::<Vec<_>>()
        ),
    );
    let mut said = String::new();
    for name in &there {
        let page = folder.join(name);
        let mut man = tool::command("man");
        man.env("MANWIDTH", "80")
            .args(["--warnings", "--encoding=UTF-8", "--local-file"])
            .arg(&page);
        let answer = tool::converse(&mut man, b"", super::CAP)?;
        ensure!(
            answer.code == Some(0),
            "man cannot render {name}: {}",
            answer.stderr
        );
        said += &answer.stderr;
        if !answer.stdout.contains("NAME") || !answer.stdout.contains("SYNOPSIS") {
            let _ = writeln!(said, "{name}: no NAME or no SYNOPSIS");
        }
    }
    checks.equal("man --warnings says of all pages", said.trim(), "");
    let answer = answer(
        "lexgrog",
        &[&folder.join("hftune-nic-tune.8.gz").to_string_lossy()],
    )?;
    checks.that(
        "what apropos finds of a page",
        answer.stdout.contains("hftune-nic-tune - Tune ports"),
        "hftune-nic-tune - Tune ports ...",
        answer.stdout.trim(),
    );
    Ok(())
}

/// The names of the pages of a command and of those inside it.
fn pages(binary: &Path, words: &mut Vec<String>, pages: &mut BTreeSet<String>) -> Result<()> {
    pages.insert(format!("{}.8.gz", words.join("-")));
    let mut command = tool::command(&binary.to_string_lossy());
    let help = tool::read(command.args(&words[1..]).arg("--help"))?;
    for name in commands(&help) {
        words.push(name.to_owned());
        self::pages(binary, words, pages).with_context(|| words.join(" "))?;
        words.pop();
    }
    Ok(())
}

/// The commands that a help text lists: each on a line that is indented by two blanks.
fn commands(help: &str) -> impl Iterator<Item = &str> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split(' ').next())
}

#[cfg(test)]
mod tests {
    #[test]
    fn commands_are_read_out_of_help() {
        let help = "Words\n\nUsage: x\n\nCommands:\n  host     Show\n           more\n  nic\n\nOptions:\n  --root <DIR>\n";
        assert_eq!(super::commands(help).collect::<Vec<_>>(), ["host", "nic"]);
        assert_eq!(super::commands("Options:\n  -h\n").count(), 0);
    }
}
