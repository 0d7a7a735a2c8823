//! One POSIX shell script for one machine: it keeps what was there, changes what differs, and puts it back.
//!
//! What is always the same is in `shell.sh`; here it gets the machine and the settings.

use std::fmt::Write as _;

use hftune_model::export::{Found, Output, Unsaid, Written};
use hftune_model::setting::Compare;

use super::pieces::{Made, Pieces, Place, UNITS, Value, What};
use super::quote::{print, word};
use super::{header, one_line, ports, unsaid_comments};

const FUNCTIONS: &str = include_str!("shell.sh");

/// Where the script puts itself, so that its unit can run it at every boot.
pub(super) const INSTALLED: &str = "/usr/local/sbin/hft-export";

/// The unit that does.
pub(super) const UNIT: &str = "hft-export.service";

/// More words in a line of a list are not read by anybody.
const WRAP: usize = 100;

/// How a script is to be used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use<'a> {
    /// What it is, in its first line.
    pub(super) format: &'a str,
    /// The name of its folders below `/var/lib` and `/run`.
    pub(super) name: &'a str,
    /// How it is started, for its own messages.
    pub(super) start: &'a str,
    /// The path under which it installs itself with a unit, where it does so.
    pub(super) installs: Option<&'a str>,
}

/// The format `shell`.
pub(super) fn write(pieces: &Pieces<'_>) -> Written {
    let usage = Use {
        format: "shell",
        name: "hft-export",
        start: "sh hft-export.sh",
        installs: pieces.needs_boot_script().then_some(INSTALLED),
    };
    let unsaid = pieces.unsaid.clone();
    Written {
        files: vec![Output {
            path: "hft-export.sh".into(),
            content: script(pieces, &unsaid, usage),
            mode: 0o755,
        }],
        unsaid,
    }
}

/// A script that does what is in the pieces.
pub(super) fn script(pieces: &Pieces<'_>, unsaid: &[Unsaid], usage: Use<'_>) -> String {
    let export = pieces.export;
    let mut text = format!(
        "#!/bin/sh\n\
         {}\
         #   {start} --check   tells what differs, and changes nothing\n\
         #   {start}           keeps what is there in /var/lib/{}, then changes what differs\n\
         #   {start} --undo    puts it back, byte for byte\n",
        header(pieces, usage.format),
        usage.name,
        start = usage.start,
    );
    text.push_str(&unsaid_comments(unsaid));
    text.push_str(
        "#\n# Texts of files are meant as they stand, and no machine needs every function.\n# shellcheck disable=SC2016,SC2317\nset -u\nLC_ALL=C\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n\
         export LC_ALL PATH\numask 022\ntab='\t'\nnl='\n'\n",
    );
    let _ = writeln!(text, "state_folder=/var/lib/{}", usage.name);
    let _ = writeln!(text, "run_name={}", usage.name);
    let _ = writeln!(
        text,
        "housekeeping={}",
        word(&export.cpus.housekeeping.to_string())
    );
    let layout: Vec<String> = export
        .layout
        .iter()
        .map(|(path, value)| format!("{path} {value}"))
        .collect();
    let _ = writeln!(text, "layout={}", word(&layout.join("\n")));
    text.push_str(FUNCTIONS.trim_end_matches("\nmain \"$@\"\n"));
    text.push('\n');

    let mut contents = String::new();
    let settings = settings(pieces, &mut contents);
    let boot_settings = boot_settings(pieces);
    let unit_settings = unit_settings(pieces, usage, &mut contents);
    text.push_str(&contents);
    for (name, what, body) in [
        ("settings", "What stays over a reboot.", settings),
        ("boot_settings", "What every boot forgets.", boot_settings),
        ("unit_settings", "What sets it again.", unit_settings),
    ] {
        let body = if body.is_empty() { "    :\n" } else { &body };
        let _ = write!(text, "\n# {what}\n{name}() {{\n{body}}}\n");
    }
    text.push_str("\nmain \"$@\"\n");
    text
}

fn indented_comment(text: &mut String, last: &mut String, id: &str) {
    if *last != id {
        let _ = writeln!(text, "    # {id}");
        id.clone_into(last);
    }
}

