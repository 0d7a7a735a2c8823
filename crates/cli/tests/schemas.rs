//! What commands print with `--json` is what the schemas in `docs/schema` say, with no field besides.

#![allow(
    clippy::disallowed_methods,
    reason = "tests read the schemas, build trees and start the binary under test"
)]

mod machine;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use machine::{Answer, Machine, hftune};
use serde_json::{Value, json};

const SCHEMAS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schema");
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");

/// The schemas by what they describe; a field that they do not name is refused, so that none can lag behind.
struct Schemas {
    validators: BTreeMap<String, jsonschema::Validator>,
    seen: BTreeSet<String>,
}

impl Schemas {
    fn read() -> Self {
        let mut validators = BTreeMap::new();
        for entry in fs::read_dir(SCHEMAS).expect("docs/schema") {
            let path = entry.expect("entry").path();
            if path.extension().is_none_or(|ending| ending != "json") {
                continue;
            }
            let text = fs::read_to_string(&path).expect("a schema");
            let mut schema: Value = serde_json::from_str(&text).expect("JSON");
            let title = schema["title"].as_str().expect("a title").to_owned();
            let open = composed(&schema);
            strict(&mut schema, &open);
            let validator = jsonschema::draft202012::new(&schema)
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            validators.insert(title, validator);
        }
        Self {
            validators,
            seen: BTreeSet::new(),
        }
    }

    /// What is wrong with an output.
    fn problems(&self, output: &Value) -> Vec<String> {
        let id = output["schema"].as_str().expect("it names its schema");
        let validator = &self
            .validators
            .get(id)
            .unwrap_or_else(|| panic!("{id} has no schema"));
        validator
            .iter_errors(output)
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect()
    }

    #[track_caller]
    fn check(&mut self, answer: &Answer) -> Value {
        let output = answer.json();
        assert_eq!(self.problems(&output), [""; 0]);
        self.seen
            .insert(output["schema"].as_str().expect("text").to_owned());
        output
    }
}

/// Definitions that are part of a larger object, which is refused other fields as a whole.
fn composed(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    visit(schema, &mut |node| {
        if node.contains_key("properties") {
            for branch in branches(node).chain([node]) {
                if let Some(name) = branch.get("$ref").and_then(Value::as_str) {
                    found.insert(name.trim_start_matches("#/$defs/").to_owned());
                }
            }
        }
    });
    found
}

type Node = serde_json::Map<String, Value>;

fn branches(node: &Node) -> impl Iterator<Item = &Node> {
    ["oneOf", "anyOf", "allOf"]
        .into_iter()
        .filter_map(|key| node.get(key)?.as_array())
        .flatten()
        .filter_map(Value::as_object)
}

fn visit<'v>(value: &'v Value, see: &mut impl FnMut(&'v Node)) {
    match value {
        Value::Object(node) => {
            see(node);
            node.values().for_each(|value| visit(value, see));
        }
        Value::Array(list) => list.iter().for_each(|value| visit(value, see)),
        _ => {}
    }
}

