//! Plan: what differs between the artifacts that the profile wants and what is there, and the steps between the two.
//!
//! Pure but for looking whether an artifact is in place.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use hftune_domains::Desired;
use hftune_domains::boot::record;
use hftune_domains::unit::UNITS;
use hftune_model::cpu_plan::CpuPlan;
use hftune_model::finding::{Finding, Proof, Skipped, Verdict};
use hftune_model::plan::{Change, Plan, Step};
use hftune_model::setting::{Artifact, Setting, When};
use hftune_model::transaction::{After, State};
use hftune_sys::Reader;

use crate::boot_words;
use crate::journal::Held;
use crate::target;

/// What the journal knows that a plan depends on.
#[derive(Debug, Default)]
pub struct Past {
    /// Every target that hftune holds.
    pub held: BTreeMap<String, Held>,
    /// Artifacts that could not be made so during this boot, with the verdict and the reason.
    pub refused: HashMap<Artifact, (Verdict, String)>,
    /// The present boot.
    pub boot_id: Option<String>,
    /// Programs that earlier setups ran; they run again when what they read is put back.
    pub programs: Vec<Artifact>,
}

/// Plans the way from what is there to what is desired. `findings` are those of `desired.settings`, in their order.
pub fn plan(
    reader: &Reader<'_>,
    profile: &str,
    cpus: &CpuPlan,
    desired: &Desired,
    findings: &[Finding],
    past: &Past,
) -> Plan {
    let mut plan = Plan {
        schema: Plan::SCHEMA,
        profile: profile.to_owned(),
        cpus: cpus.clone(),
        changes: Vec::new(),
        skipped: desired.skipped.clone(),
        warnings: desired.warnings.clone(),
        unchanged: 0,
        steps: Vec::new(),
    };
    // Artifacts that several settings share are looked at once.
    let mut missing: Vec<(&Artifact, Vec<String>)> = Vec::new();
    let mut seen: BTreeMap<String, Option<usize>> = BTreeMap::new();
    for (setting, finding) in desired.settings.iter().zip(findings) {
        if finding.verdict == Verdict::NotApplicable {
            plan.skipped.push(Skipped {
                id: setting.id.clone(),
                verdict: finding.verdict,
                reason: finding.reason.clone(),
                fix: finding.fix.clone(),
            });
            continue;
        }
        let mut needed = false;
        let mut refused = None;
        for artifact in &setting.artifacts {
            let key = artifact.target();
            let slot = *seen.entry(key.clone()).or_insert_with(|| {
                if target::in_place(reader, artifact) {
                    return None;
                }
                if let Some(answer) = past.refused.get(artifact) {
                    refused = Some(answer.clone());
                    return None;
                }
                missing.push((artifact, Vec::new()));
                Some(missing.len() - 1)
            });
            if let Some(slot) = slot {
                missing[slot].1.push(setting.id.clone());
                needed = true;
            }
        }
        if let Some((verdict, reason)) = refused {
            plan.skipped.push(Skipped {
                id: setting.id.clone(),
                verdict,
                reason,
                fix: None,
            });
        } else if needed && (differs(finding) || !served_elsewhere(setting, desired, findings)) {
            plan.changes.push(change(setting, finding));
        } else {
            plan.unchanged += 1;
        }
    }
    follow_changed_files(&mut missing, desired);
    follow_rebuilt_ports(&mut missing, desired);
    plan.steps = missing
        .into_iter()
        .map(|(artifact, ids)| Step {
            ids,
            after: After::Set(artifact.clone()),
        })
        .collect();
    put_back(reader, &mut plan, desired, past);
    plan.steps.sort_by_key(|step| phase(&step.after));
    plan
}

/// Whether a proof of the setting itself says that something must be done.
fn differs(finding: &Finding) -> bool {
    [&finding.saved, &finding.live, &finding.effect]
        .iter()
        .any(|proof| matches!(proof, Proof::Differs(_)))
}

/// Whether another setting that differs explains why a shared file is written again: one line changed, not all.
fn served_elsewhere(setting: &Setting, desired: &Desired, findings: &[Finding]) -> bool {
    desired
        .settings
        .iter()
        .zip(findings)
        .any(|(other, finding)| {
            other.id != setting.id
                && differs(finding)
                && other
                    .artifacts
                    .iter()
                    .any(|a| setting.artifacts.contains(a))
        })
}

