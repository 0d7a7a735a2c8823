//! `cargo xtask bench`: whole processes side by side in one run. Ratios are what counts; the machine is noisy.

mod verify;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};
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
}

/// Runs one benchmark and prints its table.
pub fn run(args: &Args) -> Result<ExitCode> {
    match args.what {
        What::Verify => verify::run(),
    }
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
