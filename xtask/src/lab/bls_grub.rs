//! A GRUB whose `blscfg` reads entries of the Boot Loader Specification. Upstream has the command since 2.14, and Debian
//! has that release in sid only.

use super::apt_private::PrivateApt;
use super::apt_sources;
use crate::progress::say;
use crate::skip::skip;
use crate::tool;
use anyhow::{Result, ensure};
use std::path::Path;

/// The suite, and the package that holds GRUB's boot sectors and modules for BIOS machines.
const SUITE: &str = "sid";
const PACKAGE: &str = "grub-pc-bin";

/// The module of the command, below the tree.
const MODULE: &str = "usr/lib/grub/i386-pc/blsuki.mod";

/// Unpacks the package over the one in `tree`. Nothing else of the suite is needed: the tree's own `grub-mkimage` makes
/// core images of the newer modules. `work` is removed again.
pub fn unpack(tree: &Path, work: &Path, log: &Path) -> Result<()> {
    let sources = apt_sources::read(Path::new("/etc/apt"))?;
    let Some(source) = apt_sources::debian(&sources, SUITE) else {
        return Err(skip(format!(
            "a GRUB that reads boot entries is in Debian's {SUITE}, and this machine's package sources (/etc/apt) name \
             no Debian archive"
        )));
    };
    say(format!("taking {PACKAGE} from Debian's {SUITE}"));
    let apt = PrivateApt::new(work)?;
    apt.add(&source)?;
    tool::run_logged(apt.get().arg("update"), log)?;
    let package = apt.download(PACKAGE, log)?;
    tool::run_logged(
        tool::command("dpkg")
            .arg("--extract")
            .arg(package)
            .arg(tree),
        log,
    )?;
    ensure!(
        tree.join(MODULE).is_file(),
        "{PACKAGE} of {SUITE} has no {MODULE}"
    );
    apt.remove()
}
