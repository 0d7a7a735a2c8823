//! tuned: which profile is active, and what it sets.
//!
//! Read from tuned's own files, since asking its daemon would mean starting a process. What only tuned can work out
//! (`${f:...}`) is told as such.

mod claims;
pub(crate) mod functions;
pub(crate) mod profile;
pub(crate) mod variables;

use hftune_model::host::Kernel;
use hftune_model::others::{Claim, PortSetting, Tuned};

use super::facts::Facts;
use super::ini::{self, Dialect};

pub(crate) use claims::{bias, pairs};

const ACTIVE: &str = "/etc/tuned/active_profile";
const MODE: &str = "/etc/tuned/profile_mode";
/// One more profile, loaded after the others.
const POST_LOADED: &str = "/etc/tuned/post_loaded_profile";
/// Where tuned puts boot arguments for grub2-mkconfig, and where for Boot Loader Specification entries.
const BOOT_CMDLINE: &str = "/etc/tuned/bootcmdline";
const GRUBENVS: [&str; 2] = ["/boot/grub2/grubenv", "/boot/grub/grubenv"];

/// What tuned sets of this host.
#[derive(Debug, Default)]
pub(super) struct Sets {
    pub(super) tuned: Tuned,
    pub(super) claims: Vec<Claim>,
    pub(super) ports: Vec<PortSetting>,
    /// Why not all that the profile sets is known.
    pub(super) unknown: Vec<String>,
}

pub(super) fn read(facts: &Facts<'_>, kernel: &Kernel) -> Sets {
    let mut sets = Sets::default();
    let tuned = &mut sets.tuned;
    tuned.mode = facts.word(MODE);
    for path in [ACTIVE, POST_LOADED] {
        let names = facts.word(path).unwrap_or_default();
        tuned
            .profiles
            .extend(names.split_whitespace().map(str::to_owned));
    }
    tuned.boot_arguments = boot_arguments(facts);
    // `tuned-adm off` leaves it so, and tuned then loads nothing when it starts.
    let is_off = tuned.mode.as_deref() == Some("manual")
        && facts.value(ACTIVE).is_some_and(|names| names.is_empty());
    if tuned.profiles.is_empty() && is_off {
        return sets;
    }
    if tuned.profiles.is_empty() {
        sets.unknown.push(format!(
            "{ACTIVE} names no profile, so that tuned takes the one it recommends for this machine"
        ));
        return sets;
    }
    let merged = profile::load(facts, &tuned.profiles);
    tuned.files = merged.files;
    sets.unknown = merged.unknown;
    let variables = profile::variables(facts, &merged.units);
    let governors = facts
        .word("/sys/devices/system/cpu/cpu0/cpufreq/scaling_available_governors")
        .unwrap_or_default();
    let governors: Vec<&str> = governors.split_whitespace().collect();
    let machine = claims::Machine {
        cmdline: &kernel.cmdline,
        governors: &governors,
        reapply_sysctl: profile::main_option(facts, "reapply_sysctl").is_none_or(|value| {
            matches!(
                value.to_ascii_lowercase().as_str(),
                "1" | "true" | "yes" | "on" | "y" | "t"
            )
        }),
    };
    for unit in merged.units.iter().filter(|unit| unit.enabled()) {
        let certain = match profile::is_for_this_host(unit, &variables, facts, kernel) {
            Some(false) => continue,
            known => known.is_some(),
        };
        sets.claims
            .extend(claims::of_unit(unit, certain, &variables, &machine));
        sets.ports
            .extend(claims::of_ports(unit, certain, &variables));
        for option in &unit.options {
            match (unit.plugin(), option.key.as_str()) {
                ("script", key) if key.starts_with("script") => {
                    tuned.scripts.push(variables.expand(&option.value));
                }
                ("bootloader", key) if key.starts_with("cmdline") => {
                    tuned
                        .boot_arguments
                        .push(format!("{}:{}", option.file, option.line));
                }
                ("scheduler", "isolated_cores") => {
                    tuned.isolated_cores = Some(variables.expand(&option.value));
                }
                _ => {}
            }
        }
    }
    sets
}

/// The lines that hold boot arguments of tuned's.
fn boot_arguments(facts: &Facts<'_>) -> Vec<String> {
    let assigned = |path: &str, key: &str| {
        let text = facts.text(path)?;
        let entries = ini::parse(&text, Dialect::KeyFile);
        let entry = entries.into_iter().find(|entry| {
            entry.key == key && !entry.value.trim_matches(['"', '\'']).trim().is_empty()
        })?;
        Some(format!("{path}:{}", entry.line))
    };
    assigned(BOOT_CMDLINE, "TUNED_BOOT_CMDLINE")
        .into_iter()
        .chain(
            GRUBENVS
                .iter()
                .filter_map(|path| assigned(path, "tuned_params")),
        )
        .collect()
}

#[cfg(test)]
mod tests;
