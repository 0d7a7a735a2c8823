//! irqbalance where the profile leaves it running: whether it keeps off the isolated CPUs. hftune does not write its file.

use std::collections::BTreeMap;
use std::path::Path;

use hftune_model::finding::{Proof, Proofs};
use hftune_model::setting::{Doc, Setting, When};
use hftune_model::{CpuSet, Kind, Result};
use hftune_sys::Reader;

use crate::{Context, Desired, Domain};

/// The domain.
#[derive(Debug, Clone, Copy)]
pub struct Irqbalance;

const UNIT: &str = "irqbalance.service";

/// Where its unit and what the administrator adds to it may be: systemd.unit(5), "Unit File Load Path".
const UNIT_FILES: [&str; 5] = [
    "/etc/systemd/system/irqbalance.service",
    "/run/systemd/system/irqbalance.service",
    "/usr/local/lib/systemd/system/irqbalance.service",
    "/usr/lib/systemd/system/irqbalance.service",
    "/lib/systemd/system/irqbalance.service",
];

/// Where distributions keep its environment: the RHEL family and SUSE; Debian and Ubuntu.
const ENVIRONMENTS: [&str; 2] = ["/etc/sysconfig/irqbalance", "/etc/default/irqbalance"];

const LIST: &str = "IRQBALANCE_BANNED_CPULIST";

/// Deprecated, and still first where both are set.
const MASK: &str = "IRQBALANCE_BANNED_CPUS";

const DOCS: &[Doc] = &[Doc {
    id: "irqbalance/banned",
    what: "Whether irqbalance, where the profile leaves it running, is told to keep off the isolated CPUs.",
    why: "irqbalance moves interrupts every ten seconds, to any CPU that it is not banned from. Left to itself it keeps off \
          the CPUs in /sys/devices/system/cpu/isolated and nohz_full; a list of its own replaces them.",
    trade_off: "hftune reads its environment and names the line that mends it, but does not write it: services.off with \
                irqbalance.service turns it off altogether. A policy script may decide otherwise for single interrupts.",
    read: "saved: IRQBALANCE_BANNED_CPULIST, or the older mask IRQBALANCE_BANNED_CPUS, in the files that irqbalance.service \
           names, else in /etc/sysconfig/irqbalance or /etc/default/irqbalance; live: the same in /proc/PID/environ. What it \
           does with each interrupt is irq/NAME. A list that is there and empty meant the default until March 2026 and \
           means no CPU in later versions, so that it never holds.",
    source: "irqbalance(1); irqbalance cputree.c (setup_banned_cpus), pull requests 356 and 358",
}];

impl Domain for Irqbalance {
    fn name(&self) -> &'static str {
        "irqbalance"
    }

    fn docs(&self) -> &'static [Doc] {
        DOCS
    }

    fn desire(&self, cx: &Context<'_>) -> Desired {
        let mut desired = Desired::default();
        let off = cx.profile.services.off.iter().any(|unit| unit == UNIT);
        let units = &cx.host.services.units;
        let runs = units
            .iter()
            .any(|unit| unit.unit == UNIT && !unit.masked && (unit.enabled || unit.running));
        if cx.profile.irq.housekeeping && runs && !off && !cx.cpus.isolated.is_empty() {
            desired.settings.push(Setting {
                id: DOCS[0].id.to_owned(),
                desired: format!("keeps off CPUs {}", cx.cpus.isolated),
                when: When::Now,
                doc: &DOCS[0],
                note: None,
                artifacts: Vec::new(),
            });
        }
        desired
    }

    fn prove(&self, _setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Result<Proofs> {
        let (saved, file) = match saved(reader) {
            Ok((environment, file)) => (judge(&environment, cx), file),
            Err(why) => (Proof::Unknown(why), ENVIRONMENTS[0].to_owned()),
        };
        let live = running(cx, reader);
        let fix = matches!(
            (&saved, &live),
            (Proof::Differs(_), _) | (_, Proof::Differs(_))
        )
        .then(|| {
            let isolated = &cx.cpus.isolated;
            format!(
                "write {LIST}={isolated} in {file} in place of what bans CPUs there, then systemctl restart {UNIT}"
            )
        });
        Ok(Proofs {
            saved,
            live,
            effect: Proof::None("irq/NAME says where each interrupt fires".to_owned()),
            fix,
        })
    }
}

