//! Watching for drift: what changed between two runs of verify, and who is likely to have done it.
//!
//! What a run found is on disk before anything is told of it, so that nothing is told twice and nothing is lost where the
//! metrics cannot be written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hftune_domains::conflicts::files_about;
use hftune_domains::drift::TEXTFILE_DIRS;
use hftune_domains::sysctl_files::SysctlFiles;
use hftune_domains::{Desired, drift};
use hftune_model::drift::{Author, Change, Seen};
use hftune_model::finding::{Finding, Verdict};
use hftune_model::setting::{Artifact, Setting};
use hftune_model::transaction::Transaction;
use hftune_model::{Error, Kind, Result};
use hftune_sys::Root;
use hftune_sys::write::Metadata;
use serde::{Deserialize, Serialize};

use crate::in_force::{Choices, InForce};
use crate::journal;
use crate::machine::Machine;
use crate::units;

/// What the last run found.
pub const STATE: &str = "/var/lib/hftune/drift.json";

/// Where the metrics are where no node_exporter is.
const OWN_DIR: &str = "/var/lib/hftune/metrics";

/// The file of the metrics.
const METRICS: &str = "hftune.prom";

/// How the file of the metrics begins, so that no other is taken for it.
const BEGINS: &str = "# HELP hftune_info ";

const SCHEMA: &str = "hftune/drift-state/1";

/// What a run found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// "hftune/drift-state/1".
    pub schema: String,
    /// When it began, in seconds since 1970.
    pub time: u64,
    /// The boot during which it ran.
    pub boot_id: Option<String>,
    /// The file of the metrics that it was to write.
    pub textfile: PathBuf,
    /// What was in force of the journal, by transaction.
    pub transactions: BTreeMap<String, String>,
    /// What it saw of each setting.
    pub settings: BTreeMap<String, Seen>,
}

/// Whether the watch is enabled, as far as files tell.
pub fn is_enabled(root: &Root) -> bool {
    root.exists(drift::timer_path())
}

/// The options of a run: those of the last setup, its `--force` too, since nobody is there who could give it anew.
pub fn choices(root: &Root) -> Result<Choices> {
    let (in_force, _) = InForce::read_or_warn(root)?;
    Ok(Choices {
        force: in_force.is_some_and(|last| last.choices.force),
        ..Choices::default()
    })
}

/// Whether systemd says that the timer runs.
pub fn is_active() -> bool {
    units::is_active(drift::TIMER)
}

/// Refuses where it is not: nothing would take away what a run leaves.
pub fn need_enabled(root: &Root) -> Result<()> {
    if is_enabled(root) {
        return Ok(());
    }
    Err(Error::new(
        Kind::Conflict,
        "the watch for drift is not enabled on this host",
    )
    .hint("hftune drift enable; or hftune verify, which keeps no record"))
}

/// What the last run found; `None` where there was none. A damaged record counts as none: the warning says so.
pub fn last(root: &Root) -> Result<(Option<State>, Option<String>)> {
    let Some(text) = root.read_text_if_present(STATE)? else {
        return Ok((None, None));
    };
    match serde_json::from_str::<State>(&text) {
        Ok(state) if state.schema == SCHEMA => Ok((Some(state), None)),
        Ok(state) => Ok((
            None,
            Some(unusable(root, &format!("it is of {:?}", state.schema))),
        )),
        Err(e) => Ok((None, Some(unusable(root, &e.to_string())))),
    }
}

fn unusable(root: &Root, why: &str) -> String {
    format!(
        "{}: it cannot be understood: {why}; what changed since the last run is therefore not known",
        root.shown(STATE.as_ref()).display()
    )
}

