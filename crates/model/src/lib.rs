//! The words of hftune as types. No I/O happens here.
//!
//! Data flows one way through them:
//!
//! ```text
//! Host -> Setting -> Finding -> Plan -> Transaction -> Finding -> report
//! ```
//!
//! | word | type |
//! |---|---|
//! | host | [`host::Host`] |
//! | profile | [`profile::Profile`] |
//! | housekeeping / isolated CPUs | [`cpu_plan::CpuPlan`] |
//! | setting | [`setting::Setting`] |
//! | proof, verdict | [`finding::Proof`], [`finding::Verdict`] |
//! | plan | [`plan::Plan`] |
//! | transaction | [`transaction::Transaction`] |

pub mod cpu_plan;
pub mod cpuset;
pub mod drift;
pub mod error;
pub mod ethtool;
pub mod export;
pub mod finding;
pub mod host;
pub mod irq_map;
pub mod jitter;
pub mod knob;
pub mod names;
pub mod netlat;
pub mod others;
pub mod plan;
pub mod port_change;
pub mod profile;
pub mod quiet;
pub mod run_check;
pub mod setting;
pub mod size;
mod text_schema;
pub mod transaction;
pub mod vma;

pub use cpuset::CpuSet;
pub use error::{Error, Kind, Result};
pub use size::Size;
