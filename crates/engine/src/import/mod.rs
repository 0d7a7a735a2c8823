//! `hftune import`: a profile of tuned in the words of hftune.
//!
//! What tuned's profile does not set, the new profile leaves to the host. A line that hftune has no word for is told, with its
//! file, its line and the reason.

pub(crate) mod sections;

use std::collections::BTreeMap;
use std::path::Path;

use hftune_model::host::Host;
use hftune_model::{CpuSet, Error, Kind, Result};
use hftune_sys::Reader;

use crate::host::facts::Facts;
use crate::host::tuned::functions::evaluate;
use crate::host::tuned::profile::{self, Merged, Opt, Unit};
use crate::host::tuned::variables::{Variables, unresolved};
use crate::profile::Overlay;

/// What became of a profile of tuned.
#[derive(Debug)]
pub struct Imported {
    /// The profile, as a file.
    pub text: String,
    /// The files that it was read from.
    pub files: Vec<String>,
    /// How many values it sets.
    pub values: usize,
    /// What has no counterpart.
    pub left: Vec<Left>,
}

/// A line of tuned's that has no counterpart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The file.
    pub file: String,
    /// The line, counted from 1; 0 is the file as a whole.
    pub line: usize,
    /// What stands there: `[section] key=value`.
    pub what: String,
    /// Why.
    pub reason: String,
}

/// Reads a profile of tuned: a name, as `tuned-adm list` shows it, or the path of a folder.
pub fn tuned(reader: &Reader<'_>, named: &str) -> Result<Imported> {
    let host = crate::host::read(reader);
    let facts = Facts::new(reader);
    let merged = load(&facts, named);
    if merged.files.is_empty() {
        let why = merged.unknown.join("; ");
        return Err(
            Error::new(Kind::Missing, format!("no profile of tuned: {why}"))
                .hint("name one that tuned-adm list shows, or the path of its folder"),
        );
    }
    let mut import = Import::new(&facts, &host, merged)?;
    import.sections();
    import.finish(named)
}

fn load(facts: &Facts<'_>, named: &str) -> Merged {
    let path = Path::new(named.trim_end_matches('/'));
    match (
        path.parent(),
        path.file_name().and_then(|name| name.to_str()),
    ) {
        (Some(directory), Some(name)) if named.contains('/') => {
            profile::load_in(facts, &directory.display().to_string(), name)
        }
        _ => profile::load(facts, &[named.to_owned()]),
    }
}

/// An import on its way.
pub(crate) struct Import<'i> {
    host: &'i Host,
    cpuinfo: Option<String>,
    governors: Vec<String>,
    units: Vec<Unit>,
    files: Vec<String>,
    variables: Variables,
    /// The CPUs that tuned's profile isolates.
    isolated: Option<CpuSet>,
    overlay: Overlay,
    left: Vec<Left>,
    /// Values of sysctls that the host has now, for those that tuned only raises.
    now: BTreeMap<String, String>,
}

impl<'i> Import<'i> {
    fn new(facts: &Facts<'_>, host: &'i Host, merged: Merged) -> Result<Self> {
        let governors = facts
            .word("/sys/devices/system/cpu/cpu0/cpufreq/scaling_available_governors")
            .unwrap_or_default();
        let mut import = Self {
            host,
            cpuinfo: facts.text("/proc/cpuinfo").map(|text| text.to_string()),
            governors: governors.split_whitespace().map(str::to_owned).collect(),
            units: merged.units,
            files: merged.files,
            variables: Variables::default(),
            isolated: None,
            overlay: Overlay::keeping_all()?,
            left: Vec::new(),
            now: BTreeMap::new(),
        };
        for why in merged.unknown {
            import.left.push(Left {
                file: import.files.first().cloned().unwrap_or_default(),
                line: 0,
                what: "[main] include".to_owned(),
                reason: why,
            });
        }
        for file in import.files.clone() {
            let text = facts.text(&file).unwrap_or_default();
            import.stray_lines(&file, &text);
        }
        import.read_variables(facts);
        import.judge_sections(facts);
        import.read_sysctls(facts);
        Ok(import)
    }

    /// Lines that assign nothing.
    fn stray_lines(&mut self, file: &str, text: &str) {
        for (at, line) in text.lines().enumerate() {
            let trimmed = line.trim();
            let known = trimmed.is_empty()
                || trimmed.starts_with(['#', ';', '['])
                || line.starts_with([' ', '\t'])
                || trimmed.contains('=');
            if !known {
                self.left.push(Left {
                    file: file.to_owned(),
                    line: at + 1,
                    what: trimmed.to_owned(),
                    reason: "it assigns nothing, and tuned refuses it".to_owned(),
                });
            }
        }
    }

    fn leave(&mut self, unit: &Unit, option: &Opt, reason: impl Into<String>) {
        let value = option.value.replace('\n', " ");
        self.left.push(Left {
            file: option.file.clone(),
            line: option.line,
            what: format!("[{}] {}={value}", unit.name, option.key),
            reason: reason.into(),
        });
    }

