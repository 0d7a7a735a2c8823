//! The loop of `hftune jitter` against those of other meters, its clock, and what it finds and names of preemptions that are
//! made on purpose.

use super::compile;
use crate::progress::say;
use crate::skip::skip;
use crate::{static_build, tool, workspace};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

/// Prints the most memory that a command held.
const PEAK: &str = include_str!("peak.rs");

/// Runs of oslat, of which the best counts.
const OSLAT_ROUNDS: usize = 3;

/// What is to hold: its name, the figure, and the bar.
struct Bar {
    what: &'static str,
    figure: Option<f64>,
    goal: f64,
    at_least: bool,
}

pub fn run() -> Result<ExitCode> {
    if !rustix::process::geteuid().is_root() {
        return Err(skip("the kernel's trace needs root"));
    }
    let numbers = loops()?;
    let get = |name: &str| {
        numbers
            .get(name)
            .copied()
            .with_context(|| format!("no {name}"))
    };
    let ours = get("loop_ns")?;
    let oslat = oslat()?;
    let (faults, cpus, peak_kib) = process()?;
    let budget = 8.0 * 1024.0 + 1024.0 * cpus;
    println!(
        "a turn: ours {ours:.2} ns, sysjitter's loop {:.2} ns, clock_gettime {:.2} ns, oslat {}; traced {:.2} ns\n\
         counter {:.6} GHz; threshold {:.0} ns; {} preemptions of 20 us; {} gaps over 100 us; peak memory {peak_kib:.0} KiB on {cpus} CPUs\n",
        get("sysjitter_ns")?,
        get("clock_gettime_ns")?,
        oslat.map_or_else(
            || "not installed (rt-tests)".to_owned(),
            |ns| format!("{ns:.2} ns")
        ),
        get("traced_ns")?,
        get("clock_ghz")?,
        get("threshold_ns")?,
        get("injected")?,
        get("long")?,
    );
    let most = |what, figure, goal| Bar {
        what,
        figure,
        goal,
        at_least: false,
    };
    let least = |what, figure, goal| Bar {
        what,
        figure,
        goal,
        at_least: true,
    };
    let bars = [
        most(
            "loop / sysjitter's loop",
            Some(ours / get("sysjitter_ns")?),
            1.05,
        ),
        most("loop / oslat's", oslat.map(|oslat| ours / oslat), 0.5),
        most(
            "loop / clock_gettime loop",
            Some(ours / get("clock_gettime_ns")?),
            0.5,
        ),
        most(
            "loop traced / not traced",
            Some(get("traced_ns")? / ours),
            1.02,
        ),
        least(
            "preemptions found",
            Some(get("found")? / get("injected")?),
            0.99,
        ),
        least(
            "preemptions named",
            Some(get("named")? / get("injected")?),
            0.98,
        ),
        least(
            "gaps over 100 us named",
            Some(get("long_named")? / get("long")?.max(1.0)),
            0.95,
        ),
        most(
            "clock, ppm from the kernel's",
            Some(get("clock_ppm")?),
            10.0,
        ),
        most(
            "page faults in the loop",
            Some(get("faults")? + faults),
            0.0,
        ),
        most("allocations in the loop", Some(get("allocations")?), 0.0),
        most(
            "peak memory / (8 MiB + 1 MiB a CPU)",
            Some(peak_kib / budget),
            1.0,
        ),
    ];
    println!("{:<38} {:>9}  {:>9}", "BAR", "FIGURE", "GOAL");
    let mut missed = 0;
    for bar in &bars {
        let sign = if bar.at_least { ">=" } else { "<=" };
        let (figure, word) = match bar.figure {
            None => ("-".to_owned(), "not measured"),
            Some(figure) => {
                let met = if bar.at_least {
                    figure >= bar.goal
                } else {
                    figure <= bar.goal
                };
                missed += usize::from(!met);
                (format!("{figure:.3}"), if met { "" } else { "missed" })
            }
        };
        println!(
            "{:<38} {figure:>9}  {sign:>4} {:>5}  {word}",
            bar.what, bar.goal
        );
    }
    println!(
        "\n{} of {} bars hold",
        bars.iter().filter(|bar| bar.figure.is_some()).count() - missed,
        bars.len()
    );
    Ok(ExitCode::from(u8::from(missed > 0)))
}

/// The figures of `crates/measure/examples/loops.rs`.
fn loops() -> Result<BTreeMap<String, f64>> {
    say("measuring loops, the clock and preemptions");
    let mut command = tool::command(&workspace::cargo());
    command
        .args([
            "run",
            "--quiet",
            "--release",
            "--package",
            "hftune-measure",
            "--example",
            "loops",
        ])
        .current_dir(workspace::root());
    let mut numbers = BTreeMap::new();
    for line in tool::read(&mut command)?.lines() {
        let (name, number) = line.split_once(' ').context("a name and a number")?;
        numbers.insert(name.to_owned(), number.parse()?);
    }
    Ok(numbers)
}

/// Nanoseconds a turn of oslat, the best of some runs: how long it ran over what it counted.
fn oslat() -> Result<Option<f64>> {
    if tool::find("oslat").is_none() {
        return Ok(None);
    }
    say("running oslat");
    let online = std::fs::read_to_string("/sys/devices/system/cpu/online")?;
    let last = online
        .trim()
        .rsplit([',', '-'])
        .next()
        .context("CPUs")?
        .to_owned();
    let file = workspace::target_dir()?.join("oslat.json");
    let mut best: Option<f64> = None;
    for _ in 0..OSLAT_ROUNDS {
        let mut command = tool::command("oslat");
        command.args(["--cpu-list", &last, "--duration", "3", "--quiet"]);
        command.arg(format!("--json={}", file.display()));
        tool::read(&mut command)?;
        let told: Value = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
        let thread = &told["thread"]["0"];
        let counts = thread["histogram"]
            .as_object()
            .context("oslat's histogram")?;
        let turns: f64 = counts.values().filter_map(Value::as_f64).sum();
        let seconds = thread["duration"].as_f64().context("how long oslat ran")?;
        ensure!(turns > 0.0, "oslat counted nothing");
        let ns = seconds * 1e9 / turns;
        best = Some(best.map_or(ns, |best| best.min(ns)));
    }
    Ok(best)
}

/// Page faults that `hftune jitter` tells, the CPUs that it measured, and the most memory that it held.
fn process() -> Result<(f64, f64, f64)> {
    say("running hftune jitter");
    let hftune = static_build::hftune()?;
    let dir = workspace::target_dir()?.join("bench");
    std::fs::create_dir_all(&dir)?;
    let peak = compile(&dir, "peak", PEAK)?;
    let json = tool::read(&mut jitter(&hftune))?;
    let told: Value = serde_json::from_str(&json)?;
    let cpus = told["cpus"].as_array().context("cpus")?;
    let faults: f64 = cpus.iter().filter_map(|cpu| cpu["faults"].as_f64()).sum();
    let mut command = tool::command(&peak.display().to_string());
    command.arg(&hftune).args(ARGUMENTS);
    let peak_kib = tool::read(&mut command)?.trim().parse()?;
    #[allow(clippy::cast_precision_loss, reason = "a count of CPUs")]
    Ok((faults, cpus.len() as f64, peak_kib))
}

const ARGUMENTS: [&str; 4] = ["jitter", "--json", "--duration", "5s"];

fn jitter(hftune: &Path) -> std::process::Command {
    let mut command = tool::command(&hftune.display().to_string());
    command.args(ARGUMENTS);
    command
}
