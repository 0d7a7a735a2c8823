//! Boot arguments on the boot trees of the distributions: set up, verified, given back, byte for byte.

mod machine;

use machine::boot::{entry_path, environment_block, grub2_menu};
use machine::{Machine, setting};
use serde_json::Value;

const IDS: [&str; 4] = [
    "boot/irqaffinity",
    "boot/isolcpus",
    "boot/nohz_full",
    "boot/rcu_nocbs",
];
const ISOLCPUS: &str = "isolcpus=managed_irq,domain,2-7";

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

#[test]
fn rhel_8_with_bios() {
    round_trip(&Machine::rhel8(false));
}

#[test]
fn rhel_8_with_uefi() {
    let machine = Machine::rhel8(true);
    round_trip(&machine);
    set_up(&machine);
    assert!(
        machine
            .read("/boot/efi/EFI/rocky/grubenv")
            .contains(ISOLCPUS)
    );
    let link = std::fs::read_link(machine.path("/boot/grub2/grubenv"));
    assert_eq!(
        link.expect("still a link").to_str(),
        Some("../efi/EFI/rocky/grubenv")
    );
}

#[test]
fn rhel_9_0() {
    round_trip(&Machine::rhel9_0());
}

#[test]
fn rhel_9_4() {
    round_trip(&Machine::rhel9());
}

#[test]
fn rhel_10() {
    round_trip(&Machine::rhel10());
}

#[test]
fn fedora() {
    round_trip(&Machine::fedora());
}

#[test]
fn on_rhel_8_each_kind_of_entry_gets_the_arguments_once() {
    let machine = Machine::rhel8(false);
    set_up(&machine);
    let block = machine.read("/boot/grub2/grubenv");
    assert_eq!(block.len(), 1024);
    assert_eq!(block.matches(ISOLCPUS).count(), 1, "{block}");
    assert_eq!(
        machine.options("abc-4.18.0-553.el8_10.x86_64"),
        "$kernelopts $tuned_params"
    );
    assert_eq!(
        machine.options("abc-4.18.0-477.el8.x86_64"),
        format!(
            "root=/dev/mapper/rl-root ro crashkernel=auto rhgb quiet  debug irqaffinity=0-1 {ISOLCPUS} nohz_full=2-7 \
             rcu_nocbs=2-7 $tuned_params"
        )
    );
}

/// What GRUB itself writes at a boot.
fn grub_boots(machine: &Machine, path: &str) {
    let block = machine.read(path);
    let body = block.trim_end_matches('#');
    let body = body
        .strip_prefix("# GRUB Environment Block\n")
        .expect("header")
        .replace("boot_success=0\n", "")
        .replace("boot_indeterminate=0", "boot_indeterminate=1")
        + "boot_success=1\n";
    machine.file(path, &environment_block(&body));
    machine.reboot(&format!(
        "root=/dev/mapper/rl-root ro crashkernel=auto rhgb quiet irqaffinity=0-1 {ISOLCPUS} nohz_full=2-7 rcu_nocbs=2-7"
    ));
}

#[test]
fn what_grub_wrote_into_its_block_since_is_kept() {
    for (uefi, path) in [
        (false, "/boot/grub2/grubenv"),
        (true, "/boot/efi/EFI/rocky/grubenv"),
    ] {
        let machine = Machine::rhel8(uefi);
        let kernelopts = "kernelopts=root=/dev/mapper/rl-root ro crashkernel=auto rhgb quiet \n";
        assert!(machine.read(path).contains(kernelopts));
        set_up(&machine);
        grub_boots(&machine, path);
        let report = verify(&machine);
        for id in IDS {
            assert_eq!(setting(&report, id)["verdict"], "ok", "{report:#}");
        }
        // A setup in between finds nothing to do.
        let plan = machine.run(&["plan", "--json"]).json();
        assert_eq!(plan["changes"], serde_json::json!([]), "{plan:#}");
        give_back(&machine);
        let block = machine.read(path);
        assert_eq!(block.len(), 1024);
        assert!(block.contains(kernelopts), "{block}");
        assert!(
            block.contains("boot_indeterminate=1\nboot_success=1\n"),
            "{block}"
        );
    }
}

