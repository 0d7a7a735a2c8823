//! An instance of the kernel's trace of our own (Documentation/trace/ftrace.rst, "Instances"): its buffers and events are
//! apart from everybody else's, and are gone with it.

use std::fs::File;
use std::io::Error as IoError;
use std::path::{Path, PathBuf};

use hftune_model::{CpuSet, Error, Kind, Result};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::Root;

/// Where tracefs is; the kernel makes the directory.
const TRACEFS: &str = "/sys/kernel/tracing";

/// Our instances are named after the process that made them.
const PREFIX: &str = "hftune-";

/// An instance, removed when it is dropped.
#[derive(Debug)]
pub struct Instance<'r> {
    root: &'r Root,
    directory: PathBuf,
}

/// Mounts tracefs where only this process sees it, if it is not mounted already. To be called while the process has one
/// thread: those that are started later see it too.
///
/// # Errors
/// Without the right to mount, and where the kernel has no tracefs.
pub fn mount_for_us(root: &Root) -> Result<()> {
    if !root.is_live() {
        return Err(Error::new(
            Kind::Missing,
            "a directory tree has no running kernel to trace",
        ));
    }
    if root.exists(Path::new(TRACEFS).join("trace_clock")) {
        return Ok(());
    }
    let fail = |doing: &str, error: rustix::io::Errno| {
        let error: IoError = error.into();
        Error::io(doing, Path::new(TRACEFS), &error)
    };
    // SAFETY: only the mount namespace changes, and with it nothing that memory or file descriptors depend on.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }
        .map_err(|e| fail("make a mount namespace for", e))?;
    // Without this the mount would reach everybody.
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .map_err(|e| fail("keep to this process the mount of", e))?;
    mount("tracefs", TRACEFS, "tracefs", MountFlags::empty(), None).map_err(|e| fail("mount", e))
}

impl<'r> Instance<'r> {
    /// Makes an instance that traces these events, `SYSTEM:NAME` each, on these CPUs, with a buffer of `kib` KiB for each of
    /// them. Events that this kernel does not have are left out; it is not started yet.
    pub fn create(
        root: &'r Root,
        clock: &str,
        cpus: &CpuSet,
        kib: u32,
        events: &[String],
    ) -> Result<Self> {
        let instances = Path::new(TRACEFS).join("instances");
        remove_stale(root, &instances);
        let directory = instances.join(format!("{PREFIX}{}", std::process::id()));
        root.make_dirs(&directory, 0o700)?;
        let instance = Self { root, directory };
        instance.set("tracing_on", "0")?;
        instance.set("trace_clock", clock)?;
        instance.set("options/overwrite", "1")?;
        instance.set("tracing_cpumask", &cpus.to_mask())?;
        for cpu in cpus.iter() {
            instance.set(
                &format!("per_cpu/cpu{cpu}/buffer_size_kb"),
                &kib.to_string(),
            )?;
        }
        for event in events {
            let switch = format!("events/{}/enable", event.replace(':', "/"));
            if root.exists(instance.directory.join(&switch)) {
                instance.set(&switch, "1")?;
            }
        }
        Ok(instance)
    }

    fn set(&self, name: &str, value: &str) -> Result<()> {
        self.root.write_kernel(self.directory.join(name), value)
    }

    /// Starts or stops recording.
    pub fn record(&self, on: bool) -> Result<()> {
        self.set("tracing_on", if on { "1" } else { "0" })
    }

    /// The names of the events of a system.
    pub fn events_of(root: &Root, system: &str) -> Vec<String> {
        root.list(Path::new(TRACEFS).join("events").join(system))
            .unwrap_or_default()
    }

    /// What was recorded on a CPU, as text, oldest first. The recording is left as it is.
    pub fn text(&self, cpu: u32) -> Result<File> {
        let path = self.directory.join(format!("per_cpu/cpu{cpu}/trace"));
        let fd = self
            .root
            .open(
                &path,
                rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC,
            )
            .map_err(|e| Error::io("read the trace", &path, &e))?;
        Ok(File::from(fd))
    }

    /// How many events of a CPU were lost because its buffer was full.
    pub fn lost(&self, cpu: u32) -> Result<u64> {
        let stats = self
            .root
            .read_text(self.directory.join(format!("per_cpu/cpu{cpu}/stats")))?;
        let count = |name: &str| -> u64 {
            let line = stats.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim().parse().ok())
                .unwrap_or_default()
        };
        Ok(count("overrun:") + count("dropped events:"))
    }
}

impl Drop for Instance<'_> {
    fn drop(&mut self) {
        let _ = self.record(false);
        let _ = self.root.remove_empty_dir(&self.directory);
    }
}

/// Removes the instances of processes that were killed.
fn remove_stale(root: &Root, instances: &Path) {
    for name in root.list(instances).unwrap_or_default() {
        let Some(pid) = name
            .strip_prefix(PREFIX)
            .and_then(|pid| pid.parse::<u32>().ok())
        else {
            continue;
        };
        if !root.exists(format!("/proc/{pid}")) {
            let _ = root.remove_empty_dir(instances.join(name));
        }
    }
}
