//! plan, setup, verify, setup again, rollback: on a directory tree, byte for byte.

mod machine;

use std::collections::BTreeMap;
use std::path::PathBuf;

use machine::{Machine, setting};
use serde_json::Value;

fn changes(plan: &Value) -> Vec<&str> {
    plan["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .map(|change| change["id"].as_str().expect("id"))
        .collect()
}

fn verdict<'v>(verify: &'v Value, id: &str) -> &'v str {
    setting(verify, id)["verdict"].as_str().expect("verdict")
}

fn round_trip(machine: &Machine) {
    let before = machine.manifest();

    let plan = machine.run(&["plan", "--json"]).expect(3).json();
    assert_eq!(plan["schema"], "hftune/plan/1");
    assert_eq!(plan["cpus"]["housekeeping"], "0-1");
    assert_eq!(plan["cpus"]["isolated"], "2-7");
    assert!(!plan["cpus"]["why"].as_str().expect("why").is_empty());
    for id in [
        "sysctl/vm.swappiness",
        "boot/isolcpus",
        "thp/enabled",
        "irq/eth0-rx-0",
        "rps/queues",
        "workqueue/cpumask",
        "workqueue/writeback",
        "hugepages/node1",
    ] {
        assert!(
            changes(&plan).contains(&id),
            "{id} is not among {:?}",
            changes(&plan)
        );
    }
    assert_eq!(before, machine.manifest(), "a plan writes nothing");

    let verify = machine
        .run(&["verify", "--format", "json"])
        .expect(3)
        .json();
    assert_eq!(verify["schema"], "hftune/verify/1");
    assert_eq!(verdict(&verify, "sysctl/vm.swappiness"), "wrong");

    let setup = machine.run(&["setup", "--yes", "--json"]).json();
    assert!(setup["transaction"].is_string());
    assert_eq!(machine.read("/proc/sys/vm/swappiness").trim(), "0");
    let verify = machine.run(&["verify", "--format", "json"]).json();
    assert_eq!(verdict(&verify, "sysctl/vm.swappiness"), "ok");
    assert_eq!(verdict(&verify, "thp/enabled"), "ok");
    assert_eq!(verdict(&verify, "rps/queues"), "ok");
    assert_eq!(
        machine
            .read("/sys/class/net/eth0/queues/rx-0/rps_cpus")
            .trim(),
        "0"
    );
    assert_eq!(verdict(&verify, "workqueue/writeback"), "ok");
    assert_ne!(machine.manifest(), before);

    let set_up = machine.manifest();
    let again = machine.run(&["setup", "--yes", "--json"]).json();
    assert_eq!(machine.manifest(), set_up, "a second setup changes nothing");
    let again_changed = again["changed"].as_array().expect("changed");
    assert!(again_changed.is_empty(), "{again_changed:#?}");

    let rollback = machine.run(&["rollback", "--yes", "--json"]).json();
    assert_eq!(
        rollback["not_restored"],
        serde_json::json!([]),
        "{rollback:#}"
    );
    assert_given_back(machine, &before);
}

/// Nothing differs from what was, and nothing is left over.
fn assert_given_back(machine: &Machine, before: &BTreeMap<PathBuf, (u32, Vec<u8>)>) {
    let after = machine.manifest();
    for (path, state) in before {
        assert_eq!(
            after.get(path),
            Some(state),
            "{} is not as it was",
            path.display()
        );
    }
    for path in after.keys() {
        assert!(before.contains_key(path), "{} is left over", path.display());
    }
}

#[test]
fn debian_is_set_up_and_given_back() {
    round_trip(&Machine::debian());
}

#[test]
fn rhel9_is_set_up_and_given_back() {
    round_trip(&Machine::rhel9());
}

