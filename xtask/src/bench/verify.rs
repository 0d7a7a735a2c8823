//! `hftune verify` on this machine, a floor that only starts and reads the same files, and bash with cat on them.

use super::{Contestant, print_table, side_by_side};
use crate::progress::say;
use crate::skip::skip;
use crate::{static_build, tool, workspace};
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

/// Runs of each process.
const ROUNDS: usize = 30;

/// Source of the floor: compiled on its own, so that it carries nothing that verify does not need.
const FLOOR: &str = include_str!("floor.rs");

pub fn run() -> Result<ExitCode> {
    if tool::find("strace").is_none() {
        return Err(skip(
            "strace, which lists the files that verify opens, is not installed",
        ));
    }
    let hftune = static_build::hftune()?;
    let dir = workspace::target_dir()?.join("bench");
    std::fs::create_dir_all(&dir)?;
    let list = dir.join("files");
    let files = opened(&hftune, &dir.join("strace"))?;
    std::fs::write(&list, files.join("\n") + "\n")?;
    let floor = build_floor(&dir)?;
    say(format!(
        "{} files and directories, {ROUNDS} rounds",
        files.len()
    ));

    let mut verify = tool::command(&hftune.to_string_lossy());
    verify.arg("verify");
    let mut reads = tool::command(&floor.to_string_lossy());
    reads.arg(&list);
    let mut bash = tool::command("bash");
    bash.arg("-c")
        .arg("while read -r file; do cat \"$file\"; done < \"$1\"")
        .arg("bash")
        .arg(&list);
    let mut contestants = [
        Contestant::new("floor (only reads)", reads),
        Contestant::new("hftune verify", verify),
        Contestant::new("bash with cat", bash),
    ];
    side_by_side(&mut contestants, ROUNDS)?;
    print_table(&contestants);
    let ratio = |a: usize, b: usize| {
        contestants[a].median().as_secs_f64() / contestants[b].median().as_secs_f64()
    };
    println!(
        "hftune verify takes {:.2} times the floor (goal: at most 1.5)",
        ratio(1, 0)
    );
    println!(
        "bash with cat takes {:.0} times hftune verify (goal: at least 50)",
        ratio(2, 1)
    );
    Ok(ExitCode::SUCCESS)
}

/// The files and directories that verify opens, in no order, each once.
fn opened(hftune: &Path, log: &Path) -> Result<Vec<String>> {
    // Verify ends with the exit code of its findings; the log is what counts.
    tool::command("strace")
        .args([
            "-f",
            "-qq",
            "-s",
            "4096",
            "-e",
            "trace=openat,openat2",
            "-o",
        ])
        .arg(log)
        .arg(hftune)
        .arg("verify")
        .stdout(std::process::Stdio::null())
        .status()
        .context("cannot start strace")?;
    let text = std::fs::read_to_string(log)?;
    let files: BTreeSet<String> = text
        .lines()
        .filter(|line| !line.contains(" = -1 ") && !line.contains("O_PATH"))
        .filter_map(|line| Some(line.split_once('"')?.1.split_once('"')?.0.to_owned()))
        .filter(|path| path.starts_with('/'))
        .collect();
    Ok(files.into_iter().collect())
}

fn build_floor(dir: &Path) -> Result<std::path::PathBuf> {
    let source = dir.join("floor.rs");
    let binary = dir.join("floor");
    std::fs::write(&source, FLOOR)?;
    tool::run(
        tool::command("rustc")
            .args([
                "--edition",
                "2024",
                "-O",
                "-C",
                "target-feature=+crt-static",
                "-C",
                "panic=abort",
                "-o",
            ])
            .arg(&binary)
            .arg(&source),
    )?;
    Ok(binary)
}
