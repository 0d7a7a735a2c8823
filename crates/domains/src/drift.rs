//! Watching for drift: the timer that verifies, and the service that it starts.

use std::path::Path;

use hftune_model::Result;
use hftune_model::finding::{Proof, Proofs};
use hftune_model::setting::{Artifact, Doc, Setting, When};
use hftune_sys::Reader;

use crate::unit::{HARDENING, HEADER, UNITS, against_file, escape};
use crate::{Context, Desired, Domain};

/// The one instance.
#[derive(Debug)]
pub struct Drift;

/// The unit that starts the other one.
pub const TIMER: &str = "hftune-verify.timer";

/// The unit that verifies.
pub const SERVICE: &str = "hftune-verify.service";

/// Where packages and roles have the textfile directory of node_exporter (Debian's and Fedora's package; the role
/// prometheus.prometheus and the exporter's own examples), in the order in which they are looked for.
pub const TEXTFILE_DIRS: [&str; 3] = [
    "/var/lib/prometheus/node-exporter",
    "/var/lib/node_exporter/textfile_collector",
    "/var/lib/node_exporter",
];

const DOCS: &[Doc] = &[Doc {
    id: "drift/timer",
    what: "hftune-verify.timer, which runs verify now and then, writes its metrics for node_exporter, and tells in the \
           journal which setting changed since the last run, from what to what, and who is likely to have done it.",
    why: "A setting that somebody changes by hand, a package that brings another file, a tool that is started: all go \
          unnoticed until somebody runs verify.",
    trade_off: "It runs on the CPUs that serve the OS, with the lowest priority, for a second or so. Some files in /proc \
                and /sys make the kernel ask every CPU, isolated ones too, so that a run is not for the middle of the \
                trading day of the most sensitive hosts: set every_minutes in [drift].",
    read: "saved: both unit files and the link that enables the timer. Whether it runs is systemd's to tell, which hftune \
           drift status asks; verify starts nothing.",
    source: "systemd.timer(5); node_exporter, \"Textfile Collector\"",
}];

/// The path of the timer's file.
pub fn timer_path() -> String {
    format!("{UNITS}/{TIMER}")
}

/// Whether a target, by its key, is one of the watch.
pub fn makes(key: &str) -> bool {
    let files = [timer_path(), service_path(), link_path()];
    key.strip_prefix("file:")
        .is_some_and(|path| files.iter().any(|file| file == path))
        || key.strip_prefix("unit:") == Some(TIMER)
}

fn service_path() -> String {
    format!("{UNITS}/{SERVICE}")
}

fn link_path() -> String {
    format!("{UNITS}/timers.target.wants/{TIMER}")
}

/// The service. It writes to its state and to the metrics, and to nothing else.
fn service(cx: &Context<'_>) -> String {
    let binary = escape(&cx.binary.display().to_string());
    let directory = cx
        .binary
        .parent()
        .map_or_else(String::new, |dir| dir.display().to_string());
    let given = cx.profile.drift.textfile_dir.as_str();
    let (option, writable) = if given.is_empty() {
        let all: Vec<String> = TEXTFILE_DIRS.iter().map(|dir| format!("-{dir}")).collect();
        (String::new(), all.join(" "))
    } else {
        (
            format!(" --textfile-dir {}", escape(given)),
            format!("-{given}"),
        )
    };
    let cpus = match cx.cpus.housekeeping.to_string() {
        cpus if cpus.is_empty() => String::new(),
        cpus => format!("CPUAffinity={cpus}\n"),
    };
    format!(
        "{HEADER}[Unit]\nDescription=Verifies the hftune profile and tells what changed\n\
         RequiresMountsFor={} /var/lib/hftune\n\
         \n[Service]\nType=oneshot\nExecStart={binary} drift check{option}\n\
         # 3: settings are not as desired, 4: only a reboot is missing.\nSuccessExitStatus=3 4\nTimeoutStartSec=5min\n\
         {cpus}Nice=19\nIOSchedulingClass=idle\n{HARDENING}ReadWritePaths=/var/lib/hftune {writable}\n",
        escape(&directory)
    )
}

/// The first run is soon after the boot, when the other units are done, or at once where that is past. A fleet does not write
/// all at one moment.
fn timer(cx: &Context<'_>) -> String {
    let minutes = cx.profile.drift.every_minutes;
    format!(
        "{HEADER}[Unit]\nDescription=Verifies the hftune profile every {minutes} minutes\n\
         \n[Timer]\nOnBootSec=5min\nOnUnitActiveSec={minutes}min\nAccuracySec=30s\nRandomizedDelaySec=30s\nUnit={SERVICE}\n\
         \n[Install]\nWantedBy=timers.target\n"
    )
}

impl Domain for Drift {
    fn name(&self) -> &'static str {
        "drift"
    }

    fn docs(&self) -> &'static [Doc] {
        DOCS
    }

    fn desire(&self, cx: &Context<'_>) -> Desired {
        let mut desired = Desired::default();
        if !cx.profile.drift.watch {
            return desired;
        }
        let file = |path: String, content: String| Artifact::File {
            path: path.into(),
            content,
            mode: 0o644,
        };
        desired.settings.push(Setting {
            id: DOCS[0].id.to_owned(),
            desired: format!("every {} minutes", cx.profile.drift.every_minutes),
            when: When::Now,
            doc: &DOCS[0],
            note: None,
            artifacts: vec![
                file(service_path(), service(cx)),
                file(timer_path(), timer(cx)),
                Artifact::Link {
                    path: link_path().into(),
                    target: timer_path(),
                },
                Artifact::Unit {
                    name: TIMER.to_owned(),
                    active: true,
                },
            ],
        });
        desired
    }

    fn prove(&self, _: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Result<Proofs> {
        let asked = || Proof::None("hftune drift status asks systemd".to_owned());
        Ok(Proofs {
            saved: saved(cx, reader),
            live: asked(),
            effect: asked(),
            fix: None,
        })
    }
}

fn saved(cx: &Context<'_>, reader: &Reader<'_>) -> Proof {
    for (path, wanted) in [(service_path(), service(cx)), (timer_path(), timer(cx))] {
        if let Some(proof) = against_file(Path::new(&path), &wanted, cx, reader) {
            return proof;
        }
    }
    if reader.link_target(link_path()).is_none() {
        return Proof::Differs(format!("{TIMER} is not enabled"));
    }
    Proof::Holds(format!("{TIMER} enabled"))
}
