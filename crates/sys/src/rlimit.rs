//! Limits of this process, which what it executes inherits (getrlimit(2)).

use hftune_model::{Error, Kind, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Bytes of memory that may be locked; `None` is no limit. The soft limit is raised to the hard one, since only that needs
/// no right.
pub fn raise_memlock() -> Option<u64> {
    let limit = getrlimit(Resource::Memlock);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if limit.current != limit.maximum && setrlimit(Resource::Memlock, raised).is_err() {
        return limit.current;
    }
    limit.maximum
}

/// The most files that this process could ever open; `None` is no limit.
pub fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// Lowers both limits of open files.
pub fn lower_open_files(most: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let lowered = Rlimit {
        current: Some(limit.current.map_or(most, |now| now.min(most))),
        maximum: Some(most),
    };
    setrlimit(Resource::Nofile, lowered).map_err(|e| {
        Error::new(
            Kind::Io,
            format!("cannot lower the limit of open files: {e}"),
        )
    })
}
