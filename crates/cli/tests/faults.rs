//! A setup and a rollback that are killed, or refused by the system, at every system call that changes something: what was
//! there is brought back byte for byte, or the job is finished.
//!
//! A sample of the points runs with the other tests; `cargo xtask faults` tries all of them (`HFTUNE_FAULTS=all`).

#![allow(
    clippy::disallowed_methods,
    reason = "tests build trees and start the binary under test"
)]

mod faults {
    pub mod tracer;
}
mod machine;

use std::collections::BTreeMap;
use std::path::PathBuf;

use faults::tracer::{Ended, Fault, trace};
use machine::Machine;

type Manifest = BTreeMap<PathBuf, (u32, Vec<u8>)>;

/// By paths below the root of the tree, which each tree has at another place.
fn manifest(machine: &Machine) -> Manifest {
    let relative = |path: PathBuf| {
        path.strip_prefix(machine.root())
            .expect("a path of the tree")
            .to_owned()
    };
    machine
        .manifest()
        .into_iter()
        .map(|(path, state)| (relative(path), state))
        .collect()
}

/// Of how many points one is tried where not all are asked for.
const SAMPLE: usize = 29;

/// A tree and what it is before and after a whole setup.
struct Case {
    name: &'static str,
    make: fn() -> Machine,
    stock: Manifest,
    tuned: Manifest,
}

fn case(name: &'static str, make: fn() -> Machine) -> Case {
    let machine = make();
    let stock = manifest(&machine);
    machine.run(&["setup", "--yes"]);
    Case {
        name,
        make,
        stock,
        tuned: manifest(&machine),
    }
}

fn cases() -> [Case; 2] {
    [
        case("debian", Machine::debian),
        case("rhel9", Machine::rhel9),
    ]
}

fn hftune(machine: &Machine, args: &[&str], fault: Option<Fault<'_>>) -> Ended {
    let root = machine.root().to_str().expect("UTF-8").to_owned();
    let mut words = vec!["--root", &root];
    words.extend(args);
    trace(env!("CARGO_BIN_EXE_hftune"), &words, fault)
}

/// The points of a command that changes so many things, or a sample of them.
fn points(count: usize) -> impl Iterator<Item = usize> {
    let all = std::env::var_os("HFTUNE_FAULTS").is_some_and(|text| text == "all");
    (1..=count).step_by(if all { 1 } else { SAMPLE })
}

/// Undoes everything, whatever happened before.
#[track_caller]
fn undo(case: &Case, machine: &Machine, what: &str) {
    let answer = machine.run(&["rollback", "--all", "--yes"]);
    assert!(
        [0, 4].contains(&answer.code),
        "{}: {what}: rollback exits with {}: {}{}",
        case.name,
        answer.code,
        answer.stdout,
        answer.stderr
    );
    assert_same(case, machine, &case.stock, what);
}

#[track_caller]
fn assert_same(case: &Case, machine: &Machine, expected: &Manifest, what: &str) {
    let now = manifest(machine);
    for (path, state) in expected {
        assert!(
            now.get(path) == Some(state),
            "{}: {what}: {} is not as it is to be",
            case.name,
            path.display()
        );
    }
    for path in now.keys() {
        assert!(
            expected.contains_key(path),
            "{}: {what}: {} is left over",
            case.name,
            path.display()
        );
    }
}

/// What a whole command changes, counted in system calls.
fn count(machine: &Machine, args: &[&str]) -> usize {
    let ended = hftune(machine, args, None);
    assert!(ended.code.is_some_and(|code| code != 1), "{ended:?}");
    assert!(ended.changes > 50, "{ended:?}");
    ended.changes
}

const SETUP: &[&str] = &["setup", "--yes"];
const ROLLBACK: &[&str] = &["rollback", "--all", "--yes"];

#[test]
fn a_setup_that_is_killed_is_undone_or_finished() {
    let mut tried = 0;
    for case in cases() {
        let changes = count(&(case.make)(), SETUP);
        for at in points(changes) {
            let machine = (case.make)();
            let ended = hftune(&machine, SETUP, Some(Fault::Kill { at }));
            assert_eq!(ended.code, None, "point {at} of {changes} was not reached");
            let what = format!("killed at change {at} of {changes} of setup");
            // Half of them are finished first.
            if at % 2 == 0 {
                machine.run(SETUP);
                assert_same(&case, &machine, &case.tuned, &format!("{what}, finished"));
            }
            undo(&case, &machine, &what);
            tried += 1;
        }
    }
    println!("kill points of setup: {tried}, states lost: 0");
}