/// What this run found, compared with what the last one found.
pub fn compare(
    machine: &Machine<'_>,
    desired: &Desired,
    findings: &[Finding],
    transactions: &[Transaction],
    last: Option<&State>,
    now: u64,
    textfile: PathBuf,
) -> (State, Vec<Change>) {
    let boot_id = machine.host.kernel.boot_id.clone();
    let settings = findings
        .iter()
        .map(|finding| {
            let before = last.and_then(|last| last.settings.get(&finding.id));
            (finding.id.clone(), Seen::of(finding, before, now))
        })
        .collect();
    let state = State {
        schema: SCHEMA.to_owned(),
        time: now,
        boot_id,
        textfile,
        transactions: transactions
            .iter()
            .map(|t| (t.id.clone(), status(t)))
            .collect(),
        settings,
    };
    let Some(last) = last else {
        return (state, Vec::new());
    };
    let authors = Authors {
        machine,
        desired,
        last,
        ours: ours(transactions, last),
        rebooted: last.boot_id.is_some() && last.boot_id != state.boot_id,
    };
    let mut changes: Vec<Change> = findings
        .iter()
        .filter_map(|finding| {
            let before = last.settings.get(&finding.id);
            let after = &state.settings[&finding.id];
            is_change(before, after).then(|| Change {
                id: finding.id.clone(),
                before: before.cloned(),
                after: Some(after.clone()),
                fix: finding.fix.clone(),
                author: authors.of(finding, before),
                rebooted: authors.rebooted,
            })
        })
        .collect();
    let gone = last
        .settings
        .iter()
        .filter(|(id, _)| !state.settings.contains_key(*id));
    changes.extend(gone.map(|(id, before)| Change {
        id: id.clone(),
        before: Some(before.clone()),
        after: None,
        fix: None,
        author: authors.ours(id).unwrap_or(Author::Unknown),
        rebooted: authors.rebooted,
    }));
    (state, changes)
}

/// Whether there is something to tell. A setting that is as desired may be so in several ways; one that is new is told where
/// it is not.
fn is_change(before: Option<&Seen>, after: &Seen) -> bool {
    match before {
        None => after.verdict.is_finding(),
        Some(before) if before.verdict != after.verdict => true,
        Some(before) => after.verdict.is_finding() && before.value != after.value,
    }
}

fn status(transaction: &Transaction) -> String {
    let undone = transaction.steps.iter().filter(|step| step.undone).count();
    format!("{:?}, {undone} undone", transaction.status).to_lowercase()
}

/// What hftune itself touched since the last run: settings and targets, each with the transaction.
fn ours(transactions: &[Transaction], last: &State) -> BTreeMap<String, String> {
    let mut ours = BTreeMap::new();
    for transaction in transactions {
        let now = status(transaction);
        if last.transactions.get(&transaction.id) == Some(&now) {
            continue;
        }
        let ids = transaction.steps.iter().flat_map(|step| &step.ids);
        let changes = transaction.changes.iter().map(|change| &change.id);
        for id in ids.chain(changes) {
            ours.insert(id.clone(), transaction.id.clone());
        }
    }
    ours
}

/// What tells who changed a setting.
struct Authors<'a> {
    machine: &'a Machine<'a>,
    desired: &'a Desired,
    last: &'a State,
    ours: BTreeMap<String, String>,
    rebooted: bool,
}

