//! The settings of a host taken apart into what other tools have words for.

use std::path::{Path, PathBuf};

use hftune_model::export::{Export, Found, Sum, Unsaid};
use hftune_model::port_change::PortChange;
use hftune_model::setting::{Artifact, Compare, Setting};

/// Where units of the administrator are.
pub(super) const UNITS: &str = "/etc/systemd/system";

/// The file of the settings of `/proc/sys`.
pub(super) const SYSCTL_FILE: &str = "/etc/sysctl.d/99-hft.conf";

/// What hftune keeps of its own.
const STATE: &str = "/var/lib/hftune";

/// A value that the kernel holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'e> {
    /// The setting.
    pub(super) id: &'e str,
    pub(super) path: &'e Path,
    pub(super) wanted: &'e str,
    pub(super) compare: Compare,
}

impl Value<'_> {
    /// Whether the file of sysctls has it, which every boot reads.
    pub(super) fn is_saved(&self) -> bool {
        self.id.starts_with("sysctl/")
    }
}

/// A file, link or absence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'e> {
    /// The settings that need it.
    pub(super) id: &'e str,
    pub(super) path: &'e Path,
    pub(super) what: What<'e>,
    pub(super) found: &'e Found,
}

/// What a place is to hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum What<'e> {
    File(&'e str, u32),
    Link(&'e str),
    Nothing,
}

impl What<'_> {
    /// What is found there when it is so.
    pub(super) fn found(&self) -> Found {
        match self {
            Self::File(content, _) => Found::File(Sum::of(content.as_bytes())),
            Self::Link(target) => Found::Link((*target).to_owned()),
            Self::Nothing => Found::Absent,
        }
    }
}

/// A change of a port, and the setting it serves first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Port<'e> {
    pub(super) id: &'e str,
    pub(super) name: &'e str,
    pub(super) change: &'e PortChange,
}

/// All that the settings of a host are made of.
#[derive(Debug, Clone)]
pub(super) struct Pieces<'e> {
    pub(super) export: &'e Export,
    /// Values of the kernel, but for those of single interrupts.
    pub(super) values: Vec<Value<'e>>,
    /// Settings of single interrupts, whose numbers another boot gives anew: every movable one goes to the CPUs of the OS.
    pub(super) irqs: Vec<&'e str>,
    /// The setting of the kernel threads, whose ids another boot gives anew.
    pub(super) threads: Option<&'e str>,
    /// Ports.
    pub(super) ports: Vec<Port<'e>>,
    /// Lines of our sysctl file, with the setting of each.
    pub(super) sysctl: Vec<(&'e str, &'e str)>,
    /// Files that no program reads but those that have them for their configuration.
    pub(super) files: Vec<Place<'e>>,
    /// Units that are off: the setting and the name.
    pub(super) off: Vec<(&'e str, &'e str)>,
    /// Boot arguments: the setting and the word.
    pub(super) arguments: Vec<(&'e str, &'e str)>,
    /// What the boot loader of this host needs for them.
    pub(super) boot: Vec<Place<'e>>,
    pub(super) variables: Vec<(&'e str, &'e Path, &'e str, &'e str)>,
    /// Programs that make other files: setting, program, arguments, outputs, whether they must run in any case.
    pub(super) made: Vec<Made<'e>>,
    /// Words that a program must write: the setting, the words to add, those to take out.
    pub(super) kargs: Vec<(&'e str, &'e [String], &'e [String])>,
    /// What no format can say.
    pub(super) unsaid: Vec<Unsaid>,
}

/// A program that makes files out of others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made<'e> {
    pub(super) id: &'e str,
    pub(super) program: &'e Path,
    pub(super) args: &'e [String],
    pub(super) outputs: &'e [PathBuf],
    pub(super) stale: bool,
}

impl<'e> Pieces<'e> {
    /// Takes the settings apart.
    pub(super) fn of(export: &'e Export) -> Self {
        let mut pieces = Self {
            export,
            values: Vec::new(),
            irqs: Vec::new(),
            threads: None,
            ports: Vec::new(),
            sysctl: Vec::new(),
            files: Vec::new(),
            off: Vec::new(),
            arguments: Vec::new(),
            boot: Vec::new(),
            variables: Vec::new(),
            made: Vec::new(),
            kargs: Vec::new(),
            unsaid: Vec::new(),
        };
        pieces.arguments = export
            .arguments
            .iter()
            .map(|(id, word)| (id.as_str(), word.as_str()))
            .collect();
        let mut seen = Vec::new();
        for setting in &export.settings {
            if setting.artifacts.is_empty() {
                pieces.leave_out(
                    &setting.id,
                    "hftune only proves it, and changes nothing for it",
                );
            }
            if let Some(own) = setting
                .artifacts
                .iter()
                .find(|a| is_own(a, setting, export))
            {
                pieces.leave_out(&setting.id, &format!("{} calls hftune", own.target()));
                continue;
            }
            for artifact in &setting.artifacts {
                let target = artifact.target();
                if seen.contains(&target) {
                    continue;
                }
                if pieces.take(setting, artifact) {
                    seen.push(target);
                }
            }
        }
        pieces
    }