#[test]
fn hft_max_ends_what_the_kernel_does_by_itself_and_gives_it_back() {
    let machine = Machine::rhel9();
    machine.file("/proc/sys/kernel/osrelease", "6.12.0-55.el10\n");
    let server = |cpu| format!("/sys/kernel/debug/sched/fair_server/cpu{cpu}/runtime");
    for cpu in 0..8 {
        machine.file(&server(cpu), "50000000\n");
    }
    let before = machine.manifest();
    machine.run(&["setup", "--yes", "--profile", "hft-max"]);
    let verify = machine.run(&["verify", "--json"]).json();
    for id in [
        "kernel/check_interval",
        "kernel/ksm_run",
        "kernel/fair_server_runtime",
    ] {
        assert_eq!(verdict(&verify, id), "ok", "{id}");
    }
    assert_eq!(machine.read(&server(7)).trim(), "0");
    assert_eq!(
        machine.read(&server(1)).trim(),
        "50000000",
        "CPU 1 serves the OS"
    );
    machine.run(&["rollback", "--yes"]);
    assert_given_back(&machine, &before);
}

#[test]
fn on_rhel9_every_entry_but_rescue_gets_the_arguments_and_so_does_the_next_kernel() {
    let machine = Machine::rhel9();
    machine.run(&["setup", "--yes"]);
    let expected = "isolcpus=managed_irq,domain,2-7";
    for file in [
        "/boot/loader/entries/abc-5.14.0-427.el9.x86_64.conf",
        "/boot/loader/entries/abc-5.14.0-362.el9.x86_64.conf",
        "/etc/kernel/cmdline",
        "/etc/default/grub",
    ] {
        assert!(
            machine.read(file).contains(expected),
            "{file}:\n{}",
            machine.read(file)
        );
    }
    assert!(
        machine
            .read("/boot/loader/entries/abc-5.14.0-427.el9.x86_64.conf")
            .contains("$tuned_params")
    );
    assert!(
        !machine
            .read("/boot/loader/entries/abc-0-rescue.conf")
            .contains("isolcpus")
    );
    let verify = machine.run(&["verify", "--json"]).json();
    assert_eq!(verdict(&verify, "boot/isolcpus"), "reboot-pending");
}

#[test]
fn a_changed_profile_is_applied_as_a_difference() {
    let machine = Machine::rhel9();
    let stock = machine.manifest();
    machine.run(&["setup", "--yes"]);
    machine.file(
        "/etc/hftune/profile.toml",
        "name = \"desk\"\n[sysctl]\n\"vm.swappiness\" = 10\n\"net.ipv4.tcp_sack\" = \"keep\"\n[hugepages]\ncount = 512\n",
    );
    let plan = machine.run(&["plan", "--json"]).expect(3).json();
    let mut ids = changes(&plan);
    ids.sort_unstable();
    assert_eq!(
        ids,
        [
            "hugepages/node0",
            "hugepages/node1",
            "kernel:/proc/sys/net/ipv4/tcp_sack",
            "profile/in-force",
            "sysctl/vm.swappiness"
        ]
    );
    machine.run(&["setup", "--yes"]);
    assert_eq!(machine.read("/proc/sys/vm/swappiness").trim(), "10");
    assert_eq!(
        machine.read("/proc/sys/net/ipv4/tcp_sack").trim(),
        "1",
        "back to what it was before hftune"
    );
    assert_eq!(
        machine.read("/proc/sys/net/ipv4/tcp_timestamps").trim(),
        "0"
    );
    machine.run(&["rollback", "--all", "--yes"]);
    machine.run(&["history"]).expect(0);
    std::fs::remove_dir_all(machine.path("/etc/hftune")).expect("the administrator's own file");
    assert!(machine.manifest() == stock, "the stock machine is back");
}

#[test]
fn a_file_that_someone_changed_since_is_not_overwritten() {
    let machine = Machine::debian();
    machine.run(&["setup", "--yes"]);
    machine.file("/etc/sysctl.d/99-hft.conf", "vm.swappiness = 1\n");
    let rollback = machine
        .run(&["rollback", "--yes", "--json"])
        .expect(1)
        .json();
    assert_eq!(
        rollback["not_restored"][0]["id"],
        "file:/etc/sysctl.d/99-hft.conf"
    );
    assert_eq!(
        machine.read("/etc/sysctl.d/99-hft.conf"),
        "vm.swappiness = 1\n"
    );
    machine.run(&["rollback", "--yes", "--force"]);
    assert!(!machine.path("/etc/sysctl.d/99-hft.conf").exists());
}

