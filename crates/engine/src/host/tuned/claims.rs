//! What the units of a tuned profile write.

use hftune_model::others::{Claim, PortOwner, PortSetting};

use super::profile::{Opt, Unit};
use super::variables::{Variables, unresolved};

/// The unit that writes it.
pub(super) const OWNER: &str = "tuned.service";

/// Options of every unit, which say nothing of the machine.
const OF_EVERY_UNIT: &[&str] = &[
    "type",
    "enabled",
    "replace",
    "drop",
    "devices",
    "devices_udev_regex",
    "cpuinfo_regex",
    "uname_regex",
    "script_pre",
    "script_post",
    "priority",
];

/// What is known of the machine that a value depends on.
pub(super) struct Machine<'a> {
    /// The boot arguments of the running kernel.
    pub(super) cmdline: &'a str,
    /// The governors that can be had.
    pub(super) governors: &'a [&'a str],
    /// Whether tuned applies `/etc/sysctl.d` after its own.
    pub(super) reapply_sysctl: bool,
}

/// The kernel values that one unit writes. `certain` is whether the unit is known to be for this machine.
pub(super) fn of_unit(
    unit: &Unit,
    certain: bool,
    variables: &Variables,
    machine: &Machine<'_>,
) -> Vec<Claim> {
    let plugin = unit.plugin();
    let mut claims = Vec::new();
    for option in values(unit) {
        let value = variables.expand(&option.value);
        let Some((path, value)) = place(plugin, &option.key, &value, machine) else {
            continue;
        };
        claims.push(Claim {
            owner: OWNER.to_owned(),
            word: format!("[{}] {}", unit.name, option.key),
            unresolved: unresolved(&value) || unresolved(&path) || !certain,
            path,
            value,
            yields: plugin == "sysctl" && machine.reapply_sysctl,
            file: option.file.clone(),
            line: option.line,
        });
    }
    claims
}

fn values(unit: &Unit) -> impl Iterator<Item = &Opt> {
    unit.options
        .iter()
        .filter(|option| !OF_EVERY_UNIT.contains(&option.key.as_str()))
}

/// Where an option is written, and the value in the words of the kernel.
fn place(plugin: &str, key: &str, value: &str, machine: &Machine<'_>) -> Option<(String, String)> {
    let path = match (plugin, key) {
        ("sysctl", key) => format!("/proc/sys/{}", key.replace('.', "/")),
        ("sysfs", path) => path.to_owned(),
        // plugin_vm.py leaves it alone where the kernel was booted with a value.
        ("vm", "transparent_hugepages" | "transparent_hugepage")
            if machine.cmdline.contains("transparent_hugepage=") =>
        {
            return None;
        }
        ("vm", "transparent_hugepages" | "transparent_hugepage") => {
            "/sys/kernel/mm/transparent_hugepage/enabled".to_owned()
        }
        ("vm", "transparent_hugepage.defrag") => {
            "/sys/kernel/mm/transparent_hugepage/defrag".to_owned()
        }
        ("cpu", "governor") => "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor".to_owned(),
        ("cpu", "energy_perf_bias") => {
            "/sys/devices/system/cpu/cpu*/power/energy_perf_bias".to_owned()
        }
        _ => return None,
    };
    let mut words = value.split('|').map(str::trim);
    let value = match (plugin, key) {
        // The first that can be had.
        ("cpu", "governor") => words
            .clone()
            .find(|word| machine.governors.contains(word))
            .or_else(|| words.next())?
            .to_owned(),
        ("cpu", "energy_perf_bias") => bias(words.next()?).to_owned(),
        _ => value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap_or(value)
            .to_owned(),
    };
    Some((path, value))
}

/// The energy bias of a word of x86_energy_perf_policy(8), as the kernel writes it (arch/x86/kernel/cpu/intel_epb.c).
pub(crate) fn bias(word: &str) -> &str {
    match word {
        "performance" => "0",
        "balance-performance" | "balance_performance" => "4",
        "normal" | "default" => "6",
        "balance-power" | "balance_power" => "8",
        "power" | "powersave" => "15",
        number => number,
    }
}

/// The settings of ports that one unit of the net plugin makes.
pub(super) fn of_ports(unit: &Unit, certain: bool, variables: &Variables) -> Vec<PortSetting> {
    if unit.plugin() != "net" {
        return Vec::new();
    }
    let devices = unit.options.iter().find(|option| option.key == "devices");
    let devices = devices.map(|option| variables.expand(&option.value));
    let mut ports: Vec<Option<String>> = Vec::new();
    let mut narrowed = false;
    for device in devices.iter().flat_map(|list| list.split(',')) {
        let device = device.trim();
        if device.is_empty() || device.starts_with('!') || device.contains(['*', '?', '[', '$']) {
            narrowed = true;
        } else {
            ports.push(Some(device.to_owned()));
        }
    }
    if ports.is_empty() || narrowed {
        ports.push(None);
    }
    let mut settings = Vec::new();
    for option in values(unit) {
        let family = match option.key.as_str() {
            "features" => "feature",
            "coalesce" | "pause" | "ring" | "channels" => option.key.as_str(),
            _ => continue,
        };
        let value = variables.expand(&option.value);
        for (name, value) in pairs(&value) {
            for port in &ports {
                settings.push(PortSetting {
                    port: port.clone(),
                    knob: format!("{family}-{name}"),
                    uncertain: !certain || narrowed || unresolved(&value),
                    value: value.clone(),
                    owner: PortOwner::Tuned,
                    connection: None,
                    file: option.file.clone(),
                    line: option.line,
                });
            }
        }
    }
    settings
}

/// "rx-usecs 3 tx-usecs 16" as pairs. What tuned is to work out stays in one piece.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    let mut words: Vec<String> = Vec::new();
    let mut depth = 0_usize;
    let mut blank = true;
    for c in text.chars() {
        depth = match c {
            '{' => depth + 1,
            '}' => depth.saturating_sub(1),
            _ => depth,
        };
        if depth == 0 && (c.is_whitespace() || matches!(c, ':' | ';' | ',')) {
            blank = true;
            continue;
        }
        match words.last_mut() {
            Some(word) if !blank => word.push(c),
            _ => words.push(c.to_string()),
        }
        blank = false;
    }
    let pairs = words.chunks_exact(2);
    pairs
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect()
}
