//! Bad input and a failing disk: a clear error that names file and remedy, the contract's exit code, and nothing half
//! done without a record.

#![allow(
    clippy::disallowed_methods,
    reason = "tests build trees and start programs"
)]

mod machine;

use std::path::Path;
use std::process::Command;

use machine::{Answer, Machine};

#[track_caller]
fn refused(answer: &Answer, code: i32, words: &[&str]) {
    assert_eq!(answer.code, code, "{}{}", answer.stdout, answer.stderr);
    assert!(
        answer.stdout.is_empty(),
        "errors go to standard error: {}",
        answer.stdout
    );
    for word in words {
        assert!(
            answer.stderr.contains(word),
            "{word:?} is not in:\n{}",
            answer.stderr
        );
    }
}

#[test]
fn a_profile_is_refused_with_file_line_and_what_was_expected() {
    let machine = Machine::debian();
    let cases = [
        (
            "[thp]\nenabled = \"sometimes\"\n",
            "profile.toml:2:",
            "never",
        ),
        (
            "[sysctl]\n\"vm.swapiness\" = [1]\n",
            "profile.toml:2:",
            "integer",
        ),
        ("[sysctls]\n", "profile.toml:1:", "sysctl"),
        (
            "[cpus]\nhousekeeping = \"7-2\"\n",
            "profile.toml:2:",
            "backwards",
        ),
        (
            "[cpus]\nhousekeeping = \"0-\"\n",
            "profile.toml:2:",
            "number",
        ),
        (
            "[cpus]\nhousekeeping = \"1,,2\"\n",
            "profile.toml:2:",
            "comma",
        ),
        (
            "[cpus]\nhousekeeping = \"99999999999\"\n",
            "profile.toml:2:",
            "8191",
        ),
        ("[hugepages]\nsize = \"2X\"\n", "profile.toml:2:", "size"),
        (
            "[boot]\nisolcpus = \"$(reboot)\"\n",
            "profile.toml:2:",
            "isolcpus",
        ),
        (
            "name = \"a\"\nname = \"b\"\n",
            "profile.toml:2:",
            "duplicate",
        ),
        ("not toml\r\n", "profile.toml:1:", ""),
    ];
    for (text, place, word) in cases {
        machine.file("/etc/hftune/profile.toml", text);
        for command in ["plan", "verify", "setup"] {
            let answer = machine.run(&[command]);
            refused(&answer, 1, &[place, word]);
        }
    }
}

#[test]
fn a_cpu_list_that_does_not_fit_is_refused() {
    let machine = Machine::debian();
    for (list, code, word) in [
        ("7-2", 2, "backwards"),
        ("", 2, "empty"),
        ("0-99", 1, "this host has CPUs 0-7"),
        ("2-7", 1, "CPU 0"),
    ] {
        refused(
            &machine.run(&["plan", "--housekeeping", list]),
            code,
            &[word],
        );
    }
    let plan = machine
        .run(&["plan", "--json", "--housekeeping", "0-7"])
        .expect(3)
        .json();
    assert_eq!(
        plan["cpus"]["isolated"], "",
        "every CPU for the OS: none is isolated, and the rest goes on"
    );
}

#[test]
fn pages_that_leave_too_little_memory_are_refused_and_the_rest_goes_on() {
    let machine = Machine::debian();
    machine.file("/etc/hftune/profile.toml", "[hugepages]\ncount = 14000\n");
    let plan = machine.run(&["plan", "--json"]).expect(3).json();
    let skipped = plan["skipped"].as_array().expect("skipped");
    let pages = skipped
        .iter()
        .find(|s| {
            s["id"]
                .as_str()
                .is_some_and(|id| id.starts_with("hugepages"))
        })
        .expect("refused");
    assert_eq!(pages["verdict"], "not-permitted");
    assert!(
        plan["changes"]
            .as_array()
            .is_some_and(|changes| changes.len() > 10)
    );
    let forced = machine.run(&["plan", "--json", "--force"]).json();
    assert!(
        forced["changes"]
            .as_array()
            .is_some_and(|changes| changes.iter().any(|c| c["id"] == "hugepages/node0"))
    );
}

