//! What boots the machine, and the files that hold its boot arguments.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use hftune_model::host::{BootKind, BootLoader, Distribution};

use hftune_sys::Root;

use super::distribution::is_like;
use super::facts::Facts;
use super::other_loaders;

const ENTRIES: &str = "/boot/loader/entries";
const GRUBENV: &str = "/boot/grub2/grubenv";
const GRUB_CFG: &str = "/boot/grub/grub.cfg";

const GRUB2_CFG: &str = "/boot/grub2/grub.cfg";
const EFI: &str = "/boot/efi/EFI";

/// The arguments that hftune wrote last, so that it can tell its own from the administrator's.
const OURS: &str = "/var/lib/hftune/boot-arguments";

pub(super) fn read(facts: &Facts<'_>, distribution: &Distribution, cmdline: &str) -> BootLoader {
    let mut files = BTreeMap::new();
    for path in [
        "/etc/default/grub",
        GRUB_CFG,
        "/etc/kernel/cmdline",
        "/usr/lib/kernel/cmdline",
        "/etc/tuned/bootcmdline",
        OURS,
    ] {
        files.extend(
            facts
                .text(path)
                .map(|text| (PathBuf::from(path), text.to_string())),
        );
    }
    let grubenv = behind_links(facts.root(), GRUBENV);
    files.extend(
        facts
            .text(&grubenv.to_string_lossy())
            .map(|text| (grubenv, text.to_string())),
    );
    for (dir, extension) in [("/etc/default/grub.d", ".cfg"), (ENTRIES, ".conf")] {
        for name in facts
            .list(dir)
            .iter()
            .filter(|name| name.ends_with(extension))
        {
            let path = format!("{dir}/{name}");
            files.extend(
                facts
                    .text(&path)
                    .map(|text| (PathBuf::from(path), text.to_string())),
            );
        }
    }
    let mut loader = BootLoader {
        files,
        ..BootLoader::default()
    };
    other_loaders::read(facts, cmdline, &mut loader);
    loader.kind = other_loaders::kind(facts, cmdline, &loader)
        .unwrap_or_else(|| kind(facts, distribution, &loader.files));
    if matches!(loader.kind, BootKind::Bls | BootKind::Unknown)
        && is_rhel_like(distribution)
        && let Some((path, text)) = menu_of_its_own(facts)
    {
        loader.kind = BootKind::Grub2Menu;
        loader.files.insert(path, text);
    }
    if loader.kind == BootKind::Unknown && other_loaders::has_systemd_boot(facts) {
        loader.kind = BootKind::SystemdBoot;
    }
    loader
}

fn is_rhel_like(distribution: &Distribution) -> bool {
    is_like(distribution, &["rhel", "fedora", "centos", "ol", "amzn"])
}

/// The menu of grub2-mkconfig, where it does not read the entries of the Boot Loader Specification. What cannot be read
/// is taken for one that does, as every installation has it.
fn menu_of_its_own(facts: &Facts<'_>) -> Option<(PathBuf, String)> {
    // On UEFI RHEL 8 has its menu on the EFI partition; later ones have a stub there that names the other.
    let mut candidates = vec![PathBuf::from(GRUB2_CFG)];
    if !facts.root().exists(GRUB2_CFG) {
        let dirs = facts.list(EFI);
        candidates = dirs
            .iter()
            .map(|dir| Path::new(EFI).join(dir).join("grub.cfg"))
            .filter(|path| facts.root().exists(path))
            .collect();
    }
    let menu = candidates.into_iter().find_map(|path| {
        let text = facts.text(&path.to_string_lossy())?;
        Some((path, text.to_string()))
    });
    menu.filter(|(_, text)| {
        let has = |word: &str| text.split_ascii_whitespace().any(|found| found == word);
        has("menuentry") && !has("blscfg")
    })
}

/// Where a file really is: on UEFI the environment block of RHEL 8 is a link to the EFI partition. Links are followed by
/// name, so that the file can be written under the name that is found; a chain of links without an end stays as it is.
fn behind_links(root: &Root, path: &str) -> PathBuf {
    let mut real = PathBuf::from(path);
    for _ in 0..8 {
        let Some(target) = root.link_target(&real) else {
            return real;
        };
        real.pop();
        for component in Path::new(&target).components() {
            match component {
                Component::RootDir => real = PathBuf::from("/"),
                Component::ParentDir => {
                    real.pop();
                }
                Component::Normal(name) => real.push(name),
                Component::CurDir | Component::Prefix(_) => {}
            }
        }
    }
    PathBuf::from(path)
}

fn kind(
    facts: &Facts<'_>,
    distribution: &Distribution,
    files: &BTreeMap<PathBuf, String>,
) -> BootKind {
    let rhel_like = is_rhel_like(distribution);
    let grub_cfg = files.get(&PathBuf::from(GRUB_CFG));
    let blscfg =
        grub_cfg.is_some_and(|text| text.split_ascii_whitespace().any(|word| word == "blscfg"));
    // On the RHEL family only root may look into the directory; that it is there is enough.
    let entries = files.keys().any(|path| path.starts_with(ENTRIES))
        || (rhel_like && facts.root().exists(ENTRIES));
    if entries && (rhel_like || blscfg) {
        return BootKind::Bls;
    }
    if facts.root().exists(GRUB_CFG)
        && (facts.root().exists("/usr/sbin/update-grub")
            || is_like(distribution, &["debian", "ubuntu"]))
    {
        return BootKind::GrubMkconfig;
    }
    BootKind::Unknown
}
