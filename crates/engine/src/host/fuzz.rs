//! What the fuzz targets call here.

use super::ini::{self, Dialect};
use super::{irqs, shell_words};

/// `/proc/interrupts`.
pub fn interrupts(text: &str) {
    let _ = irqs::parse_interrupts(text);
}

/// Files of keys and values: each one's line is in the text.
pub fn words(text: &str) {
    let lines = text.lines().count();
    for dialect in [Dialect::KeyFile, Dialect::Systemd, Dialect::Tuned] {
        for entry in ini::parse(text, dialect) {
            assert!((1..=lines).contains(&entry.line), "{entry:?}");
        }
    }
    for assignment in shell_words::parse(text) {
        assert!((1..=lines).contains(&assignment.line), "{assignment:?}");
    }
}
