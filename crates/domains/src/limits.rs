//! Resource limits of logins: a drop-in for pam_limits.

use std::fmt::Write as _;
use std::path::Path;

use hftune_model::finding::{Proof, Proofs};
use hftune_model::profile::KEEP;
use hftune_model::setting::{Artifact, Doc, Setting, When};
use hftune_model::{Kind, Result};
use hftune_sys::Reader;

use crate::{Context, Desired, Domain};

/// The one instance.
#[derive(Debug)]
pub struct Limits;

/// Our file.
const OWN: &str = "/etc/security/limits.d/99-hft.conf";

/// Read first by pam_limits, then the files of the directory in the order of their names (limits.conf(5)).
const MAIN: &str = "/etc/security/limits.conf";
const DIRECTORY: &str = "/etc/security/limits.d";

const READ: &str = "saved: the line that wins in /etc/security/limits.conf and limits.d; live and effect cannot be read, \
                    since only a new login gets the limit.";

const DOCS: &[Doc] = &[
    Doc {
        id: "limits/memlock",
        what: "How much memory a process of a login may lock (pam_limits).",
        why: "libvma registers its buffers with the network card, and mlockall() keeps the application from being paged \
              out; both fail at the default limit of a few MiB.",
        trade_off: "Unlimited for everybody lets any login lock all memory: name a user or an @group in [limits] where \
                    others log in. Services do not pass PAM; their unit needs LimitMEMLOCK=.",
        read: READ,
        source: "limits.conf(5); pam_limits(8); systemd.exec(5); mlock(2)",
    },
    Doc {
        id: "limits/rtprio",
        what: "The highest real-time priority that a process of a login may take.",
        why: "The application can ask for SCHED_FIFO without being root.",
        trade_off: "A real-time thread that spins starves its CPU. Priority 99 is that of the kernel's own migration \
                    threads: stay at 49 or below. A service needs LimitRTPRIO= in its unit.",
        read: READ,
        source: "limits.conf(5); sched(7); systemd.exec(5)",
    },
];

/// The limits that the profile sets: the item and its value.
fn wanted(cx: &Context<'_>) -> Vec<(&'static Doc, &'static str, String)> {
    let limits = &cx.profile.limits;
    let memlock = (limits.memlock != KEEP).then(|| limits.memlock.clone());
    let rtprio = (limits.rtprio >= 0).then(|| limits.rtprio.to_string());
    [(&DOCS[0], "memlock", memlock), (&DOCS[1], "rtprio", rtprio)]
        .into_iter()
        .filter_map(|(doc, item, value)| Some((doc, item, value?)))
        .collect()
}

/// Whom the lines name: `*` does not reach root, who has to be named (limits.conf(5)).
fn whom(domain: &str) -> Vec<&str> {
    if domain == "*" {
        vec!["*", "root"]
    } else {
        vec![domain]
    }
}

fn file(cx: &Context<'_>) -> Artifact {
    let mut content = crate::unit::HEADER.to_owned();
    for (_, item, value) in wanted(cx) {
        for who in whom(&cx.profile.limits.domain) {
            let _ = writeln!(content, "{who}\t-\t{item}\t{value}");
        }
    }
    Artifact::File {
        path: OWN.into(),
        content,
        mode: 0o644,
    }
}

impl Domain for Limits {
    fn name(&self) -> &'static str {
        "limits"
    }

    fn docs(&self) -> &'static [Doc] {
        DOCS
    }

    fn desire(&self, cx: &Context<'_>) -> Desired {
        let file = file(cx);
        let settings = wanted(cx).into_iter().map(|(doc, item, value)| Setting {
            id: format!("limits/{item}"),
            desired: value.clone(),
            when: When::Now,
            doc,
            note: note(cx, item, &value),
            artifacts: vec![file.clone()],
        });
        Desired {
            settings: settings.collect(),
            ..Desired::default()
        }
    }

    fn prove(&self, setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Result<Proofs> {
        let item = setting.id.trim_start_matches("limits/");
        let unit = if item == "memlock" {
            "LimitMEMLOCK="
        } else {
            "LimitRTPRIO="
        };
        let (saved, fix) = saved(reader, &cx.profile.limits.domain, item, &setting.desired);
        Ok(Proofs {
            saved,
            live: Proof::None("limits apply to new logins".to_owned()),
            effect: Proof::None(format!("a service needs {unit} in its unit")),
            fix,
        })
    }
}

