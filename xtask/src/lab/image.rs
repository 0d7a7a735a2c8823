//! The bootable disk: made from the installed tree with no loop device and no mount, then booted once to settle.

use super::boot_sectors::{self, PARTITION_SECTOR, SECTOR};
use super::cache::{self, Cache};
use super::guest::{self, Guest, Options};
use super::machine::Clock;
use super::ports::Ports;
use super::{bls_grub, boot_entries, recipe, tree, tree_files};
use crate::progress::say;
use crate::tool;
use anyhow::{Context, Result, ensure};
use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Changes when this file makes another disk from the same recipe.
const FORMAT: u32 = 1;

/// Room for the tree and for everything that a scenario writes; the file is sparse.
const DISK_MIB: u64 = 2048;

/// What GRUB 2.06 reads: newer defaults of mke2fs (64bit, metadata_csum_seed, orphan_file) it does not.
const FILE_SYSTEM_FEATURES: &str = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,flex_bg,\
                                    sparse_super,large_file,huge_file,dir_nlink,extra_isize";

/// GRUB needs these to reach the modules in `/boot/grub`.
const CORE_MODULES: [&str; 3] = ["biosdisk", "part_msdos", "ext2"];

/// Where the guest's GRUB takes its menu from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Menu {
    /// `grub.cfg` as the guest's own `update-grub` writes it: Debian and Ubuntu.
    GrubCfg,
    /// Entries in `/boot/loader/entries`, read by `blscfg`: the RHEL family and Fedora.
    Entries,
}

impl Menu {
    /// The name under which its disks are cached. None may begin with another and a dash.
    fn kind(self) -> &'static str {
        match self {
            Self::GrubCfg => "disk",
            Self::Entries => "bls",
        }
    }

    fn key(self) -> String {
        match self {
            Self::GrubCfg => recipe::disk_key(FORMAT),
            Self::Entries => recipe::bls_disk_key(FORMAT, boot_entries::FORMAT),
        }
    }
}

/// A disk that boots, and the key that opens a shell on it.
pub struct Image {
    /// Raw disk.
    pub disk: PathBuf,
    /// Private ssh key of the guest's root.
    pub key: PathBuf,
}

impl Image {
    /// A copy of its own in a folder, for a guest that keeps what it writes.
    pub fn copied(&self, folder: &Path) -> Result<Self> {
        let disk = folder.join("disk.img");
        tool::run(
            tool::command("cp")
                .args(["--sparse=always", "--"])
                .arg(&self.disk)
                .arg(&disk),
        )?;
        Ok(Self {
            disk,
            key: self.key.clone(),
        })
    }

    fn in_folder(folder: &Path) -> Self {
        Self {
            disk: folder.join("disk.img"),
            key: folder.join("key"),
        }
    }
}

/// The image, from the cache or built now.
pub fn ensure(menu: Menu, logs: &Path) -> Result<Image> {
    let cache = Cache::open()?;
    let key = menu.key();
    let entry = cache.entry(menu.kind(), &key);
    if entry.is_dir() {
        return Ok(Image::in_folder(&entry));
    }
    let tree = tree::ensure(&cache)?;
    let partial = guest::with_one_retry(&logs.join("image"), || {
        let partial = cache.begin(menu.kind())?;
        make_disk(menu, &tree, &partial)?;
        settle(menu, &Image::in_folder(&partial), &logs.join("image"))?;
        Ok(partial)
    })?;
    let entry = cache.commit(&partial, menu.kind(), &key)?;
    say(format!("image ready: {}", entry.display()));
    Ok(Image::in_folder(&entry))
}

fn make_disk(menu: Menu, tree: &Path, folder: &Path) -> Result<()> {
    say("making the guest's disk");
    let image = Image::in_folder(folder);
    let log = folder.join("disk.log");
    let stage = folder.join("stage");
    tool::run_logged(
        tool::command("cp")
            .args(["-a", "--reflink=auto"])
            .arg(tree)
            .arg(&stage),
        &log,
    )?;
    if menu == Menu::Entries {
        bls_grub::unpack(&stage, &folder.join("apt"), &log)?;
    }
    customize(&stage, &image.key, &log)?;
    grub_modules(&stage)?;
    match menu {
        Menu::GrubCfg => first_grub_menu(&stage, &log)?,
        Menu::Entries => {
            tree_files::write(&stage, &recipe::BLS_FILES)?;
            let kernel = newest(&stage.join("boot"), "vmlinuz-")?;
            boot_entries::write(&stage, kernel.trim_start_matches("vmlinuz-"), &log)?;
        }
    }
    let core = core_image(&stage, &log)?;
    let boot = fs::read(stage.join("usr/lib/grub/i386-pc/boot.img"))?;

    let partition_bytes = (DISK_MIB << 20) - u64::from(PARTITION_SECTOR) * SECTOR as u64;
    let mut mke2fs = tool::command("mke2fs");
    mke2fs
        .args([
            "-q",
            "-t",
            "ext4",
            "-F",
            "-m",
            "0",
            "-U",
            recipe::ROOT_UUID,
            "-O",
            FILE_SYSTEM_FEATURES,
            "-E",
        ])
        .arg(format!(
            "offset={},lazy_itable_init=1,lazy_journal_init=1",
            u64::from(PARTITION_SECTOR) * SECTOR as u64
        ))
        .arg("-d")
        .arg(&stage)
        .arg(&image.disk)
        .arg(format!("{}k", partition_bytes >> 10));
    let disk = fs::File::create(&image.disk)?;
    disk.set_len(DISK_MIB << 20)?;
    tool::run_logged(&mut mke2fs, &log)?;

    let sectors = u32::try_from(partition_bytes / SECTOR as u64)?;
    let mut disk = OpenOptions::new().write(true).open(&image.disk)?;
    disk.seek(SeekFrom::Start(0))?;
    disk.write_all(&boot_sectors::gap(&boot, &core, sectors)?)?;
    cache::remove_tree(&stage)
}

