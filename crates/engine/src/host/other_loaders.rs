//! What boots a machine other than GRUB: ostree and bootc, systemd-boot, unified kernel images; and the files of boot
//! loaders that hftune names but does not edit.

use std::path::{Path, PathBuf};

use hftune_domains::boot;
use hftune_model::host::{BootKind, BootLoader};
use hftune_model::{Error, Kind};

use super::facts::Facts;
use super::{staged_deployment, virtualization};

/// Files that are read whole where they exist.
const FILES: [&str; 1] = [boot::VENDOR_CMDLINE];

/// systemd's variables: `LoaderInfo`, `StubInfo`, `LoaderEntrySelected` (<https://systemd.io/BOOT_LOADER_INTERFACE>).
const SYSTEMD: &str = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

/// The variables of UEFI itself (UEFI Specification, 3.3 Globally Defined Variables).
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// Reads the files and variables of these loaders into `loader`.
pub(super) fn read(facts: &Facts<'_>, cmdline: &str, loader: &mut BootLoader) {
    let mut paths: Vec<String> = FILES.map(str::to_owned).to_vec();
    paths.extend(
        boot::HAND_WRITTEN
            .iter()
            .filter(|path| facts.root().exists(path))
            .map(|path| (*path).to_owned()),
    );
    // On a machine with another boot loader, only root may look into the EFI partition, and there is nothing in it.
    let entries = boot::ENTRY_DIRECTORIES.map(|dir| (dir, facts.list_if_told(dir), ".conf"));
    let arguments = [(boot::KARGS_D, facts.list(boot::KARGS_D), ".toml")];
    for (directory, names, extension) in entries.into_iter().chain(arguments) {
        let wanted = names.iter().filter(|name| name.ends_with(extension));
        paths.extend(wanted.map(|name| format!("{directory}/{name}")));
    }
    for path in paths {
        let text = facts.text(&path).map(|text| text.to_string());
        loader.files.extend(text.map(|text| (path.into(), text)));
    }
    for directory in boot::UNIFIED_DIRECTORIES {
        let names = facts.list_if_told(directory);
        let images = names.iter().filter(|name| {
            Path::new(name)
                .extension()
                .is_some_and(|extension| extension.eq_ignore_ascii_case("efi"))
        });
        loader
            .unified
            .extend(images.map(|name| PathBuf::from(directory).join(name)));
    }
    loader.loader_info = text_variable(facts, "LoaderInfo");
    loader.unified_booted = text_variable(facts, "StubInfo").is_some()
        || text_variable(facts, "LoaderEntrySelected")
            .is_some_and(|entry| entry.to_ascii_lowercase().ends_with(".efi"));
    loader.secure_boot = variable(facts, "SecureBoot", GLOBAL)
        .and_then(|value| value.first().copied())
        .map(|byte| byte == 1);
    read_staged(facts, loader);
    if loader.staged.is_none() {
        let entries = boot::ENTRY_DIRECTORIES[0];
        let unread = facts
            .list_if_told(entries)
            .iter()
            .map(|name| Path::new(entries).join(name))
            .filter(|path| path.extension().is_some_and(|found| found == "conf"))
            .find(|path| !loader.files.contains_key(path));
        // The one that cannot be read may be the one that boots.
        let why = unread.map(|path| format!("{} cannot be read", path.display()));
        loader.next_unread = loader.next_unread.take().or(why);
    }
    loader.rpm_ostree = facts.root().exists(boot::RPM_OSTREE)
        && (has(cmdline, "ostree=") || !has(cmdline, "composefs="));
    loader.bootc = facts.root().exists("/usr/lib/bootc") || facts.root().exists("/usr/bin/bootc");
}

/// The kind, where one of these boots the machine for certain.
pub(super) fn kind(facts: &Facts<'_>, cmdline: &str, loader: &BootLoader) -> Option<BootKind> {
    // A container sees the command line of the machine that it runs on.
    let own_cmdline = virtualization::container(facts).is_none();
    // The arguments name what ostree-prepare-root(1) and its composefs twin mount: there are none without them.
    let booted = facts.root().exists("/run/ostree-booted")
        || own_cmdline && (has(cmdline, "ostree=") || has(cmdline, "composefs="));
    if booted {
        return Some(BootKind::Ostree);
    }
    // Images of ostree have this link, which their deployments follow (ostreedev.github.io, "Adapting existing systems").
    if loader.bootc || facts.root().link_target("/ostree").is_some() {
        return Some(BootKind::Image);
    }
    let systemd_boot = loader
        .loader_info
        .as_ref()
        .is_some_and(|info| info.starts_with("systemd-boot"));
    (systemd_boot || loader.unified_booted).then_some(BootKind::SystemdBoot)
}

