//! `hftune run` with real processes.

#![allow(
    clippy::disallowed_methods,
    reason = "tests build trees and start programs"
)]

mod machine;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use machine::{Answer, hftune};

/// A CPU that this process may use.
fn cpu() -> String {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .expect("list");
    let end = list
        .trim()
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(list.trim().len());
    list.trim()[..end].to_owned()
}

fn run(args: &[&str]) -> Answer {
    let mut words = vec!["run"];
    words.extend(args);
    hftune(&words)
}

/// As the first argument of `run`, on a CPU and without real-time scheduling.
fn plain(args: &[&str]) -> Answer {
    let cpu = cpu();
    let mut words = vec!["--cpus", &cpu, "--priority", "0"];
    words.extend(args);
    run(&words)
}

fn program(dir: &Path, name: &str, text: &[u8], mode: u32) -> String {
    let path = dir.join(name);
    fs::write(&path, text).expect("write");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn the_application_is_on_its_cpu_with_its_environment() {
    let cpu = cpu();
    let answer = plain(&[
        "--env",
        "HFTUNE_TEST=a=b",
        "--",
        "/bin/sh",
        "-c",
        "echo $HFTUNE_TEST; grep Cpus_allowed_list /proc/self/status; exit 7",
    ]);
    assert_eq!(answer.code, 7, "{}", answer.stderr);
    let lines: Vec<&str> = answer.stdout.lines().collect();
    assert_eq!(lines[0], "a=b");
    assert_eq!(lines[1], format!("Cpus_allowed_list:\t{cpu}"));
    assert!(
        answer.stderr.contains("is not isolated"),
        "{}",
        answer.stderr
    );
}

#[test]
fn the_process_becomes_the_application() {
    let cpu = cpu();
    let mut child = Command::new(env!("CARGO_BIN_EXE_hftune"))
        .args([
            "run",
            "--cpus",
            &cpu,
            "--priority",
            "0",
            "--",
            "/bin/sleep",
            "60",
        ])
        .stderr(Stdio::null())
        .spawn()
        .expect("start");
    let comm = format!("/proc/{}/comm", child.id());
    let became = (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        fs::read_to_string(&comm).is_ok_and(|name| name.trim() == "sleep")
    });
    let answer = hftune(&["run", "--check", &child.id().to_string(), "--json"]);
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id()));
    child.kill().expect("kill");
    child.wait().expect("wait");
    assert!(became, "it never became sleep");
    let json = answer.json();
    let thread = &json["processes"][0]["threads"][0];
    assert_eq!(json["schema"], "hftune/run-check/1");
    assert_eq!(
        (&thread["allowed"], &thread["policy"]),
        (&cpu.as_str().into(), &"other".into())
    );
    match children {
        Ok(children) => assert_eq!(children.trim(), "", "a process is left between"),
        Err(_) => println!("skipped: this kernel lists no children"),
    }
}

#[test]
fn real_time_priority_is_taken_or_refused_with_the_remedy() {
    let cpu = cpu();
    let answer = run(&[
        "--cpus",
        &cpu,
        "--priority",
        "49",
        "--",
        "/bin/sh",
        "-c",
        "exec cat /proc/$$/stat",
    ]);
    if answer.code == 5 {
        assert!(answer.stderr.contains("rtprio"), "{}", answer.stderr);
        println!("skipped: this user may not take a real-time priority");
        return;
    }
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let fields: Vec<&str> = answer
        .stdout
        .rsplit_once(')')
        .expect("name")
        .1
        .split_whitespace()
        .collect();
    assert_eq!(
        (fields[40 - 3], fields[41 - 3]),
        ("49", "1"),
        "{}",
        answer.stdout
    );
    let answer = run(&["--cpus", &cpu, "--priority", "99", "--", "/bin/true"]);
    assert!(
        answer.code == 0 && answer.stderr.contains("migration"),
        "{}",
        answer.stderr
    );
}