fn change(setting: &Setting, finding: &Finding) -> Change {
    let from = match (&finding.live, &finding.effect) {
        (Proof::Differs(value), _) | (_, Proof::Differs(value)) if value.is_empty() => {
            "not set".to_owned()
        }
        (Proof::Differs(value), _) | (_, Proof::Differs(value)) => value.clone(),
        (Proof::Holds(value), _) => format!("{value}, not saved"),
        _ => "not set".to_owned(),
    };
    Change {
        id: setting.id.clone(),
        from,
        to: setting.desired.clone(),
        // What the running kernel was booted with already takes no reboot to be saved.
        when: if matches!(finding.live, Proof::Holds(_)) {
            When::Now
        } else {
            setting.when
        },
        why: setting.doc.why.to_owned(),
    }
}

/// A unit whose file changes is started again although it is active, and a program whose input changes runs again.
fn follow_changed_files<'d>(missing: &mut Vec<(&'d Artifact, Vec<String>)>, desired: &'d Desired) {
    let changed: BTreeSet<PathBuf> = missing
        .iter()
        .filter_map(|(artifact, _)| match artifact {
            Artifact::File { path, .. } => Some(path.clone()),
            _ => None,
        })
        .collect();
    for setting in &desired.settings {
        for artifact in &setting.artifacts {
            let follows = match artifact {
                Artifact::Unit { name, active: true } => {
                    changed.contains(&Path::new(UNITS).join(name))
                }
                Artifact::Made { inputs, .. } => inputs.iter().any(|input| changed.contains(input)),
                _ => false,
            };
            if follows && !missing.iter().any(|(known, _)| *known == artifact) {
                missing.push((artifact, vec![setting.id.clone()]));
            }
        }
    }
}

/// A driver that rebuilds the queues of a port may forget what comes later in the order: it is looked at again then, and
/// written where it differs.
fn follow_rebuilt_ports<'d>(missing: &mut Vec<(&'d Artifact, Vec<String>)>, desired: &'d Desired) {
    let of = |artifact: &'d Artifact| match artifact {
        Artifact::Port { change, .. } => artifact.port_id().map(|id| (id, change)),
        _ => None,
    };
    let rebuilt: BTreeSet<&str> = missing
        .iter()
        .filter_map(|(artifact, _)| of(artifact))
        .filter(|(_, change)| change.rebuilds())
        .map(|(id, _)| id)
        .collect();
    if rebuilt.is_empty() {
        return;
    }
    let known: BTreeSet<String> = missing.iter().map(|(known, _)| known.target()).collect();
    let mut added = BTreeSet::new();
    for setting in &desired.settings {
        for artifact in &setting.artifacts {
            let Some((id, _)) = of(artifact) else {
                continue;
            };
            let target = artifact.target();
            if rebuilt.contains(id) && !known.contains(&target) && added.insert(target) {
                missing.push((artifact, vec![setting.id.clone()]));
            }
        }
    }
    // The order of the changes of a port is that in which they are made; other targets keep their places.
    let mut ports: Vec<_> = missing
        .extract_if(.., |(artifact, _)| of(artifact).is_some())
        .collect();
    ports.sort_by(|(a, _), (b, _)| of(a).cmp(&of(b)));
    missing.splice(0..0, ports);
}

