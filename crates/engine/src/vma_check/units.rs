//! Units that load the library or set its variables: limits and rights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hftune_model::vma::check::PREFIX;
use hftune_model::vma::diagnosis::{Area, Diagnosis};
use hftune_model::vma::environment;
use hftune_sys::Reader;

use super::variables::Sources;
use crate::host::ini::{self, Dialect};

const AREA: Area = Area::Units;

/// Where units are, the strongest first (systemd.unit(5)).
const DIRECTORIES: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Above so many files libvma's tables take 50 MB and more of each process.
pub(super) const MANY_FILES: u64 = 1 << 20;

/// A unit, with its drop-ins.
#[derive(Debug, Default)]
pub(super) struct Unit {
    pub name: String,
    /// Name, value, and the file and line where it is set.
    pub environment: Vec<(String, String, String)>,
    pub environment_files: Vec<String>,
    /// The last value of every other key of `[Service]`.
    service: BTreeMap<String, String>,
}

impl Unit {
    fn get(&self, key: &str) -> Option<&str> {
        self.service.get(key).map(String::as_str)
    }

    fn sets(&self, name: &str) -> Option<&str> {
        self.environment
            .iter()
            .rfind(|(known, ..)| known == name)
            .map(|(_, value, _)| value.as_str())
    }

    /// Whether its program gets the library from systemd.
    fn preloads(&self) -> bool {
        self.sets("LD_PRELOAD")
            .is_some_and(|value| value.contains("libvma.so"))
    }

    /// Whether its program gets it from hftune's launcher, which sees to limits itself.
    fn launches(&self) -> bool {
        self.get("ExecStart").is_some_and(|start| {
            start.contains("hftune run") && (start.contains("--vma") || start.contains("$HFT_VMA"))
        })
    }

    fn is_of_libvma(&self) -> bool {
        self.preloads()
            || self.launches()
            || self
                .environment
                .iter()
                .any(|(name, ..)| name.starts_with(PREFIX))
    }
}

/// The units of libvma's applications.
pub(super) fn read(reader: &Reader<'_>) -> Vec<Unit> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for directory in DIRECTORIES {
        for name in reader.list(directory).unwrap_or_default().iter() {
            let unit = name.strip_suffix(".d").unwrap_or(name);
            if unit.ends_with(".service") {
                names.insert(unit.to_owned());
            }
        }
    }
    names
        .into_iter()
        .map(|name| load(reader, name))
        .filter(Unit::is_of_libvma)
        .collect()
}

/// The file of the strongest directory, then the drop-ins of all, by their names.
fn load(reader: &Reader<'_>, name: String) -> Unit {
    let mut files: Vec<String> = DIRECTORIES
        .iter()
        .map(|directory| format!("{directory}/{name}"))
        .find(|path| reader.text(path).is_ok())
        .into_iter()
        .collect();
    let mut dropins: BTreeMap<String, String> = BTreeMap::new();
    for directory in DIRECTORIES.iter().rev() {
        let place = format!("{directory}/{name}.d");
        for file in reader.list(&place).unwrap_or_default().iter() {
            if Path::new(file).extension().is_some_and(|e| e == "conf") {
                dropins.insert(file.clone(), format!("{place}/{file}"));
            }
        }
    }
    files.extend(dropins.into_values());
    let mut unit = Unit {
        name,
        ..Unit::default()
    };
    for file in files {
        if let Ok(text) = reader.text(&file) {
            merge(&mut unit, &file, &text);
        }
    }
    unit
}

fn merge(unit: &mut Unit, file: &str, text: &str) {
    let entries = ini::parse(text, Dialect::Systemd);
    for entry in entries.iter().filter(|entry| entry.section == "Service") {
        match entry.key.as_str() {
            "Environment" if entry.value.is_empty() => unit.environment.clear(),
            "Environment" => {
                let place = format!("{file}:{}", entry.line);
                let words = environment::words(&entry.value);
                unit.environment.extend(
                    words
                        .into_iter()
                        .map(|(name, value)| (name, value, place.clone())),
                );
            }
            "EnvironmentFile" => unit
                .environment_files
                .push(entry.value.trim_start_matches('-').to_owned()),
            key => {
                unit.service.insert(key.to_owned(), entry.value.clone());
            }
        }
    }
}

