//! `hftune drift` on directory trees: the units, what a run tells and leaves, and that nothing is left after it.
#![allow(
    clippy::disallowed_methods,
    reason = "a test makes the files that hftune reads and reads what it wrote"
)]

mod machine;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

use machine::{Answer, Machine};

const SERVICE: &str = "/etc/systemd/system/hftune-verify.service";
const TIMER: &str = "/etc/systemd/system/hftune-verify.timer";
const LINK: &str = "/etc/systemd/system/timers.target.wants/hftune-verify.timer";
const STATE: &str = "/var/lib/hftune/drift.json";
const OWN: &str = "/var/lib/hftune/metrics/hftune.prom";
const EXPORTER: &str = "/var/lib/prometheus/node-exporter";
const SWAPPINESS: &str = "/proc/sys/vm/swappiness";

fn enabled() -> Machine {
    let machine = Machine::debian();
    machine.run(&["setup", "--yes"]).expect(4);
    machine.run(&["drift", "enable", "--yes"]).expect(0);
    machine
}

/// A run; 3 and 4 are as `verify` has them.
fn check(machine: &Machine) -> Answer {
    let answer = machine.run(&["drift", "check"]);
    assert!(
        matches!(answer.code, 3 | 4),
        "{}{}",
        answer.stdout,
        answer.stderr
    );
    answer
}

#[track_caller]
fn has(answer: &Answer, parts: &[&str]) {
    let line = answer
        .stdout
        .lines()
        .find(|line| parts.iter().all(|part| line.contains(part)));
    assert!(line.is_some(), "{parts:?} is not in\n{}", answer.stdout);
}

#[test]
fn enabling_writes_the_units_and_rollback_leaves_nothing() {
    let machine = Machine::debian();
    let before = machine.manifest();
    let made = machine
        .run(&["drift", "enable", "--yes", "--json"])
        .expect(0)
        .json();
    assert_eq!(made["schema"], "hftune/drift-enable/1");
    assert!(made["transaction"].is_string(), "{made}");
    let service = machine.read(SERVICE);
    for line in [
        "ExecStart=/usr/local/bin/hftune drift check",
        "CPUAffinity=0-1",
        "Nice=19",
        "IOSchedulingClass=idle",
        "SuccessExitStatus=3 4",
    ] {
        assert!(
            service.lines().any(|known| known == line),
            "{line}\n{service}"
        );
    }
    assert!(machine.read(TIMER).contains("\nOnUnitActiveSec=15min\n"));
    assert!(fs::symlink_metadata(machine.path(LINK)).is_ok());
    machine.run(&["verify", "--only", "drift"]).expect(0);
    // It stays what it is: a second time changes nothing.
    let again = machine
        .run(&["drift", "enable", "--yes", "--json"])
        .expect(0)
        .json();
    assert_eq!(again["transaction"], serde_json::Value::Null);

    machine.run(&["drift", "check"]);
    assert!(machine.path(OWN).exists() && machine.path(STATE).exists());
    machine.run(&["rollback", "--all", "--yes"]).expect(0);
    machine.assert_is(&before);
    assert!(!machine.path(OWN).exists() && !machine.path(STATE).exists());
    assert!(!machine.path("/var/lib/hftune/metrics").exists());
}

#[test]
fn disabling_takes_units_metrics_and_record_away_and_the_setup_stays() {
    let machine = enabled();
    machine.file(&format!("{EXPORTER}/other.prom"), "other 1\n");
    check(&machine);
    let metrics = format!("{EXPORTER}/hftune.prom");
    assert!(machine.path(&metrics).exists());
    machine.run(&["drift", "disable", "--yes"]).expect(0);
    for path in [SERVICE, TIMER, LINK, STATE, &metrics] {
        assert!(
            fs::symlink_metadata(machine.path(path)).is_err(),
            "{path} is left"
        );
    }
    assert_eq!(machine.read(&format!("{EXPORTER}/other.prom")), "other 1\n");
    assert!(machine.path("/etc/sysctl.d/99-hft.conf").exists());
    let refused = machine.run(&["drift", "check"]).expect(1);
    assert!(
        refused.stderr.contains("hftune drift enable"),
        "{}",
        refused.stderr
    );
    // A later setup does not bring it back, and the profile's word does not either.
    machine.run(&["setup", "--yes"]).expect(4);
    assert!(!machine.path(TIMER).exists());
    // Undoing the disabling does.
    machine.run(&["rollback", "--yes"]);
    assert!(machine.path(TIMER).exists());
}

