//! Processes that never outlive the chore that started them.

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group, set_parent_process_death_signal};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// A child in a process group of its own; the whole group dies on drop.
///
/// A drop does not happen on Ctrl-C or when the chore itself is killed; the kernel's parent-death signal covers those.
pub struct OwnedChild {
    child: Child,
}

impl OwnedChild {
    /// Starts `command`. Must run on the main thread: the death signal follows the thread that spawned.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        command.process_group(0);
        // SAFETY: the closure runs between fork and exec and makes one system call, prctl, which is
        // async-signal-safe and allocates nothing.
        unsafe {
            command.pre_exec(|| {
                set_parent_process_death_signal(Some(Signal::KILL)).map_err(Into::into)
            });
        }
        let name = command.get_program().to_string_lossy().into_owned();
        Ok(Self {
            child: command
                .spawn()
                .with_context(|| format!("cannot start {name}"))?,
        })
    }

    /// The process, for its pipes.
    pub fn inner(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The exit status, if the process has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits at most `cap` for the end of the process.
    pub fn wait_at_most(&mut self, cap: Duration) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + cap;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for OwnedChild {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            kill_group(self.child.id());
            let _ = self.child.wait();
        }
    }
}

/// Kills the process group that `leader` leads; a group that is gone already is no error.
pub fn kill_group(leader: u32) {
    if let Some(pid) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(pid, Signal::KILL);
    }
}
