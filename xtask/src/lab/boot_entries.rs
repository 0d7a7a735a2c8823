//! A boot menu of entries in `/boot/loader/entries`, laid out as on the RHEL family: one entry a kernel, one for rescue,
//! and an environment block whose variables the entries name.

use super::recipe::ROOT_UUID;
use crate::tool;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;

/// Where the entries are. Without `--path`, `blscfg` looks into `/loader/entries` of the file system that is GRUB's root,
/// which is right only where `/boot` is a file system of its own.
pub const DIRECTORY: &str = "boot/loader/entries";

/// What the environment block adds to every entry that names `$tuned_params`. A parameter of a module that is never
/// loaded: the kernel shows it on its command line and does nothing.
pub const TUNED_PARAMS: &str = "lab.tuned=1";

/// Changes when this file writes another menu.
pub const FORMAT: u32 = 1;

/// Arguments of every entry.
const ARGUMENTS: &str = "ro console=ttyS0,115200 systemd.show_status=1 quiet";

/// Writes the menu of a tree whose kernel is `version`.
pub fn write(tree: &Path, version: &str, log: &Path) -> Result<()> {
    let machine = fs::read_to_string(tree.join("etc/machine-id")).context("no machine-id")?;
    let machine = machine.trim();
    let entries = tree.join(DIRECTORY);
    fs::create_dir_all(&entries)?;
    // kernel-install takes this folder, into which it puts kernels, for the sign that entries are what boots.
    fs::create_dir_all(tree.join("boot").join(machine))?;
    // With the machine's id, which kernel-install adds where it is not given: a boot that is given it does a little more.
    let arguments = format!("root=UUID={ROOT_UUID} {ARGUMENTS} systemd.machine_id={machine}");
    fs::write(tree.join("etc/kernel/cmdline"), format!("{arguments}\n"))?;
    for shown in [version, &older(version)?] {
        fs::write(
            entries.join(format!("{machine}-{shown}.conf")),
            entry(shown, version, &format!("{arguments} $tuned_params")),
        )?;
    }
    let rescue = format!("0-rescue-{machine}");
    fs::write(
        entries.join(format!("{machine}-0-rescue.conf")),
        entry(&rescue, version, &arguments),
    )?;
    environment(tree, log)
}

/// `shown` is the version in the menu, `kernel` the one that it boots.
fn entry(shown: &str, kernel: &str, options: &str) -> String {
    format!(
        "title Debian GNU/Linux ({shown}) 12 (bookworm)\n\
         version {shown}\n\
         linux /boot/vmlinuz-{kernel}\n\
         initrd /boot/initrd.img-{kernel} $tuned_initrd\n\
         options {options}\n\
         grub_users $grub_users\n\
         grub_arg --unrestricted\n\
         grub_class debian\n"
    )
}

/// A version that the menu sorts below `version`: the last kernel before it.
fn older(version: &str) -> Result<String> {
    let (release, rest) = version
        .split_once('-')
        .with_context(|| format!("the guest's kernel {version} has no ABI number"))?;
    let (abi, flavour) = rest.split_once('-').unwrap_or((rest, ""));
    let abi: u32 = abi
        .parse()
        .with_context(|| format!("the guest's kernel {version} has no ABI number"))?;
    ensure!(abi > 0, "no kernel comes before {version}");
    Ok(format!("{release}-{}-{flavour}", abi - 1))
}

/// The block that `grub.cfg` loads.
fn environment(tree: &Path, log: &Path) -> Result<()> {
    fs::create_dir_all(tree.join("boot/grub2"))?;
    let block = "/boot/grub2/grubenv";
    let params = format!("tuned_params={TUNED_PARAMS}");
    for words in [&["create"][..], &["set", &params]] {
        let mut command = tool::command("chroot");
        command.arg(tree).args(["grub-editenv", block]).args(words);
        tool::run_logged(&mut command, log)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_kernel_has_an_older_name() {
        assert_eq!(
            older("6.1.0-50-amd64").expect("has an ABI number"),
            "6.1.0-49-amd64"
        );
        assert!(
            older("6.1.0").is_err() && older("6.1.0-rt").is_err() && older("6.1.0-0-x").is_err()
        );
    }
}
