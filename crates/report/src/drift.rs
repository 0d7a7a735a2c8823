//! The reports of `drift`: what changed since the last run, and how the watch stands.

use std::fmt::Write as _;
use std::path::PathBuf;

use hftune_model::drift::{Author, Change, Seen};
use hftune_model::finding::Verdict;
use schemars::JsonSchema;
use serde::Serialize;

use crate::text::{indented, plural};

/// How grave a line of the journal is, as syslog(3) counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// 3: the run itself failed.
    Error,
    /// 4: a setting is not as desired any more.
    Warning,
    /// 5: a setting changed, and is no finding.
    Notice,
    /// 6: how the run ended.
    Info,
}

impl Level {
    /// What systemd reads at the beginning of a line (sd-daemon(3)).
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Error => "<3>",
            Self::Warning => "<4>",
            Self::Notice => "<5>",
            Self::Info => "<6>",
        }
    }
}

/// A line for each change, then one for the run.
pub fn lines(
    changes: &[Change],
    first: bool,
    counted: &[(Verdict, usize)],
) -> Vec<(Level, String)> {
    let mut lines: Vec<(Level, String)> = changes.iter().map(line).collect();
    let open: usize = counted
        .iter()
        .filter(|(verdict, _)| verdict.is_finding())
        .map(|(_, n)| n)
        .sum();
    let all: usize = counted.iter().map(|(_, n)| n).sum();
    let since = if first {
        "the first run, with nothing to compare".to_owned()
    } else {
        format!("{} since the last run", plural(changes.len(), "change"))
    };
    lines.push((
        Level::Info,
        format!("{since}; {open} of {all} settings are not as desired"),
    ));
    lines
}

fn line(change: &Change) -> (Level, String) {
    let level = match &change.after {
        Some(after) if after.verdict.is_finding() => Level::Warning,
        _ => Level::Notice,
    };
    let mut text = format!(
        "{}: {} -> {}",
        change.id,
        seen(change.before.as_ref(), "new"),
        seen(change.after.as_ref(), "gone")
    );
    let is_open = change
        .after
        .as_ref()
        .is_some_and(|after| after.verdict != Verdict::Ok);
    let wanted = change
        .after
        .as_ref()
        .map_or("", |after| after.wanted.as_str());
    if is_open && !wanted.is_empty() {
        let _ = write!(text, "; wanted {wanted}");
    }
    let _ = write!(text, "; {}", author(&change.author));
    if change.rebooted {
        text.push_str("; the machine was booted since the last run");
    }
    if let (true, Some(fix)) = (is_open, &change.fix) {
        let _ = write!(text, "; to mend it: {fix}");
    }
    (level, one_line(&text))
}

fn seen(seen: Option<&Seen>, nothing: &str) -> String {
    match seen {
        None => nothing.to_owned(),
        Some(seen) if seen.value.is_empty() => seen.verdict.to_string(),
        Some(seen) => format!("{} ({})", seen.verdict, seen.value),
    }
}

/// What is known, and no more.
fn author(author: &Author) -> String {
    match author {
        Author::Hftune(transaction) => {
            format!("author: hftune, transaction {transaction}")
        }
        Author::Profile => {
            "author: whoever changed the profile, which wanted another value at the last run"
                .to_owned()
        }
        Author::Wins(reason) => format!("likely author: {reason}"),
        Author::File(path) => format!(
            "likely author: whoever changed {}, which is newer than the last run",
            path.display()
        ),
        Author::Rival(unit) => format!("likely author: perhaps {unit}, which runs"),
        Author::Unknown => "author unknown".to_owned(),
    }
}

/// An entry of the journal is a line.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// What `hftune drift status --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Status {
    /// [`Status::SCHEMA`].
    pub schema: &'static str,
    /// Whether the timer's file is there and starts with the machine.
    pub enabled: bool,
    /// Whether systemd says that the timer runs; null where it cannot be asked.
    pub active: Option<bool>,
    /// When the last run began, in UTC; null where there was none.
    pub last_run: Option<String>,
    /// The same, in seconds since 1970.
    pub last_run_seconds: Option<u64>,
    /// The file of the metrics.
    pub textfile: PathBuf,
    /// What the last run found not to be as desired.
    pub open: Vec<Open>,
}

