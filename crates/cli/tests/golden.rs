//! Whole machines as committed text: what hftune plans for each, as an operator reads it.
//!
//! A case is a folder in `cases/`: `host.tree` describes the machine (see `tree/mod.rs`), `profile.toml`, where there is
//! one, is what the operator wants, and `plan.txt` is the answer. `UPDATE_GOLDEN=1 cargo test --test golden` writes the
//! answers anew; read the difference before it is committed.
#![allow(
    clippy::disallowed_methods,
    reason = "a test reads the cases and makes the trees that hftune reads"
)]

mod machine;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use hftune_model::CpuSet;
use machine::Machine;

fn cases() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<PathBuf> = fs::read_dir(&dir)
        .expect("cases")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.join("host.tree").is_file())
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

fn machine(case: &Path) -> Machine {
    let machine = Machine::empty();
    tree::make(&machine, &case.join("host.tree"));
    if let Ok(profile) = fs::read_to_string(case.join("profile.toml")) {
        machine.file("/etc/hftune/profile.toml", &profile);
    }
    machine
}

#[test]
fn machines_are_planned_as_recorded() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut differ = Vec::new();
    for case in cases() {
        let machine = machine(&case);
        no_core_is_split(&case, &machine);
        let answer = machine.run(&["plan"]);
        assert!([0, 3].contains(&answer.code), "{}", answer.stderr);
        let text = answer
            .stdout
            .replace(&machine.root().display().to_string(), "");
        let recorded = case.join("plan.txt");
        if update {
            fs::write(&recorded, &text).expect("write");
        } else if fs::read_to_string(&recorded).unwrap_or_default() != text {
            differ.push(format!("{}:\n{text}", case.display()));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

fn no_core_is_split(case: &Path, machine: &Machine) {
    let plan = machine.run(&["plan", "--json"]).json();
    let host = machine.run(&["host", "--json"]).json();
    let set = |value: &serde_json::Value| {
        CpuSet::parse_list(value.as_str().expect("a list"), None).expect("a list")
    };
    let housekeeping = set(&plan["cpus"]["housekeeping"]);
    let isolated = set(&plan["cpus"]["isolated"]);
    let online = set(&host["cpus"]["online"]);
    let case = case.display();
    assert!(!housekeeping.is_empty() && !isolated.is_empty(), "{case}");
    assert_eq!(housekeeping.union(&isolated), online, "{case}");
    assert!(!plan["cpus"]["why"].as_str().expect("why").is_empty());
    for core in host["cpus"]["cores"].as_array().expect("cores") {
        let cpus = set(&core["cpus"]);
        let kept = cpus.intersection(&housekeeping);
        assert!(kept.is_empty() || kept == cpus, "{case}: {cpus}");
    }
}
