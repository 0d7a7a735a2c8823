//! The boot files of the distributions.

use super::Machine;

impl Machine {
    /// As [`Self::debian`], with the files of an Ubuntu cloud image: a drop-in that sets the variable anew, and a menu
    /// with a submenu and a recovery entry.
    pub fn ubuntu() -> Self {
        let machine = Self::debian();
        machine.file(
            "/etc/os-release",
            "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\nPRETTY_NAME=\"Ubuntu 24.04 LTS\"\n",
        );
        machine.file(
            "/etc/default/grub",
            "GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet splash\"\nGRUB_CMDLINE_LINUX=\"\"\n",
        );
        machine.file(
            "/etc/default/grub.d/50-cloudimg-settings.cfg",
            "GRUB_CMDLINE_LINUX_DEFAULT=\"console=tty1 splash\"\n",
        );
        machine.file("/boot/grub/grub.cfg", UBUNTU_MENU);
        machine
    }

    /// RHEL 8: two entries that take `$kernelopts` from the environment block, one that grubby expanded, and a rescue
    /// entry. On UEFI the block is on the EFI partition, and its usual name a link to it.
    pub fn rhel8(uefi: bool) -> Self {
        let machine = Self::eight_cores();
        machine.os("rocky", "rhel centos fedora", "8.10");
        machine.file("/proc/sys/kernel/osrelease", "4.18.0-553.el8_10.x86_64\n");
        machine.file(
            "/boot/config-4.18.0-553.el8_10.x86_64",
            "CONFIG_NO_HZ_FULL=y\nCONFIG_RCU_NOCB_CPU=y\n",
        );
        machine.file(
            "/etc/default/grub",
            "GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX=\"crashkernel=auto rhgb quiet\"\nGRUB_ENABLE_BLSCFG=true\n",
        );
        let block = if uefi {
            machine.link("/boot/grub2/grubenv", "../efi/EFI/rocky/grubenv");
            machine.file("/boot/efi/EFI/rocky/grub.cfg", BLSCFG);
            "/boot/efi/EFI/rocky/grubenv"
        } else {
            machine.file("/boot/grub2/grub.cfg", BLSCFG);
            "/boot/grub2/grubenv"
        };
        machine.file(
            block,
            &environment_block(
                "saved_entry=abc-4.18.0-553.el8_10.x86_64\nkernelopts=root=/dev/mapper/rl-root ro crashkernel=auto rhgb quiet \n\
                 boot_success=0\nboot_indeterminate=0\n",
            ),
        );
        machine.entry("abc-4.18.0-553.el8_10.x86_64", "$kernelopts $tuned_params");
        machine.entry("abc-4.18.0-513.el8.x86_64", "$kernelopts $tuned_params");
        machine.entry(
            "abc-4.18.0-477.el8.x86_64",
            "root=/dev/mapper/rl-root ro crashkernel=auto rhgb quiet  debug $tuned_params",
        );
        machine.entry("abc-0-rescue", "$kernelopts");
        machine
    }

    /// RHEL 9.0, where grub2-mkconfig makes every entry anew from `/etc/default/grub`, `$tuned_params` and all.
    pub fn rhel9_0() -> Self {
        let machine = Self::rhel9();
        machine.os("rhel", "fedora", "9.0");
        machine.file(
            "/etc/default/grub",
            "GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX=\"crashkernel=1G-4G:192M rhgb quiet\"\n\
             GRUB_CMDLINE_LINUX_DEFAULT=\"console=ttyS0\"\nGRUB_ENABLE_BLSCFG=true\n",
        );
        machine.file("/boot/grub2/grub.cfg", BLSCFG);
        machine
    }

    /// RHEL 10, on UEFI: the file on the EFI partition is a stub.
    pub fn rhel10() -> Self {
        let machine = Self::rhel9();
        machine.os("almalinux", "rhel centos fedora", "10.1");
        machine.file(
            "/boot/efi/EFI/almalinux/grub.cfg",
            "search --fs-uuid --set=dev 1\nset prefix=($dev)/grub2\nconfigfile $prefix/grub.cfg\n",
        );
        machine.file("/boot/grub2/grub.cfg", BLSCFG);
        machine.file(
            "/boot/grub2/grubenv",
            &environment_block("saved_entry=abc\nboot_success=1\n"),
        );
        machine
    }

    /// Fedora: no `$tuned_params`, and entries that grub2-mkconfig makes anew.
    pub fn fedora() -> Self {
        let machine = Self::eight_cores();
        machine.os("fedora", "", "43");
        machine.file(
            "/etc/default/grub",
            "GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX=\"rhgb quiet\"\nGRUB_DISABLE_RECOVERY=\"true\"\nGRUB_ENABLE_BLSCFG=true\n",
        );
        machine.file(
            "/etc/kernel/cmdline",
            "root=UUID=1 ro rootflags=subvol=root rhgb quiet \n",
        );
        machine.file("/boot/grub2/grub.cfg", BLSCFG);
        for name in [
            "abc-6.17.1-300.fc43.x86_64",
            "abc-6.16.9-200.fc43.x86_64",
            "abc-0-rescue",
        ] {
            machine.entry(name, "root=UUID=1 ro rootflags=subvol=root rhgb quiet");
        }
        machine
    }

