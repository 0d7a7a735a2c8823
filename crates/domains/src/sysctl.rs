//! Kernel parameters: `/etc/sysctl.d/99-hft.conf` and the values in `/proc/sys`.

use std::fmt::Write as _;

use hftune_model::finding::{Proof, Proofs, Skipped, Verdict};
use hftune_model::names::SysctlKey;
use hftune_model::setting::{Artifact, Compare, Doc, Setting, When};
use hftune_model::{Error, Kind, Result, Size};
use hftune_sys::Reader;

use crate::sysctl_docs::{DOCS, doc};
use crate::sysctl_files::{self, OWN};
use crate::{Context, Desired, Domain, hugepages};

/// The one instance.
#[derive(Debug)]
pub struct Sysctl;

/// The part of memory that `vm.min_free_kbytes` may take: the kernel's own documentation warns that too much of it
/// makes the machine run out of memory at once.
const MIN_FREE_SHARE: u64 = 5;

const MIN_FREE: &str = "vm/min_free_kbytes";

/// A value to be set.
struct Wanted<'a> {
    key: &'a SysctlKey,
    value: String,
}

/// What the profile sets, and what a guard keeps from being set.
fn wanted<'a>(cx: &Context<'a>) -> (Vec<Wanted<'a>>, Vec<Skipped>) {
    let (mut set, mut skipped) = (Vec::new(), Vec::new());
    for (key, value) in &cx.profile.sysctl {
        let Some(value) = value.text() else { continue };
        match guard(cx, key, &value) {
            Some(refusal) => skipped.push(refusal),
            None => set.push(Wanted { key, value }),
        }
    }
    (set, skipped)
}

/// The refusal of a value that would endanger the host.
fn guard(cx: &Context<'_>, key: &SysctlKey, value: &str) -> Option<Skipped> {
    let total = cx.host.memory.total;
    let most = total.kib() / MIN_FREE_SHARE;
    let kib: u64 = value.trim().parse().ok()?;
    if cx.force || key.path() != MIN_FREE || total.0 == 0 || kib <= most {
        return None;
    }
    Some(Skipped {
        id: format!("sysctl/{key}"),
        verdict: Verdict::NotPermitted,
        reason: format!(
            "{} kept free is more than a fifth of the {total} of this host, which could then run out of memory",
            Size::from_kib(kib)
        ),
        fix: Some(format!(
            "set it to at most {most} in the profile, or use --force"
        )),
    })
}

/// The memory that `vm.min_free_kbytes` will keep free, as far as this profile says.
pub fn min_free(cx: &Context<'_>) -> Size {
    let (set, _) = wanted(cx);
    let kib = set
        .iter()
        .find(|wanted| wanted.key.path() == MIN_FREE)
        .and_then(|wanted| wanted.value.trim().parse().ok());
    Size::from_kib(kib.unwrap_or(0))
}

/// `/etc/sysctl.d/99-hft.conf`, the one file of this domain and of the huge pages.
pub fn file(cx: &Context<'_>) -> Artifact {
    let mut content = crate::unit::HEADER.to_owned();
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(content, "{key} = {value}");
    };
    for wanted in wanted(cx).0 {
        line(wanted.key.as_str(), &wanted.value);
        // systemd before 246 (RHEL 8) knows no patterns: the ports of this host by name as well.
        for name in interfaces(cx, wanted.key) {
            line(&with_interface(wanted.key, &name), &wanted.value);
        }
    }
    if let Some((key, value)) = hugepages::sysctl_line(cx) {
        line(&key, &value);
    }
    Artifact::File {
        path: OWN.into(),
        content,
        mode: 0o644,
    }
}

/// Whether a key is a pattern.
fn is_pattern(key: &SysctlKey) -> bool {
    key.as_str().contains('*')
}

/// The position of the interface in a pattern like `net/ipv4/conf/*/rp_filter`.
fn interface_part(key: &SysctlKey) -> Option<usize> {
    let path = key.path();
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["net", _, "conf" | "neigh", "*", _] => Some(3),
        _ => None,
    }
}

/// The interfaces that a pattern stands for, but for those that the profile names itself.
fn interfaces(cx: &Context<'_>, key: &SysctlKey) -> Vec<String> {
    if interface_part(key).is_none() {
        return Vec::new();
    }
    let mut names = cx.host.interfaces.clone();
    names.retain(|name| !spelled_out(cx, &with_interface(key, name)));
    names
}

/// Whether the profile has a key of its own for this one, which then wins over a pattern.
fn spelled_out(cx: &Context<'_>, name: &str) -> bool {
    let path = name.parse::<SysctlKey>().map(|key| key.path());
    path.is_ok_and(|path| cx.profile.sysctl.keys().any(|key| key.path() == path))
}

/// A pattern with the interface put in; a dot in its name is written as a slash (sysctl.d(5)).
fn with_interface(key: &SysctlKey, name: &str) -> String {
    key.path()
        .replacen('*', name, 1)
        .chars()
        .map(swap)
        .collect()
}