impl Authors<'_> {
    fn ours(&self, id: &str) -> Option<Author> {
        self.ours
            .get(id)
            .map(|transaction| Author::Hftune(transaction.clone()))
    }

    /// The likely author, by the best that is known: hftune's own journal, the profile, what wins over the setting, a file that is newer
    /// than the last run, a rival that runs. Otherwise nobody knows.
    fn of(&self, finding: &Finding, before: Option<&Seen>) -> Author {
        if let Some(author) = self.ours(&finding.id) {
            return author;
        }
        if before.is_some_and(|before| before.wanted != finding.desired) {
            return Author::Profile;
        }
        if finding.verdict == Verdict::Overridden {
            return Author::Wins(finding.reason.clone());
        }
        let setting = self.desired.settings.iter().find(|s| s.id == finding.id);
        if let Some(file) = setting.and_then(|setting| self.newer_file(setting)) {
            return Author::File(file);
        }
        if finding.verdict.is_finding()
            && let Some(unit) = self.rival(&finding.id)
        {
            return Author::Rival(unit);
        }
        Author::Unknown
    }

    /// A file among those that set it which changed since the last run; the newest.
    fn newer_file(&self, setting: &Setting) -> Option<PathBuf> {
        let root = self.machine.reader.root();
        let mut files: BTreeSet<PathBuf> = files_about(setting, &self.machine.context())
            .into_iter()
            .map(PathBuf::from)
            .collect();
        for artifact in &setting.artifacts {
            match artifact {
                Artifact::File { path, .. }
                | Artifact::Link { path, .. }
                | Artifact::Variable { path, .. } => {
                    files.insert(path.clone());
                }
                Artifact::Made { outputs, .. } => files.extend(outputs.iter().cloned()),
                Artifact::Kernel { path, .. } => files.extend(self.sysctl_file(path)),
                _ => {}
            }
        }
        files
            .into_iter()
            .filter_map(|path| Some((root.modified(&path)?, path)))
            // Of the second of the last run nobody knows which came first.
            .filter(|(time, _)| *time > self.last.time)
            .max()
            .map(|(_, path)| path)
    }

    /// The file of sysctl.d that decides about a kernel path.
    fn sysctl_file(&self, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix("/proc/sys").ok()?;
        let files = SysctlFiles::read(&self.machine.reader).ok()?;
        let winner = files.winner(below.to_str()?)?;
        Some(PathBuf::from(&winner.file))
    }

    /// A service that runs and does such things: irqbalance moves interrupts, the others set all kinds of values.
    fn rival(&self, id: &str) -> Option<String> {
        let rivals = self.machine.host.services.rivals.iter();
        let moves_irqs = id.starts_with("irq/");
        rivals
            .filter(|rival| rival.running && !rival.masked)
            .find(|rival| (rival.unit == "irqbalance.service") == moves_irqs)
            .map(|rival| rival.unit.clone())
    }
}

/// Where the metrics go: where the operator wants them, else where a node_exporter looks, else to a place of our own.
pub fn textfile(root: &Root, given: Option<&str>) -> PathBuf {
    let dir = given.or_else(|| TEXTFILE_DIRS.into_iter().find(|dir| root.is_dir(dir)));
    Path::new(dir.unwrap_or(OWN_DIR)).join(METRICS)
}

/// Puts what a run found on disk.
pub fn keep(root: &Root, state: &State) -> Result<()> {
    let mut text = serde_json::to_string_pretty(state).expect("a record is maps and scalars");
    text.push('\n');
    write(root, Path::new(STATE), &text)
}

/// Writes the metrics. The directory is made where it is hftune's own.
///
/// # Errors
/// Where it is missing or may not be written to.
pub fn write_metrics(root: &Root, path: &Path, text: &str) -> Result<()> {
    if path.starts_with(OWN_DIR) {
        root.make_dirs(OWN_DIR, 0o755)?;
    }
    write(root, path, text).map_err(|e| {
        e.hint("make it a directory that root may write to, or name another: hftune drift enable --textfile-dir DIR")
    })
}

fn write(root: &Root, path: &Path, text: &str) -> Result<()> {
    let (uid, gid) = hftune_sys::identity::owner();
    let new = Metadata {
        mode: 0o644,
        uid,
        gid,
        xattrs: Vec::new(),
    };
    let metadata = root.metadata(path)?.map_or(new.clone(), |old| Metadata {
        xattrs: old.xattrs,
        ..new
    });
    root.write_atomic(path, text.as_bytes(), &metadata)
}

/// Takes away what runs left, where the watch is there no longer: metrics that nobody writes any more would tell for ever
/// that all is well. The last thing of an apply or a rollback.
pub fn forget_if_disabled(root: &Root) -> Result<()> {
    if is_enabled(root) || !root.exists(STATE) {
        return Ok(());
    }
    if let (Some(state), _) = last(root)? {
        let ours = root
            .read_text_if_present(&state.textfile)?
            .is_some_and(|text| text.starts_with(BEGINS));
        if ours {
            root.remove_file(&state.textfile)?;
        }
        if state.textfile.starts_with(OWN_DIR) {
            root.remove_empty_dir(OWN_DIR)?;
        }
    }
    root.remove_file(STATE)
}

/// What changes while verify reads is not yet what it will be: whether the journal is as it was.
pub fn same_journal(before: &[Transaction], root: &Root) -> Result<bool> {
    Ok(journal::read_all(root)? == before)
}
