//! Kernel values that services other than tuned write, as their configuration has it: governors, the energy bias, KSM,
//! and the sysctls of ufw.

use std::cell::RefCell;
use std::rc::Rc;

use hftune_domains::sysctl_files;
use hftune_model::host::{Cpus, Rival};
use hftune_model::others::{Claim, UnknownClaims};

use super::facts::Facts;
use super::ini::{self, Dialect};
use super::shell_words::{self, Assignment};
use super::tuned::bias;

/// A firewall, and no rival of ours but for its sysctls.
const UFW: &str = "ufw.service";

const GOVERNOR: &str = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor";
const BIAS: &str = "/sys/devices/system/cpu/cpu*/power/energy_perf_bias";

/// What the installed ones of the rivals write, and ufw; and why not all of it is known.
pub(super) fn read(
    facts: &Facts<'_>,
    rivals: &[Rival],
    cpus: &Cpus,
) -> (Vec<Claim>, Vec<UnknownClaims>) {
    let (mut claims, mut unknown) = (Vec::new(), Vec::new());
    let owners = rivals.iter().map(|rival| rival.unit.as_str());
    for owner in owners.chain([UFW]) {
        let files = Files {
            facts,
            unread: RefCell::default(),
        };
        claims.extend(match owner {
            "tlp.service" => tlp(&files, owner),
            "cpupower.service" => cpupower(&files, owner),
            "auto-cpufreq.service" => auto_cpufreq(&files, owner),
            "power-profiles-daemon.service" => {
                power_profiles(&files, owner, cpus.cpufreq_driver.as_deref())
            }
            // ksmctl(8) and ksmtuned write it; what else they write is about the speed of the merging.
            "ksm.service" | "ksmtuned.service" => vec![Claim {
                owner: owner.to_owned(),
                word: "merging of equal pages".to_owned(),
                path: "/sys/kernel/mm/ksm/run".to_owned(),
                value: "1".to_owned(),
                ..Claim::default()
            }],
            UFW => ufw(&files),
            _ => Vec::new(),
        });
        let unread = files.unread.into_inner().into_iter();
        unknown.extend(unread.map(|path| UnknownClaims {
            owner: owner.to_owned(),
            why: format!("{path} cannot be read"),
        }));
    }
    (claims, unknown)
}

/// The files of one tool, and which of them are there but cannot be read.
struct Files<'f, 'r> {
    facts: &'f Facts<'r>,
    unread: RefCell<Vec<String>>,
}

impl Files<'_, '_> {
    fn text(&self, path: &str) -> Option<Rc<str>> {
        self.facts.text_or(path, &mut self.unread.borrow_mut())
    }

    fn assignments(&self, path: &str) -> Vec<Assignment> {
        self.text(path)
            .map(|text| shell_words::parse(&text))
            .unwrap_or_default()
    }
}

fn claim(owner: &str, path: &str, value: &str, word: &str, file: &str, line: usize) -> Claim {
    Claim {
        owner: owner.to_owned(),
        word: word.to_owned(),
        path: path.to_owned(),
        value: value.to_owned(),
        // A variable of the shell.
        unresolved: value.contains('$'),
        yields: false,
        file: file.to_owned(),
        line,
    }
}

/// TLP, on the mains: its defaults, then `/etc/tlp.d` in the order of names, then `/etc/tlp.conf`
/// (tlp-readconfs(8); linrunner.de/tlp/settings).
fn tlp(files: &Files<'_, '_>, owner: &str) -> Vec<Claim> {
    let mut paths = vec!["/usr/share/tlp/defaults.conf".to_owned()];
    let drop_ins = files.facts.list("/etc/tlp.d");
    let drop_ins = drop_ins.iter().filter(|name| is_conf(name));
    paths.extend(drop_ins.map(|name| format!("/etc/tlp.d/{name}")));
    paths.push("/etc/tlp.conf".to_owned());
    let read: Vec<(String, Vec<Assignment>)> = paths
        .into_iter()
        .map(|path| {
            let found = files.assignments(&path);
            (path, found)
        })
        .collect();
    let last = |key: &str| {
        read.iter()
            .rev()
            .find_map(|(path, found)| Some((path, shell_words::last(found, key)?)))
            .filter(|(_, found)| !found.value.is_empty())
    };
    if last("TLP_ENABLE").is_some_and(|(_, found)| found.value == "0") {
        return Vec::new();
    }
    let keys = [
        ("CPU_SCALING_GOVERNOR_ON_AC", GOVERNOR),
        // Written where the processor takes no preference (EPP), which wants a cpufreq driver.
        ("CPU_ENERGY_PERF_POLICY_ON_AC", BIAS),
        ("NMI_WATCHDOG", "/proc/sys/kernel/nmi_watchdog"),
    ];
    keys.into_iter()
        .filter_map(|(key, path)| {
            let (file, found) = last(key)?;
            let value = if path == BIAS {
                bias(&found.value)
            } else {
                &found.value
            };
            Some(claim(owner, path, value, key, file, found.line))
        })
        .collect()
}

