//! CPU affinity of threads.

use std::io::Error as IoError;
use std::path::Path;

use hftune_model::{CpuSet, Error, Result, cpuset::MAX_CPU};

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

fn failed(doing: &str, pid: u32) -> Error {
    Error::io(
        doing,
        Path::new(&format!("/proc/{pid}")),
        &IoError::last_os_error(),
    )
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
