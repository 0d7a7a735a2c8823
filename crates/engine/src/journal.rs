//! The journal: one file a transaction in `/var/lib/hftune/transactions`, a JSON record a line with the sum of its text, each on
//! disk before what it announces is done.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use hftune_model::finding::Verdict;
use hftune_model::setting::Artifact;
use hftune_model::transaction::{
    After, JOURNAL_VERSION, Outcome, Output, Record, State, Status, TakenStep, Transaction,
};
use hftune_model::{Error, Kind, Result};
use hftune_sys::Root;

/// Everything that hftune itself remembers.
pub const STATE: &str = "/var/lib/hftune";

/// Where the transactions are.
pub const TRANSACTIONS: &str = "/var/lib/hftune/transactions";

/// So many transactions are kept at least. Beyond that the oldest go that were undone; one that is in force never does.
const KEPT: usize = 100;

/// A transaction that is being written.
#[derive(Debug)]
pub struct Journal<'r> {
    root: &'r Root,
    path: PathBuf,
    /// Its id.
    pub id: String,
}

impl<'r> Journal<'r> {
    /// Begins a transaction.
    pub fn begin(root: &'r Root, begin: &Record) -> Result<Self> {
        root.make_dirs(TRANSACTIONS, 0o700)?;
        prune(root)?;
        let stamp = jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H-%M-%SZ")
            .to_string();
        // Two in one second, or a clock that went backwards: the id stays unique and sorts after.
        let id = match ids(root)?.last() {
            Some(last) if *last >= stamp => successor(last),
            _ => stamp,
        };
        let journal = Self {
            root,
            path: path_of(&id),
            id,
        };
        journal.write(begin)?;
        Ok(journal)
    }

    /// Opens one that exists, to record its undoing.
    pub fn reopen(root: &'r Root, id: &str) -> Self {
        Self {
            root,
            path: path_of(id),
            id: id.to_owned(),
        }
    }

    /// Writes a record and waits until it is on disk.
    pub fn write(&self, record: &Record) -> Result<()> {
        let text = serde_json::to_string(record).map_err(|e| {
            Error::invalid(format!("a record cannot be written: {e}")).at(&self.path)
        })?;
        let line = format!("{}\n", with_sum(&text));
        self.root.append_synced(&self.path, line.as_bytes())
    }
}

/// Removes the oldest transactions that were undone, where there are too many.
fn prune(root: &Root) -> Result<()> {
    let ids = ids(root)?;
    for id in &ids[..ids.len().saturating_sub(KEPT)] {
        // One that cannot be read is kept for whoever can.
        if let Ok(Some(transaction)) = read(root, id)
            && transaction.status == Status::RolledBack
        {
            root.remove_file(path_of(id))?;
        }
    }
    Ok(())
}

/// What stands between a record and its sum.
const SUM: &str = ",\"sum\":\"";

/// A record with the sum of its text (CRC-32, as in gzip) as its last field.
pub(crate) fn with_sum(text: &str) -> String {
    let body = text.strip_suffix('}').unwrap_or(text);
    format!("{body}{SUM}{:08x}\"}}", sum(text))
}

fn sum(text: &str) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(text.as_bytes());
    sum.sum()
}

/// The text of a record without its sum, and whether the sum is right; `None` where it has none, as in version 1.
fn without_sum(line: &str) -> Option<(String, bool)> {
    let (body, rest) = line.rsplit_once(SUM)?;
    let stated = u32::from_str_radix(rest.strip_suffix("\"}")?, 16).ok()?;
    let text = format!("{body}}}");
    let right = sum(&text) == stated;
    Some((text, right))
}

/// A line with another record in place of its own, and with a sum where it had one; `None` where it is damaged.
pub(crate) fn rewritten(line: &str, change: impl FnOnce(Record) -> Record) -> Option<String> {
    let (text, summed) = match without_sum(line) {
        Some((text, true)) => (text, true),
        Some((_, false)) => return None,
        None => (line.to_owned(), false),
    };
    let record = serde_json::from_str(&text).ok()?;
    let text = serde_json::to_string(&change(record)).ok()?;
    Some(if summed { with_sum(&text) } else { text })
}

/// What was cut off half way and nobody finished: what happened, and what to do, in words.
pub fn cut_off(transactions: &[Transaction]) -> Option<String> {
    let newest = transactions
        .iter()
        .rfind(|t| t.status != Status::RolledBack)?;
    if !newest.is_cut_off() {
        return None;
    }
    let id = &newest.id;
    Some(if newest.status == Status::Applied {
        format!(
            "the undoing of transaction {id} was cut off half way: hftune rollback finishes it, hftune setup makes it whole again"
        )
    } else {
        format!(
            "transaction {id} was cut off half way: hftune setup finishes it, hftune rollback undoes it"
        )
    })
}

