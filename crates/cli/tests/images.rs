//! The examples of `packaging/images`, run as they are written there on trees in place of images. A line of theirs that no longer
//! works, or that forgets what setup writes, fails here.

#![allow(
    clippy::disallowed_methods,
    reason = "tests build trees and start what the examples say"
)]

mod machine;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use machine::{Machine, hftune};

/// The first argument that the profile wants on the server that was recorded.
const ISOLCPUS: &str = "isolcpus=managed_irq,domain,2-7";

const KARGS: &str = "/usr/lib/bootc/kargs.d/50-hftune.toml";

fn example(name: &str) -> PathBuf {
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/images");
    let path = images.join(name);
    assert!(path.is_file(), "{} is not there", path.display());
    path.canonicalize().expect("a path")
}

fn text(name: &str) -> String {
    fs::read_to_string(example(name)).expect("text")
}

/// Runs a shell script with `first` in front of the path.
fn sh(script: &str, first: &Path) -> Output {
    let mut path = OsString::from(first);
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    Command::new("sh")
        .args(["-c", script])
        .env("PATH", path)
        .output()
        .expect("start sh")
}

#[track_caller]
fn fine(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{:?}\n{said}\n{complained}",
        output.status
    );
    said + &complained
}

/// A program that is one line of shell.
fn program(path: &Path, line: &str) {
    fs::write(path, format!("#!/bin/sh\n{line}\n")).expect("write");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("set the mode");
}

fn binaries() -> PathBuf {
    let hftune = Path::new(env!("CARGO_BIN_EXE_hftune"));
    hftune.parent().expect("a folder").to_owned()
}

/// What `hftune host --capture` records on a server with 8 cores.
fn reference() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("temporary directory");
    let file = folder.path().join("reference.tgz");
    let server = Machine::rhel9();
    let args = [
        "--root".as_ref(),
        server.root(),
        "host".as_ref(),
        "--capture".as_ref(),
        &file,
    ];
    hftune(&args).expect(0);
    (folder, file)
}

/// An image of bootc that knows nothing of a machine.
fn image() -> Machine {
    let machine = Machine::empty();
    for (path, text) in [
        ("/usr/lib/os-release", "ID=fedora\nVERSION_ID=42\n"),
        ("/usr/lib/bootc/install/00-fedora.toml", "[install]\n"),
        (
            "/usr/lib/bootc/kargs.d/10-console.toml",
            "kargs = [\"console=ttyS0,115200n8\"]\n",
        ),
        (
            "/usr/lib/modules/6.1.0-test/config",
            "CONFIG_NO_HZ_FULL=y\nCONFIG_TRANSPARENT_HUGEPAGE=y\nCONFIG_RCU_NOCB_CPU=y\n",
        ),
        ("/etc/security/limits.conf", "# nothing\n"),
        ("/usr/bin/hftune", ""),
        ("/usr/local/bin/other", ""),
    ] {
        machine.file(path, text);
    }
    machine
}

/// What every image must have in it: boot arguments, values, units that are enabled.
#[track_caller]
fn tuned(machine: &Machine) {
    let swappiness = machine.read("/etc/sysctl.d/99-hft.conf");
    assert!(
        swappiness.contains("vm.swappiness = 0") || swappiness.contains("vm.swappiness=0"),
        "{swappiness}"
    );
    for unit in [
        "irq-affinity.service",
        "disable-thp.service",
        "cpu-performance.service",
    ] {
        let written = machine.read(&format!("/etc/systemd/system/{unit}"));
        assert!(
            written.contains("/usr/bin/hftune") || written.contains("/usr/local/bin/"),
            "{written}"
        );
        let wants = fs::read_dir(machine.path("/etc/systemd/system"))
            .expect("units")
            .flatten();
        let enabled = wants
            .filter(|entry| entry.path().join(unit).is_symlink())
            .count();
        assert_eq!(enabled, 1, "{unit} is enabled");
    }
}

