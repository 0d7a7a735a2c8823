//! `hftune vma` on directory trees: what is written, refused, proved and undone.

#![allow(
    clippy::disallowed_methods,
    reason = "tests build trees and start the binary under test"
)]

mod machine;

use machine::{Machine, hftune, setting};

const RULES: &str = "/etc/libvma.conf";
const VARIABLES: &str = "/etc/hftune/vma.env";
const UNIT: &str = "/etc/systemd/system/vma-app@.service";
const HAND_WRITTEN: &str = "# Mine.\napplication-id * *\nuse vma tcp_server *:7000\n";

fn ids(list: &serde_json::Value) -> Vec<&str> {
    let list = list.as_array().expect("list");
    list.iter().filter_map(|of| of["id"].as_str()).collect()
}

#[test]
fn two_ports_are_configured_proved_and_given_back() {
    let machine = Machine::rhel9().with_connectx();
    machine.file(RULES, HAND_WRITTEN);
    let before = machine.manifest();
    let answer = machine.run(&["vma", "configure", "ens1f0", "ens1f1", "--yes", "--json"]);
    // modprobe cannot run in a tree, and nothing else is amiss.
    let json = answer.expect(0).json();
    assert_eq!(json["schema"], "hftune/vma-configure/1");
    assert!(ids(&json["changed"]).contains(&"vma/rules"), "{json:#}");
    let rules = machine.read(RULES);
    for line in [
        "use vma tcp_server   192.0.2.2:*",
        "use vma tcp_client   *:*:198.51.100.2:*",
        "use os  udp_connect  *:53:*:*",
        "use os  tcp_server   *:22",
        "use os  tcp_server   *:*",
    ] {
        assert!(rules.lines().any(|known| known == line), "{line}:\n{rules}");
    }
    assert!(!rules.contains("10.1.1.7") && !rules.contains("VMA_"));
    let variables = machine.read(VARIABLES);
    for line in [
        "VMA_RX_POLL=-1",
        "VMA_MEM_ALLOC_TYPE=2",
        "VMA_INTERNAL_THREAD_AFFINITY=0",
        "VMA_THREAD_MODE=1",
        "VMA_RX_WRE=2048",
    ] {
        assert!(
            variables.lines().any(|known| known == line),
            "{line}:\n{variables}"
        );
    }
    let unit = machine.read(UNIT);
    assert!(
        unit.contains("AmbientCapabilities=CAP_NET_RAW") && unit.contains("LimitMEMLOCK=infinity")
    );
    assert!(
        machine
            .read("/usr/local/bin/run-with-vma.sh")
            .contains("run --vma")
    );

    // A second time nothing changes, and verify includes it.
    machine
        .run(&["vma", "configure", "ens1f0", "ens1f1", "--yes"])
        .expect(0);
    let verify = machine.run(&["verify", "--json", "--only", "vma"]).json();
    assert_eq!(setting(&verify, "vma/rules")["verdict"], "ok");
    assert_eq!(setting(&verify, "vma/VMA_RX_POLL")["saved"], "-1");

    machine.run(&["rollback", "--all", "--yes"]).expect(0);
    machine.assert_is(&before);
    assert_eq!(machine.read(RULES), HAND_WRITTEN);
}

#[test]
fn an_address_that_changes_is_found_by_verify() {
    let machine = Machine::debian().with_connectx();
    machine
        .run(&["vma", "configure", "ens1f0", "--yes"])
        .expect(0);
    let rules = machine.read(RULES);
    machine.addresses(&[("ens1f0", [192, 0, 2, 99])]);
    let verify = machine
        .run(&["verify", "--json", "--only", "vma/rules"])
        .expect(3)
        .json();
    let rule = setting(&verify, "vma/rules");
    assert_eq!(rule["verdict"], "wrong");
    assert!(
        rule["reason"]
            .as_str()
            .expect("reason")
            .contains("192.0.2.99"),
        "{rule:#}"
    );
    // Where the address is gone, the rules stay as they are and the finding says why.
    machine.addresses(&[]);
    let verify = machine
        .run(&["verify", "--json", "--only", "vma/rules"])
        .expect(3)
        .json();
    let rule = setting(&verify, "vma/rules");
    assert_eq!(rule["verdict"], "unknown");
    assert!(
        rule["reason"]
            .as_str()
            .expect("reason")
            .contains("no IPv4 address"),
        "{rule:#}"
    );
    machine.run(&["setup", "--yes"]);
    assert_eq!(machine.read(RULES), rules);
    machine.addresses(&[("ens1f0", [192, 0, 2, 99])]);
    machine.run(&["setup", "--yes"]);
    assert!(machine.read(RULES).contains("192.0.2.99"));
}