    /// As [`Self::rhel9`], with a menu that grub2-mkconfig made since `GRUB_ENABLE_BLSCFG` is false.
    pub fn grub2_menu() -> Self {
        let machine = Self::rhel9();
        let template = machine
            .read("/etc/default/grub")
            .replace("BLSCFG=true", "BLSCFG=false");
        machine.file("/etc/default/grub", &template);
        machine.file(
            "/boot/grub2/grub.cfg",
            &grub2_menu("crashkernel=1G-4G:192M rhgb quiet"),
        );
        machine
    }

    /// Writes `/etc/os-release`.
    pub fn os(&self, id: &str, like: &str, version: &str) {
        self.file(
            "/etc/os-release",
            &format!("ID=\"{id}\"\nID_LIKE=\"{like}\"\nVERSION_ID=\"{version}\"\nPRETTY_NAME=\"{id} {version}\"\n"),
        );
    }

    /// Writes an entry of the Boot Loader Specification.
    pub fn entry(&self, name: &str, options: &str) {
        let version = name.trim_start_matches("abc-");
        self.file(
            &entry_path(name),
            &format!(
                "title Linux ({version})\nversion {version}\nlinux /vmlinuz-{version}\ninitrd /initramfs-{version}.img\n\
                 options {options}\ngrub_users $grub_users\n"
            ),
        );
    }

    /// The arguments of an entry as they stand there.
    pub fn options(&self, name: &str) -> String {
        let text = self.read(&entry_path(name));
        let line = text.lines().find_map(|line| line.strip_prefix("options "));
        line.expect("an options line").to_owned()
    }

    /// What the machine's own GRUB and kernel do at a boot: the kernel gets this command line and a new boot id.
    pub fn reboot(&self, arguments: &str) {
        self.file(
            "/proc/cmdline",
            &format!("BOOT_IMAGE=(hd0,gpt2)/vmlinuz {arguments}\n"),
        );
        self.file(
            "/proc/sys/kernel/random/boot_id",
            "00000000-0000-0000-0000-000000000002\n",
        );
        self.file("/sys/devices/system/cpu/isolated", "2-7\n");
        self.file("/sys/devices/system/cpu/nohz_full", "2-7\n");
        self.file("/proc/irq/default_smp_affinity", "03\n");
    }
}

/// What grub2-mkconfig makes for one kernel, without entries.
pub fn grub2_menu(arguments: &str) -> String {
    format!(
        "### BEGIN /etc/grub.d/10_linux ###\nmenuentry 'Rocky Linux' $menuentry_id_option 'gnulinux-5.14.0-advanced-1' {{\n\
         \tlinux ($root)/vmlinuz-5.14.0 root=/dev/mapper/rl-root ro {arguments}\n}}\n### END /etc/grub.d/10_linux ###\n"
    )
}

/// The path of an entry.
pub fn entry_path(name: &str) -> String {
    format!("/boot/loader/entries/{name}.conf")
}

/// A block of GRUB's environment, 1024 bytes.
pub fn environment_block(body: &str) -> String {
    format!("{:#<1024}", format!("# GRUB Environment Block\n{body}"))
}

/// The part of grub.cfg that makes GRUB read the entries.
const BLSCFG: &str = "### BEGIN /etc/grub.d/10_linux ###\ninsmod part_gpt\ninsmod blscfg\nblscfg\n### END /etc/grub.d/10_linux ###\n";

const UBUNTU_MENU: &str = "### BEGIN /etc/grub.d/10_linux ###
function gfxmode {
	set gfxpayload=\"${1}\"
}
menuentry 'Ubuntu' --class ubuntu $menuentry_id_option 'gnulinux-simple-1' {
	recordfail
	linux	/boot/vmlinuz-6.8.0-31-generic root=UUID=1 ro  console=tty1 splash $vt_handoff
	initrd	/boot/initrd.img-6.8.0-31-generic
}
submenu 'Advanced options for Ubuntu' $menuentry_id_option 'gnulinux-advanced-1' {
	menuentry 'Ubuntu, with Linux 6.8.0-31-generic' --class ubuntu $menuentry_id_option 'gnulinux-6.8.0-31-generic-advanced-1' {
		linux	/boot/vmlinuz-6.8.0-31-generic root=UUID=1 ro  console=tty1 splash $vt_handoff
		initrd	/boot/initrd.img-6.8.0-31-generic
	}
	menuentry 'Ubuntu, with Linux 6.8.0-31-generic (recovery mode)' --class ubuntu $menuentry_id_option 'gnulinux-6.8.0-31-generic-recovery-1' {
		linux	/boot/vmlinuz-6.8.0-31-generic root=UUID=1 ro recovery nomodeset dis_ucode_ldr
		initrd	/boot/initrd.img-6.8.0-31-generic
	}
}
### END /etc/grub.d/10_linux ###
";
