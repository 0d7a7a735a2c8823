//! Captures: what `plan` and `verify` say from a file is what they say on the machine, no secret is in it, and no file that
//! anybody sends does harm.

#![allow(
    clippy::disallowed_methods,
    reason = "tests build trees and start the binary under test"
)]

mod machine;

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use machine::{Answer, Machine, hftune};
use serde_json::Value;
use tar::EntryType::{Fifo, Link, Regular, Symlink};

/// A place for captures, outside of any tree.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("temporary directory"))
    }

    fn path(&self, name: &str) -> String {
        let path = self.0.path().join(name);
        path.to_str().expect("text").to_owned()
    }
}

/// Everything that can be asked of a captured machine.
const QUESTIONS: [&[&str]; 6] = [
    &["host", "--json"],
    &["plan", "--json"],
    &["verify", "--json"],
    &["irq", "show", "--json"],
    &["plan", "--housekeeping", "0-3", "--json"],
    &["verify", "--failed"],
];

fn capture(machine: &Machine, file: &str) -> Answer {
    machine.run(&["host", "--capture", file]).expect(0)
}

/// The answers from `from`, but for the paths in messages those of the tree.
#[track_caller]
fn answers_alike(machine: &Machine, from: &str) {
    let prefix = machine.root().to_str().expect("text");
    for question in QUESTIONS {
        let on_machine = machine.run(question);
        let from_file = hftune(&[question, &["--from", from]].concat());
        // Tables are wrapped anew where a path is shorter, but for the words.
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            words(&from_file.stdout),
            words(&on_machine.stdout.replace(prefix, "")),
            "{question:?}"
        );
        assert_eq!(from_file.code, on_machine.code, "{question:?}");
    }
}

fn unpack(file: &str, into: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(fs::File::open(file).expect("capture"))
        .read_to_end(&mut bytes)
        .expect("gzip");
    tar::Archive::new(&bytes[..]).unpack(into).expect("tar");
    bytes
}

#[test]
fn a_capture_answers_as_the_machine_does() {
    for machine in [Machine::debian(), Machine::rhel9()] {
        let place = Place::new();
        let file = place.path("machine.tgz");
        // What sysfs has: links between directories, one that leads nowhere, and something that cannot be read.
        machine.link("/etc/sysctl.d/50-circle.conf", "50-circle.conf");
        machine.link("/etc/sysctl.d/51-gone.conf", "../nowhere");
        machine.file(
            "/proc/2/status",
            "Name:\tkthreadd\nPPid:\t0\nThreads:\t1\nCpus_allowed_list:\t0-7\n",
        );
        machine.file("/proc/2/stat", "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0\n");
        let said = capture(&machine, &file);
        assert!(
            said.stdout.contains("machine.tgz is written: "),
            "{}",
            said.stdout
        );
        assert!(
            said.stdout.contains("50-circle.conf: Too many levels"),
            "{}",
            said.stdout
        );
        answers_alike(&machine, &file);

        let before = machine.manifest();
        unpack(&file, Path::new(&place.path("")));
        answers_alike(&machine, &place.path("hftune-capture"));
        assert_eq!(machine.manifest(), before, "a question changes nothing");
    }
}

#[test]
fn after_a_setup_the_choices_and_the_refusals_are_known() {
    let machine = Machine::debian();
    let place = Place::new();
    let file = place.path("machine.tgz");
    machine
        .run(&["setup", "--yes", "--housekeeping", "0-2"])
        .expect(4);
    capture(&machine, &file);
    answers_alike(&machine, &file);
    let cpus = hftune(&["plan", "--from", &file, "--json"]).json()["cpus"].take();
    assert_eq!(
        cpus["housekeeping"], "0-2",
        "the choice of that setup is in force"
    );
    // What the setup holds and another profile does not want is known from its journal.
    let other = place.path("other.toml");
    fs::write(
        &other,
        "[limits]\nmemlock = \"keep\"\n[thp]\nenabled = \"keep\"\ndefrag = \"keep\"\n",
    )
    .expect("profile");
    let changes = |answer: Answer| answer.expect(3).json()["changes"].take();
    let on_machine = changes(machine.run(&["plan", "--json", "--profile", &other]));
    let from_file = changes(hftune(&[
        "plan",
        "--json",
        "--profile",
        &other,
        "--from",
        &file,
    ]));
    assert_eq!(from_file, on_machine);
    assert!(
        on_machine.to_string().contains("as it was before hftune"),
        "{on_machine}"
    );
}