fn swap(c: char) -> char {
    match c {
        '/' => '.',
        '.' => '/',
        c => c,
    }
}

impl Domain for Sysctl {
    fn name(&self) -> &'static str {
        "sysctl"
    }

    fn docs(&self) -> &'static [Doc] {
        DOCS
    }

    fn desire(&self, cx: &Context<'_>) -> Desired {
        let (set, skipped) = wanted(cx);
        let file = file(cx);
        let settings = set.into_iter().map(|Wanted { key, value }| {
            let id = format!("sysctl/{key}");
            let mut paths = vec![key.path()];
            if is_pattern(key) {
                paths = interfaces(cx, key)
                    .iter()
                    .map(|name| key.path().replacen('*', name, 1))
                    .collect();
            }
            let mut artifacts = vec![file.clone()];
            artifacts.extend(paths.into_iter().map(|path| Artifact::Kernel {
                path: format!("/proc/sys/{path}").into(),
                value: value.clone(),
                compare: Compare::Words,
            }));
            Setting {
                doc: doc(&id),
                note: note(cx, key, &value),
                id,
                desired: Compare::Words.value(&value),
                when: When::Now,
                artifacts,
            }
        });
        Desired {
            settings: settings.collect(),
            skipped,
            warnings: Vec::new(),
        }
    }

    fn prove(&self, setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Result<Proofs> {
        let key: SysctlKey = setting.id.trim_start_matches("sysctl/").parse()?;
        if is_pattern(&key) {
            return Ok(prove_pattern(&key, &setting.desired, cx, reader));
        }
        let path = key.path();
        let (saved, fix) = sysctl_files::saved(reader, &path, &setting.desired);
        let live = live(reader, &path, &setting.desired);
        let effect = match path.strip_suffix("/all/rp_filter").zip(live.value()) {
            Some((directory, all)) => source_check(reader, directory, all, &setting.desired),
            None => live.clone(),
        };
        Ok(Proofs {
            saved,
            live,
            effect,
            fix,
        })
    }
}

/// What `/proc/sys` holds for a path.
fn live(reader: &Reader<'_>, path: &str, desired: &str) -> Proof {
    let file = format!("/proc/sys/{path}");
    match reader.value(&file) {
        Ok(Some(value)) => {
            let value = Compare::Words.value(&value);
            Proof::of(Compare::Words.same(&value, desired), value)
        }
        Ok(None) if reader.list("/proc/sys").is_ok_and(|names| names.is_empty()) => {
            Proof::Unknown("there is no /proc/sys here".to_owned())
        }
        Ok(None) => Proof::NotApplicable(format!("this kernel has no {file}")),
        Err(e) => unreadable(&e),
    }
}

/// The effect of `rp_filter`: an interface is checked by the larger of its own value and that of "all"
/// (`IN_DEV_RPFILTER` in include/linux/inetdevice.h).
fn source_check(reader: &Reader<'_>, directory: &str, all: &str, desired: &str) -> Proof {
    let number = |file: &str, text: &str| {
        text.trim()
            .parse::<u64>()
            .map_err(|_| Proof::Unknown(format!("{file} is \"{text}\", expected a number")))
    };
    let checked = || -> Result<Option<(u64, String)>, Proof> {
        let all = number(&format!("/proc/sys/{directory}/all/rp_filter"), all)?;
        let mut worst: Option<(u64, String)> = None;
        let names = reader
            .list(format!("/proc/sys/{directory}"))
            .map_err(|e| unreadable(&e))?;
        for name in names.iter() {
            if name == "all" || name == "default" {
                continue;
            }
            let file = format!("/proc/sys/{directory}/{name}/rp_filter");
            let own = match reader.value(&file).map_err(|e| unreadable(&e))? {
                Some(own) => number(&file, &own)?,
                // An interface that went away since the directory was listed is no longer checked.
                None if !reader
                    .root()
                    .exists(format!("/proc/sys/{directory}/{name}")) =>
                {
                    continue;
                }
                None => return Err(Proof::Unknown(format!("there is no {file}"))),
            };
            let value = all.max(own);
            if value.to_string() != desired
                && worst.as_ref().is_none_or(|(known, _)| value > *known)
            {
                worst = Some((value, name.clone()));
            }
        }
        Ok(worst)
    };
    match checked() {
        Ok(None) => Proof::Holds(desired.to_owned()),
        Ok(Some((value, name))) => Proof::Differs(format!("{value} on {name}")),
        Err(unknown) => unknown,
    }
}

/// The proof of what cannot be read.
fn unreadable(e: &Error) -> Proof {
    if e.kind == Kind::NeedsRoot {
        Proof::NotPermitted(e.to_string())
    } else {
        Proof::Unknown(e.to_string())
    }
}