type Environment = BTreeMap<String, String>;

/// What irqbalance gets when it is started next, and the file to change.
fn saved(reader: &Reader<'_>) -> Result<(Environment, String), String> {
    let read = |path: &str| reader.value(path).map_err(|e| e.to_string());
    let mut unit = String::new();
    for path in UNIT_FILES {
        if let Some(text) = read(path)? {
            unit = text;
            break;
        }
    }
    let drop_ins = format!("{}.d", UNIT_FILES[0]);
    for name in reader.list(&drop_ins).map_err(|e| e.to_string())?.iter() {
        if Path::new(name).extension().is_some_and(|end| end == "conf")
            && let Some(text) = read(&format!("{drop_ins}/{name}"))?
        {
            unit.push('\n');
            unit.push_str(&text);
        }
    }
    let values = |key: &str| -> Vec<&str> {
        unit.lines()
            .filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))
            .map(str::trim)
            .collect()
    };
    let mut environment = Environment::new();
    for line in values("Environment") {
        environment.extend(
            line.split_whitespace()
                .filter_map(|word| variable(word.trim_matches(['"', '\'']))),
        );
    }
    let mut files: Vec<&str> = values("EnvironmentFile")
        .into_iter()
        .map(|file| file.trim_start_matches('-'))
        .filter(|file| file.starts_with('/'))
        .collect();
    if files.is_empty() {
        files.extend(ENVIRONMENTS);
    }
    // Files win over the unit, and later ones over earlier ones (systemd.exec(5)).
    let mut last = None;
    for file in &files {
        if let Some(text) = read(file)? {
            environment.extend(parse_environment(&text));
            last = Some(*file);
        }
    }
    let file = last.or(files.last().copied()).unwrap_or(ENVIRONMENTS[0]);
    Ok((environment, file.to_owned()))
}

/// Reads an environment file as systemd does (systemd.exec(5), `EnvironmentFile=`): an assignment a line, quotes around
/// values, `#` and `;` before comments, a backslash at the end of a line that goes on.
fn parse_environment(text: &str) -> Environment {
    let joined = text.replace("\\\n", "");
    joined
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with(['#', ';']))
        .filter_map(variable)
        .collect()
}

fn variable(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once('=')?;
    let value = value.trim();
    let unquoted = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(value);
    Some((name.trim().to_owned(), unquoted.trim().to_owned()))
}

/// What the running irqbalance was given.
fn running(cx: &Context<'_>, reader: &Reader<'_>) -> Proof {
    let mut tasks = cx.host.tasks.iter();
    let Some(task) = tasks.find(|task| !task.kernel && task.comm == "irqbalance") else {
        return Proof::None("no irqbalance is running".to_owned());
    };
    match reader.text(format!("/proc/{}/environ", task.pid)) {
        Ok(text) => judge(&text.split('\0').filter_map(variable).collect(), cx),
        Err(e) if e.kind == Kind::NeedsRoot => Proof::NotPermitted(e.to_string()),
        Err(e) => Proof::Unknown(e.to_string()),
    }
}

