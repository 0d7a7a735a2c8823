//! Scenario `power`: the machine loses its power at random moments of a setup, again and again, and nothing is lost. And a
//! setup that nobody confirms undoes itself.
//!
//! The guest is killed, not shut down: what its kernel had not written to the disk yet is gone. The disk itself loses
//! nothing that it was given, which a drive with a volatile cache might.

use super::control::Control;
use super::guest::{Guest, Options};
use super::image::Image;
use super::machine::Clock;
use super::ports::Ports;
use super::snapshot::{self, Snapshot};
use crate::progress::say;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a setup takes in the guest, about: cuts are spread over it.
const SETUP: Duration = Duration::from_secs(12);

/// A setup waits so long for its confirmation here, the least that hftune takes.
const WAIT: Duration = Duration::from_secs(30);

/// A timer may be late, and a rollback takes its time.
const LATE: Duration = Duration::from_secs(90);

/// Runs the scenario with so many cuts; true where nothing was lost.
pub fn run(image: &Image, binary: &Path, logs: &Path, cuts: u32) -> Result<bool> {
    let image = image.copied(logs)?;
    let mut guest = boot(&image, logs)?;
    guest
        .control()
        .put(binary, "/usr/local/bin/hftune", 0o755)?;
    let stock = snapshot::files(guest.control())?;
    unconfirmed(guest.control(), &stock)?;
    confirmed(guest.control(), &stock)?;

    let mut random = Random::new();
    let mut found: BTreeMap<String, u32> = BTreeMap::new();
    let mut lost = 0;
    for cut in 1..=cuts {
        // Everything that was written until now is on the disk, as on a machine that has run for a while.
        guest.control().read("sync")?;
        let after = random.up_to(SETUP);
        guest
            .control()
            .read("nohup hftune setup --yes > /dev/null 2>&1 < /dev/null & echo")?;
        std::thread::sleep(after);
        drop(guest);
        guest = boot(&image, logs)?;
        let state = last_status(guest.control())?;
        *found.entry(state.clone()).or_default() += 1;
        let finish = cut % 2 == 0;
        match recover(guest.control(), &stock, finish) {
            Ok(()) => say(format!(
                "cut {cut} after {:.1} s ({state}): {}nothing lost",
                after.as_secs_f64(),
                if finish {
                    "finished, then undone, "
                } else {
                    ""
                }
            )),
            Err(error) => {
                lost += 1;
                say(format!(
                    "cut {cut} after {:.1} s ({state}): LOST: {error:#}",
                    after.as_secs_f64()
                ));
            }
        }
    }
    let found: Vec<String> = found
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    println!(
        "power cuts: {cuts} ({}), states lost: {lost}",
        found.join(", ")
    );
    Ok(lost == 0)
}

fn boot(image: &Image, logs: &Path) -> Result<Guest> {
    let options = Options {
        keep_changes: true,
        clock: Clock::Host,
        ports: Ports::OfEveryScenario,
    };
    Guest::boot(image, logs, options)
}

/// What the journal says of the last setup.
fn last_status(control: &Control) -> Result<String> {
    let text = control.read("hftune history --json")?;
    let history: Value = serde_json::from_str(&text)?;
    let last = history["transactions"]
        .as_array()
        .and_then(|all| all.last());
    let status = last.and_then(|last| last["status"].as_str());
    Ok(status.unwrap_or("not begun").to_owned())
}

/// Undoes everything, after finishing it where that is asked, and compares the files.
fn recover(control: &Control, stock: &Snapshot, finish: bool) -> Result<()> {
    if finish {
        let answer = control.run("hftune setup --yes")?;
        ensure!(
            [Some(0), Some(4)].contains(&answer.code),
            "setup exits with {:?}: {}",
            answer.code,
            answer.stderr
        );
    }
    let answer = control.run("hftune rollback --all --yes")?;
    ensure!(
        [Some(0), Some(4)].contains(&answer.code),
        "rollback exits with {:?}: {}{}",
        answer.code,
        answer.stdout,
        answer.stderr
    );
    same(control, stock)
}

fn same(control: &Control, stock: &Snapshot) -> Result<()> {
    let now = snapshot::files(control)?;
    let differences = snapshot::differences(stock, &now);
    ensure!(differences.is_empty(), "{}", differences.join("; "));
    Ok(())
}

/// A setup that nobody confirms.
fn unconfirmed(control: &Control, stock: &Snapshot) -> Result<()> {
    let answer = control.run(&format!(
        "hftune setup --yes --confirm-within {}s",
        WAIT.as_secs()
    ))?;
    ensure!(
        answer.code == Some(4),
        "setup exits with {:?}: {}",
        answer.code,
        answer.stderr
    );
    ensure!(
        answer.stderr.contains("undoes itself"),
        "it does not say that it undoes itself: {}",
        answer.stderr
    );
    let began = Instant::now();
    while control.run("test -e /var/lib/hftune/confirm")?.code == Some(0) {
        ensure!(
            began.elapsed() < WAIT + LATE,
            "nothing undid it: {}",
            control.read("systemctl status hftune-confirm.timer hftune-confirm.service || true; journalctl -b -u hftune-confirm.service --no-pager")?
        );
        std::thread::sleep(Duration::from_secs(2));
    }
    // The service that undid it ends after its last file.
    control.read("while systemctl is-active -q hftune-confirm.service; do sleep 1; done")?;
    same(control, stock).context("after a setup that nobody confirmed")?;
    say("a setup that nobody confirmed undid itself");
    Ok(())
}

/// One that somebody confirms, after a second setup was refused.
fn confirmed(control: &Control, stock: &Snapshot) -> Result<()> {
    control.run("hftune setup --yes --confirm-within 10m")?;
    let answer = control.run("hftune setup --yes")?;
    ensure!(
        answer.code == Some(1) && answer.stderr.contains("hftune confirm"),
        "a second setup is not refused: {:?} {}",
        answer.code,
        answer.stderr
    );
    let said = control.read("hftune confirm")?;
    ensure!(said.contains("Confirmed"), "{said}");
    let left = control.read("ls /etc/systemd/system; systemctl list-timers --all --no-legend; ls /var/lib/systemd/timers")?;
    ensure!(!left.contains("hftune-confirm"), "{left}");
    let answer = control.run("hftune verify")?;
    ensure!(
        answer.code == Some(4),
        "verify exits with {:?}",
        answer.code
    );
    recover(control, stock, false).context("after a setup that was confirmed")?;
    say("a setup that was confirmed stayed until it was undone");
    Ok(())
}

/// Numbers that differ from run to run (splitmix64); each cut is printed, so that it can be looked at.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self(now.map_or(1, |now| now.as_secs()))
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX).max(1);
        Duration::from_nanos((z ^ (z >> 31)) % nanos)
    }
}