/// The plan of a machine whose split is refused: it says so, isolates nothing, and goes on with the rest.
#[track_caller]
fn split_is_refused(machine: &Machine, word: &str) {
    let plan = machine.run(&["plan", "--json"]).expect(3).json();
    assert_eq!(plan["cpus"]["isolated"], "");
    let skipped = plan["skipped"].as_array().expect("skipped");
    let split = skipped
        .iter()
        .find(|s| s["id"] == "cpus/split")
        .expect("the refusal is told");
    assert_eq!(split["verdict"], "not-permitted");
    assert!(
        split["reason"].as_str().is_some_and(|r| r.contains(word)),
        "{split}"
    );
    let changes = plan["changes"].as_array().expect("changes");
    assert!(changes.iter().any(|c| c["id"] == "sysctl/vm.swappiness"));
    assert!(
        !changes.iter().any(|c| c["id"]
            .as_str()
            .is_some_and(|id| id.starts_with("irq/") || id == "boot/isolcpus")),
        "{changes:?}"
    );
    let verify = machine.run(&["verify", "--only", "cpus/split"]).expect(3);
    assert!(verify.stdout.contains("cpus/split"), "{}", verify.stdout);
}

#[test]
fn an_unreadable_host_is_not_split_and_the_rest_goes_on() {
    let machine = Machine::debian();
    std::fs::remove_dir_all(machine.path("/sys/devices/system/cpu")).expect("remove");
    machine.file("/proc/cpuinfo", "\u{1}rubbish\n");
    split_is_refused(&machine, "cannot be read");
    let plan = machine.run(&["plan", "--json"]).json();
    let id = |list: &str| {
        plan[list]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["id"] == "boot/irqaffinity"))
    };
    assert!(
        id("skipped") && !id("changes"),
        "no irqaffinity= without a CPU: {plan}"
    );
    machine.run(&["setup", "--yes"]).expect(3);
    refused(
        &machine.run(&["plan", "--housekeeping", "0-1"]),
        1,
        &["cannot be read"],
    );
}

#[test]
fn a_cpu_list_of_the_profile_that_does_not_fit_is_refused_and_the_rest_goes_on() {
    let machine = Machine::debian();
    for (text, word) in [
        ("housekeeping = \"0-99\"", "this host has CPUs 0-7"),
        ("housekeeping = \"2-7\"", "CPU 0"),
        ("housekeeping_cores = 8", "8 cores"),
    ] {
        machine.file("/etc/hftune/profile.toml", &format!("[cpus]\n{text}\n"));
        split_is_refused(&machine, word);
        assert_eq!(machine.run(&["live", "irq"]).code, 0);
    }
}

const IN_FORCE: &str = "/var/lib/hftune/in-force.json";

#[test]
fn a_damaged_record_of_the_last_setup_stops_nothing() {
    let machine = Machine::rhel9();
    machine
        .run(&["setup", "--yes", "--housekeeping", "0-2"])
        .expect(4);
    let good = machine.read(IN_FORCE);
    for damaged in [
        "{\"schema\": ".to_owned(),
        good.replace("\"choices\"", "\"later\": 1, \"choices_2\""),
        good.replace("in-force/1", "in-force/2"),
    ] {
        machine.file(IN_FORCE, &damaged);
        for command in [
            &["verify"][..],
            &["plan"],
            &["profile", "show"],
            &["live", "irq"],
            &["setup", "--yes", "--housekeeping", "0-2"],
        ] {
            let answer = machine.run(command);
            let said = format!("{}{}", answer.stdout, answer.stderr);
            assert_ne!(answer.code, 1, "{command:?} {said}");
            assert!(
                said.contains("in-force.json") && said.contains("writes it again"),
                "{command:?} {said}"
            );
        }
        assert_eq!(machine.read(IN_FORCE), good, "setup wrote it again");
    }
    // At boot with a profile that cannot be used either.
    machine.file(IN_FORCE, "");
    machine.file("/etc/hftune/profile.toml", "nonsense");
    let live = machine.run(&["live", "irq"]).expect(0);
    assert!(live.stderr.contains("built-in"), "{}", live.stderr);
}

