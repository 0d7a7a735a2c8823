//! `cargo xtask fuzz`: looks for bytes that break a reader, guided by coverage (libFuzzer). What is new goes to
//! `fuzz/corpus`, and what breaks a target to `target/fuzz`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::lab::apt_get;
use crate::progress::say;
use crate::skip::skip;
use crate::{tool, workspace};
use anyhow::{Context, Result, bail, ensure};
use clap::Args as ClapArgs;

/// What rustc needs for libFuzzer (`-C instrument-coverage` is another thing): counters at every edge, a table of their
/// places, and the operands of comparisons.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// Flags that are not meant for build scripts need a target.
const TRIPLE: &str = if cfg!(target_arch = "aarch64") {
    "aarch64-unknown-linux-gnu"
} else {
    "x86_64-unknown-linux-gnu"
};

/// The most bytes of an input; a grubenv has 1024.
const LONGEST: u32 = 2048;

/// The most memory of a target, in MiB: what it reads is small.
const MEMORY: u32 = 1024;

/// An input that takes longer hangs.
const SECONDS_AN_INPUT: u32 = 10;

#[derive(ClapArgs)]
pub struct Args {
    /// Only these targets
    targets: Vec<String>,
    /// How long each target runs
    #[arg(long, default_value_t = 60, value_name = "N")]
    seconds: u32,
    /// Keep what was found in the corpus, without what adds nothing
    #[arg(long)]
    keep: bool,
}

/// How long each target runs with the other tests.
const BRIEFLY: u32 = 2;

/// All targets for a moment, as `cargo xtask test` does: that they still build and run, and a little luck.
pub fn briefly() -> Result<ExitCode> {
    run(&Args {
        targets: Vec::new(),
        seconds: BRIEFLY,
        keep: false,
    })
}

/// Runs the targets, each for so long.
pub fn run(args: &Args) -> Result<ExitCode> {
    let corpus = workspace::root().join("fuzz/corpus");
    let mut names = Vec::new();
    for entry in fs::read_dir(&corpus)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    if let Some(unknown) = args.targets.iter().find(|name| !names.contains(name)) {
        bail!(
            "there is no target {unknown}; there are {}",
            names.join(", ")
        );
    }
    if !args.targets.is_empty() {
        names.retain(|name| args.targets.contains(name));
    }
    let binary = build()?;
    let mut broken = Vec::new();
    for name in &names {
        let began = Instant::now();
        if let Err(error) = one(&binary, &corpus.join(name), name, args) {
            eprintln!("error: {name}: {error:#}");
            broken.push(name.as_str());
        }
        say(format!("fuzz: {name}, {} s", began.elapsed().as_secs()));
    }
    println!(
        "fuzz: {} targets, {} s each, {} broken",
        names.len(),
        args.seconds,
        broken.len()
    );
    ensure!(broken.is_empty(), "{} broke", broken.join(", "));
    Ok(ExitCode::SUCCESS)
}

/// Builds the fuzzer.
fn build() -> Result<PathBuf> {
    ensure_compiler()?;
    say("building the fuzzer");
    let target = workspace::target_dir()?.join("fuzz");
    tool::run(
        tool::command(&workspace::cargo())
            .args([
                "build",
                "--quiet",
                "--package",
                "hftune-fuzz",
                "--bin",
                "fuzz",
            ])
            .args([
                "--features",
                "libfuzzer",
                "--profile",
                "fuzz",
                "--target",
                TRIPLE,
            ])
            .arg("--target-dir")
            .arg(&target)
            .current_dir(workspace::root())
            .env("RUSTFLAGS", FLAGS),
    )?;
    Ok(target.join(TRIPLE).join("fuzz/fuzz"))
}

/// libFuzzer is C++. Installed where that is possible.
fn ensure_compiler() -> Result<()> {
    if tool::find("c++").is_some() {
        return Ok(());
    }
    if tool::find("apt-get").is_none() || !rustix::process::geteuid().is_root() {
        return Err(skip(
            "the fuzzer needs a C++ compiler, c++, which is not installed",
        ));
    }
    say("installing g++ with apt");
    tool::run(apt_get().arg("update"))?;
    tool::run(apt_get().args(["install", "g++"]))
}

fn one(binary: &Path, kept: &Path, name: &str, args: &Args) -> Result<()> {
    let work = workspace::target_dir()?.join("fuzz/run").join(name);
    let found = work.join("found");
    fs::create_dir_all(&found)?;
    let log = work.join("log");
    let output = fs::File::create(&log)?;
    let status = Command::new(binary)
        .env("HFTUNE_FUZZ_TARGET", name)
        .current_dir(&work)
        .args([
            format!("-max_total_time={}", args.seconds),
            format!("-max_len={LONGEST}"),
            format!("-rss_limit_mb={MEMORY}"),
            format!("-timeout={SECONDS_AN_INPUT}"),
            "-use_value_profile=1".to_owned(),
            "-print_final_stats=1".to_owned(),
        ])
        .args([found.as_os_str(), kept.as_os_str()])
        .stdout(output.try_clone()?)
        .stderr(output)
        .status()
        .with_context(|| format!("start {}", binary.display()))?;
    ensure!(status.success(), "it broke: {}", log.display());
    if args.keep {
        merge(binary, name, kept, &found)?;
    }
    Ok(())
}

/// The least of both directories that reaches as much, in the corpus.
fn merge(binary: &Path, name: &str, kept: &Path, found: &Path) -> Result<()> {
    let merged = found.with_file_name("merged");
    if merged.exists() {
        fs::remove_dir_all(&merged)?;
    }
    fs::create_dir(&merged)?;
    let log = fs::File::create(found.with_file_name("merge-log"))?;
    let directories: [&OsStr; 3] = [merged.as_ref(), kept.as_ref(), found.as_ref()];
    let status = Command::new(binary)
        .env("HFTUNE_FUZZ_TARGET", name)
        // By the edges that are reached alone: how often matters to the search, and would keep thousands.
        .args(["-merge=1", "-use_counters=0"])
        .arg(format!("-max_len={LONGEST}"))
        .args(directories)
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()?;
    ensure!(status.success(), "the corpus cannot be merged");
    for entry in fs::read_dir(kept)? {
        fs::remove_file(entry?.path())?;
    }
    for entry in fs::read_dir(&merged)? {
        let path = entry?.path();
        fs::copy(&path, kept.join(path.file_name().expect("a file")))?;
    }
    Ok(())
}
