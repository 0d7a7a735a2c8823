//! libvma: its packages, the modules that it needs, the rules that say which sockets it takes, the parameters that
//! applications get, and the unit that starts them.
//!
//! Nothing here loads the library anywhere by itself: only what `hftune run --vma` starts gets it.

mod application;
mod docs;
mod modules;
mod parameters;
mod ports;
mod rules;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use hftune_model::Result;
use hftune_model::finding::{Proof, Proofs, Skipped, Verdict};
use hftune_model::host::{Distribution, Vma as Facts};
use hftune_model::setting::{Artifact, Doc, Setting, When};
use hftune_model::vma::{ENVIRONMENT_FILE, RULES_FILE};
use hftune_sys::{Reader, Root};

use crate::{Context, Desired, Domain};
pub use application::UNIT;
pub use modules::ALL as MODULES;
pub use ports::{Refused, unfit};

/// The domain.
#[derive(Debug, Clone, Copy)]
pub struct Vma;

/// Where the library is, by distribution.
pub const LIBRARY_DIRS: &[&str] = &[
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib",
    "/usr/local/lib64",
    "/usr/local/lib",
];

/// The library's names: that of developers, and that with the number of its interface.
const LIBRARY_NAMES: &[&str] = &["libvma.so", "libvma.so.9", "libvma.so.8"];

/// Where to get libvma where the repositories do not have it.
pub const ELSEWHERE: &str = "no repository that this host knows has libvma. RHEL, Rocky and AlmaLinux have it in AppStream of \
     some releases, Fedora in its main repository, Ubuntu in universe, Debian in unstable. NVIDIA ships it in DOCA-Host \
     (profile doca-libvma), which replaces the distribution's mlx5 drivers: take that only where the distribution has no libvma. \
     hftune compiles nothing on a trading host";

/// The installed library.
pub fn library(root: &Root) -> Option<PathBuf> {
    LIBRARY_DIRS
        .iter()
        .flat_map(|dir| {
            LIBRARY_NAMES
                .iter()
                .map(move |name| Path::new(dir).join(name))
        })
        .find(|path| root.exists(path))
}

/// The packages of a distribution, the library first; the others are taken where the repositories have them.
pub fn packages(distribution: &Distribution) -> Vec<String> {
    let is_debian =
        distribution.id == "debian" || distribution.like.iter().any(|id| id == "debian");
    let names: &[&str] = if is_debian {
        &["libvma", "libvma-utils", "ibverbs-providers", "rdma-core"]
    } else {
        &["libvma", "libvma-utils", "libibverbs", "rdma-core"]
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Whether a target, by its key, is one that this domain makes.
pub fn makes(key: &str) -> bool {
    let files = [
        RULES_FILE,
        ENVIRONMENT_FILE,
        application::LAUNCHER,
        modules::LOAD_FILE,
        modules::MLX4_FILE,
    ];
    key.starts_with("packages:")
        || key
            .strip_prefix("file:")
            .is_some_and(|path| files.contains(&path) || path.ends_with(application::UNIT))
}

impl Domain for Vma {
    fn name(&self) -> &'static str {
        "vma"
    }

    fn docs(&self) -> &'static [Doc] {
        docs::DOCS
    }

    fn desire(&self, cx: &Context<'_>) -> Desired {
        let mut desired = Desired::default();
        if !cx.profile.vma.is_wanted() {
            return desired;
        }
        let Some(facts) = &cx.host.vma else {
            desired.skipped.push(Skipped {
                id: "vma".to_owned(),
                verdict: Verdict::Unknown,
                reason: "what libvma needs was not read".to_owned(),
                fix: None,
            });
            return desired;
        };
        if cx.profile.vma.install {
            desired.settings.push(package_setting(cx, facts));
        }
        modules::desire(cx, facts, &mut desired);
        rules::desire(cx, facts, &mut desired);
        parameters::desire(cx, &mut desired);
        application::desire(cx, &mut desired);
        desired
    }

    fn prove(&self, setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Result<Proofs> {
        let what = setting.id.trim_start_matches("vma/");
        Ok(match what {
            "packages" => prove_packages(reader),
            "modules" | "mlx4" => modules::prove(what, cx, reader),
            "rules" => rules::prove(setting, cx, reader),
            "launcher" | "application" => application::prove(setting, reader),
            name => parameters::prove(name, setting, reader),
        })
    }
}

fn package_setting(cx: &Context<'_>, facts: &Facts) -> Setting {
    let packages = packages(&cx.host.distribution);
    Setting {
        id: "vma/packages".to_owned(),
        desired: packages[0].clone(),
        when: When::Now,
        doc: docs::of("packages"),
        note: ports::none_capable(cx).then(|| {
            "no port of this host is driven by mlx5 or mlx4: libvma has nothing to offload"
                .to_owned()
        }),
        // What is there, from wherever, is not installed again.
        artifacts: if facts.library.is_some() && !held_by_packages(facts) {
            Vec::new()
        } else {
            vec![Artifact::Packages { names: packages }]
        },
    }
}

/// Whether the library is where packages put it; one in /usr/local is somebody's own.
fn held_by_packages(facts: &Facts) -> bool {
    facts
        .library
        .as_ref()
        .is_some_and(|path| !path.starts_with("/usr/local"))
}

fn prove_packages(reader: &Reader<'_>) -> Proofs {
    let installed = match library(reader.root()) {
        Some(path) => Proof::Holds(path.display().to_string()),
        None => Proof::Differs("not installed".to_owned()),
    };
    Proofs {
        saved: installed.clone(),
        live: installed,
        effect: Proof::None("hftune vma check asks the library itself".to_owned()),
        fix: Some("hftune vma install".to_owned()),
    }
}

/// Whether a file is as it is to be.
fn file_proof(reader: &Reader<'_>, path: &str, content: &str) -> Proof {
    match reader.text(path) {
        Ok(text) if *text == *content => Proof::Holds(path.to_owned()),
        Ok(_) => Proof::Differs(format!("{path} is not as hftune writes it")),
        Err(e) if e.kind == hftune_model::Kind::Missing => {
            Proof::Differs(format!("{path} is missing"))
        }
        Err(e) => Proof::Unknown(e.to_string()),
    }
}
