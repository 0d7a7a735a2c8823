//! A process that stays beside another one until that one ends.

use std::time::Duration;

use hftune_model::{Error, Kind, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, getppid, pidfd_open};

/// Makes a child that calls `look` again and again, after the times that it returns, until this process, or what it
/// executes, ends. Returns in this process at once; the child never does.
///
/// Call it while there is one thread only: the child has no other.
pub fn beside(mut look: impl FnMut(u32) -> Duration) -> Result<()> {
    let failed = |e: Errno| {
        Error::new(
            Kind::Io,
            format!("cannot watch the threads of the program: {e}"),
        )
    };
    let watched = rustix::process::getpid();
    let end = match pidfd_open(watched, PidfdFlags::empty()) {
        Ok(end) => Some(end),
        // Before Linux 5.3, or a container's filter that does not know it: then each look asks whose child this is.
        Err(Errno::NOSYS | Errno::PERM) => None,
        Err(e) => return Err(failed(e)),
    };
    // SAFETY: this process has one thread (the caller's duty), so that the child may do whatever a process may.
    let child = unsafe { libc::fork() };
    if child < 0 {
        return Err(Error::new(
            Kind::Io,
            format!(
                "cannot watch the threads of the program: {}",
                std::io::Error::last_os_error()
            ),
        ));
    }
    if child > 0 {
        return Ok(());
    }
    detach();
    loop {
        let wait = look(pid_number(watched));
        let wait = Timespec::try_from(wait).unwrap_or(Timespec {
            tv_sec: 1,
            tv_nsec: 0,
        });
        // It becomes readable when the process ends (pidfd_open(2)).
        let mut ends: Vec<PollFd<'_>> = end
            .iter()
            .map(|end| PollFd::new(end, PollFlags::IN))
            .collect();
        let over = !matches!(poll(&mut ends, Some(&wait)), Ok(0) | Err(Errno::INTR));
        if over || getppid() != Some(watched) {
            std::process::exit(0);
        }
    }
}

fn pid_number(pid: Pid) -> u32 {
    u32::try_from(pid.as_raw_nonzero().get()).unwrap_or_default()
}

/// Whoever reads the program's output, or writes its input, must not wait for the watcher; its warnings still go to
/// standard error. Signals of the terminal are for the program.
fn detach() {
    let _ = rustix::process::setsid();
    if let Ok(null) = rustix::fs::open(
        "/dev/null",
        rustix::fs::OFlags::RDWR,
        rustix::fs::Mode::empty(),
    ) {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}
