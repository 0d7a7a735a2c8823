//! `hftune verify` on this machine, a floor that only starts and reads the same files, and bash with cat on them.

use super::{Contestant, floor_program, print_table, ratio, side_by_side};
use crate::progress::say;
use crate::{static_build, tool};
use anyhow::Result;
use std::process::ExitCode;

/// Runs of each process.
const ROUNDS: usize = 30;

pub fn run() -> Result<ExitCode> {
    let dir = super::directory()?;
    let hftune = static_build::hftune()?;
    let mut verify = tool::command(&hftune.to_string_lossy());
    verify.arg("verify");
    let files = floor_program::opened(&verify, None, &dir.join("strace"))?;
    let list = dir.join("files");
    let reads = floor_program::on(&floor_program::build(&dir)?, &list, &files)?;
    say(format!(
        "{} files and directories, {ROUNDS} rounds",
        files.len()
    ));
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
    println!(
        "hftune verify takes {:.2} times the floor (goal: at most 1.5)",
        ratio(&contestants[1], &contestants[0])
    );
    println!(
        "bash with cat takes {:.0} times hftune verify (goal: at least 50)",
        ratio(&contestants[2], &contestants[1])
    );
    Ok(ExitCode::SUCCESS)
}
