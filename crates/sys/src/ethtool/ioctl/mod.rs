//! The ioctl `SIOCETHTOOL` (net/ethtool/ioctl.c), the way before netlink and beside it: kernels before 5.7 have no netlink
//! requests for most of what a port is set to, and drivers tell of themselves only here.

mod device;
mod driver;
mod features;
mod flags;
mod guarded;
mod layout;
mod link;
mod names;
mod numbers;
mod stamping;

pub use device::{Device, Fault};
pub(super) use device::{open, ports};

/// How a port is asked by ioctl. The errors are the kernel's.
pub trait ByIoctl: Sized {
    /// Asks the port.
    fn read(device: &mut Device<'_>) -> Result<Self, Fault>;
}

/// How a port is changed by ioctl: where the request holds more values than are changed, those that the port has now are
/// read first and sent with them.
pub trait ChangeByIoctl {
    /// Changes the port, and tells what was not done though the kernel took the request.
    fn apply(&self, device: &mut Device<'_>) -> Result<Vec<String>, Fault>;
}
