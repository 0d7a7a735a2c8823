//! The kernel of the release's backports in the guest, once for all rows.

use crate::lab::guest_packages::{self, From};
use crate::lab::image::Image;
use anyhow::Result;
use std::path::Path;

/// An image that boots it: GRUB takes the newest. Which there are is in the guest's transcript.
pub fn image(image: &Image, logs: &Path) -> Result<Image> {
    let menu = "update-grub 2>&1; ls /boot";
    let folder = logs.join("newer-kernel");
    guest_packages::image(
        image,
        From::Backports,
        &["linux-image-amd64"],
        menu,
        &folder,
    )
}