pub(super) fn check(reader: &Reader<'_>, sources: &Sources) -> Vec<Diagnosis> {
    let loading = sources
        .units
        .iter()
        .filter(|unit| unit.preloads() || unit.launches());
    loading
        .flat_map(|unit| {
            let mut faults = of_unit(unit);
            faults.extend(capability(reader, unit));
            if faults.is_empty() {
                faults.push(Diagnosis::ok(
                    AREA,
                    unit.name.clone(),
                    "its limits and rights are right",
                ));
            }
            faults
        })
        .collect()
}

fn of_unit(unit: &Unit) -> Vec<Diagnosis> {
    let mut found = Vec::new();
    let mut fault = |what: String, remedy: &str| {
        found.push(Diagnosis::fault(AREA, unit.name.clone(), what, remedy));
    };
    match unit.get("LimitMEMLOCK") {
        Some("infinity") => {}
        limit => fault(
            format!(
                "LimitMEMLOCK is {}: libvma cannot register its buffers with the card, and limits.conf is not for units",
                limit.unwrap_or("not set")
            ),
            "write LimitMEMLOCK=infinity into [Service]",
        ),
    }
    let files = unit.get("LimitNOFILE");
    let hard = files.map(|limit| limit.rsplit(':').next().unwrap_or(limit));
    let many = hard.is_some_and(|limit| limit.parse::<u64>().unwrap_or(u64::MAX) > MANY_FILES);
    if many {
        fault(
            format!(
                "LimitNOFILE is {}: libvma's tables are as large as that, gigabytes at the limit of EL9",
                files.unwrap_or_default()
            ),
            "write LimitNOFILE=65536",
        );
    }
    let is_root = unit.get("User").is_none_or(|user| user == "root")
        && unit.get("DynamicUser") != Some("yes");
    let has_raw = unit
        .get("AmbientCapabilities")
        .is_some_and(|caps| caps.contains("CAP_NET_RAW"));
    if !is_root && !has_raw {
        fault(
            "it runs as a user without CAP_NET_RAW: libvma offloads nothing".to_owned(),
            "write AmbientCapabilities=CAP_NET_RAW",
        );
    }
    let private = unit.get("PrivateTmp") == Some("yes") || unit.get("DynamicUser") == Some("yes");
    if private && unit.sets("VMA_STATS_SHMEM_DIR").is_none() {
        fault(
            "it has a /tmp of its own, where vma_stats and vmad see nothing of it".to_owned(),
            "write RuntimeDirectory=NAME and Environment=VMA_STATS_SHMEM_DIR=/run/NAME VMA_VMAD_NOTIFY_DIR=/run/NAME",
        );
    }
    if unit.preloads() && starts_a_shell(unit) {
        fault(
            "its command is a shell: every program that it starts loads libvma too".to_owned(),
            "start the application itself, or have the script run \"hftune run --vma -- APP\"",
        );
    }
    found
}

fn starts_a_shell(unit: &Unit) -> bool {
    let program = unit
        .get("ExecStart")
        .and_then(|start| start.split_whitespace().next())
        .unwrap_or_default()
        .trim_start_matches(['-', '@', ':', '+', '!']);
    ["/bin/sh", "/bin/bash", "/usr/bin/sh", "/usr/bin/bash"].contains(&program)
        || program.rsplit('.').next() == Some("sh")
}

/// A capability in the program's file has the loader drop the library, and nobody says so.
fn capability(reader: &Reader<'_>, unit: &Unit) -> Option<Diagnosis> {
    if !unit.preloads() {
        return None;
    }
    let program = unit
        .get("ExecStart")?
        .split_whitespace()
        .next()?
        .trim_start_matches(['-', '@', ':', '+', '!']);
    let metadata = reader.root().metadata(program).ok()??;
    let privileged = metadata.mode & 0o6000 != 0
        || metadata
            .xattrs
            .iter()
            .any(|(name, _)| name == "security.capability");
    privileged.then(|| {
        Diagnosis::fault(
            AREA,
            unit.name.clone(),
            format!("{program} has capabilities of its own: the loader drops LD_PRELOAD, and libvma is not loaded"),
            format!("setcap -r {program}, and AmbientCapabilities=CAP_NET_RAW in the unit"),
        )
    })
}
