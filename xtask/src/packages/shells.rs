//! Completions, as the shells read them.

use super::answer;
use crate::lab::Checks;
use anyhow::Result;
use std::path::Path;

/// What bash-completion would do after `hftune nic t`: a function that is told the word and the one before.
const BASH: &str = r#"source "$0"; COMP_WORDS=(hftune nic t); COMP_CWORD=2; _hftune hftune t nic; echo "${COMPREPLY[@]}""#;

/// What fish offers there.
const FISH: &str = r#"source $argv[1]; complete --do-complete "hftune nic t""#;

/// Asserts that each shell takes them, and that what they offer is right where a shell tells it without a terminal.
pub fn check(checks: &mut Checks, unpacked: &Path) -> Result<()> {
    let share = unpacked.join("usr/share");
    let path = |path: &str| share.join(path).to_string_lossy().into_owned();
    let bash = path("bash-completion/completions/hftune");
    let zsh = path("zsh/vendor-completions/_hftune");
    let fish = path("fish/vendor_completions.d/hftune.fish");
    for (shell, file) in [("bash", &bash), ("zsh", &zsh), ("fish", &fish)] {
        let answer = answer(shell, &["-n", file])?;
        checks.that(
            format!("{shell} -n of the completions"),
            answer.code == Some(0) && answer.stderr.is_empty(),
            "no fault",
            format!("exit code {:?} {}", answer.code, answer.stderr),
        );
    }
    let said = answer("bash", &["--norc", "-c", BASH, &bash])?;
    checks.equal("bash completes hftune nic t to", said.stdout.trim(), "tune");
    let said = answer("fish", &["--no-config", "-c", FISH, &fish])?;
    let words: Vec<&str> = said
        .stdout
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    checks.equal("fish completes hftune nic t to", &words[..], &["tune"]);
    Ok(())
}