    /// The same without what another file of the export sets: only values that `keeps` says, with interrupts and threads.
    pub(super) fn only_values(&self, keeps: impl Fn(&Value<'e>) -> bool) -> Self {
        let mut pieces = self.clone();
        pieces.values.retain(keeps);
        pieces.sysctl.clear();
        pieces.files.clear();
        pieces.off.clear();
        pieces.without_boot();
        pieces
    }

    /// Leaves the boot arguments to another file of the export.
    pub(super) fn without_boot(&mut self) {
        self.arguments.clear();
        self.boot.clear();
        self.variables.clear();
        self.made.clear();
        self.kargs.clear();
    }

    /// The words of the boot arguments on one line.
    pub(super) fn boot_line(&self) -> String {
        let words: Vec<&str> = self.arguments.iter().map(|(_, word)| *word).collect();
        words.join(" ")
    }

    /// Whether several of these pieces are wanted at every boot.
    pub(super) fn needs_boot_script(&self) -> bool {
        self.values.iter().any(|value| !value.is_saved())
            || !self.irqs.is_empty()
            || self.threads.is_some()
            || !self.ports.is_empty()
    }

    pub(super) fn leave_out(&mut self, id: &str, reason: &str) {
        self.unsaid.push(Unsaid {
            id: id.to_owned(),
            reason: reason.to_owned(),
        });
    }

    fn place(&mut self, setting: &'e Setting, path: &'e Path, what: What<'e>) {
        let place = Place {
            id: &setting.id,
            path,
            what,
            found: self.export.found.get(path).unwrap_or(&Found::Absent),
        };
        if setting.id.starts_with("boot/") {
            self.boot.push(place);
        } else {
            self.files.push(place);
        }
    }

    /// Sorts one artifact in; false where another setting may name it anew.
    fn take(&mut self, setting: &'e Setting, artifact: &'e Artifact) -> bool {
        let id = setting.id.as_str();
        match artifact {
            Artifact::Kernel {
                path,
                value,
                compare,
            } => {
                if is_of_irq(path) {
                    self.irqs.push(id);
                } else {
                    self.values.push(Value {
                        id,
                        path,
                        wanted: value,
                        compare: *compare,
                    });
                }
            }
            Artifact::Thread { .. } => self.threads = Some(id),
            Artifact::Port { port, change, .. } => self.ports.push(Port {
                id,
                name: port,
                change,
            }),
            Artifact::File { path, content, .. } if *path == Path::new(SYSCTL_FILE) => {
                self.sysctl = sysctl_lines(self.export, content);
            }
            Artifact::File {
                path,
                content,
                mode,
            } => {
                if !is_machinery(id, path) {
                    self.place(setting, path, What::File(content, *mode));
                }
            }
            Artifact::Link { path, target } => {
                if id.starts_with("services/") || !is_machinery(id, path) {
                    self.place(setting, path, What::Link(target));
                }
            }
            Artifact::NoFile { path } => self.place(setting, path, What::Nothing),
            Artifact::Variable { path, name, value } => {
                self.variables.push((id, path, name, value));
            }
            Artifact::Unit {
                name,
                active: false,
            } => self.off.push((id, name)),
            // Ours, which the export's own unit stands for.
            Artifact::Unit { active: true, .. } => {}
            Artifact::Made {
                program,
                args,
                outputs,
                stale,
                ..
            } => self.made.push(Made {
                id,
                program,
                args,
                outputs,
                stale: *stale,
            }),
            Artifact::Packages { names } => {
                let reason = format!("install these packages by hand: {}", names.join(" "));
                self.leave_out(id, &reason);
            }
            Artifact::Arguments { add, remove, .. } => self.kargs.push((id, add, remove)),
        }
        true
    }
}

/// Whether a value belongs to one interrupt.
fn is_of_irq(path: &Path) -> bool {
    path.strip_prefix("/proc/irq")
        .is_ok_and(|rest| rest.components().count() > 1)
}

/// Whether a file is there only to have hftune called: by systemd, by udev, under a name that operators know.
fn is_machinery(id: &str, path: &Path) -> bool {
    path.starts_with(STATE)
        || (!id.starts_with("vma/")
            && ["/etc/udev/rules.d", UNITS, "/usr/local/bin"]
                .iter()
                .any(|directory| path.starts_with(directory)))
}

/// Whether an artifact of libvma's is a program or a unit that calls hftune.
fn is_own(artifact: &Artifact, setting: &Setting, export: &Export) -> bool {
    let binary = export.binary.display().to_string();
    setting.id.starts_with("vma/")
        && matches!(artifact, Artifact::File { content, .. } if content.contains(&binary))
}

/// The lines of our sysctl file with the setting of each.
fn sysctl_lines<'e>(export: &'e Export, content: &'e str) -> Vec<(&'e str, &'e str)> {
    let assignments = content
        .lines()
        .filter(|line| !line.starts_with('#') && line.contains('='));
    assignments
        .map(|line| {
            let key = line.split('=').next().unwrap_or_default().trim();
            (setting_of(export, key), line)
        })
        .collect()
}

/// The setting that wants a sysctl: the one of its name, else the one that has its path among its values.
fn setting_of<'e>(export: &'e Export, key: &str) -> &'e str {
    let swapped = |c| match c {
        '.' => '/',
        '/' => '.',
        c => c,
    };
    let path: String = key.chars().map(swapped).collect();
    let path = Path::new("/proc/sys").join(path);
    let has = |setting: &&Setting| {
        setting.id.strip_prefix("sysctl/") == Some(key)
            || setting
                .artifacts
                .iter()
                .any(|a| matches!(a, Artifact::Kernel { path: known, .. } if *known == path))
    };
    let named = export.settings.iter().find(has);
    let pools = || {
        let mut settings = export.settings.iter();
        settings.find(|setting| setting.id.starts_with("hugepages/"))
    };
    named
        .or_else(|| (key == "vm.nr_hugepages").then(pools).flatten())
        .map_or("sysctl", |setting| &setting.id)
}
