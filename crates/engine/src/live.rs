//! Live: what the units do at boot. Kernel values of some domains, as the profile in force has them; no file is touched.

use std::collections::BTreeMap;

use hftune_model::Result;
use hftune_model::profile::Resolved;
use hftune_model::setting::Artifact;
use hftune_sys::{Reader, Root};

use crate::in_force::{Choices, InForce};
use crate::machine::{Machine, desired};
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
}

/// Makes the kernel hold the values of these domains.
///
/// What the kernel refuses does not stop the rest, and is no failure of the boot: verify judges it.
pub fn apply(root: &Root, domains: &[String]) -> Result<Applied> {
    let machine = match InForce::read(root)? {
        Some(in_force) => {
            let resolved = Resolved {
                profile: in_force.profile,
                origins: BTreeMap::new(),
                layers: vec!["the last setup".to_owned()],
            };
            Machine::with_profile(root, in_force.choices, resolved)?
        }
        None => Machine::read(root, Choices::default())?,
    };
    let wanted = desired(&machine.context(), |name| {
        domains.iter().any(|domain| domain == name)
    });
    let reader = Reader::new(root);
    let mut applied = Applied::default();
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
