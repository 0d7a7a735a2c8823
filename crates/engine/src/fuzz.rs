//! What the fuzz targets call: readers that are private otherwise.

use std::fmt::Write as _;

pub use crate::host::fuzz::{interrupts, words};
pub use crate::profile::fuzz::profile;

/// A journal with the right sum on every line.
pub fn with_sums(text: &str) -> String {
    let mut summed = String::new();
    for line in text.lines() {
        let _ = writeln!(summed, "{}", crate::journal::with_sum(line));
    }
    summed
}