fn path_of(id: &str) -> PathBuf {
    Path::new(TRANSACTIONS).join(format!("{id}.jsonl"))
}

/// An id that sorts right after `id`: `…Z`, `…Z-002`, `…Z-003`.
fn successor(id: &str) -> String {
    match id.split_once("Z-") {
        Some((stem, number)) => format!("{stem}Z-{:03}", number.parse::<u32>().unwrap_or(1) + 1),
        None => format!("{id}-002"),
    }
}

/// The ids of all transactions, oldest first.
fn ids(root: &Root) -> Result<Vec<String>> {
    let mut ids: Vec<String> = root
        .list(TRANSACTIONS)?
        .iter()
        .filter_map(|name| name.strip_suffix(".jsonl").map(str::to_owned))
        .collect();
    ids.sort_unstable();
    Ok(ids)
}

/// Every transaction, oldest first.
pub fn read_all(root: &Root) -> Result<Vec<Transaction>> {
    let read = ids(root)?.into_iter().map(|id| read(root, &id));
    read.filter_map(Result::transpose).collect()
}

/// Every transaction; of a damaged one what was recorded before the damage, with a warning that says so.
pub fn read_before_damage(root: &Root) -> Result<(Vec<Transaction>, Vec<String>)> {
    let mut transactions = Vec::new();
    let mut warnings = Vec::new();
    for id in ids(root)? {
        match read(root, &id) {
            Ok(transaction) => transactions.extend(transaction),
            Err(e) if e.kind == Kind::Invalid => {
                let text = root.read_text(path_of(&id))?;
                let whole = text.lines().take(e.line.unwrap_or(1) - 1);
                let before: String = whole.flat_map(|line| [line, "\n"]).collect();
                transactions.extend(parse(&id, &before).ok());
                warnings.push(format!("{e}; only what stands before that line is used"));
            }
            Err(e) => return Err(e),
        }
    }
    Ok((transactions, warnings))
}

/// Every transaction, or none where only root may read them.
pub fn read_all_permitted(root: &Root) -> Result<Vec<Transaction>> {
    match read_all(root) {
        Err(e) if e.kind == Kind::NeedsRoot => Ok(Vec::new()),
        other => other,
    }
}

/// Reads a transaction; `None` where not even its first line was written: nothing was changed then.
fn read(root: &Root, id: &str) -> Result<Option<Transaction>> {
    let path = path_of(id);
    let text = root.read_text(&path)?;
    if !text.contains('\n') {
        return Ok(None);
    }
    parse(id, &text).map(Some).map_err(|e| Error {
        path: Some(root.shown(&path)),
        ..e
    })
}