/// Makes the installed tree the lab's guest.
fn customize(stage: &Path, key: &Path, log: &Path) -> Result<()> {
    tree_files::write(stage, &recipe::FILES)?;
    for unit in recipe::MASKED {
        tree_files::link(stage, "/dev/null", &format!("etc/systemd/system/{unit}"))?;
    }
    tree_files::link(
        stage,
        "/etc/systemd/system/lab-network.service",
        "etc/systemd/system/multi-user.target.wants/lab-network.service",
    )?;

    let mut pam = tool::command("chroot");
    pam.arg(stage)
        .args(["pam-auth-update", "--package", "--remove", "systemd"]);
    tool::run_logged(pam.env("DEBIAN_FRONTEND", "noninteractive"), log)?;

    let mut keygen = tool::command("ssh-keygen");
    tool::run_logged(
        keygen
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f"])
            .arg(key),
        log,
    )?;
    let ssh = stage.join("root/.ssh");
    fs::create_dir_all(&ssh)?;
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o700))?;
    fs::copy(key.with_extension("pub"), ssh.join("authorized_keys"))?;

    let machine_id = fs::read_to_string(stage.join("etc/machine-id")).unwrap_or_default();
    if machine_id.trim().len() != 32 {
        // An empty one is filled in at every boot, which a comparison of /etc would take for a change.
        fs::write(
            stage.join("etc/machine-id"),
            "68667475006e65006c61620000000001\n",
        )?;
    }
    Ok(())
}

fn grub_modules(stage: &Path) -> Result<()> {
    let modules = stage.join("boot/grub/i386-pc");
    fs::create_dir_all(&modules)?;
    for entry in fs::read_dir(stage.join("usr/lib/grub/i386-pc"))?.flatten() {
        let path = entry.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "mod" || extension == "lst")
        {
            fs::copy(&path, modules.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// A menu that boots once; the guest's own `update-grub` writes the real one.
fn first_grub_menu(stage: &Path, log: &Path) -> Result<()> {
    let boot = stage.join("boot");
    let kernel = newest(&boot, "vmlinuz-")?;
    let initrd = newest(&boot, "initrd.img-")?;
    let uuid = recipe::ROOT_UUID;
    fs::write(
        boot.join("grub/grub.cfg"),
        format!(
            "linux /boot/{kernel} root=UUID={uuid} ro console=ttyS0,115200 systemd.show_status=1\n\
             initrd /boot/{initrd}\nboot\n"
        ),
    )?;
    tool::run_logged(
        tool::command("chroot")
            .arg(stage)
            .args(["grub-editenv", "/boot/grub/grubenv", "create"]),
        log,
    )
}

fn newest(boot: &Path, prefix: &str) -> Result<String> {
    let names = fs::read_dir(boot)?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| name.starts_with(prefix))
        .max()
        .with_context(|| format!("the guest has no /boot/{prefix}*"))
}

/// GRUB's core image, made by the guest's own tools.
fn core_image(stage: &Path, log: &Path) -> Result<Vec<u8>> {
    let mut mkimage = tool::command("chroot");
    mkimage
        .arg(stage)
        .args([
            "grub-mkimage",
            "-O",
            "i386-pc",
            "-p",
            "(hd0,msdos1)/boot/grub",
            "-o",
            "/tmp/core.img",
        ])
        .args(CORE_MODULES);
    tool::run_logged(&mut mkimage, log)?;
    let path = stage.join("tmp/core.img");
    let core = fs::read(&path)?;
    fs::remove_file(path)?;
    Ok(core)
}

/// Boots the disk for good once: the first boot writes what only a first boot writes, and the guest's own
/// `update-grub`, where it is to have a say, writes the menu. What a scenario calls stock is then what an installed
/// machine has.
fn settle(menu: Menu, image: &Image, logs: &Path) -> Result<()> {
    say("first boot: settling the image");
    let guest = Guest::boot(
        image,
        logs,
        Options {
            keep_changes: true,
            clock: Clock::Host,
            ports: Ports::OfEveryScenario,
        },
    )?;
    if menu == Menu::GrubCfg {
        guest.control().read("update-grub")?;
    }
    let failed = guest
        .control()
        .read("systemctl --failed --no-legend --plain && sync")?;
    ensure!(
        failed.trim().is_empty(),
        "units failed in the guest's first boot:\n{failed}"
    );
    guest.power_off(Duration::from_secs(90))
}
