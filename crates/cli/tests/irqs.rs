//! Interrupts on whole machines: one made up, one recorded.
#![allow(
    clippy::disallowed_methods,
    reason = "tests build trees and start the binary under test"
)]

mod machine;

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use machine::{Machine, setting};
use serde_json::Value;

/// `hftune --root TREE ARGS`: its exit code and its standard output.
fn hftune(root: &Path, args: &[&str]) -> (i32, String) {
    let mut words = vec!["--root".as_ref(), root.as_os_str()];
    words.extend(args.iter().map(OsStr::new));
    let answer = machine::hftune(&words);
    (answer.code, answer.stdout)
}

fn json(root: &Path, args: &[&str]) -> Value {
    let (_, text) = hftune(root, args);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{args:?}: {e}\n{text}"))
}

/// 80 CPUs, 554 interrupts, booted with isolcpus=managed_irq,0-4,11-79, of which the settings of the interrupts alone would
/// tell nothing, since the plan isolates other CPUs.
#[test]
fn worker1_fires_on_what_it_was_booted_to_isolate() {
    let Some(folder) = std::env::var_os("HFTUNE_SNAPSHOTS") else {
        println!("skipped: HFTUNE_SNAPSHOTS does not name the folder of recorded machines");
        return;
    };
    let archive = Path::new(&folder).join("sysinfo/worker1.internal.tgz");
    let tree = tempfile::tempdir().expect("temporary directory");
    let unpacked = Command::new("tar")
        .arg("-xf")
        .arg(&archive)
        .arg("-C")
        .arg(tree.path())
        .status();
    assert!(unpacked.expect("tar").success(), "{}", archive.display());
    let root = tree.path();

    for split in [&[][..], &["--housekeeping", "5-10,45-50", "--force"]] {
        let show = json(root, &[&["irq", "show", "--json"], split].concat());
        assert_eq!(show["booted"]["argument"], "isolcpus=managed_irq,0-4,11-79");
        assert_eq!(show["booted"]["fire_there"], 513, "{split:?}");
        assert_eq!(show["total"], 554);
        assert_eq!(show["irqs"]["list"].as_array().expect("list").len(), 554);

        let verify = json(root, &[&["verify", "--json"], split].concat());
        let booted = setting(&verify, "irq/isolated-at-boot");
        assert_eq!(
            booted["effect"], "513 of 554 fire on CPUs 0-4,11-79",
            "{split:?}"
        );
        assert_eq!(booted["verdict"], "wrong");
        // The queue of the drive is managed: told, and no failure.
        let queue = setting(&verify, "irq/nvme0q1");
        assert_eq!(queue["verdict"], "not-applicable");
        assert!(
            queue["reason"]
                .as_str()
                .expect("reason")
                .contains("manages its affinity")
        );
        assert_eq!(
            setting(&verify, "irq/i40e-ens7f0-TxRx-3")["verdict"],
            "wrong"
        );
    }

    let (code, text) = hftune(root, &["irq", "show"]);
    assert_eq!(code, 0);
    assert!(text.contains("513 of 554 fire on those CPUs."), "{text}");
    assert!(text.contains("ens7f0-TxRx-[0-5,"), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    assert!(
        text.lines().count() < 70,
        "554 interrupts in {} lines",
        text.lines().count()
    );
}

#[test]
fn equal_queue_names_are_told_apart_by_their_devices() {
    let machine = Machine::debian();
    machine.file(
        "/proc/interrupts",
        "            CPU0       CPU1       CPU2       CPU3       CPU4       CPU5       CPU6       CPU7
  30:          1          2          0          0          0          9          0          0  PCI-MSIX-0000:3b:00.0   1-edge      mlx5_comp0
  31:          1          0          0          0          0          9          0          0  PCI-MSIX-0000:3b:00.1   1-edge      mlx5_comp0
  32:          0          0          0          0          0          9          0          0  PCI-MSIX-0000:3e:00.0   1-edge      nvme0q1
",
    );
    let ids = |machine: &Machine| -> Vec<String> {
        let verify = machine.run(&["verify", "--json", "--only", "irq"]).json();
        let settings = verify["settings"].as_array().expect("settings").iter();
        settings
            .map(|setting| setting["id"].as_str().expect("id").to_owned())
            .collect()
    };
    assert_eq!(
        ids(&machine),
        [
            "irq/default",
            "irq/mlx5_comp0@pci:0000:3b:00.0",
            "irq/mlx5_comp0@pci:0000:3b:00.1",
            "irq/nvme0q1",
        ]
    );
    // After a boot in which the numbers are given the other way round, the ids mean the same devices.
    let text = machine.read("/proc/interrupts");
    let swapped = text
        .replace("  30:", "  xx:")
        .replace("  31:", "  30:")
        .replace("  xx:", "  31:");
    machine.file("/proc/interrupts", &swapped);
    assert_eq!(ids(&machine).len(), 4);
    let plan = machine.run(&["plan", "--json"]).json();
    let steps = plan["steps"].as_array().expect("steps");
    let path = |id: &str| {
        let step = steps
            .iter()
            .find(|step| step["ids"][0] == id)
            .expect("a step of the interrupt");
        step["path"].as_str().expect("path").to_owned()
    };
    assert_eq!(
        path("irq/mlx5_comp0@pci:0000:3b:00.0"),
        "/proc/irq/31/smp_affinity_list"
    );
    assert_eq!(
        path("irq/mlx5_comp0@pci:0000:3b:00.1"),
        "/proc/irq/30/smp_affinity_list"
    );
}

#[test]
fn the_unit_and_the_rules_are_there_once_and_follow_a_change_of_the_queues() {
    let machine = Machine::debian();
    machine.run(&["setup", "--yes"]);
    let rules = machine.read("/etc/udev/rules.d/99-hft.rules");
    let queues = rules
        .lines()
        .find(|line| line.contains("SUBSYSTEM==\"queues\""))
        .expect("a rule for queues");
    assert!(
        queues.contains("ACTION==\"add|remove\"")
            && queues.contains("try-restart irq-affinity.service"),
        "{queues}"
    );
    assert!(
        machine
            .read("/etc/systemd/system/irq-affinity.service")
            .contains("live irq threads rps workqueue")
    );

    // A driver that asked for its interrupts anew got the stock CPUs; the unit moves them again.
    machine.file("/proc/irq/30/smp_affinity_list", "0-7\n");
    let live = machine
        .run(&["live", "irq", "threads", "rps", "workqueue"])
        .expect(0);
    assert!(
        live.stdout.starts_with("1 values written"),
        "{}",
        live.stdout
    );
    assert_eq!(machine.read("/proc/irq/30/smp_affinity_list").trim(), "0-1");

    // Without the unit every interrupt is said not to survive a boot, and one change brings it back for all.
    machine.remove("/etc/systemd/system/irq-affinity.service");
    let verify = machine.run(&["verify", "--json"]).json();
    assert_eq!(setting(&verify, "irq/eth0-rx-0")["verdict"], "wrong");
    machine.run(&["setup", "--yes"]);
    let verify = machine.run(&["verify", "--json"]).json();
    assert!(setting(&verify, "irq/eth0-rx-0")["saved"].is_string());
    assert_eq!(
        setting(&verify, "irq/eth0-rx-0")["verdict"],
        "reboot-pending"
    );
}

#[test]
fn a_map_of_a_tree_shows_counts_and_needs_no_time() {
    let machine = Machine::debian();
    let show = machine.run(&["irq", "show"]).expect(0);
    assert!(show.stdout.contains("COUNT"), "{}", show.stdout);
    let start = std::time::Instant::now();
    machine
        .run(&["irq", "show", "--seconds", "3600", "--json"])
        .expect(0);
    assert!(start.elapsed().as_secs() < 60);
    machine.run(&["irq", "show", "--seconds", "3601"]).expect(2);
}

/// Files that are empty, binary or absurd: what is unknown is said to be unknown, and nothing of it passes.
#[test]
fn nonsense_is_never_a_pass() {
    let files = [
        ("/sys/class/net/eth0/queues/rx-0/rps_cpus", "rps/queues"),
        ("/proc/sys/net/core/rps_default_mask", "rps/default"),
        (
            "/sys/devices/virtual/workqueue/cpumask",
            "workqueue/cpumask",
        ),
        ("/proc/irq/30/smp_affinity_list", "irq/eth0-rx-0"),
        ("/proc/irq/30/effective_affinity_list", "irq/eth0-rx-0"),
        ("/etc/default/irqbalance", "irqbalance/banned"),
    ];
    let machine = Machine::debian();
    machine.file("/etc/hftune/profile.toml", "[services]\noff = []\n");
    machine.file("/etc/default/irqbalance", "");
    machine.run(&["setup", "--yes"]);
    for (path, id) in files {
        let before = machine.read(path);
        for text in [
            &b"zz"[..],
            b"\xff\xfe\x00",
            b"0-99999999999",
            b"ffffffff,,3",
        ] {
            // A line that assigns nothing says nothing to irqbalance.
            let assigned = if id == "irqbalance/banned" {
                &b"IRQBALANCE_BANNED_CPULIST="[..]
            } else {
                b""
            };
            std::fs::write(machine.path(path), [assigned, text].concat()).expect("write");
            // A list that names no CPUs bans none, which is as bad as not knowing.
            let verify = machine.run(&["verify", "--json"]).expect(3).json();
            let verdict = setting(&verify, id)["verdict"]
                .as_str()
                .expect("verdict")
                .to_owned();
            assert!(
                ["unknown", "wrong"].contains(&verdict.as_str()),
                "{path} {text:?}: {verdict}"
            );
            for command in [
                &["plan"][..],
                &["irq", "show"],
                &["live", "irq", "rps", "workqueue"],
            ] {
                let code = machine.run(command).code;
                assert!(
                    [0, 3].contains(&code),
                    "{path} {text:?} {command:?}: {code}"
                );
            }
        }
        machine.file(path, &before);
    }
}
