//! One writer at a time.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use hftune_model::{Error, Kind, Result};
use rustix::fs::{Mode, OFlags, openat};

use crate::Root;

/// Holds the lock until it is dropped, also when the process is killed (flock(2)).
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says who holds it. `purpose` is written into the file for the next one who asks.
    pub fn take(root: &Root, path: &Path, purpose: &str) -> Result<Self> {
        Self::open(root, path, purpose, false)
    }

    /// Takes the lock as soon as nobody holds it.
    pub fn wait(root: &Root, path: &Path, purpose: &str) -> Result<Self> {
        Self::open(root, path, purpose, true)
    }

    fn open(root: &Root, path: &Path, purpose: &str, wait: bool) -> Result<Self> {
        let (dir, name) = root.parent(path)?;
        let fd = openat(
            &dir,
            &name,
            OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::from_raw_mode(0o600),
        )
        .map_err(|e| Error::io("open the lock", &root.shown(path), &e.into()))?;
        let mut file = File::from(fd);
        let locked = if wait {
            file.lock().map_err(TryLockError::Error)
        } else {
            file.try_lock()
        };
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = (&mut file).take(200).read_to_string(&mut holder);
                // It has the lock, and is about to write who it is.
                let holder = match holder.trim() {
                    "" => "it has just begun",
                    holder => holder,
                };
                return Err(Error::new(
                    Kind::Conflict,
                    format!("another hftune is at work: {holder}"),
                )
                .at(root.shown(path))
                .hint("wait until it is done, then run the command again"));
            }
            Err(TryLockError::Error(e)) => return Err(Error::io("lock it", &root.shown(path), &e)),
        }
        // The text only helps the next one who asks; the lock itself is held whether or not it can be written.
        let _ = file.set_len(0);
        let _ = file.rewind();
        // At once, so that nobody reads half of it.
        let holder = format!("process {}, {purpose}\n", std::process::id());
        let _ = file.write_all(holder.as_bytes());
        Ok(Self { _file: file })
    }
}
