//! The time stamp counter of this CPU, read by one instruction.

/// The counter, unordered: a fence would double the cost of a turn, and a gap is far longer than what is reordered.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::inline_always, reason = "a call would be measured")]
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: every x86-64 CPU has the instruction; where it is forbidden (PR_SET_TSC) the process is killed, not undefined.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// The virtual counter (`CNTVCT_EL0`, Arm Architecture Reference Manual, D13).
#[cfg(target_arch = "aarch64")]
#[allow(clippy::inline_always, reason = "a call would be measured")]
#[inline(always)]
pub fn now() -> u64 {
    let value: u64;
    // SAFETY: Linux lets user space read this register; it has no side effect.
    unsafe { core::arch::asm!("mrs {}, cntvct_el0", out(reg) value, options(nomem, nostack)) };
    value
}

/// The CPU that runs this, as the kernel left it in a register; used off the measured path.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn cpu() -> u32 {
    let mut aux = 0;
    // SAFETY: rdtscp is there on every x86-64 CPU with an invariant counter; Linux keeps CPU and node in its register
    // (arch/x86/include/asm/segment.h, `VDSO_CPUNODE_BITS`).
    unsafe { core::arch::x86_64::__rdtscp(&raw mut aux) };
    aux & 0xfff
}

/// The same, asked of the kernel.
#[cfg(target_arch = "aarch64")]
#[inline]
pub fn cpu() -> u32 {
    hftune_sys::sched::current_cpu()
}
