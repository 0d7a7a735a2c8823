//! ostree, bootc, systemd-boot, unified kernel images, and loaders that are known by name only.

use std::path::{Path, PathBuf};

use hftune_model::finding::{Proof, Verdict};
use hftune_model::host::BootKind;
use hftune_model::setting::Artifact;

use super::{BOOTED, Machine, OURS, STOCK, ids};
use crate::Desired;

const RUNNING: &str = "BOOT_IMAGE=(hd0,gpt3)/boot/ostree/fedora-1/vmlinuz root=UUID=1 rw ostree=/ostree/boot.1/fedora/1/0";

/// A booted deployment with its entry and that of the one before it.
fn ostree() -> Machine {
    let mut machine = Machine::new(
        BootKind::Ostree,
        &[
            (
                "/boot/loader/entries/ostree-1-fedora.conf",
                "title Fedora (ostree:1)\nversion 1\noptions root=UUID=1 rw ostree=/ostree/boot.1/fedora/1/1\nlinux /ostree/fedora-1/vmlinuz\n",
            ),
            (
                "/boot/loader/entries/ostree-2-fedora.conf",
                "title Fedora (ostree:0)\nversion 2\noptions root=UUID=1 rw ostree=/ostree/boot.1/fedora/1/0\nlinux /ostree/fedora-1/vmlinuz\n",
            ),
        ],
    );
    machine.host.boot_loader.rpm_ostree = true;
    machine.host.kernel.cmdline = RUNNING.to_owned();
    machine
}

fn artifacts(desired: &Desired) -> &[Artifact] {
    &desired.settings[0].artifacts
}

/// What is said of arguments that hftune does not place.
fn told(desired: &Desired) -> String {
    let first = &desired.skipped[0];
    format!(
        "{}: {}",
        first.reason,
        first.fix.as_deref().unwrap_or_default()
    )
}

