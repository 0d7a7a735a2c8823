//! `/etc/libvma.conf`.

use hftune_model::finding::{Proof, Proofs, Skipped};
use hftune_model::host::Vma as Facts;
use hftune_model::names::IfName;
use hftune_model::setting::{Artifact, Setting, When};
use hftune_model::vma::{PortAddress, RULES_FILE, rules};
use hftune_sys::Reader;

use super::{docs, file_proof, ports};
use crate::unit::HEADER;
use crate::{Context, Desired};

/// The rules before ports are chosen: all that a card can carry, but for DNS.
fn first() -> String {
    format!(
        "{HEADER}# \"hftune vma configure IF...\" narrows it to the addresses of ports.\n\
         application-id * *\nuse os udp_connect *:53:*:*\n"
    )
}

/// The rules for the chosen ports.
fn for_ports(ports: &[(&str, PortAddress)]) -> String {
    let mut header = HEADER.to_owned();
    for (name, of) in ports {
        use std::fmt::Write as _;
        let _ = writeln!(header, "# {name}: {}/{}", of.address, of.prefix);
    }
    rules::render(&header, ports)
}

pub(super) fn desire(cx: &Context<'_>, facts: &Facts, desired: &mut Desired) {
    let chosen = ports::chosen(cx, facts);
    if chosen.is_empty() {
        match &facts.rules {
            Some(text) if !text.starts_with(HEADER) => {
                desired.skipped.push(Skipped::not_applicable(
                    "vma/rules",
                    format!("{RULES_FILE} is not hftune's and stays; hftune vma configure IF... writes rules for ports"),
                ));
            }
            _ => desired
                .settings
                .push(setting("every socket but DNS".to_owned(), None, first())),
        }
        return;
    }
    let mut fit = Vec::new();
    let mut unfit = Vec::new();
    for (name, address) in chosen {
        match address {
            Ok(address) => fit.push((name, address)),
            Err(refused) => unfit.push((name, refused)),
        }
    }
    if let Some(trap) = ports::same_network(&fit) {
        desired.warnings.push(format!("vma/rules: {trap}"));
    }
    let shown = fit
        .iter()
        .map(|(name, of)| format!("{name} {}", of.address))
        .collect::<Vec<_>>()
        .join(", ");
    if unfit.is_empty() {
        desired.settings.push(setting(shown, None, for_ports(&fit)));
        return;
    }
    // What is there stays until every port can be served: half of the rules would send the other half's sockets to the
    // kernel, unnoticed.
    let told: Vec<String> = unfit.iter().map(|(_, r)| r.why.clone()).collect();
    let names: Vec<&str> = cx.profile.vma.ports.iter().map(IfName::as_str).collect();
    let mut kept = setting(names.join(", "), Some(told.join("; ")), String::new());
    kept.artifacts = match &facts.rules {
        Some(text) => vec![artifact(text.clone())],
        None => Vec::new(),
    };
    desired.settings.push(kept);
}

fn setting(desired: String, note: Option<String>, content: String) -> Setting {
    Setting {
        id: "vma/rules".to_owned(),
        desired,
        when: When::Now,
        doc: docs::of("rules"),
        note,
        artifacts: vec![artifact(content)],
    }
}

fn artifact(content: String) -> Artifact {
    Artifact::File {
        path: RULES_FILE.into(),
        content,
        mode: 0o644,
    }
}

pub(super) fn prove(setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Proofs {
    let unfit = cx.host.vma.as_ref().and_then(|facts| {
        ports::chosen(cx, facts)
            .into_iter()
            .find_map(|(_, address)| address.err())
    });
    let (saved, fix) = match (unfit, setting.artifacts.first()) {
        (Some(refused), _) => (
            Proof::Unknown("the rules cannot be told".to_owned()),
            Some(refused.remedy),
        ),
        (None, Some(Artifact::File { content, .. })) => (saved(reader, content), None),
        (None, _) => (Proof::Unknown("no rules are wanted".to_owned()), None),
    };
    Proofs {
        saved,
        live: Proof::None("applications read them at their start".to_owned()),
        effect: Proof::None("hftune vma check reads them as libvma does".to_owned()),
        fix,
    }
}

/// Where only rules differ, the first that is missing is told: that is the address that changed.
fn saved(reader: &Reader<'_>, content: &str) -> Proof {
    let proof = file_proof(reader, RULES_FILE, content);
    if !matches!(proof, Proof::Differs(_)) {
        return proof;
    }
    let Ok(text) = reader.text(RULES_FILE) else {
        return proof;
    };
    let missing = content
        .lines()
        .find(|line| line.starts_with("use vma") && !text.lines().any(|known| known == *line));
    match missing {
        Some(rule) => Proof::Differs(format!("\"{rule}\" is not in {RULES_FILE}")),
        None => proof,
    }
}