/// Whether systemd-boot is set up on a machine whose firmware does not tell what booted it: a tree, a container.
///
/// Its configuration is `loader/loader.conf` on the EFI partition; the entries there are read by nothing else, those
/// in `/boot` by GRUB too.
pub(super) fn has_systemd_boot(facts: &Facts<'_>) -> bool {
    let parents = ["/boot", "/efi", "/boot/efi"];
    parents
        .iter()
        .any(|parent| facts.root().exists(format!("{parent}/loader/loader.conf")))
        || boot::ENTRY_DIRECTORIES[1..]
            .iter()
            .chain(&boot::UNIFIED_DIRECTORIES)
            .any(|directory| facts.root().is_dir(directory))
}

fn has(cmdline: &str, prefix: &str) -> bool {
    cmdline
        .split_ascii_whitespace()
        .any(|word| word.starts_with(prefix))
}

/// Reads the staged deployment, where it will become the default: one that is locked is dropped at shutdown.
fn read_staged(facts: &Facts<'_>, loader: &mut BootLoader) {
    if facts.root().exists("/run/ostree/staged-deployment-locked") {
        return;
    }
    let read = facts
        .root()
        .read(staged_deployment::PATH)
        .and_then(|bytes| {
            staged_deployment::arguments(&bytes).ok_or_else(|| {
                let what = "it holds no kernel arguments that hftune can read";
                Error::invalid(what).at(facts.root().shown(Path::new(staged_deployment::PATH)))
            })
        });
    match read {
        Ok(words) => loader.staged = Some(words.join(" ")),
        Err(e) if e.kind == Kind::Missing => {}
        Err(e) => {
            loader.next_unread = Some(e.to_string());
            facts.note(staged_deployment::PATH, e);
        }
    }
}

/// The value of an EFI variable, after the four bytes of its attributes (Documentation/filesystems/efivarfs.rst).
fn variable(facts: &Facts<'_>, name: &str, vendor: &str) -> Option<Vec<u8>> {
    let path = format!("/sys/firmware/efi/efivars/{name}-{vendor}");
    let bytes = facts.root().read(path).ok()?;
    bytes.get(4..).map(<[u8]>::to_vec)
}

