//! `hftune profile new --from-host`: a profile that wants what this host has.
//!
//! The host is proved against the built-in profile; where a value differs, the new profile takes the host's own.

use std::collections::BTreeSet;

use hftune_domains::boot::words as boot_words;
use hftune_model::CpuSet;
use hftune_model::Result;
use hftune_model::finding::{Finding, Proof};
use hftune_model::profile::BootValue;
use hftune_model::setting::{Artifact, Compare, Setting};
use hftune_sys::Root;

use crate::import::sections::in_words;
use crate::in_force::Choices;
use crate::machine::{Asked, Machine};
use crate::profile::{self, Overlay};

/// The profile, and what of the host could not be said in it.
#[derive(Debug)]
pub struct FromHost {
    /// The profile, as a file.
    pub text: String,
    /// How many values are the host's own.
    pub values: usize,
    /// What could not be read, or has no one value.
    pub notes: Vec<String>,
}

/// Reads a host.
pub fn read(root: &Root, given: Choices) -> Result<FromHost> {
    let resolved = profile::built_in("hft").expect("hft is built in");
    let mut asked = Asked {
        choices: given,
        resolved,
        warnings: Vec::new(),
    };
    let mut overlay = Overlay::default();
    let mut notes = Vec::new();
    split(root, &mut asked, &mut overlay)?;
    let machine = Machine::with_profile(root, asked);
    let desired = machine.desired();
    let findings = machine.prove(&desired)?;
    let mut done = BTreeSet::new();
    for (setting, finding) in desired.settings.iter().zip(&findings) {
        if differs(setting, finding) {
            take(
                &machine,
                setting,
                finding,
                &mut overlay,
                &mut notes,
                &mut done,
            )?;
        }
    }
    boot_arguments(&machine, &mut overlay, &mut notes);
    for skipped in &desired.skipped {
        let key = skipped.id.replacen('/', ".", 1);
        // What the host cannot have is no wish of it.
        if overlay.get(&key).is_none()
            && ["sysctl.", "boot.", "kernel."]
                .iter()
                .any(|table| key.starts_with(table))
        {
            overlay.keep(&key, &skipped.reason);
        } else if skipped.id.starts_with("hugepages/") && overlay.get("hugepages.count").is_none() {
            overlay.keep("hugepages.count", &skipped.reason);
        }
    }
    overlay.set("name", "from-host", "")?;
    overlay.set("description", "What the host had when it was looked at", "")?;
    let mut intro = "Made by \"hftune profile new --from-host\": where the host differed from the built-in profile, it has the host's own\n\
                     value. Delete a line to get the value of the built-in profile.\n"
        .to_owned();
    for note in &notes {
        intro.push_str("\nNot in here: ");
        intro.push_str(&note.replace(char::is_control, " "));
        intro.push('\n');
    }
    Ok(FromHost {
        values: overlay.len().saturating_sub(2),
        text: overlay.render(&intro)?,
        notes,
    })
}

/// The split that the host was booted with decides, where there is one.
fn split(root: &Root, asked: &mut Asked, overlay: &mut Overlay) -> Result<()> {
    let reader = hftune_sys::Reader::new(root);
    let host = crate::host::read(&reader);
    let cpus = &host.cpus;
    let told = [&cpus.isolated, &cpus.nohz_full]
        .into_iter()
        .flatten()
        .find(|cpus| !cpus.is_empty());
    let Some(isolated) = told else {
        return Ok(());
    };
    let housekeeping: CpuSet = cpus.online.difference(isolated);
    if housekeeping.is_empty() {
        return Ok(());
    }
    overlay.set(
        "cpus.housekeeping",
        housekeeping.to_string(),
        "what isolcpus= and nohz_full= leave",
    )?;
    asked.resolved.profile.cpus.housekeeping = Some(housekeeping);
    Ok(())
}

/// Whether what the host has is not what the built-in profile wants.
fn differs(setting: &Setting, finding: &Finding) -> bool {
    match &finding.live {
        // A service that does not run now may be one that the next boot starts.
        Proof::Holds(_) if setting.id.starts_with("services/") => {
            !matches!(finding.saved, Proof::Holds(_))
        }
        // What only is not saved yet is as wanted; what is asked for and does not happen is not.
        Proof::Holds(_) => matches!(finding.effect, Proof::Differs(_)),
        Proof::None(_) => matches!(finding.saved, Proof::Differs(_) | Proof::Overridden(..)),
        _ => true,
    }
}

