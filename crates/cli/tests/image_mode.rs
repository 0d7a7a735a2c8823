//! Boot arguments where no GRUB of a distribution reads them: images, deployments, systemd-boot, loaders that are not
//! known.

#![allow(
    clippy::disallowed_methods,
    reason = "tests look into trees and damage them"
)]

mod image_machines;
mod machine;

use std::fs;

use image_machines::ISOLCPUS;
use machine::{Machine, setting};
use serde_json::Value;

fn verify(machine: &Machine, id: &str) -> Value {
    let report = machine.run(&["verify", "--json"]).json();
    setting(&report, id).clone()
}

fn not_changed<'v>(setup: &'v Value, id: &str) -> &'v str {
    setup["not_changed"]
        .as_array()
        .expect("not changed")
        .iter()
        .find(|not| not["id"] == id)
        .unwrap_or_else(|| panic!("{id} is not among {setup:#}"))["reason"]
        .as_str()
        .expect("reason")
}

/// What the plan says, once for all boot arguments, of how to add them.
fn by_hand(machine: &Machine) -> String {
    let plan = machine.run(&["plan", "--json"]).expect(3).json();
    let skipped = plan["skipped"].as_array().expect("skipped");
    let mut told = skipped
        .iter()
        .filter(|skipped| {
            skipped["id"]
                .as_str()
                .is_some_and(|id| id.starts_with("boot/"))
        })
        .map(|skipped| skipped["fix"].as_str().expect("fix").to_owned())
        .filter(|fix| fix.contains(ISOLCPUS));
    let first = told.next().unwrap_or_else(|| panic!("{plan:#}"));
    assert_eq!(told.next(), None, "once");
    first
}

/// setup, verify, setup again, rollback.
fn round_trip(machine: &Machine, verdict: &str) {
    let before = machine.manifest();
    assert_eq!(verify(machine, "boot/isolcpus")["verdict"], "wrong");
    machine.run(&["setup", "--yes"]);
    let finding = verify(machine, "boot/isolcpus");
    assert_eq!(finding["verdict"], verdict, "{finding:#}");
    let set_up = machine.manifest();
    let again = machine.run(&["setup", "--yes", "--json"]).json();
    assert_eq!(again["changed"], serde_json::json!([]));
    assert!(
        machine.manifest() == set_up,
        "a second setup changes nothing"
    );
    let rollback = machine.run(&["rollback", "--yes", "--json"]).json();
    assert_eq!(
        rollback["not_restored"],
        serde_json::json!([]),
        "{rollback:#}"
    );
    assert!(machine.manifest() == before, "every byte is back");
    assert!(!machine.path("/var/lib/hftune/boot-arguments").exists());
}

#[test]
fn an_image_is_set_up_and_given_back() {
    let machine = image_machines::bootc_image();
    round_trip(&machine, "reboot-pending");
    machine.run(&["setup", "--yes"]);
    let ours = machine.read("/usr/lib/bootc/kargs.d/50-hftune.toml");
    assert!(ours.contains(&format!("    \"{ISOLCPUS}\",\n")), "{ours}");
}

#[test]
fn an_earlier_file_of_the_image_that_wins_is_named() {
    let machine = image_machines::bootc_image();
    machine.file(
        "/usr/lib/bootc/kargs.d/20-site.toml",
        "kargs = [\"isolcpus=4-7\"]\n",
    );
    let setup = machine.run(&["setup", "--yes", "--json"]).json();
    let why = not_changed(&setup, "boot/isolcpus");
    assert!(
        why.contains("isolcpus=4-7 at /usr/lib/bootc/kargs.d/20-site.toml:1"),
        "{why}"
    );
    assert_eq!(verify(&machine, "boot/isolcpus")["verdict"], "overridden");
    assert_eq!(
        verify(&machine, "boot/nohz_full")["verdict"],
        "reboot-pending"
    );
}

#[test]
fn a_damaged_file_of_the_image_makes_the_proof_unknown() {
    for bytes in [&b"kargs = [\n"[..], b"\xff\xfe\0", b"kargs = 1\n"] {
        let machine = image_machines::bootc_image();
        fs::write(
            machine.path("/usr/lib/bootc/kargs.d/10-console.toml"),
            bytes,
        )
        .expect("write");
        machine.run(&["setup", "--yes"]);
        assert_eq!(
            verify(&machine, "boot/isolcpus")["verdict"],
            "unknown",
            "{bytes:?}"
        );
    }
}

