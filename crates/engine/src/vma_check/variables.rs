//! Variables of libvma, wherever they are set for applications: environment files and units.

use std::path::Path;

use hftune_model::vma::check::{self, PREFIX};
use hftune_model::vma::diagnosis::{Area, Diagnosis};
use hftune_model::vma::{ENVIRONMENT_FILE, environment};
use hftune_sys::Reader;

use super::units::Unit;
use crate::machine::Machine;

const AREA: Area = Area::Variables;

/// A directory of ours with files for single applications.
const OWN_DIRECTORY: &str = "/etc/hftune";

/// A variable and where it is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    pub name: String,
    pub value: String,
    /// A file and a line, or a unit.
    pub place: String,
    /// Whether it is in the file that every application gets.
    pub for_all: bool,
}

/// Everything that is set.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub sets: Vec<Set>,
    /// Units that load the library or set its variables.
    pub units: Vec<Unit>,
}

impl Sources {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let mut sources = Self {
            units: super::units::read(reader),
            ..Self::default()
        };
        let mut files = vec![ENVIRONMENT_FILE.to_owned()];
        let own = reader.list(OWN_DIRECTORY).unwrap_or_default();
        files.extend(
            own.iter()
                .filter(|name| {
                    name.starts_with("vma-app-")
                        && Path::new(name).extension().is_some_and(|e| e == "env")
                })
                .map(|name| format!("{OWN_DIRECTORY}/{name}")),
        );
        for unit in &sources.units {
            for file in &unit.environment_files {
                // A specifier names a file of each instance.
                if !file.contains('%') && !files.contains(file) {
                    files.push(file.clone());
                }
            }
        }
        for file in files {
            let Ok(text) = reader.text(&file) else {
                continue;
            };
            for variable in environment::parse(&text) {
                if variable.name.starts_with(PREFIX) {
                    sources.sets.push(Set {
                        place: format!("{file}:{}", variable.line),
                        for_all: file == ENVIRONMENT_FILE,
                        name: variable.name,
                        value: variable.value,
                    });
                }
            }
        }
        for unit in &sources.units {
            for (name, value, place) in &unit.environment {
                if name.starts_with(PREFIX) {
                    sources.sets.push(Set {
                        name: name.clone(),
                        value: value.clone(),
                        place: place.clone(),
                        for_all: false,
                    });
                }
            }
        }
        sources
    }

    /// The value that every application gets.
    pub(super) fn of_applications(&self, name: &str) -> Option<&str> {
        self.sets
            .iter()
            .rfind(|set| set.for_all && set.name == name)
            .map(|set| set.value.as_str())
    }
}

pub(super) fn check(machine: &Machine<'_>, sources: &Sources) -> Vec<Diagnosis> {
    let mut found = Vec::new();
    let mut good = 0;
    for set in &sources.sets {
        // A specifier of systemd is filled in later.
        let value = set.value.replace("%i", "x").replace("%I", "x");
        let problem = check::name(&set.name).or_else(|| {
            let param = check::param(&set.name)?;
            check::value(param, &value)
        });
        match problem {
            Some(problem) => found.push(Diagnosis::fault(
                AREA,
                set.place.clone(),
                problem.what,
                problem.remedy,
            )),
            None => good += 1,
        }
        found.extend(helper_thread(machine, set));
    }
    if good > 0 {
        found.push(Diagnosis::ok(
            AREA,
            "",
            format!("{good} variables have names and values that libvma takes"),
        ));
    }
    if !sources.sets.is_empty()
        && sources
            .sets
            .iter()
            .all(|set| set.name != "VMA_INTERNAL_THREAD_AFFINITY")
    {
        found.push(Diagnosis::fault(
            AREA,
            "",
            "VMA_INTERNAL_THREAD_AFFINITY is not set: the helper thread runs on the CPU of the thread that opens the first \
             socket, which trades",
            "write VMA_INTERNAL_THREAD_AFFINITY = \"auto\" under [vma.parameters] of the profile, then hftune setup",
        ));
    }
    found
}

fn helper_thread(machine: &Machine<'_>, set: &Set) -> Option<Diagnosis> {
    if set.name != "VMA_INTERNAL_THREAD_AFFINITY" {
        return None;
    }
    let cpus = check::cpus(&set.value)?;
    let offline = cpus.difference(&machine.host.cpus.online);
    let isolated = cpus.intersection(machine.host.cpus.isolated.as_ref()?);
    let remedy = "write \"auto\": a housekeeping CPU on the card's node";
    if !offline.is_empty() {
        let what = format!("CPU {offline} is not there: the helper thread runs unpinned");
        return Some(Diagnosis::fault(AREA, set.place.clone(), what, remedy));
    }
    (!isolated.is_empty()).then(|| {
        let what =
            format!("CPU {isolated} is isolated, and the helper thread disturbs what trades there");
        Diagnosis::fault(AREA, set.place.clone(), what, remedy)
    })
}
