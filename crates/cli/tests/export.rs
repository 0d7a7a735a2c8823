//! Exports: each format is what its own tool takes, and the shell script sets, checks and undoes for real, on a tree.

#![allow(
    clippy::disallowed_methods,
    reason = "tests build trees and start the programs under test"
)]

mod machine;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use machine::Machine;

/// What a step of the script leaves of a tree: files but for those of the kernel, which a tree only pretends to be.
type Files = BTreeMap<PathBuf, (u32, Vec<u8>)>;

fn files(machine: &Machine) -> Files {
    let mut files = machine.manifest();
    files.retain(|path, _| {
        !["proc", "sys"]
            .iter()
            .any(|kernel| path.starts_with(kernel) || path.starts_with(machine.root().join(kernel)))
    });
    files
}

/// Exports into a folder outside of the tree; returns it.
fn export(machine: &Machine, format: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let out = dir.path().join("out");
    fs::create_dir(&out).expect("folder");
    let answer = machine
        .run(&[
            "export",
            "--format",
            format,
            "-o",
            out.to_str().expect("text"),
        ])
        .expect(0);
    (dir, answer.stderr)
}

fn script(machine: &Machine) -> (tempfile::TempDir, PathBuf) {
    let (dir, _) = export(machine, "shell");
    let path = dir.path().join("out/hft-export.sh");
    (dir, path)
}

fn run(script: &Path, machine: &Machine, option: &str) -> Output {
    let mut sh = Command::new("sh");
    sh.arg(script);
    if !option.is_empty() {
        sh.arg(option);
    }
    sh.arg("--root").arg(machine.root()).output().expect("sh")
}

