//! CPU affinity and scheduling of threads.

use std::io::Error as IoError;
use std::path::Path;

use hftune_model::{CpuSet, Error, Kind, Result, cpuset::MAX_CPU};

/// Bytes of an affinity mask that holds every CPU that Linux can have.
const MASK_BYTES: usize = (MAX_CPU as usize + 1) / 8;

/// The CPUs that a thread may use; 0 is the calling thread.
pub fn affinity(pid: u32) -> Result<CpuSet> {
    let mut mask = [0u8; MASK_BYTES];
    // SAFETY: the kernel writes at most MASK_BYTES bytes into `mask`, which is that large and lives through the call.
    let written = unsafe {
        libc::syscall(
            libc::SYS_sched_getaffinity,
            pid,
            MASK_BYTES,
            mask.as_mut_ptr(),
        )
    };
    if written < 0 {
        return Err(failed("read the affinity", pid));
    }
    Ok((0..=MAX_CPU)
        .filter(|cpu| mask[*cpu as usize / 8] >> (cpu % 8) & 1 == 1)
        .collect())
}

/// Sets the CPUs that a thread may use.
///
/// EINVAL is the kernel's answer for a thread that it has bound itself (PF_NO_SETAFFINITY, kernel/sched/core.c).
pub fn set_affinity(pid: u32, cpus: &CpuSet) -> Result<()> {
    let mut mask = [0u8; MASK_BYTES];
    for cpu in cpus.iter() {
        mask[cpu as usize / 8] |= 1 << (cpu % 8);
    }
    // SAFETY: the kernel reads MASK_BYTES bytes from `mask`, which is that large and lives through the call.
    let result =
        unsafe { libc::syscall(libc::SYS_sched_setaffinity, pid, MASK_BYTES, mask.as_ptr()) };
    if result < 0 {
        return Err(failed("set the affinity", pid));
    }
    Ok(())
}

/// Sets the scheduling class of the calling thread, which exec keeps: `SCHED_FIFO` with a priority of 1 to 99, or
/// `SCHED_OTHER` with 0 (sched(7)).
///
/// EPERM, where the process has neither CAP_SYS_NICE nor a limit of that height (RLIMIT_RTPRIO), is
/// [`Kind::NeedsRoot`](hftune_model::Kind).
pub fn set_priority(priority: u8) -> Result<()> {
    let policy = if priority == 0 {
        libc::SCHED_OTHER
    } else {
        libc::SCHED_FIFO
    };
    let priority = i32::from(priority);
    // SAFETY: the kernel reads one `int` from where the third argument points, and `priority` lives through the call. The
    // C library's own function is not used, since musl's refuses to work.
    let result =
        unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority) };
    if result < 0 {
        return Err(failed("set the scheduling class", std::process::id()));
    }
    Ok(())
}

/// Has the kernel take memory of a NUMA node first, for this process and what it executes (set_mempolicy(2),
/// `MPOL_PREFERRED`). Where the node has none left, memory comes from another.
pub fn prefer_node(node: u32) -> Result<()> {
    const NODES: usize = 1024;
    let mut mask = [0u64; NODES / 64];
    let Some(word) = mask.get_mut(node as usize / 64) else {
        return Err(Error::invalid(format!("there is no NUMA node {node}")));
    };
    *word |= 1 << (node % 64);
    // SAFETY: the kernel reads NODES bits from `mask`, which is that large and lives through the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_set_mempolicy,
            libc::MPOL_PREFERRED,
            mask.as_ptr(),
            NODES,
        )
    };
    if result < 0 {
        let why = IoError::last_os_error();
        return Err(Error::new(
            Kind::Io,
            format!("cannot have memory of node {node} first: {why}"),
        ));
    }
    Ok(())
}

fn failed(doing: &str, pid: u32) -> Error {
    Error::io(
        doing,
        Path::new(&format!("/proc/{pid}")),
        &IoError::last_os_error(),
    )
}

/// The CPU that runs this.
pub fn current_cpu() -> u32 {
    // SAFETY: the call takes nothing and cannot fail on Linux.
    let cpu = unsafe { libc::sched_getcpu() };
    u32::try_from(cpu).unwrap_or(u32::MAX)
}

/// `CLOCK_MONOTONIC_RAW` in nanoseconds: the kernel's time since boot, not slewed by NTP.
pub fn raw_nanoseconds() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicRaw);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default()
}

/// What the kernel counted for the calling thread (getrusage(2), `RUSAGE_THREAD`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Page faults of both kinds.
    pub faults: u64,
    /// How often it gave up the CPU, and how often it was taken from it.
    pub switches: u64,
}

/// The counts of the calling thread.
pub fn usage() -> Usage {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel fills `usage`, which is a valid place and all zeros before.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr());
        usage.assume_init()
    };
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    Usage {
        faults: count(usage.ru_minflt) + count(usage.ru_majflt),
        switches: count(usage.ru_nvcsw) + count(usage.ru_nivcsw),
    }
}

/// Keeps some memory from being taken away; whether it was allowed to (RLIMIT_MEMLOCK). Not all of the process: its program
/// alone has megabytes.
pub fn lock_memory<T>(memory: &[T]) -> bool {
    let start = memory.as_ptr().cast_mut().cast();
    // SAFETY: the range is that of a slice; locking it changes nothing that can be seen in it.
    unsafe { rustix::mm::mlock(start, size_of_val(memory)) }.is_ok()
}

/// The number of the calling thread.
pub fn thread_id() -> u32 {
    rustix::thread::gettid().as_raw_pid().cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_set() {
        let before = affinity(0).expect("affinity");
        let one: CpuSet = before.first().into_iter().collect();
        set_affinity(0, &one).expect("set");
        assert_eq!(affinity(0).expect("affinity"), one);
        set_affinity(0, &before).expect("restore");
    }
}
