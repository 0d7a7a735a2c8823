//! Measurements of the machine that runs the tests, and the page about them. What is asserted holds on any machine, however
//! loud it is.

#![allow(
    clippy::disallowed_methods,
    reason = "tests build trees and start the binary under test"
)]

mod machine;

use machine::{Answer, Machine, hftune};

/// Jitter leaves a CPU for the rest; a machine with one has nothing to measure.
fn has_two_cpus() -> bool {
    let two = std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1);
    if !two {
        eprintln!("skipped: this machine has one CPU");
    }
    two
}

fn jitter(args: &[&str]) -> Answer {
    let mut words = vec!["jitter", "--duration", "1s"];
    words.extend(args);
    hftune(&words)
}

#[test]
fn jitter_finds_gaps_and_tells_what_it_rests_on() {
    if !has_two_cpus() {
        return;
    }
    let told = jitter(&["--json", "--threshold", "1000"]).expect(0).json();
    assert_eq!(told["schema"], "hftune/jitter/1");
    let cpus = told["cpus"].as_array().expect("cpus");
    assert!(!cpus.is_empty());
    for cpu in cpus {
        assert!(cpu["turns"].as_u64().expect("turns") > 10_000, "{cpu}");
        let number = |name: &str| cpu[name].as_f64().expect(name);
        assert!(number("loop_ns") > 0.0 && number("resolution_ns") > 0.0);
        assert!((number("threshold_ns") - 1000.0).abs() < 10.0);
        assert_eq!(cpu["faults"], 0, "the loop touches nothing new");
        let counted: u64 = cpu["histogram"]
            .as_array()
            .expect("histogram")
            .iter()
            .map(|step| step[1].as_u64().expect("a count"))
            .sum();
        assert_eq!(Some(counted), cpu["gaps"]["count"].as_u64());
        if let Some(traced) = cpu["traced"].as_object() {
            let named: u64 = cpu["causes"]
                .as_array()
                .expect("causes")
                .iter()
                .map(|cause| cause["count"].as_u64().expect("a count"))
                .sum();
            assert_eq!(Some(named), traced["to_name"].as_u64());
        }
    }
    // The instance of the trace is gone.
    let ours = |name: &std::ffi::OsString| name.to_string_lossy().starts_with("hftune-");
    let left = std::fs::read_dir("/sys/kernel/tracing/instances").map_or(0, |entries| {
        entries
            .flatten()
            .filter(|entry| ours(&entry.file_name()))
            .count()
    });
    assert_eq!(left, 0);
}

#[test]
fn jitter_leaves_a_cpu_and_refuses_those_that_are_not_there() {
    let online = std::fs::read_to_string("/sys/devices/system/cpu/online").expect("CPUs");
    let all = jitter(&["--cpus", online.trim()]).expect(2);
    assert!(all.stderr.contains("would leave none"), "{}", all.stderr);
    let absent = jitter(&["--cpus", "4095"]).expect(2);
    assert!(absent.stderr.contains("is not online"), "{}", absent.stderr);
    let tree = Machine::empty();
    let answer = tree.run(&["jitter"]).expect(2);
    assert!(
        answer.stderr.contains("leave --root out"),
        "{}",
        answer.stderr
    );
}

#[test]
fn quiet_counts_what_disturbs() {
    if !has_two_cpus() {
        return;
    }
    let answer = hftune(&["quiet", "--duration", "1s", "--json"]);
    let told = answer.json();
    assert_eq!(told["schema"], "hftune/quiet/1");
    let cpus = told["cpus"].as_array().expect("cpus");
    let quiet = cpus.iter().all(|cpu| cpu["quiet"] == true);
    assert_eq!(answer.code, if quiet { 0 } else { 3 });
    for cpu in cpus {
        for kind in ["timer", "ipi", "device", "softirq"] {
            assert!(cpu[kind].as_f64().expect(kind) >= 0.0);
        }
    }
}
