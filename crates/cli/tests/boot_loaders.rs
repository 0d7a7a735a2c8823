//! Boot arguments on the boot trees of the distributions: set up, verified, given back, byte for byte.

mod machine;

use machine::Machine;
use serde_json::Value;

const IDS: [&str; 4] = [
    "boot/irqaffinity",
    "boot/isolcpus",
    "boot/nohz_full",
    "boot/rcu_nocbs",
];
const ISOLCPUS: &str = "isolcpus=managed_irq,domain,2-7";

fn setting<'v>(verify: &'v Value, id: &str) -> &'v Value {
    verify["settings"]
        .as_array()
        .expect("settings")
        .iter()
        .find(|setting| setting["id"] == id)
        .unwrap_or_else(|| panic!("{id} is not in the report: {verify:#}"))
}

fn verify(machine: &Machine) -> Value {
    machine.run(&["verify", "--json"]).json()
}

/// Sets up, and expects every boot argument to wait for the reboot only.
#[track_caller]
fn set_up(machine: &Machine) {
    let setup = machine.run(&["setup", "--yes", "--json"]).json();
    assert_eq!(setup["reboot_required"], true);
    let verify = verify(machine);
    for id in IDS {
        let setting = setting(&verify, id);
        assert_eq!(setting["verdict"], "reboot-pending", "{setting:#}");
    }
}

/// Sets up twice and rolls back; nothing is left and nothing is missing.
#[track_caller]
fn round_trip(machine: &Machine) {
    let stock = machine.manifest();
    set_up(machine);
    let once = machine.manifest();
    machine.run(&["setup", "--yes"]);
    assert!(machine.manifest() == once, "a second setup changes nothing");
    give_back(machine);
    machine.assert_is(&stock);
}

#[track_caller]
fn give_back(machine: &Machine) {
    let rollback = machine
        .run(&["rollback", "--all", "--yes", "--json"])
        .json();
    assert_eq!(
        rollback["not_restored"],
        serde_json::json!([]),
        "{rollback:#}"
    );
}

#[test]
fn debian() {
    round_trip(&Machine::debian());
}

#[test]
fn ubuntu_with_a_cloud_image_s_drop_in() {
    let machine = Machine::ubuntu();
    round_trip(&machine);
    set_up(&machine);
    let menu = machine.read("/boot/grub/grub.cfg");
    assert_eq!(menu.matches(ISOLCPUS).count(), 2, "{menu}");
    // Where the distribution's own script puts it: before what that script adds itself.
    assert!(menu.contains("rcu_nocbs=2-7 $vt_handoff\n"), "{menu}");
    assert!(
        menu.contains("ro recovery nomodeset dis_ucode_ldr\n"),
        "{menu}"
    );
}

#[test]
fn in_a_tree_the_menu_of_debian_follows_the_profile() {
    let machine = Machine::debian();
    let stock = machine.read("/boot/grub/grub.cfg");
    set_up(&machine);
    machine.file("/etc/hftune/profile.toml", "[boot]\nrcu_nocbs = false\n");
    machine.run(&["setup", "--yes"]);
    let menu = machine.read("/boot/grub/grub.cfg");
    assert!(
        menu.contains(ISOLCPUS) && !menu.contains("rcu_nocbs"),
        "{menu}"
    );
    machine.file(
        "/etc/hftune/profile.toml",
        "[boot]\nisolcpus = false\nnohz_full = false\nrcu_nocbs = false\nirqaffinity = false\n",
    );
    machine.run(&["setup", "--yes"]);
    assert_eq!(machine.read("/boot/grub/grub.cfg"), stock);
    assert!(!machine.path("/etc/default/grub.d/99-hft.cfg").exists());
    give_back(&machine);
    assert_eq!(machine.read("/boot/grub/grub.cfg"), stock);
}

#[test]
fn a_menu_that_someone_made_anew_since_is_not_put_back() {
    let machine = Machine::debian();
    set_up(&machine);
    let menu = machine
        .read("/boot/grub/grub.cfg")
        .replace("6.1.0-test", "6.1.0-next");
    machine.file("/boot/grub/grub.cfg", &menu);
    let rollback = machine
        .run(&["rollback", "--yes", "--json"])
        .expect(1)
        .json();
    let told = &rollback["not_restored"][0];
    assert_eq!(told["id"], "made:/usr/sbin/update-grub");
    assert!(
        told["reason"]
            .as_str()
            .expect("reason")
            .contains("update-grub"),
        "{told}"
    );
    assert_eq!(machine.read("/boot/grub/grub.cfg"), menu);
}
