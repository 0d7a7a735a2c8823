//! A tuned profile: its file, the files that it includes, and all of them merged into units.
//!
//! The rules are those of tuned.conf(5) and of tuned's own loader (tuned/profiles/{loader,locator,merger,unit}.py).

use hftune_model::host::Kernel;
use regex_lite::RegexBuilder;

use super::super::facts::Facts;
use super::super::ini::{self, Dialect};
use super::variables::{Variables, unresolved};

/// The configuration of tuned itself.
pub(crate) const MAIN_CONF: &str = "/etc/tuned/tuned-main.conf";

/// Where profiles are, the highest rank first: tuned 2.23 and later look below `profiles` too.
const PROFILE_DIRS: [&str; 4] = [
    "/etc/tuned/profiles",
    "/etc/tuned",
    "/usr/lib/tuned/profiles",
    "/usr/lib/tuned",
];

/// An option, and where it is written.
#[derive(Debug, Clone)]
pub(crate) struct Opt {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) file: String,
    pub(crate) line: usize,
}

/// A section: one instance of a plugin.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub(crate) name: String,
    pub(crate) options: Vec<Opt>,
}

impl Unit {
    /// The value of an option, as it is written.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let found = self.options.iter().find(|option| option.key == key);
        found.map(|option| option.value.as_str())
    }

    fn set(&mut self, option: Opt) {
        match self.options.iter_mut().find(|o| o.key == option.key) {
            Some(known) => *known = option,
            None => self.options.push(option),
        }
    }

    /// The plugin that takes it: its name, unless it says another.
    pub(crate) fn plugin(&self) -> &str {
        self.get("type").unwrap_or(&self.name)
    }

    /// Whether it is on.
    pub(crate) fn enabled(&self) -> bool {
        self.get("enabled").is_none_or(is_true)
    }
}

fn is_true(word: &str) -> bool {
    matches!(word, "1" | "True" | "true")
}

/// Merged profiles.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    pub(crate) units: Vec<Unit>,
    pub(crate) files: Vec<String>,
    /// Why not all is known.
    pub(crate) unknown: Vec<String>,
}

/// Loads a profile from the folder of that name below `directory`, which comes before the places of tuned's own.
pub(crate) fn load_in(facts: &Facts<'_>, directory: &str, name: &str) -> Merged {
    let mut dirs = directories(facts);
    dirs.insert(0, directory.to_owned());
    let mut merged = Merged::default();
    load_into(facts, &[name.to_owned()], &dirs, &mut merged);
    merged
}

/// Loads profiles by their names, the first one first.
pub(crate) fn load(facts: &Facts<'_>, names: &[String]) -> Merged {
    let dirs = directories(facts);
    let mut merged = Merged::default();
    load_into(facts, names, &dirs, &mut merged);
    merged
}

fn directories(facts: &Facts<'_>) -> Vec<String> {
    let set = main_option(facts, "profile_dirs").map(|dirs| {
        let dirs = dirs.split(',').map(str::trim);
        let mut dirs: Vec<String> = dirs
            .filter(|dir| dir.starts_with('/'))
            .map(|dir| dir.trim_end_matches('/').to_owned())
            .collect();
        dirs.reverse();
        dirs
    });
    set.filter(|dirs| !dirs.is_empty())
        .unwrap_or_else(|| PROFILE_DIRS.map(str::to_owned).to_vec())
}

/// An option of tuned-main.conf.
pub(crate) fn main_option(facts: &Facts<'_>, key: &str) -> Option<String> {
    let text = facts.text(MAIN_CONF)?;
    let entries = ini::parse(&text, Dialect::Tuned);
    let found = entries.into_iter().rfind(|entry| entry.key == key);
    found.map(|entry| entry.value)
}

fn load_into(facts: &Facts<'_>, names: &[String], dirs: &[String], merged: &mut Merged) {
    for name in names {
        // A dash: only where there is such a profile.
        let (if_any, name) = match name.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, name.as_str()),
        };
        if unresolved(name) {
            merged
                .unknown
                .push(format!("it includes {name}, which only tuned can work out"));
            continue;
        }
        if !is_name(name) {
            merged
                .unknown
                .push(format!("\"{name}\" is no name of a profile"));
            continue;
        }
        let paths = dirs.iter().map(|dir| format!("{dir}/{name}/tuned.conf"));
        let (seen, there): (Vec<String>, Vec<String>) = paths
            .filter(|path| facts.root().exists(path))
            .partition(|path| merged.files.contains(path));
        let Some(path) = there.into_iter().next() else {
            // A profile of the administrator's may include the one of the same name below it, but not itself.
            if !if_any && seen.is_empty() {
                merged
                    .unknown
                    .push(format!("there is no profile {name} in {}", dirs.join(", ")));
            }
            continue;
        };
        merged.files.push(path.clone());
        let Some(text) = facts.text(&path) else {
            merged.unknown.push(format!("{path} cannot be read"));
            continue;
        };
        let units = units(&text, &path);
        let include = units
            .iter()
            .find(|unit| unit.name == "main")
            .and_then(|main| main.get("include"))
            .map(|names| {
                let names = names.split([',', ';']).map(str::trim);
                names.map(str::to_owned).collect::<Vec<_>>()
            });
        load_into(facts, &include.unwrap_or_default(), dirs, merged);
        for unit in units {
            merge(&mut merged.units, unit);
        }
    }
}

