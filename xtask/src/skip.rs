//! "This machine cannot do that": neither a pass nor a failure.

use std::fmt;

/// The exit code that test harnesses (automake, TAP, Meson) read as "skipped".
pub const EXIT_SKIPPED: u8 = 77;

/// Why a chore cannot run here, and what would make it run.
#[derive(Debug)]
pub struct Skip(pub String);

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

/// The error that ends a chore with [`EXIT_SKIPPED`].
pub fn skip(reason: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Skip(reason.into()))
}