/// What an earlier setup changed and this profile no longer wants goes back to what it was.
fn put_back(reader: &Reader<'_>, plan: &mut Plan, desired: &Desired, past: &Past) {
    let wanted: BTreeSet<String> = desired
        .settings
        .iter()
        .flat_map(|setting| setting.artifacts.iter().map(Artifact::target))
        .collect();
    for (key, held) in &past.held {
        let key = &target::current_key(reader.root(), key);
        let (kind, name) = target::key_parts(key);
        let state = &held.before;
        let same_boot = past.boot_id.is_some() && past.boot_id == held.boot_id;
        // What waits to be confirmed goes when it is confirmed or undone.
        if crate::confirm::owns(key) {
            continue;
        }
        // A program's outputs follow its inputs, below.
        if wanted.contains(key) || kind == "made" || (target::of_one_boot(kind, name) && !same_boot)
        {
            continue;
        }
        // What is gone cannot be put back.
        let Ok(now) = target::state_of_key(reader.root(), key, state) else {
            continue;
        };
        if target::same_state(&now, state) || target::kernel_removed(name.as_ref(), &now) {
            continue;
        }
        if matches!(kind, "file" | "variable") && !target::is_as_made(&now, &held.last) {
            plan.skipped.push(Skipped {
                id: key.clone(),
                verdict: Verdict::Overridden,
                reason: "the profile no longer wants it, but someone changed it since hftune wrote it, so it is left alone".to_owned(),
                fix: Some("take the values of hftune out of it by hand".to_owned()),
            });
            continue;
        }
        plan.changes.push(Change {
            id: key.clone(),
            from: "as an earlier setup left it".to_owned(),
            to: "as it was before hftune".to_owned(),
            when: if is_boot_file(name) {
                When::Reboot
            } else {
                When::Now
            },
            why: "the profile no longer wants it".to_owned(),
        });
        plan.steps.push(Step {
            ids: Vec::new(),
            after: After::Restore {
                target: key.clone(),
                state: state.clone(),
            },
        });
    }
    if !wanted.contains(&format!("file:{}", record::PATH)) {
        for (path, state) in boot_words::put_back(reader.root(), &past.held) {
            let target = format!("file:{}", path.display());
            if wanted.contains(&target) || past.held.contains_key(&target) {
                continue;
            }
            plan.changes.push(Change {
                id: target.clone(),
                from: "with boot arguments of hftune, as the template gave them".to_owned(),
                to: "without them".to_owned(),
                when: When::Reboot,
                why: "the profile no longer wants them".to_owned(),
            });
            plan.steps.push(Step {
                ids: Vec::new(),
                after: After::Restore { target, state },
            });
        }
    }
    for program in &past.programs {
        let Artifact::Made { inputs, .. } = program else {
            continue;
        };
        let reads = |key: &str| {
            inputs
                .iter()
                .any(|input| key == format!("file:{}", input.display()))
        };
        let put_back =
            |step: &Step| matches!(&step.after, After::Restore { target, .. } if reads(target));
        if !wanted.contains(&program.target()) && plan.steps.iter().any(put_back) {
            plan.steps.push(Step {
                ids: Vec::new(),
                after: follow(reader, program, past),
            });
        }
    }
}

/// How a program's outputs follow its inputs that are put back: it runs again; in a directory tree, where it cannot, its
/// outputs go back too, if they still are what was made of them.
fn follow(reader: &Reader<'_>, program: &Artifact, past: &Past) -> After {
    let target = program.target();
    if let Some(held) = past.held.get(&target)
        && !reader.root().is_live()
        && target::state(reader.root(), program).is_ok_and(|now| {
            now == State::Outputs {
                files: held.outputs.clone(),
            }
        })
    {
        return After::Restore {
            target,
            state: held.before.clone(),
        };
    }
    After::Set(program.clone())
}

/// Whether a file decides what the next boot's kernel is told.
fn is_boot_file(path: &str) -> bool {
    [
        "/boot/",
        "/efi/",
        "/etc/default/grub",
        "/etc/kernel/",
        "/usr/lib/bootc/",
        hftune_domains::boot::RPM_OSTREE,
    ]
    .iter()
    .any(|place| path.starts_with(place))
}

/// Rivals stop first, packages bring files that ours replace, files come before the values and units that rely on them, and programs see all files.
fn phase(after: &After) -> u8 {
    match after {
        After::Set(Artifact::Unit { active: false, .. })
        | After::Restore {
            state: State::Unit { active: false },
            ..
        } => 0,
        After::Set(Artifact::Packages { .. }) => 1,
        After::Set(
            Artifact::File { .. }
            | Artifact::Link { .. }
            | Artifact::NoFile { .. }
            | Artifact::Variable { .. },
        )
        | After::Restore {
            state:
                State::Absent
                | State::File { .. }
                | State::Link { .. }
                | State::Variable { .. }
                | State::Outputs { .. },
            ..
        } => 2,
        After::Set(Artifact::Kernel { .. } | Artifact::Port { .. } | Artifact::Thread { .. })
        | After::Restore {
            state: State::Kernel { .. } | State::Port { .. } | State::Thread { .. },
            ..
        } => 3,
        After::Set(Artifact::Unit { active: true, .. })
        | After::Restore {
            state: State::Unit { active: true },
            ..
        } => 4,
        After::Set(Artifact::Made { .. } | Artifact::Arguments { .. })
        | After::Restore {
            state: State::Arguments { .. } | State::Packages { .. },
            ..
        } => 5,
    }
}