    /// Works out the variables, in the order in which they are written.
    fn read_variables(&mut self, facts: &Facts<'_>) {
        let Some(at) = self.units.iter().position(|unit| unit.name == "variables") else {
            return;
        };
        let unit = self.units.remove(at);
        for option in &unit.options {
            if option.key != "include" {
                self.set_variable(&unit, option);
                continue;
            }
            let path = self.variables.expand(&option.value);
            let Some(text) = path.starts_with('/').then(|| facts.text(&path)).flatten() else {
                self.leave(&unit, option, "the file cannot be read");
                continue;
            };
            let entries = crate::host::ini::parse(&text, crate::host::ini::Dialect::Tuned);
            for entry in entries {
                let included = Opt {
                    key: entry.key,
                    value: entry.value,
                    file: path.clone(),
                    line: entry.line,
                };
                self.set_variable(&unit, &included);
            }
        }
    }

    fn set_variable(&mut self, unit: &Unit, option: &Opt) {
        let text = self.variables.expand(&option.value);
        let found = evaluate(&text, self.host, self.cpuinfo.as_deref());
        for problem in &found.problems {
            self.leave(unit, option, problem.clone());
        }
        // A variable that stands for itself, until a file of the operator's says what it is.
        if unresolved(&found.text) && found.problems.is_empty() {
            let own = format!("${{{}}}", option.key);
            let reason = if found.text.trim() == own {
                "it is not set: write it into the file of variables that the profile includes"
            } else {
                "it needs a variable that is not set"
            };
            self.leave(unit, option, reason);
        }
        self.variables.set(&option.key, &found.text);
    }

    /// Leaves out the sections of other machines, and those that are off.
    fn judge_sections(&mut self, facts: &Facts<'_>) {
        let units = std::mem::take(&mut self.units);
        for unit in units {
            let reason = if unit.enabled() {
                match profile::is_for_this_host(&unit, &self.variables, facts, &self.host.kernel) {
                    Some(true) => None,
                    Some(false) => Some("the section is for other machines than this one"),
                    None => Some("whether the section is for this machine is not known"),
                }
            } else {
                Some("the section is off")
            };
            match reason {
                None => self.units.push(unit),
                Some(reason) => {
                    for option in &unit.options {
                        if !sections::OF_EVERY_SECTION.contains(&option.key.as_str()) {
                            self.leave(&unit, option, reason);
                        }
                    }
                }
            }
        }
    }

    fn read_sysctls(&mut self, facts: &Facts<'_>) {
        let units = self.units.iter().filter(|unit| unit.plugin() == "sysctl");
        for option in units.flat_map(|unit| &unit.options) {
            let path = format!("/proc/sys/{}", option.key.replace('.', "/"));
            if option.value.starts_with('>')
                && let Some(now) = facts.word(&path)
            {
                self.now.insert(option.key.clone(), now);
            }
        }
    }

    /// The value of an option with everything put in; `None`, told, where something is not known.
    fn value(&mut self, unit: &Unit, option: &Opt) -> Option<String> {
        let text = self.variables.expand(&option.value);
        let found = evaluate(&text, self.host, self.cpuinfo.as_deref());
        if let Some(problem) = found.problems.first() {
            self.leave(unit, option, problem.clone());
            return None;
        }
        if unresolved(&found.text) {
            self.leave(unit, option, "it needs a variable that is not set");
            return None;
        }
        let text = found.text.trim();
        let unquoted = text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap_or(text);
        Some(unquoted.to_owned())
    }

    /// Sets a key, or tells why it cannot be.
    fn set(&mut self, unit: &Unit, option: &Opt, key: &str, value: impl Into<toml::Value>) {
        let place = format!("{}:{}", option.file, option.line);
        if let Err(e) = self.overlay.set(key, value, &place) {
            self.leave(unit, option, e.in_one_line());
        }
    }

    fn finish(mut self, named: &str) -> Result<Imported> {
        let name: String = named
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
            .take(50)
            .collect();
        self.overlay.set("name", format!("from-{name}"), "")?;
        self.left
            .sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        self.left.dedup();
        let mut intro = format!(
            "Made by \"hftune import\" out of the profile {named} of tuned:\n{}\n\n\
             What that profile does not set is left to the host here. Delete a line whose value is \"keep\", false or -1 to get\n\
             the value of hftune's own profile instead; \"hftune plan --profile FILE\" shows what that changes.\n",
            self.files
                .iter()
                .map(|file| format!("  {file}"))
                .collect::<Vec<_>>()
                .join("\n"),
        );
        if !self.left.is_empty() {
            intro.push_str("\nNot in here:\n");
        }
        for left in &self.left {
            let line = format!(
                "  {}:{}: {}: {}\n",
                left.file, left.line, left.what, left.reason
            );
            intro.push_str(&line.trim_end().replace(char::is_control, " "));
            intro.push('\n');
        }
        Ok(Imported {
            // The name alone is no value of the profile's.
            values: self.overlay.len() - 1,
            text: self.overlay.render(&intro)?,
            files: self.files,
            left: self.left,
        })
    }
}