#[test]
fn what_cannot_be_started_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().expect("directory");
    let plain_file = program(dir.path(), "plain", b"text", 0o644);
    let nonsense = program(dir.path(), "nonsense", b"text", 0o755);
    let dir_text = dir.path().to_str().expect("UTF-8");
    for (args, words) in [
        (vec!["/no/such/program"], "No such file"),
        (vec!["no-such-program-hftune"], "there is no program"),
        (vec![dir_text], "a directory"),
        (vec![plain_file.as_str()], "not executable"),
        (vec![nonsense.as_str()], "#!/bin/sh"),
    ] {
        let mut words_of = vec!["--"];
        words_of.extend(&args);
        let answer = plain(&words_of);
        assert_eq!(answer.code, 1, "{args:?}: {}", answer.stderr);
        assert!(answer.stderr.contains(words), "{args:?}: {}", answer.stderr);
        assert_eq!(answer.stdout, "");
    }
    for (args, words) in [
        (
            vec!["--cpus", "8191", "--", "/bin/true"],
            "offline or does not exist",
        ),
        (vec!["--cpus", "3-1", "--", "/bin/true"], "backwards"),
        (vec!["--cpus", "", "--", "/bin/true"], "empty"),
        (vec!["--priority", "100", "--", "/bin/true"], "0..=99"),
        (vec!["--priority", "-1", "--", "/bin/true"], "'-1'"),
        (
            vec!["--env", "HFTUNE", "--", "/bin/true"],
            "a variable and its value",
        ),
        (
            vec!["--env", "1=2", "--", "/bin/true"],
            "a variable and its value",
        ),
        (vec![], "APP"),
        (vec!["--json", "--", "/bin/true"], "--check"),
    ] {
        let answer = run(&args);
        assert_eq!(answer.code, 2, "{args:?}: {}", answer.stderr);
        assert!(answer.stderr.contains(words), "{args:?}: {}", answer.stderr);
    }
    let answer = hftune(&["--root", dir_text, "run", "--", "/bin/true"]);
    assert!(
        answer.code == 2 && answer.stderr.contains("directory tree"),
        "{}",
        answer.stderr
    );
}

/// Programs that libvma cannot be loaded into are refused before anything else is looked at.
#[test]
fn programs_that_the_loader_gives_no_library_are_refused() {
    let dir = tempfile::tempdir().expect("directory");
    let setuid = program(dir.path(), "setuid", b"#!/bin/sh\n", 0o4755);
    let answer = plain(&["--vma", "--", &setuid]);
    assert!(
        answer.code == 1 && answer.stderr.contains("setuid"),
        "{}",
        answer.stderr
    );
    // A file of ELF without a loader: the head alone is looked at.
    let mut head = vec![0u8; 64];
    head[..6].copy_from_slice(b"\x7fELF\x02\x01");
    let static_program = program(dir.path(), "static", &head, 0o755);
    let answer = plain(&["--vma", "--", &static_program]);
    assert!(
        answer.code == 1 && answer.stderr.contains("statically"),
        "{}",
        answer.stderr
    );
    let script = program(dir.path(), "script", b"#!/bin/sh\nexit 0\n", 0o755);
    let answer = plain(&["--vma", "--", &script]);
    assert!(
        answer.stderr.contains("every program that it starts"),
        "{}",
        answer.stderr
    );
    assert_eq!(plain(&["--", &script]).code, 0);
}

#[test]
fn each_thread_gets_a_cpu_of_its_own() {
    let python = "/usr/bin/python3";
    let online = fs::read_to_string("/sys/devices/system/cpu/online").expect("online");
    if !Path::new(python).exists() || online.trim() == "0" {
        println!("skipped: no {python}, or one CPU alone");
        return;
    }
    let text = "
import os, threading, time
def affinities(): return sorted((int(t), sorted(os.sched_getaffinity(int(t)))) for t in os.listdir('/proc/self/task'))
thread = threading.Thread(target=time.sleep, args=(20,), daemon=True)
thread.start()
for _ in range(1000):
    time.sleep(0.01)
    cpus = [c for _, c in affinities()]
    if all(len(c) == 1 for c in cpus) and cpus[0] != cpus[1]: break
print(*cpus)
";
    let answer = run(&[
        "--cpus",
        "0-1",
        "--priority",
        "0",
        "--cpu-per-thread",
        "--",
        python,
        "-c",
        text,
    ]);
    assert_eq!(
        (answer.code, answer.stdout.trim()),
        (0, "[0] [1]"),
        "{}",
        answer.stderr
    );
}

#[test]
fn a_process_that_is_not_there_is_named() {
    let answer = run(&["--check", "no-such-process"]);
    assert!(
        answer.code == 1 && answer.stderr.contains("no process no-such-process"),
        "{}",
        answer.stderr
    );
}