#[test]
fn arguments_in_the_block_that_someone_changed_since_keep_all_but_ours() {
    let machine = Machine::rhel8(false);
    let stock = machine.read("/boot/grub2/grubenv");
    set_up(&machine);
    let path = "/boot/grub2/grubenv";
    // As grubby --update-kernel=ALL --args=audit=0 leaves it, and one word of ours gone.
    let edited = machine.read(path).replacen(" ro ", " rw ", 1).replacen(
        " nohz_full=2-7",
        " audit=0000000",
        1,
    );
    machine.file(path, &edited);
    let rollback = machine
        .run(&["rollback", "--yes", "--json"])
        .expect(0)
        .json();
    assert!(
        rollback["taken_out"]
            .as_array()
            .expect("taken out")
            .iter()
            .any(|file| file.as_str().is_some_and(|file| file.starts_with(path))),
        "{rollback:#}"
    );
    let now = machine.read(path);
    assert_eq!(now.len(), 1024);
    let line = |block: &str| {
        let lines: Vec<&str> = block
            .lines()
            .filter(|l| l.starts_with("kernelopts="))
            .collect();
        lines[0].trim_end().to_owned()
    };
    assert_eq!(
        line(&now),
        line(&stock).replacen(" ro ", " rw ", 1) + " audit=0000000"
    );
}

#[test]
fn arguments_that_the_block_has_no_room_for_are_refused_before_anything_is_written() {
    let machine = Machine::rhel8(false);
    let long = format!(
        "saved_entry=abc\nkernelopts=root=/dev/sda ro {}\n",
        "x".repeat(900)
    );
    machine.file("/boot/grub2/grubenv", &environment_block(&long));
    machine.remove(&entry_path("abc-4.18.0-477.el8.x86_64"));
    let block = machine.read("/boot/grub2/grubenv");
    let template = machine.read("/etc/default/grub");
    let plan = machine.run(&["plan", "--json"]).json();
    let skipped = plan["skipped"].as_array().expect("skipped");
    let told = skipped
        .iter()
        .find(|skipped| skipped["id"] == "boot/boot/grub2/grubenv")
        .unwrap_or_else(|| panic!("{skipped:#?}"));
    assert!(
        told["reason"]
            .as_str()
            .expect("reason")
            .contains("more than the 1024 of the block"),
        "{told}"
    );
    machine.run(&["setup", "--yes"]);
    assert_eq!(machine.read("/boot/grub2/grubenv"), block);
    assert_eq!(machine.read("/etc/default/grub"), template);
}

#[test]
fn a_kernel_that_was_installed_since_loses_the_arguments_of_hftune_and_nothing_else() {
    for machine in [Machine::rhel9(), Machine::rhel10(), Machine::fedora()] {
        let template = machine.read("/etc/kernel/cmdline");
        set_up(&machine);
        // As kernel-install makes it, with an argument that somebody added to this entry since.
        let options = machine.read("/etc/kernel/cmdline").trim_end().to_owned();
        machine.entry(
            "abc-7.0.0",
            &format!("{options} mitigations=off $tuned_params"),
        );
        machine.entry("abc-0-rescue-7", &options);
        let rescue = machine.read(&entry_path("abc-0-rescue-7"));
        set_up(&machine);
        machine.reboot(&options);
        let rollback = machine
            .run(&["rollback", "--all", "--yes", "--json"])
            .expect(4)
            .json();
        assert_eq!(
            rollback["taken_out"],
            serde_json::json!([entry_path("abc-7.0.0")])
        );
        assert_eq!(
            machine.options("abc-7.0.0"),
            format!("{} mitigations=off $tuned_params", template.trim_end())
        );
        assert_eq!(machine.read(&entry_path("abc-0-rescue-7")), rescue);
    }
}

#[test]
fn a_word_that_somebody_had_in_the_template_before_stays_in_new_entries() {
    let machine = Machine::rhel9();
    let template = machine
        .read("/etc/kernel/cmdline")
        .replace("quiet", "quiet nohz_full=2-7");
    machine.file("/etc/kernel/cmdline", &template);
    set_up(&machine);
    let options = machine.read("/etc/kernel/cmdline").trim_end().to_owned();
    machine.entry("abc-7.0.0", &options);
    give_back(&machine);
    assert_eq!(machine.read("/etc/kernel/cmdline"), template);
    assert_eq!(machine.options("abc-7.0.0"), template.trim_end());
}

