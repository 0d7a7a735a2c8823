//! Places where a library or a variable reaches every program: the first socket of each fails where there is no device, and
//! each has threads and huge buffers of libvma's.

use hftune_model::vma::diagnosis::{Area, Diagnosis};
use hftune_sys::Reader;

const AREA: Area = Area::Everywhere;

/// What the loader reads for every program (ld.so(8)).
const PRELOAD: &str = "/etc/ld.so.preload";

/// What logins and services read.
const FILES: [&str; 7] = [
    "/etc/environment",
    "/etc/profile",
    "/etc/bashrc",
    "/etc/bash.bashrc",
    "/root/.bashrc",
    "/root/.bash_profile",
    "/etc/security/pam_env.conf",
];

/// Directories of more of them.
const DIRECTORIES: [&str; 4] = [
    "/etc/profile.d",
    "/etc/environment.d",
    "/etc/systemd/system.conf.d",
    "/usr/lib/environment.d",
];

pub(super) fn check(reader: &Reader<'_>) -> Vec<Diagnosis> {
    let mut files: Vec<String> = FILES.iter().map(|file| (*file).to_owned()).collect();
    files.push("/etc/systemd/system.conf".to_owned());
    for directory in DIRECTORIES {
        let names = reader.list(directory).unwrap_or_default();
        files.extend(names.iter().map(|name| format!("{directory}/{name}")));
    }
    let mut found = Vec::new();
    for path in std::iter::once(PRELOAD.to_owned()).chain(files) {
        let Ok(text) = reader.text(&path) else {
            continue;
        };
        for (at, line) in text.lines().enumerate() {
            let code = line.split('#').next().unwrap_or_default();
            let library = ["libvma.so", "libxlio.so"]
                .into_iter()
                .find(|library| code.contains(library));
            let preloads = path == PRELOAD || code.contains("LD_PRELOAD");
            if let (Some(library), true) = (library, preloads) {
                found.push(Diagnosis::fault(
                    AREA,
                    format!("{path}:{}", at + 1),
                    format!("every program loads {library}, ssh and the package manager too"),
                    "remove the line; start the application with hftune run --vma",
                ));
            }
        }
    }
    found
}