#[test]
fn a_profile_of_the_captured_machine_is_not_looked_for_here() {
    let machine = Machine::debian();
    let place = Place::new();
    let (file, profile) = (place.path("machine.tgz"), place.path("desk.toml"));
    fs::write(
        &profile,
        "name = \"desk\"\n[sysctl]\n\"vm.swappiness\" = 1\n",
    )
    .expect("profile");
    machine
        .run(&["setup", "--yes", "--profile", &profile])
        .expect(4);
    capture(&machine, &file);
    fs::write(
        &profile,
        "name = \"other\"\n[sysctl]\n\"vm.swappiness\" = 9\n",
    )
    .expect("profile");
    let plan = hftune(&["plan", "--from", &file, "--json"]).json();
    assert_eq!(plan["profile"], "desk");
    let plan = hftune(&["plan", "--from", &file, "--profile", &profile, "--json"]).json();
    assert_eq!(
        plan["profile"], "other",
        "one that is given is a file of this machine"
    );
}

/// The running machine, whichever it is: processes and counts change while it is read, and nothing else does.
#[test]
fn this_machine_is_captured_as_it_is() {
    let place = Place::new();
    let file = place.path("here.tgz");
    let steady = |mut host: Value| {
        host["tasks"].take();
        host["memory"]["available"].take();
        for node in host["nodes"].as_array_mut().into_iter().flatten() {
            node.as_object_mut().map(|node| node.remove("memory_free"));
        }
        for irq in host["irqs"]["list"].as_array_mut().into_iter().flatten() {
            irq["count"].take();
        }
        for nic in host["nics"].as_array_mut().into_iter().flatten() {
            nic["drops"].take();
            // No capture holds addresses and sessions.
            nic["carries"].take();
        }
        host
    };
    let before = steady(hftune(&["host", "--json"]).expect(0).json());
    hftune(&["host", "--capture", &file]).expect(0);
    let from_file = steady(
        hftune(&["host", "--json", "--from", &file])
            .expect(0)
            .json(),
    );
    assert_eq!(from_file, before);
    assert!(
        before["irqs"].is_object() && before["memory"].is_object(),
        "the names are right"
    );
}

