//! The report of `plan`: what this machine is split into, every change, what stays and why.

use std::fmt::Write as _;

use hftune_model::CpuSet;
use hftune_model::finding::Skipped;
use hftune_model::plan::{Change, Plan};
use hftune_model::setting::{self, Artifact, When};
use hftune_model::transaction::{After, State};
use owo_colors::OwoColorize as _;

use crate::text::{indented, plural, wrap_after};

/// More changes of one domain that all end the same are shown as one line.
const SHOWN_OF_A_KIND: usize = 3;

/// One JSON object: the contract of `hftune plan --json`.
pub fn json(plan: &Plan) -> String {
    crate::to_json(plan)
}

/// The plan in words.
pub fn human(plan: &Plan, width: usize) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", "CPUs".bold());
    let cpus = &plan.cpus;
    out.push_str(&side(
        "for the OS and interrupts",
        &cpus.housekeeping,
        width,
    ));
    out.push_str(&side("for the application", &cpus.isolated, width));
    if !cpus.nic_local.is_empty() && cpus.nic_local != cpus.isolated {
        out.push_str(&side("near the trading ports", &cpus.nic_local, width));
    }
    out.push_str(
        &indented(&format!("because: {}", plan.cpus.why), 2, width)
            .dimmed()
            .to_string(),
    );

    if !plan.changes.is_empty() {
        let _ = writeln!(out, "\n{}", plural(plan.changes.len(), "change").bold());
        out.push_str(&changes(&plan.changes, width));
        let _ = writeln!(out, "\n{}", "What is written and run".bold());
        out.push_str(&steps(plan));
    }
    if !plan.skipped.is_empty() {
        let _ = writeln!(out, "\n{}", "Not set on this host".bold());
        for (ids, skipped) in alike(&plan.skipped) {
            let ids = format!("{} ({})", ids.join(", "), skipped.verdict);
            out.push_str(&indented(&ids, 2, width));
            out.push_str(&indented(&skipped.reason, 6, width));
            if let Some(fix) = &skipped.fix {
                out.push_str(&indented(&format!("mend: {fix}"), 6, width));
            }
        }
    }
    if !plan.warnings.is_empty() {
        let _ = writeln!(out, "\n{}", "Know before you say yes".bold());
        for warning in &plan.warnings {
            out.push_str(&indented(warning, 2, width).yellow().to_string());
        }
    }
    out.push('\n');
    let _ = writeln!(out, "{}", conclusion(plan));
    out
}

/// What is skipped for the same reason is told once: the ids, and one of them.
fn alike(skipped: &[Skipped]) -> Vec<(Vec<&str>, &Skipped)> {
    let mut groups: Vec<(Vec<&str>, &Skipped)> = Vec::new();
    for one in skipped {
        let same = |(_, other): &&mut (Vec<&str>, &Skipped)| {
            (other.verdict, &other.reason, &other.fix) == (one.verdict, &one.reason, &one.fix)
        };
        match groups.iter_mut().find(same) {
            Some((ids, _)) => ids.push(&one.id),
            None => groups.push((vec![&one.id], one)),
        }
    }
    groups
}

/// One side of the split; a long list goes on below itself.
fn side(name: &str, cpus: &CpuSet, width: usize) -> String {
    const NAME: usize = 27;
    let list = if cpus.is_empty() {
        "none".to_owned()
    } else {
        cpus.to_string()
    };
    let lines = wrap_after(&list, ',', width.saturating_sub(NAME + 2));
    let gap = format!("\n{}", " ".repeat(NAME + 2));
    format!("  {name:<NAME$}{}\n", lines.join(&gap))
}

fn conclusion(plan: &Plan) -> String {
    if plan.changes.is_empty() {
        return format!(
            "Nothing to change: {} of profile {} as desired.",
            if plan.unchanged == 1 {
                "1 setting is".to_owned()
            } else {
                format!("{} settings are", plan.unchanged)
            },
            plan.profile
        );
    }
    let reboot = plan
        .changes
        .iter()
        .filter(|change| change.when == When::Reboot)
        .count();
    let mut text = format!(
        "Profile {}: {}",
        plan.profile,
        plural(plan.changes.len(), "change")
    );
    if reboot > 0 {
        let _ = write!(text, ", {reboot} of them after a reboot");
    }
    let _ = write!(
        text,
        "; {} as desired already.",
        plural(plan.unchanged, "setting")
    );
    text
}

