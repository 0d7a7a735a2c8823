//! Scenario `report`: what `hftune jitter` finds on a stock guest and on the same guest set up, side by side on one page.

use super::control::Control;
use super::guest::{Guest, Options};
use super::image::Image;
use super::machine::Clock;
use super::ports::Ports;
use crate::progress::say;
use anyhow::{Context, Result, ensure};
use hftune_model::jitter::Jitter;
use std::path::Path;

/// One of the CPUs that the built-in profile isolates on the lab's machine: the emulator lets its CPUs take turns, so that loops on
/// several would be each other's gaps. Each of two passes takes so long.
const JITTER: &str = "hftune jitter --cpus 5 --duration 10s --json";

/// Guest seconds after a boot in which services come to rest.
const SETTLE: u32 = 20;

/// Runs it and leaves `report.html` in `logs`; true where a tenth of the time was lost to the kernel after,
/// or less.
pub fn run(image: &Image, binary: &Path, logs: &Path) -> Result<bool> {
    say("booting a stock guest");
    let options = Options {
        keep_changes: false,
        // Instructions drive the guest's clock: what the emulator does meanwhile is no gap.
        clock: Clock::Instructions,
        ports: Ports::OfEveryScenario,
    };
    let mut guest = Guest::boot(image, logs, options)?;
    guest
        .control()
        .put(binary, "/usr/local/bin/hftune", 0o755)?;
    let before = jitter(guest.control(), "before")?;
    say("setting up");
    let answer = guest
        .control()
        .run("hftune setup --yes --profile hft-max")?;
    ensure!(
        matches!(answer.code, Some(0 | 4)),
        "setup exits with {:?}: {}",
        answer.code,
        answer.stderr
    );
    say("rebooting: set up");
    guest.reboot()?;
    let after = jitter(guest.control(), "after")?;
    guest
        .control()
        .read("hftune report -o /root/report.html /root/before.json /root/after.json")?;
    let page = logs.join("report.html");
    guest.control().get("/root/report.html", &page)?;
    for name in ["before.json", "after.json"] {
        guest
            .control()
            .get(&format!("/root/{name}"), &logs.join(name))?;
    }
    println!(
        "lost to the kernel in 10 s: {:.3} ms before, {:.3} ms after\npage: {}",
        before / 1e6,
        after / 1e6,
        page.display()
    );
    Ok(before > 0.0 && after <= before / 10.0)
}

/// Measures, and tells how many nanoseconds were lost to causes of the kernel. What the emulator takes is no setting's matter.
fn jitter(control: &Control, name: &str) -> Result<f64> {
    say(format!("measuring: {name}"));
    let file = format!("/root/{name}.json");
    control.read(&format!("sleep {SETTLE}"))?;
    control.read_slowly(&format!("{JITTER} > {file}"))?;
    let measured: Jitter = serde_json::from_str(&control.read(&format!("cat {file}"))?)?;
    let cpu = measured.cpus.first().context("no CPU was measured")?;
    ensure!(cpu.traced.is_some(), "the kernel was not traced");
    let of_kernel = cpu.causes.iter().filter(|cause| cause.is_of_kernel());
    // The sum of none is -0.
    Ok(of_kernel.fold(0.0, |lost, cause| lost + cause.lost_ns))
}
