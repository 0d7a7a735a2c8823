//! Scenario `main`: stock, plan, setup, reboot, verify, libvma and the launcher, rollback, reboot, stock.

use super::image::Image;
use super::libvma;
use super::machine::Clock;
use super::scenario::{Scenario, Stock};
use super::snapshot;
use super::steps::{self, exits_with_reboot_missing, hftune};
use super::tuned_state;
use anyhow::Result;
use std::path::Path;

/// Runs the scenario with `binary`; true when every assertion held.
pub fn run(image: &Image, binary: &Path, logs: &Path) -> Result<bool> {
    // Instructions drive the guest's clock: rates are judged.
    let (mut scenario, stock) = steps::start(image, binary, logs, Clock::Instructions)?;
    scenario.stock_timer_rate("stock")?;

    steps::plan(&mut scenario)?;
    let services = setup(&mut scenario, &stock)?;
    scenario.reboot("tuned")?;
    steps::verified(&mut scenario, "after the reboot")?;
    tuned_state::check(&mut scenario, &services)?;
    libvma::check(&mut scenario)?;
    steps::roll_back(&mut scenario, &stock)?;
    scenario.reboot("stock again")?;

    steps::as_before(&mut scenario, &stock)?;
    scenario.stock_timer_rate("stock again")?;
    scenario.finish()
}

/// Sets up, twice, and judges what was saved; returns the services that were written.
fn setup(scenario: &mut Scenario, stock: &Stock) -> Result<Vec<String>> {
    let files = steps::set_up(scenario, stock)?;
    let answer = hftune(scenario, "setup --yes")?;
    exits_with_reboot_missing(&mut scenario.checks, "a second setup", &answer);
    let said = format!("{}{}", answer.stdout, answer.stderr).to_lowercase();
    let says_so = ["nothing", "no change", "already"]
        .iter()
        .any(|words| said.contains(words));
    scenario.checks.that(
        "a second setup says that it changes nothing",
        says_so,
        "nothing/no change/already",
        said.trim(),
    );
    scenario.checks.same(
        "files after a second setup",
        &files,
        &snapshot::files(scenario.control())?,
    );

    let services = tuned_state::new_services(&stock.files, &files);
    let paths: Vec<String> = services
        .iter()
        .map(|unit| format!("/etc/systemd/system/{unit}"))
        .collect();
    let answer = scenario
        .control()
        .run(&format!("systemd-analyze verify {}", paths.join(" ")))?;
    let said = format!("{}{}", answer.stdout, answer.stderr);
    scenario.checks.equal(
        "systemd-analyze verify of the new units exits with",
        &answer.code,
        &Some(0),
    );
    scenario
        .checks
        .equal("systemd-analyze verify says", said.trim(), "");

    saved_boot_arguments(scenario)?;

    steps::pending(scenario)?;
    Ok(services)
}

/// The arguments that the next boot will have, as a real shell and GRUB's own checker read them.
fn saved_boot_arguments(scenario: &mut Scenario) -> Result<()> {
    let line = scenario.control().read(
        "set -e; . /etc/default/grub; for file in /etc/default/grub.d/*.cfg; do . \"$file\"; done; \
         echo \"$GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT\"",
    )?;
    tuned_state::check_arguments(
        &mut scenario.checks,
        "/etc/default/grub and its drop-ins",
        &line,
    );
    let menu = scenario
        .control()
        .read("grep -E '^[[:space:]]*linux[[:space:]]' /boot/grub/grub.cfg | head -n 1")?;
    tuned_state::check_arguments(&mut scenario.checks, "the first entry of grub.cfg", &menu);
    let answer = scenario
        .control()
        .run("grub-script-check /boot/grub/grub.cfg")?;
    scenario
        .checks
        .equal("grub-script-check exits with", &answer.code, &Some(0));
    Ok(())
}
