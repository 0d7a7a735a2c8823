//! The guest's files, installed by debootstrap once and cached.

use super::cache::Cache;
use super::recipe;
use super::{apt_sources, tree_files};
use crate::progress::say;
use crate::skip::skip;
use crate::tool;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// The installed tree, from the cache or built now.
pub fn ensure(cache: &Cache) -> Result<PathBuf> {
    let key = recipe::tree_key();
    let entry = cache.entry("tree", &key);
    if entry.is_dir() {
        return Ok(entry);
    }
    if !rustix::process::geteuid().is_root() {
        return Err(skip(
            "building the guest's image needs root, for debootstrap; run `cargo xtask lab image` as root",
        ));
    }
    let mirror = mirror()?;
    say("installing the guest with debootstrap (about three minutes, once)");
    let partial = cache.begin("tree")?;
    tree_files::write(&partial, &recipe::SEED_FILES)?;
    let mut debootstrap = tool::command("debootstrap");
    debootstrap
        .args([
            "--variant=minbase",
            &format!("--include={}", recipe::PACKAGES.join(",")),
            recipe::SUITE,
        ])
        .arg(&partial)
        .arg(mirror)
        .env("DEBIAN_FRONTEND", "noninteractive");
    tool::run_logged(&mut debootstrap, &cache.dir().join("tree.log"))?;
    cache.commit(&partial, "tree", &key)
}

/// Debian's archive as the machine's own apt reads it: any Debian release names the archive that has them all.
fn mirror() -> Result<String> {
    let sources = apt_sources::read(Path::new("/etc/apt"))?;
    let mirror = apt_sources::debian(&sources, recipe::SUITE)
        .and_then(|source| source.mirror().map(str::to_string));
    mirror.ok_or_else(|| {
        skip(format!(
            "the guest is Debian {}, and this machine's package sources (/etc/apt) name no Debian archive over http, \
             https or file to install it from",
            recipe::SUITE
        ))
    })
}