#[test]
fn a_tree_is_tuned_for_the_recorded_server_and_given_back() {
    let (_folder, reference) = reference();
    let machine = image();
    let before = machine.manifest();
    fine(&tune_tree(&machine, &reference));
    tuned(&machine);
    assert!(machine.read(KARGS).contains(ISOLCPUS));
    for kernel in ["/proc", "/sys"] {
        assert_eq!(
            fs::read_dir(machine.path(kernel))
                .expect("directory")
                .count(),
            0,
            "{kernel} is empty"
        );
        machine.remove_dir(kernel);
    }
    machine.run(&["rollback", "--all", "--yes"]);
    machine.assert_is(&before);
}

/// The example that sets up a tree, on this one.
fn tune_tree(machine: &Machine, reference: &Path) -> Output {
    let script = format!(
        "{} {} {}",
        example("tree/tune-tree.sh").display(),
        machine.root().display(),
        reference.display()
    );
    sh(&script, &binaries())
}

#[test]
fn a_tree_whose_proc_is_mounted_is_refused() {
    let (_folder, reference) = reference();
    let machine = image();
    machine.file("/proc/cmdline", "of the machine that builds\n");
    let before = machine.manifest();
    let output = tune_tree(&machine, &reference);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("unmount it first"));
    machine.assert_is(&before);
}

/// Boot arguments that are not saved are no image.
#[test]
fn a_tree_that_nobody_knows_how_to_boot_fails_the_build() {
    let (_folder, reference) = reference();
    let machine = image();
    fs::remove_dir_all(machine.path("/usr/lib/bootc")).expect("remove");
    let output = tune_tree(&machine, &reference);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("boot/isolcpus"), "{said}");
}

/// Stages are folders: `tune` has the tree `/image` in it, the last one is the image.
#[test]
fn the_containerfile_makes_the_whole_image() {
    let (folder, _) = reference();
    let tune = Machine::empty();
    let last = image();
    let context = folder.path();
    // It stands for the binary, which is large.
    program(
        &context.join("hftune"),
        &format!("exec {} \"$@\"", env!("CARGO_BIN_EXE_hftune")),
    );
    fs::copy(example("tree/tune-tree.sh"), context.join("tune-tree.sh")).expect("copy");
    fs::write(context.join("profile.toml"), "extends = \"hft\"\n").expect("write");
    let base = image();

    let mut stage = "";
    let containerfile = text("bootc/Containerfile");
    for line in containerfile.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let to = if stage == "tune" { &tune } else { &last };
        match &words[..] {
            [] | ["ARG", _] => {}
            [word, ..] if word.starts_with('#') => {}
            ["FROM", _, "AS", name] => stage = name,
            ["FROM", "base"] => stage = "last",
            ["RUN", command @ ..] => {
                let command = command
                    .join(" ")
                    .replace(" /", &format!(" {}/", tune.root().display()));
                fine(&sh(&command, &tune.path("/usr/bin")));
            }
            ["COPY", from, files @ .., target] if from.starts_with("--from=") => {
                let source = if *from == "--from=base" { &base } else { &tune };
                for file in files {
                    let file = source.path(file);
                    // A folder's content goes into the folder.
                    let file = if file.is_dir() { file.join(".") } else { file };
                    copy(&file, &to.path(target));
                }
            }
            ["COPY", files @ .., target] => {
                for file in files {
                    copy(&context.join(file), &to.path(target));
                }
            }
            _ => panic!("{line}: an instruction that this test does not know"),
        }
    }
    assert_eq!(stage, "last");
    tuned(&last);
    assert!(last.read(KARGS).contains(ISOLCPUS));
    assert_eq!(last.read("/etc/hftune/profile.toml"), "extends = \"hft\"\n");
    // Whatever setup wrote into the tree is in the image, wherever it is.
    let relative = |root: &Path| -> Vec<(PathBuf, (u32, Vec<u8>))> {
        let of = Machine::manifest_of(root).into_iter();
        of.map(|(path, state)| (path.strip_prefix(root).expect("below").to_owned(), state))
            .collect()
    };
    let made = relative(&tune.path("/image"));
    let shipped = relative(last.root());
    let kernel = |path: &Path| path.starts_with("proc") || path.starts_with("sys");
    for entry in made.iter().filter(|(path, _)| !kernel(path)) {
        assert!(
            shipped.contains(entry),
            "{} is not in the image, or not as it was made",
            entry.0.display()
        );
    }
    assert!(
        last.path("/var/lib/hftune/transactions").is_dir(),
        "rollback works on the hosts"
    );
}

