//! Signals that ask a process to stop: held back while something is changed, and looked at between two changes.

use std::mem::MaybeUninit;
use std::ptr;

/// Ctrl-C, a shutdown, a terminal or ssh session that goes away.
const STOP: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// From now on these signals wait. Programs that are started get them again as usual.
pub fn hold() {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `set` is a valid place; sigemptyset fills it before anything reads it, the numbers are those of signals, and
    // the last call reads `set` and writes nothing, since the old set is not asked for.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in STOP {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut());
    }
}

/// Whether one of them waits.
pub fn asked_to_stop() -> bool {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `set` is a valid place, which sigpending fills; it is read only where that succeeded.
    unsafe {
        libc::sigpending(set.as_mut_ptr()) == 0
            && STOP
                .iter()
                .any(|signal| libc::sigismember(set.as_ptr(), *signal) == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_waits_until_it_is_looked_at() {
        hold();
        assert!(!asked_to_stop());
        // SAFETY: the signal goes to this thread alone, where it is held back.
        unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGTERM) };
        assert!(asked_to_stop());
        // It is taken, so that nobody gets it later.
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: as above; the timeout is zero, and no information is asked for.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
            let now = libc::timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            libc::sigtimedwait(set.as_ptr(), ptr::null_mut(), &raw const now);
        }
        assert!(!asked_to_stop());
    }
}
