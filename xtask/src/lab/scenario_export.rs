//! Scenario `export`: what `hftune export` wrote, run in a guest by a shell and by Debian's tuned, against what `hftune setup`
//! makes of the same guest.

use super::image::Image;
use super::machine::Clock;
use super::ports::Ports;
use super::quiet::tuned;
use super::scenario::{Scenario, Stock};
use super::snapshot::{self, Snapshot};
use super::steps::{self, hftune};
use crate::progress::say;
use anyhow::Result;
use std::path::Path;

/// Where the script is put: outside of what is compared.
const SCRIPT: &str = "/root/hft-export.sh";

/// The folder of the profile, where tuned 2.20 looks for it.
const PROFILE: &str = "/etc/tuned/hft-export";

/// Where interrupts were asked to fire, and where every kernel thread that can be moved may run.
const MORE: &str = "grep -H '' /proc/irq/*/smp_affinity_list | sed 's/:/\\t/'; cat /proc/irq/default_smp_affinity | sed 's/^/default\\t/'";

/// Kernel threads that may be moved and may use an isolated CPU: PF_KTHREAD without PF_NO_SETAFFINITY.
const STRAYS: &str = "for task in /proc/[0-9]*; do \
    read -r line < $task/stat || continue; set -- ${line##*) }; \
    [ $(($7 & 0x200000)) -ne 0 ] && [ $(($7 & 0x4000000)) -eq 0 ] || continue; \
    grep -H Cpus_allowed_list $task/status | grep -v -E ':[[:space:]]*(0|1|0-1)$'; done 2>/dev/null; :";

/// What units and boots have of their own.
const OF_THE_TOOL: [&str; 4] = ["unit/", "/proc/cmdline", "kernel.random.", "kernel.pty.nr"];

/// Runs the scenario with `binary`; true when every assertion held.
pub fn run(image: &Image, binary: &Path, logs: &Path) -> Result<bool> {
    let (by_tuned, tuned_held) = with_tuned(image, binary, logs)?;
    let shell_held = shell(image, binary, logs, &by_tuned)?;
    Ok(shell_held && tuned_held)
}

/// The shell script: check, apply, apply again, reboot, check, verify, undo; then a set-up by hftune itself, with whose kernel
/// values those of the script and of tuned are compared.
fn shell(image: &Image, binary: &Path, logs: &Path, by_tuned: &Snapshot) -> Result<bool> {
    let mut scenario = Scenario::boot(image, logs, Clock::Host, Ports::OfEveryScenario)?;
    steps::install(&scenario, binary)?;
    be_patient(&scenario)?;
    let stock = scenario.record()?;
    say("the shell script");
    let answer = hftune(&scenario, &format!("export --format shell -o {SCRIPT}"))?;
    exits(&mut scenario, "export", answer.code, 0);
    run_script(&mut scenario, "--check", "stock", 3)?;
    run_script(&mut scenario, "", "the first time", 0)?;
    let files = snapshot::files(scenario.control())?;
    let said = run_script(&mut scenario, "", "the second time", 0)?;
    let says_so = said.contains("nothing to change");
    scenario.checks.that(
        "the second run says that it changes nothing",
        says_so,
        "nothing to change",
        said.trim(),
    );
    scenario.checks.same(
        "files after the second run",
        &files,
        &snapshot::files(scenario.control())?,
    );
    run_script(&mut scenario, "--check", "before the reboot", 4)?;
    scenario.reboot("exported")?;

    run_script(&mut scenario, "--check", "after the reboot", 0)?;
    let by_shell = values(&scenario)?;
    verified(&mut scenario)?;
    undo(&mut scenario, &stock)?;

    say("hftune setup, for the values to compare with");
    steps::set_up(&mut scenario, &stock)?;
    scenario.reboot("set up")?;
    let by_hftune = values(&scenario)?;
    scenario.checks.same(
        "kernel values of the shell script, against those of hftune setup",
        &by_hftune,
        &by_shell,
    );
    scenario.checks.same(
        "kernel values of tuned with the exported profile, against those of hftune setup",
        &by_hftune,
        by_tuned,
    );
    scenario.finish()
}

