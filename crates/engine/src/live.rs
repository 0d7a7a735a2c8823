//! Live: what the units do at boot. Kernel values of some domains, as the profile in force has them; no file is touched.

use hftune_model::Result;
use hftune_model::setting::Artifact;
use hftune_sys::{Reader, Root};

use crate::in_force::{Choices, InForce};
use crate::machine::{Asked, Machine, desired, resolve};
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

/// Makes the kernel hold the values of these domains.
///
/// What the kernel refuses does not stop the rest, and is no failure of the boot: verify judges it.
pub fn apply(root: &Root, domains: &[String]) -> Result<Applied> {
    let machine = Machine::with_profile(root, asked(root)?);
    let wanted = desired(&machine.context(), |name| {
        domains.iter().any(|domain| domain == name)
    });
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
    for artifact in wanted
        .settings
        .iter()
        .flat_map(|setting| &setting.artifacts)
    {
        let result = match artifact {
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
