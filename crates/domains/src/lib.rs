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
pub mod drift;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod hugepages;
pub mod irq;
pub mod irqbalance;
pub mod kernel;
pub mod limits;
pub mod nic;
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
pub mod vma;
pub mod workqueue;

/// Every domain, in the order in which reports show them. Help, docs and verify derive from this list.
pub const ALL: &[&dyn Domain] = &[
    &sysctl::Sysctl,
    &boot::Boot,
    &hugepages::Hugepages,
    &nic::Nic,
    &vma::Vma,
    &threads::Threads,
    &irq::Irq,
    &irqbalance::Irqbalance,
    &rps::Rps,
    &workqueue::Workqueue,
    &kernel::Kernel,
    &thp::Thp,
    &power::Power,
    &services::Services,
    &limits::Limits,
    &drift::Drift,
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
    docs()
        .find(|doc| doc.id == id)
        .or_else(|| docs().find(|doc| is_family(doc.id, id)))
}

/// Whether an id is of a family: a word in capitals stands for any text, at the end for slashes too.
fn is_family(family: &str, id: &str) -> bool {
    let mut words = family.split('/').peekable();
    let mut rest = Some(id);
    while let Some(word) = words.next() {
        let Some(text) = rest else { return false };
        let fixed = word
            .find(|c: char| c.is_ascii_uppercase())
            .unwrap_or(word.len());
        if words.peek().is_none() {
            return if fixed < word.len() {
                text.len() > fixed && text.starts_with(&word[..fixed])
            } else {
                text == word
            };
        }
        let (part, after) = match text.split_once('/') {
            Some((part, after)) => (part, Some(after)),
            None => (text, None),
        };
        let fits = if fixed < word.len() {
            part.len() > fixed && part.starts_with(&word[..fixed])
        } else {
            part == word
        };
        if !fits {
            return false;
        }
        rest = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::is_family;

    #[test]
    fn words_in_capitals_stand_for_any_text() {
        for (family, id, fits) in [
            ("irq/NAME", "irq/ens1f0-rx-3", true),
            ("irq/NAME", "irq/a/b", true),
            ("irq/NAME", "irq/", false),
            ("irq/NAME", "rps/x", false),
            ("nic/IF/ring-rx", "nic/ens1f0/ring-rx", true),
            ("nic/IF/ring-rx", "nic/ens1f0/ring-rxx", false),
            ("nic/IF/ring-rx", "nic/ens1f0", false),
            ("nic/IF/flag-NAME", "nic/ens1f0/flag-rx_cqe_compress", true),
            ("nic/IF/flag-NAME", "nic/ens1f0/flag-", false),
            ("cpus/split", "cpus/split", true),
        ] {
            assert_eq!(is_family(family, id), fits, "{family} {id}");
        }
    }
}
