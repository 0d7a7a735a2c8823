//! Statistics of running applications, as `vma_stats` prints them.

use std::path::{Path, PathBuf};

use hftune_model::vma::sockets::{Socket, parse};
use hftune_model::{Error, Kind, Result};
use hftune_sys::{Root, exec};

/// Where libvma leaves the files that vma_stats reads: by default, and from `vma-app@.service`.
const DEFAULT_DIRECTORY: &str = "/tmp";
const UNIT_DIRECTORY: &str = "/run/vma-app";

/// The program, where packages and administrators put it.
const PROGRAMS: [&str; 2] = ["/usr/bin/vma_stats", "/usr/local/bin/vma_stats"];

/// A process that has statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its short name; empty where it is gone, and its file is left over.
    pub name: String,
    /// Where its file is.
    pub directory: PathBuf,
}

/// The processes that have statistics.
pub fn processes(root: &Root) -> Vec<Process> {
    let mut directories = vec![PathBuf::from(DEFAULT_DIRECTORY)];
    let instances = root.list(UNIT_DIRECTORY).unwrap_or_default();
    directories.extend(
        instances
            .iter()
            .map(|name| Path::new(UNIT_DIRECTORY).join(name)),
    );
    let mut processes = Vec::new();
    for directory in directories {
        for file in root.list(&directory).unwrap_or_default() {
            let Some(pid) = file
                .strip_prefix("vmastat.")
                .and_then(|pid| pid.parse().ok())
            else {
                continue;
            };
            let name = root
                .read_text(format!("/proc/{pid}/comm"))
                .map_or_else(|_| String::new(), |name| name.trim().to_owned());
            processes.push(Process {
                pid,
                name,
                directory: directory.clone(),
            });
        }
    }
    processes
}

/// The sockets of a process. What the program prints is believed, and its exit code is not: it is 0 for a process that it
/// does not find.
pub fn sockets(root: &Root, process: &Process) -> Result<Vec<Socket>> {
    let program = PROGRAMS
        .iter()
        .map(Path::new)
        .find(|path| root.exists(path))
        .ok_or_else(|| {
            Error::new(Kind::Missing, "vma_stats is not installed")
                .hint("install the package libvma-utils, then hftune vma stats")
        })?;
    if !root.is_live() {
        return Err(Error::new(
            Kind::Missing,
            "no program is started for a directory tree",
        ));
    }
    let pid = process.pid.to_string();
    let directory = process.directory.display().to_string();
    // -F leaves files of processes that are gone; -c 1 ends after one look.
    let args = ["-p", &pid, "-k", &directory, "-v", "3", "-c", "1", "-F"];
    let output = exec::run(program, &args)?;
    let sockets = parse(&output.stdout);
    let complaint = output.stderr.trim();
    if sockets.is_empty() && !complaint.is_empty() {
        return Err(Error::new(
            Kind::Command,
            format!("{} says: {complaint}", program.display()),
        ));
    }
    Ok(sockets)
}
