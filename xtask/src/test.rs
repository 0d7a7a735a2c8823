//! `cargo xtask test`: everything that must hold, in the order in which it fails fastest. The lab comes last.

use crate::fuzz;
use crate::lab;
use crate::progress::say;
use crate::skip::Skip;
use crate::{docs, monitoring, packages, tool, workspace};
use anyhow::{Result, bail};
use clap::Args as ClapArgs;
use std::path::Path;
use std::process::ExitCode;

#[derive(ClapArgs)]
pub struct Args {
    /// Leave the virtual machine out
    #[arg(long)]
    no_lab: bool,
}

/// A step: its name, and what it runs.
type Step = (&'static str, fn() -> Result<()>);

/// Formatting, lints, unit and tree tests, and whether the generated documents are up to date.
const STEPS: &[Step] = &[
    ("formatting", || cargo(&["fmt", "--all", "--", "--check"])),
    ("generated documents", || docs::run(&docs::Args::check())),
    ("lints", || {
        cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "--deny",
            "warnings",
        ])
    }),
    ("tests", tests),
];

/// What may be skipped on a machine that cannot run it: its name, and what it runs.
type Scenario = (&'static str, fn() -> Result<ExitCode>);

/// The fuzzer needs a C++ compiler, packages the tools of two distributions, monitoring programs of Debian; the rest shows what only
/// a real kernel and a real boot loader can.
const SCENARIOS: &[Scenario] = &[
    ("fuzz", fuzz::briefly),
    ("packages", packages::check),
    ("monitoring", monitoring::run),
    ("lab main", lab::run_main),
    ("lab bls", lab::run_bls),
    ("lab nic", lab::run_nic),
];

/// Runs every step even if one fails, so that one run shows all there is to mend.
pub fn run(args: &Args) -> Result<ExitCode> {
    let mut failed = Vec::new();
    let mut skipped = Vec::new();
    for (name, step) in STEPS {
        say(format!("test: {name}"));
        if let Err(error) = step() {
            eprintln!("error: {error:#}");
            failed.push(*name);
        }
    }
    for (name, scenario) in SCENARIOS {
        if args.no_lab && name.starts_with("lab") {
            skipped.push(format!("{name}: --no-lab was given"));
            continue;
        }
        say(format!("test: {name}"));
        match scenario() {
            Ok(code) if code == ExitCode::SUCCESS => {}
            Ok(_) => failed.push(name),
            Err(error) => {
                if let Some(reason) = error.downcast_ref::<Skip>() {
                    skipped.push(format!("{name}: {reason}"));
                } else {
                    eprintln!("error: {error:#}");
                    failed.push(name);
                }
            }
        }
    }
    for reason in &skipped {
        println!("skipped {reason}");
    }
    let passed = STEPS.len() + SCENARIOS.len() - failed.len() - skipped.len();
    println!(
        "{passed} passed, {} failed, {} skipped",
        failed.len(),
        skipped.len()
    );
    if !failed.is_empty() {
        bail!("{} failed", failed.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}

/// Trees of tests are made in memory where that is possible: what is tested is what is left in them, not a disk.
fn tests() -> Result<()> {
    const MEMORY: &str = "/dev/shm";
    let mut command = tool::command(&workspace::cargo());
    command
        .args(["test", "--workspace", "--quiet"])
        .current_dir(workspace::root());
    if Path::new(MEMORY).is_dir() {
        command.env("TMPDIR", MEMORY);
    }
    tool::run(&mut command)
}

fn cargo(args: &[&str]) -> Result<()> {
    tool::run(
        tool::command(&workspace::cargo())
            .args(args)
            .current_dir(workspace::root()),
    )
}
