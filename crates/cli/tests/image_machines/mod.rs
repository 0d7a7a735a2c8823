//! Machines that do not boot by GRUB: an image of bootc, a deployment of ostree, systemd-boot, a unified kernel image.

#![allow(
    clippy::disallowed_methods,
    reason = "tests build trees and start the programs under test"
)]

use std::process::Command;

use crate::machine::Machine;

const SYSTEMD: &str = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

/// The arguments that the built-in profile wants first of all on the machine of [`Machine::eight_cores`].
pub const ISOLCPUS: &str = "isolcpus=managed_irq,domain,2-7";

/// The tree of a bootc image on the machine that builds it.
pub fn bootc_image() -> Machine {
    let machine = Machine::eight_cores();
    machine.file("/usr/lib/os-release", "ID=fedora\nVERSION_ID=42\n");
    machine.file("/usr/lib/bootc/install/00-fedora.toml", "[install]\n");
    machine.file(
        "/usr/lib/bootc/kargs.d/10-console.toml",
        "kargs = [\"console=ttyS0,115200n8\"]\n",
    );
    machine
}

/// A machine that booted the newer one of two deployments, as ostree lays out `/boot`.
pub fn deployment() -> Machine {
    let machine = Machine::eight_cores();
    machine.file("/usr/lib/os-release", "ID=fedora\nVERSION_ID=42\n");
    machine.file("/run/ostree-booted", "");
    machine.file("/usr/bin/rpm-ostree", "");
    machine.file(
        "/proc/cmdline",
        "BOOT_IMAGE=(hd0,gpt3)/ostree/fedora-1/vmlinuz root=UUID=1 rw ostree=/ostree/boot.1/fedora/1/0\n",
    );
    machine.link("/boot/loader", "loader.1");
    for (version, index) in [(1, 1), (2, 0)] {
        machine.file(
            &format!("/boot/loader.1/entries/ostree-{version}-fedora.conf"),
            &format!(
                "title Fedora Linux 42 (ostree:{index})\nversion {version}\n\
                 options root=UUID=1 rw ostree=/ostree/boot.1/fedora/1/{index}\nlinux /ostree/fedora-1/vmlinuz\n"
            ),
        );
    }
    machine
}

/// Debian with systemd-boot, an entry on each partition, and the template of kernel-install.
pub fn systemd_boot() -> Machine {
    let machine = debian_uefi("LoaderInfo", "systemd-boot 255.4");
    machine.file("/boot/efi/loader/loader.conf", "timeout 3\n");
    machine.file("/etc/kernel/cmdline", "root=UUID=1 ro quiet\n");
    for path in [
        "/boot/loader/entries/debian-6.1.0-test.conf",
        "/boot/efi/loader/entries/debian-6.0.0.conf",
        "/boot/efi/loader/entries/debian-0-rescue.conf",
    ] {
        machine.file(
            path,
            "title      Debian GNU/Linux 12\nversion    6.1.0\nsort-key   debian\noptions    root=UUID=1 ro quiet\n\
             linux      /debian/6.1.0/linux\ninitrd     /debian/6.1.0/initrd.img-6.1.0\n",
        );
    }
    machine
}

/// Debian booted from a unified kernel image.
pub fn unified() -> Machine {
    let machine = debian_uefi("StubInfo", "systemd-stub 255.4");
    machine.file("/boot/efi/EFI/Linux/debian-6.1.0.efi", "MZ");
    machine.file("/etc/kernel/cmdline", "root=UUID=1 ro quiet\n");
    machine
}

/// An EFI variable is four bytes of attributes and, for systemd's, UTF-16.
fn debian_uefi(variable: &str, value: &str) -> Machine {
    let machine = Machine::eight_cores();
    machine.file("/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    let wide: String = value.chars().flat_map(|c| [c, '\0']).collect();
    machine.file(
        &format!("/sys/firmware/efi/efivars/{variable}-{SYSTEMD}"),
        &format!("\u{6}\0\0\0{wide}\0\0"),
    );
    machine
}

/// Runs Debian's `ostree` on a tree; `None` where it is not installed.
pub fn ostree(machine: &Machine, args: &[&str]) -> Option<()> {
    let output = Command::new("ostree")
        .args(args)
        .current_dir(machine.root())
        // Deployments can be removed again without privileges over their attributes.
        .env("OSTREE_SYSROOT_DEBUG", "mutable-deployments")
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ostree {args:?}: {said}");
    Some(())
}

/// A tree with a deployment that ostree itself made; `None` where it is not installed.
pub fn real_deployment() -> Option<Machine> {
    let machine = Machine::eight_cores();
    machine.file(
        "/proc/cmdline",
        "root=UUID=1 rw ostree=/ostree/boot.1/debian/1/0\n",
    );
    ostree(&machine, &["admin", "init-fs", "."])?;
    ostree(&machine, &["admin", "os-init", "--sysroot=.", "debian"])?;
    for (path, text) in [
        ("lib/modules/6.1.0/vmlinuz", "kernel"),
        ("lib/modules/6.1.0/initramfs.img", "initrd"),
        ("lib/os-release", "ID=debian\n"),
        ("etc/os-release", "ID=debian\n"),
    ] {
        machine.file(&format!("/commit/usr/{path}"), text);
    }
    let commit = [
        "--repo=ostree/repo",
        "commit",
        "-b",
        "debian/x",
        "--tree=dir=commit",
    ];
    ostree(&machine, &commit)?;
    let deploy = ["admin", "deploy", "--sysroot=.", "--os=debian"];
    let arguments = ["--karg=root=UUID=1", "--karg=rw", "debian/x"];
    ostree(&machine, &[&deploy[..], &arguments].concat())?;
    Some(machine)
}
