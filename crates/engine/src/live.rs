//! Live: what the units do at boot. Kernel values of some domains, as the profile in force has them; no file is touched.

use hftune_model::Result;
use hftune_model::names::IfName;
use hftune_model::port_change::PortChange;
use hftune_model::setting::{Artifact, Setting};
use hftune_model::transaction::Outcome;
use hftune_sys::{Reader, Root};

use crate::in_force::{Choices, InForce};
use crate::machine::{Asked, Machine, desired, resolve};
use crate::port;
use crate::profile::built_in;
use crate::target;

/// What became of the values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// Values that were written.
    pub written: usize,
    /// Values that were as desired already.
    pub unchanged: usize,
    /// What the kernel refused, with its answer.
    pub refused: Vec<String>,
    /// What was used in place of what cannot be used.
    pub warnings: Vec<String>,
}

/// Makes the kernel hold the values of these domains, or of a part of one (`nic/ens1f0`).
///
/// What the kernel refuses does not stop the rest, and is no failure of the boot: verify judges it.
pub fn apply(root: &Root, domains: &[String]) -> Result<Applied> {
    let machine = Machine::with_profile(root, asked(root)?);
    let wanted = wanted(&machine, domains);
    let reader = Reader::new(root);
    let mut applied = Applied {
        warnings: machine.warnings.clone(),
        ..Applied::default()
    };
    if let Some(refused) = &machine.refused {
        applied
            .warnings
            .push(format!("{}: {}", refused.id, refused.reason));
    }
    for artifact in wanted.iter().flat_map(|setting| &setting.artifacts) {
        let result = match artifact {
            Artifact::Port { change, .. } if root.is_live() => {
                set_port(root, artifact, change, &mut applied);
                continue;
            }
            _ if target::in_place(&reader, artifact) => {
                applied.unchanged += 1;
                continue;
            }
            Artifact::Kernel { path, value, .. } => root.write_kernel(path, value),
            Artifact::Thread { pid, comm, cpus } if root.is_live() => {
                target::move_thread(root, *pid, comm, cpus)
            }
            _ => continue,
        };
        match result {
            Ok(()) => applied.written += 1,
            Err(e) => applied.refused.push(e.to_string()),
        }
    }
    Ok(applied)
}

/// Whether a port holds anything else than the profile in force wants of it. What cannot be read does not count.
pub fn port_differs(root: &Root, port: &IfName) -> Result<bool> {
    let machine = Machine::with_profile(root, asked(root)?);
    let wanted = wanted(&machine, &[format!("nic/{port}")]);
    let differs = |artifact: &Artifact| match artifact {
        Artifact::Port { change, .. } => {
            let now = port::now(root, artifact.port_id().unwrap_or_default(), change);
            now.is_ok_and(|now| now != *change)
        }
        _ => false,
    };
    Ok(wanted
        .iter()
        .flat_map(|setting| &setting.artifacts)
        .any(differs))
}

/// The settings of these domains, or of these parts of one.
fn wanted(machine: &Machine<'_>, domains: &[String]) -> Vec<Setting> {
    let of = |name: &str| {
        domains
            .iter()
            .any(|asked| asked.split('/').next() == Some(name))
    };
    let mut settings = desired(&machine.context(), of).settings;
    settings.retain(|setting| {
        domains.iter().any(|asked| {
            let rest = setting.id.strip_prefix(asked.as_str());
            rest.is_some_and(|rest| rest.starts_with('/'))
        })
    });
    settings
}

/// Sets values of a port that differ. It is read at this moment, since what was set before may have changed it.
fn set_port(root: &Root, artifact: &Artifact, change: &PortChange, applied: &mut Applied) {
    let id = artifact.port_id().unwrap_or_default();
    match port::now(root, id, change) {
        Ok(now) if now == *change => applied.unchanged += 1,
        Ok(_) => match port::set(root, id, change) {
            Outcome::Made => applied.written += 1,
            Outcome::Rounded { got } => {
                applied.written += 1;
                applied
                    .warnings
                    .push(format!("{id}: the driver made it {got}"));
            }
            Outcome::Refused { why } | Outcome::Untried { why } | Outcome::Failed { why } => {
                applied.refused.push(why);
            }
        },
        Err(e) => applied.refused.push(e.in_one_line()),
    }
}

/// The setup in force, its `--force` included. Where its record is damaged, the profile of the host, else the built-in
/// one: a boot with the wrong values of a few settings is better than one with none.
fn asked(root: &Root) -> Result<Asked> {
    let (in_force, damage) = InForce::read_or_warn(root)?;
    if let Some(in_force) = in_force {
        return Ok(Asked {
            choices: in_force.choices.clone(),
            resolved: in_force.into_resolved(),
            warnings: Vec::new(),
        });
    }
    match (resolve(root, Choices::default()), damage) {
        // Its warning is in what was resolved, too.
        (Err(e), Some(damage)) => Ok(Asked {
            choices: Choices::default(),
            resolved: built_in("hft").expect("hft is built in"),
            warnings: vec![
                damage,
                format!("{e}; the built-in profile is used in its place"),
            ],
        }),
        (resolved, _) => resolved,
    }
}
