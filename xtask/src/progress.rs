//! Progress lines on standard error, with the time since the chore began: a slow step shows itself.

use std::sync::OnceLock;
use std::time::Instant;

static BEGAN: OnceLock<Instant> = OnceLock::new();

/// Starts the clock of [`say`].
pub fn start() {
    BEGAN.get_or_init(Instant::now);
}

/// Whole seconds since [`start`].
pub fn elapsed_s() -> u64 {
    BEGAN.get_or_init(Instant::now).elapsed().as_secs()
}

/// Prints one progress line.
pub fn say(line: impl AsRef<str>) {
    eprintln!("[{:>4} s] {}", elapsed_s(), line.as_ref());
}
