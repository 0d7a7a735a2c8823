//! `cargo xtask bench`: whole processes side by side in one run. Ratios are what counts; the machine is noisy.

mod floor_program;
mod jitter;
mod nic;
mod run;
mod scale;
mod scale_tree;
mod verify;

use crate::skip::skip;
use crate::{tool, workspace};
use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// `hftune verify` against a program that only reads the same files, and against bash with cat
    Verify,
    /// `hftune plan` and `verify` on a machine of 256 CPUs, 4000 interrupts and 16 ports, against a program that only
    /// reads the same files; and the cost of a file from 1000 to 10 000 files
    Scale,
    /// `hftune nic show` against the ethtool commands that show the same, on the ports there are and on 16 in a network
    /// namespace
    Nic(nic::Args),
    /// The loop of `hftune jitter` against those of sysjitter, oslat and clock_gettime; what it finds and names; its clock
    Jitter,
    /// `hftune run` against chrt, taskset and env, and against a bash script
    Run,
}

/// Runs one benchmark and prints its table.
pub fn run(args: &Args) -> Result<ExitCode> {
    match &args.what {
        What::Verify => verify::run(),
        What::Scale => scale::run(),
        What::Nic(args) => nic::run(args),
        What::Jitter => jitter::run(),
        What::Run => run::run(),
    }
}

/// Where benchmarks keep their files; a skip where strace, which lists what hftune opens, is missing.
fn directory() -> Result<PathBuf> {
    if tool::find("strace").is_none() {
        return Err(skip(
            "strace, which lists the files that hftune opens, is not installed",
        ));
    }
    let dir = workspace::target_dir()?.join("bench");
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// Compiles a program of one file into `dir`.
fn compile(dir: &Path, name: &str, source: &str) -> Result<PathBuf> {
    let file = dir.join(format!("{name}.rs"));
    let binary = dir.join(name);
    std::fs::write(&file, source)?;
    tool::run(
        tool::command("rustc")
            .args(["--edition", "2024", "-O"])
            .args([
                "-C",
                "target-feature=+crt-static",
                "-C",
                "panic=abort",
                "-o",
            ])
            .arg(&binary)
            .arg(&file),
    )?;
    Ok(binary)
}

/// A command under measurement.
struct Contestant {
    name: &'static str,
    command: Command,
    times: Vec<Duration>,
}

impl Contestant {
    fn new(name: &'static str, mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self {
            name,
            command,
            times: Vec::new(),
        }
    }

    fn run_once(&mut self) -> Result<Duration> {
        let start = Instant::now();
        self.command.status()?;
        Ok(start.elapsed())
    }

    fn median(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times[times.len() / 2]
    }
}

/// Runs all in turn, A B C A B C, so that a drift of the machine's speed meets each of them.
fn side_by_side(contestants: &mut [Contestant], rounds: usize) -> Result<()> {
    for contestant in &mut *contestants {
        contestant.run_once()?;
    }
    for _ in 0..rounds {
        for contestant in &mut *contestants {
            let time = contestant.run_once()?;
            contestant.times.push(time);
        }
    }
    Ok(())
}

/// How many times as long as the second the first takes.
fn ratio(a: &Contestant, b: &Contestant) -> f64 {
    a.median().as_secs_f64() / b.median().as_secs_f64()
}

/// Median of each, and its ratio to the first.
fn print_table(contestants: &[Contestant]) {
    let first = contestants[0].median().as_secs_f64();
    println!("{:<24}  {:>10}  {:>10}", "PROCESS", "MEDIAN ms", "TO FIRST");
    for contestant in contestants {
        let median = contestant.median().as_secs_f64();
        println!(
            "{:<24}  {:>10.2}  {:>10.2}",
            contestant.name,
            median * 1e3,
            median / first
        );
    }
}