#[track_caller]
fn expect(output: &Output, code: i32) -> String {
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// A program of the tool that a format is for; `None`, told, where it is not installed.
fn judge(program: &str, args: &[&str]) -> Option<Output> {
    let output = Command::new(program).args(args).output().ok();
    if output.is_none() {
        println!("skipped: {program} is not installed");
    }
    output
}

#[track_caller]
fn accepted(program: &str, args: &[&str]) {
    if let Some(output) = judge(program, args) {
        expect(&output, 0);
    }
}

#[test]
fn the_script_sets_checks_and_undoes() {
    let machine = Machine::debian();
    let before = files(&machine);
    let (_dir, script) = script(&machine);

    let said = expect(&run(&script, &machine, "--check"), 3);
    assert!(said.contains("differs: thp/enabled"), "{said}");
    assert_eq!(files(&machine), before, "--check changes nothing");

    let said = expect(&run(&script, &machine, ""), 0);
    assert!(
        said.contains("run \"/usr/sbin/update-grub\" in it"),
        "{said}"
    );
    assert_eq!(
        machine.read("/sys/kernel/mm/transparent_hugepage/enabled"),
        "never\n"
    );
    assert_eq!(machine.read("/proc/irq/30/smp_affinity_list"), "0-1\n");
    assert_eq!(machine.read("/proc/irq/default_smp_affinity"), "3\n");
    assert_eq!(machine.read("/proc/sys/vm/swappiness"), "0\n");
    assert!(
        machine
            .read("/etc/default/grub.d/99-hft.cfg")
            .contains("isolcpus=")
    );
    let set = files(&machine);

    let said = expect(&run(&script, &machine, ""), 0);
    assert!(said.contains("nothing to change"), "{said}");
    assert_eq!(files(&machine), set, "a second run changes nothing");
    expect(&run(&script, &machine, "--check"), 0);

    // What hftune itself says of it: all that needs no unit of its own is as it wants it.
    let verify = machine.run(&["verify", "--json"]).json();
    for id in [
        "sysctl/vm.swappiness",
        "sysctl/net.ipv4.tcp_rmem",
        "limits/memlock",
        "services/irqbalance",
    ] {
        assert_eq!(machine::setting(&verify, id)["verdict"], "ok", "{id}");
    }

    expect(&run(&script, &machine, "--undo"), 0);
    assert_eq!(files(&machine), before, "--undo puts all back");
    assert_eq!(machine.read("/proc/irq/30/smp_affinity_list"), "0-7\n");
    let said = expect(&run(&script, &machine, "--undo"), 0);
    assert!(said.contains("nothing to put back"), "{said}");
}

#[test]
fn what_was_there_first_is_what_comes_back() {
    let machine = Machine::debian();
    machine.file(
        "/etc/sysctl.d/99-hft.conf",
        "# somebody's own\nvm.swappiness = 1\n",
    );
    let before = files(&machine);
    let (_dir, script) = script(&machine);
    expect(&run(&script, &machine, ""), 0);
    // Somebody takes a file away, and it is written again: the first state stays the one that is kept.
    machine.remove("/etc/sysctl.d/99-hft.conf");
    machine.remove("/etc/security/limits.d/99-hft.conf");
    expect(&run(&script, &machine, ""), 0);
    expect(&run(&script, &machine, "--undo"), 0);
    assert_eq!(files(&machine), before);
}

#[test]
fn what_somebody_changed_since_is_left_alone() {
    let machine = Machine::debian();
    let before = files(&machine);
    let (_dir, script) = script(&machine);
    expect(&run(&script, &machine, ""), 0);
    machine.file("/etc/security/limits.d/99-hft.conf", "mine\n");
    let said = expect(&run(&script, &machine, "--undo"), 1);
    assert!(said.contains("was changed by somebody since"), "{said}");
    assert_eq!(machine.read("/etc/security/limits.d/99-hft.conf"), "mine\n");
    let output = Command::new("sh")
        .arg(&script)
        .args(["--undo", "--force", "--root"])
        .arg(machine.root())
        .output()
        .expect("sh");
    expect(&output, 0);
    assert_eq!(files(&machine), before);
}

#[test]
fn it_refuses_another_machine_and_a_boot_file_that_changed() {
    let machine = Machine::rhel9();
    let (_dir, script) = script(&machine);
    let entry = "/boot/loader/entries/abc-5.14.0-427.el9.x86_64.conf";
    let was = machine.read(entry);
    machine.file(entry, &was.replace("quiet", "quiet audit=0"));
    let before = files(&machine);
    let said = expect(&run(&script, &machine, ""), 1);
    assert!(
        said.contains("is not as it was when this was made"),
        "{said}"
    );
    assert_eq!(files(&machine), before, "nothing was changed");

    machine.file(entry, &was);
    machine.file(
        "/sys/devices/system/cpu/cpu3/topology/core_cpus_list",
        "3,7\n",
    );
    let before = files(&machine);
    let said = expect(&run(&script, &machine, ""), 1);
    assert!(
        said.contains("made for a machine with other CPUs"),
        "{said}"
    );
    assert_eq!(files(&machine), before, "nothing was changed");

    machine.file(
        "/sys/devices/system/cpu/cpu3/topology/core_cpus_list",
        "3\n",
    );
    let before = files(&machine);
    expect(&run(&script, &machine, ""), 0);
    assert!(
        machine
            .read(entry)
            .contains("isolcpus=managed_irq,domain,2-7")
    );
    expect(&run(&script, &machine, "--undo"), 0);
    assert_eq!(files(&machine), before);
}

#[test]
fn shells_take_the_scripts() {
    for machine in [
        Machine::debian(),
        Machine::rhel9(),
        Machine::debian().with_connectx(),
    ] {
        for (format, name) in [("shell", "hft-export.sh"), ("tuned", "script.sh")] {
            let (dir, _) = export(&machine, format);
            let script = dir.path().join("out").join(name);
            let script = script.to_str().expect("text");
            accepted("sh", &["-n", script]);
            accepted("shellcheck", &[script]);
            accepted("shellcheck", &["-s", "sh", script]);
        }
    }
}

#[test]
fn tuned_gets_a_section_for_each_plugin() {
    let machine = Machine::debian();
    let (dir, said) = export(&machine, "tuned");
    let conf = fs::read_to_string(dir.path().join("out/tuned.conf")).expect("written");
    for line in [
        "[sysctl]\n# sysctl/kernel.numa_balancing\nkernel.numa_balancing=0\n",
        "[vm]\n# thp/enabled\ntransparent_hugepages=never\n",
        "cmdline_hft=+irqaffinity=0-1 isolcpus=managed_irq,domain,2-7 nohz_full=2-7 rcu_nocbs=2-7\n",
        "[service]\n# services/irqbalance\nservice.irqbalance=stop,disable\n",
        "/sys/devices/system/cpu/cpu7/cpufreq/scaling_governor=performance\n",
        "script=${i:PROFILE_DIR}/script.sh\n",
    ] {
        assert!(conf.contains(line), "{line}\n{conf}");
    }
    assert!(
        !conf.contains("isolated_cores"),
        "it would move the application"
    );
    assert!(!conf.contains("99-hft.conf"), "{conf}");
    assert!(said.contains("not exported: power/idle"), "{said}");
}

#[test]
fn other_formats_are_what_their_tools_take() {
    let machine = Machine::debian();
    let (dir, _) = export(&machine, "ansible");
    let playbook = dir.path().join("out/hft-export.yml");
    let text = fs::read_to_string(&playbook).expect("written");
    assert!(
        text.contains("dest: \"/etc/sysctl.d/99-hft.conf\""),
        "{text}"
    );
    assert!(text.contains("masked: true"), "{text}");
    accepted(
        "ansible-playbook",
        &[
            "--syntax-check",
            "-i",
            "localhost,",
            playbook.to_str().expect("text"),
        ],
    );

    let (dir, _) = export(&machine, "kickstart");
    let kickstart = dir.path().join("out/hft-export.ks");
    let text = fs::read_to_string(&kickstart).expect("written");
    assert!(
        text.contains("bootloader --append=\"irqaffinity=0-1 isolcpus="),
        "{text}"
    );
    accepted(
        "ksvalidator",
        &["-v", "RHEL9", kickstart.to_str().expect("text")],
    );
    // What %post runs is a script of its own.
    let (_, post) = text
        .split_once("%post --erroronfail --log=/root/hft-export.log\n")
        .expect("a section");
    let body = dir.path().join("post.sh");
    fs::write(&body, post.trim_end_matches("%end\n")).expect("written");
    accepted("sh", &["-n", body.to_str().expect("text")]);

    let (dir, _) = export(&machine, "bootc");
    let out = dir.path().join("out");
    let kargs = fs::read_to_string(out.join("usr/lib/bootc/kargs.d/10-hft.toml")).expect("written");
    let kargs: toml::Table = kargs.parse().expect("TOML");
    let words: Vec<&str> = kargs["kargs"]
        .as_array()
        .expect("list")
        .iter()
        .filter_map(|w| w.as_str())
        .collect();
    assert_eq!(words[1], "isolcpus=managed_irq,domain,2-7");
    let fragment = fs::read_to_string(out.join("Containerfile.hft")).expect("written");
    assert!(
        fragment.contains("COPY usr /usr\nCOPY etc /etc\n"),
        "{fragment}"
    );
    assert!(
        fragment.contains("RUN systemctl mask irqbalance.service"),
        "{fragment}"
    );
    assert!(
        out.join("usr/lib/systemd/system/hft-export.service")
            .exists()
    );
}

#[test]
fn sysctl_says_what_it_cannot() {
    let machine = Machine::debian();
    let answer = machine.run(&["export", "--format", "sysctl"]).expect(0);
    assert!(
        answer
            .stdout
            .contains("# sysctl/vm.swappiness\nvm.swappiness = 0\n")
    );
    assert!(
        answer
            .stdout
            .contains("# hugepages/node0\nvm.nr_hugepages = 1024\n")
    );
    for id in [
        "boot/isolcpus",
        "thp/enabled",
        "irq/default",
        "services/irqbalance",
        "limits/memlock",
    ] {
        assert!(
            answer
                .stdout
                .contains(&format!("#   {id}: no sysctl sets it\n")),
            "{id}"
        );
        assert!(
            answer.stderr.contains(&format!("not exported: {id}: ")),
            "{id}"
        );
    }
    // Every setting is either set or named.
    let plan = machine.run(&["plan", "--json"]).json();
    for change in plan["changes"].as_array().expect("list") {
        let id = change["id"].as_str().expect("text");
        assert!(
            answer.stdout.contains(id) || id == "profile/in-force" || id.starts_with("hugepages/"),
            "{id}"
        );
    }
}

#[test]
fn files_are_replaced_only_when_asked() {
    let machine = Machine::debian();
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("x.conf");
    let args = [
        "export",
        "--format",
        "sysctl",
        "-o",
        file.to_str().expect("text"),
    ];
    machine.run(&args).expect(0);
    let answer = machine.run(&args).expect(1);
    assert!(
        answer.stderr.contains("it exists already"),
        "{}",
        answer.stderr
    );
    machine.run(&[&args[..], &["--replace"]].concat()).expect(0);
    let answer = machine.run(&["export", "--format", "tuned"]).expect(2);
    assert!(answer.stderr.contains("-o DIR"), "{}", answer.stderr);
}
