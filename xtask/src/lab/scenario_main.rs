//! Scenario `main`: stock, plan, setup, reboot, verify, rollback, reboot, stock.
//!
//! What hftune says is checked against what the kernel says, which is read here with `cat` and never through hftune.

use super::checks::Checks;
use super::image::Image;
use super::scenario::{Scenario, Stock};
use super::snapshot;
use super::tuned_state;
use crate::progress::say;
use crate::tool::Answer;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;

/// Exit codes of hftune (docs: "Exit codes everywhere").
const AS_DESIRED: i32 = 0;
const CHANGES: i32 = 3;
const REBOOT_MISSING: i32 = 4;

/// Where the binary goes, before the stock state is recorded.
const INSTALLED: &str = "/usr/local/bin/hftune";

/// Verdicts that may remain when only a reboot is missing.
const NO_DRIFT: [&str; 5] = [
    "ok",
    "not-applicable",
    "not-permitted",
    "rounded",
    "reboot-pending",
];

/// Live values that only a boot changes: right after a rollback they are still those of the tuned boot.
const BOOT_BOUND: [&str; 6] = [
    "/proc/cmdline",
    "/sys/devices/system/cpu/isolated",
    "/sys/devices/system/cpu/nohz_full",
    "/sys/devices/virtual/workqueue/",
    "/sys/class/net/",
    "kernel.watchdog_cpumask",
];

/// Runs the scenario with `binary`; true when every assertion held.
pub fn run(image: &Image, binary: &Path, logs: &Path) -> Result<bool> {
    let mut scenario = Scenario::boot(image, logs)?;
    scenario.control().put(binary, INSTALLED, 0o755)?;
    let stock = scenario.record()?;
    scenario.stock_timer_rate("stock")?;

    plan(&mut scenario)?;
    let services = setup(&mut scenario, &stock)?;
    scenario.reboot("tuned")?;
    verified(&mut scenario)?;
    tuned_state::check(&mut scenario, &services)?;
    roll_back(&mut scenario, &stock)?;
    scenario.reboot("stock again")?;

    let after = scenario.record()?;
    scenario.checks.same(
        "files under /etc, /boot and /usr/local after rollback and reboot",
        &stock.files,
        &after.files,
    );
    scenario.checks.same(
        "live values after rollback and reboot",
        &stock.live,
        &after.live,
    );
    scenario.stock_timer_rate("stock again")?;
    scenario.finish()
}

fn plan(scenario: &mut Scenario) -> Result<()> {
    say("hftune plan");
    let answer = hftune(scenario, "plan")?;
    scenario
        .checks
        .equal("plan exits with", &answer.code, &Some(CHANGES));
    let answer = hftune(scenario, "plan --json")?;
    scenario
        .checks
        .equal("plan --json exits with", &answer.code, &Some(CHANGES));
    if let Some(plan) = json(&mut scenario.checks, "plan --json", &answer) {
        scenario.checks.equal(
            "plan: schema",
            &plan["schema"],
            &Value::from("hftune/plan/1"),
        );
        scenario.checks.equal(
            "plan: cpus.housekeeping",
            &plan["cpus"]["housekeeping"],
            &Value::from("0-1"),
        );
        scenario.checks.equal(
            "plan: cpus.isolated",
            &plan["cpus"]["isolated"],
            &Value::from("2-7"),
        );
        let changes = plan["changes"].as_array().map_or(0, Vec::len);
        scenario
            .checks
            .that("plan: changes", changes > 0, "some", changes);
    }
    let answer = hftune(scenario, "verify")?;
    scenario.checks.equal(
        "verify of a stock system exits with",
        &answer.code,
        &Some(CHANGES),
    );
    Ok(())
}

