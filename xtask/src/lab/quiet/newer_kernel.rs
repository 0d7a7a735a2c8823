//! The kernel of the release's backports in the guest, once for all rows.

use super::{SHUTDOWN, options};
use crate::lab::guest::Guest;
use crate::lab::guest_packages::{self, From};
use crate::lab::image::Image;
use crate::lab::machine::Clock;
use crate::progress::say;
use anyhow::Result;
use std::fs;
use std::path::Path;

/// An image that boots it: GRUB takes the newest.
pub fn image(image: &Image, logs: &Path) -> Result<Image> {
    say("installing the kernel of the backports in a guest");
    let folder = logs.join("newer-kernel");
    fs::create_dir_all(&folder)?;
    let copy = image.copied(&folder)?;
    let guest = Guest::boot(&copy, &folder, options(Clock::Host))?;
    guest_packages::install(&guest, From::Backports, &["linux-image-amd64"], &folder)?;
    let kernels = guest.control().read("update-grub 2>&1; ls /boot")?;
    fs::write(folder.join("kernels.txt"), kernels)?;
    guest.power_off(SHUTDOWN)?;
    Ok(copy)
}