#[test]
fn a_remembered_profile_that_is_gone_is_known_from_the_last_setup() {
    let machine = Machine::rhel9();
    let elsewhere = tempfile::tempdir().expect("temporary directory");
    let file = elsewhere.path().join("x.toml");
    std::fs::write(&file, "[sysctl]\n\"vm.swappiness\" = 7\n").expect("profile");
    let name = file.to_str().expect("text");
    machine
        .run(&["setup", "--yes", "--profile", name])
        .expect(4);
    std::fs::remove_file(&file).expect("remove");
    for command in [
        &["verify"][..],
        &["profile", "show"],
        &["plan"],
        &["setup", "--yes"],
    ] {
        let answer = machine.run(command);
        let said = format!("{}{}", answer.stdout, answer.stderr);
        assert!([0, 4].contains(&answer.code), "{command:?} {said}");
        assert!(said.contains("the profile is taken as the"), "{said}");
    }
    let shown = machine.run(&["profile", "show"]).stdout;
    assert!(shown.contains("\"vm.swappiness\" = 7"), "{shown}");
    assert!(shown.contains("isolcpus"), "{shown}");
    refused(&machine.run(&["verify", "--profile", name]), 1, &["x.toml"]);
}

#[test]
fn force_is_given_anew_each_time() {
    let machine = Machine::rhel9();
    machine.file("/etc/hftune/profile.toml", "[hugepages]\ncount = 13000\n");
    machine.run(&["setup", "--yes", "--force"]).expect(4);
    assert!(machine.read(IN_FORCE).contains("\"force\": true"));
    let pages = |args: &[&str]| machine.run(args).stdout.contains("too little");
    assert!(pages(&["verify"]));
    assert!(!pages(&["verify", "--force"]));
    machine.file(
        "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages",
        "0\n",
    );
    machine.run(&["live", "hugepages"]).expect(0);
    assert_eq!(
        machine.read("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages"),
        "6500\n",
        "the units apply what was forced"
    );
}

#[test]
fn any_installed_unit_can_be_off_but_for_a_file_of_the_administrator() {
    let machine = Machine::rhel9();
    for unit in ["firewalld.service", "fstrim.timer", "getty@.service"] {
        machine.file(&format!("/usr/lib/systemd/system/{unit}"), "");
    }
    machine.file("/etc/systemd/system/own.service", "[Service]\n");
    machine.link(
        "/etc/systemd/system/multi-user.target.wants/own.service",
        "/etc/systemd/system/own.service",
    );
    machine.link("/etc/systemd/system/linked.service", "/opt/linked.service");
    machine.file(
        "/etc/hftune/profile.toml",
        "[services]\noff = [\"firewalld.service\", \"fstrim.timer\", \"getty@tty1.service\", \"own.service\", \
         \"linked.service\", \"absent.service\"]\n",
    );
    let before = machine.manifest();
    machine.run(&["setup", "--yes"]).expect(3);
    let verify = machine
        .run(&["verify", "--format", "json"])
        .expect(3)
        .json();
    let found: std::collections::BTreeMap<_, _> = verify["settings"]
        .as_array()
        .expect("settings")
        .iter()
        .filter_map(|f| {
            let id = f["id"].as_str()?.strip_prefix("services/")?;
            Some((id, f["verdict"].as_str()?))
        })
        .collect();
    let expected = [
        ("absent", "not-applicable"),
        ("firewalld", "ok"),
        ("fstrim.timer", "ok"),
        ("getty@tty1", "ok"),
        ("linked", "ok"),
        ("own", "not-permitted"),
    ];
    assert_eq!(found, expected.into(), "{verify}");
    assert_eq!(
        machine.read("/etc/systemd/system/own.service"),
        "[Service]\n"
    );
    machine.run(&["plan"]).expect(0);
    machine.run(&["rollback", "--all", "--yes"]);
    assert_eq!(machine.manifest(), before);
}