/// Gives systemd-sysctl.service, which has 90 seconds, the time in which an emulated CPU of a busy machine fills huge pages.
fn be_patient(scenario: &Scenario) -> Result<()> {
    let folder = "/etc/systemd/system/systemd-sysctl.service.d";
    let line = format!(
        "mkdir -p {folder} && printf '[Service]\\nTimeoutSec=600\\n' > {folder}/lab.conf && systemctl daemon-reload"
    );
    scenario.control().read(&line)?;
    Ok(())
}

/// The script puts everything back; what a boot keeps is judged by the kernel values right after.
fn undo(scenario: &mut Scenario, stock: &Stock) -> Result<()> {
    run_script(scenario, "--undo", "after the reboot", 0)?;
    scenario.checks.same(
        "files under /etc, /boot and /usr/local after --undo",
        &stock.files,
        &snapshot::files(scenario.control())?,
    );
    let mut live = snapshot::live(scenario.control())?;
    let mut before = stock.live.clone();
    for values in [&mut live, &mut before] {
        values.retain(|key, _| !steps::BOOT_BOUND.iter().any(|bound| key.starts_with(bound)));
    }
    scenario
        .checks
        .same("live values right after --undo", &before, &live);
    let left = scenario
        .control()
        .read("ls -d /var/lib/hft-export /run/hft-export 2>/dev/null || :")?;
    scenario
        .checks
        .equal("what --undo leaves of its own", left.trim(), "");
    Ok(())
}

/// What hftune says of the guest that the script set up: only its own units may be missing.
fn verified(scenario: &mut Scenario) -> Result<()> {
    let answer = hftune(scenario, "verify --format json")?;
    let Some(verify) = steps::json(&mut scenario.checks, "verify", &answer) else {
        return Ok(());
    };
    let settings = verify["settings"].as_array().cloned().unwrap_or_default();
    let (mut ok, mut lacking) = (0, Vec::new());
    for setting in &settings {
        let (verdict, reason) = (
            setting["verdict"].as_str().unwrap_or_default(),
            setting["reason"].as_str().unwrap_or_default(),
        );
        match verdict {
            "ok" => ok += 1,
            "not-applicable" | "not-permitted" => {}
            // Saved by the script's unit, which hftune knows nothing of.
            _ if reason.contains(".service is missing") => ok += 1,
            _ => lacking.push(format!("{} ({verdict}: {reason})", setting["id"])),
        }
    }
    scenario.checks.equal(
        "verify finds what the script did not set",
        &lacking[..],
        &[],
    );
    scenario
        .checks
        .that("verify finds settings in place", ok > 40, "40 and more", ok);
    let strays = scenario.control().read(STRAYS)?;
    scenario.checks.equal(
        "kernel threads that may use isolated CPUs",
        strays.trim(),
        "",
    );
    Ok(())
}

