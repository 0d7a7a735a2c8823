//! A setting: one thing to be tuned on this host, and what on the host must be a certain way for it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::port_change::PortChange;

/// What a kind of setting is, in words. One for each id or family of ids; `hftune explain` and `docs/` show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Doc {
    /// The id, or the id of a family with a placeholder: `irq/NAME`.
    pub id: &'static str,
    /// What it does.
    pub what: &'static str,
    /// Why a trading server wants it.
    pub why: &'static str,
    /// What it costs, or when it does nothing.
    pub trade_off: &'static str,
    /// Where each proof is read.
    pub read: &'static str,
    /// Where the facts come from.
    pub source: &'static str,
}

/// When a change takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// At once.
    Now,
    /// At the next boot.
    Reboot,
}

/// One thing to be tuned on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Id in the kernel's words: `sysctl/vm.swappiness`, `irq/ens1f0-rx-3`.
    pub id: String,
    /// The desired value as a person reads it.
    pub desired: String,
    /// When a change of it takes effect.
    pub when: When,
    /// Its words.
    pub doc: &'static Doc,
    /// A remark for this host: a rounding, a value that does nothing here.
    pub note: Option<String>,
    /// What must be a certain way on the host. Several settings may share an artifact (a line each in one file).
    pub artifacts: Vec<Artifact>,
}

/// A state of one thing on the host. Applying a plan is making artifacts so; each is recorded before it is changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "artifact")]
pub enum Artifact {
    /// A regular file with this content. An existing file keeps its mode, owner and label; a new one gets `mode`.
    File {
        /// Absolute path on the host.
        path: PathBuf,
        /// The whole content.
        content: String,
        /// Permission bits of a new file.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// Absolute path on the host.
        path: PathBuf,
        /// Where it points.
        target: String,
    },
    /// A file that is not there.
    NoFile {
        /// Absolute path on the host.
        path: PathBuf,
    },
    /// A variable of GRUB's environment block (grubenv). GRUB itself writes others of the same block at boot, so the
    /// block as a whole belongs to nobody.
    Variable {
        /// Absolute path of the block on the host.
        path: PathBuf,
        /// The variable.
        name: String,
        /// Its value.
        value: String,
    },
    /// A value that the running kernel holds in `/proc` or `/sys`.
    Kernel {
        /// Absolute path on the host.
        path: PathBuf,
        /// The value to write.
        value: String,
        /// How what is read back is compared with it.
        compare: Compare,
    },
    /// Values of a network port that its driver holds.
    Port {
        /// Name of the interface.
        port: String,
        /// The device behind it, which keeps its identity when the interface is renamed.
        device: Option<String>,
        /// The values.
        change: PortChange,
    },
    /// The CPUs that a kernel thread may use.
    Thread {
        /// Its process id.
        pid: u32,
        /// Its name, checked again before it is moved, since ids are used again.
        comm: String,
        /// CPUs as a list.
        cpus: String,
    },
    /// A unit that runs, or does not.
    Unit {
        /// Unit name.
        name: String,
        /// Whether it is to be active.
        active: bool,
    },
    /// What a program makes out of other files; run when one of `inputs` changed.
    Made {
        /// Absolute path of the program.
        program: PathBuf,
        /// Its fixed arguments.
        args: Vec<String>,
        /// The files that it reads.
        inputs: Vec<PathBuf>,
        /// The files that it writes; recorded before it runs.
        outputs: Vec<PathBuf>,
        /// Whether the outputs are known to lag behind the inputs, so that it must run even if no input changes.
        stale: bool,
        /// What it would make of its outputs, for a directory tree, where no program is started; empty where only the
        /// program itself can tell. It is recorded, too: what is found there after a crash may be this.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        in_tree: Vec<(PathBuf, String)>,
    },
    /// Packages that are installed, out of the repositories that the host has: the first must be there, the others are taken
    /// where a repository has them.
    Packages {
        /// Their names.
        names: Vec<String>,
    },
    /// Words on the kernel command line of the next boot where only a program may write it; undone by the same program.
    Arguments {
        /// Absolute path of the program, which is `rpm-ostree`.
        program: PathBuf,
        /// Words that must be there.
        add: Vec<String>,
        /// Words that must not.
        remove: Vec<String>,
    },
}

