//! `hftune report`: the page of a machine, with and without measurements, and what it says of files that are none.

#![allow(
    clippy::disallowed_methods,
    reason = "tests build trees and start the binary under test"
)]

mod machine;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use machine::{Answer, Machine, hftune};

/// A measurement of CPU 5, whose thread has a name that tries to be markup.
const MEASUREMENT: &str = r#"{"schema":"hftune/jitter/1","time":"2026-01-02T03:04:05Z","host":"h","kernel":"6.1.0-test",
"seconds":2.0,"counter_ghz":2.6,"warnings":[],"cpus":[{"cpu":5,"turns":9,"loop_ns":7.0,"resolution_ns":6.0,
"threshold_ns":30.0,"threshold_basis":"given","gaps":{"count":1,"per_second":0.5,"p50_ns":5e3,"p99_ns":5e3,"p999_ns":5e3,
"max_ns":5e3},"lost_share":1e-6,"faults":0,"switches":0,"migrations":0,"histogram":[[5e3,1]],"counted":[],"traced":null,
"causes":[{"cause":"thread <x>","count":1,"lost_ns":5e3,"max_ns":5e3,"setting":"boot/isolcpus"}]}]}"#;

/// A machine, and a place for files outside of it.
struct Case(Machine, tempfile::TempDir);

impl Case {
    fn new() -> Self {
        Self(
            Machine::debian(),
            tempfile::tempdir().expect("temporary directory"),
        )
    }

    fn path(&self, name: &str) -> String {
        let path = self.1.path().join(name);
        path.to_str().expect("text").to_owned()
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).expect("write");
        path
    }

    fn report(&self, args: &[&str]) -> Answer {
        let page = self.path("report.html");
        self.0.run(&[&["report", "-o", &page], args].concat())
    }

    fn page(&self) -> String {
        fs::read_to_string(self.path("report.html")).expect("a page")
    }
}

#[test]
fn the_page_tells_of_the_machine_and_changes_nothing() {
    let case = Case::new();
    let before = case.0.manifest();
    let said = case.report(&[]).expect(0).stdout;
    assert!(said.contains("report.html is written: "), "{said}");
    assert_eq!(case.0.manifest(), before, "a report changes nothing");
    let page = case.page();
    for word in [
        "Test CPU",
        "<h3>Socket 1</h3>",
        "<h4>NUMA node 1",
        "boot/<wbr>isolcpus",
    ] {
        assert!(page.contains(word), "{word}");
    }
    assert!(!page.contains("id=\"gaps\""));
    let mode = fs::metadata(case.path("report.html"))
        .expect("a page")
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o644);
}

#[test]
fn a_capture_gives_the_page_of_its_machine() {
    let case = Case::new();
    let capture = case.path("machine.tgz");
    case.0.run(&["host", "--capture", &capture]).expect(0);
    let page = case.path("report.html");
    hftune(&["report", "-o", &page, "--from", &capture]).expect(0);
    assert!(case.page().contains("machine.tgz") && case.page().contains("<h3>Socket 1</h3>"));
}

#[test]
fn measurements_are_in_it() {
    let case = Case::new();
    let before = case.file("before.json", MEASUREMENT);
    let after = case.file("after.json", &MEASUREMENT.replace("5e3", "2e3"));
    case.report(&[&before]).expect(0);
    assert!(case.page().contains("measured max 5.0 us"));
    case.report(&["--replace", &before, &after]).expect(0);
    let page = case.page();
    assert!(page.contains("before max 5.0 us") && page.contains("after max 2.0 us"));
    assert!(page.contains("thread &lt;x&gt;") && !page.contains("<x>"));
    case.report(&["--replace", &before, &after, &after])
        .expect(2);
}

#[test]
fn what_cannot_be_done_is_told_with_its_remedy() {
    let case = Case::new();
    let whole = case.file("whole.json", MEASUREMENT);
    let half = case.file("half.json", &MEASUREMENT[..200]);
    let other = case.file("other.json", r#"{"schema":"hftune/host/1"}"#);
    for (file, what) in [
        (half.as_str(), "it is no JSON"),
        (&other, "its schema is \"hftune/host/1\""),
        (&case.path("none.json"), "No such file"),
    ] {
        let said = case.report(&[file]).expect(1).stderr;
        assert!(said.contains(what) && said.contains(file), "{said}");
    }
    let said = case.report(&[&other]).expect(1).stderr;
    assert!(said.contains("make it with hftune jitter --json"), "{said}");
    assert!(!fs::exists(case.path("report.html")).expect("a place"));
    case.report(&[]).expect(0);
    let said = case.report(&[]).expect(1).stderr;
    assert!(
        said.contains("it exists already") && said.contains("--replace"),
        "{said}"
    );
    let said = case
        .0
        .run(&["report", "--replace", "-o", &whole, &whole])
        .expect(2)
        .stderr;
    assert!(said.contains("the page would take the place"), "{said}");
}
