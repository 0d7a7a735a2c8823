//! A part of a kickstart file: the boot arguments for the installer, and a `%post` section that writes the files.

use std::fmt::Write as _;

use hftune_model::export::{Output, Unsaid, Written};

use super::pieces::{Pieces, SYSCTL_FILE, UNITS, What};
use super::quote::{print, word};
use super::{header, shell, sysctl, unsaid_comments};

/// The format `kickstart`.
pub(super) fn write(pieces: &Pieces<'_>) -> Written {
    let mut unsaid = pieces.unsaid.clone();
    let mut post = String::new();
    if let Some(file) = sysctl::place(pieces) {
        post.push_str(&put("", SYSCTL_FILE, &file.content, 0o644));
    }
    for place in &pieces.files {
        let path = place.path.display().to_string();
        match place.what {
            What::File(content, mode) => post.push_str(&put(place.id, &path, content, mode)),
            What::Link(target) => {
                let _ = writeln!(
                    post,
                    "# {}\nmkdir -p {}\nln -sfn {} {}",
                    place.id,
                    word(parent(&path)),
                    word(target),
                    word(&path)
                );
            }
            What::Nothing => {
                let _ = writeln!(post, "# {}\nrm -f {}", place.id, word(&path));
            }
        }
    }
    if pieces.needs_boot_script() {
        let usage = shell::Use {
            format: "kickstart",
            name: "hft-export",
            start: shell::INSTALLED,
            installs: None,
        };
        let values = pieces.only_values(|value| !value.is_saved());
        let unit = format!("{UNITS}/{}", shell::UNIT);
        post.push_str("# What every boot forgets: a script and the unit that runs it.\n");
        post.push_str(&put(
            "",
            shell::INSTALLED,
            &shell::script(&values, &[], usage),
            0o755,
        ));
        post.push_str(&put(
            "",
            &unit,
            &shell::unit(pieces, shell::INSTALLED),
            0o644,
        ));
        post.push_str(&put(
            "",
            "/etc/udev/rules.d/99-hft-export.rules",
            &shell::udev_rules(),
            0o644,
        ));
        let wants = format!("{UNITS}/multi-user.target.wants");
        let _ = writeln!(
            post,
            "mkdir -p {wants}\nln -sfn {unit} {wants}/{}",
            shell::UNIT
        );
    }
    // A line that begins so would end the section.
    if post
        .lines()
        .any(|line| line.trim_start().starts_with("%end"))
    {
        unsaid.push(Unsaid {
            id: "kickstart".to_owned(),
            reason: "a file has a line \"%end\", which ends a section of a kickstart file"
                .to_owned(),
        });
        post.clear();
    }
    let mut content = format!(
        "{}\
         # Include it, or copy it into your kickstart file; if that has a bootloader line, add the arguments to it.\n{}\n",
        header(pieces, "kickstart"),
        unsaid_comments(&unsaid),
    );
    if !pieces.arguments.is_empty() {
        for (id, _) in &pieces.arguments {
            let _ = writeln!(content, "# {id}");
        }
        let _ = writeln!(content, "bootloader --append=\"{}\"", pieces.boot_line());
    }
    let _ = write!(
        content,
        "\n%post --erroronfail --log=/root/hft-export.log\nset -e\n{post}%end\n"
    );
    Written {
        files: vec![Output {
            path: "hft-export.ks".into(),
            content,
            mode: 0o644,
        }],
        unsaid,
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("/", |(parent, _)| parent)
}

/// Commands that write a file.
fn put(id: &str, path: &str, content: &str, mode: u32) -> String {
    let commands =
        String::from_utf8(print(content.as_bytes())).expect("quoting adds ASCII to a text");
    let comment = if id.is_empty() {
        String::new()
    } else {
        format!("# {id}\n")
    };
    format!(
        "{comment}mkdir -p {}\n{{\n{commands}}} >{path}\nchmod {mode:o} {path}\n",
        word(parent(path)),
        path = word(path),
    )
}
