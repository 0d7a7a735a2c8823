//! systemd: reloaded when unit files changed, before the next unit is started or stopped.

use std::path::Path;

use hftune_model::Result;
use hftune_sys::{Root, exec};

/// `/bin` is `/usr/bin` where the two are merged, and holds systemctl where they are not.
pub(crate) const SYSTEMCTL: &str = "/bin/systemctl";

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
    pub fn set_active(&mut self, name: &str, active: bool) -> Result<()> {
        self.reload()?;
        let verb = if active { "restart" } else { "stop" };
        exec::run_ok(
            Path::new(SYSTEMCTL),
            &["--no-ask-password", verb, "--", name],
        )
        .map(drop)
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

/// Whether systemd runs here and may be asked.
pub fn available(root: &Root) -> bool {
    root.is_live() && root.is_dir("/run/systemd/system")
}