#[test]
fn a_deployment_takes_its_arguments_by_a_program_which_a_tree_does_not_start() {
    let machine = image_machines::deployment();
    let before = machine.manifest();
    let plan = machine.run(&["plan", "--json"]).expect(3).json();
    let step = plan["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .find(|step| step["program"] == "/usr/bin/rpm-ostree")
        .unwrap_or_else(|| panic!("{plan:#}"));
    assert!(
        step["add"]
            .as_array()
            .expect("words")
            .contains(&ISOLCPUS.into())
    );

    let setup = machine.run(&["setup", "--yes", "--json"]).json();
    let why = not_changed(&setup, "boot/isolcpus");
    assert!(
        why.contains("run \"/usr/bin/rpm-ostree kargs --append-if-missing="),
        "{why}"
    );
    assert!(
        why.contains(&format!("--append-if-missing={ISOLCPUS}")),
        "{why}"
    );
    assert_ne!(
        verify(&machine, "boot/isolcpus")["verdict"],
        "reboot-pending",
        "nothing ran"
    );
    let rollback = machine.run(&["rollback", "--yes", "--json"]).json();
    assert_eq!(
        rollback["not_restored"],
        serde_json::json!([]),
        "{rollback:#}"
    );
    assert!(machine.manifest() == before, "every byte is back");
}

/// A machine with the journal of a setup that added x=1 and took out y=1.
fn set_up_deployment() -> Machine {
    let machine = image_machines::deployment();
    machine.file(
        "/var/lib/hftune/transactions/2026-03-01T06-00-00Z.jsonl",
        concat!(
            r#"{"record":"begin","journal":1,"time":"t","version":"0","profile":"hft","boot_id":null,"changes":[]}"#,
            "\n",
            r#"{"record":"before","step":0,"ids":["boot/x"],"after":{"after":"set","artifact":"arguments","#,
            r#""program":"/usr/bin/rpm-ostree","add":["x=1","rw"],"remove":["y=1"]},"#,
            r#""before":{"state":"arguments","present":["rw","y=1"],"absent":["x=1"]},"directories":[]}"#,
            "\n",
            r#"{"record":"done","step":0,"outcome":{"outcome":"made"},"outputs":[]}"#,
            "\n",
            r#"{"record":"end","time":"t","complete":true}"#,
            "\n",
        ),
    );
    machine
}

#[test]
fn what_a_profile_drops_is_planned_to_be_put_back_by_the_same_program() {
    let machine = set_up_deployment();
    let none: String = ["isolcpus", "nohz_full", "rcu_nocbs", "irqaffinity"]
        .map(|name| format!("{name} = false\n"))
        .concat();
    machine.file("/etc/hftune/profile.toml", &format!("[boot]\n{none}"));
    let entry = "/boot/loader/entries/ostree-2-fedora.conf";
    let set_up = machine.read(entry).replace("rw ", "rw x=1 ");
    machine.file(entry, &set_up);
    let command = "/usr/bin/rpm-ostree kargs --delete-if-present=x=1 --append-if-missing=rw --append-if-missing=y=1";
    let plan = machine.run(&["plan"]).expect(3).stdout;
    assert!(plan.contains(&format!("run     {command}")), "{plan}");
    let setup = machine.run(&["setup", "--yes", "--json"]).json();
    let why = not_changed(&setup, "arguments:/usr/bin/rpm-ostree");
    assert!(why.contains(command), "{why}");
    let changed = setup["changed"].as_array().expect("changed");
    assert!(
        !changed
            .iter()
            .any(|c| c["id"] == "arguments:/usr/bin/rpm-ostree")
    );
}

/// What a setup on the machine itself left in its journal is undone by the same program, and only there.
#[test]
fn a_deployments_arguments_are_not_said_to_be_undone_where_no_program_runs() {
    let machine = set_up_deployment();
    let rollback = machine
        .run(&["rollback", "--yes", "--json"])
        .expect(1)
        .json();
    let why = rollback["not_restored"][0]["reason"]
        .as_str()
        .expect("reason");
    assert!(
        why.contains(
            "run \"/usr/bin/rpm-ostree kargs --delete-if-present=x=1 --append-if-missing=rw --append-if-missing=y=1\""
        ),
        "{why}"
    );

    // The administrator did it: there is nothing left to undo.
    let entry = "/boot/loader/entries/ostree-2-fedora.conf";
    let undone = machine.read(entry).replace("rw ", "rw y=1 ");
    machine.file(entry, &undone);
    machine.run(&["rollback", "--yes", "--json"]).expect(0);
}

#[test]
fn a_staged_deployment_that_cannot_be_read_is_unknown() {
    let machine = image_machines::deployment();
    let entry = "/boot/loader/entries/ostree-2-fedora.conf";
    let all: Vec<String> = {
        let plan = machine.run(&["plan", "--json"]).json();
        let steps = plan["steps"].as_array().expect("steps");
        let words = steps
            .iter()
            .find_map(|step| step["add"].as_array())
            .expect("words");
        words
            .iter()
            .map(|word| word.as_str().expect("word").to_owned())
            .collect()
    };
    let text = machine
        .read(entry)
        .replace(" rw ", &format!(" rw {} ", all.join(" ")));
    machine.file(entry, &text);
    assert_eq!(
        verify(&machine, "boot/isolcpus")["verdict"],
        "reboot-pending"
    );
    machine.file("/run/ostree/staged-deployment", "not a variant");
    let isolcpus = verify(&machine, "boot/isolcpus");
    assert_ne!(
        isolcpus["verdict"], "reboot-pending",
        "another deployment boots next"
    );
    assert_ne!(isolcpus["verdict"], "ok");
    // One that is locked is dropped at shutdown.
    machine.file("/run/ostree/staged-deployment-locked", "");
    assert_eq!(
        verify(&machine, "boot/isolcpus")["verdict"],
        "reboot-pending"
    );
}

#[test]
fn an_entry_of_a_deployment_that_cannot_be_read_is_not_passed_over() {
    let machine = image_machines::deployment();
    let all = {
        let plan = machine.run(&["plan", "--json"]).json();
        let steps = plan["steps"].as_array().expect("steps").clone();
        let words = steps
            .into_iter()
            .find_map(|step| step["add"].as_array().cloned());
        let words = words.expect("words");
        words
            .iter()
            .map(|word| word.as_str().expect("word").to_owned())
            .collect::<Vec<_>>()
    };
    let older = "/boot/loader/entries/ostree-1-fedora.conf";
    machine.file(older, &format!("version 1\noptions {}\n", all.join(" ")));
    let newer = machine.path("/boot/loader/entries/ostree-2-fedora.conf");
    fs::write(newer, b"version 2\noptions \xff\n").expect("write");
    let running = format!("{} ostree=/ostree/boot.1/fedora/1/0\n", all.join(" "));
    machine.file("/proc/cmdline", &running);
    machine.file("/sys/devices/system/cpu/isolated", "2-7\n");
    let finding = verify(&machine, "boot/isolcpus");
    assert_eq!(finding["verdict"], "unknown", "{finding:#}");
}

#[test]
fn what_hftune_says_to_run_is_what_ostree_takes() {
    let Some(machine) = image_machines::real_deployment() else {
        eprintln!("skipped: ostree is not installed");
        return;
    };
    let told = by_hand(&machine);
    let (_, command) = told.split_once("(ostree ").expect("the command");
    let (command, _) = command.split_once(')').expect("its end");
    let args: Vec<&str> = command.split(' ').chain(["--sysroot=."]).collect();
    image_machines::ostree(&machine, &args).expect("ostree is installed");
    // ostree makes the entry of the next deployment from that of the last one.
    let upgrade = ["admin", "deploy", "--sysroot=.", "--os=debian", "debian/x"];
    image_machines::ostree(&machine, &upgrade).expect("ostree is installed");
    let newest = machine.read("/boot/loader/entries/ostree-2-debian.conf");
    assert!(newest.contains(ISOLCPUS), "{newest}");

    // As after the reboot, with an older deployment without the arguments beside it.
    let oldest = machine.path("/boot/loader/entries/ostree-1-debian.conf");
    let text = fs::read_to_string(&oldest)
        .expect("entry")
        .replace(ISOLCPUS, "");
    fs::write(&oldest, text).expect("write");
    let options = newest
        .lines()
        .find_map(|line| line.strip_prefix("options "))
        .expect("options");
    machine.file("/proc/cmdline", &format!("{options}\n"));
    machine.file("/sys/devices/system/cpu/isolated", "2-7\n");
    let finding = verify(&machine, "boot/isolcpus");
    assert_eq!(finding["verdict"], "ok", "{finding:#}");
}

#[test]
fn systemd_boot_is_set_up_and_given_back() {
    let machine = image_machines::systemd_boot();
    round_trip(&machine, "reboot-pending");
    machine.run(&["setup", "--yes"]);
    for path in [
        "/boot/loader/entries/debian-6.1.0-test.conf",
        "/boot/efi/loader/entries/debian-6.0.0.conf",
        "/etc/kernel/cmdline",
    ] {
        assert!(machine.read(path).contains(ISOLCPUS), "{path}");
    }
    let rescue = machine.read("/boot/efi/loader/entries/debian-0-rescue.conf");
    assert!(!rescue.contains(ISOLCPUS));
    let host = machine.run(&["host", "--json"]).json();
    assert_eq!(host["boot_loader"]["kind"], "systemd-boot");
    assert_eq!(host["boot_loader"]["loader_info"], "systemd-boot 255.4");
}

#[test]
fn a_template_that_setup_makes_goes_with_the_rollback() {
    for (vendor, made) in [(true, true), (false, false)] {
        let machine = image_machines::systemd_boot();
        machine.remove("/etc/kernel/cmdline");
        fs::remove_dir(machine.path("/etc/kernel")).expect("directory");
        if vendor {
            machine.file("/usr/lib/kernel/cmdline", "root=UUID=1 ro\n");
        }
        round_trip(&machine, "reboot-pending");
        machine.run(&["setup", "--yes"]);
        assert_eq!(machine.path("/etc/kernel/cmdline").exists(), made);
    }
}

#[test]
fn an_entry_that_systemd_boot_renamed_is_given_back() {
    let machine = image_machines::systemd_boot();
    let entries = "/boot/loader/entries/debian-6.1.0-test";
    let rename = |from: &str, to: &str| {
        let path = |count: &str| machine.path(&format!("{entries}{count}.conf"));
        fs::rename(path(from), path(to)).expect("rename");
    };
    let stock = machine.read(&format!("{entries}.conf"));
    for drop_all in [false, true] {
        rename("", "+3");
        machine.run(&["setup", "--yes"]);
        rename("+3", "+2-1");
        rename("+2-1", "");
        assert!(machine.read(&format!("{entries}.conf")).contains(ISOLCPUS));
        if drop_all {
            let none: String = ["isolcpus", "nohz_full", "rcu_nocbs", "irqaffinity"]
                .map(|name| format!("{name} = false\n"))
                .concat();
            machine.file("/etc/hftune/profile.toml", &format!("[boot]\n{none}"));
            machine.run(&["setup", "--yes"]);
        } else {
            let rollback = machine.run(&["rollback", "--yes", "--json"]).json();
            assert_eq!(rollback["not_restored"], serde_json::json!([]));
        }
        assert_eq!(
            machine.read(&format!("{entries}.conf")),
            stock,
            "{drop_all}"
        );
    }
}

#[test]
fn an_entry_of_systemd_boot_that_is_not_text_makes_the_proof_unknown() {
    let machine = image_machines::systemd_boot();
    let path = "/boot/efi/loader/entries/debian-6.0.0.conf";
    fs::write(machine.path(path), b"\xff\xfe\0binary").expect("write");
    machine.run(&["setup", "--yes"]);
    assert!(
        machine.read("/etc/kernel/cmdline").contains(ISOLCPUS),
        "the rest goes on"
    );
    let finding = verify(&machine, "boot/isolcpus");
    assert_eq!(finding["verdict"], "unknown");
    assert!(
        finding["reason"].as_str().expect("reason").contains(path),
        "{finding:#}"
    );
    let rollback = machine.run(&["rollback", "--yes", "--json"]).json();
    assert_eq!(rollback["not_restored"], serde_json::json!([]));
    assert_eq!(
        fs::read(machine.path(path)).expect("read"),
        b"\xff\xfe\0binary"
    );
}

#[test]
fn a_template_that_cannot_be_read_is_not_replaced_by_another() {
    let machine = image_machines::systemd_boot();
    machine.file("/usr/lib/kernel/cmdline", "root=UUID=9 ro\n");
    let path = machine.path("/etc/kernel/cmdline");
    fs::write(&path, b"root=UUID=1 \xff\n").expect("write");
    let setup = machine.run(&["setup", "--yes", "--json"]).json();
    assert_eq!(fs::read(&path).expect("read"), b"root=UUID=1 \xff\n");
    assert!(not_changed(&setup, "boot/etc/kernel/cmdline").contains("not text"));
    let entry = machine.read("/boot/efi/loader/entries/debian-6.0.0.conf");
    assert!(entry.contains(ISOLCPUS), "the rest goes on");
    let finding = verify(&machine, "boot/isolcpus");
    assert_eq!(finding["verdict"], "unknown", "{finding:#}");
}

#[test]
fn an_empty_directory_of_entries_is_no_pass() {
    let machine = image_machines::systemd_boot();
    for path in [
        "/boot/loader/entries/debian-6.1.0-test.conf",
        "/boot/efi/loader/entries/debian-6.0.0.conf",
        "/boot/efi/loader/entries/debian-0-rescue.conf",
        "/etc/kernel/cmdline",
    ] {
        machine.remove(path);
    }
    let plan = machine.run(&["plan"]).expect(3);
    assert!(
        plan.stdout.contains("no entry for a kernel can be read"),
        "{}",
        plan.stdout
    );
    assert_eq!(
        verify(&machine, "boot/isolcpus")["verdict"],
        "not-permitted"
    );
    machine.file("/etc/kernel/cmdline", "root=UUID=1 ro\n");
    machine.run(&["setup", "--yes"]);
    assert_eq!(verify(&machine, "boot/isolcpus")["verdict"], "unknown");
}

#[test]
fn an_entry_of_systemd_boot_without_options_gets_a_line() {
    let machine = image_machines::systemd_boot();
    let path = "/boot/efi/loader/entries/debian-6.0.0.conf";
    machine.file(path, "title Debian\nlinux /debian/linux\n");
    round_trip(&machine, "reboot-pending");
    machine.run(&["setup", "--yes"]);
    let text = machine.read(path);
    assert!(
        text.starts_with("title Debian\nlinux /debian/linux\noptions "),
        "{text}"
    );
    assert!(text.contains(ISOLCPUS), "{text}");
}

#[test]
fn a_unified_image_is_said_to_be_made_anew() {
    let machine = image_machines::unified();
    round_trip(&machine, "unknown");
    let plan = machine.run(&["plan"]).expect(3);
    let words: Vec<&str> = plan.stdout.split_whitespace().collect();
    let text = words.join(" ");
    assert!(
        text.contains("/boot/efi/EFI/Linux/debian-6.1.0.efi carries its own command line"),
        "{text}"
    );
    assert!(text.contains("kernel-install add 6.1.0-test"), "{text}");
    assert_eq!(machine.read("/boot/efi/EFI/Linux/debian-6.1.0.efi"), "MZ");
}

#[test]
fn an_unknown_loader_gets_one_line_and_is_verified_after_the_reboot() {
    let machine = Machine::eight_cores();
    machine.file(
        "/boot/extlinux/extlinux.conf",
        "label l0\n\tappend root=UUID=1\n",
    );
    let told = by_hand(&machine);
    assert!(told.contains("extlinux.conf"), "{told}");
    let (_, line) = told.split_once("then reboot: ").expect("the line");
    assert!(line.split(' ').any(|word| word == ISOLCPUS), "{line}");
    assert_eq!(
        verify(&machine, "boot/isolcpus")["verdict"],
        "not-permitted"
    );

    machine.file("/proc/cmdline", &format!("root=UUID=1 {line}\n"));
    machine.file("/sys/devices/system/cpu/isolated", "2-7\n");
    assert_eq!(verify(&machine, "boot/isolcpus")["verdict"], "ok");
    machine.file("/sys/devices/system/cpu/isolated", "\n");
    assert_eq!(
        verify(&machine, "boot/isolcpus")["verdict"],
        "wrong",
        "the kernel's word counts"
    );
}
