//! Memory that the kernel cannot write beyond.

use std::io::Error as IoError;
use std::ptr::NonNull;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use rustix::param::page_size;

/// Bytes with a page behind them that nobody may touch.
///
/// For names and statistics the kernel writes as many as the driver has at that moment, whatever room it was told of
/// (`ethtool_get_strings` and `ethtool_get_stats`, net/ethtool/ioctl.c). A driver that has more of them than a moment ago
/// makes the request fail with EFAULT here, instead of writing into other memory.
pub(super) struct Guarded {
    start: NonNull<u8>,
    length: usize,
}

impl Guarded {
    /// At least so many bytes, all of them zero.
    pub(super) fn new(length: usize) -> Result<Self, IoError> {
        let page = page_size();
        let length = length.max(1).next_multiple_of(page);
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let start = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                length + page,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )?
        };
        let start = NonNull::new(start.cast::<u8>()).expect("the kernel maps nothing at zero");
        let guarded = Self { start, length };
        // SAFETY: the last page of the mapping made above, which nothing refers to.
        unsafe {
            mprotect(
                start.as_ptr().add(length).cast(),
                page,
                MprotectFlags::empty(),
            )?;
        }
        Ok(guarded)
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes are mapped to be read as long as `self` lives, and are zero or what was written.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }

    /// The bytes, to be written.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; `&mut self` makes this the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the whole mapping that `new` made, which nothing refers to any more.
        let result = unsafe { munmap(self.start.as_ptr().cast(), self.length + page_size()) };
        debug_assert!(result.is_ok(), "{result:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_as_large_as_asked() {
        for length in [0, 1, page_size(), page_size() + 1] {
            let mut guarded = Guarded::new(length).expect("memory");
            assert!(guarded.bytes().len() >= length);
            guarded.bytes_mut().fill(7);
            assert!(guarded.bytes().iter().all(|byte| *byte == 7));
        }
    }

    #[test]
    fn the_kernel_cannot_write_beyond_it() {
        let mut guarded = Guarded::new(1).expect("memory");
        let page = page_size();
        let zeros = rustix::fs::open(
            "/dev/zero",
            rustix::fs::OFlags::RDONLY,
            rustix::fs::Mode::empty(),
        );
        let zeros = zeros.expect("/dev/zero");
        // SAFETY: the kernel fills what is mapped, and stops at the page behind it.
        let read = unsafe {
            libc::read(
                std::os::fd::AsRawFd::as_raw_fd(&zeros),
                guarded.bytes_mut().as_mut_ptr().cast(),
                2 * page,
            )
        };
        assert!(read < isize::try_from(2 * page).expect("small"), "{read}");
    }
}