/// Whether an environment keeps irqbalance off the isolated CPUs, by the rules of `setup_banned_cpus()`.
fn judge(environment: &Environment, cx: &Context<'_>) -> Proof {
    let isolated = &cx.cpus.isolated;
    let script = environment
        .get("IRQBALANCE_ARGS")
        .is_some_and(|args| args.contains("--policyscript") || args.contains("-l "));
    let aside = if script {
        "; its policy script decides on single interrupts"
    } else {
        ""
    };
    let given = |name: &str| environment.get(name).map(String::as_str);
    let bans = match (given(MASK), given(LIST)) {
        (Some(mask), _) if !mask.is_empty() => Some((MASK, mask, CpuSet::parse_mask(mask))),
        (_, Some(list)) if !list.is_empty() => Some((LIST, list, CpuSet::parse_list(list, None))),
        _ => None,
    };
    match bans {
        Some((_, _, Ok(cpus))) => Proof::of(
            isolated.is_subset(&cpus),
            format!("bans CPUs {cpus}{aside}"),
        ),
        Some((name, text, Err(_))) => Proof::Differs(format!("{name}={text} names no CPUs")),
        None if given(MASK).is_some() || given(LIST).is_some() => {
            Proof::Differs("an empty list, which newer versions take for no CPU".to_owned())
        }
        None => unasked(cx, aside),
    }
}

/// Without a list irqbalance asks the kernel which CPUs are isolated.
fn unasked(cx: &Context<'_>, aside: &str) -> Proof {
    let cpus = &cx.host.cpus;
    let told = [&cpus.isolated, &cpus.nohz_full]
        .into_iter()
        .flatten()
        .fold(CpuSet::new(), |all, some| all.union(some));
    let value = if told.is_empty() {
        "bans what the kernel isolates, which is nothing".to_owned()
    } else {
        format!("bans what the kernel isolates, CPUs {told}{aside}")
    };
    if cx.cpus.isolated.is_subset(&told) {
        return Proof::Holds(value);
    }
    let at_boot = ["isolcpus", "nohz_full"].iter().any(|name| {
        cx.profile.boot.get(*name).is_some_and(
            |value| matches!(value, hftune_model::profile::BootValue::Text(text) if text.contains("{isolated}")),
        )
    });
    if at_boot {
        let why = format!(
            "irqbalance keeps off what the kernel isolates, and that is {} after a reboot",
            cx.cpus.isolated
        );
        Proof::Pending(value, why)
    } else {
        Proof::Differs(value)
    }
}

#[cfg(test)]
mod tests {
    use hftune_model::finding::{Finding, Verdict};
    use hftune_model::host::{Host, Rival, Task};
    use hftune_model::profile::{BootValue, Profile};

    use crate::test_tree::{tree, with_split};

    use super::*;

