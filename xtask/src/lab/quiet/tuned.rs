//! Debian's tuned in the guest, once for all rows.

use super::{SHUTDOWN, options};
use crate::lab::guest::Guest;
use crate::lab::guest_packages::{self, From};
use crate::lab::image::Image;
use crate::lab::machine::Clock;
use crate::progress::say;
use anyhow::Result;
use std::fs;
use std::path::Path;

/// linux-perf has the Python module that cpu-partitioning's scheduler plugin needs.
const PACKAGES: [&str; 3] = ["tuned", "linux-perf", "dbus"];

/// An image with tuned in it.
pub fn image(image: &Image, logs: &Path) -> Result<Image> {
    say("installing tuned in a guest");
    let folder = logs.join("with-tuned");
    fs::create_dir_all(&folder)?;
    let copy = image.copied(&folder)?;
    let guest = Guest::boot(&copy, &folder, options(Clock::Host))?;
    guest_packages::install(&guest, From::Release, &PACKAGES, &folder)?;
    guest.control().read("systemctl disable -q tuned || :")?;
    guest.power_off(SHUTDOWN)?;
    Ok(copy)
}
