//! The domain on whole machines: Debian, RHEL 9, RHEL 8, ostree, with what administrators leave in the files.

mod images;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hftune_model::cpu_plan::CpuPlan;
use hftune_model::finding::{Finding, Proof, Verdict};
use hftune_model::host::{BootKind, Host, Task};
use hftune_model::profile::{BootValue, Profile};
use hftune_model::setting::Artifact;
use hftune_sys::{Reader, Root};

use super::{Boot, shell};
use crate::{Context, Desired, Domain};

const DEBIAN_CFG: &str = include_str!("grub_cfg/debian.cfg");
const OURS: &str = "irqaffinity=0-1 isolcpus=managed_irq,domain,2-7 nohz_full=2-7";

/// A machine of text files.
struct Machine {
    host: Host,
    profile: Profile,
    cpus: CpuPlan,
}

impl Machine {
    fn new(kind: BootKind, files: &[(&str, &str)]) -> Self {
        let mut host = Host::default();
        host.boot_loader.kind = kind;
        host.boot_loader.files = files
            .iter()
            .map(|(path, text)| (PathBuf::from(path), (*text).to_owned()))
            .collect();
        let text = |value: &str| BootValue::Text(value.to_owned());
        let boot = [
            ("isolcpus", text("managed_irq,domain,{isolated}")),
            ("nohz_full", text("{isolated}")),
            ("irqaffinity", text("{housekeeping}")),
            ("quiet", BootValue::Flag(false)),
        ];
        Self {
            host,
            profile: Profile {
                boot: boot.map(|(name, value)| (name.to_owned(), value)).into(),
                ..Profile::default()
            },
            cpus: CpuPlan {
                housekeeping: "0-1".parse().unwrap(),
                isolated: "2-7".parse().unwrap(),
                ..CpuPlan::default()
            },
        }
    }

    fn cx(&self) -> Context<'_> {
        Context {
            host: &self.host,
            profile: &self.profile,
            cpus: &self.cpus,
            binary: Path::new("/usr/bin/hftune"),
            force: false,
        }
    }

    fn desire(&self) -> Desired {
        Boot.desire(&self.cx())
    }

    /// What the engine would do.
    fn set_up(&mut self) -> Desired {
        let desired = self.desire();
        if let Some(setting) = desired.settings.first() {
            for artifact in &setting.artifacts {
                let files = &mut self.host.boot_loader.files;
                match artifact {
                    Artifact::File { path, content, .. } => {
                        files.insert(path.clone(), content.clone());
                    }
                    Artifact::Variable { path, name, value } => {
                        let value = super::grubenv::escape(value);
                        let block = super::grubenv::set(&files[path], name, &value).unwrap();
                        files.insert(path.clone(), block);
                    }
                    _ => {}
                }
            }
        }
        desired
    }

    fn file(&self, path: &str) -> &str {
        &self.host.boot_loader.files[Path::new(path)]
    }

    fn put(&mut self, path: &str, text: &str) {
        let files = &mut self.host.boot_loader.files;
        files.insert(path.into(), text.to_owned());
    }

    fn drop(&mut self, path: &str) {
        self.host.boot_loader.files.remove(Path::new(path));
    }

    /// The verdicts over a tree that holds the boot files and these kernel files.
    fn verify(&self, kernel: &[(&str, &str)]) -> BTreeMap<String, Finding> {
        let dir = tempfile::tempdir().unwrap();
        let boot = self
            .host
            .boot_loader
            .files
            .iter()
            .map(|(path, text)| (path.as_path(), text.as_str()));
        for (path, text) in boot.chain(kernel.iter().map(|(path, text)| (Path::new(path), *text))) {
            let path = dir.path().join(path.strip_prefix("/").unwrap());
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            shell::write(&path, text);
        }
        let root = Root::tree(dir.path()).unwrap();
        let reader = Reader::new(&root);
        let prove = |setting| {
            let proofs = Boot.prove(setting, &self.cx(), &reader).unwrap();
            (setting.id.clone(), Finding::judge(setting, proofs))
        };
        self.desire().settings.iter().map(prove).collect()
    }
}

fn ids(desired: &Desired) -> Vec<&str> {
    desired
        .settings
        .iter()
        .map(|setting| setting.id.as_str())
        .collect()
}

fn stale(desired: &Desired) -> Option<bool> {
    desired
        .settings
        .first()?
        .artifacts
        .iter()
        .find_map(|artifact| match artifact {
            Artifact::Made { stale, .. } => Some(*stale),
            _ => None,
        })
}

fn debian() -> Machine {
    Machine::new(
        BootKind::GrubMkconfig,
        &[
            (
                "/etc/default/grub",
                "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"\"\n",
            ),
            ("/boot/grub/grub.cfg", DEBIAN_CFG),
        ],
    )
}

const BOOTED: [(&str, &str); 4] = [
    (
        "/proc/cmdline",
        "BOOT_IMAGE=/vmlinuz ro isolcpus=managed_irq,domain,2-7 nohz_full=2-7 irqaffinity=0-1\n",
    ),
    ("/sys/devices/system/cpu/isolated", "2-7\n"),
    ("/sys/devices/system/cpu/nohz_full", "2-7\n"),
    ("/proc/irq/default_smp_affinity", "03\n"),
];

