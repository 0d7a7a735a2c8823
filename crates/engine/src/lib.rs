//! The verbs: read the host, plan, apply, verify, roll back.
//!
//! [`machine::Machine`] holds the data flow; [`apply`] and [`rollback`] are the only places that write, and each writes
//! to the [`journal`] first.

pub mod apply;
mod arguments;
mod boot_words;
pub mod capture;
pub mod confirm;
pub mod cut_links;
pub mod drift;
pub mod export;
pub mod from_host;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod host;
pub mod import;
pub mod in_force;
pub mod installed;
pub mod journal;
pub mod launch;
pub mod live;
pub mod machine;
pub mod nic_units;
pub mod packages;
pub mod plan;
pub mod port;
pub mod profile;
pub mod redact;
mod refused_irqs;
pub mod rollback;
pub mod run_check;
pub mod secrets;
pub mod target;
pub mod units;
pub mod vma_check;
pub mod vma_stats;