#[test]
fn the_file_is_private_and_an_old_one_is_kept() {
    let machine = Machine::debian();
    let place = Place::new();
    let file = place.path("machine.tgz");
    fs::write(&file, "mine").expect("file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("mode");
    let refused = machine.run(&["host", "--capture", &file]).expect(1);
    assert!(
        refused.stderr.contains(&file) && refused.stderr.contains("--force"),
        "{}",
        refused.stderr
    );
    assert_eq!(fs::read(&file).expect("file"), b"mine");

    let report = machine
        .run(&["host", "--capture", &file, "--force", "--json"])
        .expect(0)
        .json();
    let metadata = fs::metadata(&file).expect("file");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(report["schema"], "hftune/captured/1");
    assert_eq!(report["bytes"], metadata.len());
    assert!(report["files"].as_u64() > Some(50), "{report}");
    assert_eq!(
        fs::read_dir(place.path("")).expect("list").count(),
        1,
        "nothing else is left"
    );

    let link = place.path("link.tgz");
    symlink("machine.tgz", &link).expect("link");
    machine
        .run(&["host", "--capture", &link, "--force"])
        .expect(1);
    machine
        .run(&["host", "--capture", &place.path("no/where.tgz")])
        .expect(1);
}

#[test]
fn the_command_line_names_one_machine() {
    let machine = Machine::debian();
    let place = Place::new();
    let file = place.path("machine.tgz");
    capture(&machine, &file);
    for args in [
        &["plan", "--from", &file][..],
        &["irq", "show", "--from", &file],
        &["setup", "--yes", "--from", &file],
        &["rollback", "--yes", "--from", &file],
        &["irq", "apply", "--from", &file],
        &["host", "--capture", "x.tgz", "--from", &file],
        &["host", "--force"],
    ] {
        let answer = machine.run(args).expect(2);
        assert!(answer.stdout.is_empty() && !answer.stderr.is_empty());
    }
}

const SECRETS: [&str; 8] = [
    "CANARYarg",
    "CANARYiscsi",
    "CANARYurl",
    "CANARYgrub",
    "CANARYhash",
    "CANARYfastopen",
    "CANARYold",
    "CANARYlimit",
];

#[test]
fn no_secret_is_in_a_capture_and_the_plan_is_the_same() {
    let machine = Machine::debian();
    let place = Place::new();
    let file = place.path("machine.tgz");
    let args = "rd.iscsi.password=CANARYarg netroot=iscsi:me:CANARYiscsi@10.0.0.1::: inst.ks=http://a:CANARYurl@h/k";
    let add = |path: &str, what: &str| machine.file(path, &format!("{}{what}", machine.read(path)));
    machine.file(
        "/proc/cmdline",
        &format!("{} {args}\n", machine.read("/proc/cmdline").trim_end()),
    );
    let default = machine.read("/etc/default/grub");
    machine.file(
        "/etc/default/grub",
        &default.replace(
            "GRUB_CMDLINE_LINUX=\"",
            &format!("GRUB_CMDLINE_LINUX=\"{args} "),
        ),
    );
    assert_ne!(machine.read("/etc/default/grub"), default);
    let grub = machine.read("/boot/grub/grub.cfg");
    machine.file(
        "/boot/grub/grub.cfg",
        &grub.replace(" ro ", &format!(" ro {args} ")),
    );
    assert_ne!(machine.read("/boot/grub/grub.cfg"), grub);
    add(
        "/boot/grub/grub.cfg",
        "set superusers=root\npassword root CANARYgrub\npassword_pbkdf2 root grub.pbkdf2.sha512.1.CANARYhash\n",
    );
    machine.file(
        "/etc/sysctl.d/50-site.conf",
        "net.ipv4.tcp_fastopen_key = CANARYfastopen\nvm.swappiness = 9\n",
    );
    machine.file(
        "/etc/security/limits.d/50-site.conf",
        "# password: CANARYlimit\n* - nofile 1024\n",
    );
    // What the journal keeps of old files.
    machine.file("/etc/sysctl.d/99-hft.conf", "# CANARYold\n");
    machine.run(&["setup", "--yes"]).expect(4);
    let journal = machine.path("/var/lib/hftune/transactions");
    let records = fs::read_dir(journal)
        .expect("journal")
        .next()
        .expect("one")
        .expect("one");
    assert!(
        fs::read_to_string(records.path())
            .expect("text")
            .contains("CANARYold")
    );

    let report = machine
        .run(&["host", "--capture", &file, "--json"])
        .expect(0)
        .json();
    for blanked in [
        "/proc/cmdline: rd.iscsi.password",
        "/boot/grub/grub.cfg: password",
    ] {
        assert!(
            report["blanked"]
                .as_array()
                .expect("list")
                .iter()
                .any(|b| b == blanked),
            "{report}"
        );
    }
    let bytes = unpack(&file, Path::new(&place.path("")));
    for secret in SECRETS {
        let found = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is in the capture");
    }
    assert!(
        place_of(&place, "/boot/grub/grub.cfg")
            .contains("set superusers=root\npassword xxxx xxxxxxxxxx\n")
    );
    // Blanked arguments are shown where boot files are compared, so that only the verdicts can be.
    let verdicts = |answer: &Answer| -> Vec<String> {
        let json = answer.json();
        let settings = json["settings"].as_array().expect("settings");
        settings
            .iter()
            .map(|s| format!("{} {}", s["id"], s["verdict"]))
            .collect()
    };
    let on_machine = machine.run(&["verify", "--json"]);
    assert_eq!(
        verdicts(&hftune(&["verify", "--json", "--from", &file])),
        verdicts(&on_machine)
    );
    let changes = |answer: &Answer| answer.json()["changes"].clone();
    let from_file = hftune(&["plan", "--json", "--from", &file]);
    assert_eq!(
        changes(&from_file),
        changes(&machine.run(&["plan", "--json"]))
    );
}

/// The text of a file in an unpacked capture.
fn place_of(place: &Place, path: &str) -> String {
    fs::read_to_string(place.path(&format!("hftune-capture{path}"))).expect("file")
}

#[test]
fn archives_that_do_harm_are_refused() {
    let place = Place::new();
    let outside = place.path("outside");
    let file = place.path("evil.tgz");
    let member = |kind: tar::EntryType, name: &str, link: &str, size: u64| {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(size);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let name = outside.as_str();
    let parent = place.path("");
    for (members, word) in [
        (vec![member(Regular, name, "", 0)], "absolute"),
        (
            vec![member(Regular, "proc/../../outside", "", 0)],
            "climbs out",
        ),
        (
            vec![member(Link, "proc/cmdline", "/etc/passwd", 0)],
            "hard link",
        ),
        (vec![member(Fifo, "proc/cmdline", "", 0)], "pipe"),
        (
            vec![
                member(Symlink, "proc", &parent, 0),
                member(Regular, "proc/outside", "", 0),
            ],
            "symbolic link",
        ),
        (vec![member(Regular, "proc/zeros", "", 64 << 30)], "bytes"),
        (vec![b"no tar".repeat(200)], "cannot be unpacked"),
        (vec![], "holds nothing"),
    ] {
        let mut bytes = members.concat();
        bytes.extend([0; 1024]);
        fs::write(&file, bytes).expect("write");
        for command in ["host", "plan", "verify"] {
            let answer = hftune(&[command, "--from", &file]).expect(1);
            assert!(answer.stdout.is_empty());
            assert!(
                answer.stderr.contains(word) && answer.stderr.contains(&file),
                "{}",
                answer.stderr
            );
        }
        assert!(!Path::new(&outside).exists());
    }
    hftune(&["plan", "--from", &place.path("missing.tgz")]).expect(1);
    let empty = place.path("empty");
    fs::create_dir(&empty).expect("directory");
    let answer = hftune(&["plan", "--from", &empty]).expect(1);
    assert!(
        answer.stderr.contains("no captured machine"),
        "{}",
        answer.stderr
    );
    fs::write(place.path("empty/hftune-capture.json"), "{\"schema\": 1}").expect("write");
    let answer = hftune(&["plan", "--from", &empty]).expect(1);
    assert!(
        answer.stderr.contains("hftune-capture.json"),
        "{}",
        answer.stderr
    );
}

#[test]
fn links_of_a_captured_tree_lead_nowhere_outside() {
    let place = Place::new();
    fs::write(place.path("outside"), "CONFIDENTIAL=1\n").expect("write");
    let machine = Machine::debian();
    machine.remove("/proc/cmdline");
    symlink(place.path("outside"), machine.path("/proc/cmdline")).expect("link");
    machine.remove("/proc/sys/vm/swappiness");
    let climb = format!("{}{}", "../".repeat(20), place.path("outside"));
    symlink(climb, machine.path("/proc/sys/vm/swappiness")).expect("link");
    let dir = machine.root().to_str().expect("text");
    // As a tar with its links, and as a directory.
    let mut tar = tar::Builder::new(Vec::new());
    tar.follow_symlinks(false);
    tar.append_dir_all(".", dir).expect("tar");
    let file = place.path("links.tar");
    fs::write(&file, tar.into_inner().expect("tar")).expect("write");
    for from in [dir, &file] {
        for command in ["host", "plan", "verify"] {
            let answer = hftune(&[command, "--json", "--from", from]);
            assert!(
                !answer.stdout.contains("CONFIDENTIAL") && !answer.stderr.contains("CONFIDENTIAL")
            );
            answer.json();
        }
    }
}

/// Files that decide what is planned, each of which may be anything.
const DECIDING: [&str; 12] = [
    "/sys/devices/system/cpu/online",
    "/sys/devices/system/cpu/present",
    "/sys/devices/system/cpu/isolated",
    "/sys/devices/system/cpu/cpu3/topology/core_cpus_list",
    "/sys/devices/system/cpu/cpu3/topology/thread_siblings_list",
    "/sys/devices/system/node/node0/cpulist",
    "/proc/interrupts",
    "/proc/irq/30/smp_affinity_list",
    "/proc/cmdline",
    "/proc/meminfo",
    "/proc/sys/vm/swappiness",
    "/etc/default/grub",
];

/// What may be in the place of a file; `None` for nothing, and a link to itself for what cannot be read.
const CONTENTS: [Option<&[u8]>; 9] = [
    None,
    Some(b""),
    Some(b"\n"),
    Some(b"(null)\n"),
    Some(b"-1\n"),
    Some(b"4096-8191,0-999999999\n"),
    Some(b"\xff\xfe\0\x80binary\0"),
    Some(b"7-0,,3-\n"),
    Some(b"circle"),
];

/// A link to itself, which root cannot read either.
fn circle(at: &Path) {
    symlink(at.file_name().expect("a name"), at).expect("link");
}

/// `plan` and `verify` of a tree: an answer whatever is in it, and never a split that contradicts itself.
#[track_caller]
fn is_answered(from: &str, what: &str) -> Value {
    let plan = hftune(&["plan", "--json", "--from", from]);
    assert!(matches!(plan.code, 0 | 3), "{what}: {}", plan.stderr);
    let plan = plan.json();
    let list = |name: &str| plan["cpus"][name].as_str().unwrap_or_default().to_owned();
    let (housekeeping, isolated) = (cpus(&list("housekeeping")), cpus(&list("isolated")));
    assert!(
        housekeeping.iter().all(|cpu| !isolated.contains(cpu)),
        "{what}: {plan}"
    );
    assert!(
        isolated.is_empty() || !housekeeping.is_empty(),
        "{what}: {plan}"
    );
    assert!(
        plan["cpus"]["why"]
            .as_str()
            .is_some_and(|why| !why.is_empty()),
        "{what}"
    );
    let verify = hftune(&["verify", "--json", "--from", from]);
    assert!(
        matches!(verify.code, 0 | 3 | 4),
        "{what}: {}",
        verify.stderr
    );
    verify.json()
}

fn cpus(list: &str) -> Vec<u32> {
    let list: hftune_model::CpuSet = list.parse().expect("a list");
    list.iter().collect()
}

/// Puts `content` in the place of a file.
fn replace(machine: &Machine, path: &str, content: Option<&[u8]>) {
    let at: PathBuf = machine.path(path);
    let _ = fs::remove_file(&at);
    match content {
        None => {}
        Some(b"circle") => circle(&at),
        Some(bytes) => fs::write(&at, bytes).expect("write"),
    }
}

#[test]
fn whatever_a_file_holds_there_is_an_answer() {
    let place = Place::new();
    let file = place.path("machine.tgz");
    let is_answered_alike = |machine: &Machine, what: &str| {
        let from_tree = is_answered(machine.root().to_str().expect("text"), what);
        machine
            .run(&["host", "--capture", &file, "--force"])
            .expect(0);
        let from_file = is_answered(&file, what);
        assert_eq!(from_file["summary"], from_tree["summary"], "{what}");
    };
    for content in CONTENTS {
        let machine = Machine::debian();
        for path in DECIDING {
            replace(&machine, path, content);
        }
        is_answered_alike(
            &machine,
            &format!("all is {:?}", content.map(String::from_utf8_lossy)),
        );
    }
    for path in DECIDING {
        let machine = Machine::debian();
        for content in [Some(&b"4096-8191,0-999999999\n"[..]), Some(b"circle")] {
            replace(&machine, path, content);
            is_answered_alike(&machine, path);
        }
    }
}

#[test]
fn what_is_unknown_is_said_to_be_unknown() {
    let machine = Machine::debian();
    for path in [
        "/proc/sys/vm/swappiness",
        "/sys/devices/system/cpu/isolated",
    ] {
        let at = machine.path(path);
        fs::remove_file(&at).expect("file");
        circle(&at);
    }
    let verify = is_answered(machine.root().to_str().expect("text"), "unreadable");
    let settings = verify["settings"].as_array().expect("settings");
    for id in ["sysctl/vm.swappiness", "boot/isolcpus"] {
        let setting = settings.iter().find(|s| s["id"] == id).expect(id);
        assert_ne!(setting["verdict"], "ok", "{setting}");
        let effect = &setting["effect"];
        assert!(effect.is_null(), "{setting}");
    }
    let empty = Place::new();
    fs::create_dir(empty.path("proc")).expect("directory");
    let verify = is_answered(&empty.path(""), "an empty machine");
    let passed = &verify["summary"]["ok"];
    assert!(
        passed.is_null() || *passed == 0,
        "nothing is known of it: {verify}"
    );
}

#[test]
fn recorded_machines_are_planned_as_they_are() {
    let Some(folder) = std::env::var_os("HFTUNE_SNAPSHOTS") else {
        println!("skipped: HFTUNE_SNAPSHOTS does not name the folder of recorded machines");
        return;
    };
    let mut seen = 0;
    for entry in fs::read_dir(Path::new(&folder).join("sysinfo")).expect("sysinfo") {
        let file = entry.expect("entry").path();
        let file = file.to_str().expect("text");
        let plan = hftune(&["plan", "--json", "--from", file]).expect(3).json();
        assert_ne!(plan["cpus"]["housekeeping"], "", "{file}");
        assert_ne!(plan["cpus"]["isolated"], "", "{file}");
        is_answered(file, file);
        let irqs = hftune(&["irq", "show", "--json", "--from", file])
            .expect(0)
            .json();
        assert!(irqs.to_string().len() > 1000, "{file}: {irqs}");
        seen += 1;
    }
    assert!(seen > 0, "no recorded machine in {}", folder.display());
}