const STOCK: [(&str, &str); 4] = [
    ("/proc/cmdline", "BOOT_IMAGE=/vmlinuz ro\n"),
    ("/sys/devices/system/cpu/isolated", "\n"),
    ("/sys/devices/system/cpu/nohz_full", "(null)\n"),
    ("/proc/irq/default_smp_affinity", "ff\n"),
];

/// What update-grub would make of the drop-in.
fn update_grub(machine: &mut Machine) {
    let value = shell::value(
        &[
            machine.file("/etc/default/grub"),
            machine.file("/etc/default/grub.d/99-hft.cfg"),
        ],
        "GRUB_CMDLINE_LINUX_DEFAULT",
    )
    .unwrap();
    let made = DEBIAN_CFG.replace("ro  quiet", &format!("ro  {value}"));
    if let Some(takes) = shell::grub_takes(&made) {
        assert!(takes);
    }
    machine
        .host
        .boot_loader
        .files
        .insert("/boot/grub/grub.cfg".into(), made);
}

#[test]
fn debian_from_stock_to_booted() {
    let mut machine = debian();
    let desired = machine.set_up();
    assert_eq!(
        ids(&desired),
        ["boot/irqaffinity", "boot/isolcpus", "boot/nohz_full"]
    );
    assert_eq!(desired.settings[1].desired, "managed_irq,domain,2-7");
    assert_eq!(stale(&desired), Some(true));
    assert!(desired.skipped.is_empty() && desired.warnings.is_empty());
    assert!(
        machine
            .file("/etc/default/grub.d/99-hft.cfg")
            .contains(&format!("DEFAULT {OURS}\"\n"))
    );

    // The program has not run: the entries lack it, and that is what is said.
    let isolcpus = &machine.verify(&STOCK)["boot/isolcpus"];
    assert_eq!(isolcpus.verdict, Verdict::Wrong);
    assert!(
        isolcpus
            .reason
            .contains("the entry lacks it: /boot/grub/grub.cfg:17"),
        "{}",
        isolcpus.reason
    );

    update_grub(&mut machine);
    assert_eq!(stale(&machine.desire()), Some(false));
    assert_eq!(
        machine.desire().settings[0].artifacts[0],
        desired.settings[0].artifacts[0]
    );
    for finding in machine.verify(&STOCK).values() {
        assert_eq!(finding.verdict, Verdict::RebootPending, "{finding:?}");
    }
    for finding in machine.verify(&BOOTED).values() {
        assert_eq!(finding.verdict, Verdict::Ok, "{finding:?}");
    }
}

/// What becomes of a menu where no program can be started.
fn in_tree(machine: &Machine, menu: &str) -> String {
    let mut machine = Machine {
        host: machine.host.clone(),
        profile: machine.profile.clone(),
        cpus: machine.cpus.clone(),
    };
    let files = &mut machine.host.boot_loader.files;
    files.insert("/boot/grub/grub.cfg".into(), menu.to_owned());
    let desired = machine.desire();
    let made = desired.settings[0]
        .artifacts
        .iter()
        .find_map(|artifact| match artifact {
            Artifact::Made { in_tree, .. } => Some(in_tree[0].1.clone()),
            _ => None,
        });
    made.expect("update-grub runs")
}

#[test]
fn what_debians_own_script_makes_of_it_is_understood() {
    let mut machine = debian();
    machine.set_up();
    let Some(menu) = shell::debian_menu(
        machine.file("/etc/default/grub"),
        machine.file("/etc/default/grub.d/99-hft.cfg"),
    ) else {
        eprintln!("skipped: grub-common is not installed");
        return;
    };
    if let Some(takes) = shell::grub_takes(&menu) {
        assert!(takes, "{menu}");
    }
    let recovery: Vec<bool> = super::grub_cfg::entries(&menu)
        .iter()
        .map(|entry| entry.recovery)
        .collect();
    assert_eq!(recovery, [false, false, true], "{menu}");
    assert_eq!(
        menu.matches("nohz_full=2-7").count(),
        2,
        "the recovery entry is left alone"
    );
    // Where no program can be started, hftune makes the same of the stock menu.
    let stock = shell::debian_menu(machine.file("/etc/default/grub"), "").expect("as above");
    let by_hand = in_tree(&machine, &stock);
    assert_eq!(by_hand, menu);
    // And back.
    machine.cpus.isolated = "4-7".parse().unwrap();
    let other = in_tree(&machine, &menu);
    assert_eq!(other, menu.replace("2-7", "4-7"));
    machine.cpus.isolated = "2-7".parse().unwrap();
    machine
        .host
        .boot_loader
        .files
        .insert("/boot/grub/grub.cfg".into(), menu);
    assert_eq!(stale(&machine.desire()), Some(false));
    for finding in machine.verify(&BOOTED).values() {
        assert_eq!(finding.verdict, Verdict::Ok, "{finding:?}");
    }
}

