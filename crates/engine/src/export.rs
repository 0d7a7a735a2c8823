//! What a host is to be, gathered for those who write it in the words of another tool. Nothing is changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hftune_domains::boot;
use hftune_model::Result;
use hftune_model::export::{Export, Found, Sum};
use hftune_model::host::Host;
use hftune_model::setting::{Artifact, Setting};
use hftune_sys::Root;

use crate::machine::Machine;

/// Everything that the profile wants of this host.
pub fn gather(machine: &Machine<'_>) -> Result<Export> {
    let desired = machine.desired();
    let settings = desired.settings;
    let arguments = boot::words(&machine.context())
        .into_iter()
        .filter(|(id, _)| settings.iter().any(|setting| setting.id == *id))
        .collect();
    Ok(Export {
        profile: machine.resolved.profile.name.clone(),
        cpus: machine.cpus.clone(),
        layout: layout(machine.reader.root(), &machine.host),
        arguments,
        found: found(machine.reader.root(), &settings)?,
        settings,
        binary: machine.binary.clone(),
        skipped: desired.skipped,
    })
}

/// The files of `/sys` that say how the CPUs hang together, and what they hold.
fn layout(root: &Root, host: &Host) -> Vec<(String, String)> {
    const SYSTEM: &str = "/sys/devices/system";
    let mut layout = vec![(
        format!("{SYSTEM}/cpu/present"),
        host.cpus.present.to_string(),
    )];
    for node in &host.nodes {
        layout.push((
            format!("{SYSTEM}/node/node{}/cpulist", node.id),
            node.cpus.to_string(),
        ));
    }
    for core in &host.cpus.cores {
        for cpu in core.cpus.iter() {
            if !host.cpus.siblings_unknown.contains(cpu) {
                // The first is the newer name of the second.
                let files = ["core_cpus_list", "thread_siblings_list"]
                    .map(|file| format!("{SYSTEM}/cpu/cpu{cpu}/topology/{file}"));
                let there = files.into_iter().find(|file| root.exists(file));
                layout.extend(there.map(|file| (file, core.cpus.to_string())));
            }
        }
    }
    layout
}

/// What is in the place of each file.
fn found(root: &Root, settings: &[Setting]) -> Result<BTreeMap<PathBuf, Found>> {
    let mut found = BTreeMap::new();
    for artifact in settings.iter().flat_map(|setting| &setting.artifacts) {
        let (Artifact::File { path, .. } | Artifact::Link { path, .. } | Artifact::NoFile { path }) =
            artifact
        else {
            continue;
        };
        if !found.contains_key(path) {
            found.insert(path.clone(), found_at(root, path)?);
        }
    }
    Ok(found)
}

fn found_at(root: &Root, path: &Path) -> Result<Found> {
    if let Some(target) = root.link_target(path) {
        return Ok(Found::Link(target));
    }
    if !root.exists(path) {
        return Ok(Found::Absent);
    }
    Ok(Found::File(Sum::of(&root.read(path)?)))
}
