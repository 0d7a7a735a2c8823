//! Where hftune itself is installed: units call it by its path.

use std::path::{Path, PathBuf};

use hftune_model::{Error, Kind, Result};
use hftune_sys::{FileType, Root, identity};

/// Where packages put the binary.
const OF_PACKAGE: &str = "/usr/bin/hftune";

/// Where administrators put it.
const OF_ADMINISTRATOR: &str = "/usr/local/bin/hftune";

/// The installed binary: the running one where it is installed, else that of the package, else the administrator's.
pub fn binary(root: &Root) -> Option<PathBuf> {
    let installed = [OF_PACKAGE, OF_ADMINISTRATOR];
    let running = root.answer("binary", || {
        identity::binary()
            .filter(|path| {
                installed
                    .iter()
                    .any(|installed| path == Path::new(installed))
            })
            .map(|path| path.display().to_string())
            .ok_or_else(|| Error::new(Kind::Missing, "the running binary is not installed"))
    });
    running.and_then(Result::ok).map(PathBuf::from).or_else(|| {
        installed
            .iter()
            .map(PathBuf::from)
            .find(|path| root.exists(path))
    })
}

/// The path that units get where none is installed yet.
pub fn usual() -> PathBuf {
    PathBuf::from(OF_ADMINISTRATOR)
}

/// A second binary beside that of the package. Which of the two a shell finds depends on the user's path, units call the one
/// that made them, and an upgrade of the package replaces one only.
pub fn two(root: &Root) -> Option<String> {
    // A link to the other one is no second.
    let is_file = |path| root.file_type(path) == Some(FileType::RegularFile);
    (is_file(OF_PACKAGE) && is_file(OF_ADMINISTRATOR)).then(|| {
        format!(
            "hftune is installed twice, as {OF_PACKAGE} and as {OF_ADMINISTRATOR}: keep that of the package with \
             {OF_PACKAGE} setup, which has units call it, then rm {OF_ADMINISTRATOR}"
        )
    })
}