#[test]
fn a_stock_machine_has_nothing_saved() {
    let isolcpus = &debian().verify(&STOCK)["boot/isolcpus"];
    assert_eq!(
        (isolcpus.verdict, isolcpus.reason.as_str()),
        (Verdict::Wrong, "saved, live, effect: not set")
    );
}

#[test]
fn an_argument_of_the_administrator_that_wins_is_named() {
    let mut machine = debian();
    let own = "# mine\nGRUB_CMDLINE_LINUX=\"isolcpus=4-7 nohz_full=2,3-7\"\n";
    machine
        .host
        .boot_loader
        .files
        .insert("/etc/default/grub".into(), own.to_owned());
    let desired = machine.set_up();
    assert_eq!(ids(&desired), ["boot/nohz_full", "boot/irqaffinity"]);
    let skipped = &desired.skipped[0];
    assert_eq!(
        (skipped.id.as_str(), skipped.verdict),
        ("boot/isolcpus", Verdict::Overridden)
    );
    assert!(
        skipped
            .reason
            .starts_with("isolcpus=4-7 at /etc/default/grub:2"),
        "{}",
        skipped.reason
    );
    assert!(
        skipped
            .fix
            .as_ref()
            .unwrap()
            .contains("take isolcpus=4-7 out of /etc/default/grub:2")
    );
    // The same CPUs are there already: not written twice.
    assert!(
        machine
            .file("/etc/default/grub.d/99-hft.cfg")
            .ends_with("_DEFAULT irqaffinity=0-1\"\n")
    );
}

#[test]
fn a_later_file_that_drops_ours_is_named() {
    let mut machine = debian();
    machine.host.boot_loader.files.insert(
        "/etc/default/grub.d/99-zz.cfg".into(),
        "GRUB_CMDLINE_LINUX_DEFAULT=quiet\n".to_owned(),
    );
    let desired = machine.set_up();
    assert!(desired.warnings[0].contains("/etc/default/grub.d/99-zz.cfg:1"));
    assert_eq!(stale(&desired), Some(false));
    let isolcpus = &machine.verify(&STOCK)["boot/isolcpus"];
    assert_eq!(isolcpus.verdict, Verdict::Overridden);
    assert!(isolcpus.reason.contains("99-zz.cfg:1"));
}

const ENTRY: &str = "/boot/loader/entries/0123-5.14.conf";
const RESCUE: &str = "/boot/loader/entries/0123-0-rescue.conf";
const RHEL: [(&str, &str); 4] = [
    (
        ENTRY,
        "title RHEL\nlinux /vmlinuz-5.14\noptions root=/dev/sda ro crashkernel=1G $tuned_params\n",
    ),
    (
        RESCUE,
        "title RHEL (0-rescue-0123)\nlinux /vmlinuz-0-rescue\noptions root=/dev/sda ro\n",
    ),
    ("/etc/kernel/cmdline", "root=/dev/sda ro crashkernel=1G\n"),
    (
        "/etc/default/grub",
        "GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX=\"crashkernel=1G\"\n",
    ),
];

#[test]
fn rhel_from_stock_to_a_changed_profile_and_back() {
    let mut machine = Machine::new(BootKind::Bls, &RHEL);
    let desired = machine.set_up();
    assert_eq!(desired.settings.len(), 3);
    assert!(
        desired.skipped.is_empty() && desired.warnings.is_empty(),
        "{desired:?}"
    );
    assert_eq!(
        machine.file(ENTRY),
        RHEL[0].1.replace("=1G $", &format!("=1G {OURS} $")),
        "before $tuned_params, since the first isolcpus= wins"
    );
    assert_eq!(machine.file(RESCUE), RHEL[1].1);
    assert_eq!(
        machine.file("/etc/kernel/cmdline"),
        format!("root=/dev/sda ro crashkernel=1G {OURS}\n")
    );
    assert_eq!(
        shell::value(&[machine.file("/etc/default/grub")], "GRUB_CMDLINE_LINUX").unwrap(),
        format!("crashkernel=1G {OURS}")
    );
    assert_eq!(
        machine.file("/var/lib/hftune/boot-arguments"),
        format!("{OURS}\n")
    );
    let order: Vec<_> = desired.settings[0]
        .artifacts
        .iter()
        .map(Artifact::target)
        .collect();
    assert!(order[0].ends_with("boot-arguments"));
    let at = |name: &str| {
        order
            .iter()
            .position(|target| target.ends_with(name))
            .unwrap()
    };
    assert!(at("/etc/default/grub") < at("/etc/kernel/cmdline"));

    for finding in machine.verify(&STOCK).values() {
        assert_eq!(finding.verdict, Verdict::RebootPending, "{finding:?}");
    }
    for finding in machine.verify(&BOOTED).values() {
        assert_eq!(finding.verdict, Verdict::Ok, "{finding:?}");
    }
    // A second time changes nothing.
    let before = machine.host.boot_loader.files.clone();
    machine.set_up();
    assert_eq!(machine.host.boot_loader.files, before);

    // A changed profile replaces ours and keeps what the administrator added since.
    let entry = machine
        .file(ENTRY)
        .replace("ro crash", "ro mitigations=off crash");
    machine.host.boot_loader.files.insert(ENTRY.into(), entry);
    machine.cpus.isolated = "4-7".parse().unwrap();
    machine.cpus.housekeeping = "0-3".parse().unwrap();
    machine.set_up();
    assert_eq!(
        machine.file(ENTRY).lines().last().unwrap(),
        "options root=/dev/sda ro mitigations=off crashkernel=1G irqaffinity=0-3 \
         isolcpus=managed_irq,domain,4-7 nohz_full=4-7 $tuned_params"
    );
    assert!(!machine.file("/etc/kernel/cmdline").contains("2-7"));
    assert!(!machine.file("/etc/default/grub").contains("2-7"));

    // A new kernel's entry without them is found.
    machine.host.boot_loader.files.insert(
        "/boot/loader/entries/0123-5.15.conf".into(),
        "linux /vmlinuz-5.15\noptions root=/dev/sda\n".to_owned(),
    );
    let reason = machine.verify(&STOCK)["boot/nohz_full"].reason.clone();
    assert!(
        reason.contains("the entry lacks it: /boot/loader/entries/0123-5.15.conf:2"),
        "{reason}"
    );
}