/// What tuned takes for a name, but for the names of directories above.
fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    !name.is_empty() && name != "." && name != ".." && name.chars().all(allowed)
}

/// The sections of one file.
pub(crate) fn units(text: &str, path: &str) -> Vec<Unit> {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let mut units: Vec<Unit> = Vec::new();
    for entry in ini::parse(text, Dialect::Tuned) {
        let option = Opt {
            key: entry.key,
            value: entry.value.replace("${i:PROFILE_DIR}", directory),
            file: path.to_owned(),
            line: entry.line,
        };
        match units.iter_mut().find(|unit| unit.name == entry.section) {
            Some(unit) => unit.set(option),
            None => units.push(Unit {
                name: entry.section,
                options: vec![option],
            }),
        }
    }
    units
}

/// Merges a section of a later profile into those before it.
pub(crate) fn merge(units: &mut Vec<Unit>, unit: Unit) {
    let known = units.iter_mut().find(|known| known.name == unit.name);
    let Some(known) = known else {
        units.push(unit);
        return;
    };
    if unit.get("replace").is_some_and(is_true) {
        *known = unit;
        return;
    }
    if let Some(drop) = unit.get("drop") {
        let dropped: Vec<&str> = drop.split([',', ';']).map(str::trim).collect();
        known
            .options
            .retain(|option| !dropped.contains(&option.key.as_str()));
    }
    for mut option in unit.options {
        // The scripts of all profiles run.
        if unit.name == "script" && option.key == "script" {
            option.key = format!("script of {}", option.file);
        }
        known.set(option);
    }
}

/// The variables of merged profiles, in the order in which they are written.
pub(crate) fn variables(facts: &Facts<'_>, units: &[Unit]) -> Variables {
    let mut variables = Variables::default();
    let Some(unit) = units.iter().find(|unit| unit.name == "variables") else {
        return variables;
    };
    for option in &unit.options {
        if option.key == "include" {
            let path = option.value.as_str();
            let text = path.starts_with('/').then(|| facts.text(path)).flatten();
            for entry in ini::parse(&text.unwrap_or_default(), Dialect::Tuned) {
                variables.set(&entry.key, &entry.value);
            }
        } else {
            variables.set(&option.key, &option.value);
        }
    }
    variables
}

/// Names of architectures, as uname(2) has them.
const ARCHITECTURES: [&str; 8] = [
    "aarch64",
    "armv7l",
    "i686",
    "ppc64le",
    "riscv64",
    "s390x",
    "x86_64",
    "loongarch64",
];

/// Whether a section is for this machine: what it asks of `/proc/cpuinfo` and of uname(2) is so. `None` where its
/// pattern is one that cannot be understood here, or may be about what is not known here.
pub(crate) fn is_for_this_host(
    unit: &Unit,
    variables: &Variables,
    facts: &Facts<'_>,
    kernel: &Kernel,
) -> Option<bool> {
    // tuned has the host's name before the release, and the version of the build behind it, which are not known here.
    let uname = || {
        let unknown = char::REPLACEMENT_CHARACTER;
        let (release, architecture) = (&kernel.release, &kernel.architecture);
        Some(format!(
            "Linux {unknown} {release} {unknown} {architecture}"
        ))
    };
    let cpuinfo = || facts.text("/proc/cpuinfo").map(|text| text.to_string());
    let fits = |key: &str, text: &dyn Fn() -> Option<String>| {
        let Some(pattern) = unit.get(key) else {
            return Some(true);
        };
        let pattern = variables.expand(pattern);
        let regex = RegexBuilder::new(&pattern).multi_line(true).build().ok()?;
        let fits = regex.is_match(&text()?);
        (fits || key != "uname_regex" || is_of_kernel(&pattern)).then_some(fits)
    };
    match (fits("uname_regex", &uname), fits("cpuinfo_regex", &cpuinfo)) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// Whether a pattern can only be about the architecture or the release of the kernel: each of its alternatives is the
/// beginning of an architecture's name, or numbers with dots.
fn is_of_kernel(pattern: &str) -> bool {
    let release = |word: &str| {
        let numbers = word.replace("\\.", ".");
        let digits = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-');
        numbers.contains('.')
            && numbers.starts_with(|c: char| c.is_ascii_digit())
            && numbers.chars().all(digits)
    };
    pattern.split('|').all(|word| {
        let word = word.trim_matches(['(', ')', '$', ' ']);
        let architecture = ARCHITECTURES.iter().any(|name| name.starts_with(word));
        word.len() >= 3 && (architecture || release(word))
    })
}