/// The profile of tuned: loaded, its boot arguments brought to GRUB as Debian needs it, and the values after a reboot.
fn with_tuned(image: &Image, binary: &Path, logs: &Path) -> Result<(Snapshot, bool)> {
    let logs = logs.join("tuned");
    std::fs::create_dir_all(&logs)?;
    let base = tuned::image(image, &logs)?;
    let mut scenario = Scenario::boot(&base, &logs, Clock::Host, Ports::OfEveryScenario)?;
    steps::install(&scenario, binary)?;
    be_patient(&scenario)?;
    say("the profile of tuned");
    let answer = hftune(&scenario, &format!("export --format tuned -o {PROFILE}"))?;
    exits(&mut scenario, "export", answer.code, 0);
    scenario
        .control()
        .read("mkdir -p /var/lib/tuned; systemctl enable -q --now dbus tuned")?;
    let loaded = scenario.control().run(
        "n=0; until tuned-adm profile hft-export; do n=$((n + 1)); [ $n -lt 5 ] || exit 1; sleep 5; done; tuned-adm active",
    )?;
    let active = loaded.stdout.contains("Current active profile: hft-export");
    scenario.checks.that(
        "tuned loads the profile",
        active,
        "Current active profile: hft-export",
        format!("{}{}", loaded.stdout.trim(), loaded.stderr.trim()),
    );
    // The menu names the kernel's own initrd and none of tuned's: otherwise the next boot would panic.
    scenario.control().read("update-grub 2>/dev/null")?;
    let menu = scenario
        .control()
        .read("grep -E '^[[:space:]]*(set tuned_|linux|initrd)' /boot/grub/grub.cfg")?;
    scenario.checks.note(format!("the menu:\n{menu}"));
    let safe = !menu.contains("tuned-initrd.img") && menu.contains("isolcpus=");
    scenario.checks.that(
        "the menu has the boot arguments, and no other initrd",
        safe,
        "isolcpus= and no tuned-initrd.img",
        menu.trim(),
    );
    anyhow::ensure!(safe, "the guest would not boot");
    scenario.reboot("with tuned")?;
    let settled = scenario.control().run(
        "n=0; until tuned-adm active | grep -q hft-export; do n=$((n + 1)); [ $n -lt 12 ] || exit 1; sleep 5; done; sleep 10; tuned-adm verify",
    )?;
    scenario.checks.note(format!(
        "tuned-adm verify: {:?}: {}{}",
        settled.code, settled.stdout, settled.stderr
    ));
    // tuned takes every word of systemctl for an error, and knows no state "masked", which irqbalance is in.
    let log = scenario
        .control()
        .read("grep ERROR /var/log/tuned/tuned.log | grep -v irqbalance || :")?;
    scenario
        .checks
        .equal("errors in tuned's log", log.trim(), "");
    let by_tuned = values(&scenario)?;
    let strays = scenario.control().read(STRAYS)?;
    scenario.checks.equal(
        "kernel threads that may use isolated CPUs, with tuned",
        strays.trim(),
        "",
    );
    scenario.control().read("tuned-adm off")?;
    let left = scenario.control().read(
        "ls -d /etc/security/limits.d/99-hft.conf /var/lib/hft-export-tuned 2>/dev/null || :",
    )?;
    scenario
        .checks
        .equal("what the profile's script leaves", left.trim(), "");
    std::fs::remove_file(&base.disk)?;
    Ok((by_tuned, scenario.finish()?))
}

/// What the kernel holds, without what belongs to one boot or one tool.
fn values(scenario: &Scenario) -> Result<Snapshot> {
    let mut values = snapshot::live(scenario.control())?;
    values.retain(|key, _| !OF_THE_TOOL.iter().any(|own| key.starts_with(own)));
    let more = scenario.control().read(MORE)?;
    for line in more.lines() {
        let (key, value) = line.split_once('\t').unwrap_or((line, ""));
        values.insert(key.to_owned(), value.to_owned());
    }
    let line = scenario.control().read("cat /proc/cmdline")?;
    for word in ["isolcpus", "nohz_full", "rcu_nocbs", "irqaffinity"] {
        let found = line.split_whitespace().rfind(|w| w.starts_with(word));
        values.insert(format!("boot/{word}"), found.unwrap_or_default().to_owned());
    }
    Ok(values)
}

fn run_script(scenario: &mut Scenario, options: &str, when: &str, code: i32) -> Result<String> {
    let answer = scenario.control().run(&format!("sh {SCRIPT} {options}"))?;
    let said = format!("{}{}", answer.stdout, answer.stderr);
    if answer.code != Some(code) {
        scenario
            .checks
            .note(format!("hft-export.sh {options}, {when}:\n{said}"));
    }
    exits(
        scenario,
        &format!("hft-export.sh {options} ({when})"),
        answer.code,
        code,
    );
    Ok(said)
}

fn exits(scenario: &mut Scenario, what: &str, code: Option<i32>, expected: i32) {
    scenario
        .checks
        .equal(format!("{what} exits with"), &code, &Some(expected));
}