#[test]
fn rhel_8_keeps_its_arguments_in_the_environment_block() {
    let block = format!(
        "{:#<1024}",
        "# GRUB Environment Block\nsaved_entry=x\nkernelopts=root=/dev/sda ro\n"
    );
    let mut machine = Machine::new(
        BootKind::Bls,
        &[
            (
                ENTRY,
                "linux /vmlinuz-4.18\noptions $kernelopts $tuned_params\n",
            ),
            ("/boot/grub2/grubenv", &block),
        ],
    );
    let desired = machine.set_up();
    assert!(desired.skipped.is_empty(), "{:?}", desired.skipped);
    let edited = machine.file("/boot/grub2/grubenv");
    assert_eq!(edited.len(), 1024);
    assert!(edited.contains(&format!("kernelopts=root=/dev/sda ro {OURS}\n###")));
    for finding in machine.verify(&BOOTED).values() {
        assert_eq!(finding.verdict, Verdict::Ok, "{finding:?}");
    }
    // A full block is refused, and nothing else is written.
    let full = format!(
        "{:#<1024}",
        format!(
            "# GRUB Environment Block\nkernelopts=root=/dev/sda {}\n",
            "x".repeat(950)
        )
    );
    machine
        .host
        .boot_loader
        .files
        .remove(Path::new("/var/lib/hftune/boot-arguments"));
    machine
        .host
        .boot_loader
        .files
        .insert("/boot/grub2/grubenv".into(), full);
    let desired = machine.desire();
    assert!(desired.settings.is_empty());
    assert_eq!(desired.skipped[0].id, "boot/boot/grub2/grubenv");
    assert!(
        desired
            .skipped
            .iter()
            .all(|s| s.verdict == Verdict::NotPermitted)
    );
}

#[test]
fn a_file_that_cannot_be_edited_is_named_and_the_rest_goes_on() {
    let mut machine = Machine::new(BootKind::Bls, &RHEL);
    machine.host.boot_loader.files.insert(
        "/etc/default/grub".into(),
        "A=1\nGRUB_CMDLINE_LINUX=\"$(cat /x)\"\n".to_owned(),
    );
    let desired = machine.set_up();
    assert_eq!(desired.settings.len(), 3);
    assert_eq!(desired.skipped[0].id, "boot/etc/default/grub");
    assert!(
        desired.skipped[0]
            .reason
            .starts_with("/etc/default/grub:2: "),
        "{}",
        desired.skipped[0].reason
    );
    assert!(desired.skipped[0].fix.is_some());
    assert!(machine.file(ENTRY).contains("isolcpus="));
    assert!(machine.file("/etc/default/grub").ends_with("$(cat /x)\"\n"));
}

#[test]
fn a_conflict_on_rhel_names_every_place() {
    let mut machine = Machine::new(BootKind::Bls, &RHEL);
    for path in [ENTRY, "/etc/kernel/cmdline"] {
        let text = machine
            .file(path)
            .replace("ro crash", "ro isolcpus=6-7 crash");
        machine.host.boot_loader.files.insert(path.into(), text);
    }
    let desired = machine.desire();
    let skipped = &desired.skipped[0];
    assert_eq!(skipped.verdict, Verdict::Overridden);
    assert!(
        skipped
            .reason
            .contains(&format!("isolcpus=6-7 at {ENTRY}:3")),
        "{}",
        skipped.reason
    );
    assert!(
        skipped
            .reason
            .contains("isolcpus=6-7 at /etc/kernel/cmdline:1")
    );
    assert_eq!(ids(&desired), ["boot/irqaffinity", "boot/nohz_full"]);
}

#[test]
fn a_command_line_that_is_too_long_is_refused() {
    let long = format!(
        "linux /vmlinuz\noptions root=/dev/sda {}\n",
        "x".repeat(2000)
    );
    let desired = Machine::new(BootKind::Bls, &[(ENTRY, &long)]).desire();
    assert!(desired.settings.is_empty());
    assert!(
        desired.skipped[0].reason.contains("the kernel takes 2047"),
        "{}",
        desired.skipped[0].reason
    );
}

