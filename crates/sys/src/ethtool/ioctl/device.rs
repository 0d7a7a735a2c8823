//! One port, asked by ioctl (net/ethtool/ioctl.c, net/core/dev_ioctl.c).

use std::ffi::c_void;
use std::io::Error as IoError;
use std::os::fd::{AsRawFd as _, OwnedFd};

use hftune_model::names::IfName;
use hftune_model::{Error, Kind, Result};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::guarded::Guarded;
use super::layout::{GET_STRINGS, HwtstampConfig, Layout, Readable, STRING, SetInfo, Settable};
use crate::ethtool::socket::failed;
use crate::ethtool::wire::Refusal;
use crate::ethtool::{Names, StringSet};

/// `SIOCETHTOOL` and `SIOCGHWTSTAMP`, include/uapi/linux/sockios.h.
const ETHTOOL: libc::Ioctl = 0x8946;
const HWTSTAMP: libc::Ioctl = 0x89b1;

/// More names than any driver has; a count beyond it is a mistake.
const MOST: usize = 1 << 20;

/// How often names and statistics are asked for anew where the driver changes their number meanwhile.
const TRIES: usize = 5;

/// Why a request came to nothing.
#[derive(Debug)]
pub enum Fault {
    /// The kernel refused it.
    Refused(Refusal),
    /// Anything else.
    Failed(Error),
}

impl Fault {
    /// Something that the interface or the port does not have.
    pub(in crate::ethtool) fn unsupported(why: impl Into<String>) -> Self {
        Self::Refused(Refusal {
            errno: libc::EOPNOTSUPP,
            why: Some(why.into()),
        })
    }

    pub(in crate::ethtool) fn is(&self, errno: i32) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.errno == errno)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<IoError> for Fault {
    fn from(error: IoError) -> Self {
        let errno = error.raw_os_error().unwrap_or(libc::EIO);
        Self::Refused(Refusal { errno, why: None })
    }
}

/// A socket for the requests; of which family is all the same to the kernel (`sock_do_ioctl`, net/socket.c).
pub(in crate::ethtool) fn open() -> Result<OwnedFd> {
    let open = |family| socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
    open(AddressFamily::UNIX)
        // A sandbox may allow only the families of the network.
        .or_else(|_| open(AddressFamily::INET))
        .map_err(|e| failed("open a socket", &e.into()))
}

/// The ports of this process's network namespace whose names hftune takes.
pub(in crate::ethtool) fn ports() -> Result<Vec<IfName>> {
    // SAFETY: the call has no arguments.
    let list = unsafe { libc::if_nameindex() };
    if list.is_null() {
        return Err(failed("list the network ports", &IoError::last_os_error()));
    }
    let mut names = Vec::new();
    let mut entry = list;
    // SAFETY: the list ends with an entry whose name is null, and each name before it is a text that ends with a zero byte;
    // all of that lives until it is freed below (if_nameindex(3)).
    unsafe {
        while !(*entry).if_name.is_null() {
            let name = std::ffi::CStr::from_ptr((*entry).if_name);
            names.extend(name.to_str().ok().and_then(|name| name.parse().ok()));
            entry = entry.add(1);
        }
        libc::if_freenameindex(list);
    }
    Ok(names)
}

/// One port.
#[derive(Debug)]
pub struct Device<'e> {
    fd: &'e OwnedFd,
    port: &'e IfName,
    names: &'e mut Names,
}

impl<'e> Device<'e> {
    pub(in crate::ethtool) fn new(fd: &'e OwnedFd, port: &'e IfName, names: &'e mut Names) -> Self {
        Self { fd, port, names }
    }

    /// # Safety
    /// `data` points to what the kernel reads and writes for this request.
    unsafe fn request(&self, request: libc::Ioctl, data: *mut c_void) -> Result<i32, IoError> {
        // SAFETY: numbers, bytes and a pointer, for all of which zero is a value.
        let mut asked: libc::ifreq = unsafe { std::mem::zeroed() };
        // A name has at most 15 bytes (IfName), so that a zero byte stays behind it.
        for (to, from) in asked.ifr_name.iter_mut().zip(self.port.as_str().bytes()) {
            *to = libc::c_char::from_ne_bytes([from]);
        }
        asked.ifr_ifru.ifru_data = data.cast();
        // SAFETY: both requests take a `struct ifreq`, which lives through the call; the caller answers for `data`.
        let result = unsafe { libc::ioctl(self.fd.as_raw_fd(), request, &raw mut asked) };
        if result < 0 {
            return Err(IoError::last_os_error());
        }
        Ok(result)
    }

    fn ethtool<T: Layout>(&self, command: u32, data: &mut T) -> Result<(), IoError> {
        *data.command() = command;
        // SAFETY: `Layout` says that the type has the room that the kernel needs, and `data` lives through the call.
        unsafe { self.request(ETHTOOL, (&raw mut *data).cast()) }.map(|_| ())
    }

