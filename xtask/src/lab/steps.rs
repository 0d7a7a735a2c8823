//! What more than one scenario has hftune do, and the answer that each step must give.
//!
//! What hftune says is checked against what the kernel says, which is read here with `cat` and never through hftune.

use super::checks::Checks;
use super::image::Image;
use super::machine::Clock;
use super::ports::Ports;
use super::scenario::{Scenario, Stock};
use super::snapshot::{self, Snapshot};
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
pub const BOOT_BOUND: [&str; 6] = [
    "/proc/cmdline",
    "/sys/devices/system/cpu/isolated",
    "/sys/devices/system/cpu/nohz_full",
    "/sys/devices/virtual/workqueue/",
    "/sys/class/net/",
    "kernel.watchdog_cpumask",
];

/// Boots a stock guest, puts `binary` into it and records it.
pub fn start(image: &Image, binary: &Path, logs: &Path, clock: Clock) -> Result<(Scenario, Stock)> {
    let scenario = Scenario::boot(image, logs, clock, Ports::OfEveryScenario)?;
    install(&scenario, binary)?;
    let stock = scenario.record()?;
    Ok((scenario, stock))
}

/// Puts `binary` into the guest.
pub fn install(scenario: &Scenario, binary: &Path) -> Result<()> {
    scenario.control().put(binary, INSTALLED, 0o755)
}

/// Plans, and asserts the CPU split and that there is something to do.
pub fn plan(scenario: &mut Scenario) -> Result<()> {
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

/// Sets up; returns the files as they are then.
pub fn set_up(scenario: &mut Scenario, stock: &Stock) -> Result<Snapshot> {
    say("hftune setup");
    let answer = hftune(scenario, "setup --yes")?;
    exits_with_reboot_missing(&mut scenario.checks, "setup", &answer);
    let files = snapshot::files(scenario.control())?;
    scenario.checks.note(format!(
        "setup changed:\n{}",
        snapshot::differences(&stock.files, &files).join("\n")
    ));
    Ok(files)
}

/// Verifies what waits for a reboot and nothing else.
pub fn pending(scenario: &mut Scenario) -> Result<()> {
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
    Ok(())
}

/// Verifies that everything is as desired; `when` names the moment.
pub fn verified(scenario: &mut Scenario, when: &str) -> Result<()> {
    say("hftune verify");
    let answer = hftune(scenario, "verify")?;
    scenario.checks.note(format!(
        "verify {when}:\n{}{}",
        answer.stdout, answer.stderr
    ));
    scenario.checks.equal(
        format!("verify {when} exits with"),
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
            "verify {when}, other than ok: {}",
            not_ok.join(", ")
        ));
    }
    Ok(())
}

/// Rolls everything back, and asserts the live values that no boot is needed for.
pub fn roll_back(scenario: &mut Scenario, stock: &Stock) -> Result<()> {
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

/// Asserts, after the reboot that follows a rollback, that all is as it was before the set-up.
pub fn as_before(scenario: &mut Scenario, stock: &Stock) -> Result<()> {
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
    Ok(())
}

/// Asserts the exit code of a set-up whose boot arguments no boot has read yet.
pub fn exits_with_reboot_missing(checks: &mut Checks, what: &str, answer: &Answer) {
    let fine = [Some(AS_DESIRED), Some(REBOOT_MISSING)].contains(&answer.code);
    checks.that(
        format!("{what} exits with"),
        fine,
        "4 (or 0)",
        format!("{:?}", answer.code),
    );
}

/// Runs hftune in the guest, wherever it is installed.
pub fn hftune(scenario: &Scenario, arguments: &str) -> Result<Answer> {
    scenario.control().run(&format!("hftune {arguments}"))
}

/// The report that hftune printed; asserts that it is one.
pub fn json(checks: &mut Checks, what: &str, answer: &Answer) -> Option<Value> {
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
