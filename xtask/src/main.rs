//! hftune's own chores, run as `cargo xtask CHORE`: one file or folder per chore, this file only dispatches.
#![allow(
    clippy::disallowed_methods,
    reason = "the ban keeps the product on one road to the machine; chores run tools and write under target/"
)]

mod bench;
mod child;
mod dist;
mod docs;
mod faults;
mod fuzz;
mod lab;
mod monitoring;
mod notices;
mod packages;
mod progress;
mod setup;
mod skip;
mod static_build;
mod test;
mod tool;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// hftune's own chores
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Run hftune for real in a virtual machine that boots its own GRUB
    Lab(lab::Args),
    /// Build, install and run hftune setup on this machine
    Setup(setup::Args),
    /// Make the deb and the rpm
    Dist(dist::Args),
    /// Run everything that must hold: formatting, documents, lints, tests, the lab
    Test(test::Args),
    /// Kill a setup and a rollback at every system call that changes something, and refuse every one
    Faults,
    /// Look for bytes that break a reader of what others write
    Fuzz(fuzz::Args),
    /// Write docs/ from the settings' own words
    Docs(docs::Args),
    /// Have a real node_exporter and a real Prometheus read the metrics, and answer the dashboard and the alert rules
    Monitoring,
    /// Measure whole processes side by side
    Bench(bench::Args),
}

fn main() -> ExitCode {
    progress::start();
    let result = match Cli::parse().chore {
        Chore::Lab(args) => lab::run(args),
        Chore::Setup(args) => setup::run(&args),
        Chore::Dist(args) => dist::run(&args),
        Chore::Test(args) => test::run(&args),
        Chore::Docs(args) => docs::run(&args).map(|()| ExitCode::SUCCESS),
        Chore::Bench(args) => bench::run(&args),
        Chore::Fuzz(args) => fuzz::run(&args),
        Chore::Monitoring => monitoring::run(),
        Chore::Faults => faults::run().map(|()| ExitCode::SUCCESS),
    };
    let error = match result {
        Ok(code) => return code,
        Err(error) => error,
    };
    if let Some(skip) = error.downcast_ref::<skip::Skip>() {
        eprintln!("skipped: {skip}");
        return ExitCode::from(skip::EXIT_SKIPPED);
    }
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
