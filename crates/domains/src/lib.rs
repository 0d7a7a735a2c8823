//! What is tuned: one file per domain, each of the same shape, and one list of all of them.
//!
//! A domain is three things: the words of its settings ([`Domain::docs`]), what it wants of a host
//! ([`Domain::desire`], pure), and how each setting is proved ([`Domain::prove`], which only reads). Writing is not
//! here: the engine makes the artifacts so that [`Domain::desire`] names.

use std::path::Path;

use hftune_model::Result;
use hftune_model::cpu_plan::CpuPlan;
use hftune_model::finding::{Proofs, Skipped};
use hftune_model::host::Host;
use hftune_model::profile::Profile;
use hftune_model::setting::{Doc, Setting};
use hftune_sys::Reader;

pub mod boot;
pub mod conflicts;
pub mod cpu_split;
pub mod hugepages;
pub mod irq;
pub mod irqbalance;
pub mod limits;
pub mod power;
pub mod rps;
pub mod services;
pub mod sysctl;
mod sysctl_docs;
pub mod sysctl_files;
#[cfg(test)]
mod test_tree;
pub mod thp;
pub mod threads;
pub mod unit;
pub mod workqueue;

/// Every domain, in the order in which reports show them. Help, docs and verify derive from this list.
pub const ALL: &[&dyn Domain] = &[
    &sysctl::Sysctl,
    &boot::Boot,
    &hugepages::Hugepages,
    &threads::Threads,
    &irq::Irq,
    &irqbalance::Irqbalance,
    &rps::Rps,
    &workqueue::Workqueue,
    &thp::Thp,
    &power::Power,
    &services::Services,
    &limits::Limits,
];

/// What a domain decides from.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The facts.
    pub host: &'a Host,
    /// What the operator wants.
    pub profile: &'a Profile,
    /// The split of the CPUs.
    pub cpus: &'a CpuPlan,
    /// The installed binary that units call.
    pub binary: &'a Path,
    /// Whether the operator overrides guards that are only advice.
    pub force: bool,
}

/// What a domain wants of a host.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// The settings.
    pub settings: Vec<Setting>,
    /// Settings of the profile that this host does not get, with the reason.
    pub skipped: Vec<Skipped>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// A tuning domain.
pub trait Domain: Sync {
    /// The first part of its ids: `sysctl` in `sysctl/vm.swappiness`.
    fn name(&self) -> &'static str;

    /// The words of its settings.
    fn docs(&self) -> &'static [Doc];

    /// What it wants of this host. Pure: the same facts and profile give the same answer.
    fn desire(&self, cx: &Context<'_>) -> Desired;

    /// Reads the three proofs of one of its settings.
    ///
    /// A file that is missing or unreadable is told as such in the proof; an error is for what makes every further
    /// proof worthless.
    fn prove(&self, setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Result<Proofs>;
}

/// The words of a setting: the exact id first, else its family (`irq/NAME` for `irq/ens1f0-rx-3`).
pub fn doc_of(id: &str) -> Option<&'static Doc> {
    let docs = || ALL.iter().flat_map(|domain| domain.docs());
    let domain = id.split('/').next()?;
    docs().find(|doc| doc.id == id).or_else(|| {
        docs().find(|doc| {
            doc.id.split_once('/').is_some_and(|(of, name)| {
                of == domain && name.chars().next().is_some_and(|c| c.is_ascii_uppercase())
            })
        })
    })
}
