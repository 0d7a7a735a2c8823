//! How quiet a CPU is: a loop that sees every gap in its own time, and the names of what made the gaps.
//!
//! The data flows one way: [`counter`] and [`clock`] tell time, [`spin`] finds gaps and puts them into a [`histogram`] and a
//! ring, [`pass`] runs it on several CPUs, [`trace`] reads what the kernel did meanwhile, [`attribution`] joins the two, and [`jitter`] makes a result of it
//! all, with what [`counters`] say.

pub mod attribution;
pub mod cause;
pub mod clock;
pub mod counter;
pub mod counters;
pub mod cpus;
pub mod histogram;
pub mod jitter;
pub mod netlat;
pub mod pass;
pub mod quiet;
pub mod spin;
pub mod trace;
pub mod watch;
