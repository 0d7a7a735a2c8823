//! Imports: a profile of tuned, and what a host has, become profiles that hftune loads.

#![allow(
    clippy::disallowed_methods,
    reason = "tests build trees and start the binary under test"
)]

mod machine;
#[path = "../../engine/tests/recorded/mod.rs"]
mod recorded;

use std::fs;
use std::path::PathBuf;

use machine::{Answer, Machine, hftune};

/// A profile as an operator has it, and the stock ones that it includes, in small.
fn with_tuned() -> Machine {
    let machine = Machine::debian();
    machine.file(
        "/usr/lib/tuned/base/tuned.conf",
        "#\n# base\n#\n[main]\nsummary=Base profile\n\n\
         [cpu]\ngovernor=ondemand|performance\nenergy_perf_bias=performance\nmin_perf_pct=100\nforce_latency=cstate.id:1|3\n\n\
         [vm]\ntransparent_hugepages=never\n\n\
         [sysctl]\nvm.swappiness=10\nnet.core.somaxconn=>2048\nkernel.pid_max=>100\n\
         net.ipv4.tcp_rmem=\"4096 87380 16777216\"\n\n\
         [sysctl.arm]\ntype=sysctl\nuname_regex=aarch64\nkernel.numa_balancing=1\n\n\
         [bootloader]\ncmdline_base=+skew_tick=1 audit=0\n",
    );
    machine.file("/proc/sys/kernel/pid_max", "4194304\n");
    machine.file("/etc/tuned/mine-variables.conf", "isolated_cores=2-7\n");
    machine.file(
        "/etc/tuned/mine/tuned.conf",
        "[main]\nsummary=Mine\ninclude=base\n\n\
         [variables]\ninclude=/etc/tuned/mine-variables.conf\n\
         isolated_cores = ${isolated_cores}\n\
         rest=${f:cpulist_invert:${isolated_cores}}\n\
         mask=${f:cpulist2hex:${f:cpulist_unpack:${rest}}}\n\
         tmp=${f:exec:mktemp:-d}\n\n\
         [sysctl]\nvm.swappiness=1\nvm.nr_hugepages=512\n\n\
         [sysfs]\n/sys/devices/virtual/workqueue/cpumask=${mask}\n/sys/kernel/mm/ksm/run=2\n\
         /sys/devices/system/machinecheck/machinecheck*/ignore_ce=1\n\
         /sys/devices/system/machinecheck/machinecheck*/check_interval=0\n\
         /sys/kernel/mm/ksm/sleep_millisecs=99\n\n\
         [scheduler]\nisolated_cores=${isolated_cores}\ngroup.x=0:f:2:*:x\n\n\
         [irqbalance]\nbanned_cpus=${isolated_cores}\n\n\
         [service]\nservice.cups=stop,disable\nservice.foo=start\n\n\
         [net]\ndevices=eth0\nring=rx 512 tx 256\nfeatures=gro off\ncoalesce=adaptive-rx off rx-usecs 0\nwake_on_lan=d\n\n\
         [script]\nscript=${i:PROFILE_DIR}/script.sh\n\n\
         [bootloader]\ncmdline_mine=+isolcpus=managed_irq,domain,${isolated_cores} irqaffinity=${rest} nosoftlockup\n\
         cmdline_out=-audit=0\ninitrd_add_dir=${tmp}\n\n\
         garbage\n",
    );
    machine
}

fn import(machine: &Machine, named: &str) -> (tempfile::TempDir, PathBuf, Answer) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("profile.toml");
    let answer = machine
        .run(&[
            "import",
            "--tuned",
            named,
            "-o",
            file.to_str().expect("text"),
        ])
        .expect(0);
    (dir, file, answer)
}

