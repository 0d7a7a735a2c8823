//! What a capture holds, for the one who made it.

use std::fmt::Write as _;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

/// The report on one capture.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Captured<'a> {
    /// "hftune/captured/1".
    pub schema: &'static str,
    /// The file that was written.
    pub file: &'a Path,
    /// Its size in bytes.
    pub bytes: usize,
    /// Files of the machine whose content is in it.
    pub files: usize,
    /// What was blanked, as "path: name".
    pub blanked: Vec<String>,
    /// What could not be read, as "path: reason".
    pub unread: Vec<String>,
}

/// How many of a list are shown in text.
const SHOWN: usize = 8;

/// The report as text.
pub fn human(captured: &Captured<'_>) -> String {
    let mut text = format!(
        "{} is written: {}, {} files of the machine; only you may read it (mode 0600)\n",
        captured.file.display(),
        size(captured.bytes),
        captured.files,
    );
    list(&mut text, "blanked", &captured.blanked);
    list(&mut text, "could not be read", &captured.unread);
    text.push_str(
        "It holds what hftune reads, names of processes and network addresses among it: look into it before you give it \
         away.\n",
    );
    let _ = writeln!(
        text,
        "Plan from it on any machine: hftune plan --from {}",
        captured.file.display()
    );
    text
}

fn list(text: &mut String, what: &str, entries: &[String]) {
    if entries.is_empty() {
        return;
    }
    let _ = writeln!(text, "{} {what}:", entries.len());
    for entry in entries.iter().take(SHOWN) {
        let _ = writeln!(text, "  {entry}");
    }
    if entries.len() > SHOWN {
        let _ = writeln!(
            text,
            "  and {} more (--json lists all)",
            entries.len() - SHOWN
        );
    }
}

fn size(bytes: usize) -> String {
    if bytes < 10 << 20 {
        format!("{} KiB", bytes.div_ceil(1 << 10))
    } else {
        format!("{} MiB", bytes.div_ceil(1 << 20))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_in_it_and_what_is_not() {
        let captured = Captured {
            schema: "hftune/captured/1",
            file: Path::new("a.tgz"),
            bytes: 2049,
            files: 7,
            blanked: vec!["/proc/cmdline: rd.iscsi.password".to_owned()],
            unread: (0..9).map(|n| format!("/x/{n}: no")).collect(),
        };
        let text = human(&captured);
        assert!(
            text.starts_with("a.tgz is written: 3 KiB, 7 files"),
            "{text}"
        );
        assert!(text.contains("1 blanked:\n  /proc/cmdline: rd.iscsi.password\n"));
        assert!(text.contains("9 could not be read:") && text.contains("and 1 more"));
        assert!(text.contains("/x/7") && !text.contains("/x/8"));
    }
}