/// A setting that is not as desired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Open {
    /// The setting.
    pub id: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// The value that was read.
    pub value: String,
    /// The first run that saw the verdict, in UTC.
    pub since: String,
}

impl Status {
    /// The form of the JSON object.
    pub const SCHEMA: &'static str = "hftune/drift/1";
}

/// How the watch stands, in words.
pub fn human(status: &Status, width: usize) -> String {
    let mut out = String::new();
    let state = match (status.enabled, status.active) {
        (false, _) => "off; hftune drift enable starts it",
        (true, Some(false)) => {
            "enabled, and its timer does not run: systemctl start hftune-verify.timer"
        }
        (true, Some(true)) => "on",
        (true, None) => "enabled",
    };
    let _ = writeln!(out, "watch     {state}");
    let last = status.last_run.as_deref().unwrap_or("none yet");
    let _ = writeln!(out, "last run  {last}");
    let _ = writeln!(out, "metrics   {}", status.textfile.display());
    if status.last_run.is_some() && status.open.is_empty() {
        out.push_str("\nEverything was as desired.\n");
    } else if !status.open.is_empty() {
        let _ = writeln!(
            out,
            "\n{} not as desired:",
            plural(status.open.len(), "setting")
        );
        for open in &status.open {
            let value = if open.value.is_empty() {
                String::new()
            } else {
                format!(" ({})", open.value)
            };
            out.push_str(&indented(
                &format!("{}: {}{value}, since {}", open.id, open.verdict, open.since),
                2,
                width,
            ));
        }
        out.push_str("\nhftune verify --failed tells why and what mends it.\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(
        before: Option<(Verdict, &str)>,
        after: Option<(Verdict, &str)>,
        author: Author,
    ) -> Change {
        let seen = |(verdict, value): (Verdict, &str)| Seen {
            verdict,
            value: value.to_owned(),
            wanted: "0".to_owned(),
            since: 1,
        };
        Change {
            id: "sysctl/vm.swappiness".to_owned(),
            before: before.map(seen),
            after: after.map(seen),
            fix: Some("hftune setup".to_owned()),
            author,
            rebooted: false,
        }
    }

    #[test]
    fn a_line_tells_from_what_to_what_and_by_whom_as_far_as_it_is_known() {
        let ok = Some((Verdict::Ok, "0"));
        let wrong = Some((Verdict::Wrong, "60"));
        let changes = [
            change(ok, wrong, Author::Unknown),
            change(ok, wrong, Author::File("/etc/sysctl.d/a\n.conf".into())),
            change(wrong, ok, Author::Hftune("2026-03-01T06-00-00Z".to_owned())),
            change(
                ok,
                Some((Verdict::Overridden, "60")),
                Author::Wins("tuned.service sets it to 60".to_owned()),
            ),
            change(None, wrong, Author::Rival("irqbalance.service".to_owned())),
            Change {
                rebooted: true,
                ..change(ok, None, Author::Unknown)
            },
        ];
        let lines: Vec<String> = lines(&changes, false, &[(Verdict::Ok, 7), (Verdict::Wrong, 2)])
            .into_iter()
            .map(|(level, text)| format!("{}{text}", level.prefix()))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        <4>sysctl/vm.swappiness: ok (0) -> wrong (60); wanted 0; author unknown; to mend it: hftune setup
        <4>sysctl/vm.swappiness: ok (0) -> wrong (60); wanted 0; likely author: whoever changed /etc/sysctl.d/a .conf, which is newer than the last run; to mend it: hftune setup
        <5>sysctl/vm.swappiness: wrong (60) -> ok (0); author: hftune, transaction 2026-03-01T06-00-00Z
        <4>sysctl/vm.swappiness: ok (0) -> overridden (60); wanted 0; likely author: tuned.service sets it to 60; to mend it: hftune setup
        <4>sysctl/vm.swappiness: new -> wrong (60); wanted 0; likely author: perhaps irqbalance.service, which runs; to mend it: hftune setup
        <5>sysctl/vm.swappiness: ok (0) -> gone; author unknown; the machine was booted since the last run
        <6>6 changes since the last run; 2 of 9 settings are not as desired
        ");
    }
}