#[test]
fn a_profile_of_tuned_becomes_one_of_hftune() {
    let machine = with_tuned();
    let (_dir, file, answer) = import(&machine, "mine");
    let path = file.to_str().expect("text");
    hftune(&["profile", "check", path]).expect(0);
    let text = fs::read_to_string(&file).expect("written");
    let table: toml::Table = text.parse().expect("TOML");
    let get = |section: &str, key: &str| table[section][key].to_string();
    for (section, key, value) in [
        ("cpus", "housekeeping", "\"0-1\""),
        ("sysctl", "vm.swappiness", "1"),
        ("sysctl", "net.core.somaxconn", "2048"),
        ("sysctl", "net.ipv4.tcp_rmem", "\"4096 87380 16777216\""),
        ("sysctl", "net.ipv4.tcp_sack", "\"keep\""),
        ("hugepages", "count", "512"),
        ("thp", "enabled", "\"never\""),
        ("thp", "defrag", "\"keep\""),
        ("power", "governor", "\"ondemand\""),
        ("power", "energy_bias", "0"),
        ("power", "max_idle_latency_us", "3"),
        ("irq", "housekeeping", "true"),
        ("threads", "housekeeping", "true"),
        ("workqueue", "housekeeping", "true"),
        ("rps", "housekeeping", "false"),
        ("kernel", "ksm_run", "2"),
        ("kernel", "check_interval", "0"),
        ("kernel", "fair_server_runtime", "-1"),
        ("services", "off", "[\"cups.service\"]"),
        ("boot", "isolcpus", "\"managed_irq,domain,{isolated}\""),
        ("boot", "irqaffinity", "\"{housekeeping}\""),
        ("boot", "skew_tick", "\"1\""),
        ("boot", "nosoftlockup", "true"),
        ("boot", "nohz_full", "false"),
        ("nic", "ports", "[\"eth0\"]"),
    ] {
        assert_eq!(get(section, key), value, "{section}.{key}\n{text}");
    }
    assert!(
        !text.contains("audit = "),
        "another line takes it out: {text}"
    );
    let port = table["nic"]["port"]["eth0"].as_table().expect("a port");
    assert_eq!(port["ring-rx"].as_integer(), Some(512));
    assert_eq!(port["feature-gro"].as_bool(), Some(false));
    assert_eq!(port["coalesce-adaptive-rx"].as_bool(), Some(false));

    // Every line without a counterpart is told twice: in the file and on standard error.
    for (line, why) in [
        (
            "/usr/lib/tuned/base/tuned.conf:10: [cpu] min_perf_pct=100",
            "no word",
        ),
        (
            "/usr/lib/tuned/base/tuned.conf:19: [sysctl] kernel.pid_max=>100",
            "it is higher",
        ),
        (
            "/usr/lib/tuned/base/tuned.conf:25: [sysctl.arm] kernel.numa_balancing=1",
            "other machines",
        ),
        (
            "/etc/tuned/mine/tuned.conf:10: [variables] tmp=",
            "function exec",
        ),
        (
            "/etc/tuned/mine/tuned.conf:19: [sysfs] /sys/devices/system/machinecheck/machinecheck*/ignore_ce=1",
            "kernel.check_interval = 0",
        ),
        (
            "/etc/tuned/mine/tuned.conf:21: [sysfs] /sys/kernel/mm/ksm/sleep_millisecs=99",
            "no word",
        ),
        (
            "/etc/tuned/mine/tuned.conf:25: [scheduler] group.x=",
            "priorities",
        ),
        (
            "/etc/tuned/mine/tuned.conf:32: [service] service.foo=start",
            "starts none",
        ),
        (
            "/etc/tuned/mine/tuned.conf:39: [net] wake_on_lan=d",
            "no word",
        ),
        ("[script] script=/etc/tuned/mine/script.sh", "no scripts"),
        ("[bootloader] initrd_add_dir=${tmp}", "initrd"),
        ("garbage", "assigns nothing"),
    ] {
        let told = answer.stderr.lines().find(|said| said.contains(line));
        let told = told.unwrap_or_else(|| panic!("{line}\n{}", answer.stderr));
        assert!(told.contains(why), "{told}");
        assert!(text.contains(line), "{line}\n{text}");
    }
    // It can be planned with.
    machine.run(&["plan", "--profile", path]).expect(3);
}