#[test]
fn ports_that_libvma_cannot_serve_are_refused_and_nothing_is_written() {
    let machine = Machine::debian().with_connectx();
    machine.addresses(&[
        ("eno1", [10, 1, 1, 7]),
        ("ens1f0", [192, 0, 2, 2]),
        ("ens1f0", [192, 0, 2, 3]),
    ]);
    machine.file(
        "/sys/devices/virtual/net/bond0/bonding/mode",
        "active-backup 1\n",
    );
    machine.file("/sys/devices/virtual/net/bond0/type", "1\n");
    machine.link("/sys/class/net/bond0", "../../devices/virtual/net/bond0");
    machine.file("/proc/net/vlan/ens1f0.7", "");
    machine.file("/sys/class/net/ens1f0.7/type", "1\n");
    let before = machine.manifest();
    for (name, code, words) in [
        ("eno1", 1, "ConnectX cards only"),
        ("ens1f0", 1, "2 IPv4 addresses (192.0.2.2, 192.0.2.3)"),
        ("ens1f1", 1, "no IPv4 address"),
        ("bond0", 1, "a bond"),
        ("ens1f0.7", 1, "a VLAN"),
        ("nope0", 1, "no port nope0"),
        ("a/b", 2, "a slash"),
        ("$(reboot)", 1, "no port $(reboot)"),
    ] {
        let answer = machine.run(&["vma", "configure", "--yes", "--", name]);
        assert_eq!(
            (answer.code, answer.stdout.as_str()),
            (code, ""),
            "{name}: {}",
            answer.stderr
        );
        assert!(answer.stderr.contains(words), "{name}: {}", answer.stderr);
    }
    machine.run(&["vma", "configure"]).expect(2);
    // One that is fit does not make up for one that is not.
    machine.addresses(&[("ens1f0", [192, 0, 2, 2])]);
    machine
        .run(&["vma", "configure", "--yes", "ens1f0", "eno1"])
        .expect(1);
    machine.addresses(&[
        ("eno1", [10, 1, 1, 7]),
        ("ens1f0", [192, 0, 2, 2]),
        ("ens1f0", [192, 0, 2, 3]),
    ]);
    machine.assert_is(&before);
}

#[test]
fn parameters_are_checked_where_they_are_written() {
    let machine = Machine::debian().with_connectx();
    for (text, words) in [
        ("VMA_HUGETLB = 1", "VMA_MEM_ALLOC_TYPE=2"),
        ("VMA_RX_POLL_NUM = 1", "write VMA_RX_POLL"),
        ("VMA_SPEC = \"tcp:*:*\"", "no such preset"),
        ("VMA_TCP_NODELAY = \"yes\"", "takes this for 0"),
        ("VMA_RX_POLL = -5", "warns and takes"),
        ("VMA_LOG_FILE = \"a b\"", "cannot be the value"),
        ("VMA_STRQ = 1", "XLIO"),
    ] {
        machine.file(
            "/etc/hftune/profile.toml",
            &format!("extends = \"hft\"\n[vma.parameters]\n{text}\n"),
        );
        let answer = machine.run(&["plan"]);
        assert_eq!(answer.code, 1, "{text}: {}", answer.stdout);
        assert!(
            answer.stderr.contains("profile.toml:3:") && answer.stderr.contains(words),
            "{text}: {}",
            answer.stderr
        );
    }
    for (text, words) in [
        ("user = \"a b\"", "not the name of a user"),
        ("applications = \"opt\"", "no directory"),
        ("applications = \"/opt/../etc\"", "no directory"),
    ] {
        machine.file(
            "/etc/hftune/profile.toml",
            &format!("extends = \"hft\"\n[vma]\n{text}\n"),
        );
        let answer = machine.run(&["plan"]);
        assert!(
            answer.code == 1 && answer.stderr.contains(words),
            "{text}: {}",
            answer.stderr
        );
    }
}

#[test]
fn locks_are_dropped_only_where_the_profile_says_that_one_thread_owns_the_sockets() {
    let machine = Machine::debian().with_connectx();
    let profile = |more: &str| {
        machine.file(
            "/etc/hftune/profile.toml",
            &format!("extends = \"hft\"\n[vma]\n{more}ports = [\"ens1f0\"]\n[vma.parameters]\nVMA_THREAD_MODE = 0\n"),
        );
    };
    profile("");
    let plan = machine.run(&["plan", "--json"]).expect(3).json();
    let skipped = plan["skipped"].as_array().expect("skipped");
    let mode = skipped
        .iter()
        .find(|s| s["id"] == "vma/VMA_THREAD_MODE")
        .expect("skipped");
    assert_eq!(mode["verdict"], "not-permitted");
    profile("one_socket_thread = true\n");
    machine.run(&["setup", "--yes"]);
    assert!(machine.read(VARIABLES).contains("VMA_THREAD_MODE=0\n"));
}

#[test]
fn what_is_installed_in_a_tree_is_said_to_be_left_to_the_image() {
    let machine = Machine::debian();
    machine.file("/sys/class/net/.keep", "");
    let before = machine.manifest();
    let answer = machine.run(&["vma", "install", "--yes"]);
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    assert!(
        answer.stdout.contains("install libvma") && answer.stdout.contains("in the image"),
        "{}",
        answer.stdout
    );
    machine.run(&["rollback", "--all", "--yes"]).expect(0);
    machine.assert_is(&before);
}

#[test]
fn parameters_are_explained() {
    let answer = hftune(&["vma", "params", "vma_thread_mode"]).expect(0);
    assert!(
        answer.stdout.contains("0 one thread and no locks")
            && answer.stdout.contains("preset latency"),
        "{}",
        answer.stdout
    );
    let answer = hftune(&["vma", "params", "VMA_HUGETLB"]).expect(2);
    assert!(
        answer.stderr.contains("VMA_MEM_ALLOC_TYPE=2"),
        "{}",
        answer.stderr
    );
    let json = hftune(&["vma", "params", "--json"]).expect(0).json();
    assert_eq!(json["parameters"].as_array().map(Vec::len), Some(103));
    let list = hftune(&["vma", "params"]).expect(0).stdout;
    assert!(
        list.lines().all(|line| line.chars().count() <= 80),
        "{list}"
    );
}