    fn with<R>(
        change: impl FnOnce(&mut Host, &mut Profile),
        check: impl FnOnce(&Context<'_>) -> R,
    ) -> R {
        let (mut host, mut profile) = (Host::default(), Profile::default());
        profile.irq.housekeeping = true;
        host.services.units = vec![Rival {
            unit: UNIT.to_owned(),
            enabled: true,
            ..Rival::default()
        }];
        change(&mut host, &mut profile);
        with_split(&host, &profile, ("0-1", "2-7"), check)
    }

    fn finding(files: &[(&str, &str)], change: impl FnOnce(&mut Host, &mut Profile)) -> Finding {
        let (_dir, root) = tree(files);
        with(change, |cx| {
            let setting = Irqbalance.desire(cx).settings.remove(0);
            let proofs = Irqbalance.prove(&setting, cx, &Reader::new(&root)).unwrap();
            Finding::judge(&setting, proofs)
        })
    }

    fn saved_as(text: &str) -> (Verdict, String) {
        let finding = finding(&[(ENVIRONMENTS[1], text)], |_, _| {});
        (
            finding.verdict,
            finding.saved.value().unwrap_or_default().to_owned(),
        )
    }

    #[test]
    fn reads_what_is_banned() {
        let wrong = |value: &str| (Verdict::Wrong, value.to_owned());
        let ok = |value: &str| (Verdict::Ok, value.to_owned());
        assert_eq!(
            saved_as("# x\nIRQBALANCE_BANNED_CPULIST=\"2-7\"\n"),
            ok("bans CPUs 2-7")
        );
        assert_eq!(
            saved_as("IRQBALANCE_BANNED_CPULIST=2-\\\n7\nX=1\n"),
            ok("bans CPUs 2-7")
        );
        assert_eq!(
            saved_as("IRQBALANCE_BANNED_CPUS=000000fc\n"),
            ok("bans CPUs 2-7")
        );
        assert_eq!(
            saved_as("IRQBALANCE_BANNED_CPUS=3\nIRQBALANCE_BANNED_CPULIST=2-7\n"),
            wrong("bans CPUs 0-1")
        );
        assert_eq!(
            saved_as("IRQBALANCE_ARGS=\"--policyscript=/x\"\nIRQBALANCE_BANNED_CPULIST=1-8\n"),
            ok("bans CPUs 1-8; its policy script decides on single interrupts")
        );
        assert_eq!(
            saved_as("IRQBALANCE_BANNED_CPULIST=\n"),
            wrong("an empty list, which newer versions take for no CPU")
        );
        assert_eq!(
            saved_as("#IRQBALANCE_BANNED_CPULIST=2-7\n"),
            wrong("bans what the kernel isolates, which is nothing")
        );
    }

    #[test]
    fn the_unit_names_the_file_and_the_mending_line_names_it_too() {
        let files = [
            (
                UNIT_FILES[3],
                "[Service]\nEnvironmentFile=-/etc/irqbalance.env\n",
            ),
            ("/etc/irqbalance.env", "IRQBALANCE_BANNED_CPULIST=7\n"),
            (ENVIRONMENTS[0], "IRQBALANCE_BANNED_CPULIST=2-7\n"),
        ];
        let finding = finding(&files, |_, _| {});
        assert_eq!(finding.verdict, Verdict::Wrong);
        assert_eq!(
            finding.fix.as_deref(),
            Some(
                "write IRQBALANCE_BANNED_CPULIST=2-7 in /etc/irqbalance.env in place of what bans CPUs there, then systemctl \
                 restart irqbalance.service"
            )
        );
    }

    #[test]
    fn without_a_list_it_follows_the_kernel() {
        let booted = finding(&[], |host, _| {
            host.cpus.isolated = Some("2-5".parse().unwrap());
            host.cpus.nohz_full = Some("6-7".parse().unwrap());
        });
        assert_eq!(booted.verdict, Verdict::Ok);
        let pending = finding(&[], |_, profile| {
            let value = BootValue::Text("domain,{isolated}".to_owned());
            profile.boot.insert("isolcpus".to_owned(), value);
        });
        assert_eq!(pending.verdict, Verdict::RebootPending);
    }

    #[test]
    fn what_runs_counts_beside_what_is_saved() {
        let files = [
            (ENVIRONMENTS[0], "IRQBALANCE_BANNED_CPULIST=2-7\n"),
            (
                "/proc/812/environ",
                "PATH=/bin\0IRQBALANCE_BANNED_CPULIST=2-3\0",
            ),
        ];
        let finding = finding(&files, |host, _| {
            host.tasks = vec![Task {
                pid: 812,
                comm: "irqbalance".to_owned(),
                ..Task::default()
            }];
        });
        assert_eq!(finding.saved, Proof::Holds("bans CPUs 2-7".to_owned()));
        assert_eq!(finding.live, Proof::Differs("bans CPUs 2-3".to_owned()));
        assert!(finding.fix.is_some_and(|fix| fix.contains("restart")));
    }

    #[test]
    fn says_nothing_where_the_profile_turns_it_off_or_it_is_not_there() {
        let none = |change: fn(&mut Host, &mut Profile)| {
            with(change, |cx| {
                assert!(Irqbalance.desire(cx).settings.is_empty());
            });
        };
        none(|_, profile| profile.services.off = vec![UNIT.to_owned()]);
        none(|host, _| host.services.units.clear());
        none(|host, _| host.services.units[0].masked = true);
        none(|_, profile| profile.irq.housekeeping = false);
    }
}