#[test]
fn a_run_tells_what_changed_and_by_whom() {
    let machine = enabled();
    let first = check(&machine);
    has(&first, &["the first run"]);
    assert_eq!(first.stdout.lines().count(), 1, "{}", first.stdout);
    has(&check(&machine), &["0 changes since the last run"]);

    // Somebody with sysctl(8), who leaves no trace.
    machine.file(SWAPPINESS, "60\n");
    let told = check(&machine);
    has(
        &told,
        &[
            "sysctl/vm.swappiness: ok (0) -> wrong (60)",
            "wanted 0",
            "author unknown",
            "hftune setup",
        ],
    );
    has(&told, &["1 change since the last run; 1 of "]);
    // It is told once, and again when it changes again.
    has(&check(&machine), &["0 changes since the last run; 1 of "]);
    machine.file(SWAPPINESS, "30\n");
    has(&check(&machine), &["wrong (60) -> wrong (30)"]);
    let metrics = machine.read(OWN);
    assert!(
        metrics.contains(
            "hftune_setting_ok{id=\"sysctl/vm.swappiness\",domain=\"sysctl\",verdict=\"wrong\"} 0\n"
        ),
        "{metrics}"
    );
    assert!(metrics.contains(
        "hftune_setting_since_timestamp_seconds{id=\"sysctl/vm.swappiness\",domain=\"sysctl\"} "
    ));

    // hftune itself.
    machine.run(&["setup", "--yes"]).expect(4);
    has(
        &check(&machine),
        &[
            "sysctl/vm.swappiness: wrong (30) -> ok (0)",
            "author: hftune, transaction ",
        ],
    );

    // A later file wins, and is named.
    machine.file("/etc/sysctl.d/99-zz.conf", "vm.swappiness = 10\n");
    has(
        &check(&machine),
        &[
            "sysctl/vm.swappiness: ok (0) -> overridden",
            "/etc/sysctl.d/99-zz.conf",
        ],
    );
    machine.remove("/etc/sysctl.d/99-zz.conf");
    has(&check(&machine), &["overridden", "-> ok (0)"]);

    // The profile wants something else now, and nobody ran setup.
    machine.file(
        "/etc/hftune/profile.toml",
        "[sysctl]\n\"vm.swappiness\" = 5\n",
    );
    has(
        &check(&machine),
        &[
            "sysctl/vm.swappiness: ok (0) -> wrong (0)",
            "wanted 5",
            "whoever changed the profile",
        ],
    );
    machine.remove("/etc/hftune/profile.toml");
    check(&machine);

    // A file of ours that somebody changed is newer than the last run.
    let path = machine.path("/etc/systemd/system/disable-thp.service");
    fs::write(&path, "[Service]\n").expect("write");
    let later = SystemTime::now() + Duration::from_secs(5);
    fs::File::options()
        .write(true)
        .open(&path)
        .and_then(|file| file.set_modified(later))
        .expect("time");
    has(
        &check(&machine),
        &[
            "thp/enabled: ok",
            "-> wrong",
            "whoever changed /etc/systemd/system/disable-thp.service",
        ],
    );
}

#[test]
fn a_boot_in_between_is_told() {
    let machine = enabled();
    check(&machine);
    machine.file(
        "/proc/sys/kernel/random/boot_id",
        "00000000-0000-0000-0000-000000000002\n",
    );
    machine.file(SWAPPINESS, "60\n");
    has(
        &check(&machine),
        &["sysctl/vm.swappiness", "booted since the last run"],
    );
}

