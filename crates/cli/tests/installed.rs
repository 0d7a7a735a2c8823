//! Where hftune itself is installed: by a package, by hand, or twice; and what a package asks before it goes.

mod machine;

use machine::{Machine, setting};

const PACKAGED: &str = "/usr/bin/hftune";
const BY_HAND: &str = "/usr/local/bin/hftune";
const UNIT: &str = "/etc/systemd/system/irq-affinity.service";
const TWICE: &str = "hftune is installed twice";

/// A package asks whether it may go.
#[test]
fn history_tells_whether_changes_are_in_force() {
    let machine = Machine::debian();
    let none = machine.run(&["history", "--in-force"]).expect(0);
    assert_eq!(
        none.stdout,
        "No change of hftune is in force on this host.\n"
    );

    machine.run(&["setup", "--yes"]);
    let some = machine.run(&["history", "--in-force"]).expect(3);
    assert!(some.stdout.contains("applied"), "{}", some.stdout);
    let json = machine
        .run(&["history", "--in-force", "--json"])
        .expect(3)
        .json();
    assert_eq!(json["transactions"].as_array().map(Vec::len), Some(1));

    machine.run(&["rollback", "--all", "--yes"]);
    machine.run(&["history", "--in-force"]).expect(0);
    let json = machine
        .run(&["history", "--in-force", "--json"])
        .expect(0)
        .json();
    assert_eq!(json["transactions"].as_array().map(Vec::len), Some(0));
    let all = machine.run(&["history"]).expect(0);
    assert!(all.stdout.contains("rolled back"), "{}", all.stdout);
}

/// A host that was set up by a binary of the administrator's gets the package: its units are brought over, and undone with the
/// rest.
#[test]
fn units_of_a_binary_installed_by_hand_are_brought_to_the_package() {
    let machine = Machine::debian();
    machine.file(BY_HAND, "a binary\n");
    // The folder stays.
    machine.file(PACKAGED, "");
    machine.remove(PACKAGED);
    let before = machine.manifest();
    let quiet = machine.run(&["setup", "--yes"]);
    assert!(!quiet.stderr.contains(TWICE), "{}", quiet.stderr);
    assert!(
        machine
            .read(UNIT)
            .contains(&format!("ExecStart={BY_HAND} "))
    );

    machine.file(PACKAGED, "another\n");
    let verify = machine.run(&["verify", "--json"]);
    assert!(verify.stderr.contains(TWICE), "{}", verify.stderr);
    let verify = verify.expect(3).json();
    let saved = setting(&verify, "irq/default")["saved"].to_string();
    let told = format!("{UNIT} calls {BY_HAND}, not {PACKAGED}");
    assert!(saved.contains(&told), "{saved}");

    machine.run(&["setup", "--yes"]);
    assert!(
        machine
            .read(UNIT)
            .contains(&format!("ExecStart={PACKAGED} "))
    );
    machine.remove(BY_HAND);
    let verify = machine.run(&["verify"]);
    assert!(!verify.stderr.contains(TWICE), "{}", verify.stderr);

    machine.run(&["rollback", "--all", "--yes"]);
    machine.remove(PACKAGED);
    machine.file(BY_HAND, "a binary\n");
    assert_eq!(before, machine.manifest());
}

/// A link is how administrators keep an old path working.
#[test]
fn a_link_to_the_package_is_no_second_binary() {
    let machine = Machine::debian();
    machine.file(PACKAGED, "a binary\n");
    machine.remove(BY_HAND);
    machine.link(BY_HAND, PACKAGED);
    let plan = machine.run(&["plan"]);
    assert!(!plan.stderr.contains(TWICE), "{}", plan.stderr);
    assert!(!plan.stdout.contains(TWICE), "{}", plan.stdout);
}