/// The options of `rpm-ostree` that add these words to the next boot's command line and take those out of it. Each does
/// nothing where the word is there, or gone, already: a second run changes nothing (rpm-ostree(1), `kargs`).
pub fn argument_options(add: &[String], remove: &[String]) -> Vec<String> {
    let added = add.iter().map(|word| format!("--append-if-missing={word}"));
    let removed = remove
        .iter()
        .map(|word| format!("--delete-if-present={word}"));
    std::iter::once("kargs".to_owned())
        .chain(removed)
        .chain(added)
        .collect()
}

/// How a kernel value that was read is compared with the one that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compare {
    /// The same words, whatever white space is between them.
    Words,
    /// The word in brackets: `always madvise [never]`.
    Bracketed,
    /// The same CPUs, as lists.
    CpuList,
    /// The same CPUs, as hexadecimal masks.
    CpuMask,
    /// CPUs as a list, all of which are among the desired ones.
    CpusWithin,
}

impl Artifact {
    /// What stands for a port in a target: its device, which stays when the interface is renamed, else its name.
    pub fn port_id(&self) -> Option<&str> {
        match self {
            Self::Port { port, device, .. } => Some(device.as_deref().unwrap_or(port)),
            _ => None,
        }
    }

    /// What it is a state of, as a key: two artifacts with the same target cannot both be.
    pub fn target(&self) -> String {
        match self {
            Self::File { path, .. } | Self::Link { path, .. } | Self::NoFile { path } => {
                format!("file:{}", path.display())
            }
            Self::Variable { path, name, .. } => format!("variable:{}:{name}", path.display()),
            Self::Kernel { path, .. } => format!("kernel:{}", path.display()),
            Self::Port { change, .. } => {
                format!(
                    "port:{}/{}",
                    self.port_id().unwrap_or_default(),
                    change.word()
                )
            }
            Self::Thread { pid, comm, .. } => format!("thread:{pid}:{comm}"),
            Self::Unit { name, .. } => format!("unit:{name}"),
            Self::Made { program, .. } => format!("made:{}", program.display()),
            Self::Packages { names } => {
                format!("packages:{}", names.first().map_or("", String::as_str))
            }
            Self::Arguments { program, .. } => format!("arguments:{}", program.display()),
        }
    }
}

impl Compare {
    /// The value that `text` holds, in the form in which values are shown and written back.
    pub fn value(self, text: &str) -> String {
        match self {
            Self::Words => text.split_whitespace().collect::<Vec<_>>().join(" "),
            Self::Bracketed => text
                .split_once('[')
                .and_then(|(_, rest)| rest.split_once(']'))
                .map_or_else(|| text.trim(), |(word, _)| word)
                .to_owned(),
            Self::CpuList | Self::CpusWithin => crate::CpuSet::parse_list(text, None)
                .map_or_else(|_| text.trim().to_owned(), |set| set.to_string()),
            Self::CpuMask => crate::CpuSet::parse_mask(text)
                .map_or_else(|_| text.trim().to_owned(), |set| set.to_mask()),
        }
    }

    /// Whether the text that was read satisfies the desired one.
    pub fn same(self, read: &str, desired: &str) -> bool {
        let parsed = |text: &str| crate::CpuSet::parse_list(text, None).ok();
        match (self, parsed(read), parsed(desired)) {
            (Self::CpusWithin, Some(read), Some(desired)) => {
                !read.is_empty() && read.is_subset(&desired)
            }
            _ => self.value(read) == self.value(desired),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Compare;

    #[test]
    fn compares_as_the_kernel_writes() {
        assert!(Compare::Words.same("4096\t131072\t16777216\n", "4096 131072 16777216"));
        assert!(Compare::Bracketed.same("always madvise [never]\n", "never"));
        assert!(!Compare::Bracketed.same("[always] madvise never\n", "never"));
        assert!(Compare::CpuList.same("0,1\n", "0-1"));
        assert!(Compare::CpuMask.same("00000000,00000003\n", "3"));
        assert!(Compare::CpusWithin.same("1\n", "0-1"));
        assert!(!Compare::CpusWithin.same("1-2\n", "0-1"));
        assert!(!Compare::CpusWithin.same("\n", "0-1"));
    }
}