#[test]
fn an_entry_that_had_the_arguments_before_keeps_them() {
    let machine = Machine::rhel9();
    let own = format!(
        "root=/dev/mapper/rl-root ro irqaffinity=0-1 {ISOLCPUS} nohz_full=2-7 rcu_nocbs=2-7"
    );
    machine.entry("abc-5.14.0-362.el9.x86_64", &own);
    round_trip(&machine);
    assert_eq!(machine.options("abc-5.14.0-362.el9.x86_64"), own);
}

/// What grub2-mkconfig of RHEL 9.0 to 9.2 and of Fedora does: every entry is made anew from the template.
fn grub2_mkconfig(machine: &Machine, entries: &[&str]) {
    let template = machine.read("/etc/default/grub");
    let value = |name: &str| {
        let line = template
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    let arguments = format!(
        "root=UUID=1 ro {} {}",
        value("GRUB_CMDLINE_LINUX"),
        value("GRUB_CMDLINE_LINUX_DEFAULT")
    );
    for name in entries {
        machine.entry(name, arguments.trim_end());
    }
}

#[test]
fn where_grub2_mkconfig_makes_the_entries_anew_the_arguments_stay() {
    let without_line = Machine::rhel9_0();
    let template = without_line
        .read("/etc/default/grub")
        .replace("GRUB_ENABLE_BLSCFG=true\n", "");
    without_line.file("/etc/default/grub", &template);
    let rhel = ["abc-5.14.0-427.el9.x86_64", "abc-5.14.0-362.el9.x86_64"];
    let fedora = ["abc-6.17.1-300.fc43.x86_64", "abc-6.16.9-200.fc43.x86_64"];
    for (machine, entries) in [
        (Machine::rhel9_0(), rhel),
        (without_line, rhel),
        (Machine::fedora(), fedora),
    ] {
        set_up(&machine);
        grub2_mkconfig(&machine, &entries);
        assert_eq!(machine.options(entries[0]).matches(ISOLCPUS).count(), 1);
        let report = verify(&machine);
        for id in IDS {
            let setting = setting(&report, id);
            assert_eq!(setting["verdict"], "reboot-pending", "{setting:#}");
        }
        let plan = machine.run(&["plan", "--json"]).json();
        assert_eq!(plan["changes"], serde_json::json!([]), "{plan:#}");
        // And they go, although the entries are not those that hftune wrote.
        let rollback = machine
            .run(&["rollback", "--all", "--yes", "--json"])
            .json();
        assert_eq!(rollback["not_restored"], serde_json::json!([]));
        assert_eq!(rollback["taken_out"].as_array().expect("list").len(), 2);
        let rolled_back: Vec<String> = entries.iter().map(|name| machine.options(name)).collect();
        grub2_mkconfig(&machine, &entries);
        let made: Vec<String> = entries.iter().map(|name| machine.options(name)).collect();
        assert_eq!(rolled_back, made);
    }
}

#[test]
fn what_grubby_added_since_stays_where_hftune_is_taken_out() {
    let machine = Machine::rhel9();
    let stock = machine.manifest();
    set_up(&machine);
    let files = [
        entry_path("abc-5.14.0-427.el9.x86_64"),
        entry_path("abc-5.14.0-362.el9.x86_64"),
        "/etc/kernel/cmdline".to_owned(),
        "/etc/default/grub".to_owned(),
    ];
    let add = |text: &str| {
        text.replacen(
            "rcu_nocbs=2-7 $tuned_params",
            "rcu_nocbs=2-7 $tuned_params audit=1",
            1,
        )
        .replacen("rcu_nocbs=2-7\"", "rcu_nocbs=2-7 audit=1\"", 1)
        .replacen("rcu_nocbs=2-7\n", "rcu_nocbs=2-7 audit=1\n", 1)
    };
    for file in &files {
        let edited = add(&machine.read(file));
        assert!(edited.contains("audit=1"), "{edited}");
        machine.file(file, &edited);
    }
    let rollback = machine
        .run(&["rollback", "--all", "--yes", "--json"])
        .json();
    assert_eq!(
        rollback["not_restored"],
        serde_json::json!([]),
        "{rollback:#}"
    );
    assert_eq!(rollback["taken_out"].as_array().expect("list").len(), 4);
    for file in &files {
        let text = machine.read(file);
        assert!(text.contains(" audit=1"), "{text}");
        machine.file(file, &text.replace(" audit=1", ""));
    }
    machine.assert_is(&stock);
}

#[test]
fn a_template_without_the_variable_gets_it_and_loses_it_again() {
    let machine = Machine::rhel9();
    machine.file("/etc/default/grub", "GRUB_TIMEOUT=5\n");
    round_trip(&machine);
}

#[test]
fn an_argument_of_one_entry_stays_in_that_entry() {
    let machine = Machine::rhel9();
    let own = "root=/dev/mapper/rl-root ro crashkernel=512M $tuned_params audit=1";
    machine.entry("abc-5.14.0-362.el9.x86_64", own);
    round_trip(&machine);
    set_up(&machine);
    assert_eq!(
        machine.options("abc-5.14.0-362.el9.x86_64"),
        own.replace(
            " $tuned",
            &format!(" irqaffinity=0-1 {ISOLCPUS} nohz_full=2-7 rcu_nocbs=2-7 $tuned")
        )
    );
    assert!(!machine.read("/etc/kernel/cmdline").contains("audit"));
}

#[test]
fn without_a_template_of_its_own_the_next_kernel_is_spoken_of() {
    let machine = Machine::rhel9();
    machine.remove("/etc/kernel/cmdline");
    let plan = machine.run(&["plan", "--json"]).json();
    assert!(
        plan["warnings"]
            .to_string()
            .contains("there is no /etc/kernel/cmdline"),
        "{}",
        plan["warnings"]
    );
    round_trip(&machine);
}

#[test]
fn a_menu_without_entries_is_left_alone_and_proved() {
    let machine = Machine::grub2_menu();
    let stock = machine.manifest();
    let plan = machine.run(&["plan", "--json"]).json();
    let skipped = plan["skipped"].as_array().expect("skipped");
    let told = |id: &str| {
        skipped
            .iter()
            .find(|skipped| skipped["id"] == id)
            .unwrap_or_else(|| panic!("{skipped:#?}"))
    };
    assert_eq!(told("boot/isolcpus")["verdict"], "not-permitted");
    // One line for all of them, at the first.
    let fix = told("boot/irqaffinity")["fix"].as_str().expect("fix");
    let line =
        format!("in /etc/default/grub: irqaffinity=0-1 {ISOLCPUS} nohz_full=2-7 rcu_nocbs=2-7;");
    assert!(fix.contains(&line), "{fix}");
    assert!(
        fix.contains("grub2-mkconfig -o /boot/grub2/grub.cfg"),
        "{fix}"
    );
    machine.run(&["setup", "--yes"]);
    for file in [
        "/etc/default/grub",
        "/boot/grub2/grub.cfg",
        "/etc/kernel/cmdline",
    ] {
        assert_eq!(
            machine.read(file).into_bytes(),
            stock[&machine.path(file)].1
        );
    }
    // Once the operator did it, the same settings are proved.
    let arguments = format!("irqaffinity=0-1 {ISOLCPUS} nohz_full=2-7 rcu_nocbs=2-7");
    let template = machine.read("/etc/default/grub")
        + &format!("GRUB_CMDLINE_LINUX_DEFAULT=\"{arguments}\"\n");
    machine.file("/etc/default/grub", &template);
    machine.file("/boot/grub2/grub.cfg", &grub2_menu(&arguments));
    let report = verify(&machine);
    assert_eq!(
        setting(&report, "boot/isolcpus")["verdict"],
        "reboot-pending"
    );
    machine.reboot(&arguments);
    let report = verify(&machine);
    for id in IDS {
        assert_eq!(setting(&report, id)["verdict"], "ok", "{report:#}");
    }
}

#[test]
fn tuned_s_arguments_are_kept_and_the_winner_is_named() {
    let machine = Machine::rhel10();
    machine.file(
        "/boot/grub2/grubenv",
        &environment_block("saved_entry=abc\ntuned_params=isolcpus=4-7 irqaffinity=0\n"),
    );
    let plan = machine.run(&["plan", "--json"]).json();
    let warnings = plan["warnings"].to_string();
    assert!(
        warnings.contains("tuned adds isolcpus=4-7")
            && warnings.contains("tuned adds irqaffinity=0"),
        "{warnings}"
    );
    machine.run(&["setup", "--yes"]);
    let report = verify(&machine);
    assert_eq!(
        setting(&report, "boot/isolcpus")["verdict"],
        "reboot-pending"
    );
    let irqaffinity = setting(&report, "boot/irqaffinity");
    assert_eq!(irqaffinity["verdict"], "overridden");
    let fix = irqaffinity["fix"].as_str().expect("fix");
    assert!(fix.starts_with("tuned-adm off"), "{fix}");
    assert!(
        machine
            .options("abc-5.14.0-427.el9.x86_64")
            .ends_with("rcu_nocbs=2-7 $tuned_params")
    );
}

#[test]
fn what_is_not_there_when_it_is_read_again_was_not_changed() {
    let machine = Machine::rhel9();
    // GRUB takes the arguments of an entry without options from elsewhere, so it is not edited.
    machine.file(
        &entry_path("abc-6.0.0"),
        "title Linux\nlinux /vmlinuz-6.0.0\n",
    );
    let setup = machine.run(&["setup", "--yes", "--json"]).expect(3).json();
    let told = |list: &str, id: &str| {
        let list = setup[list].as_array().expect("list");
        list.iter().find(|item| item["id"] == id).cloned()
    };
    for id in IDS {
        assert!(told("changed", id).is_none());
        let reason = told("not_changed", id).expect("told")["reason"].to_string();
        assert!(
            reason.contains("the entry lacks it: /boot/loader/entries/abc-6.0.0.conf:1"),
            "{reason}"
        );
    }
    let entry = told("not_changed", "boot/boot/loader/entries/abc-6.0.0.conf");
    assert!(
        entry.expect("told")["reason"]
            .to_string()
            .contains("no options line")
    );
    assert!(told("changed", "sysctl/vm.swappiness").is_some());
}

#[test]
fn on_rhel_8_a_profile_without_boot_arguments_puts_the_variable_back() {
    let machine = Machine::rhel8(true);
    let stock = machine.read("/boot/efi/EFI/rocky/grubenv");
    set_up(&machine);
    let written = machine
        .read("/boot/efi/EFI/rocky/grubenv")
        .replace("boot_success=0", "boot_success=1");
    machine.file("/boot/efi/EFI/rocky/grubenv", &written);
    machine.file(
        "/etc/hftune/profile.toml",
        "[boot]\nisolcpus = false\nnohz_full = false\nrcu_nocbs = false\nirqaffinity = false\n",
    );
    let plan = machine.run(&["plan", "--json"]).expect(3).json();
    let change = plan["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .find(|change| change["id"] == "variable:/boot/efi/EFI/rocky/grubenv:kernelopts")
        .unwrap_or_else(|| panic!("{plan:#}"));
    assert_eq!(change["when"], "reboot");
    machine.run(&["setup", "--yes"]);
    assert_eq!(
        machine.read("/boot/efi/EFI/rocky/grubenv"),
        stock.replace("boot_success=0", "boot_success=1")
    );
    give_back(&machine);
    assert_eq!(
        machine.read("/boot/efi/EFI/rocky/grubenv"),
        stock.replace("boot_success=0", "boot_success=1")
    );
}

#[test]
fn a_profile_without_boot_arguments_clears_new_entries_too() {
    let machine = Machine::rhel9();
    let template = machine.read("/etc/kernel/cmdline");
    set_up(&machine);
    let options = machine.read("/etc/kernel/cmdline").trim_end().to_owned();
    machine.entry("abc-7.0.0", &options);
    machine.file(
        "/etc/hftune/profile.toml",
        "[boot]\nisolcpus = false\nnohz_full = false\nrcu_nocbs = false\nirqaffinity = false\n",
    );
    machine.run(&["setup", "--yes"]);
    assert_eq!(machine.read("/etc/kernel/cmdline"), template);
    assert_eq!(machine.options("abc-7.0.0"), template.trim_end());
    let plan = machine.run(&["plan", "--json"]).json();
    assert_eq!(plan["changes"], serde_json::json!([]), "{plan:#}");
    // Undone, the entry is what its template made of it; undone altogether, it is without.
    machine.run(&["rollback", "--yes"]);
    assert_eq!(machine.options("abc-7.0.0"), options);
    machine.run(&["rollback", "--yes"]);
    assert_eq!(machine.options("abc-7.0.0"), template.trim_end());
}