fn settings(pieces: &Pieces<'_>, contents: &mut String) -> String {
    let mut text = String::new();
    let mut last = String::new();
    for (id, unit) in &pieces.off {
        indented_comment(&mut text, &mut last, id);
        let _ = writeln!(text, "    unit_off {} {}", word(id), word(unit));
    }
    if let Some(file) = super::sysctl::place(pieces) {
        let _ = writeln!(
            text,
            "    # sysctl and hugepages at boot: the ids are in the file"
        );
        let number = content(contents, &file.content);
        let _ = writeln!(
            text,
            "    file sysctl {} 644 {number} {} {}",
            word(super::pieces::SYSCTL_FILE),
            sum(&Found::File(hftune_model::export::Sum::of(
                file.content.as_bytes()
            ))),
            sum(&file.found),
        );
    }
    for place in pieces.files.iter().chain(&pieces.boot) {
        indented_comment(&mut text, &mut last, place.id);
        text.push_str(&place_line(place, contents));
    }
    for (id, path, name, value) in &pieces.variables {
        indented_comment(&mut text, &mut last, id);
        let _ = writeln!(
            text,
            "    variable {} {} {} {}",
            word(id),
            word(&path.display().to_string()),
            word(name),
            word(value)
        );
    }
    for (id, add, remove) in &pieces.kargs {
        indented_comment(&mut text, &mut last, id);
        let _ = writeln!(
            text,
            "    kargs {} {} {}",
            word(id),
            word(&add.join(" ")),
            word(&remove.join(" "))
        );
    }
    for made in &pieces.made {
        text.push_str(&made_lines(made));
    }
    for (id, argument) in &pieces.arguments {
        indented_comment(&mut text, &mut last, id);
        let _ = writeln!(text, "    argument {} {}", word(id), word(argument));
    }
    for value in pieces.values.iter().filter(|value| value.is_saved()) {
        indented_comment(&mut text, &mut last, value.id);
        text.push_str(&kernel_line(value));
    }
    text
}

fn boot_settings(pieces: &Pieces<'_>) -> String {
    let mut text = String::new();
    let mut last = String::new();
    // Queues of ports are built anew first: their interrupts are moved afterwards.
    for port in &pieces.ports {
        indented_comment(&mut text, &mut last, port.id);
        text.push_str(&ports::shell_line(port));
    }
    for value in pieces.values.iter().filter(|value| !value.is_saved()) {
        indented_comment(&mut text, &mut last, value.id);
        text.push_str(&kernel_line(value));
    }
    if let Some(first) = pieces.irqs.first() {
        for line in wrapped(&pieces.irqs) {
            let _ = writeln!(text, "    # {line}");
        }
        let id = if pieces.irqs.len() == 1 { first } else { "irq" };
        let _ = writeln!(text, "    irqs {}", word(id));
    }
    if let Some(id) = pieces.threads {
        let _ = writeln!(text, "    # {id}\n    threads {}", word(id));
    }
    text
}

/// Ids in lines that can be read.
fn wrapped(ids: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for id in ids {
        match lines.last_mut() {
            Some(line) if line.len() + id.len() < WRAP => {
                let _ = write!(line, " {id}");
            }
            _ => lines.push((*id).to_owned()),
        }
    }
    lines
}

fn unit_settings(pieces: &Pieces<'_>, usage: Use<'_>, contents: &mut String) -> String {
    let Some(installed) = usage.installs else {
        return String::new();
    };
    let mut text = String::new();
    let _ = writeln!(contents, "\ncontent_self() {{ cat \"$self\"; }}");
    let _ = writeln!(
        text,
        "    # shellcheck disable=SC2046 # two numbers\n    set -- $(cksum <\"$self\")\n    \
         file hft-export {installed} 755 content_self \"file:$1:$2\" any"
    );
    let link = format!("{UNITS}/multi-user.target.wants/{UNIT}");
    let unit_path = format!("{UNITS}/{UNIT}");
    let files = [
        (unit_path.clone(), unit(pieces, installed)),
        (
            "/etc/udev/rules.d/99-hft-export.rules".to_owned(),
            udev_rules(),
        ),
    ];
    for (path, content_of) in files {
        let number = content(contents, &content_of);
        let found = Found::File(hftune_model::export::Sum::of(content_of.as_bytes()));
        let _ = writeln!(
            text,
            "    file hft-export {path} 644 {number} {} any",
            sum(&found)
        );
    }
    let _ = writeln!(text, "    link hft-export {link} {unit_path} any");
    let _ = writeln!(text, "    unit_on {UNIT}");
    text
}