/// A line for each change; many interrupts that all move to the same CPUs are one line.
fn changes(changes: &[Change], width: usize) -> String {
    let mut out = String::new();
    let domain = |change: &Change| change.id.split('/').next().unwrap_or_default().to_owned();
    let mut shown = 0;
    while shown < changes.len() {
        let first = &changes[shown];
        let alike = changes[shown..]
            .iter()
            .take_while(|change| {
                domain(change) == domain(first)
                    && change.to == first.to
                    && change.when == first.when
            })
            .count();
        if alike > SHOWN_OF_A_KIND {
            let names: Vec<_> = changes[shown..shown + alike]
                .iter()
                .map(|change| {
                    change
                        .id
                        .split_once('/')
                        .map_or(change.id.as_str(), |(_, name)| name)
                })
                .collect();
            let head = format!("{}/ ({alike} of them)", domain(first));
            out.push_str(&line(&head, "", &first.to, first.when, width));
            out.push_str(&indented(&names.join(", "), 6, width).dimmed().to_string());
            shown += alike;
        } else {
            out.push_str(&line(&first.id, &first.from, &first.to, first.when, width));
            shown += 1;
        }
    }
    out
}

/// `id  from -> to`, on two lines where it does not fit.
fn line(id: &str, from: &str, to: &str, when: When, width: usize) -> String {
    let arrow = if from.is_empty() {
        format!("-> {to}")
    } else {
        format!("{from} -> {to}")
    };
    let later = if when == When::Reboot {
        " (reboot)"
    } else {
        ""
    };
    let one = format!("  {id:<38}  {arrow}{later}");
    if one.chars().count() <= width {
        format!("{one}\n")
    } else {
        format!("  {id}\n{}", indented(&format!("{arrow}{later}"), 6, width))
    }
}

/// Files, links, programs and units, one line each; kernel values are counted.
fn steps(plan: &Plan) -> String {
    let mut out = String::new();
    let mut values = 0;
    let mut threads = 0;
    for step in &plan.steps {
        let (verb, what) = match &step.after {
            After::Set(Artifact::File { path, .. }) => ("write", path.display().to_string()),
            After::Set(Artifact::Link { path, target }) => {
                ("link", format!("{} -> {target}", path.display()))
            }
            After::Set(Artifact::NoFile { path }) => ("remove", path.display().to_string()),
            After::Set(Artifact::Variable { path, name, .. }) => {
                ("set", format!("{name} in {}", path.display()))
            }
            After::Set(Artifact::Unit { name, active: true }) => ("start", name.clone()),
            After::Set(Artifact::Unit {
                name,
                active: false,
            }) => ("stop", name.clone()),
            After::Set(Artifact::Made { program, args, .. }) => (
                "run",
                format!("{} {}", program.display(), args.join(" "))
                    .trim()
                    .to_owned(),
            ),
            After::Set(Artifact::Packages { names }) => ("install", names.join(" ")),
            After::Set(Artifact::Arguments {
                program,
                add,
                remove,
            }) => (
                "run",
                format!(
                    "{} {}",
                    program.display(),
                    setting::argument_options(add, remove).join(" ")
                ),
            ),
            After::Set(Artifact::Port { port, change, .. }) => {
                ("set", format!("{port}: {}", change.shown()))
            }
            After::Set(Artifact::Kernel { .. }) => {
                values += 1;
                continue;
            }
            After::Set(Artifact::Thread { .. }) => {
                threads += 1;
                continue;
            }
            After::Restore {
                target,
                state: State::Arguments { present, absent },
            } => {
                let (_, program) = target.split_once(':').unwrap_or(("", target));
                let options = setting::argument_options(present, absent).join(" ");
                ("run", format!("{program} {options}"))
            }
            After::Restore {
                state: State::Packages { absent },
                ..
            } => ("remove", absent.join(" ")),
            After::Restore { target, state } => {
                let name = target
                    .split_once(':')
                    .map_or(target.as_str(), |(_, name)| name);
                let verb = if *state == State::Absent {
                    "remove"
                } else {
                    "restore"
                };
                (verb, name.to_owned())
            }
        };
        let _ = writeln!(out, "  {verb:<8}{what}");
    }
    if values > 0 {
        let _ = writeln!(
            out,
            "  {:<8}{} in /proc and /sys",
            "set",
            plural(values, "kernel value")
        );
    }
    if threads > 0 {
        let _ = writeln!(
            out,
            "  {:<8}{} to the housekeeping CPUs",
            "move",
            plural(threads, "kernel thread")
        );
    }
    out
}
