//! systemd units of ours: rendered, enabled by their link, and proved.
//!
//! A unit is enabled by the link that `systemctl enable` would make, so that it works the same in an image that is
//! being built, and so that the journal can undo it byte for byte.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use hftune_model::Kind;
use hftune_model::finding::Proof;
use hftune_model::setting::Artifact;
use hftune_sys::Reader;

use crate::Context;

/// Where units of the administrator live (systemd.unit(5)).
pub const UNITS: &str = "/etc/systemd/system";

/// The first lines of every file that hftune owns.
pub const HEADER: &str = "# Written by hftune. Change the profile, not this file: \"hftune setup\" writes it again,\n\
                          # \"hftune rollback\" takes it away.\n";

/// What none of our units needs, as far as systemd 239 of RHEL 8 knows it: they write to `/proc` and `/sys`, and to nothing on a
/// disk; they ask ports over netlink, or with a socket, and start systemctl.
pub(crate) const HARDENING: &str = "NoNewPrivileges=yes\n\
    ProtectSystem=strict\n\
    ProtectHome=yes\n\
    ProtectControlGroups=yes\n\
    RestrictNamespaces=yes\n\
    RestrictRealtime=yes\n\
    LockPersonality=yes\n\
    MemoryDenyWriteExecute=yes\n\
    SystemCallArchitectures=native\n\
    RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET\n\
    CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_NET_ADMIN CAP_SYS_ADMIN CAP_SYS_NICE CAP_SYS_PTRACE\n\
    UMask=0077\n";

/// A unit of ours.
#[derive(Debug, Clone, Copy)]
pub struct Service<'a> {
    /// Unit name, like `disable-thp.service`.
    pub name: &'a str,
    /// One line for `systemctl status`.
    pub description: &'a str,
    /// Lines of `[Unit]` besides the description: its place in the boot.
    pub order: &'a [&'a str],
    /// What it has hftune do, like "live irq threads"; words that need it are quoted.
    pub command: &'a str,
    /// How it runs.
    pub run: Run,
    /// The unit that starts it.
    pub wanted_by: &'a str,
}

/// How a unit runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// It applies values and ends.
    Once {
        /// A unit that is run again after it, where it is active.
        then: Option<&'static str>,
    },
    /// It waits for something, and is started again should it die.
    Stays,
}

impl Service<'_> {
    /// Path of the unit file.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(UNITS).join(self.name)
    }

    /// The link that enables it.
    pub fn enabling_link(&self) -> PathBuf {
        PathBuf::from(format!("{UNITS}/{}.wants/{}", self.wanted_by, self.name))
    }

    /// The text of the unit file.
    pub fn render(&self, cx: &Context<'_>) -> String {
        let mut text = format!("{HEADER}[Unit]\n");
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(text, "{key}={value}");
        };
        line("Description", &self.description.replace('%', "%%"));
        // The binary may lie on a file system of its own.
        let directory = cx
            .binary
            .parent()
            .map_or_else(String::new, |dir| dir.display().to_string());
        line(
            "RequiresMountsFor",
            &format!("{} /var/lib/hftune", escape(&directory)),
        );
        for order in self.order {
            let _ = writeln!(text, "{order}");
        }
        let binary = escape(&cx.binary.display().to_string());
        let start = format!("ExecStart={binary} {}\n", self.command);
        let service = match self.run {
            Run::Once { then } => {
                let after = then.map_or_else(String::new, |unit| {
                    format!(
                        "ExecStartPost=-/bin/systemctl --no-block try-restart {}\n",
                        escape(unit)
                    )
                });
                format!("Type=oneshot\nRemainAfterExit=yes\n{start}{after}")
            }
            Run::Stays => format!("{start}Restart=on-failure\nRestartSec=5\n"),
        };
        let _ = write!(
            text,
            "\n[Service]\n{service}{HARDENING}\n[Install]\nWantedBy={}\n",
            self.wanted_by,
        );
        text
    }

    /// Its file, its link, and that it is active.
    pub fn artifacts(&self, cx: &Context<'_>) -> Vec<Artifact> {
        vec![
            Artifact::File {
                path: self.path(),
                content: self.render(cx),
                mode: 0o644,
            },
            Artifact::Link {
                path: self.enabling_link(),
                target: self.path().display().to_string(),
            },
            Artifact::Unit {
                name: self.name.to_owned(),
                active: true,
            },
        ]
    }

    /// Whether it will run at the next boot: its file is as rendered, its link is there, and nothing masks it.
    pub fn saved(&self, cx: &Context<'_>, reader: &Reader<'_>) -> Proof {
        // Thousands of interrupts ask for one unit.
        if let Some(proof) = against_file(&self.path(), &self.render(cx), cx, reader) {
            return proof;
        }
        if reader.link_target(self.enabling_link()).is_none() {
            return Proof::Differs(format!("{} is not enabled", self.name));
        }
        Proof::Holds(format!("{} enabled", self.name))
    }
}

/// What speaks against the file of a unit: that it is missing, unreadable, or not as rendered. Nothing where it is as it is to be.
pub(crate) fn against_file(
    path: &Path,
    rendered: &str,
    cx: &Context<'_>,
    reader: &Reader<'_>,
) -> Option<Proof> {
    let shown = path.display();
    match reader.text(path) {
        Err(e) if e.kind == Kind::Missing => Some(Proof::Differs(format!("{shown} is missing"))),
        Err(e) => Some(Proof::Unknown(e.to_string())),
        Ok(text) if text.trim() != rendered.trim() => {
            Some(Proof::Differs(match other_binary(&text, cx) {
                Some(other) => format!("{shown} calls {other}, not {}", cx.binary.display()),
                None => format!("{shown} is not as hftune writes it"),
            }))
        }
        Ok(_) => None,
    }
}

/// The hftune that a unit calls, where that is another than the one that units are to call.
fn other_binary<'t>(text: &'t str, cx: &Context<'_>) -> Option<&'t str> {
    let start = text
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="))?;
    let program = start.split_whitespace().next()?;
    let is_other = program.ends_with("/hftune") && Path::new(program) != cx.binary;
    is_other.then_some(program)
}

/// Quotes what systemd would read as more than one word, a specifier or a variable (systemd.syntax(7), systemd.unit(5)).
pub fn escape(word: &str) -> String {
    let escaped = word
        .replace('\\', "\\\\")
        .replace('%', "%%")
        .replace('$', "$$");
    if escaped.contains([' ', '\t', '"', '\'', ';']) {
        format!("\"{}\"", escaped.replace('"', "\\\""))
    } else {
        escaped
    }
}

/// A part of a unit's name: what is not allowed in one is written as `\\xNN` (systemd.unit(5), "String escaping for
/// inclusion in unit names").
pub fn name_part(text: &str, allowed: &str) -> String {
    let mut name = String::new();
    for (at, byte) in text.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric()
            || (allowed.as_bytes().contains(&byte) && !(at == 0 && byte == b'.'));
        if plain {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "\\x{byte:02x}");
        }
    }
    name
}