#[test]
fn a_folder_is_as_good_as_a_name_and_a_missing_one_is_told() {
    let machine = with_tuned();
    machine.file(
        "/srv/profiles/own/tuned.conf",
        "[main]\ninclude=base\n[sysctl]\nvm.swappiness=3\n[scheduler]\nisolated_cores=1\n",
    );
    let (_dir, file, _) = import(&machine, "/srv/profiles/own/");
    let text = fs::read_to_string(file).expect("written");
    assert!(text.contains("\"vm.swappiness\" = 3\n"), "{text}");
    assert!(text.contains("governor = \"ondemand\""), "{text}");
    // A number that is no list of CPUs stays one, whichever CPU is isolated.
    assert!(text.contains("housekeeping = \"0,2-7\""), "{text}");
    assert!(text.contains("skew_tick = \"1\""), "{text}");
    let answer = machine.run(&["import", "--tuned", "gone"]).expect(1);
    assert!(
        answer.stderr.contains("there is no profile gone"),
        "{}",
        answer.stderr
    );
    let (_dir, _, answer) = import(&machine, "mine");
    assert!(answer.stdout.contains("is written"), "{}", answer.stdout);
}

#[test]
fn a_host_becomes_a_profile_that_changes_little() {
    let machine = Machine::debian();
    machine.file("/proc/sys/vm/swappiness", "30\n");
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("host.toml");
    let path = file.to_str().expect("text");
    machine
        .run(&["profile", "new", "--from-host", path])
        .expect(0);
    hftune(&["profile", "check", path]).expect(0);
    let text = fs::read_to_string(&file).expect("written");
    for line in [
        "\"vm.swappiness\" = 30\n",
        "enabled = \"madvise\"\n",
        "governor = \"powersave\"\n",
        "isolcpus = false\n",
        "count = 0\n",
        "off = []\n",
        // This kernel has no server for ordinary threads.
        "fair_server_runtime = -1\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let plan = machine.run(&["plan", "--profile", path, "--json"]).json();
    let changes = plan["changes"].as_array().expect("list");
    // What is not saved yet is: no value of the kernel changes.
    for change in changes {
        let (id, from) = (
            change["id"].as_str().expect("id"),
            change["from"].as_str().expect("from"),
        );
        assert!(
            from.contains("not saved") || id == "profile/in-force",
            "{change}"
        );
    }
}

#[test]
fn a_host_that_isolates_cpus_keeps_its_split() {
    let machine = Machine::debian();
    machine.file("/sys/devices/system/cpu/isolated", "4-7\n");
    machine.file("/sys/devices/system/cpu/nohz_full", "4-7\n");
    machine.file(
        "/proc/cmdline",
        "root=UUID=1 ro isolcpus=domain,4-7 nohz_full=4-7 quiet\n",
    );
    machine.file("/proc/sys/kernel/osrelease", "6.12.0-55.el10\n");
    for cpu in 0..8 {
        machine.file(
            &format!("/sys/kernel/debug/sched/fair_server/cpu{cpu}/runtime"),
            "50000000\n",
        );
    }
    let answer = machine.run(&["profile", "new", "--from-host"]).expect(0);
    for line in [
        "fair_server_runtime = 50000000\n",
        "housekeeping = \"0-3\"\n",
        "isolcpus = \"domain,{isolated}\"\n",
        "rcu_nocbs = false\n",
    ] {
        assert!(answer.stdout.contains(line), "{line}\n{}", answer.stdout);
    }
    assert!(!answer.stdout.contains("nohz_full = "), "{}", answer.stdout);
}

#[test]
fn recorded_machines_become_profiles() {
    for (name, tree) in recorded::machines() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let file = dir.path().join("host.toml");
        let path = file.to_str().expect("text");
        let from = recorded::top(&tree);
        let from = from.to_str().expect("text");
        hftune(&["profile", "new", path, "--from", from]).expect(0);
        hftune(&["profile", "check", path]).expect(0);
        let count = |profile: &str| {
            let plan = hftune(&["plan", "--from", from, "--profile", profile, "--json"]).json();
            plan["changes"].as_array().expect("list").len()
        };
        let (own, built_in) = (count(path), count("hft"));
        println!("{name}: {own} changes with its own profile, {built_in} with hft");
        assert!(
            own <= built_in,
            "{name}: {own} changes, {built_in} with hft"
        );
    }
}
