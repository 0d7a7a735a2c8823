//! Scenario `bls`: the main job where GRUB reads `/boot/loader/entries`, with a kernel that is installed in between.
//!
//! No rate is judged, so no instructions are counted: each boot takes half the time.

use super::boot_entries::{DIRECTORY, TUNED_PARAMS};
use super::image::Image;
use super::machine::Clock;
use super::scenario::{Scenario, Stock};
use super::snapshot::Snapshot;
use super::{steps, tuned_state};
use crate::progress::say;
use anyhow::Result;
use std::path::Path;

/// The version under which the guest's kernel is installed once more: the menu sorts it first, and GRUB boots the first.
const NEW_KERNEL: &str = "99.0.0-lab";

/// What GRUB reads and set-up has no reason to touch.
const NOT_OURS: [&str; 2] = ["/boot/grub/grub.cfg", "/boot/grub2/grubenv"];

/// The word of an entry for which GRUB puts the value that its environment block has.
const VARIABLE: &str = "$tuned_params";

/// Runs the scenario with `binary`; true when every assertion held.
pub fn run(image: &Image, binary: &Path, logs: &Path) -> Result<bool> {
    let (mut scenario, stock) = steps::start(image, binary, logs, Clock::Host)?;
    stock_entry_booted(&mut scenario, "stock")?;

    steps::plan(&mut scenario)?;
    let files = steps::set_up(&mut scenario, &stock)?;
    saved(&mut scenario, &stock, &files)?;
    steps::pending(&mut scenario)?;

    scenario.reboot("tuned")?;
    stock_entry_booted(&mut scenario, "tuned")?;
    steps::verified(&mut scenario, "after the reboot")?;
    tuned_state::isolation(&mut scenario)?;

    install_kernel(&mut scenario)?;
    steps::verified(&mut scenario, "with a new kernel installed")?;
    scenario.reboot("new kernel")?;
    booted(&mut scenario, "new kernel", &format!("/{NEW_KERNEL}/linux"))?;
    steps::verified(&mut scenario, "after booting the new kernel")?;
    tuned_state::isolation(&mut scenario)?;

    steps::roll_back(&mut scenario, &stock)?;
    remove_kernel(&mut scenario)?;
    scenario.reboot("stock again")?;
    stock_entry_booted(&mut scenario, "stock again")?;
    steps::as_before(&mut scenario, &stock)?;
    scenario.finish()
}

/// Asserts that `blscfg` made this boot's command line of an entry of the image: nothing but the environment block, which
/// only such an entry names, holds the value of the variable.
fn stock_entry_booted(scenario: &mut Scenario, state: &str) -> Result<()> {
    let line = booted(scenario, state, "/boot/vmlinuz-")?;
    scenario.checks.that(
        format!("{state}: GRUB read the entry and its environment block"),
        has_word(&line, TUNED_PARAMS) && !line.contains('$'),
        TUNED_PARAMS,
        line.trim(),
    );
    Ok(())
}

/// Asserts which kernel was booted, by a part of its path; returns its command line.
fn booted(scenario: &mut Scenario, state: &str, kernel: &str) -> Result<String> {
    let line = scenario.control().read("cat /proc/cmdline")?;
    scenario.checks.that(
        format!("{state}: the kernel that was booted"),
        boot_image(&line).contains(kernel),
        kernel,
        boot_image(&line),
    );
    Ok(line)
}

/// The kernel's path as GRUB read it from the entry.
fn boot_image(command_line: &str) -> &str {
    command_line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("BOOT_IMAGE="))
        .unwrap_or("absent")
}

fn has_word(line: &str, word: &str) -> bool {
    line.split_whitespace().any(|found| found == word)
}

/// Asserts that every entry but the one for rescue, and both files from which the next kernel's entry is made, have the
/// arguments, and that nothing else of the menu changed.
fn saved(scenario: &mut Scenario, stock: &Stock, files: &Snapshot) -> Result<()> {
    let options = scenario
        .control()
        .read(&format!("grep -H '^options' /{DIRECTORY}/*.conf"))?;
    let mut kernels = 0;
    for (path, line) in options.lines().filter_map(|line| line.split_once(':')) {
        if path.ends_with("-0-rescue.conf") {
            scenario.checks.equal(
                format!("{path} is as it was"),
                &files.get(path),
                &stock.files.get(path),
            );
            continue;
        }
        kernels += 1;
        tuned_state::check_arguments(&mut scenario.checks, path, line);
        scenario.checks.that(
            format!("{path}: {VARIABLE}"),
            has_word(line, VARIABLE),
            "kept",
            line,
        );
    }
    scenario
        .checks
        .equal("entries that are not for rescue", &kernels, &2);

    let line = scenario.control().read("cat /etc/kernel/cmdline")?;
    tuned_state::check_arguments(&mut scenario.checks, "/etc/kernel/cmdline", &line);
    let line = scenario
        .control()
        .read(". /etc/default/grub; echo \"$GRUB_CMDLINE_LINUX\"")?;
    tuned_state::check_arguments(&mut scenario.checks, "/etc/default/grub", &line);
    for path in NOT_OURS {
        scenario.checks.equal(
            format!("{path} is as it was"),
            &files.get(path),
            &stock.files.get(path),
        );
    }
    Ok(())
}

/// Has the guest's own kernel-install make an entry, which takes its arguments from `/etc/kernel/cmdline`.
fn install_kernel(scenario: &mut Scenario) -> Result<()> {
    say("kernel-install add");
    scenario.control().read(&format!(
        "kernel-install add {NEW_KERNEL} \"/boot/vmlinuz-$(uname -r)\" \"/boot/initrd.img-$(uname -r)\""
    ))?;
    let line = new_options(scenario)?;
    tuned_state::check_arguments(&mut scenario.checks, "the new kernel's entry", &line);
    Ok(())
}

/// Asserts that rollback took hftune's words out of the entry that it did not write, and has kernel-install take the
/// kernel away again.
fn remove_kernel(scenario: &mut Scenario) -> Result<()> {
    let line = new_options(scenario)?;
    let ours = |word: &&str| {
        let name = word.split('=').next().unwrap_or_default();
        ["isolcpus", "nohz_full", "rcu_nocbs", "irqaffinity"].contains(&name)
    };
    let left: Vec<&str> = line.split_whitespace().filter(ours).collect();
    scenario.checks.that(
        "the new kernel's entry after rollback",
        left.is_empty() && line.contains("root="),
        "its own arguments, and none of hftune's",
        line.trim(),
    );
    scenario
        .control()
        .read(&format!("kernel-install remove {NEW_KERNEL}"))?;
    Ok(())
}

fn new_options(scenario: &Scenario) -> Result<String> {
    scenario
        .control()
        .read(&format!("grep '^options' /{DIRECTORY}/*-{NEW_KERNEL}.conf"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_tells_its_kernel() {
        let line = "BOOT_IMAGE=/boot/0123/99.0.0-lab/linux root=/dev/vda1 ro lab.tuned=1\n";
        assert_eq!(boot_image(line), "/boot/0123/99.0.0-lab/linux");
        assert_eq!(boot_image("ro"), "absent");
        assert!(has_word(line, TUNED_PARAMS) && !has_word("lab.tuned=10", TUNED_PARAMS));
    }
}
