//! Debian's tuned in the guest, once for all rows.

use crate::lab::guest_packages::{self, From};
use crate::lab::image::Image;
use anyhow::Result;
use std::path::Path;

/// linux-perf has the Python module that cpu-partitioning's scheduler plugin needs.
const PACKAGES: [&str; 3] = ["tuned", "linux-perf", "dbus"];

/// An image with tuned in it.
pub fn image(image: &Image, logs: &Path) -> Result<Image> {
    let off = "systemctl disable -q tuned || :";
    let folder = logs.join("with-tuned");
    guest_packages::image(image, From::Release, &PACKAGES, off, &folder)
}
