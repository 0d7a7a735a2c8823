//! What the sections of a profile of tuned mean in the words of hftune, plugin by plugin.

use hftune_model::CpuSet;
use hftune_model::names::SysctlKey;

use super::Import;
use crate::host::tuned::functions;
use crate::host::tuned::profile::{Opt, Unit};
use crate::host::tuned::{bias, pairs};

/// Options of every section, which say nothing of the machine.
pub(super) const OF_EVERY_SECTION: &[&str] = &[
    "type",
    "enabled",
    "replace",
    "drop",
    "uname_regex",
    "cpuinfo_regex",
];

const THP: &str = "/sys/kernel/mm/transparent_hugepage/";
const MACHINE_CHECK: &str = "/sys/devices/system/machinecheck/";

/// A word of the command line, and the option that it is of.
struct Word {
    text: String,
    unit: usize,
    option: usize,
}

impl Import<'_> {
    /// All sections.
    pub(super) fn sections(&mut self) {
        let units = self.units.clone();
        let words = self.boot_words(&units);
        self.split(&units, &words);
        for unit in &units {
            for option in &unit.options {
                if !OF_EVERY_SECTION.contains(&option.key.as_str()) {
                    self.option(unit, option);
                }
            }
        }
        self.boot(&units, &words);
    }

    fn option(&mut self, unit: &Unit, option: &Opt) {
        if option.key == "priority" {
            self.leave(unit, option, "it is about the order of tuned's own plugins");
            return;
        }
        match unit.plugin() {
            "main" => self.main(unit, option),
            "sysctl" => self.sysctl(unit, option),
            "vm" => self.vm(unit, option),
            "sysfs" => self.sysfs(unit, option),
            "cpu" => self.cpu(unit, option),
            "scheduler" => self.scheduler(unit, option),
            "irqbalance" => self.irqbalance(unit, option),
            "service" => self.service(unit, option),
            "net" => self.net(unit, option),
            // Its words are gathered before, since one line takes out what another puts in.
            "bootloader" if option.key.starts_with("cmdline") => {}
            "bootloader" => self.leave(
                unit,
                option,
                "hftune builds no initrd and takes no other menu",
            ),
            "script" => self.leave(unit, option, "hftune runs no scripts: look at what it does"),
            "systemd" => self.leave(
                unit,
                option,
                "isolcpus keeps all processes off the isolated CPUs already",
            ),
            plugin => {
                let reason = format!("hftune has nothing like the plugin {plugin} of tuned");
                self.leave(unit, option, reason);
            }
        }
    }

    fn main(&mut self, unit: &Unit, option: &Opt) {
        match option.key.as_str() {
            // What it includes is merged already.
            "include" => {}
            "summary" => {
                let summary = option.value.replace(char::is_control, " ");
                self.set(unit, option, "description", summary);
            }
            _ => self.leave(unit, option, "it is about tuned itself"),
        }
    }

    fn sysctl(&mut self, unit: &Unit, option: &Opt) {
        let Some(value) = self.value(unit, option) else {
            return;
        };
        let (raises, value) = match value.strip_prefix('>') {
            Some(value) => (true, value.trim().to_owned()),
            None => (false, value),
        };
        let number = value.parse::<i64>().ok();
        let higher = |now: &String| now.trim().parse::<i64>().ok() > number;
        if raises && number.is_some() && self.now.get(&option.key).is_some_and(higher) {
            self.leave(
                unit,
                option,
                "tuned only raises it, and it is higher on this host",
            );
            return;
        }
        let path = option.key.parse::<SysctlKey>().map(|key| key.path());
        if path.as_deref() == Ok("vm/nr_hugepages") {
            match number.filter(|number| *number >= 0) {
                Some(count) => self.set(unit, option, "hugepages.count", count),
                None => self.leave(unit, option, "it is no number"),
            }
            return;
        }
        let key = format!("sysctl.{}", option.key);
        match number {
            Some(number) => self.set(unit, option, &key, number),
            None => self.set(unit, option, &key, value),
        }
    }

    fn vm(&mut self, unit: &Unit, option: &Opt) {
        let Some(value) = self.value(unit, option) else {
            return;
        };
        match option.key.as_str() {
            "transparent_hugepages" | "transparent_hugepage" => {
                self.set(unit, option, "thp.enabled", value);
            }
            "transparent_hugepage.defrag" => self.set(unit, option, "thp.defrag", value),
            _ => self.leave(unit, option, "the profile has no word for it"),
        }
    }

    fn sysfs(&mut self, unit: &Unit, option: &Opt) {
        let Some(value) = self.value(unit, option) else {
            return;
        };
        let path = option.key.as_str();
        let steers_work = path.ends_with("/cpumask")
            && (path.starts_with("/sys/devices/virtual/workqueue/")
                || path.starts_with("/sys/bus/workqueue/devices/"));
        if let Some(file) = path
            .strip_prefix(THP)
            .filter(|file| ["enabled", "defrag"].contains(file))
        {
            self.set(unit, option, &format!("thp.{file}"), value);
        } else if steers_work {
            self.housekeeping_mask(unit, option, "workqueue.housekeeping", &value);
        } else if path.ends_with("/cpufreq/scaling_governor") {
            self.set(unit, option, "power.governor", value);
        } else if path.ends_with("/queues/rx-*/rps_cpus") || path.ends_with("/queues/*/rps_cpus") {
            self.housekeeping_mask(unit, option, "rps.housekeeping", &value);
        } else if path == "/sys/kernel/mm/ksm/run" {
            self.kernel_work(unit, option, "kernel.ksm_run", &value);
        } else if path.starts_with(MACHINE_CHECK) && path.ends_with("/check_interval") {
            // The kernel has one value for all CPUs, whichever device it is written to.
            self.kernel_work(unit, option, "kernel.check_interval", &value);
        } else if path.starts_with(MACHINE_CHECK) && path.ends_with("/ignore_ce") {
            self.leave(
                unit,
                option,
                "hftune ends the timer of it only (kernel.check_interval = 0), so that corrected errors are still told",
            );
        } else {
            self.leave(unit, option, "the profile has no word for this file");
        }
    }

    /// A number of the section `[kernel]`, which hftune applies where CPUs are isolated.
    fn kernel_work(&mut self, unit: &Unit, option: &Opt, key: &str, value: &str) {
        let number = value.parse::<i64>().ok().filter(|number| *number >= 0);
        match number {
            Some(number) if self.isolated.is_some() => self.set(unit, option, key, number),
            Some(_) => self.leave(
                unit,
                option,
                "hftune sets it where CPUs are isolated, and this profile isolates none",
            ),
            None => self.leave(unit, option, format!("\"{value}\" is no number from 0 up")),
        }
    }

    /// A mask that keeps something to the CPUs of the OS.
    fn housekeeping_mask(&mut self, unit: &Unit, option: &Opt, key: &str, mask: &str) {
        let cpus = CpuSet::parse_mask(mask.trim_start_matches("0x"));
        match (cpus, self.isolated.clone()) {
            (Ok(cpus), Some(isolated)) if cpus.intersection(&isolated).is_empty() => {
                self.set(unit, option, key, true);
            }
            _ => self.leave(
                unit,
                option,
                "these are not the CPUs that the profile keeps for the OS",
            ),
        }
    }

    fn cpu(&mut self, unit: &Unit, option: &Opt) {
        let Some(value) = self.value(unit, option) else {
            return;
        };
        let mut words = value.split('|').map(str::trim);
        let first = words.clone().next().unwrap_or_default().to_owned();
        match option.key.as_str() {
            "governor" => {
                let governors = self.governors.clone();
                let there = words.find(|word| governors.iter().any(|known| known == word));
                let chosen = there.map_or(first, str::to_owned);
                self.set(unit, option, "power.governor", chosen);
            }
            "energy_perf_bias" => match bias(&first).parse::<i64>() {
                Ok(number) => self.set(unit, option, "power.energy_bias", number),
                Err(_) => self.leave(unit, option, format!("\"{first}\" is no energy bias")),
            },
            // tuned takes the first that the processor has; a number is a latency of all CPUs.
            "force_latency" => match words.find_map(|word| word.parse::<i64>().ok()) {
                Some(latency) if self.isolated.is_some() => {
                    self.set(unit, option, "power.max_idle_latency_us", latency);
                }
                Some(_) => self.leave(
                    unit,
                    option,
                    "hftune limits the idle states of isolated CPUs only, and this profile isolates none",
                ),
                None => self.leave(unit, option, "hftune knows idle states by their latency only"),
            },
            _ => self.leave(unit, option, "the profile has no word for it"),
        }
    }

    fn scheduler(&mut self, unit: &Unit, option: &Opt) {
        match option.key.as_str() {
            // The split is made of it.
            "isolated_cores" if self.isolated.is_some() => {
                self.set(unit, option, "irq.housekeeping", true);
                self.set(unit, option, "threads.housekeeping", true);
            }
            "isolated_cores" => {
                if let Some(value) = self.value(unit, option) {
                    let reason =
                        format!("\"{value}\" names no CPUs of this host that can be isolated");
                    self.leave(unit, option, reason);
                }
            }
            "default_irq_smp_affinity" if option.value.trim() == "calc" => {}
            key if key.starts_with("group.") => {
                self.leave(
                    unit,
                    option,
                    "hftune changes no priorities of kernel threads",
                );
            }
            key if key.starts_with("ps_")
                || key.starts_with("cgroup")
                || key.starts_with("perf_") =>
            {
                self.leave(
                    unit,
                    option,
                    "hftune moves no processes of users, only kernel threads",
                );
            }
            "runtime" => self.leave(unit, option, "it is about tuned itself"),
            _ => self.leave(
                unit,
                option,
                "the profile has no word for values of the scheduler outside of /proc/sys",
            ),
        }
    }

    fn irqbalance(&mut self, unit: &Unit, option: &Opt) {
        let Some(value) = self.value(unit, option) else {
            return;
        };
        let banned = functions::list(&value);
        if option.key == "banned_cpus" && banned.is_some() && banned == self.isolated {
            self.set(unit, option, "irq.housekeeping", true);
        } else {
            self.leave(
                unit,
                option,
                "hftune does not write the configuration of irqbalance",
            );
        }
    }

    fn service(&mut self, unit: &Unit, option: &Opt) {
        let Some(value) = self.value(unit, option) else {
            return;
        };
        let Some(name) = option.key.strip_prefix("service.") else {
            self.leave(unit, option, "it names no service");
            return;
        };
        let commands: Vec<&str> = value.split([',', ';']).map(str::trim).collect();
        if !commands
            .iter()
            .all(|command| ["stop", "disable"].contains(command))
        {
            self.leave(unit, option, "hftune turns services off, and starts none");
            return;
        }
        let unit_name = if name.contains('.') {
            name.to_owned()
        } else {
            format!("{name}.service")
        };
        let mut off = match self.overlay.get("services.off") {
            Some(toml::Value::Array(known)) => known.clone(),
            _ => Vec::new(),
        };
        off.push(toml::Value::String(unit_name));
        self.set(unit, option, "services.off", off);
    }

    fn net(&mut self, unit: &Unit, option: &Opt) {
        let group = match option.key.as_str() {
            "features" => "feature",
            "coalesce" | "pause" | "ring" | "channels" => option.key.as_str(),
            // Read with the values.
            "devices" => return,
            _ => {
                self.leave(unit, option, "the profile has no word for it");
                return;
            }
        };
        let Some(value) = self.value(unit, option) else {
            return;
        };
        let devices = unit.get("devices").map(|list| self.variables.expand(list));
        let mut tables = Vec::new();
        let mut ports = Vec::new();
        for device in devices
            .iter()
            .flat_map(|list| list.split([',', ' ']))
            .map(str::trim)
        {
            if device.starts_with('!') || device.contains(['*', '?', '[', '$']) {
                let reason = format!(
                    "which ports \"{device}\" means is not known: write them into [nic.port]"
                );
                self.leave(unit, option, reason);
                return;
            }
            if !device.is_empty() {
                tables.push(format!("nic.port.{device}"));
                ports.push(device.to_owned());
            }
        }
        if ports.is_empty() {
            tables.push("nic.all".to_owned());
            ports.push("*".to_owned());
        }
        let mut set_any = false;
        for (name, value) in pairs(&value) {
            for table in &tables {
                let key = format!("{table}.{group}-{name}");
                let before = self.left.len();
                match (value.as_str(), value.parse::<i64>()) {
                    ("on", _) => self.set(unit, option, &key, true),
                    ("off", _) => self.set(unit, option, &key, false),
                    (_, Ok(number)) => self.set(unit, option, &key, number),
                    _ => self.leave(
                        unit,
                        option,
                        format!("\"{value}\" is neither a number nor on or off"),
                    ),
                }
                set_any |= self.left.len() == before;
            }
        }
        if set_any {
            let mut chosen = match self.overlay.get("nic.ports") {
                Some(toml::Value::Array(known)) => known.clone(),
                _ => Vec::new(),
            };
            for port in ports {
                let port = toml::Value::String(port);
                if !chosen.contains(&port) {
                    chosen.push(port);
                }
            }
            self.set(unit, option, "nic.ports", chosen);
        }
    }

    /// The words of the command line, as tuned merges them: `+` adds, `-` takes words out that stand before.
    fn boot_words(&mut self, units: &[Unit]) -> Vec<Word> {
        let mut words: Vec<Word> = Vec::new();
        for (at, unit) in units.iter().enumerate() {
            if unit.plugin() != "bootloader" {
                continue;
            }
            for (number, option) in unit.options.iter().enumerate() {
                if !option.key.starts_with("cmdline") {
                    continue;
                }
                let Some(value) = self.value(unit, option) else {
                    continue;
                };
                let (takes_out, text) = match value.strip_prefix('-') {
                    Some(rest) => (true, rest),
                    None => (false, value.strip_prefix(['+', '\\']).unwrap_or(&value)),
                };
                for text in text.split_whitespace() {
                    if takes_out {
                        words.retain(|word| word.text != text);
                    } else {
                        words.push(Word {
                            text: text.to_owned(),
                            unit: at,
                            option: number,
                        });
                    }
                }
            }
        }
        words
    }

    /// Which CPUs are isolated: what the scheduler plugin says, else the boot arguments.
    fn split(&mut self, units: &[Unit], words: &[Word]) {
        let online = self.host.cpus.online.clone();
        let mut found = None;
        for unit in units.iter().filter(|unit| unit.plugin() == "scheduler") {
            for option in unit
                .options
                .iter()
                .filter(|option| option.key == "isolated_cores")
            {
                let value = self.variables.expand(&option.value);
                found = functions::list(&value).map(|cpus| (cpus, unit, option));
            }
        }
        for name in ["isolcpus=", "nohz_full="] {
            for word in words {
                let Some(value) = word.text.strip_prefix(name) else {
                    continue;
                };
                if found.is_none() {
                    let unit = &units[word.unit];
                    found = cpus_of(value).map(|cpus| (cpus, unit, &unit.options[word.option]));
                }
            }
        }
        let Some((isolated, unit, option)) = found.filter(|(cpus, ..)| !cpus.is_empty()) else {
            return;
        };
        let housekeeping = online.difference(&isolated);
        if housekeeping.is_empty() || online.intersection(&isolated).is_empty() {
            let reason = format!(
                "it isolates CPUs {isolated}, and this host has CPUs {}: nothing can be split so",
                if online.is_empty() {
                    "that cannot be read".to_owned()
                } else {
                    online.to_string()
                }
            );
            self.leave(unit, option, reason);
            return;
        }
        self.set(unit, option, "cpus.housekeeping", housekeeping.to_string());
        self.isolated = Some(isolated);
    }

    fn boot(&mut self, units: &[Unit], words: &[Word]) {
        let mut seen: Vec<String> = Vec::new();
        for word in words {
            let unit = &units[word.unit];
            let option = &unit.options[word.option];
            let (name, value) = match word.text.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word.text.as_str(), None),
            };
            if seen.iter().any(|known| known == name) {
                let reason = format!(
                    "{name} is there twice, and the profile has it once: {}",
                    word.text
                );
                self.leave(unit, option, reason);
                continue;
            }
            seen.push(name.to_owned());
            let key = format!("boot.{name}");
            match value {
                None => self.set(unit, option, &key, true),
                Some(value) => {
                    let value = self.template(name, value);
                    self.set(unit, option, &key, value);
                }
            }
        }
    }

    /// A value in which the lists of the split are words of the profile: it follows the split then.
    fn template(&self, name: &str, value: &str) -> String {
        match &self.isolated {
            Some(isolated) => {
                let housekeeping = self.host.cpus.online.difference(isolated);
                in_words(name, value, isolated, &housekeeping)
            }
            None => value.to_owned(),
        }
    }
}