#[test]
fn usage_errors_exit_2_and_missing_roots_are_named() {
    let machine = Machine::debian();
    refused(&machine.run(&["frobnicate"]), 2, &["frobnicate"]);
    refused(&machine.run(&["setup"]), 2, &["--yes"]);
    refused(
        &machine.run(&["rollback", "2001-01-01T00-00-00Z"]),
        2,
        &["hftune history"],
    );
    let missing = Command::new(env!("CARGO_BIN_EXE_hftune"))
        .args(["--root", "/nonexistent-root", "plan"])
        .output()
        .expect("start");
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/nonexistent-root"));
}

#[test]
fn a_damaged_journal_is_named_with_its_line() {
    let machine = Machine::debian();
    machine.file(
        "/var/lib/hftune/transactions/2026-01-01T00-00-00Z.jsonl",
        "nonsense\n",
    );
    refused(
        &machine.run(&["setup", "--yes"]),
        1,
        &["2026-01-01T00-00-00Z.jsonl:1:", "damaged"],
    );
}

/// The newest journal of a machine: its path.
fn newest_journal(machine: &Machine) -> String {
    let directory = "/var/lib/hftune/transactions";
    let mut names: Vec<String> = std::fs::read_dir(machine.path(directory))
        .expect("transactions")
        .map(|entry| {
            entry
                .expect("entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.sort();
    format!("{directory}/{}", names.pop().expect("a transaction"))
}

#[test]
fn a_letter_that_fell_over_in_the_journal_is_found_and_what_stands_before_it_can_be_undone() {
    let machine = Machine::debian();
    machine.run(&["setup", "--yes"]);
    let journal = newest_journal(&machine);
    let text = machine.read(&journal);
    let at = text.lines().count() / 2;
    let damaged: Vec<String> = text
        .lines()
        .enumerate()
        .map(|(number, line)| {
            if number + 1 == at {
                line.replacen("\"step\":", "\"step\":1", 1)
            } else {
                line.to_owned()
            }
        })
        .collect();
    machine.file(&journal, &(damaged.join("\n") + "\n"));
    for command in [
        &["rollback", "--yes"][..],
        &["setup", "--yes"],
        &["history"],
    ] {
        refused(
            &machine.run(command),
            1,
            &[
                &format!("jsonl:{at}:"),
                "the sum of the line is wrong",
                "rollback --force",
            ],
        );
    }
    let answer = machine.run(&["rollback", "--force", "--yes", "--json"]);
    assert!(
        answer.stderr.contains("only what stands before"),
        "{}",
        answer.stderr
    );
    assert!(
        !answer.json()["restored"]
            .as_array()
            .expect("list")
            .is_empty()
    );
}

#[test]
fn a_file_that_somebody_changed_is_shown_in_its_three_states() {
    let machine = Machine::debian();
    machine.file("/etc/security/limits.d/99-hft.conf", "# mine\n");
    machine.run(&["setup", "--yes"]);
    let made = machine.read("/etc/security/limits.d/99-hft.conf");
    machine.file(
        "/etc/security/limits.d/99-hft.conf",
        &format!("{made}trader - nofile 4096\n"),
    );
    let answer = machine.run(&["rollback", "--all", "--yes"]).expect(1);
    for words in [
        "what hftune changed",
        "-# mine",
        "what was changed since",
        "+trader - nofile 4096",
        "rollback --force",
    ] {
        assert!(answer.stdout.contains(words), "{words}:\n{}", answer.stdout);
    }
    machine
        .run(&["rollback", "--all", "--yes", "--force"])
        .expect(0);
    assert_eq!(
        machine.read("/etc/security/limits.d/99-hft.conf"),
        "# mine\n"
    );
}

#[test]
fn a_setup_of_a_tree_waits_for_no_confirmation() {
    let machine = Machine::debian();
    refused(
        &machine.run(&["setup", "--yes", "--confirm-within", "10m"]),
        2,
        &["systemd"],
    );
    for time in ["10", "1s", "2d", "-1m", "25h", ""] {
        let answer = machine.run(&["setup", "--yes", "--confirm-within", time]);
        assert_eq!(answer.code, 2, "{time}: {}", answer.stderr);
    }
    let answer = machine.run(&["confirm"]).expect(0);
    assert!(answer.stdout.contains("No setup waits"));
}

/// A journal as hftune 0.1 wrote it in version 1, without sums.
#[test]
fn a_journal_of_version_1_is_read_and_undone() {
    let machine = Machine::debian();
    machine.file("/etc/security/limits.d/99-hft.conf", "new\n");
    machine.file(
        "/var/lib/hftune/transactions/2026-01-01T00-00-00Z.jsonl",
        include_str!("journal/version-1.jsonl"),
    );
    let history = machine.run(&["history"]).expect(0).stdout;
    assert!(history.contains("2026-01-01T00-00-00Z"), "{history}");
    machine.run(&["rollback", "--yes"]).expect(0);
    assert_eq!(machine.read("/etc/security/limits.d/99-hft.conf"), "old\n");
}

/// A full disk at every size that stops a setup half way: what was done is recorded, and rollback undoes it.
#[test]
fn a_full_disk_leaves_a_record_and_rollback_works() {
    let script = r#"
        set -e
        mount -t tmpfs -o size=64m none "$2"
        cp -a "$1/." "$2"
        used=$(df -k --output=used "$2" | tail -n 1)
        for slack in 0 4 8 16 24 32 48 64 96 128; do
            mount -o remount,size=$((used + slack))k "$2"
            code=0
            "$3" --root "$2" setup --yes >/dev/null 2>"$4" || code=$?
            # Room again, so that the rollback can be recorded.
            mount -o remount,size=64m "$2"
            "$3" --root "$2" rollback --all --yes >/dev/null 2>&1 || true
            "$3" --root "$2" history >/dev/null 2>"$4.history" || { cat "$4.history"; echo "slack $slack: history fails"; exit 9; }
            rm -rf "$2/var"
            (cd "$1" && find . -mindepth 1 -printf '%p %m %y %l\n' | sort) > "$4.before"
            (cd "$2" && find . -mindepth 1 -printf '%p %m %y %l\n' | sort) > "$4.after"
            diff "$4.before" "$4.after" || exit 9
            diff -r --no-dereference "$1" "$2" || exit 9
            echo "slack $slack code $code: $(tr '\n' ' ' < "$4")"
        done
    "#;
    let machine = Machine::rhel9();
    let elsewhere = tempfile::tempdir().expect("temporary directory");
    let mount = elsewhere.path().join("tree");
    std::fs::create_dir(&mount).expect("directory");
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .args([
            machine.root(),
            &mount,
            Path::new(env!("CARGO_BIN_EXE_hftune")),
        ])
        .arg(elsewhere.path().join("stderr"))
        .output();
    let Ok(output) = output else {
        println!("skipped: unshare is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    if said.contains("unshare failed")
        || said.contains("must be superuser")
        || said.contains("permission denied")
    {
        println!("skipped: no mount namespace here: {said}");
        return;
    }
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("slack 0 code 1"),
        "a full disk stops it:\n{said}"
    );
    assert!(
        said.contains("free some space"),
        "and the remedy is told:\n{said}"
    );
}
