//! Runs a program under ptrace(2) and, at the n-th system call that changes something, kills it, has the call fail, or has it
//! take a part of what it was given.
//!
//! On x86-64 Linux.

#![allow(dead_code, reason = "each test uses a part")]

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// What is done at a change, counted from 1.
#[derive(Clone, Copy)]
pub enum Fault<'a> {
    /// The process is killed before the call is made.
    Kill { at: usize },
    /// The call is not made, and answers with this error.
    Error { at: usize, errno: i32 },
    /// It is asked to stop (SIGTERM); the call is made.
    Stop { at: usize },
    /// A write is given half of its bytes; other calls are left alone.
    Short { at: usize },
    /// Something else is done while the process stands still before the call.
    Meanwhile { at: usize, run: &'a dyn Fn() },
}

/// How it ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Exit code; `None` where it was killed.
    pub code: Option<i32>,
    /// How many calls there were that change something.
    pub changes: usize,
}

/// `PTRACE_O_TRACESYSGOOD` marks stops at system calls with this bit.
const SYSCALL_STOP: i32 = libc::SIGTRAP | 0x80;

/// Runs the program with its output thrown away. It has one thread and starts no process.
pub fn trace(program: &str, args: &[&str], fault: Option<Fault<'_>>) -> Ended {
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let traced = || {
        // SAFETY: the call takes no pointers; the new process asks to be traced by this one.
        let answer = unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
        if answer < 0 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(())
    };
    // SAFETY: ptrace(2) is all that is called between fork and exec, and it allocates nothing.
    let child = unsafe { command.pre_exec(traced) }
        .spawn()
        .expect("start the program under ptrace");
    let pid = i32::try_from(child.id()).expect("a process id");
    // The standard library must not wait for it.
    std::mem::forget(child);
    follow(pid, fault)
}

fn follow(pid: i32, fault: Option<Fault<'_>>) -> Ended {
    let mut changes = 0;
    let mut inside = false;
    let mut answer_with = None;
    let mut began = false;
    loop {
        let status = wait(pid);
        if libc::WIFEXITED(status) {
            let code = Some(libc::WEXITSTATUS(status));
            return Ended { code, changes };
        }
        if libc::WIFSIGNALED(status) {
            return Ended {
                code: None,
                changes,
            };
        }
        let mut deliver = 0;
        if !began {
            // The stop after exec.
            began = true;
            let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL;
            request(libc::PTRACE_SETOPTIONS, pid, 0, i64::from(options));
        } else if libc::WSTOPSIG(status) == SYSCALL_STOP {
            inside = !inside;
            let mut registers = registers(pid);
            if inside {
                if changes_something(pid, &registers) {
                    changes += 1;
                    match fault {
                        Some(Fault::Kill { at }) if at == changes => {
                            // SAFETY: the process is this one's child, stopped, and not yet waited for.
                            unsafe { libc::kill(pid, libc::SIGKILL) };
                            continue;
                        }
                        Some(Fault::Stop { at }) if at == changes => {
                            // SAFETY: as above.
                            unsafe { libc::kill(pid, libc::SIGTERM) };
                        }
                        Some(Fault::Meanwhile { at, run }) if at == changes => run(),
                        Some(Fault::Error { at, errno }) if at == changes => {
                            // A number that is none: the kernel makes no call.
                            registers.orig_rax = u64::MAX;
                            set_registers(pid, &registers);
                            answer_with = Some(-i64::from(errno));
                        }
                        Some(Fault::Short { at })
                            if at == changes && is(&registers, libc::SYS_write) =>
                        {
                            registers.rdx = (registers.rdx / 2).max(1);
                            set_registers(pid, &registers);
                        }
                        _ => {}
                    }
                }
            } else if let Some(answer) = answer_with.take() {
                registers.rax = answer.cast_unsigned();
                set_registers(pid, &registers);
            }
        } else {
            deliver = libc::WSTOPSIG(status);
        }
        request(libc::PTRACE_SYSCALL, pid, 0, i64::from(deliver));
    }
}

fn is(registers: &libc::user_regs_struct, call: i64) -> bool {
    registers.orig_rax == call.cast_unsigned()
}

/// Whether a call changes what is on a disk, or has it written.
fn changes_something(pid: i32, registers: &libc::user_regs_struct) -> bool {
    let call = registers.orig_rax.cast_signed();
    let flags = match call {
        libc::SYS_openat => registers.rdx,
        // struct open_how begins with the flags (openat2(2)).
        libc::SYS_openat2 => peek(pid, registers.rdx),
        _ => 0,
    };
    let creates = u64::from((libc::O_CREAT | libc::O_TRUNC).cast_unsigned());
    let is_of_file = registers.rdi > 2;
    match call {
        libc::SYS_openat | libc::SYS_openat2 => flags & creates != 0,
        libc::SYS_write | libc::SYS_pwrite64 | libc::SYS_writev => is_of_file,
        libc::SYS_rename
        | libc::SYS_renameat
        | libc::SYS_renameat2
        | libc::SYS_unlink
        | libc::SYS_unlinkat
        | libc::SYS_rmdir
        | libc::SYS_mkdir
        | libc::SYS_mkdirat
        | libc::SYS_symlink
        | libc::SYS_symlinkat
        | libc::SYS_link
        | libc::SYS_linkat
        | libc::SYS_chmod
        | libc::SYS_fchmod
        | libc::SYS_fchmodat
        | libc::SYS_fchown
        | libc::SYS_fchownat
        | libc::SYS_fsetxattr
        | libc::SYS_ftruncate
        | libc::SYS_fsync
        | libc::SYS_fdatasync => true,
        _ => false,
    }
}

fn wait(pid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: `status` is a valid place for the answer, and `pid` a child of this thread.
    let answer = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(answer, pid, "waitpid: {}", std::io::Error::last_os_error());
    status
}

fn request(what: libc::c_uint, pid: i32, address: i64, data: i64) {
    // SAFETY: none of these requests takes a pointer into this process.
    let answer = unsafe { libc::ptrace(what, pid, address, data) };
    assert!(answer >= 0, "ptrace: {}", std::io::Error::last_os_error());
}

/// Eight bytes of the other process's memory.
fn peek(pid: i32, address: u64) -> u64 {
    // SAFETY: the request reads the other process's memory and returns it; -1 may be an error, which is then no flag of ours.
    let word = unsafe { libc::ptrace(libc::PTRACE_PEEKDATA, pid, address, 0) };
    word.cast_unsigned()
}

fn registers(pid: i32) -> libc::user_regs_struct {
    // SAFETY: a struct of numbers may be all zeros.
    let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    // SAFETY: `registers` is a valid place of the size that the request fills.
    let answer = unsafe { libc::ptrace(libc::PTRACE_GETREGS, pid, 0, &raw mut registers) };
    assert!(answer >= 0, "ptrace: {}", std::io::Error::last_os_error());
    registers
}

fn set_registers(pid: i32, registers: &libc::user_regs_struct) {
    // SAFETY: `registers` is a valid place of the size that the request reads.
    let answer = unsafe { libc::ptrace(libc::PTRACE_SETREGS, pid, 0, &raw const *registers) };
    assert!(answer >= 0, "ptrace: {}", std::io::Error::last_os_error());
}
