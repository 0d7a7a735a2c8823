//! The parameters that applications get: lines of an environment file.

use std::fmt::Write as _;

use hftune_model::CpuSet;
use hftune_model::finding::{Proof, Proofs, Skipped, Verdict};
use hftune_model::profile::vma::AUTO;
use hftune_model::setting::{Artifact, Setting, When};
use hftune_model::vma::{ENVIRONMENT_FILE, check, environment};
use hftune_sys::Reader;

use super::docs;
use crate::unit::HEADER;
use crate::{Context, Desired};

/// Room that the buffers of one application take by default, in pages of 2 MiB: 200 000 for each direction at an MTU of
/// 1500 (VMA_RX_BUFS, VMA_TX_BUFS).
const PAGES: u64 = 352;

/// A parameter as this host gets it.
struct Parameter {
    name: String,
    value: String,
    note: Option<String>,
}

pub(super) fn desire(cx: &Context<'_>, desired: &mut Desired) {
    let (mut parameters, mut skipped) = (Vec::new(), Vec::new());
    let wanted: Vec<(&str, String)> = cx.profile.vma.parameters.set().collect();
    let value_of = |name: &str| {
        wanted
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    };
    let unlocked = check::drops_locks(value_of);
    for (name, value) in &wanted {
        let drops = unlocked.as_deref() == Some(format!("{name}={value}").as_str())
            || (*name == "VMA_SPEC"
                && unlocked
                    .as_deref()
                    .is_some_and(|u| u.starts_with("VMA_SPEC")));
        if drops && !cx.profile.vma.one_socket_thread && !cx.force {
            skipped.push(Skipped {
                id: id(name),
                verdict: Verdict::NotPermitted,
                reason: format!(
                    "{name}={value} drops libvma's locks, which is safe only where one thread of an application uses sockets"
                ),
                fix: Some(
                    "write one_socket_thread = true under [vma] of the profile, or VMA_THREAD_MODE = 1 beside it".to_owned(),
                ),
            });
            continue;
        }
        parameters.push(on_this_host(cx, name, value));
    }
    let mut content = HEADER.to_owned();
    for Parameter { name, value, .. } in &parameters {
        let _ = writeln!(content, "{name}={value}");
    }
    let file = Artifact::File {
        path: ENVIRONMENT_FILE.into(),
        content,
        mode: 0o644,
    };
    desired
        .settings
        .extend(parameters.into_iter().map(|p| Setting {
            id: id(&p.name),
            desired: p.value,
            when: When::Now,
            doc: docs::of_parameters(),
            note: p.note,
            artifacts: vec![file.clone()],
        }));
    desired.skipped.extend(skipped);
}

fn id(name: &str) -> String {
    format!("vma/{name}")
}

/// The value for this host, where the profile leaves it open or the host cannot have it.
fn on_this_host(cx: &Context<'_>, name: &str, value: &str) -> Parameter {
    let (value, note) = match (name, value) {
        ("VMA_INTERNAL_THREAD_AFFINITY", AUTO) => helper_cpu(cx),
        ("VMA_INTERNAL_THREAD_AFFINITY", cpus) => (cpus.to_owned(), on_isolated(cx, cpus)),
        ("VMA_MEM_ALLOC_TYPE", "2") => huge_pages(cx),
        (_, value) => (value.to_owned(), None),
    };
    Parameter {
        name: name.to_owned(),
        value,
        note,
    }
}

/// A housekeeping CPU on the node of the card: the helper thread and the application share its cache and memory. The
/// last one, since the first CPUs of a host have the most to do.
fn helper_cpu(cx: &Context<'_>) -> (String, Option<String>) {
    let housekeeping = &cx.cpus.housekeeping;
    let nodes: Vec<u32> = cx
        .host
        .nics
        .iter()
        .filter(|nic| {
            let chosen = &cx.profile.vma.ports;
            if chosen.is_empty() {
                nic.vma_capable
            } else {
                chosen.iter().any(|name| name.as_str() == nic.name)
            }
        })
        .filter_map(|nic| nic.node)
        .collect();
    let near: CpuSet = cx
        .host
        .nodes
        .iter()
        .filter(|node| nodes.contains(&node.id))
        .flat_map(|node| node.cpus.iter())
        .filter(|cpu| housekeeping.contains(*cpu))
        .collect();
    let last = |set: &CpuSet| set.iter().last().map(|cpu| cpu.to_string());
    match (last(&near), last(housekeeping)) {
        (Some(cpu), _) => (cpu, None),
        (None, Some(cpu)) => {
            let note = (!nodes.is_empty()).then(|| {
                "the card's node has no housekeeping CPU: the helper thread is on another one"
                    .to_owned()
            });
            (cpu, note)
        }
        (None, None) => (
            "0".to_owned(),
            Some("no CPU serves the OS here: the helper thread is on CPU 0".to_owned()),
        ),
    }
}

fn on_isolated(cx: &Context<'_>, cpus: &str) -> Option<String> {
    let isolated = check::cpus(cpus)?.intersection(&cx.cpus.isolated);
    (!isolated.is_empty()).then(|| {
        format!("CPU {isolated} is isolated for the application, and libvma's helper thread disturbs it; \"auto\" chooses another")
    })
}

fn huge_pages(cx: &Context<'_>) -> (String, Option<String>) {
    let there: u64 = cx
        .host
        .nodes
        .iter()
        .flat_map(|node| node.huge_pages.values())
        .map(|pool| pool.total)
        .sum();
    let wanted = &cx.profile.hugepages;
    let count = if wanted.nodes.is_empty() {
        wanted.count
    } else {
        wanted.nodes.values().sum()
    };
    if there == 0 && count == 0 {
        let note =
            "this host has no huge pages, and the profile wants none: libvma takes ordinary memory";
        return ("0".to_owned(), Some(note.to_owned()));
    }
    let short = wanted.size.0 == 2 << 20 && there.max(count) < PAGES;
    let note = short.then(|| {
        format!("one application with the usual number of buffers takes about {PAGES} huge pages, and there are {}", there.max(count))
    });
    ("2".to_owned(), note)
}

pub(super) fn prove(name: &str, setting: &Setting, reader: &Reader<'_>) -> Proofs {
    let saved = match reader.text(ENVIRONMENT_FILE) {
        Ok(text) => {
            // Of several lines systemd takes the last.
            let value = environment::parse(&text)
                .into_iter()
                .rfind(|variable| variable.name == name)
                .map(|variable| variable.value);
            match value {
                Some(value) => Proof::of(value == setting.desired, value),
                None => Proof::Differs(String::new()),
            }
        }
        Err(e) if e.kind == hftune_model::Kind::Missing => Proof::Differs(String::new()),
        Err(e) => Proof::Unknown(e.to_string()),
    };
    Proofs {
        saved,
        live: Proof::None("applications read it at their start".to_owned()),
        effect: Proof::None("hftune vma check asks the library itself".to_owned()),
        fix: None,
    }
}
