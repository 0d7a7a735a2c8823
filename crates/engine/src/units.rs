//! systemd: reloaded when unit files changed, before the next unit is started or stopped.

use std::path::Path;

use hftune_model::Result;
use hftune_sys::{Root, exec};

/// `/bin` is `/usr/bin` where the two are merged, and holds systemctl where they are not.
pub(crate) const SYSTEMCTL: &str = "/bin/systemctl";

/// Where systemd notes when a timer with `Persistent=` last went off (systemd.timer(5)).
const STAMPS: &str = "/var/lib/systemd/timers";

/// Starts and stops units, with a reload before where one is due.
#[derive(Debug, Default)]
pub struct Units {
    reload_due: bool,
}

impl Units {
    /// A file was written or removed: a unit file makes a reload due.
    pub fn file_changed(&mut self, path: &Path) {
        self.reload_due |= path.starts_with(hftune_domains::unit::UNITS);
    }

    /// Starts or stops a unit.
    ///
    /// A timer that is stopped leaves nothing: systemd's note of when it last went off goes too.
    pub fn set_active(&mut self, root: &Root, name: &str, active: bool) -> Result<()> {
        self.reload()?;
        let verb = if active { "restart" } else { "stop" };
        exec::run_ok(
            Path::new(SYSTEMCTL),
            &["--no-ask-password", verb, "--", name],
        )?;
        let stamp = format!("{STAMPS}/stamp-{name}");
        if !active && is_timer(name) && root.exists(&stamp) {
            root.remove_file(&stamp)?;
        }
        Ok(())
    }

    /// Reloads if that is due and systemd runs here: the last thing of an apply or a rollback.
    pub fn finish(&mut self, root: &Root) -> Result<()> {
        if available(root) {
            self.reload()
        } else {
            Ok(())
        }
    }

    fn reload(&mut self) -> Result<()> {
        if std::mem::take(&mut self.reload_due) {
            exec::run_ok(
                Path::new(SYSTEMCTL),
                &["--no-ask-password", "daemon-reload"],
            )?;
        }
        Ok(())
    }
}

/// Whether a unit is a timer, by its name.
pub(crate) fn is_timer(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|kind| kind == "timer")
}

/// Whether systemd says that a unit is active.
pub(crate) fn is_active(name: &str) -> bool {
    exec::run(Path::new(SYSTEMCTL), &["is-active", "--quiet", "--", name])
        .is_ok_and(|answer| answer.code == Some(0))
}

/// Whether systemd runs here and may be asked.
pub fn available(root: &Root) -> bool {
    root.is_live() && root.is_dir("/run/systemd/system")
}
