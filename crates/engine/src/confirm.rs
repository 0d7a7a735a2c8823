//! `setup --confirm-within`: a setup that undoes itself unless somebody confirms in time that the machine can still be
//! reached.
//!
//! A timer of systemd does it, so that no process of ours has to survive: it counts from the moment at which it is started and,
//! for a reboot in between, by the clock too.

use std::path::Path;
use std::time::Duration;

use hftune_domains::unit::{HEADER, UNITS, escape};
use hftune_model::plan::{Change, Plan, Step};
use hftune_model::setting::{Artifact, When};
use hftune_model::transaction::{After, Status, Transaction};
use hftune_model::{Error, Kind, Result};
use hftune_sys::Root;

use crate::target;
use crate::units::{self, Units};

/// Says that a setup waits to be confirmed, and until when.
pub const PENDING: &str = "/var/lib/hftune/confirm";

const TIMER: &str = "hftune-confirm.timer";
const SERVICE: &str = "hftune-confirm.service";

/// The setting that stands for it in plans.
const ID: &str = "setup/confirm";

fn timer() -> String {
    format!("{UNITS}/{TIMER}")
}

fn service() -> String {
    format!("{UNITS}/{SERVICE}")
}

fn link() -> String {
    format!("{UNITS}/timers.target.wants/{TIMER}")
}

/// Whether a target, by its key, belongs to a setup that waits.
pub fn owns(key: &str) -> bool {
    let files = [PENDING.to_owned(), timer(), service(), link()];
    key.strip_prefix("file:")
        .is_some_and(|path| files.iter().any(|file| file == path))
        || key.strip_prefix("unit:") == Some(TIMER)
}

/// Until when a setup waits; `None` where none does.
pub fn pending(root: &Root) -> Result<Option<String>> {
    let text = root.read_text_if_present(PENDING)?;
    Ok(text.map(|text| text.trim().to_owned()))
}

/// Refuses where a setup waits: what comes after it would be undone with it, or confirm it unasked.
pub fn refuse_while_pending(root: &Root) -> Result<()> {
    match pending(root)? {
        Some(until) => Err(Error::new(
            Kind::Conflict,
            format!("the last setup waits to be confirmed until {until}"),
        )
        .hint("hftune confirm keeps it, hftune rollback undoes it")),
        None => Ok(()),
    }
}

/// Puts the timer before everything else that a plan does.
///
/// # Errors
/// Where no systemd runs that could undo it.
pub fn add(root: &Root, plan: &mut Plan, within: Duration, binary: &Path) -> Result<()> {
    if !units::available(root) {
        return Err(Error::new(
            Kind::Usage,
            "--confirm-within needs the systemd of a running machine, which undoes the setup by its timer",
        ));
    }
    let deadline = jiff::Timestamp::now()
        .checked_add(jiff::SignedDuration::try_from(within).unwrap_or_default())
        .map_err(|e| Error::invalid(format!("there is no such time: {e}")))?;
    let until = deadline.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let file = |path: String, content: String| Artifact::File {
        path: path.into(),
        content,
        mode: 0o644,
    };
    let artifacts = [
        file(PENDING.to_owned(), format!("{until}\n")),
        file(service(), service_text(binary)),
        file(timer(), timer_text(within, &until)),
        Artifact::Link {
            path: link().into(),
            target: timer(),
        },
        Artifact::Unit {
            name: TIMER.to_owned(),
            active: true,
        },
    ];
    let steps = artifacts.into_iter().map(|artifact| Step {
        ids: vec![ID.to_owned()],
        after: After::Set(artifact),
    });
    plan.steps.splice(0..0, steps);
    plan.changes.insert(
        0,
        Change {
            id: ID.to_owned(),
            from: "none".to_owned(),
            to: format!("undone at {until} unless confirmed"),
            when: When::Now,
            why: "a machine that cannot be reached any more comes back by itself".to_owned(),
        },
    );
    Ok(())
}

fn service_text(binary: &Path) -> String {
    format!(
        "{HEADER}[Unit]\nDescription=Undoes a setup of hftune that nobody confirmed in time\n\
         \n[Service]\nExecStart={} rollback --unconfirmed --yes\n\
         # 4: only a reboot is missing.\nSuccessExitStatus=4\nRestart=on-failure\nRestartSec=10\n",
        escape(&binary.display().to_string())
    )
}

/// By the clock for a reboot in between, and from its start for a clock that goes backwards.
fn timer_text(within: Duration, until: &str) -> String {
    format!(
        "{HEADER}[Unit]\nDescription=Waits for hftune confirm\n\
         \n[Timer]\nOnActiveSec={}\nOnCalendar={until}\nPersistent=yes\nAccuracySec=1s\nUnit={SERVICE}\n\
         \n[Install]\nWantedBy=timers.target\n",
        within.as_secs()
    )
}

/// The transactions to undo where nobody confirmed, newest first: the one that waits, and what came after it.
pub fn unconfirmed(root: &Root, transactions: Vec<Transaction>) -> Result<Vec<Transaction>> {
    if pending(root)?.is_none() {
        return Ok(Vec::new());
    }
    let mut in_force: Vec<Transaction> = transactions
        .into_iter()
        .filter(|t| t.status != Status::RolledBack)
        .collect();
    let waits = |t: &Transaction| {
        t.steps.iter().any(|step| {
            !step.undone
                && matches!(&step.after, After::Set(Artifact::File { path, .. }) if path == Path::new(PENDING))
        })
    };
    let Some(at) = in_force.iter().rposition(waits) else {
        return Ok(Vec::new());
    };
    in_force.drain(..at);
    in_force.reverse();
    Ok(in_force)
}

/// Keeps the setup that waits; until when it would have, or `None` where none does.
pub fn confirm(root: &Root) -> Result<Option<String>> {
    let Some(until) = pending(root)? else {
        return Ok(None);
    };
    let mut units = Units::default();
    if units::available(root) && target::unit_active(root, TIMER) {
        units.set_active(root, TIMER, false)?;
    }
    // The word that it waits goes last: whatever stops this half way, it can be confirmed again.
    for path in [link(), timer(), service(), PENDING.to_owned()] {
        if root.exists(&path) {
            units.file_changed(path.as_ref());
            root.remove_file(&path)?;
        }
    }
    units.finish(root)?;
    Ok(Some(until))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timer_goes_by_the_clock_and_from_its_start() {
        let text = timer_text(Duration::from_secs(600), "2026-03-01 06:10:00 UTC");
        for line in [
            "OnActiveSec=600",
            "OnCalendar=2026-03-01 06:10:00 UTC",
            "Persistent=yes",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}: {text}");
        }
    }

    #[test]
    fn its_targets_are_known() {
        assert!(owns("file:/etc/systemd/system/hftune-confirm.timer"));
        assert!(owns("unit:hftune-confirm.timer"));
        assert!(!owns("file:/etc/sysctl.d/99-hft.conf"));
    }
}
