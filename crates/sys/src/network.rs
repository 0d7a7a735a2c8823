//! The addresses of this machine.

use std::ffi::CStr;
use std::io::Error as IoError;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

use hftune_model::{Error, Kind, Result};

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The interface.
    pub interface: String,
    /// The address.
    pub address: IpAddr,
    /// Bits of the prefix of its network; `None` where the kernel tells no mask.
    pub prefix: Option<u8>,
}

/// The addresses of this machine, in the order in which the kernel lists them.
pub fn addresses() -> Result<Vec<InterfaceAddress>> {
    let list = List::read()?;
    let mut addresses = Vec::new();
    let mut next = list.0;
    while !next.is_null() {
        // SAFETY: `next` is an entry of the list, which getifaddrs(3) made and which lives until `list` is dropped.
        let entry = unsafe { &*next };
        // SAFETY: ifa_addr is null or points to an address whose family says how large it is (getifaddrs(3)), and lives as
        // long as the list; so does ifa_netmask, which is of the same family.
        let (address, mask) =
            unsafe { (ip_address(entry.ifa_addr), ip_address(entry.ifa_netmask)) };
        if let Some(address) = address {
            // SAFETY: ifa_name is a string that ends with a zero and lives as long as the list.
            let name = unsafe { CStr::from_ptr(entry.ifa_name) };
            let name = name.to_string_lossy();
            addresses.push(InterfaceAddress {
                // A label of an address, like eth0:1, is that of the interface and more.
                interface: name.split(':').next().unwrap_or_default().to_owned(),
                address,
                prefix: mask.map(prefix_of),
            });
        }
        next = entry.ifa_next;
    }
    Ok(addresses)
}

/// The interface that has an address; `None` where none has it.
pub fn interface_of(address: IpAddr) -> Result<Option<String>> {
    let mut all = addresses()?.into_iter();
    Ok(all.find(|of| of.address == address).map(|of| of.interface))
}

/// The bits that are set in a mask; there are at most 128.
fn prefix_of(mask: IpAddr) -> u8 {
    let ones = match mask {
        IpAddr::V4(mask) => u32::from(mask).count_ones(),
        IpAddr::V6(mask) => u128::from(mask).count_ones(),
    };
    u8::try_from(ones).unwrap_or(u8::MAX)
}

/// The list of getifaddrs(3).
struct List(*mut libc::ifaddrs);

impl List {
    fn read() -> Result<Self> {
        let mut first = ptr::null_mut();
        // SAFETY: `first` is a valid place for the pointer that the call writes on success.
        if unsafe { libc::getifaddrs(&raw mut first) } == 0 {
            return Ok(Self(first));
        }
        let why = IoError::last_os_error();
        let what = format!("cannot list the addresses of this machine: {why}");
        Err(Error::new(Kind::Io, what))
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: the pointer is the one that getifaddrs(3) gave, and nothing keeps a reference into the list.
        unsafe { libc::freeifaddrs(self.0) };
    }
}

/// The IP address of a socket address; `None` for other families.
///
/// # Safety
/// `address` is null, or points to a socket address that is as large as its family says.
unsafe fn ip_address(address: *const libc::sockaddr) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: every socket address starts with its family. The reads need no alignment of what is pointed to.
    let family = unsafe { ptr::read_unaligned(&raw const (*address).sa_family) };
    match i32::from(family) {
        libc::AF_INET => {
            // SAFETY: the family says that it is a sockaddr_in.
            let address = unsafe { ptr::read_unaligned(address.cast::<libc::sockaddr_in>()) };
            let bytes = address.sin_addr.s_addr.to_ne_bytes();
            Some(Ipv4Addr::from(bytes).into())
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that it is a sockaddr_in6.
            let address = unsafe { ptr::read_unaligned(address.cast::<libc::sockaddr_in6>()) };
            Some(Ipv6Addr::from(address.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the kernel that runs the test; it changes nothing.
    #[test]
    fn finds_the_loopback_interface() {
        let of = |text: &str| interface_of(text.parse().expect("address")).expect("list");
        assert_eq!(of("192.0.2.255"), None);
        assert_eq!(of("2001:db8::ffff"), None);
        match of("127.0.0.1") {
            Some(name) => assert_eq!(name, "lo"),
            None => println!("skipped: the loopback interface is down"),
        }
        for of in addresses().expect("list") {
            let most = if of.address.is_ipv4() { 32 } else { 128 };
            assert!(of.prefix.is_none_or(|prefix| prefix <= most), "{of:?}");
            assert_eq!(of.address.is_loopback(), of.interface == "lo", "{of:?}");
        }
    }
}