/// Takes over what the host has of a setting.
fn take(
    machine: &Machine<'_>,
    setting: &Setting,
    finding: &Finding,
    overlay: &mut Overlay,
    notes: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Result<()> {
    let (domain, name) = setting.id.split_once('/').unwrap_or((&setting.id, ""));
    let mut keep = |key: &str, why: &str| {
        if done.insert(key.to_owned()) && !overlay.keep(key, why) {
            notes.push(format!("{}: {why}", setting.id));
        }
    };
    // Most settings are called in the profile as their id says.
    let key = format!("{domain}.{name}");
    let held = one_value(machine, setting);
    match (domain, name) {
        ("sysctl", _) => match held {
            Some(_) if matches!(finding.live, Proof::Holds(_)) => {
                keep(&key, "it has no effect on this host as it is");
            }
            Some(value) => match value.parse::<i64>() {
                Ok(number) => overlay.set(&key, number, "")?,
                Err(_) => overlay.set(&key, value, "")?,
            },
            None => keep(&key, "it has no one value on this host"),
        },
        ("thp", _) => match held {
            Some(value) => overlay.set(&key, value, "")?,
            None => keep(&key, "it cannot be read"),
        },
        ("power", "governor") => match held {
            Some(value) => overlay.set(&key, value, "")?,
            None => keep(&key, "the CPUs have several"),
        },
        ("power", "energy_bias") | ("kernel", _) => {
            match held.and_then(|value| value.parse::<i64>().ok()) {
                Some(number) => overlay.set(&key, number, "")?,
                None => keep(&key, "the CPUs have several"),
            }
        }
        ("power", _) => keep("power.max_idle_latency_us", "deeper idle states are on"),
        ("hugepages", _) => huge_pages(machine, overlay, done)?,
        ("irq" | "threads" | "rps" | "workqueue", _) => {
            keep(
                &format!("{domain}.housekeeping"),
                "not all are on the CPUs of the OS",
            );
        }
        ("services", _) => {
            if done.insert("services.off".to_owned()) {
                services(machine, overlay)?;
            }
        }
        ("limits", _) => keep(&key, "logins have another limit"),
        // Boot arguments follow; of ports and libvma the built-in profile wants nothing unasked.
        ("boot", _) => {}
        _ => notes.push(format!("{}: {}", setting.id, finding.reason)),
    }
    Ok(())
}

/// The one value that the kernel holds in all places of a setting.
fn one_value(machine: &Machine<'_>, setting: &Setting) -> Option<String> {
    let mut values = setting
        .artifacts
        .iter()
        .filter_map(|artifact| match artifact {
            Artifact::Kernel { path, compare, .. } => Some(
                machine
                    .reader
                    .value(path)
                    .ok()
                    .flatten()
                    .map(|text| match compare {
                        Compare::Bracketed => Compare::Bracketed.value(&text),
                        _ => Compare::Words.value(&text),
                    }),
            ),
            _ => None,
        });
    let first = values.next()??;
    values
        .all(|value| value.as_ref() == Some(&first))
        .then_some(first)
}

/// The pools of the nodes as they are.
fn huge_pages(
    machine: &Machine<'_>,
    overlay: &mut Overlay,
    done: &mut BTreeSet<String>,
) -> Result<()> {
    if !done.insert("hugepages".to_owned()) {
        return Ok(());
    }
    let size = machine.resolved.profile.hugepages.size.kib();
    let pools: Vec<(u32, u64)> = machine
        .host
        .nodes
        .iter()
        .filter_map(|node| Some((node.id, node.huge_pages.get(&size)?.total)))
        .collect();
    let total: u64 = pools.iter().map(|(_, pages)| pages).sum();
    if total == 0 || pools.is_empty() {
        overlay.keep("hugepages.count", "the pools are empty");
        return Ok(());
    }
    for (node, pages) in pools {
        let pages = i64::try_from(pages).unwrap_or(i64::MAX);
        overlay.set(&format!("hugepages.nodes.{node}"), pages, "")?;
    }
    Ok(())
}

/// The services of the built-in profile that are off here.
fn services(machine: &Machine<'_>, overlay: &mut Overlay) -> Result<()> {
    let off: Vec<toml::Value> = machine
        .resolved
        .profile
        .services
        .off
        .iter()
        .filter(|unit| {
            let units = &machine.host.services.units;
            units
                .iter()
                .any(|known| known.unit == **unit && known.masked && !known.running)
        })
        .map(|unit| toml::Value::String(unit.clone()))
        .collect();
    overlay.set(
        "services.off",
        off,
        "those of the built-in profile that are off here",
    )
}

/// The arguments of the running kernel, for those that the profile knows.
fn boot_arguments(machine: &Machine<'_>, overlay: &mut Overlay, notes: &mut Vec<String>) {
    let line = &machine.host.kernel.cmdline;
    let wanted = boot_words(&machine.context());
    for (name, value) in &machine.resolved.profile.boot {
        if matches!(value, BootValue::Flag(false)) {
            continue;
        }
        let key = format!("boot.{name}");
        let mut found = line.split_whitespace().filter(|word| {
            word.split('=')
                .next()
                .is_some_and(|found| found.replace('-', "_") == name.replace('-', "_"))
        });
        let Some(word) = found.next() else {
            overlay.keep(&key, "the running kernel was booted without it");
            continue;
        };
        if wanted.iter().any(|(_, wanted)| wanted == word) {
            continue;
        }
        let set = match word.split_once('=') {
            Some((_, value)) => {
                let cpus = &machine.cpus;
                let value = in_words(name, value, &cpus.isolated, &cpus.housekeeping);
                overlay.set(&key, value, "")
            }
            None => overlay.set(&key, true, ""),
        };
        if let Err(e) = set {
            overlay.keep(&key, "");
            notes.push(format!("{word}: {}", e.in_one_line()));
        }
    }
}
