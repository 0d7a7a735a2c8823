//! A network device of several queues for the emulator, in a network namespace that nobody else is in.
//!
//! A virtio port has several queues only where what is behind it has them too, and of QEMU's backends that is a tap. It is
//! made by a thread that has left this machine's network for an empty one of its own, so that nothing here sees the device,
//! and the device and its namespace go with the last queue.

use anyhow::{Context, Result};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::ioctl::{Updater, ioctl, opcode};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::fs::{File, OpenOptions};
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;

/// Where the kernel makes such devices.
const DEVICE: &str = "/dev/net/tun";

/// `TUNSETIFF` and the flags of linux/if_tun.h: Ethernet frames, no header before them, several queues, and before each
/// frame what virtio says of it.
const TUNSETIFF: u32 = opcode::write::<i32>(b'T', 202);
const IFF_TAP: i16 = 0x0002;
const IFF_NO_PI: i16 = 0x1000;
const IFF_MULTI_QUEUE: i16 = 0x0100;
const IFF_VNET_HDR: i16 = 0x4000;

/// `struct ifreq` of linux/if.h, as far as `TUNSETIFF` reads it.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

/// The queues of one device; it is gone when they are closed.
pub struct Tap {
    queues: Vec<OwnedFd>,
}

impl Tap {
    /// Makes a device of `queues` queues. Needs root, and the kernel's tun module.
    pub fn open(queues: usize) -> Result<Self> {
        let made = thread::spawn(move || -> Result<Self> {
            // SAFETY: CLONE_NEWNET parts nothing that other threads of this process use, file descriptors least of all.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }
                .context("cannot leave this machine's network")?;
            let queues = (0..queues)
                .map(|_| queue())
                .collect::<Result<_>>()
                .with_context(|| format!("cannot make a device of {queues} queues"))?;
            Ok(Self { queues })
        });
        made.join().expect("the thread returns its errors")
    }

    /// The numbers by which a child knows the queues, as QEMU wants them: "10:11:12".
    pub fn numbers(&self) -> String {
        let numbers: Vec<String> = self
            .queues
            .iter()
            .map(|queue| queue.as_raw_fd().to_string())
            .collect();
        numbers.join(":")
    }

    /// Lets every child that is started from now on have the queues: to be called right before the emulator starts, and
    /// `self` to be dropped right after.
    pub fn inherit(&self) -> Result<()> {
        for queue in &self.queues {
            fcntl_setfd(queue, FdFlags::empty())?;
        }
        Ok(())
    }
}

fn queue() -> Result<OwnedFd> {
    let file: File = OpenOptions::new()
        .read(true)
        .write(true)
        .open(DEVICE)
        .context(DEVICE)?;
    let mut request = InterfaceRequest {
        name: [0; 16],
        flags: IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE | IFF_VNET_HDR,
        rest: [0; 22],
    };
    request.name[..3].copy_from_slice(b"lab");
    // SAFETY: TUNSETIFF reads and writes one struct ifreq, and the request is as large as one; its header names int, which
    // is part of the number and nothing else.
    unsafe {
        ioctl(
            &file,
            Updater::<{ TUNSETIFF }, InterfaceRequest>::new(&mut request),
        )
    }
    .context("TUNSETIFF")?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_that_of_the_kernel() {
        assert_eq!(size_of::<InterfaceRequest>(), 40);
        assert_eq!(TUNSETIFF, 0x4004_54ca);
    }
}
