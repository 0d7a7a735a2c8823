//! `hftune nic` on a directory tree, which has no kernel to ask.
#![allow(
    clippy::disallowed_methods,
    reason = "tests build trees and start the binary under test"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// Exit code, standard output and standard error.
fn hftune(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_hftune"))
        .args(args)
        .env("NO_COLOR", "1")
        .output()
        .expect("start hftune");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let code = output.status.code().expect("no signal");
    (code, text(output.stdout), text(output.stderr))
}

/// One ConnectX port and the loopback interface.
fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temporary directory");
    let pci = dir.path().join("sys/devices/pci0000:3a/0000:3b:00.0");
    let port = pci.join("net/ens1f0");
    fs::create_dir_all(&port).expect("port");
    fs::create_dir_all(dir.path().join("sys/devices/virtual/net/lo")).expect("lo");
    fs::create_dir_all(dir.path().join("sys/bus/pci/drivers/mlx5_core")).expect("driver");
    fs::create_dir_all(dir.path().join("sys/class/net")).expect("class");
    for (path, text) in [
        (pci.join("numa_node"), "1\n"),
        (port.join("speed"), "100000\n"),
        (port.join("operstate"), "up\n"),
        (port.join("address"), "02:00:00:00:00:01\n"),
    ] {
        fs::write(path, text).expect("file");
    }
    for (link, target) in [
        ("sys/class/net/lo", "../../devices/virtual/net/lo"),
        (
            "sys/class/net/ens1f0",
            "../../devices/pci0000:3a/0000:3b:00.0/net/ens1f0",
        ),
        (
            "sys/devices/pci0000:3a/0000:3b:00.0/net/ens1f0/device",
            "../../../0000:3b:00.0",
        ),
        (
            "sys/devices/pci0000:3a/0000:3b:00.0/driver",
            "../../../bus/pci/drivers/mlx5_core",
        ),
    ] {
        symlink(target, dir.path().join(link)).expect("link");
    }
    dir
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_tree_tells_where_a_port_is_and_not_what_it_is_set_to() {
    let tree = tree();
    let root = text(tree.path());
    let (code, out, err) = hftune(&["--root", root, "nic", "list"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let line: Vec<&str> = out
        .lines()
        .nth(1)
        .expect("a port")
        .split_whitespace()
        .collect();
    assert_eq!(
        line[..8],
        [
            "ens1f0",
            "up",
            "100000",
            "1",
            "mlx5_core",
            "0000:3b:00.0",
            "yes",
            "unknown:"
        ]
    );
    let (code, out, _) = hftune(&["--root", root, "nic", "show", "ens1f0", "--json"]);
    assert_eq!(code, 0);
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let port = &json["ports"][0];
    assert_eq!(
        (&json["schema"], &port["driver"]),
        (&"hftune/nic/1".into(), &"mlx5_core".into())
    );
    assert_eq!(
        port["ethtool"]["rings"]["unknown"],
        "no netlink socket for a directory tree"
    );
}

#[test]
fn a_capture_of_a_tree_has_no_answers_either() {
    let tree = tree();
    let place = tempfile::tempdir().expect("temporary directory");
    let file = place.path().join("c.tgz");
    let file = text(&file);
    let (code, _, err) = hftune(&["--root", text(tree.path()), "host", "--capture", file]);
    assert_eq!(code, 0, "{err}");
    let (code, out, err) = hftune(&["nic", "show", "--from", file]);
    assert_eq!(code, 0, "{err}");
    assert!(
        out.starts_with("ens1f0\n") && out.contains("no netlink socket for a directory tree"),
        "{out}"
    );
}

#[test]
fn what_is_no_port_is_named() {
    let tree = tree();
    let root = text(tree.path());
    for (name, code, words) in [
        ("nope0", 1, "there is no port nope0"),
        ("$(reboot)", 1, "there is no port $(reboot)"),
        ("lo", 1, "lo is the loopback interface"),
        ("-h", 2, "starts like an option"),
        ("a/b", 2, "a slash"),
        ("a b", 2, "white space"),
        ("a\n", 2, "a control character"),
        ("0123456789abcdef", 2, "longer than 15 bytes"),
        ("", 2, "it is empty"),
    ] {
        let (found, out, err) = hftune(&["--root", root, "nic", "show", "--", "ens1f0", name]);
        assert_eq!((found, out.as_str()), (code, ""), "{name:?}: {err}");
        assert!(
            err.contains(words) && err.contains("hftune"),
            "{name:?}: {err}"
        );
    }
}