/// The proofs of a pattern: those of every path that it stands for now.
fn prove_pattern(key: &SysctlKey, desired: &str, cx: &Context<'_>, reader: &Reader<'_>) -> Proofs {
    let expanded = match expand(reader, &key.path()) {
        Ok(expanded) => expanded,
        Err(e) => {
            let (saved, fix) = sysctl_files::saved(reader, &key.path(), desired);
            return Proofs {
                saved,
                live: unreadable(&e),
                effect: unreadable(&e),
                fix,
            };
        }
    };
    let paths: Vec<String> = expanded
        .into_iter()
        .filter(|path| !spelled_out(cx, &path.chars().map(swap).collect::<String>()))
        .collect();
    if paths.is_empty() {
        let why = format!("nothing in /proc/sys matches {key} now");
        let (saved, fix) = sysctl_files::saved(reader, &key.path(), desired);
        return Proofs {
            saved,
            live: Proof::None(why.clone()),
            effect: Proof::None(why),
            fix,
        };
    }
    let worst = |proofs: Vec<(Proof, Option<String>)>| {
        let holds = |proof: &Proof| matches!(proof, Proof::Holds(_));
        let bad = proofs
            .iter()
            .position(|(proof, _)| !holds(proof))
            .unwrap_or(0);
        proofs.into_iter().nth(bad).expect("one for each path")
    };
    // What setup cannot know of before: interfaces without a device, like bridges.
    let known: Vec<String> = interfaces(cx, key)
        .iter()
        .map(|name| key.path().replacen('*', name, 1))
        .collect();
    let (saved, saved_fix) = worst(
        paths
            .iter()
            .map(|path| {
                let by = if known.contains(path) {
                    path
                } else {
                    &key.path()
                };
                sysctl_files::saved_by(reader, by, path, desired)
            })
            .collect(),
    );
    let each: Vec<(String, Proof)> = paths
        .iter()
        .map(|path| (path.clone(), live(reader, path, desired)))
        .collect();
    let differing = each
        .iter()
        .find(|(_, proof)| !matches!(proof, Proof::Holds(_)));
    let live = match differing {
        None => Proof::Holds(desired.to_owned()),
        Some((path, Proof::Differs(value))) => Proof::Differs(format!("{value} in {path}")),
        Some((_, other)) => other.clone(),
    };
    let fix = differing.and_then(|(path, _)| {
        (!known.contains(path)).then(|| format!("sysctl -w {path}={desired}"))
    });
    let effect = match key.path().strip_suffix("/*/rp_filter") {
        Some(directory) => {
            let file = format!("/proc/sys/{directory}/all/rp_filter");
            match reader.value(&file) {
                Ok(Some(all)) => source_check(reader, directory, &all, desired),
                Ok(None) => Proof::Unknown(format!("there is no {file}")),
                Err(e) => unreadable(&e),
            }
        }
        None => live.clone(),
    };
    Proofs {
        saved,
        live,
        effect,
        fix: saved_fix.or(fix),
    }
}

/// The paths below `/proc/sys` that a pattern matches.
fn expand(reader: &Reader<'_>, pattern: &str) -> Result<Vec<String>> {
    let mut paths = vec![String::new()];
    for part in pattern.split('/') {
        let mut longer = Vec::new();
        for path in &paths {
            if part.contains('*') {
                for name in reader.list(format!("/proc/sys/{path}"))?.iter() {
                    if sysctl_files::matches(part, name) {
                        longer.push(format!("{path}{name}/"));
                    }
                }
            } else {
                longer.push(format!("{path}{part}/"));
            }
        }
        paths = longer;
    }
    let paths = paths
        .into_iter()
        .map(|path| path.trim_end_matches('/').to_owned());
    Ok(paths
        .filter(|path| reader.root().exists(format!("/proc/sys/{path}")))
        .collect())
}

/// What the operator should know about a value on this host.
fn note(cx: &Context<'_>, key: &SysctlKey, value: &str) -> Option<String> {
    let fair_server = cx
        .host
        .kernel
        .version()
        .is_some_and(|version| version >= (6, 12));
    let note = match (key.as_str(), value.trim()) {
        ("net.core.netdev_max_backlog", _) => {
            "does nothing unless packets are steered to other CPUs (RPS), on lo or veth"
        }
        ("net.ipv4.tcp_sack", "0") => {
            "on a lossy path one lost segment then costs a retransmission timeout"
        }
        ("net.ipv4.tcp_timestamps", "0") => {
            "tcp_tw_reuse and the protection against old segments (PAWS) go with it"
        }
        ("kernel.sched_rt_runtime_us", "-1") if fair_server => {
            "from Linux 6.12 on ordinary tasks still get 50 ms a second on every CPU (fair server)"
        }
        ("kernel.sched_rt_runtime_us", "-1") => {
            "a real-time thread that spins starves the kernel threads of its CPU"
        }
        ("vm.swappiness", "0") if cx.host.memory.swap.0 > 0 => {
            "does not turn swap off; lock the application's memory"
        }
        ("net.ipv4.tcp_low_latency", _) => "does nothing since Linux 4.14",
        _ => return None,
    };
    Some(note.to_owned())
}

#[cfg(test)]
mod tests;
