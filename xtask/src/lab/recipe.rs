//! What the guest is made of: a stock Debian 12 as data, and the keys under which its parts are cached.

use std::hash::{DefaultHasher, Hash, Hasher};

/// The guest's release.
pub const SUITE: &str = "bookworm";

/// The UUID of the root file system: GRUB and the kernel find it by this.
pub const ROOT_UUID: &str = "68667475-6e65-4c61-b000-000000000001";

/// Packages beside `debootstrap --variant=minbase`.
///
/// libpam-systemd is named because debootstrap does not resolve the virtual package that needs it, and fails half way.
pub const PACKAGES: [&str; 22] = [
    "bsdutils",
    "dbus",
    "ethtool",
    "grub-pc",
    "initramfs-tools",
    "iproute2",
    "irqbalance",
    "kmod",
    "libpam-systemd",
    "linux-image-amd64",
    "mount",
    "numactl",
    "openssh-server",
    "pciutils",
    "procps",
    "python3-minimal",
    "systemd-sysv",
    "udev",
    "util-linux",
    "util-linux-extra",
    "xz-utils",
    "zstd",
];

/// A file that the lab puts into the guest.
#[derive(Hash)]
pub struct GuestFile {
    /// Absolute path in the guest.
    pub path: &'static str,
    /// Content.
    pub text: &'static str,
}

const fn file(path: &'static str, text: &'static str) -> GuestFile {
    GuestFile { path, text }
}

/// Written before debootstrap runs: they make the installation itself faster and smaller.
pub const SEED_FILES: [GuestFile; 3] = [
    file(
        "etc/dpkg/dpkg.cfg.d/lab",
        include_str!("guest_files/dpkg.cfg"),
    ),
    file(
        "etc/initramfs-tools/conf.d/lab",
        include_str!("guest_files/initramfs.conf"),
    ),
    file(
        "usr/share/initramfs-tools/modules.d/lab",
        include_str!("guest_files/initramfs-modules"),
    ),
];

/// Written when the disk is made.
pub const FILES: [GuestFile; 11] = [
    file("etc/hostname", "lab\n"),
    file("etc/hosts", include_str!("guest_files/hosts")),
    file("etc/resolv.conf", "# the guest has no network\n"),
    file("etc/default/grub", include_str!("guest_files/default-grub")),
    file(
        "etc/fstab",
        "UUID=68667475-6e65-4c61-b000-000000000001 / ext4 errors=remount-ro 0 0\n",
    ),
    file(
        "etc/modprobe.d/lab.conf",
        include_str!("guest_files/modprobe.conf"),
    ),
    file(
        "etc/ssh/sshd_config.d/lab.conf",
        include_str!("guest_files/sshd.conf"),
    ),
    file(
        "etc/systemd/system.conf.d/lab.conf",
        include_str!("guest_files/systemd-system.conf"),
    ),
    file(
        "etc/systemd/system/lab-network.service",
        include_str!("guest_files/lab-network.service"),
    ),
    file(
        "etc/udev/rules.d/70-lab-control-nic.rules",
        include_str!("guest_files/70-lab-control-nic.rules"),
    ),
    file(
        "etc/udev/rules.d/90-lab-test-nics.rules",
        include_str!("guest_files/90-lab-test-nics.rules"),
    ),
];

/// Written after these where the guest boots by entries of the Boot Loader Specification.
pub const BLS_FILES: [GuestFile; 2] = [
    file(
        "etc/default/grub",
        include_str!("guest_files/bls-default-grub"),
    ),
    file(
        "boot/grub/grub.cfg",
        include_str!("guest_files/bls-grub.cfg"),
    ),
];

/// Timers that would fire during a measurement, and services that only cost boot time here.
///
/// Logins need no systemd-logind: its PAM module is removed with it.
pub const MASKED: [&str; 22] = [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@tty1.service",
    "modprobe@configfs.service",
    "modprobe@dm_mod.service",
    "modprobe@drm.service",
    "modprobe@efi_pstore.service",
    "modprobe@fuse.service",
    "modprobe@loop.service",
    "proc-sys-fs-binfmt_misc.automount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "systemd-binfmt.service",
    "systemd-logind.service",
    "systemd-networkd-wait-online.service",
    "systemd-pstore.service",
    "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service",
];

/// The key of the installed tree.
pub fn tree_key() -> String {
    key(&(SUITE, PACKAGES, SEED_FILES))
}

/// The key of the bootable disk. `format` changes when the way a disk is made does.
pub fn disk_key(format: u32) -> String {
    key(&(tree_key(), FILES, MASKED, format))
}

/// The key of the disk whose GRUB reads boot entries; `menu_format` changes when the way they are written does.
pub fn bls_disk_key(format: u32, menu_format: u32) -> String {
    key(&(disk_key(format), BLS_FILES, menu_format))
}

fn key(value: &impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fstab_names_the_root_file_system() {
        let fstab = FILES
            .iter()
            .find(|file| file.path == "etc/fstab")
            .expect("there is an fstab");
        assert!(fstab.text.contains(ROOT_UUID));
    }

    #[test]
    fn keys_follow_the_recipe() {
        assert_eq!(tree_key(), tree_key());
        assert_ne!(disk_key(1), disk_key(2));
    }
}