/// A boot argument's value with `{isolated}` or `{housekeeping}` in place of the list of these CPUs, where the argument is one
/// that names CPUs: `skew_tick=1` does not.
pub(crate) fn in_words(
    name: &str,
    value: &str,
    isolated: &CpuSet,
    housekeeping: &CpuSet,
) -> String {
    const NAME_CPUS: [&str; 5] = [
        "isolcpus",
        "nohz_full",
        "rcu_nocbs",
        "irqaffinity",
        "kthread_cpus",
    ];
    if !NAME_CPUS.contains(&name) {
        return value.to_owned();
    }
    let list = without_flags(value);
    let flags = &value[..value.len() - list.len()];
    match functions::list(list) {
        Some(cpus) if !cpus.is_empty() && cpus == *isolated => format!("{flags}{{isolated}}"),
        Some(cpus) if !cpus.is_empty() && cpus == *housekeeping => {
            format!("{flags}{{housekeeping}}")
        }
        _ => value.to_owned(),
    }
}

/// The list in a value like `managed_irq,domain,2-7`.
fn without_flags(value: &str) -> &str {
    value.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ',')
}

/// The CPUs of a value like `managed_irq,domain,2-7`.
fn cpus_of(value: &str) -> Option<CpuSet> {
    functions::list(without_flags(value))
}