/// Reads a journal. A last line without its newline was being written when the power went, and announces nothing.
pub fn parse(id: &str, text: &str) -> Result<Transaction> {
    let mut transaction: Option<Transaction> = None;
    // Until the first line says which one it is.
    let mut version = 0;
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    for (i, line) in whole.lines().enumerate() {
        let damaged = |why: String| {
            Error::invalid(format!("the journal is damaged: {why}"))
                .line(i + 1)
                .hint("keep the file; hftune rollback --force undoes what it recorded before this line")
        };
        let summed = without_sum(line);
        let text = summed.as_ref().map_or(line, |(text, _)| text);
        let read = match &summed {
            Some((_, false)) => Err("the sum of the line is wrong".to_owned()),
            // From version 2 on every line has one.
            None if version >= 2 => Err("the line has no sum".to_owned()),
            _ => serde_json::from_str(text).map_err(|e| e.to_string()),
        };
        let record: Record = match read {
            Ok(record) => record,
            // Of what was undone nothing is needed any more.
            Err(_)
                if transaction
                    .as_ref()
                    .is_some_and(|t| t.status == Status::RolledBack) =>
            {
                break;
            }
            Err(why) => return Err(damaged(why)),
        };
        if let Record::Begin { journal, .. } = &record {
            version = *journal;
            // A newer one is refused for that, below.
            if version == 2 && summed.is_none() {
                return Err(damaged("the line has no sum".to_owned()));
            }
        }
        match (&mut transaction, record) {
            (
                None,
                Record::Begin {
                    journal,
                    time,
                    profile,
                    boot_id,
                    changes,
                    version,
                },
            ) => {
                if journal > JOURNAL_VERSION {
                    return Err(Error::new(
                        Kind::Conflict,
                        format!("this journal was written by hftune {version}, in a newer form"),
                    )
                    .hint("use that version of hftune"));
                }
                transaction = Some(Transaction {
                    id: id.to_owned(),
                    time,
                    profile,
                    boot_id,
                    changes,
                    steps: Vec::new(),
                    status: Status::Interrupted,
                });
            }
            (None, _) => return Err(damaged("it does not begin with a begin record".to_owned())),
            (Some(_), Record::Begin { .. }) => return Err(damaged("it begins twice".to_owned())),
            (
                Some(transaction),
                Record::Before {
                    step,
                    ids,
                    after,
                    before,
                    directories,
                },
            ) => transaction.steps.push(TakenStep {
                number: step,
                ids,
                after,
                before,
                directories,
                outcome: None,
                outputs: Vec::new(),
                undone: false,
            }),
            (
                Some(transaction),
                Record::Done {
                    step,
                    outcome,
                    outputs,
                },
            ) => {
                let taken = step_mut(transaction, step)
                    .ok_or_else(|| damaged(format!("step {step} was not begun")))?;
                taken.outcome = Some(outcome);
                taken.outputs = outputs;
            }
            (Some(transaction), Record::Undone { step }) => {
                let taken = step_mut(transaction, step)
                    .ok_or_else(|| damaged(format!("step {step} was not begun")))?;
                taken.undone = true;
            }
            (Some(transaction), Record::End { complete, .. }) => {
                transaction.status = if complete {
                    Status::Applied
                } else {
                    Status::Failed
                };
            }
            (Some(transaction), Record::RolledBack { .. }) => {
                transaction.status = Status::RolledBack;
            }
        }
    }
    transaction.ok_or_else(|| {
        Error::invalid("the journal is empty: the machine stopped before anything was changed")
    })
}

fn step_mut(transaction: &mut Transaction, number: usize) -> Option<&mut TakenStep> {
    transaction
        .steps
        .iter_mut()
        .find(|step| step.number == number)
}

/// A target that hftune holds.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its state before hftune first changed it.
    pub before: State,
    /// What hftune last made of it.
    pub last: After,
    /// For a program: what it last made of its outputs.
    pub outputs: Vec<Output>,
    /// The boot in which it was first changed.
    pub boot_id: Option<String>,
}

/// Every target that hftune holds, over all transactions that are in force.
pub fn held(transactions: &[Transaction]) -> BTreeMap<String, Held> {
    let mut held = BTreeMap::new();
    let in_force = |t: &&Transaction| t.status != Status::RolledBack;
    for transaction in transactions.iter().filter(in_force) {
        for step in transaction.steps.iter().filter(|step| !step.undone) {
            let made = !matches!(
                step.outcome,
                Some(Outcome::Refused { .. } | Outcome::Untried { .. })
            );
            match &step.after {
                After::Set(artifact) if made => {
                    let held = held.entry(artifact.target()).or_insert_with(|| Held {
                        before: step.before.clone(),
                        last: step.after.clone(),
                        outputs: Vec::new(),
                        boot_id: transaction.boot_id.clone(),
                    });
                    held.before = held.before.clone().with_later(&step.before);
                    held.last = step.after.clone();
                    held.outputs.clone_from(&step.outputs);
                }
                // Back to what it was: hftune no longer holds it. A put-back that failed is still due.
                After::Restore { target, .. } if step.outcome == Some(Outcome::Made) => {
                    held.remove(target);
                }
                _ => {}
            }
        }
    }
    held
}

/// Artifacts that could not be made so during this boot, with the verdict and the reason: they are not tried again.
/// Another value for the same target is.
pub fn refused(
    transactions: &[Transaction],
    boot_id: Option<&str>,
) -> HashMap<Artifact, (Verdict, String)> {
    let mut refused = HashMap::new();
    let this_boot = |t: &&Transaction| boot_id.is_some() && t.boot_id.as_deref() == boot_id;
    for transaction in transactions.iter().filter(this_boot) {
        for step in transaction.steps.iter().filter(|step| !step.undone) {
            let answer = match &step.outcome {
                // A port that was busy or gone may take it now, and a repository may have been added.
                Some(Outcome::Refused { .. })
                    if matches!(
                        step.after,
                        After::Set(Artifact::Port { .. } | Artifact::Packages { .. })
                    ) =>
                {
                    continue;
                }
                Some(Outcome::Refused { why }) => (
                    Verdict::NotPermitted,
                    format!("refused earlier in this boot: {why}"),
                ),
                Some(Outcome::Untried { why }) => (Verdict::NotPermitted, why.clone()),
                Some(Outcome::Rounded { got }) => {
                    (Verdict::Rounded, format!("the kernel made it {got}"))
                }
                _ => continue,
            };
            if let After::Set(artifact) = &step.after {
                refused.insert(artifact.clone(), answer);
            }
        }
    }
    refused
}

