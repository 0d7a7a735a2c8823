//! Every input that the fuzzer kept, and those that once broke a target, through their targets.

#![allow(clippy::disallowed_methods, reason = "a test reads its corpus")]

use std::fs;
use std::path::{Path, PathBuf};

use hftune_fuzz::TARGETS;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

#[test]
fn every_input_passes() {
    for (name, run) in TARGETS {
        let directory = corpus().join(name);
        let mut inputs = 0;
        for entry in fs::read_dir(&directory).expect("a directory for each target") {
            let path = entry.expect("an entry").path();
            let bytes = fs::read(&path).expect("an input");
            // Told where it panics.
            println!("{}", path.display());
            run(&bytes);
            inputs += 1;
        }
        assert!(inputs > 0, "{} holds nothing", directory.display());
    }
}

#[test]
fn every_directory_has_a_target() {
    for entry in fs::read_dir(corpus()).expect("the corpus") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_str().expect("text");
        assert!(hftune_fuzz::target(name).is_some(), "{name} is no target");
    }
}
