//! Whether libvma can work here: where it cannot, the first socket of the application would fail, or nothing would be offloaded
//! and nobody would say so.

use std::path::{Path, PathBuf};

use hftune_domains::vma::library;
use hftune_model::run_check::{field, has_net_raw};
use hftune_model::{Error, Kind, Result};
use hftune_sys::program::{Form, Program};
use hftune_sys::{Root, rlimit};

use super::first_of;

/// Names a library that is not where packages put it.
const ELSEWHERE: &str = "HFTUNE_LIBVMA";

const DEVICES: &str = "/sys/class/infiniband";
const VERBS: &str = "/dev/infiniband";

/// libvma's tables are as large as the limit of open files: from here on it is lowered, to this.
const MANY_FILES: u64 = 1 << 20;
const FILES: u64 = 65536;

/// The library for a program.
pub(super) fn check(
    root: &Root,
    program: &Program,
    warn: &mut impl FnMut(&str),
) -> Result<Option<PathBuf>> {
    fits(program, warn)?;
    let library = find(root)?;
    device(root)?;
    let status = root.read_text("/proc/self/status")?;
    let raw = field(&status, "CapEff").and_then(has_net_raw);
    if raw == Some(false) {
        return Err(
            refused("this user has no CAP_NET_RAW, without which libvma offloads nothing")
                .hint("run it as root, or as vma-app@NAME.service, which has it"),
        );
    }
    Ok(Some(library))
}

fn refused(what: impl Into<String>) -> Error {
    Error::new(Kind::Conflict, what)
}

/// Whether the loader preloads a library for a program.
fn fits(program: &Program, warn: &mut impl FnMut(&str)) -> Result<()> {
    if let Some(why) = program.privileged {
        return Err(refused(format!("{why}, so that the loader drops libvma in silence"))
            .at(&program.path)
            .hint("take that off the file (setcap -r FILE, chmod u-s FILE) and give rights with AmbientCapabilities= of a unit"));
    }
    match &program.form {
        Form::Static => Err(
            refused("it is linked statically: no library can be loaded into it")
                .at(&program.path)
                .hint("link it dynamically, or run it without --vma"),
        ),
        Form::Script(interpreter) => {
            warn(&format!(
                "{} is a script: {interpreter} and every program that it starts load libvma too",
                program.path.display()
            ));
            Ok(())
        }
        Form::Dynamic | Form::Other => Ok(()),
    }
}

fn find(root: &Root) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(ELSEWHERE) {
        let path = PathBuf::from(path);
        if path.is_absolute() && root.exists(&path) {
            return Ok(path);
        }
        return Err(Error::new(Kind::Missing, format!("{ELSEWHERE} names no file")).at(path));
    }
    library(root).ok_or_else(|| {
        Error::new(Kind::Missing, "libvma is not installed").hint("hftune vma install")
    })
}

/// Programs that cannot reach a device lose their first socket (ENOSYS, ENOENT).
fn device(root: &Root) -> Result<()> {
    if root.list(DEVICES)?.is_empty() {
        return Err(refused(
            "there is no RDMA device on this host: the first socket of the program would fail",
        )
        .at(DEVICES)
        .hint(
            "hftune vma check tells what is missing; without --vma the program uses the kernel",
        ));
    }
    let names = root.list(VERBS)?;
    let verbs: Vec<PathBuf> = names
        .iter()
        .filter(|name| name.starts_with("uverbs"))
        .map(|name| Path::new(VERBS).join(name))
        .collect();
    if first_of(root, verbs.iter().map(PathBuf::as_path)).is_none() {
        return Err(refused("there is no device file of ib_uverbs")
            .at(VERBS)
            .hint("modprobe ib_uverbs; hftune vma install does so at every boot"));
    }
    Ok(())
}

/// Limits that libvma suffers from.
pub(super) fn limits(warn: &mut impl FnMut(&str)) -> Result<()> {
    if let Some(bytes) = rlimit::raise_memlock() {
        warn(&format!(
            "only {} MiB of memory may be locked, and libvma registers its buffers with the card: LimitMEMLOCK=infinity in a unit, \
             hftune setup and a new login elsewhere",
            bytes >> 20
        ));
    }
    if rlimit::open_files().is_none_or(|most| most > MANY_FILES) {
        rlimit::lower_open_files(FILES)?;
    }
    Ok(())
}