#[test]
fn what_does_not_apply_says_why() {
    let mut machine = debian();
    machine
        .host
        .kernel
        .config
        .insert("NO_HZ_FULL".to_owned(), false);
    machine.profile.boot.insert(
        "dyndbg".to_owned(),
        BootValue::Text("file a.c +p".to_owned()),
    );
    machine
        .profile
        .boot
        .insert("foo".to_owned(), BootValue::Text("{isolatd}".to_owned()));
    let skipped = machine.desire().skipped;
    let shown: Vec<_> = skipped.iter().map(|s| (s.id.as_str(), s.verdict)).collect();
    assert_eq!(
        shown,
        [
            ("boot/dyndbg", Verdict::NotPermitted),
            ("boot/foo", Verdict::NotPermitted),
            ("boot/nohz_full", Verdict::NotApplicable),
        ]
    );
    machine.cpus.isolated = hftune_model::CpuSet::new();
    "it has one CPU".clone_into(&mut machine.cpus.why);
    let desired = machine.desire();
    assert!(
        ids(&desired).is_empty(),
        "no CPU is isolated: no interrupt need go anywhere"
    );
    assert!(
        desired
            .skipped
            .iter()
            .any(|s| s.id == "boot/isolcpus" && s.reason.ends_with("it has one CPU"))
    );
}

#[test]
fn unknown_loaders_get_the_arguments_in_words() {
    let mut machine = Machine::new(BootKind::Unknown, &[]);
    let skipped = machine.desire().skipped;
    assert_eq!(skipped.len(), 3);
    let line = format!("add to the kernel's arguments in the boot loader, then reboot: {OURS}");
    assert_eq!(skipped[0].fix.as_ref(), Some(&line), "once for all of them");
    let others = "see boot/irqaffinity, which has one line for all of them";
    assert!(
        skipped[1..]
            .iter()
            .all(|s| s.fix.as_deref() == Some(others))
    );
    machine.host.kernel.cmdline = OURS.to_owned();
    assert_eq!(machine.desire().skipped, []);
    let isolcpus = &machine.verify(&BOOTED)["boot/isolcpus"];
    assert_eq!(isolcpus.verdict, Verdict::Ok);
    assert!(matches!(isolcpus.saved, Proof::None(_)));
}

#[test]
fn a_process_that_may_still_run_there_is_found() {
    let mut machine = debian();
    machine.set_up();
    update_grub(&mut machine);
    let task = |pid, comm: &str, allowed: &str| Task {
        pid,
        comm: comm.to_owned(),
        allowed: allowed.parse().unwrap(),
        ..Task::default()
    };
    machine.host.tasks = vec![
        task(1, "systemd", "0-1"),
        task(70, "app", "4"),
        task(71, "stray", "0-7"),
    ];
    let isolcpus = &machine.verify(&BOOTED)["boot/isolcpus"];
    assert_eq!(
        isolcpus.effect,
        Proof::Differs("2-7, but 1 task (stray 71) may still run there".to_owned())
    );
    // Before the reboot this says nothing.
    assert_eq!(
        machine.verify(&STOCK)["boot/isolcpus"].verdict,
        Verdict::RebootPending
    );
}

#[test]
fn a_missing_file_is_never_a_pass() {
    let mut machine = debian();
    machine.set_up();
    update_grub(&mut machine);
    let only_cmdline = &BOOTED[..1];
    for finding in machine.verify(only_cmdline).values() {
        assert_eq!(finding.verdict, Verdict::Unknown, "{finding:?}");
    }
    for finding in machine.verify(&[]).values() {
        assert_eq!(finding.verdict, Verdict::Unknown, "{finding:?}");
    }
    machine
        .host
        .boot_loader
        .files
        .remove(Path::new("/boot/grub/grub.cfg"));
    assert_eq!(
        machine.verify(&BOOTED)["boot/isolcpus"].verdict,
        Verdict::Unknown
    );
}

#[test]
fn flags_without_domain_isolate_nothing() {
    let mut machine = Machine::new(BootKind::Unknown, &[]);
    machine.profile.boot = [(
        "isolcpus".to_owned(),
        BootValue::Text("managed_irq,{isolated}".to_owned()),
    )]
    .into();
    machine.host.kernel.cmdline = "isolcpus=managed_irq,2-7".to_owned();
    let kernel = [
        ("/proc/cmdline", "isolcpus=managed_irq,2-7\n"),
        ("/sys/devices/system/cpu/isolated", "\n"),
    ];
    let finding = &machine.verify(&kernel)["boot/isolcpus"];
    assert_eq!(finding.effect, Proof::Holds(String::new()));
}