/// As the tools of containers do: a trailing slash is a folder, and a folder's content is copied.
fn copy(from: &Path, to: &Path) {
    let folder = if from.is_dir() || to.to_string_lossy().ends_with('/') {
        to
    } else {
        to.parent().expect("a folder")
    };
    fs::create_dir_all(folder).expect("make directories");
    let status = Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status()
        .expect("start cp");
    assert!(status.success(), "cp {} {}", from.display(), to.display());
}

#[test]
fn the_kickstart_file_sets_up_the_installed_system() {
    let machine = Machine::rhel9();
    machine.file("/usr/bin/hftune", "");
    let kickstart = text("kickstart/hftune.ks");
    let (_, post) = kickstart.split_once("%post ").expect("%post");
    let (_, post) = post.split_once('\n').expect("options");
    let (post, _) = post.split_once("%end").expect("%end");
    let root = machine.root().display().to_string();
    let script = post
        .replace("/etc/", &format!("{root}/etc/"))
        .replace("--root / ", &format!("--root {root} "));
    let script = script.replace(" /etc", &format!(" {root}/etc"));
    fine(&sh(&script, &binaries()));
    tuned(&machine);
    for kernel in ["5.14.0-427", "5.14.0-362"] {
        let entry = machine.read(&format!(
            "/boot/loader/entries/abc-{kernel}.el9.x86_64.conf"
        ));
        assert!(entry.contains(ISOLCPUS), "{entry}");
    }
    assert!(
        !machine
            .read("/boot/loader/entries/abc-0-rescue.conf")
            .contains(ISOLCPUS)
    );
    if let Ok(output) = Command::new("ksvalidator")
        .args(["-v", "RHEL9"])
        .arg(example("kickstart/hftune.ks"))
        .output()
    {
        fine(&output);
    } else {
        eprintln!("skipped: ksvalidator is not installed");
    }
}

/// The first boot runs the commands on the machine itself; here hftune is told to take a tree for it.
#[test]
fn cloud_init_sets_up_and_asks_for_the_reboot() {
    let machine = Machine::debian();
    let user_data = text("cloud-init/user-data");
    assert!(user_data.starts_with("#cloud-config\n"));
    let folder = tempfile::tempdir().expect("temporary directory");
    let wrapper = folder.path().join("hftune");
    let root = machine.root().display();
    program(
        &wrapper,
        &format!("exec {} --root {root} \"$@\"", env!("CARGO_BIN_EXE_hftune")),
    );

    machine.file(
        "/etc/hftune/profile.toml",
        &block(&user_data, "    content: |"),
    );
    fine(&sh(&block(&user_data, "  - |"), folder.path()));
    tuned(&machine);
    assert!(
        machine
            .read("/etc/default/grub.d/99-hft.cfg")
            .contains(ISOLCPUS)
    );
    // Met once, and not after the reboot that it asks for.
    let condition = block(&user_data, "  condition: |")
        .replace("/run/", &format!("{}/", folder.path().display()));
    fine(&sh(&condition, folder.path()));
    machine.run(&["rollback", "--all", "--yes"]);
    assert!(!sh(&condition, folder.path()).status.success());
    if let Ok(output) = Command::new("cloud-init")
        .args(["schema", "--config-file"])
        .arg(example("cloud-init/user-data"))
        .output()
    {
        fine(&output);
    } else {
        eprintln!("skipped: cloud-init is not installed");
    }
}

/// The lines of a block of YAML, after the line that begins it.
fn block(yaml: &str, begin: &str) -> String {
    let mut lines = yaml
        .lines()
        .skip_while(|line| *line != begin)
        .skip(1)
        .peekable();
    let first = lines.peek().unwrap_or_else(|| panic!("no {begin:?}"));
    let indent = first.len() - first.trim_start().len();
    let inside = lines.take_while(|line| line.len() - line.trim_start().len() >= indent);
    let lines: Vec<&str> = inside.map(|line| &line[indent..]).collect();
    lines.join("\n") + "\n"
}
