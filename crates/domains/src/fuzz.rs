//! What the fuzz targets call: readers and editors of texts, with what they promise checked.

use crate::sysctl_files;

pub use crate::boot::fuzz::{bls, cmdline, grub_cfg, grub_default, grubenv, record};

/// A file of sysctl.d, and its keys as patterns.
pub fn sysctl(text: &str) {
    for assignment in sysctl_files::parse(text, "/etc/sysctl.d/fuzz.conf") {
        let _ = sysctl_files::matches(&assignment.key, "net/ipv4/conf/eth0/rp_filter");
    }
}