/// The unit that runs an installed script at every boot.
pub(super) fn unit(pieces: &Pieces<'_>, script: &str) -> String {
    let mut off = String::new();
    for (_, name) in &pieces.off {
        let _ = writeln!(off, "Conflicts={name}");
    }
    format!(
        "# Made by \"hftune export\".\n\
         [Unit]\n\
         Description=Kernel values that a boot forgets, as the profile {} wants them\n\
         Wants=network-online.target\n\
         After=network.target network-online.target systemd-modules-load.service irqbalance.service\n\
         {off}\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         ExecStart=/bin/sh {script} --boot\n\
         RuntimeDirectory=hft-export\n\
         RuntimeDirectoryPreserve=yes\n\
         NoNewPrivileges=yes\n\
         ProtectSystem=strict\n\
         ProtectHome=yes\n\
         UMask=0077\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        one_line(&pieces.export.profile).replace('%', "%%"),
    )
}

/// Interrupts of devices that appear later: the unit runs again, as often as that happens.
pub(super) fn udev_rules() -> String {
    let restart = format!("RUN+=\"/bin/systemctl --no-block try-restart {UNIT}\"");
    format!(
        "# Made by \"hftune export\".\n\
         ACTION==\"bind\", SUBSYSTEM==\"pci\", {restart}\n\
         ACTION==\"add\", SUBSYSTEM==\"net\", {restart}\n\
         ACTION==\"add|remove\", SUBSYSTEM==\"queues\", KERNEL==\"rx-*\", DEVPATH!=\"/devices/virtual/*\", {restart}\n"
    )
}

/// Adds a function that prints a content; returns its name.
fn content(contents: &mut String, text: &str) -> String {
    let name = format!("content_{}", contents.matches("\ncontent_").count() + 1);
    let commands = String::from_utf8(print(text.as_bytes())).expect("quoting adds ASCII to a text");
    let _ = write!(contents, "\n{name}() {{\n{commands}}}\n");
    name
}

fn place_line(place: &Place<'_>, contents: &mut String) -> String {
    let (id, path) = (word(place.id), word(&place.path.display().to_string()));
    let expected = sum(place.found);
    match place.what {
        What::File(text, mode) => {
            let name = content(contents, text);
            let wanted = sum(&place.what.found());
            format!("    file {id} {path} {mode:o} {name} {wanted} {expected}\n")
        }
        What::Link(target) => format!("    link {id} {path} {} {expected}\n", word(target)),
        What::Nothing => format!("    nothing {id} {path} {expected}\n"),
    }
}

/// What is found in a place, as the script tells it.
fn sum(found: &Found) -> String {
    match found {
        Found::Absent => "absent".to_owned(),
        Found::Link(target) => word(&format!("link:{target}")),
        Found::File(sum) => format!("file:{}:{}", sum.crc, sum.length),
    }
}

fn made_lines(made: &Made<'_>) -> String {
    let mut text = String::new();
    for output in made.outputs {
        let _ = writeln!(text, "    output {}", word(&output.display().to_string()));
    }
    let program =
        std::iter::once(made.program.display().to_string()).chain(made.args.iter().cloned());
    let words: Vec<String> = program.map(|argument| word(&argument)).collect();
    let _ = writeln!(
        text,
        "    made {} {} {}",
        word(made.id),
        u8::from(made.stale),
        words.join(" ")
    );
    text
}

fn kernel_line(value: &Value<'_>) -> String {
    let how = match value.compare {
        Compare::Bracketed => "bracketed",
        Compare::CpuMask => "cpu-mask",
        Compare::Words | Compare::CpuList | Compare::CpusWithin => "words",
    };
    format!(
        "    kernel {} {} {how} {}\n",
        word(value.id),
        word(&value.path.display().to_string()),
        word(&value.compare.value(value.wanted)),
    )
}