#[test]
fn template_and_staged_are_told_apart() {
    let reason = |drop_from: &str| {
        let mut machine = Machine::new(BootKind::Bls, &RHEL);
        machine.set_up();
        let text = machine.file(drop_from).replace(" nohz_full=2-7", "");
        machine.put(drop_from, &text);
        machine.verify(&BOOTED)["boot/nohz_full"].reason.clone()
    };
    assert_eq!(
        reason("/etc/kernel/cmdline"),
        "saved: the next kernel will lack it: /etc/kernel/cmdline"
    );
    assert_eq!(
        reason("/etc/default/grub"),
        "saved: the next grub2-mkconfig will lack it: /etc/default/grub"
    );
    assert_eq!(
        reason(ENTRY),
        format!("saved: the entry lacks it: {ENTRY}:3")
    );
}

#[test]
fn a_file_of_another_value_is_told_with_it() {
    let mut machine = Machine::new(BootKind::Bls, &RHEL);
    machine.set_up();
    for path in [ENTRY, "/etc/kernel/cmdline"] {
        let text = machine
            .file(path)
            .replace("irqaffinity=0-1", "irqaffinity=7");
        machine.put(path, &text);
    }
    machine.put("/boot/loader/entries/0123-6.conf", "linux /v\noptions ro\n");
    assert_eq!(
        machine.verify(&BOOTED)["boot/irqaffinity"].reason,
        format!(
            "saved: the entry has 7: {ENTRY}:3, and 1 more of 2 entries differ; the next kernel will get 7: \
             /etc/kernel/cmdline"
        )
    );
}

fn with_tuned(words: &str) -> Machine {
    let mut machine = Machine::new(BootKind::Bls, &RHEL);
    let block = format!(
        "{:#<1024}",
        format!("# GRUB Environment Block\ntuned_params={words}\n")
    );
    machine.put("/boot/grub2/grubenv", &block);
    machine
}

#[test]
fn tuned_s_first_wins_argument_loses_and_that_is_said() {
    let mut machine = with_tuned("skew_tick=1 isolcpus=4-7 nohz_full=2-7");
    let desired = machine.set_up();
    assert!(
        machine
            .file(ENTRY)
            .contains(&format!("{OURS} $tuned_params"))
    );
    assert_eq!(desired.warnings.len(), 1, "{:?}", desired.warnings);
    let remark = "tuned adds isolcpus=4-7 (tuned_params in /boot/grub2/grubenv), but the kernel drops it, since the first \
                  isolcpus= wins; to take it away: tuned-adm off";
    assert!(desired.warnings[0].starts_with(&format!("boot/isolcpus: {remark}")));
    let isolcpus = &machine.verify(&BOOTED)["boot/isolcpus"];
    assert_eq!(isolcpus.verdict, Verdict::Ok);
    assert!(isolcpus.reason.starts_with(remark), "{}", isolcpus.reason);
}

#[test]
fn tuned_s_last_wins_argument_wins_and_the_command_is_named() {
    let mut machine = with_tuned("irqaffinity=0");
    machine.set_up();
    assert!(machine.file(ENTRY).contains("irqaffinity=0-1"));
    let irqaffinity = &machine.verify(&BOOTED)["boot/irqaffinity"];
    assert_eq!(irqaffinity.verdict, Verdict::Overridden);
    assert_eq!(
        irqaffinity.reason,
        "tuned adds irqaffinity=0 (tuned_params in /boot/grub2/grubenv), and the kernel takes the last irqaffinity="
    );
    assert!(
        irqaffinity
            .fix
            .as_ref()
            .unwrap()
            .starts_with("tuned-adm off")
    );
    // An entry without the variable does not get tuned's words.
    let entry = machine.file(ENTRY).replace(" $tuned_params", "");
    machine.put(ENTRY, &entry);
    assert_eq!(
        machine.verify(&BOOTED)["boot/irqaffinity"].verdict,
        Verdict::Ok
    );
}

#[test]
fn what_tuned_keeps_for_later_counts_where_the_block_says_nothing() {
    let mut machine = Machine::new(BootKind::Bls, &RHEL);
    machine.put(
        "/etc/tuned/bootcmdline",
        "# tuned\nTUNED_BOOT_CMDLINE=\"nohz_full=4-7\"\nTUNED_BOOT_INITRD_ADD=\"\"\n",
    );
    let warnings = machine.set_up().warnings;
    assert!(
        warnings[0].starts_with(
            "boot/nohz_full: tuned adds nohz_full=4-7 (/etc/tuned/bootcmdline:2), but"
        ),
        "{warnings:?}"
    );
}

#[test]
fn on_debian_tuned_comes_first() {
    let mut machine = debian();
    let menu = DEBIAN_CFG
        .replace(
            "set default",
            "set tuned_params=\"isolcpus=4-7\"\nset default",
        )
        .replace("ro  quiet", "ro  quiet $tuned_params");
    machine.put("/boot/grub/grub.cfg", &menu);
    machine.set_up();
    let made = in_tree(&machine, &menu);
    assert!(
        made.contains(&format!("quiet $tuned_params {OURS}")),
        "{made}"
    );
    machine.put("/boot/grub/grub.cfg", &made);
    // Running the program again would not help.
    assert_eq!(stale(&machine.desire()), Some(false));
    let isolcpus = &machine.verify(&STOCK)["boot/isolcpus"];
    assert_eq!(isolcpus.verdict, Verdict::Overridden, "{isolcpus:?}");
    assert!(
        isolcpus
            .reason
            .contains("the kernel takes the first isolcpus=")
    );
    assert_eq!(
        machine.verify(&STOCK)["boot/nohz_full"].verdict,
        Verdict::RebootPending
    );
}

