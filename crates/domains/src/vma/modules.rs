//! Kernel modules: those that libvma needs, and the option of mlx4.

use std::path::Path;

use hftune_model::finding::{Proof, Proofs, Skipped, Verdict};
use hftune_model::host::{Module, Vma as Facts};
use hftune_model::setting::{Artifact, Setting, When};
use hftune_sys::Reader;

use super::{docs, file_proof, ports};
use crate::unit::HEADER;
use crate::{Context, Desired};

/// Every module that some card needs.
pub const ALL: &[&str] = &["ib_uverbs", "rdma_ucm", "mlx5_ib", "mlx4_ib"];

/// Ours (modules-load.d(5), modprobe.d(5)).
pub(super) const LOAD_FILE: &str = "/etc/modules-load.d/hftune-vma.conf";
pub(super) const MLX4_FILE: &str = "/etc/modprobe.d/hftune-mlx4.conf";

/// `/sbin` is `/usr/sbin` where the two are merged, and holds modprobe where they are not.
const MODPROBE: &str = "/sbin/modprobe";

const MLX4_OPTION: &str = "log_num_mgm_entry_size";

/// The modules that the cards of this host need.
fn needed(cx: &Context<'_>) -> Vec<&'static str> {
    let capable: Vec<_> = cx.host.nics.iter().filter(|nic| nic.vma_capable).collect();
    let mlx4 = capable.iter().any(|nic| ports::is_mlx4(nic));
    let mlx5 = capable.iter().any(|nic| !ports::is_mlx4(nic));
    ALL.iter()
        .copied()
        .filter(|name| match *name {
            "mlx5_ib" => mlx5,
            "mlx4_ib" => mlx4,
            _ => mlx4 || mlx5,
        })
        .collect()
}

fn load_file(cx: &Context<'_>) -> String {
    format!("{HEADER}{}\n", needed(cx).join("\n"))
}

fn mlx4_file() -> String {
    format!("{HEADER}options mlx4_core {MLX4_OPTION}=-1\n")
}

pub(super) fn desire(cx: &Context<'_>, facts: &Facts, desired: &mut Desired) {
    let needed = needed(cx);
    if needed.is_empty() {
        desired.skipped.push(Skipped::not_applicable(
            "vma/modules",
            "no port of this host is driven by mlx5 or mlx4",
        ));
        return;
    }
    let of = |name: &&str| facts.modules.get(*name).copied();
    let absent: Vec<&str> = needed
        .iter()
        .filter(|name| of(name) == Some(Module::Absent))
        .copied()
        .collect();
    if !absent.is_empty() {
        desired.skipped.push(Skipped {
            id: "vma/modules".to_owned(),
            verdict: Verdict::NotPermitted,
            reason: format!(
                "this kernel has no module {}: libvma cannot reach the card",
                absent.join(", ")
            ),
            fix: Some(format!(
                "install the package with the rest of the kernel's modules (kernel-modules-extra, linux-modules-extra-{}), then \
                 hftune setup",
                cx.host.kernel.release
            )),
        });
        return;
    }
    let path = Path::new(LOAD_FILE);
    let waiting = needed
        .iter()
        .any(|name| of(name) == Some(Module::Available));
    let mut args = vec!["-a".to_owned(), "--".to_owned()];
    args.extend(needed.iter().map(|name| (*name).to_owned()));
    desired.settings.push(Setting {
        id: "vma/modules".to_owned(),
        desired: needed.join(" "),
        when: When::Now,
        doc: docs::of("modules"),
        note: None,
        artifacts: vec![
            Artifact::File {
                path: path.to_owned(),
                content: load_file(cx),
                mode: 0o644,
            },
            Artifact::Made {
                program: MODPROBE.into(),
                args,
                inputs: Vec::new(),
                outputs: Vec::new(),
                stale: waiting,
                in_tree: Vec::new(),
            },
        ],
    });
    if needed.contains(&"mlx4_ib") {
        desired.settings.push(Setting {
            id: "vma/mlx4".to_owned(),
            desired: format!("{MLX4_OPTION}=-1"),
            when: When::Reboot,
            doc: docs::of("mlx4"),
            note: None,
            artifacts: vec![Artifact::File {
                path: MLX4_FILE.into(),
                content: mlx4_file(),
                mode: 0o644,
            }],
        });
    }
}

pub(super) fn prove(what: &str, cx: &Context<'_>, reader: &Reader<'_>) -> Proofs {
    if what == "mlx4" {
        let path = format!("/sys/module/mlx4_core/parameters/{MLX4_OPTION}");
        // Negative and odd: the card steers (libvma, main.cpp).
        let live = match reader.value(&path) {
            Ok(Some(text)) => match text.parse::<i64>() {
                Ok(number) => Proof::of(number < 0 && number % 2 != 0, text),
                Err(_) => Proof::Unknown(format!("{path}: expected a number, found {text:?}")),
            },
            Ok(None) => Proof::Unknown(format!("{path} does not exist")),
            Err(e) => Proof::Unknown(e.to_string()),
        };
        return Proofs {
            saved: file_proof(reader, MLX4_FILE, &mlx4_file()),
            effect: live.clone(),
            live,
            fix: None,
        };
    }
    let facts = cx.host.vma.as_ref();
    let not_loaded: Vec<&str> = needed(cx)
        .into_iter()
        .filter(|name| facts.and_then(|facts| facts.modules.get(*name)) != Some(&Module::Loaded))
        .collect();
    let live = if not_loaded.is_empty() {
        Proof::Holds("loaded".to_owned())
    } else {
        Proof::Differs(format!("{} not loaded", not_loaded.join(", ")))
    };
    Proofs {
        saved: file_proof(reader, LOAD_FILE, &load_file(cx)),
        effect: live.clone(),
        live,
        fix: None,
    }
}