fn note(cx: &Context<'_>, item: &str, value: &str) -> Option<String> {
    let everybody = cx.profile.limits.domain == "*";
    match item {
        "memlock" if everybody && value == "unlimited" => {
            Some("any login may lock all memory".to_owned())
        }
        "rtprio" if value == "99" => {
            Some("stay below 50: 99 is the priority of the kernel's migration threads".to_owned())
        }
        _ => None,
    }
}

/// One line of a limits file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Limit {
    domain: String,
    /// "soft", "hard", or "-" for both.
    kind: String,
    item: String,
    value: String,
    file: String,
    line: usize,
}

/// Reads a limits file; what is no limit is skipped, as pam_limits skips it.
fn parse(text: &str, file: &str) -> Vec<Limit> {
    let limit = |(i, line): (usize, &str)| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace().map(str::to_owned);
        let (domain, kind, item, value) =
            (words.next()?, words.next()?, words.next()?, words.next()?);
        ["soft", "hard", "-"]
            .contains(&kind.as_str())
            .then(|| Limit {
                domain,
                kind,
                item,
                value: if ["unlimited", "infinity", "-1"].contains(&value.as_str()) {
                    "unlimited".to_owned()
                } else {
                    value
                },
                file: file.to_owned(),
                line: i + 1,
            })
    };
    text.lines().enumerate().filter_map(limit).collect()
}

/// The saved proof: what a login of `domain` gets. Lines for one user or group do not concern the others and are not
/// taken for an override of `*`.
fn saved(reader: &Reader<'_>, domain: &str, item: &str, desired: &str) -> (Proof, Option<String>) {
    let all = match read(reader) {
        Ok(all) => all,
        Err(e) if e.kind == Kind::NeedsRoot => return (Proof::NotPermitted(e.to_string()), None),
        Err(e) => return (Proof::Unknown(e.to_string()), None),
    };
    for who in whom(domain) {
        for kind in ["soft", "hard"] {
            let about =
                |l: &&Limit| l.domain == who && l.item == item && (l.kind == kind || l.kind == "-");
            let Some(winner) = all.iter().rfind(about) else {
                return (Proof::Differs(String::new()), None);
            };
            if winner.value == desired {
                continue;
            }
            let ours = all
                .iter()
                .filter(about)
                .any(|l| l.file == OWN && l.value == desired);
            if !ours {
                return (Proof::Differs(winner.value.clone()), None);
            }
            let Limit {
                value, file, line, ..
            } = winner;
            return (
                Proof::Overridden(
                    value.clone(),
                    format!("{file}:{line} sets it to {value} for {who} after {OWN}"),
                ),
                Some(format!("remove line {line} of {file}")),
            );
        }
    }
    (Proof::Holds(desired.to_owned()), None)
}

/// All limits in the order in which pam_limits reads them.
fn read(reader: &Reader<'_>) -> Result<Vec<Limit>> {
    let mut paths = vec![MAIN.to_owned()];
    let names = reader.list(DIRECTORY)?;
    paths.extend(
        names
            .iter()
            .filter(|name| {
                Path::new(name)
                    .extension()
                    .is_some_and(|kind| kind == "conf")
            })
            .map(|name| format!("{DIRECTORY}/{name}")),
    );
    let mut all = Vec::new();
    for path in paths {
        match reader.text(&path) {
            Ok(text) => all.extend(parse(&text, &path)),
            Err(e) if e.kind == Kind::Missing || reader.root().is_dir(&path) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
