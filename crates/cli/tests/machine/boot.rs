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
}

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
