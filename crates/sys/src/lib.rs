//! The only crate that touches the machine.
//!
//! **Invariant:** every read and write of a file goes through a [`Root`]; every process is started by [`exec`]. With a
//! root other than `/` no process is started and no system call asks the running kernel for anything but files.

pub mod archive;
pub mod ethtool;
pub mod exec;
pub mod identity;
mod in_root;
pub mod lock;
mod memory;
pub mod network;
pub mod program;
pub mod reader;
pub mod record;
pub mod replay;
mod resolve;
pub mod rlimit;
pub mod root;
pub mod sched;
pub mod signals;
pub mod time;
pub mod tracing;
pub mod watcher;
pub mod write;

pub use reader::Reader;
pub use root::Root;
pub use rustix::fs::FileType;
