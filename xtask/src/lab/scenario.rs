//! What every scenario has: a guest, the assertions, and the steps that more than one of them takes.

use super::checks::Checks;
use super::control::Control;
use super::guest::{Guest, Options};
use super::image::Image;
use super::machine::Clock;
use super::measure::{self, MEASURED, Measurement};
use super::ports::Ports;
use super::snapshot::{self, Snapshot};
use crate::progress::say;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// `HZ=250` in Debian's kernel: what a busy CPU takes in a stock boot, per second, give or take 5 %.
const STOCK_RATE: std::ops::RangeInclusive<f64> = 237.5..=262.5;

/// The share of its time that a loop must have been seen in user space, so that a quiet CPU is not just an idle one. The
/// kernel brings the user time of a `nohz_full` CPU up to date once a second from another CPU (`sched_tick_remote()`,
/// kernel/sched/core.c), and later in the guest, whose CPUs take turns: 0.76 to 1.19 was seen of loops that never stopped.
const LEAST_BUSY: f64 = 0.5;

/// A running scenario.
pub struct Scenario {
    /// The guest.
    pub guest: Guest,
    /// What was asserted so far.
    pub checks: Checks,
    logs: PathBuf,
}

/// The state that a rollback must bring back.
pub struct Stock {
    /// `/etc`, `/boot` and `/usr/local`.
    pub files: Snapshot,
    /// Kernel and systemd.
    pub live: Snapshot,
}

impl Scenario {
    /// Boots a fresh copy of `image`. A scenario that judges rates has instructions drive the guest's clock.
    pub fn boot(image: &Image, logs: &Path, clock: Clock, ports: Ports) -> Result<Self> {
        say("booting a stock guest");
        let options = Options {
            keep_changes: false,
            clock,
            ports,
        };
        let mut scenario = Self {
            guest: Guest::boot(image, logs, options)?,
            checks: Checks::new(logs)?,
            logs: logs.to_path_buf(),
        };
        scenario.no_failed_units("stock")?;
        Ok(scenario)
    }

    /// The way into the guest.
    pub fn control(&self) -> &Control {
        self.guest.control()
    }

    /// Reboots through the guest's own GRUB.
    pub fn reboot(&mut self, state: &str) -> Result<()> {
        self.keep_journal(state)?;
        say(format!("rebooting: {state}"));
        self.guest.reboot()?;
        self.no_failed_units(state)
    }

    /// Records what the guest holds.
    pub fn record(&self) -> Result<Stock> {
        say("recording files and live values");
        Ok(Stock {
            files: snapshot::files(self.control())?,
            live: snapshot::live(self.control())?,
        })
    }

    /// Runs the busy loops; asserts that they were busy, so that a quiet CPU is not just an idle one.
    pub fn measure(&mut self, state: &str) -> Result<Measurement> {
        say(format!("measuring timer interrupts: {state}"));
        let measured = measure::measure(self.guest.control())?;
        for cpu in MEASURED {
            let busy = measured.busy.get(&cpu).copied().unwrap_or(0.0);
            self.checks.that(
                format!("{state}: the pinned loop on CPU {cpu} was busy in user space"),
                busy >= LEAST_BUSY,
                format!("{LEAST_BUSY} of the time or more"),
                format!("{busy:.3}"),
            );
            self.checks.note(format!(
                "{state}: CPU {cpu} in {:.2} s: {}",
                measured.seconds,
                measured.all_on(cpu)
            ));
        }
        Ok(measured)
    }

    /// Measures and asserts the timer interrupts of a stock kernel.
    pub fn stock_timer_rate(&mut self, state: &str) -> Result<()> {
        let measured = self.measure(state)?;
        for cpu in MEASURED {
            let rate = measured.timer_rate(cpu);
            self.checks.that(
                format!("{state}: timer interrupts a second on busy CPU {cpu}"),
                STOCK_RATE.contains(&rate),
                "about 250",
                format!("{rate:.1}"),
            );
        }
        Ok(())
    }

    /// Ends the guest; true when every assertion held.
    pub fn finish(self) -> Result<bool> {
        self.keep_journal("end")?;
        Ok(self.checks.finish())
    }

    /// Copies the guest's journal, which is lost with the boot, when something was amiss.
    fn keep_journal(&self, before: &str) -> Result<()> {
        if self.checks.failures() == 0 {
            return Ok(());
        }
        self.control()
            .read("journalctl --boot --no-pager > /run/journal.txt")?;
        let name = format!("journal-before-{}.txt", before.replace(' ', "-"));
        self.control()
            .get("/run/journal.txt", &self.logs.join(name))
    }

    fn no_failed_units(&mut self, state: &str) -> Result<()> {
        let failed = self
            .control()
            .read("systemctl --failed --no-legend --plain")?;
        self.checks
            .equal(format!("{state}: failed units"), failed.trim(), "");
        Ok(())
    }
}
