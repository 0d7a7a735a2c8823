//! A profile folder of tuned (tuned.conf(5)): `tuned.conf`, and a script for what tuned has no plugin.
//!
//! Two plugins are passed by. `scheduler` with `isolated_cores` would also move the application off the isolated CPUs,
//! whenever one of its threads changes its name (tuned/plugins/plugin_scheduler.py); the script moves interrupts and kernel
//! threads only. `cpu` opens /dev/cpu_dma_latency and changes latencies as the load goes; the governor is a file of `/sys`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hftune_model::export::{Output, Unsaid, Written};
use hftune_model::port_change::PortChange;

use super::pieces::{Pieces, Value};
use super::{header, one_line, ports, shell, unsaid_comments};

/// The name of the profile.
const NAME: &str = "hft-export";

/// Lines of a section with their ids.
#[derive(Default)]
struct Section {
    text: String,
    last: String,
}

impl Section {
    fn line(&mut self, id: &str, key: &str, value: &str) {
        if self.last != id {
            let _ = writeln!(self.text, "# {id}");
            id.clone_into(&mut self.last);
        }
        let _ = writeln!(self.text, "{key}={value}");
    }
}

/// The format `tuned`.
pub(super) fn write(pieces: &Pieces<'_>) -> Written {
    let mut unsaid = pieces.unsaid.clone();
    let mut sections: BTreeMap<(usize, String), Section> = BTreeMap::new();
    let mut say = |rank: usize, section: &str, id: &str, key: &str, value: &str| {
        if is_plain(value) && is_plain(key) {
            let section = sections.entry((rank, section.to_owned())).or_default();
            section.line(id, key, value);
        } else {
            unsaid.push(Unsaid {
                id: id.to_owned(),
                reason: format!("tuned reads something else in \"{}\"", one_line(value)),
            });
        }
    };
    for value in &pieces.values {
        if let Some((rank, section, key)) = place(value) {
            say(rank, section, value.id, &key, value.wanted);
        }
    }
    if let Some((first, _)) = pieces.arguments.first() {
        let ids: Vec<&str> = pieces.arguments.iter().map(|(id, _)| *id).collect();
        let ids = if ids.len() == 1 {
            (*first).to_owned()
        } else {
            ids.join(" ")
        };
        say(
            3,
            "bootloader",
            &ids,
            "cmdline_hft",
            &format!("+{}", pieces.boot_line()),
        );
    }
    for (id, unit) in &pieces.off {
        match unit.strip_suffix(".service") {
            Some(name) => say(4, "service", id, &format!("service.{name}"), "stop,disable"),
            None => say(4, "service", id, unit, "#"),
        }
    }
    if let Some(ban) = pieces
        .unsaid
        .iter()
        .find(|unsaid| unsaid.id == "irqbalance/banned")
    {
        let isolated = pieces.export.cpus.isolated.to_string();
        say(5, "irqbalance", &ban.id, "banned_cpus", &isolated);
    }
    unsaid.retain(|unsaid| unsaid.id != "irqbalance/banned");
    let net = net_sections(pieces, &mut unsaid);

    let mut script = pieces.only_values(|value| place(value).is_none());
    script.files.clone_from(&pieces.files);
    script.ports.clear();
    let has_script = !script.values.is_empty()
        || !script.irqs.is_empty()
        || script.threads.is_some()
        || !script.files.is_empty();

    let mut conf = format!(
        "{}\
         # Put this folder under /etc/tuned (tuned 2.23 and later: /etc/tuned/profiles) as {NAME}, then: tuned-adm profile {NAME}\n\
         # On Debian and Ubuntu the boot arguments also need: update-grub. To undo it, choose another profile.\n{}\n\
         [main]\nsummary=What hftune wants of one machine, out of its profile {}\n",
        header(pieces, "tuned"),
        unsaid_comments(&unsaid),
        one_line(&pieces.export.profile).replace(['#', '$', '%'], " "),
    );
    for ((_, name), section) in &sections {
        let _ = write!(conf, "\n[{name}]\n{}", section.text);
    }
    conf.push_str(&net);
    let mut files = vec![];
    if has_script {
        conf.push_str("\n# Interrupts, kernel threads and files, for which tuned has no plugin.\n[script]\nscript=${i:PROFILE_DIR}/script.sh\n");
        let usage = shell::Use {
            format: "tuned",
            name: "hft-export-tuned",
            start: "./script.sh",
            installs: None,
        };
        files.push(Output {
            path: "script.sh".into(),
            content: shell::script(&script, &[], usage),
            mode: 0o755,
        });
    }
    files.insert(
        0,
        Output {
            path: "tuned.conf".into(),
            content: conf,
            mode: 0o644,
        },
    );
    Written { files, unsaid }
}

/// Whether tuned reads a text as it stands: no comment, no variable, one line.
fn is_plain(text: &str) -> bool {
    !text.contains(['#', '$', '%', '\\']) && !text.chars().any(char::is_control)
}

/// The section and the key of a value: sysctls, THP and whatever is in `/sys`. `None` is for the script.
fn place(value: &Value<'_>) -> Option<(usize, &'static str, String)> {
    const THP: &str = "/sys/kernel/mm/transparent_hugepage";
    let path = value.path.to_str()?;
    if let Some(name) = path.strip_prefix("/proc/sys/") {
        let swapped = name.chars().map(|c| match c {
            '/' => '.',
            '.' => '/',
            c => c,
        });
        return Some((0, "sysctl", swapped.collect()));
    }
    match path.strip_prefix(THP) {
        Some("/enabled") => Some((1, "vm", "transparent_hugepages".to_owned())),
        Some("/defrag") => Some((1, "vm", "transparent_hugepage.defrag".to_owned())),
        _ => path
            .starts_with("/sys/")
            .then(|| (2, "sysfs", path.to_owned())),
    }
}

/// Options of a port, each with its words and their values.
type Groups<'g> = BTreeMap<&'g str, Vec<String>>;

/// A section for each port.
fn net_sections(pieces: &Pieces<'_>, unsaid: &mut Vec<Unsaid>) -> String {
    // Adaptive coalescing and its numbers are two changes of one port, and one option here.
    let mut by_port: BTreeMap<&str, (Vec<&str>, Groups<'_>)> = BTreeMap::new();
    for port in &pieces.ports {
        if matches!(port.change, PortChange::Eee(_) | PortChange::Flags(_)) {
            unsaid.push(Unsaid {
                id: port.id.to_owned(),
                reason: "the net plugin of tuned has no word for it".to_owned(),
            });
            continue;
        }
        let (group, said) = ports::words(port.change);
        let (ids, groups) = by_port.entry(port.name).or_default();
        ids.push(port.id);
        let words = groups.entry(group).or_default();
        words.extend(
            said.into_iter()
                .map(|(name, value)| format!("{name} {value}")),
        );
    }
    let mut text = String::new();
    for (name, (ids, groups)) in by_port {
        let _ = write!(
            text,
            "\n# {}\n[net_{name}]\ntype=net\ndevices={name}\ndynamic=0\n",
            ids.join(" ")
        );
        for (group, words) in groups {
            let _ = writeln!(text, "{group}={}", words.join(" "));
        }
    }
    text
}