#[test]
fn on_debian_an_argument_beside_tuned_s_own_line_is_found() {
    let mut machine = debian();
    let tuned = "GRUB_CMDLINE_LINUX_DEFAULT=\"${GRUB_CMDLINE_LINUX_DEFAULT:+$GRUB_CMDLINE_LINUX_DEFAULT }\\$tuned_params\"\n";
    let own = format!("A=1\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet isolcpus=4-7\"\n\n{tuned}");
    let seen = shell::value(&[&own], "GRUB_CMDLINE_LINUX_DEFAULT").unwrap();
    assert_eq!(seen, "quiet isolcpus=4-7 $tuned_params");
    machine.put("/etc/default/grub", &own);
    let skipped = &machine.desire().skipped[0];
    assert_eq!(skipped.verdict, Verdict::Overridden);
    assert!(
        skipped
            .reason
            .starts_with("isolcpus=4-7 at /etc/default/grub:2 is there already"),
        "{}",
        skipped.reason
    );
}

#[test]
fn an_argument_in_the_other_variable_of_the_template_is_named_where_it_wins() {
    let mut machine = Machine::new(BootKind::Bls, &RHEL);
    machine.put(
        "/etc/default/grub",
        "GRUB_CMDLINE_LINUX=\"crashkernel=1G\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"isolcpus=1 irqaffinity=3\"\n",
    );
    let desired = machine.set_up();
    // The first isolcpus= wins, and ours comes first; the last irqaffinity= wins, and theirs comes last.
    assert_eq!(ids(&desired), ["boot/isolcpus", "boot/nohz_full"]);
    let skipped = &desired.skipped[0];
    assert_eq!(skipped.verdict, Verdict::Overridden);
    assert_eq!(
        skipped.reason,
        "irqaffinity=3 at /etc/default/grub:2 is there already, and the kernel takes the last irqaffinity="
    );
    assert_eq!(
        machine.verify(&BOOTED)["boot/isolcpus"].verdict,
        Verdict::Ok
    );
}

#[test]
fn a_missing_template_is_left_missing_and_that_is_said() {
    let mut machine = Machine::new(BootKind::Bls, &RHEL);
    machine.drop("/etc/kernel/cmdline");
    let desired = machine.set_up();
    assert_eq!(desired.settings.len(), 3);
    assert!(
        desired.warnings[0]
            .starts_with("there is no /etc/kernel/cmdline, so kernel-install gives a new kernel"),
        "{:?}",
        desired.warnings
    );
    assert!(
        !machine
            .host
            .boot_loader
            .files
            .contains_key(Path::new("/etc/kernel/cmdline"))
    );
    // The distribution's own is one, and it is overridden by a whole one.
    let mut machine = Machine::new(BootKind::Bls, &RHEL);
    machine.drop("/etc/kernel/cmdline");
    machine.put("/usr/lib/kernel/cmdline", "root=/dev/vda ro\n");
    assert!(machine.set_up().warnings.is_empty());
    assert_eq!(
        machine.file("/etc/kernel/cmdline"),
        format!("root=/dev/vda ro {OURS}\n")
    );
}

#[test]
fn what_the_running_kernel_dropped_is_recognised() {
    let mut machine = Machine::new(BootKind::Bls, &RHEL);
    machine.set_up();
    let booted_with = |machine: &mut Machine, line: &str, isolated: &str, nohz_full: &str| {
        machine.host.kernel.cmdline = line.to_owned();
        machine.verify(&[
            ("/proc/cmdline", line),
            ("/sys/devices/system/cpu/isolated", isolated),
            ("/sys/devices/system/cpu/nohz_full", nohz_full),
            BOOTED[3],
        ])
    };
    // Ours first: it holds, and the other is told.
    let found = booted_with(
        &mut machine,
        &format!("{OURS} isolcpus=4-7"),
        "2-7\n",
        "2-7\n",
    );
    assert_eq!(found["boot/isolcpus"].verdict, Verdict::Ok);
    assert!(
        found["boot/isolcpus"]
            .reason
            .contains("booted with isolcpus=4-7 as well and dropped it"),
        "{}",
        found["boot/isolcpus"].reason
    );
    // Ours second: it was dropped.
    let found = booted_with(
        &mut machine,
        &format!("isolcpus=4-7 {OURS}"),
        "4-7\n",
        "2-7\n",
    );
    assert_eq!(
        found["boot/isolcpus"].live,
        Proof::Differs(
            "4-7; the kernel dropped the later isolcpus=managed_irq,domain,2-7, since the first isolcpus= wins".to_owned()
        )
    );
    assert_eq!(
        found["boot/isolcpus"].reason,
        "saved; the running kernel was booted with 4-7; the kernel dropped the later \
         isolcpus=managed_irq,domain,2-7, since the first isolcpus= wins"
    );
    // One mask for both, up to 5.17.
    machine.host.kernel.release = "4.18.0-553.el8".to_owned();
    let line = "isolcpus=4-7 nohz_full=2-7";
    let found = booted_with(&mut machine, line, "4-7\n", "\n");
    assert_eq!(
        found["boot/nohz_full"].effect,
        Proof::Differs(
            "not set; isolcpus=4-7 comes first, and kernels before 5.18 drop a later list that differs".to_owned()
        )
    );
    machine.host.kernel.release = "6.12.0".to_owned();
    let found = booted_with(&mut machine, line, "4-7\n", "\n");
    assert_eq!(
        found["boot/nohz_full"].effect,
        Proof::Differs(String::new())
    );
    // Without the flag domain.
    let found = booted_with(&mut machine, "isolcpus=managed_irq,2-7", "\n", "\n");
    assert_eq!(
        found["boot/isolcpus"].live,
        Proof::Differs(
            "managed_irq,2-7; without the flag domain it isolates nothing from the scheduler"
                .to_owned()
        )
    );
}