#[test]
fn a_rollback_that_is_killed_is_finished() {
    let mut tried = 0;
    for case in cases() {
        let set_up = || {
            let machine = (case.make)();
            machine.run(SETUP);
            machine
        };
        let changes = count(&set_up(), ROLLBACK);
        for at in points(changes) {
            let machine = set_up();
            let ended = hftune(&machine, ROLLBACK, Some(Fault::Kill { at }));
            assert_eq!(ended.code, None, "point {at} of {changes} was not reached");
            let what = format!("killed at change {at} of {changes} of rollback");
            undo(&case, &machine, &what);
            tried += 1;
        }
    }
    println!("kill points of rollback: {tried}, states lost: 0");
}

#[test]
fn what_the_system_refuses_is_told_and_undone() {
    const ERRORS: [i32; 4] = [libc::ENOSPC, libc::EIO, libc::EROFS, libc::EACCES];
    let mut tried = 0;
    for case in cases() {
        let changes = count(&(case.make)(), SETUP);
        for at in points(changes) {
            let errno = ERRORS[at % ERRORS.len()];
            let machine = (case.make)();
            hftune(&machine, SETUP, Some(Fault::Error { at, errno }));
            let what = format!("error {errno} at change {at} of {changes} of setup");
            undo(&case, &machine, &what);

            let machine = (case.make)();
            machine.run(SETUP);
            hftune(&machine, ROLLBACK, Some(Fault::Error { at, errno }));
            let what = format!("error {errno} at change {at} of rollback");
            undo(&case, &machine, &what);
            tried += 2;
        }
    }
    println!("injected errors: {tried}, states lost: 0");
}

#[test]
fn a_write_that_takes_a_part_is_no_loss() {
    let mut tried = 0;
    for case in cases() {
        let changes = count(&(case.make)(), SETUP);
        for at in points(changes) {
            let machine = (case.make)();
            let ended = hftune(&machine, SETUP, Some(Fault::Short { at }));
            let what = format!("a short write at change {at} of {changes} of setup");
            assert!(ended.code.is_some(), "{what}: {ended:?}");
            undo(&case, &machine, &what);
            tried += 1;
        }
    }
    println!("short writes: {tried}, states lost: 0");
}

/// Ctrl-C, a shutdown, an ssh session that goes away: the change that is being made is finished, and the rest is left.
#[test]
fn a_setup_that_is_asked_to_stop_does_so_between_two_changes() {
    let mut tried = 0;
    let mut stopped = 0;
    for case in cases() {
        let changes = count(&(case.make)(), SETUP);
        for at in points(changes) {
            let machine = (case.make)();
            let ended = hftune(&machine, SETUP, Some(Fault::Stop { at }));
            let what = format!("asked to stop at change {at} of {changes} of setup");
            // Before the first change, and after the last, it ends as other programs do.
            assert!(
                matches!(ended.code, None | Some(0..=4)),
                "{what}: {ended:?}"
            );
            if ended.code == Some(1) {
                stopped += 1;
                let history = machine.run(&["history"]).expect(0).stdout;
                assert!(
                    history.contains("hftune setup finishes it"),
                    "{what}: {history}"
                );
            }
            undo(&case, &machine, &what);
            tried += 1;
        }
    }
    assert!(
        stopped > tried / 2,
        "only {stopped} of {tried} were stopped"
    );
    println!("stops: {tried}, states lost: 0");
}

/// A second command at every point of a first: it is told who is at work, or has finished before the first began.
fn at_once(first: &[&str], second: &[&str], tuned: bool) -> usize {
    let mut tried = 0;
    let mut refused = 0;
    for case in cases() {
        let make = || {
            let machine = (case.make)();
            if tuned {
                machine.run(SETUP);
            }
            machine
        };
        let changes = count(&make(), first);
        // The first of them lie around the lock.
        for at in (1..12.min(changes)).chain(points(changes)) {
            let machine = make();
            let told = std::cell::RefCell::new(None);
            let run = || {
                let answer = machine.run(second);
                told.replace(Some(answer));
            };
            let ended = hftune(&machine, first, Some(Fault::Meanwhile { at, run: &run }));
            let what = format!("{second:?} at change {at} of {changes} of {first:?}");
            let told = told.take().expect("the point was reached");
            assert!(matches!(ended.code, Some(0..=4)), "{what}: {ended:?}");
            if told.code == 1 {
                let holder = ["process ", "it has just begun"]
                    .map(|word| format!("another hftune is at work: {word}"));
                assert!(
                    holder.iter().any(|words| told.stderr.contains(words)),
                    "{what}: {}",
                    told.stderr
                );
                refused += 1;
            }
            undo(&case, &machine, &what);
            tried += 1;
        }
    }
    assert!(
        refused > tried / 2,
        "only {refused} of {tried} were refused"
    );
    tried
}

#[test]
fn two_commands_at_once_do_not_meet() {
    let tried = at_once(SETUP, SETUP, false)
        + at_once(ROLLBACK, SETUP, true)
        + at_once(SETUP, ROLLBACK, false);
    println!("two at once: {tried}, states lost: 0");
}
