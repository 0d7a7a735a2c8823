//! Files of an image of bootc, laid out as they go into it, and the lines of its Containerfile that put them there.

use std::fmt::Write as _;

use hftune_model::export::{Output, Written};

use super::pieces::{Pieces, SYSCTL_FILE, What};
use super::{header, shell, sysctl, unsaid_comments};

/// Below /usr, since /usr/local is not part of the image (ostree).
const SCRIPT: &str = "/usr/libexec/hft-export";

/// The format `bootc`.
pub(super) fn write(pieces: &Pieces<'_>) -> Written {
    let mut files = Vec::new();
    let mut runs = String::new();
    let mut add = |path: &str, content: String, mode: u32| {
        files.push(Output {
            path: path.trim_start_matches('/').into(),
            content,
            mode,
        });
    };
    if !pieces.arguments.is_empty() {
        let mut text = format!("{}kargs = [\n", header(pieces, "bootc"));
        for (id, word) in &pieces.arguments {
            let word = word.replace('\\', "\\\\").replace('"', "\\\"");
            let _ = writeln!(text, "    # {id}\n    \"{word}\",");
        }
        text.push_str("]\n");
        add("/usr/lib/bootc/kargs.d/10-hft.toml", text, 0o644);
    }
    if let Some(file) = sysctl::place(pieces) {
        add(SYSCTL_FILE, file.content, 0o644);
    }
    for place in &pieces.files {
        let path = place.path.display().to_string();
        match place.what {
            What::File(content, mode) => add(&path, content.to_owned(), mode),
            What::Link("/dev/null") => {
                let unit = path.rsplit('/').next().unwrap_or_default();
                let _ = writeln!(runs, "# {}\nRUN systemctl mask {unit}", place.id);
            }
            What::Link(target) => {
                let _ = writeln!(runs, "# {}\nRUN ln -sfn {target} {path}", place.id);
            }
            What::Nothing => {
                let _ = writeln!(runs, "# {}\nRUN rm -f {path}", place.id);
            }
        }
    }
    if pieces.needs_boot_script() {
        let usage = shell::Use {
            format: "bootc",
            name: "hft-export",
            start: SCRIPT,
            installs: None,
        };
        let values = pieces.only_values(|value| !value.is_saved());
        add(SCRIPT, shell::script(&values, &[], usage), 0o755);
        add(
            &format!("/usr/lib/systemd/system/{}", shell::UNIT),
            shell::unit(pieces, SCRIPT),
            0o644,
        );
        add(
            "/usr/lib/udev/rules.d/99-hft-export.rules",
            shell::udev_rules(),
            0o644,
        );
        let _ = writeln!(
            runs,
            "# What every boot forgets is set by this unit.\nRUN systemctl enable {}",
            shell::UNIT
        );
    }
    let mut copies = String::new();
    for top in ["usr", "etc"] {
        if files.iter().any(|file| file.path.starts_with(top)) {
            let _ = writeln!(copies, "COPY {top} /{top}");
        }
    }
    let fragment = format!(
        "{}# Build in the folder of this file, with these lines after your FROM.\n{}\n{copies}{runs}",
        header(pieces, "bootc"),
        unsaid_comments(&pieces.unsaid),
    );
    files.insert(
        0,
        Output {
            path: "Containerfile.hft".into(),
            content: fragment,
            mode: 0o644,
        },
    );
    Written {
        files,
        unsaid: pieces.unsaid.clone(),
    }
}
