//! What boots the machine, and the files that hold its boot arguments.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hftune_model::host::{BootKind, BootLoader, Distribution};

use super::distribution::is_like;
use super::facts::Facts;
use super::other_loaders;

const ENTRIES: &str = "/boot/loader/entries";
const GRUB_CFG: &str = "/boot/grub/grub.cfg";

/// The arguments that hftune wrote last, so that it can tell its own from the administrator's.
const OURS: &str = "/var/lib/hftune/boot-arguments";

pub(super) fn read(facts: &Facts<'_>, distribution: &Distribution, cmdline: &str) -> BootLoader {
    let mut files = BTreeMap::new();
    for path in [
        "/etc/default/grub",
        GRUB_CFG,
        "/etc/kernel/cmdline",
        "/boot/grub2/grubenv",
        OURS,
    ] {
        files.extend(
            facts
                .text(path)
                .map(|text| (PathBuf::from(path), text.to_string())),
        );
    }
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
    if loader.kind == BootKind::Unknown && other_loaders::has_systemd_boot(facts) {
        loader.kind = BootKind::SystemdBoot;
    }
    loader
}

fn kind(
    facts: &Facts<'_>,
    distribution: &Distribution,
    files: &BTreeMap<PathBuf, String>,
) -> BootKind {
    let rhel_like = is_like(distribution, &["rhel", "fedora", "centos", "ol", "amzn"]);
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