fn words(text: &str) -> Vec<String> {
    text.split(' ')
        .filter(|w| !w.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_deployment_gets_the_arguments_by_the_command() {
    let mut machine = ostree();
    let desired = machine.set_up();
    assert_eq!(desired.settings.len(), 3, "{:?}", desired.skipped);
    let [
        Artifact::File { path, content, .. },
        Artifact::Arguments {
            program,
            add,
            remove,
        },
    ] = artifacts(&desired)
    else {
        panic!("{:?}", artifacts(&desired));
    };
    assert_eq!(path, Path::new("/var/lib/hftune/boot-arguments"));
    assert_eq!(content, &format!("{OURS}\n"));
    assert_eq!(program, Path::new("/usr/bin/rpm-ostree"));
    assert_eq!((add, remove.len()), (&words(OURS), 0));
    assert_eq!(
        machine.verify(&STOCK)["boot/isolcpus"].verdict,
        Verdict::Wrong,
        "nothing ran yet"
    );

    // The program stages a deployment, which has no entry before the shutdown.
    machine.host.boot_loader.staged = Some(format!("root=UUID=1 rw {OURS}"));
    assert_eq!(
        machine.verify(&STOCK)["boot/isolcpus"].verdict,
        Verdict::RebootPending
    );
    // After the reboot the old deployment's entry still lacks them, which is how it should be.
    machine.host.boot_loader.staged = None;
    let third = PathBuf::from("/boot/loader/entries/ostree-3-fedora.conf");
    machine
        .host
        .boot_loader
        .files
        .insert(third, format!("version 3\noptions root=UUID=1 {OURS}\n"));
    let booted = machine.verify(&BOOTED);
    assert_eq!(
        booted["boot/isolcpus"].verdict,
        Verdict::Ok,
        "{:?}",
        booted["boot/isolcpus"]
    );
}

#[test]
fn a_changed_list_takes_out_only_what_hftune_added() {
    let mut machine = ostree();
    machine.set_up();
    machine.host.boot_loader.staged = Some(format!("root=UUID=1 rw skew_tick=1 {OURS}"));
    machine.cpus.isolated = "4-7".parse().unwrap();
    machine.profile.boot.remove("irqaffinity");
    let desired = machine.desire();
    let Some(Artifact::Arguments { add, remove, .. }) = artifacts(&desired).last() else {
        panic!("{:?}", artifacts(&desired));
    };
    assert_eq!(add, &words("isolcpus=managed_irq,domain,4-7 nohz_full=4-7"));
    assert_eq!(
        remove,
        &words(OURS),
        "the administrator's skew_tick=1 stays"
    );
}

#[test]
fn another_list_of_the_administrator_is_named_with_the_command() {
    let mut machine = ostree();
    machine.host.boot_loader.staged = Some("root=UUID=1 isolcpus=4-7 nohz_full=2-7".to_owned());
    let desired = machine.desire();
    let skipped = &desired.skipped[0];
    assert_eq!(
        (skipped.id.as_str(), skipped.verdict),
        ("boot/isolcpus", Verdict::Overridden)
    );
    assert_eq!(
        skipped.fix.as_deref(),
        Some("rpm-ostree kargs --delete=isolcpus=4-7, then run hftune setup")
    );
    // What is there in the same meaning is the administrator's, and is not added again.
    let Some(Artifact::Arguments { add, .. }) = artifacts(&desired).last() else {
        panic!("{:?}", artifacts(&desired));
    };
    assert_eq!(add, &words("irqaffinity=0-1"));
    assert!(ids(&desired).contains(&"boot/nohz_full"));

    // --append-if-missing does nothing for a word that is there, so the later one would go on winning.
    machine.host.boot_loader.staged = Some("irqaffinity=0-1 irqaffinity=0-3".to_owned());
    let skipped = machine.desire().skipped;
    assert_eq!(skipped[0].id, "boot/irqaffinity");
}

#[test]
fn without_rpm_ostree_the_arguments_are_said_in_one_line() {
    let mut machine = ostree();
    machine.host.boot_loader.rpm_ostree = false;
    let desired = machine.desire();
    assert_eq!((desired.settings.len(), desired.skipped.len()), (0, 3));
    let options = OURS.replace(' ', " --append-if-missing=");
    let command = format!("ostree admin kargs edit-in-place --append-if-missing={options})");
    assert!(told(&desired).contains(&command), "{}", told(&desired));
    assert!(told(&desired).ends_with(&format!("then reboot: {OURS}")));

    machine.host.kernel.cmdline = format!("{RUNNING} {OURS}");
    assert_eq!(machine.desire().skipped, []);
    assert_eq!(
        machine.verify(&BOOTED)["boot/isolcpus"].verdict,
        Verdict::Wrong,
        "the next deployment lacks it"
    );
}

#[test]
fn an_unreadable_deployment_is_unknown() {
    let mut machine = ostree();
    machine.host.boot_loader.next_unread = Some("/run/ostree/staged-deployment: no".to_owned());
    machine.host.kernel.cmdline = format!("{RUNNING} {OURS}");
    let finding = &machine.verify(&BOOTED)["boot/isolcpus"];
    assert_eq!(
        finding.verdict,
        Verdict::Unknown,
        "the entry is not what boots next"
    );
    let mut none = ostree();
    none.host.boot_loader.files.clear();
    none.host.kernel.cmdline = format!("{RUNNING} {OURS}");
    assert_eq!(
        none.verify(&BOOTED)["boot/isolcpus"].verdict,
        Verdict::Unknown
    );
}

#[test]
fn the_limit_is_checked_before_anything_is_written() {
    let long = format!("root=UUID=1 x={}", "y".repeat(2000));
    let mut deployment = ostree();
    deployment.host.boot_loader.staged = Some(long.clone());
    let mut image = image(&[]);
    let other = format!("kargs = [\"x={}\"]\n", "y".repeat(2040));
    let path = PathBuf::from("/usr/lib/bootc/kargs.d/10-site.toml");
    image.host.boot_loader.files.insert(path, other);
    let entry = format!("linux /vmlinuz\ninitrd /initrd\noptions {long}\n");
    let systemd_boot = systemd_boot(&[("/efi/loader/entries/a.conf", entry.as_str())]);
    for machine in [deployment, image, systemd_boot] {
        let desired = machine.desire();
        assert_eq!(
            (desired.settings.len(), desired.skipped.len()),
            (0, 3),
            "{desired:?}"
        );
        assert!(
            desired.skipped[0].reason.contains("2047"),
            "{:?}",
            desired.skipped
        );
    }
    let mut unknown = Machine::new(BootKind::Unknown, &[]);
    unknown.host.kernel.cmdline = long;
    assert!(told(&unknown.desire()).contains("2047"));
}

#[test]
fn what_systemd_boot_adds_counts_towards_the_limit() {
    let almost = format!("x={}", "y".repeat(1900));
    let entry = |initrd: &str| format!("linux /vmlinuz\n{initrd}options {almost}\n");
    let placed = |initrd: &str| {
        let text = entry(initrd);
        systemd_boot(&[("/efi/loader/entries/a.conf", text.as_str())])
            .desire()
            .settings
            .len()
    };
    assert_eq!(placed(""), 3);
    assert_eq!(placed(&format!("initrd /{}\n", "i".repeat(100))), 0);
}

/// The tree of an image of bootc.
fn image(files: &[(&str, &str)]) -> Machine {
    let mut machine = Machine::new(BootKind::Image, files);
    machine.host.boot_loader.bootc = true;
    machine.host.kernel.architecture = "x86_64".to_owned();
    machine
}

#[test]
fn an_image_gets_a_file_of_ours() {
    let mut machine = image(&[]);
    let desired = machine.set_up();
    let [Artifact::File { path, content, .. }] = artifacts(&desired) else {
        panic!("{:?}", artifacts(&desired));
    };
    assert_eq!(path, Path::new("/usr/lib/bootc/kargs.d/50-hftune.toml"));
    let table: toml::Table = content.parse().unwrap();
    let written: Vec<&str> = table["kargs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap())
        .collect();
    assert_eq!(written, words(OURS));
    assert_eq!(table.len(), 1, "bootc refuses a file with other keys");
    assert!(desired.warnings[0].contains("names CPUs"));
    // The kernel that runs is the builder's, whatever it was booted with.
    for kernel in [&STOCK[..], &BOOTED[..], &[]] {
        assert_eq!(
            machine.verify(kernel)["boot/isolcpus"].verdict,
            Verdict::RebootPending
        );
    }
}

#[test]
fn other_files_of_the_image_are_understood() {
    let machine = image(&[
        (
            "/usr/lib/bootc/kargs.d/10-arm.toml",
            "kargs = [\"isolcpus=1\"]\nmatch-architectures = [\"aarch64\"]\n",
        ),
        (
            "/usr/lib/bootc/kargs.d/20-site.toml",
            "# ours\nkargs = [\"quiet\",\n  \"isolcpus=4-7\"]\nmatch-architectures = [\"x86_64\"]\n",
        ),
        (
            "/usr/lib/bootc/kargs.d/30-same.toml",
            "kargs = [\"nohz_full=2-7\"]\n",
        ),
        (
            "/usr/lib/bootc/kargs.d/90-late.toml",
            "kargs = [\"irqaffinity=0\", \"isolcpus=9\"]\n",
        ),
    ]);
    let desired = machine.desire();
    let told: Vec<_> = desired
        .skipped
        .iter()
        .map(|s| (s.id.as_str(), s.fix.as_deref().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            (
                "boot/irqaffinity",
                "take irqaffinity=0 out of /usr/lib/bootc/kargs.d/90-late.toml:1, then run hftune setup"
            ),
            (
                "boot/isolcpus",
                "take isolcpus=4-7 out of /usr/lib/bootc/kargs.d/20-site.toml:3, then run hftune setup"
            ),
        ]
    );
    assert_eq!(ids(&desired), ["boot/nohz_full"]);
    assert_eq!(artifacts(&desired), [], "it is in the image already");

    let damaged = image(&[
        (
            "/usr/lib/bootc/kargs.d/10-a.toml",
            "kargs = \"isolcpus=1\"\n",
        ),
        ("/usr/lib/bootc/kargs.d/11-b.toml", "\u{1}\n"),
        ("/usr/lib/bootc/kargs.d/12-c.toml", ""),
        (
            "/usr/lib/bootc/kargs.d/13-d.toml",
            "kargs = []\nmatch-architecture = []\n",
        ),
    ]);
    let desired = damaged.desire();
    assert_eq!(desired.skipped.len(), 4, "{:?}", desired.skipped);
    assert_eq!(
        desired.skipped[0].id,
        "boot/usr/lib/bootc/kargs.d/10-a.toml"
    );
    assert_eq!(
        damaged.verify(&STOCK)["boot/isolcpus"].verdict,
        Verdict::Unknown
    );
}

#[test]
fn an_ostree_image_without_bootc_applies_nothing() {
    let machine = Machine::new(BootKind::Image, &[]);
    let desired = machine.desire();
    assert_eq!((desired.settings.len(), desired.skipped.len()), (0, 3));
    assert!(told(&desired).contains("rpm-ostree kargs --append-if-missing=irqaffinity=0-1 "));
}

const ENTRY: &str =
    "title Debian\nlinux /debian/6.1/linux\ninitrd /debian/6.1/initrd\noptions root=UUID=1 ro\n";

fn systemd_boot(files: &[(&str, &str)]) -> Machine {
    let mut machine = Machine::new(BootKind::SystemdBoot, files);
    machine.host.kernel.release = "6.1.0".to_owned();
    machine
}

#[test]
fn entries_in_every_place_and_the_template_are_edited() {
    let memtest = "title Memtest\nefi /memtest.efi\noptions a\n";
    let mut machine = systemd_boot(&[
        ("/boot/loader/entries/a.conf", ENTRY),
        ("/boot/loader/entries/a-0-rescue.conf", ENTRY),
        ("/efi/loader/entries/b.conf", ENTRY),
        ("/boot/efi/loader/entries/c.conf", ENTRY),
        ("/efi/loader/entries/memtest.conf", memtest),
        ("/etc/kernel/cmdline", "root=UUID=1 ro\n"),
    ]);
    machine.set_up();
    for path in [
        "/boot/loader/entries/a.conf",
        "/efi/loader/entries/b.conf",
        "/boot/efi/loader/entries/c.conf",
    ] {
        assert_eq!(
            machine.file(path),
            ENTRY.replace("ro\n", &format!("ro {OURS}\n"))
        );
    }
    assert_eq!(
        machine.file("/etc/kernel/cmdline"),
        format!("root=UUID=1 ro {OURS}\n")
    );
    assert_eq!(machine.file("/boot/loader/entries/a-0-rescue.conf"), ENTRY);
    assert_eq!(machine.file("/efi/loader/entries/memtest.conf"), memtest);
    assert_eq!(
        machine.verify(&STOCK)["boot/isolcpus"].verdict,
        Verdict::RebootPending
    );
    assert_eq!(
        machine.verify(&BOOTED)["boot/isolcpus"].verdict,
        Verdict::Ok
    );

    let again = machine.desire();
    for artifact in artifacts(&again) {
        let Artifact::File { path, content, .. } = artifact else {
            panic!("{artifact:?}")
        };
        assert_eq!(
            machine.file(path.to_str().unwrap()),
            content,
            "a second setup changes nothing"
        );
    }
    machine.cpus.isolated = "4-7".parse().unwrap();
    machine.set_up();
    assert!(
        machine
            .file("/efi/loader/entries/b.conf")
            .contains("isolcpus=managed_irq,domain,4-7")
    );
    assert!(!machine.file("/efi/loader/entries/b.conf").contains("2-7"));
}

#[test]
fn the_template_is_what_kernel_install_would_take() {
    // An empty one is taken as it is.
    let mut empty = systemd_boot(&[
        ("/efi/loader/entries/a.conf", ENTRY),
        ("/etc/kernel/cmdline", ""),
    ]);
    empty.set_up();
    assert_eq!(empty.file("/etc/kernel/cmdline"), format!("{OURS}\n"));

    // Without one, that of the distribution.
    let mut vendor = systemd_boot(&[
        ("/efi/loader/entries/a.conf", ENTRY),
        ("/usr/lib/kernel/cmdline", "root=LABEL=x ro\n"),
    ]);
    let desired = vendor.set_up();
    assert_eq!(
        vendor.file("/etc/kernel/cmdline"),
        format!("root=LABEL=x ro {OURS}\n")
    );
    assert_eq!(vendor.file("/usr/lib/kernel/cmdline"), "root=LABEL=x ro\n");
    assert!(
        desired.warnings[0].contains("replaces it"),
        "{:?}",
        desired.warnings
    );

    // Without either, the running kernel's, which follows the entry at the reboot.
    let mut none = systemd_boot(&[("/efi/loader/entries/a.conf", ENTRY)]);
    let desired = none.set_up();
    assert_eq!(artifacts(&desired).len(), 2, "{:?}", artifacts(&desired));
    assert_eq!(
        none.verify(&STOCK)["boot/isolcpus"].verdict,
        Verdict::RebootPending
    );
}

#[test]
fn an_entry_may_have_no_options() {
    let mut machine = systemd_boot(&[("/efi/loader/entries/a.conf", "title x\nlinux /vmlinuz")]);
    machine.set_up();
    assert_eq!(
        machine.file("/efi/loader/entries/a.conf"),
        format!("title x\nlinux /vmlinuz\noptions {OURS}\n")
    );
    assert_eq!(
        machine.verify(&STOCK)["boot/isolcpus"].verdict,
        Verdict::RebootPending
    );
}

#[test]
fn conflicts_and_files_that_cannot_be_edited_are_named() {
    let other = ENTRY.replace("ro\n", "ro isolcpus=4-7\n");
    let machine = systemd_boot(&[
        ("/efi/loader/entries/a.conf", other.as_str()),
        ("/etc/kernel/cmdline", "root=UUID=1\n# mine\n"),
    ]);
    let desired = machine.desire();
    let told: Vec<_> = desired
        .skipped
        .iter()
        .map(|s| (s.id.as_str(), s.verdict))
        .collect();
    assert_eq!(
        told,
        [
            ("boot/isolcpus", Verdict::Overridden),
            ("boot/etc/kernel/cmdline", Verdict::NotPermitted)
        ]
    );
    assert!(
        desired.skipped[0]
            .reason
            .contains("/efi/loader/entries/a.conf:4")
    );
    assert_eq!(
        artifacts(&desired).len(),
        2,
        "the entry is edited all the same"
    );

    let only_template = systemd_boot(&[("/etc/kernel/cmdline", "a\n# mine\n")]);
    let desired = only_template.desire();
    assert_eq!(
        (desired.settings.len(), desired.skipped.len()),
        (0, 4),
        "{desired:?}"
    );
}

#[test]
fn a_unified_image_is_not_edited_and_its_template_is() {
    let mut machine = systemd_boot(&[("/etc/kernel/cmdline", "root=UUID=1 ro\n")]);
    let loader = &mut machine.host.boot_loader;
    loader.unified = vec![PathBuf::from("/efi/EFI/Linux/debian-6.1.efi")];
    loader.unified_booted = true;
    loader.secure_boot = Some(true);
    let desired = machine.set_up();
    assert_eq!(
        machine.file("/etc/kernel/cmdline"),
        format!("root=UUID=1 ro {OURS}\n")
    );
    let told = &desired.warnings[0];
    for part in [
        "/efi/EFI/Linux/debian-6.1.efi carries its own command line",
        "kernel-install add 6.1.0 /usr/lib/modules/6.1.0/vmlinuz",
        &format!("ukify build --cmdline='{OURS}'"),
        "arguments from anywhere else are ignored",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let before = &machine.verify(&STOCK)["boot/isolcpus"];
    assert_eq!(
        before.verdict,
        Verdict::Unknown,
        "the image may have been made anew or not"
    );
    let fix = before.fix.as_ref().unwrap();
    assert!(fix.contains("kernel-install add") && fix.contains(&format!("'{OURS}'")));
    let after = &machine.verify(&BOOTED)["boot/isolcpus"];
    assert_eq!(after.verdict, Verdict::Ok, "{after:?}");
}

#[test]
fn a_unified_image_without_a_template_gets_its_line_in_words() {
    let mut machine = systemd_boot(&[]);
    machine.host.boot_loader.unified = vec![PathBuf::from("/efi/EFI/Linux/a.efi")];
    machine.host.kernel.cmdline = "initrd=\\a root=UUID=1 ro".to_owned();
    let desired = machine.desire();
    assert_eq!((desired.settings.len(), desired.skipped.len()), (0, 3));
    let line =
        format!("write /etc/kernel/cmdline with: root=UUID=1 ro {OURS}; then kernel-install");
    assert!(told(&desired).contains(&line), "{}", told(&desired));
    assert!(!told(&desired).contains("Secure Boot"));
}

#[test]
fn nothing_to_edit_is_said() {
    let mut machine = systemd_boot(&[]);
    assert!(told(&machine.desire()).contains("no entry for a kernel can be read"));
    machine.host.kernel.cmdline = OURS.to_owned();
    let finding = &machine.verify(&BOOTED)["boot/isolcpus"];
    assert!(matches!(finding.saved, Proof::Unknown(_)));
}

#[test]
fn loaders_that_are_known_by_name_are_named() {
    for (path, place) in [
        (
            "/boot/extlinux/extlinux.conf",
            "the append line in /boot/extlinux/extlinux.conf",
        ),
        (
            "/etc/zipl.conf",
            "the parameters line in /etc/zipl.conf, and run zipl",
        ),
        (
            "/boot/grub/menu.lst",
            "the kernel line in /boot/grub/menu.lst",
        ),
    ] {
        let mut machine = Machine::new(BootKind::Unknown, &[(path, "x\n")]);
        machine.host.kernel.cmdline = "ro isolcpus=4-7".to_owned();
        let desired = machine.desire();
        let told = told(&desired);
        assert!(told.contains(place), "{told}");
        assert!(
            told.contains(&format!("then reboot: {OURS}; and take out"))
                && told.ends_with("isolcpus=4-7"),
            "{told}"
        );
    }
}