fn strict(value: &mut Value, open: &BTreeSet<String>) {
    match value {
        Value::Object(node) => {
            let is_schema = node.get("properties").is_some_and(Value::is_object)
                && node.get("type").is_some_and(Value::is_string);
            let whole = branches(node).next().is_some();
            if is_schema && whole {
                node.insert("unevaluatedProperties".to_owned(), json!(false));
            } else if is_schema {
                node.insert("additionalProperties".to_owned(), json!(false));
            }
            for (key, value) in node.iter_mut() {
                if key == "$defs" {
                    let defs = value.as_object_mut().expect("definitions");
                    for (name, value) in defs.iter_mut() {
                        if !open.contains(name) {
                            strict(value, open);
                        }
                    }
                } else if !(is_schema && whole && key != "properties") {
                    strict(value, open);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| strict(value, open)),
        _ => {}
    }
}

/// What only looks, on one machine.
fn look(schemas: &mut Schemas, run: impl Fn(&[&str]) -> Answer) {
    for words in [
        &["host", "--json"][..],
        &["plan", "--json"],
        &["verify", "--json"],
        &["verify", "--json", "--failed"],
        &["irq", "show", "--json"],
        &["nic", "list", "--json"],
        &["nic", "show", "--json"],
    ] {
        schemas.check(&run(words));
    }
}

#[test]
fn every_output_of_a_machine_is_as_its_schema_says() {
    let mut schemas = Schemas::read();
    for machine in [Machine::debian(), Machine::rhel9().with_connectx()] {
        let run = |words: &[&str]| machine.run(words);
        look(&mut schemas, run);
        for words in [
            &["history", "--json"][..],
            &["setup", "--yes", "--json"],
            &["plan", "--json", "--profile", "hft-max"],
            &["history", "--json"],
            &["profile", "show", "--json"],
            &["explain", "--json"],
            &["explain", "sysctl/vm.swappiness", "--json"],
            &["vma", "check", "--json"],
            &["vma", "params", "--json"],
            &["vma", "stats", "--json"],
            &["vma", "install", "--yes", "--json"],
            &["drift", "enable", "--yes", "--json"],
            &["drift", "status", "--json"],
            &["drift", "disable", "--yes", "--json"],
        ] {
            schemas.check(&run(words));
        }
        // Somebody changed a file meanwhile: conflicts have a form too.
        machine.file("/etc/sysctl.d/99-hft.conf", "vm.swappiness = 1\n");
        look(&mut schemas, run);
        let undone = schemas.check(&run(&["rollback", "--all", "--yes", "--json"]));
        assert_ne!(undone["conflicts"], json!([]), "{undone}");
        schemas.check(&run(&["rollback", "--all", "--force", "--yes", "--json"]));
    }
    let machine = Machine::rhel9().with_connectx();
    for words in [
        &["vma", "configure", "ens1f0", "--yes", "--json"][..],
        &["nic", "tune", "ens1f0", "--yes", "--json"],
    ] {
        schemas.check(&machine.run(words));
    }
    let file = machine.path("/capture.tgz");
    let file = file.to_str().expect("text");
    schemas.check(&machine.run(&["host", "--capture", file, "--json"]));
    look(&mut schemas, |words| {
        let words: Vec<&str> = words.iter().copied().chain(["--from", file]).collect();
        hftune(&words)
    });
    let pid = std::process::id().to_string();
    schemas.check(&hftune(&["run", "--check", &pid, "--json"]));

    // What measures is validated where it is measured: tests/measure.rs, xtask/src/lab.
    let measured = ["hftune/jitter/1", "hftune/netlat/1", "hftune/quiet/1"];
    let known: BTreeSet<&str> = schemas.validators.keys().map(String::as_str).collect();
    let seen: BTreeSet<&str> = schemas
        .seen
        .iter()
        .map(String::as_str)
        .chain(measured)
        .chain(["hftune/profile-file/1"])
        .collect();
    assert_eq!(seen, known, "an output was not looked at");
}

#[test]
fn outputs_of_whole_and_recorded_machines_are_as_their_schemas_say() {
    let mut schemas = Schemas::read();
    for case in fs::read_dir(CASES).expect("cases") {
        let file = case.expect("entry").path().join("host.tree");
        if !file.is_file() {
            continue;
        }
        let machine = Machine::empty();
        tree::make(&machine, &file);
        look(&mut schemas, |words| machine.run(words));
    }
    for snapshot in recorded() {
        look(&mut schemas, |words| {
            let from = snapshot.to_str().expect("text");
            let words: Vec<&str> = words.iter().copied().chain(["--from", from]).collect();
            hftune(&words)
        });
    }
}

/// The machines in `HFTUNE_SNAPSHOTS`; without it, none.
fn recorded() -> Vec<PathBuf> {
    let Some(dir) = std::env::var_os("HFTUNE_SNAPSHOTS") else {
        eprintln!("skipped: HFTUNE_SNAPSHOTS names no recorded machines");
        return Vec::new();
    };
    // The others are packed in a way that only tar reads.
    let entries = fs::read_dir(Path::new(&dir).join("sysinfo")).expect("HFTUNE_SNAPSHOTS");
    entries.map(|entry| entry.expect("entry").path()).collect()
}

#[test]
fn what_is_measured_is_as_its_schema_says() {
    if std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() < 2) {
        eprintln!("skipped: this machine has one CPU");
        return;
    }
    let mut schemas = Schemas::read();
    let seconds = ["--duration", "1s", "--json"];
    for what in ["jitter", "quiet"] {
        let words: Vec<&str> = [what].into_iter().chain(seconds).collect();
        schemas.check(&hftune(&words));
    }
}

/// The check itself: a field that no schema names is found, wherever it is.
#[test]
fn a_field_that_is_not_in_the_schema_is_found() {
    let schemas = Schemas::read();
    let plan = Machine::debian().run(&["plan", "--json"]).expect(3).json();
    assert_eq!(schemas.problems(&plan), [""; 0]);
    for at in ["", "/cpus", "/changes/0", "/steps/0", "/steps/1"] {
        let mut more = plan.clone();
        more.pointer_mut(at).expect(at)["more"] = json!(1);
        assert_eq!(schemas.problems(&more).len(), 1, "{at}");
        let mut less = plan.clone();
        let node = less
            .pointer_mut(at)
            .and_then(Value::as_object_mut)
            .expect(at);
        let first = node
            .keys()
            .find(|key| *key != "schema")
            .expect("a field")
            .clone();
        node.remove(&first);
        assert_ne!(schemas.problems(&less), [""; 0], "{at}: {first}");
    }
}

#[test]
fn the_schema_of_profiles_takes_what_hftune_takes_and_ships_as_printed() {
    let schemas = Schemas::read();
    let printed = hftune(&["profile", "schema"]).expect(0).stdout;
    let shipped = Path::new(SCHEMAS).join("profile-file-1.json");
    assert_eq!(printed, fs::read_to_string(shipped).expect("shipped"));
    let validator = &schemas.validators["hftune/profile-file/1"];
    let read = |text: &str| -> Value {
        let table: toml::Table = text.parse().expect("TOML");
        serde_json::to_value(table).expect("JSON")
    };
    for name in ["hft", "hft-max"] {
        let path = format!("{}/../../profiles/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let profile = read(&fs::read_to_string(path).expect("a profile"));
        let problems: Vec<String> = validator
            .iter_errors(&profile)
            .map(|e| e.to_string())
            .collect();
        assert_eq!(problems, [""; 0], "{name}");
    }
    for good in [
        "extends = \"hft\"\n[sysctl]\nnet.ipv4.tcp_sack = 1\n\"vm.swappiness\" = \"keep\"\n",
        "[nic.all]\nring-rx = \"max\"\nfeature-rx-gro-hw = false\n",
        "[hugepages]\nsize = \"1G\"\nnodes = { 0 = 4 }\n",
    ] {
        assert!(validator.is_valid(&read(good)), "{good}");
    }
    for bad in [
        "nonsense = 1\n",
        "[thp]\nenabled = \"off\"\n",
        "[nic.all]\nring = 1\n",
        "[limits]\nrtprio = \"x\"\n",
    ] {
        assert!(!validator.is_valid(&read(bad)), "{bad}");
    }
}