/// Sets up, twice, and judges what was saved; returns the services that were written.
fn setup(scenario: &mut Scenario, stock: &Stock) -> Result<Vec<String>> {
    say("hftune setup");
    let answer = hftune(scenario, "setup --yes")?;
    exits_with_reboot_missing(&mut scenario.checks, "setup", &answer);
    let files = snapshot::files(scenario.control())?;
    scenario.checks.note(format!(
        "setup changed:\n{}",
        snapshot::differences(&stock.files, &files).join("\n")
    ));

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

    let answer = hftune(scenario, "verify --format json")?;
    scenario.checks.equal(
        "verify before the reboot exits with",
        &answer.code,
        &Some(REBOOT_MISSING),
    );
    if let Some(verify) = json(&mut scenario.checks, "verify --format json", &answer) {
        let drift = settings_where(&verify, |verdict| !NO_DRIFT.contains(&verdict));
        scenario
            .checks
            .equal("verify before the reboot: drift", &drift[..], &[]);
        let pending = settings_where(&verify, |verdict| verdict == "reboot-pending");
        let some = !pending.is_empty();
        scenario.checks.that(
            "verify before the reboot: reboot-pending",
            some,
            "some",
            pending.join(", "),
        );
    }
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

fn verified(scenario: &mut Scenario) -> Result<()> {
    say("hftune verify");
    let answer = hftune(scenario, "verify")?;
    scenario.checks.note(format!(
        "verify after the reboot:\n{}{}",
        answer.stdout, answer.stderr
    ));
    scenario.checks.equal(
        "verify after the reboot exits with",
        &answer.code,
        &Some(AS_DESIRED),
    );
    let answer = hftune(scenario, "verify --format json")?;
    if let Some(verify) = json(&mut scenario.checks, "verify --format json", &answer) {
        scenario.checks.equal(
            "verify: schema",
            &verify["schema"],
            &Value::from("hftune/verify/1"),
        );
        let not_ok = settings_where(&verify, |verdict| verdict != "ok");
        scenario.checks.note(format!(
            "verify after the reboot, other than ok: {}",
            not_ok.join(", ")
        ));
    }
    Ok(())
}

fn roll_back(scenario: &mut Scenario, stock: &Stock) -> Result<()> {
    say("hftune rollback");
    hftune(scenario, "history")?;
    let answer = hftune(scenario, "rollback --all --yes")?;
    let fine = [Some(AS_DESIRED), Some(REBOOT_MISSING)].contains(&answer.code);
    scenario.checks.that(
        "rollback exits with",
        fine,
        "0 or 4",
        format!("{:?}", answer.code),
    );
    // A reboot brings most live values back whatever rollback did, so they are judged here already.
    let mut live = snapshot::live(scenario.control())?;
    let mut before = stock.live.clone();
    for values in [&mut live, &mut before] {
        values.retain(|key, _| !BOOT_BOUND.iter().any(|bound| key.starts_with(bound)));
    }
    scenario.checks.same(
        "live values right after rollback, before the reboot",
        &before,
        &live,
    );
    Ok(())
}

fn exits_with_reboot_missing(checks: &mut Checks, what: &str, answer: &Answer) {
    let fine = [Some(AS_DESIRED), Some(REBOOT_MISSING)].contains(&answer.code);
    checks.that(
        format!("{what} exits with"),
        fine,
        "4 (or 0)",
        format!("{:?}", answer.code),
    );
}

fn hftune(scenario: &Scenario, arguments: &str) -> Result<Answer> {
    scenario.control().run(&format!("{INSTALLED} {arguments}"))
}

fn json(checks: &mut Checks, what: &str, answer: &Answer) -> Option<Value> {
    let parsed = serde_json::from_str(&answer.stdout).context("standard output is no JSON");
    let said = parsed
        .as_ref()
        .map_or_else(|error| format!("{error:#}"), |_| "JSON".to_string());
    checks.that(
        format!("{what} prints"),
        parsed.is_ok(),
        "one JSON object",
        said,
    );
    parsed.ok()
}

/// "id (verdict)" of the settings whose verdict is of interest.
fn settings_where(verify: &Value, of_interest: impl Fn(&str) -> bool) -> Vec<String> {
    let settings = verify["settings"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let verdict = |setting: &Value| {
        setting["verdict"]
            .as_str()
            .unwrap_or("no verdict")
            .to_string()
    };
    let chosen = settings
        .iter()
        .filter(|setting| of_interest(&verdict(setting)));
    chosen
        .map(|setting| {
            format!(
                "{} ({})",
                setting["id"].as_str().unwrap_or("no id"),
                verdict(setting)
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_named_with_their_verdict() {
        let verify = serde_json::json!({ "settings": [{ "id": "a", "verdict": "ok" }, { "id": "b", "verdict": "wrong" }] });
        assert_eq!(
            settings_where(&verify, |verdict| verdict != "ok"),
            ["b (wrong)"]
        );
        assert_eq!(settings_where(&Value::Null, |_| true), Vec::<String>::new());
    }
}