#[test]
fn an_entry_that_went_with_its_kernel_is_not_brought_back() {
    let machine = Machine::rhel9();
    machine.run(&["setup", "--yes"]);
    let entry = "/boot/loader/entries/abc-5.14.0-362.el9.x86_64.conf";
    machine.remove(entry);
    let plan = machine.run(&["plan", "--json"]).expect(0).json();
    assert!(changes(&plan).is_empty());
    let rollback = machine.run(&["rollback", "--yes", "--json"]).json();
    assert_eq!(rollback["not_restored"], serde_json::json!([]));
    assert!(!machine.path(entry).exists());
}

#[test]
fn a_dropped_boot_argument_makes_the_boot_loader_follow() {
    let machine = Machine::debian();
    machine.run(&["setup", "--yes"]);
    machine.file("/etc/hftune/profile.toml", "[boot]\nrcu_nocbs = false\n");
    let plan = machine.run(&["plan", "--json"]).expect(3).json();
    let steps = plan["steps"].as_array().expect("steps");
    let runs = |step: &&Value| step["program"] == "/usr/sbin/update-grub";
    assert_eq!(steps.iter().filter(runs).count(), 1, "{steps:#?}");
}

#[test]
fn what_someone_edited_since_is_left_alone_when_the_profile_drops_it() {
    let machine = Machine::rhel9();
    machine.run(&["setup", "--yes"]);
    let edited = machine
        .read("/etc/default/grub")
        .replace("GRUB_TIMEOUT=5", "GRUB_TIMEOUT=9");
    machine.file("/etc/default/grub", &edited);
    machine.file(
        "/etc/hftune/profile.toml",
        "[boot]\nisolcpus = false\nnohz_full = false\nrcu_nocbs = false\nirqaffinity = false\n",
    );
    let setup = machine.run(&["setup", "--yes", "--json"]).json();
    assert_eq!(machine.read("/etc/default/grub"), edited);
    let told = setup["not_changed"].as_array().expect("not changed");
    assert!(
        told.iter().any(|not| not["id"] == "file:/etc/default/grub"),
        "{told:#?}"
    );
}

/// A clock that was set back gives the next setup a later name all the same, so that it is undone first.
#[test]
fn a_clock_that_goes_backwards_does_not_change_the_order() {
    let machine = Machine::debian();
    let before = machine.manifest();
    machine.run(&["setup", "--yes"]);
    let directory = machine.path("/var/lib/hftune/transactions");
    let journal = std::fs::read_dir(&directory)
        .expect("transactions")
        .next()
        .expect("a journal")
        .expect("its entry")
        .path();
    std::fs::rename(&journal, directory.join("2099-01-01T00-00-00Z.jsonl")).expect("rename");
    machine.file(
        "/etc/hftune/profile.toml",
        "extends = \"hft\"\n[sysctl]\n\"vm.swappiness\" = 7\n",
    );
    machine.run(&["setup", "--yes"]);
    let history = machine.run(&["history", "--json"]).expect(0).json();
    let ids: Vec<&str> = history["transactions"]
        .as_array()
        .expect("transactions")
        .iter()
        .map(|t| t["id"].as_str().expect("an id"))
        .collect();
    assert_eq!(ids, ["2099-01-01T00-00-00Z", "2099-01-01T00-00-00Z-002"]);
    machine.run(&["rollback", "--yes"]);
    machine.remove("/etc/hftune/profile.toml");
    machine.remove_dir("/etc/hftune");
    let history = machine.run(&["history", "--json"]).expect(0).json();
    assert_eq!(
        history["transactions"][0]["status"], "applied",
        "{history:#}"
    );
    machine.run(&["rollback", "--all", "--yes"]);
    machine.assert_is(&before);
}