#[test]
fn metrics_that_cannot_be_written_are_told_and_the_record_is_kept() {
    let machine = Machine::debian();
    machine.run(&["setup", "--yes"]).expect(4);
    machine
        .run(&["drift", "enable", "--yes", "--textfile-dir", "/srv/metrics"])
        .expect(0);
    let service = machine.read(SERVICE);
    assert!(
        service.contains("drift check --textfile-dir /srv/metrics\n"),
        "{service}"
    );
    assert!(
        service.contains("\nReadWritePaths=/var/lib/hftune -/srv/metrics\n"),
        "{service}"
    );
    let run = |code: i32| {
        machine
            .run(&["drift", "check", "--textfile-dir", "/srv/metrics"])
            .expect(code)
    };
    let failed = run(1);
    has(
        &failed,
        &[
            "the metrics are not written",
            "/srv/metrics",
            "--textfile-dir DIR",
        ],
    );
    assert!(machine.path(STATE).exists(), "what was found is kept");
    machine.file(SWAPPINESS, "60\n");
    let failed = run(1);
    has(&failed, &["sysctl/vm.swappiness: ok (0) -> wrong (60)"]);
    machine.file("/srv/metrics/other", "");
    let told = run(3);
    has(&told, &["0 changes since the last run"]);
    let mode = fs::metadata(machine.path("/srv/metrics/hftune.prom"))
        .expect("metrics")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o644);
    // Nor does a damaged record stop it.
    machine.file(STATE, "{\n");
    let told = run(3);
    assert!(
        told.stderr.contains("cannot be understood"),
        "{}",
        told.stderr
    );
    has(&told, &["the first run"]);
}

#[test]
fn bad_directories_are_refused() {
    let machine = Machine::debian();
    // Disabling what is not there changes nothing.
    let nothing = machine
        .run(&["drift", "disable", "--yes", "--json"])
        .expect(0)
        .json();
    assert_eq!(nothing["transaction"], serde_json::Value::Null);
    for dir in [
        "relative",
        "/a b",
        "/a\nExecStart=/bin/sh",
        "/a/../b",
        "/%n",
    ] {
        let answer = machine
            .run(&["drift", "enable", "--yes", "--textfile-dir", dir])
            .expect(2);
        assert!(
            answer.stderr.contains("is no directory for metrics"),
            "{}",
            answer.stderr
        );
    }
    machine.file("/etc/hftune/profile.toml", "[drift]\nevery_minutes = 0\n");
    let answer = machine.run(&["plan"]).expect(1);
    assert!(
        answer.stderr.contains("expected 1 to 1440"),
        "{}",
        answer.stderr
    );
    assert!(!machine.path(TIMER).exists());
}

#[test]
fn the_profile_can_ask_for_it_and_setup_makes_it() {
    let machine = Machine::debian();
    machine.file(
        "/etc/hftune/profile.toml",
        "[drift]\nwatch = true\nevery_minutes = 60\n",
    );
    machine.run(&["setup", "--yes"]).expect(4);
    assert!(machine.read(TIMER).contains("\nOnUnitActiveSec=60min\n"));
    let status = machine.run(&["drift", "status", "--json"]).expect(0).json();
    assert_eq!(status["enabled"], true);
    assert_eq!(status["last_run"], serde_json::Value::Null);
    check(&machine);
    machine.file(SWAPPINESS, "60\n");
    check(&machine);
    let status = machine.run(&["drift", "status", "--json"]).expect(0).json();
    assert_eq!(status["open"][0]["id"], "sysctl/vm.swappiness");
    let human = machine.run(&["drift", "status"]).expect(0).stdout;
    assert!(
        human.contains("sysctl/vm.swappiness: wrong (60), since "),
        "{human}"
    );
    machine.run(&["drift", "disable", "--yes"]).expect(0);
    assert!(!machine.path(TIMER).exists());
}

/// The dashboard and the alert rules ask for nothing that a run does not write.
#[test]
fn every_metric_that_is_asked_for_is_written() {
    let machine = enabled();
    machine.file(SWAPPINESS, "60\n");
    check(&machine);
    let metrics = machine.read(OWN);
    let monitoring = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/monitoring");
    for file in ["alerts.yml", "grafana-dashboard.json"] {
        let text = fs::read_to_string(format!("{monitoring}/{file}")).expect(file);
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let names: BTreeSet<&str> = words.filter(|word| word.starts_with("hftune_")).collect();
        assert!(names.len() > 3, "{file}: {names:?}");
        for name in names {
            assert!(
                metrics.contains(&format!("# TYPE {name} gauge\n")),
                "{file} asks for {name}, which is not in\n{metrics}"
            );
        }
    }
}
