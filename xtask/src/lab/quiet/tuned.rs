//! Debian's tuned in the guest: its packages are downloaded here and installed there, once for all rows.

use super::{SHUTDOWN, options};
use crate::lab::apt_private::apt_get;
use crate::lab::guest::Guest;
use crate::lab::image::Image;
use crate::lab::machine::Clock;
use crate::progress::say;
use crate::tool;
use anyhow::{Result, ensure};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// linux-perf has the Python module that cpu-partitioning's scheduler plugin needs.
const PACKAGES: [&str; 3] = ["tuned", "linux-perf", "dbus"];

/// An image with tuned in it.
pub fn image(image: &Image, logs: &Path) -> Result<Image> {
    say("installing tuned in a guest");
    let folder = logs.join("with-tuned");
    fs::create_dir_all(&folder)?;
    let copy = image.copied(&folder)?;
    let guest = Guest::boot(&copy, &folder, options(Clock::Host))?;
    let status = folder.join("status");
    guest.control().get("/var/lib/dpkg/status", &status)?;
    let archives = folder.join("archives");
    fs::create_dir_all(archives.join("partial"))?;
    let mut get = apt_get();
    for option in [
        format!("Dir::State::status={}", status.display()),
        format!("Dir::Cache::archives={}", archives.display()),
        "APT::Sandbox::User=root".to_owned(),
    ] {
        get.args(["-o", &option]);
    }
    get.args(["--download-only", "install"]).args(PACKAGES);
    tool::run_logged(&mut get, &folder.join("apt.log"))?;
    guest.control().read("mkdir -p /root/debs")?;
    for entry in fs::read_dir(&archives)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "deb") {
            let name = path
                .file_name()
                .expect("a file")
                .to_string_lossy()
                .into_owned();
            guest
                .control()
                .put(&path, &format!("/root/debs/{name}"), 0o644)?;
        }
    }
    guest.control().read(
        "nohup sh -c 'DEBIAN_FRONTEND=noninteractive dpkg -i --force-depends /root/debs/*.deb > /root/dpkg.log 2>&1; \
         echo $? > /root/dpkg.done' > /dev/null 2>&1 < /dev/null & echo",
    )?;
    while guest.control().run("test -e /root/dpkg.done")?.code != Some(0) {
        std::thread::sleep(Duration::from_secs(10));
    }
    let log = guest
        .control()
        .read("cat /root/dpkg.done; tail -n 20 /root/dpkg.log")?;
    ensure!(log.starts_with("0\n"), "dpkg failed: {log}");
    guest
        .control()
        .read("rm -r /root/debs; systemctl disable -q tuned || :")?;
    guest.power_off(SHUTDOWN)?;
    Ok(copy)
}