/// A variable of systemd, which is UTF-16 with a NUL at the end.
fn text_variable(facts: &Facts<'_>, name: &str) -> Option<String> {
    let value = variable(facts, name, SYSTEMD)?;
    let units: Vec<u16> = value
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .take_while(|&unit| unit != 0)
        .collect();
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use hftune_sys::{Reader, Root};

    use super::*;

    /// Serialised by GLib 2.74 from `{'kargs': <['root=UUID=1', 'ro']>}`.
    const STAGED: &str = "kargs\0\0\0root=UUID=1\0ro\0\x0c\x0f\0as\x06\x1d";

    fn wide(text: &str) -> String {
        let units: String = text.chars().flat_map(|c| [c, '\0']).collect();
        format!("\u{6}\0\0\0{units}\0\0")
    }

    /// What boots a tree of these files; a text that begins with "-> " makes a link.
    #[allow(clippy::disallowed_methods, reason = "a test builds a tree")]
    fn loader(files: &[(&str, &str)]) -> BootLoader {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path.trim_start_matches('/'));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            match text.strip_prefix("-> ") {
                Some(target) => std::os::unix::fs::symlink(target, path).unwrap(),
                None => std::fs::write(path, text).unwrap(),
            }
        }
        let root = Root::tree(dir.path()).unwrap();
        super::super::boot_loader(&Reader::new(&root))
    }

    fn kind(files: &[(&str, &str)]) -> BootKind {
        loader(files).kind
    }

    #[test]
    fn an_image_is_told_from_a_machine_that_booted_it() {
        const BOOTC: (&str, &str) = ("/usr/lib/bootc/install/a.toml", "");
        const OSTREE: (&str, &str) = ("/proc/cmdline", "rw ostree=/ostree/boot.0/x/0\n");
        assert_eq!(kind(&[BOOTC]), BootKind::Image);
        assert_eq!(kind(&[("/ostree", "-> sysroot/ostree")]), BootKind::Image);
        assert_eq!(kind(&[BOOTC, OSTREE]), BootKind::Ostree);
        assert_eq!(kind(&[BOOTC, ("/run/ostree-booted", "")]), BootKind::Ostree);
        let composefs = loader(&[
            BOOTC,
            ("/proc/cmdline", "rw composefs=0123\n"),
            (boot::RPM_OSTREE, ""),
        ]);
        assert_eq!(
            (composefs.kind, composefs.rpm_ostree),
            (BootKind::Ostree, false)
        );
        // A container sees the command line of the machine that builds the image, and another container is none.
        let container = ("/run/.containerenv", "");
        assert_eq!(kind(&[BOOTC, OSTREE, container]), BootKind::Image);
        assert_eq!(kind(&[OSTREE, container]), BootKind::Unknown);
    }

    #[test]
    fn the_staged_deployment_is_read_where_it_will_boot() {
        let booted = ("/run/ostree-booted", "");
        let staged = (staged_deployment::PATH, STAGED);
        assert_eq!(
            loader(&[booted, staged]).staged.as_deref(),
            Some("root=UUID=1 ro")
        );
        let locked = ("/run/ostree/staged-deployment-locked", "");
        let dropped = loader(&[booted, staged, locked]);
        assert_eq!((dropped.staged, dropped.next_unread), (None, None));
        let damaged = loader(&[booted, (staged_deployment::PATH, "x")]);
        assert!(damaged.next_unread.unwrap().contains("staged-deployment"));
        assert_eq!(loader(&[booted]).next_unread, None);
    }

    #[test]
    fn the_firmware_tells_systemd_boot_from_grub() {
        let variable = |name: &str| format!("/sys/firmware/efi/efivars/{name}-{SYSTEMD}");
        let (info, stub, selected) = (
            variable("LoaderInfo"),
            variable("StubInfo"),
            variable("LoaderEntrySelected"),
        );
        let systemd = wide("systemd-boot 255.4");
        let grub = ("/boot/grub/grub.cfg", "linux /vmlinuz\n");
        let debian = ("/etc/os-release", "ID=debian\n");
        let conf = ("/boot/efi/loader/loader.conf", "");
        assert_eq!(kind(&[grub, debian, conf]), BootKind::GrubMkconfig);
        assert_eq!(
            kind(&[grub, debian, conf, (&info, &wide("GRUB 2.12"))]),
            BootKind::GrubMkconfig
        );
        assert_eq!(
            kind(&[grub, debian, (&info, &systemd)]),
            BootKind::SystemdBoot
        );
        assert_eq!(kind(&[debian, conf]), BootKind::SystemdBoot);
        assert_eq!(kind(&[debian]), BootKind::Unknown);
        assert_eq!(
            kind(&[debian, ("/efi/loader/entries/a.conf", "")]),
            BootKind::SystemdBoot
        );
        assert_eq!(
            kind(&[debian, (&info, "x")]),
            BootKind::Unknown,
            "a variable too short"
        );

        let unified = loader(&[
            ("/efi/EFI/Linux/a.EFI", "MZ"),
            (&stub, &wide("systemd-stub 255")),
        ]);
        assert!(unified.unified_booted && unified.kind == BootKind::SystemdBoot);
        assert_eq!(unified.unified, [PathBuf::from("/efi/EFI/Linux/a.EFI")]);
        assert!(loader(&[(&selected, &wide("a.efi"))]).unified_booted);
        assert!(!loader(&[(&selected, &wide("a.conf"))]).unified_booted);
    }

    #[test]
    fn secure_boot_is_what_the_firmware_says() {
        let path = format!("/sys/firmware/efi/efivars/SecureBoot-{GLOBAL}");
        for (text, expected) in [
            ("\u{6}\0\0\0\u{1}", Some(true)),
            ("\u{6}\0\0\0\0", Some(false)),
            ("\u{6}\0\0\0", None),
            ("", None),
        ] {
            assert_eq!(loader(&[(&path, text)]).secure_boot, expected);
        }
        assert_eq!(loader(&[]).secure_boot, None);
    }
}