/// The programs that transactions in force ran.
pub fn programs(transactions: &[Transaction]) -> Vec<Artifact> {
    let mut programs: Vec<Artifact> = Vec::new();
    for transaction in transactions
        .iter()
        .filter(|t| t.status != Status::RolledBack)
    {
        for step in &transaction.steps {
            if let After::Set(artifact @ Artifact::Made { .. }) = &step.after
                && !programs
                    .iter()
                    .any(|known| known.target() == artifact.target())
            {
                programs.push(artifact.clone());
            }
        }
    }
    programs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_in_the_order_of_their_making() {
        assert_eq!(
            successor("2026-03-01T06-00-00Z"),
            "2026-03-01T06-00-00Z-002"
        );
        assert_eq!(
            successor("2026-03-01T06-00-00Z-002"),
            "2026-03-01T06-00-00Z-003"
        );
    }

    #[test]
    fn a_torn_last_line_announces_nothing() {
        let begin = r#"{"record":"begin","journal":1,"time":"t","version":"0","profile":"hft","boot_id":null,"changes":[]}"#;
        let whole = format!("{begin}\n{{\"record\":\"end\",\"time\":\"t\",\"complete\":true}}\n");
        assert_eq!(parse("x", &whole).expect("whole").status, Status::Applied);
        let torn = format!("{begin}\n{{\"record\":\"end\",\"ti");
        assert_eq!(parse("x", &torn).expect("torn").status, Status::Interrupted);
        assert!(parse("x", "").is_err());
        assert!(
            parse("x", "nonsense\n")
                .expect_err("nonsense")
                .what
                .contains("damaged")
        );
        let newer = begin.replace("\"journal\":1", "\"journal\":99") + "\n";
        assert!(
            parse("x", &newer)
                .expect_err("newer")
                .what
                .contains("newer form")
        );
    }

    #[test]
    fn damage_is_told_from_what_was_written() {
        let begin = r#"{"record":"begin","journal":2,"time":"t","version":"0","profile":"hft","boot_id":null,"changes":[]}"#;
        let end = r#"{"record":"end","time":"t","complete":true}"#;
        let whole = format!("{}\n{}\n", with_sum(begin), with_sum(end));
        assert_eq!(parse("x", &whole).expect("whole").status, Status::Applied);
        assert_eq!(without_sum(&with_sum(end)), Some((end.to_owned(), true)));
        // One letter that fell over, and a line without its sum.
        let fell = whole.replace("\"complete\":true", "\"complete\":trUe");
        let other = whole.replace("\"time\":\"t\",\"complete\"", "\"time\":\"u\",\"complete\"");
        let bare = format!("{}\n{end}\n", with_sum(begin));
        for damaged in [fell, other, bare] {
            let error = parse("x", &damaged).expect_err("damaged");
            assert!(
                error.line == Some(2) && error.what.contains("damaged"),
                "{error}"
            );
        }
    }

    #[test]
    fn words_of_every_step_are_held() {
        let step = |number: usize, before: &str| {
            format!(
                "{{\"record\":\"before\",\"step\":{number},\"ids\":[],\"after\":{{\"after\":\"set\",\"artifact\":\"arguments\",\
                 \"program\":\"/usr/bin/rpm-ostree\",\"add\":[],\"remove\":[]}},\"before\":{{\"state\":\"arguments\",{before}}},\
                 \"directories\":[]}}\n"
            )
        };
        let begin = r#"{"record":"begin","journal":1,"time":"t","version":"0","profile":"hft","boot_id":null,"changes":[]}"#;
        let text = format!(
            "{begin}\n{}{}",
            step(0, "\"present\":[\"ro\"],\"absent\":[\"a=1\",\"b=1\"]"),
            step(1, "\"present\":[\"b=1\"],\"absent\":[\"c=1\"]")
        );
        let held = held(&[parse("x", &text).expect("journal")]);
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(
            held["arguments:/usr/bin/rpm-ostree"].before,
            State::Arguments {
                present: words(&["ro"]),
                absent: words(&["a=1", "b=1", "c=1"])
            },
            "b=1 was not there before hftune"
        );
    }
}