#[test]
fn a_profile_without_the_flag_domain_is_told_what_that_means() {
    let mut machine = Machine::new(BootKind::Bls, &RHEL);
    let value = BootValue::Text("managed_irq,{isolated}".to_owned());
    machine.profile.boot.insert("isolcpus".to_owned(), value);
    let desired = machine.set_up();
    assert_eq!(
        desired.warnings,
        ["boot/isolcpus: without the flag domain it isolates nothing from the scheduler"]
    );
    let kernel = [
        (
            "/proc/cmdline",
            "isolcpus=managed_irq,2-7 nohz_full=2-7 irqaffinity=0-1\n",
        ),
        ("/sys/devices/system/cpu/isolated", "\n"),
        BOOTED[2],
        BOOTED[3],
    ];
    let isolcpus = &machine.verify(&kernel)["boot/isolcpus"];
    assert_eq!(isolcpus.verdict, Verdict::Ok);
    assert!(
        isolcpus
            .reason
            .contains("isolates nothing from the scheduler")
    );
}

/// For each kind of place: a command line that is a byte too long with ours is refused, and one byte shorter is taken.
#[test]
fn the_limit_of_the_command_line_holds_for_every_kind() {
    let block = |words: &str| {
        let text = format!("# GRUB Environment Block\nkernelopts=ro\ntuned_params={words}\n");
        format!("{text:#<1024}")
    };
    let fill = |kind: &str, x: &str| -> Machine {
        match kind {
            "menu" => {
                let mut machine = debian();
                let menu = format!("menuentry 'x' {{\nlinux /v {x}\n}}\n");
                machine.put("/boot/grub/grub.cfg", &menu);
                machine
            }
            "files of the menu" => {
                let mut machine = debian();
                let text = format!("GRUB_CMDLINE_LINUX_DEFAULT=\"{x}\"\n");
                machine.put("/etc/default/grub", &text);
                machine.put("/boot/grub/grub.cfg", "menuentry 'x' {\nlinux /v ro\n}\n");
                machine
            }
            "entry" => {
                let entry = format!("linux /v\noptions {x}\n");
                Machine::new(BootKind::Bls, &[(ENTRY, &entry)])
            }
            "block" => {
                // The block itself is full long before: what the entry adds counts.
                let entry = format!("linux /v\noptions {} $kernelopts\n", &x[3..]);
                Machine::new(
                    BootKind::Bls,
                    &[(ENTRY, &entry), ("/boot/grub2/grubenv", &block("a"))],
                )
            }
            "template" => {
                let files = [
                    (ENTRY, "linux /v\noptions ro\n"),
                    ("/etc/kernel/cmdline", x),
                ];
                Machine::new(BootKind::Bls, &files)
            }
            "default" => {
                let text = format!("GRUB_CMDLINE_LINUX=\"{x}\"\n");
                let files = [
                    (ENTRY, "linux /v\noptions ro\n"),
                    ("/etc/default/grub", text.as_str()),
                ];
                Machine::new(BootKind::Bls, &files)
            }
            _ => unreachable!(),
        }
    };
    let room = 2047 - "BOOT_IMAGE=(hd0,gpt1)/v ".len() - OURS.len() - 1;
    for kind in [
        "menu",
        "files of the menu",
        "entry",
        "block",
        "template",
        "default",
    ] {
        let fits = fill(kind, &"x".repeat(room)).desire();
        assert_eq!(fits.settings.len(), 3, "{kind}: {:?}", fits.skipped);
        let machine = fill(kind, &"x".repeat(room + 1));
        let refused = machine.desire();
        assert!(refused.settings.is_empty(), "{kind}");
        for skipped in &refused.skipped {
            assert_eq!(skipped.verdict, Verdict::NotPermitted, "{kind}");
            assert!(
                skipped
                    .reason
                    .contains("would be 2048 bytes long, and the kernel takes 2047"),
                "{kind}: {}",
                skipped.reason
            );
        }
        let mut other = machine;
        other.host.kernel.architecture = "s390x".to_owned();
        assert_eq!(other.desire().settings.len(), 3, "{kind}");
    }
}