    /// Asks with an empty structure.
    pub(super) fn get<T: Readable>(&self) -> Result<T, IoError> {
        let mut data = T::default();
        self.ask(&mut data)?;
        Ok(data)
    }

    /// Asks with what is in the structure.
    pub(super) fn ask<T: Readable>(&self, data: &mut T) -> Result<(), IoError> {
        self.ethtool(T::GET, data)
    }

    /// Sets it.
    pub(super) fn set<T: Settable>(&self, mut data: T) -> Result<(), IoError> {
        self.ethtool(T::SET, &mut data)
    }

    /// Reads, and sets what differs after the edit: a request holds all values, and a driver may take the link down for one
    /// that changes nothing.
    pub(super) fn change<T: Readable + Settable + PartialEq>(
        &self,
        edit: impl FnOnce(&mut T),
    ) -> Result<(), IoError> {
        let now: T = self.get()?;
        let mut wanted = now;
        edit(&mut wanted);
        if wanted == now {
            return Ok(());
        }
        self.set(wanted)
    }

    /// Which time stamping is enabled.
    pub(super) fn stamping(&self) -> Result<HwtstampConfig, IoError> {
        let mut config = HwtstampConfig::default();
        // SAFETY: the kernel writes a `struct hwtstamp_config`, which `config` is, and which lives through the call.
        unsafe { self.request(HWTSTAMP, (&raw mut config).cast()) }?;
        Ok(config)
    }

    /// The names of the features, which are the same for all ports.
    pub(super) fn feature_names(&mut self) -> Result<&[String], Fault> {
        if !self.names.0.contains_key(&StringSet::Features) {
            let names = self.strings(StringSet::Features)?;
            self.names.0.insert(StringSet::Features, names);
        }
        Ok(self.names.of(StringSet::Features))
    }

    /// The names of a set.
    pub(super) fn strings(&self, set: StringSet) -> Result<Vec<String>, Fault> {
        let name = |bytes: &[u8]| text(bytes).unwrap_or_default();
        self.table(set, &[GET_STRINGS, set as u32], STRING, name)
    }

    /// An entry for each name of the set. `head` is what stands before their count, the number of the request first, and
    /// `length` is that of an entry in bytes.
    pub(super) fn table<T>(
        &self,
        set: StringSet,
        head: &[u32],
        length: usize,
        entry: impl Fn(&[u8]) -> T,
    ) -> Result<Vec<T>, Fault> {
        for _ in 0..TRIES {
            let count = self.count(set)?;
            let words = [head, &[count]].concat();
            let (header, size) = (4 * words.len(), count as usize);
            let mut memory = Guarded::new(header + size * length)?;
            for (to, word) in memory.bytes_mut().chunks_exact_mut(4).zip(&words) {
                to.copy_from_slice(&word.to_ne_bytes());
            }
            // SAFETY: the kernel writes to the memory from its start on, and cannot write beyond its end.
            let asked = unsafe { self.request(ETHTOOL, memory.bytes_mut().as_mut_ptr().cast()) };
            match asked {
                // There are more of them by now.
                Err(e) if e.raw_os_error() == Some(libc::EFAULT) => continue,
                asked => asked?,
            };
            let (head, entries) = memory.bytes().split_at(header);
            if head.ends_with(&count.to_ne_bytes()) {
                return Ok(entries.chunks_exact(length).take(size).map(entry).collect());
            }
        }
        let what = "the driver changes the number of its names all the time";
        Err(Error::new(Kind::Busy, what).into())
    }

    /// How many names a set of this port has.
    fn count(&self, set: StringSet) -> Result<u32, Fault> {
        let mut info = SetInfo {
            sets: 1 << set as u32,
            ..SetInfo::default()
        };
        self.ask(&mut info)?;
        if info.sets == 0 {
            return Err(IoError::from(Errno::OPNOTSUPP).into());
        }
        if info.count as usize > MOST {
            let what = format!("the driver says that it has {} names", info.count);
            return Err(Error::invalid(what).into());
        }
        Ok(info.count)
    }
}

/// A text that ends with a zero byte or with its room; `None` where it is empty.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    (!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_the_ports() {
        assert!(
            ports()
                .expect("ports")
                .contains(&"lo".parse().expect("name"))
        );
    }

    #[test]
    fn a_text_ends_with_a_zero_byte_or_its_room() {
        assert_eq!(text(b"veth\0\0x\0").as_deref(), Some("veth"));
        assert_eq!(text(b"veth").as_deref(), Some("veth"));
        assert_eq!(text(b"\0veth"), None);
        assert_eq!(text(b""), None);
    }

    proptest! {
        #[test]
        fn a_text_is_what_stands_before_the_zero_byte(before in "[ -~]{0,31}", after in proptest::collection::vec(any::<u8>(), 0..32)) {
            let bytes = [before.as_bytes(), &[0], &after].concat();
            prop_assert_eq!(text(&bytes).unwrap_or_default(), before);
            let _ = text(&after);
        }
    }
}