/// cpupower: the file of the RHEL family holds the command line, that of Arch and upstream's own hold variables.
fn cpupower(files: &Files<'_, '_>, owner: &str) -> Vec<Claim> {
    let mut claims = Vec::new();
    let paths = [
        "/etc/sysconfig/cpupower",
        "/etc/default/cpupower",
        "/etc/cpupower-service.conf",
    ];
    for file in paths {
        for found in files.assignments(file) {
            let key = found.key.to_ascii_lowercase();
            let values = match key.as_str() {
                "cpupower_start_opts" => command_line(&found.value),
                "governor" => vec![(GOVERNOR, found.value.clone())],
                "perf_bias" => vec![(BIAS, found.value.clone())],
                _ => continue,
            };
            for (path, value) in values.into_iter().filter(|(_, value)| !value.is_empty()) {
                claims.push(claim(owner, path, &value, &found.key, file, found.line));
            }
        }
    }
    claims
}

/// The governor and the bias in a command line of cpupower(1).
fn command_line(text: &str) -> Vec<(&'static str, String)> {
    let mut values = Vec::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let path = match name {
            "-g" | "--governor" => GOVERNOR,
            "-b" | "--perf-bias" => BIAS,
            _ => continue,
        };
        if let Some(value) = value.or_else(|| words.next()) {
            values.push((path, value.to_owned()));
        }
    }
    values
}

/// auto-cpufreq, on the mains: performance, unless its file says otherwise.
fn auto_cpufreq(files: &Files<'_, '_>, owner: &str) -> Vec<Claim> {
    const FILE: &str = "/etc/auto-cpufreq.conf";
    let text = files.text(FILE);
    let entries = text.map(|text| ini::parse(&text, Dialect::Tuned));
    let entries = entries.unwrap_or_default();
    let of_mains = |key: &str| {
        let found = entries
            .iter()
            .rfind(|e| e.section == "charger" && e.key == key);
        found.map(|e| (e.value.as_str(), e.line))
    };
    let (governor, line) = of_mains("governor").unwrap_or(("performance", 0));
    let mut claims = vec![claim(
        owner,
        GOVERNOR,
        governor,
        "[charger] governor",
        FILE,
        line,
    )];
    if let Some((word, line)) = of_mains("energy_perf_bias") {
        let word = bias(word);
        claims.push(claim(
            owner,
            BIAS,
            word,
            "[charger] energy_perf_bias",
            FILE,
            line,
        ));
    }
    claims
}

/// power-profiles-daemon: with a driver that has preferences (EPP) it writes the governor powersave, which allows them;
/// versions from 0.20 on leave the governor be in the profile performance. The energy bias follows the profile
/// (src/ppd-driver-intel-pstate.c, src/ppd-driver-amd-pstate.c).
fn power_profiles(files: &Files<'_, '_>, owner: &str, driver: Option<&str>) -> Vec<Claim> {
    const FILE: &str = "/var/lib/power-profiles-daemon/state.ini";
    let text = files.text(FILE);
    let entries = text.map(|text| ini::parse(&text, Dialect::KeyFile));
    let entry = entries.and_then(|entries| {
        let mut entries = entries.into_iter();
        entries.find(|e| e.section == "State" && e.key == "Profile")
    });
    let (profile, line) = entry.map_or(("balanced".to_owned(), 0), |e| (e.value, e.line));
    let word = format!("profile {profile}");
    let mut claims = Vec::new();
    if matches!(
        driver,
        Some("intel_pstate" | "amd-pstate-epp" | "amd_pstate_epp")
    ) {
        claims.push(Claim {
            unresolved: profile == "performance",
            ..claim(owner, GOVERNOR, "powersave", &word, FILE, line)
        });
    }
    let energy = match profile.as_str() {
        "performance" => "0",
        "power-saver" => "15",
        _ => "6",
    };
    claims.push(claim(owner, BIAS, energy, &word, FILE, line));
    claims
}

/// ufw applies a file of its own with sysctl(8) at every start and reload (`ufw-init-functions`).
fn ufw(files: &Files<'_, '_>) -> Vec<Claim> {
    let enabled = files.assignments("/etc/ufw/ufw.conf");
    if !shell_words::last(&enabled, "ENABLED").is_some_and(|a| a.value.eq_ignore_ascii_case("yes"))
    {
        return Vec::new();
    }
    let defaults = files.assignments("/etc/default/ufw");
    let Some(path) = shell_words::last(&defaults, "IPT_SYSCTL")
        .map(|a| a.value.as_str())
        .filter(|path| path.starts_with('/'))
    else {
        return Vec::new();
    };
    let Some(text) = files.text(path) else {
        return Vec::new();
    };
    sysctl_files::parse(&text, path)
        .into_iter()
        .filter_map(|a| {
            let target = format!("/proc/sys/{}", a.key);
            let value = a.value?;
            Some(claim(UFW, &target, &value, "IPT_SYSCTL", path, a.line))
        })
        .collect()
}

fn is_conf(name: &str) -> bool {
    std::path::Path::new(name)
        .extension()
        .is_some_and(|kind| kind == "conf")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_command_line_of_cpupower_is_read() {
        let read = |text: &str| command_line(text);
        assert_eq!(
            read("frequency-set -g performance"),
            [(GOVERNOR, "performance".to_owned())]
        );
        assert_eq!(
            read("frequency-set --governor=ondemand -d 2GHz"),
            [(GOVERNOR, "ondemand".to_owned())]
        );
        assert_eq!(read("set --perf-bias 6"), [(BIAS, "6".to_owned())]);
        assert_eq!(read("frequency-set -g"), []);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[-gb= a-c]{0,60}") {
            let _ = command_line(&text);
        }
    }
}
