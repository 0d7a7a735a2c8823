//! Assertions: every one is printed, all are collected, none is retried.

use super::snapshot::{Snapshot, differences};
use anyhow::Result;
use std::fmt::{Debug, Display};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// More differences than this are counted, not listed, on the screen; the report has them all.
const LISTED: usize = 20;

/// The assertions of one run.
pub struct Checks {
    report: File,
    passed: usize,
    failed: Vec<String>,
}

impl Checks {
    /// Starts a report in `logs`.
    pub fn new(logs: &Path) -> Result<Self> {
        Ok(Self {
            report: File::create(logs.join("report.txt"))?,
            passed: 0,
            failed: Vec::new(),
        })
    }

    /// Asserts that something holds.
    pub fn that(
        &mut self,
        what: impl Display,
        holds: bool,
        expected: impl Display,
        got: impl Display,
    ) {
        if holds {
            self.passed += 1;
            self.print(&format!("ok    {what}: {got}"));
        } else {
            self.print(&format!("FAIL  {what}: expected {expected}, got {got}"));
            self.failed.push(what.to_string());
        }
    }

    /// Asserts that a value is exactly the expected one.
    pub fn equal<T: PartialEq + Debug + ?Sized>(
        &mut self,
        what: impl Display,
        got: &T,
        expected: &T,
    ) {
        self.that(
            what,
            got == expected,
            format!("{expected:?}"),
            format!("{got:?}"),
        );
    }

    /// Asserts that two states are the same, entry by entry.
    pub fn same(&mut self, what: impl Display, before: &Snapshot, after: &Snapshot) {
        let lines = differences(before, after);
        self.that(
            &what,
            lines.is_empty(),
            "no difference",
            match lines.len() {
                0 => format!("{} entries", after.len()),
                count => format!("{count} differences"),
            },
        );
        for (index, line) in lines.iter().enumerate() {
            let _ = writeln!(self.report, "        {line}");
            if index < LISTED {
                println!("        {line}");
            }
        }
        if lines.len() > LISTED {
            println!("        and {} more, in report.txt", lines.len() - LISTED);
        }
    }

    /// Prints something that is judged nowhere.
    pub fn note(&mut self, text: impl Display) {
        self.print(&format!("note  {text}"));
    }

    /// How many did not hold so far.
    pub fn failures(&self) -> usize {
        self.failed.len()
    }

    /// Prints the sum and tells whether all held.
    pub fn finish(mut self) -> bool {
        let failed = self.failed.len();
        if failed == 0 {
            self.print(&format!("all {} checks passed", self.passed));
        } else {
            self.print(&format!(
                "{failed} of {} checks FAILED:",
                self.passed + failed
            ));
            for what in std::mem::take(&mut self.failed) {
                self.print(&format!("  {what}"));
            }
        }
        failed == 0
    }

    fn print(&mut self, line: &str) {
        println!("{line}");
        // The screen has it too: a report that cannot be written must not end the run.
        let _ = writeln!(self.report, "{line}");
    }
}
