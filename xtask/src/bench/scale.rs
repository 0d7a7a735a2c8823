//! `hftune plan` and `verify` on large machines: against the floor, over their size, and in memory.

use super::scale_tree::{self, Size};
use super::{Contestant, floor_program, print_table, ratio, side_by_side};
use crate::progress::say;
use crate::{static_build, tool};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::{Command, ExitCode};

/// Runs of each process.
const ROUNDS: usize = 15;

const PEAK: &str = include_str!("peak.rs");

/// 256 CPUs, 4000 interrupts, 16 ports of 64 queues.
const LARGE: Size = Size {
    cpus: 256,
    irqs: 4000,
    ports: 16,
    queues: 64,
};

/// Machines of about 1000 and 10 000 files that are otherwise alike.
const GROWING: [Size; 2] = [
    Size {
        cpus: 16,
        irqs: 280,
        ports: 2,
        queues: 64,
    },
    Size {
        cpus: 16,
        irqs: 4500,
        ports: 16,
        queues: 64,
    },
];

pub fn run() -> Result<ExitCode> {
    let dir = super::directory()?;
    let hftune = static_build::hftune()?;
    let floor = floor_program::build(&dir)?;
    let peak = super::compile(&dir, "peak", PEAK)?;

    let tree = dir.join("large");
    say("making a tree of 256 CPUs, 4000 interrupts and 16 ports");
    scale_tree::make(&tree, LARGE)?;
    for verb in ["plan", "verify"] {
        let command = || on_tree(&hftune, &tree, verb);
        let files = floor_program::opened(&command(), Some(&tree), &dir.join("strace"))?;
        let reads = floor_program::on(&floor, &dir.join("files"), &files)?;
        println!("\n{verb}: {} files and directories", files.len());
        let mut contestants = [
            Contestant::new("floor (only reads)", reads),
            Contestant::new("hftune", command()),
        ];
        side_by_side(&mut contestants, ROUNDS)?;
        print_table(&contestants);
        println!(
            "hftune {verb} takes {:.2} times the floor (goal: at most 1.3) and {:.1} MiB (goal: under 32)",
            ratio(&contestants[1], &contestants[0]),
            peak_mib(&peak, &command())?
        );
    }

    println!("\ncost of a file in a small and in a large machine");
    let mut costs = Vec::new();
    for (number, size) in GROWING.into_iter().enumerate() {
        let tree = dir.join(format!("growing{number}"));
        scale_tree::make(&tree, size)?;
        let command = on_tree(&hftune, &tree, "verify");
        let files = floor_program::opened(&command, Some(&tree), &dir.join("strace"))?.len();
        let mut contestants = [Contestant::new("verify", command)];
        side_by_side(&mut contestants, ROUNDS)?;
        let files_f = f64::from(u32::try_from(files)?);
        let micros = contestants[0].median().as_secs_f64() * 1e6 / files_f;
        println!("{files:>7} files  {micros:.2} us a file");
        costs.push(micros);
    }
    println!(
        "ten times the files cost {:.2} times as much each (goal: at most 1.3)",
        costs[1] / costs[0]
    );
    Ok(ExitCode::SUCCESS)
}

fn on_tree(hftune: &Path, tree: &Path, verb: &str) -> Command {
    let mut command = tool::command(&hftune.to_string_lossy());
    command.arg("--root").arg(tree).args([verb, "--json"]);
    command
}

/// The most memory that a command held, in MiB.
fn peak_mib(peak: &Path, command: &Command) -> Result<f64> {
    let output = tool::command(&peak.to_string_lossy())
        .arg(command.get_program())
        .args(command.get_args())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let kib: f64 = text
        .trim()
        .parse()
        .with_context(|| format!("{text:?} is no amount of memory"))?;
    Ok(kib / 1024.0)
}
