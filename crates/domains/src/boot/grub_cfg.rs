//! `/boot/grub/grub.cfg`, read only: the menu entries that grub-mkconfig made for this system, with their arguments.

/// A menu entry that boots a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its title.
    pub title: String,
    /// The line of its `linux` command, counted from 1.
    pub line: usize,
    /// The kernel's path as GRUB sees it.
    pub kernel: String,
    /// The arguments as the kernel gets them, `$variables` as written.
    pub arguments: String,
    /// Whether it is for recovery.
    pub recovery: bool,
}

/// The entries of this system: those in the sections of `10_linux` and its like, where the file has such sections.
///
/// What `40_custom` holds is the administrator's, and what `30_os-prober` found boots another system.
pub fn entries(text: &str) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut section: Option<&str> = None;
    let mut title = String::new();
    let mut recovery = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(script) = line.strip_prefix("### BEGIN ") {
            section = script.strip_suffix(" ###");
            continue;
        }
        let words = words(line);
        match words.first().map(String::as_str) {
            Some("menuentry") => {
                title = words.get(1).cloned().unwrap_or_default();
                // The id is the same in every language, the title is not.
                recovery = title.contains("recovery mode")
                    || words.iter().skip(2).any(|w| w.contains("-recovery-"));
            }
            Some("linux" | "linux16" | "linuxefi") => {
                let Some(kernel) = words.get(1) else { continue };
                let arguments = &words[2..];
                if section.is_some_and(|script| {
                    !script.ends_with("_linux") && !script.ends_with("_linux_zfs")
                }) || kernel
                    .rsplit('/')
                    .next()
                    .unwrap_or(kernel)
                    .starts_with("memtest")
                {
                    continue;
                }
                found.push(Entry {
                    title: title.clone(),
                    line: number + 1,
                    kernel: kernel.clone(),
                    recovery: recovery
                        || arguments
                            .iter()
                            .any(|word| word == "single" || word == "recovery"),
                    arguments: arguments
                        .iter()
                        .map(|word| for_kernel(word))
                        .collect::<Vec<_>>()
                        .join(" "),
                });
            }
            _ => {}
        }
    }
    found
}

/// GRUB puts a word that holds a space into double quotes on its way to the kernel (grub-core/lib/cmdline.c).
fn for_kernel(word: &str) -> String {
    if word.contains(' ') {
        format!("\"{word}\"")
    } else {
        word.to_owned()
    }
}

/// The words of a line of a GRUB script: single quotes, double quotes and the backslash as in sh.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, ' ' | '\t' | '\r') => words.extend(word.take()),
            (None, '#') if word.is_none() => break,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(chars.next()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEBIAN: &str = include_str!("grub_cfg/debian.cfg");

    #[test]
    fn tells_the_entries_apart() {
        let found = entries(DEBIAN);
        let shown: Vec<_> = found
            .iter()
            .map(|e| (e.line, e.title.as_str(), e.recovery))
            .collect();
        assert_eq!(
            shown,
            [
                (17, "Debian GNU/Linux", false),
                (25, "Debian GNU/Linux, with Linux 6.1.0-18-amd64", false),
                (
                    31,
                    "Debian GNU/Linux, with Linux 6.1.0-18-amd64 (recovery mode)",
                    true
                ),
                (
                    36,
                    "Debian GNU/Linux, mit Linux 6.1.0-17-amd64 (Wiederherstellungsmodus)",
                    true
                ),
            ]
        );
        assert_eq!(found[0].kernel, "/boot/vmlinuz-6.1.0-18-amd64");
        assert_eq!(
            found[0].arguments,
            "root=UUID=4cbb-02 ro quiet \"dyndbg=file a.c +p\" $vt_handoff"
        );
        assert_eq!(found[2].arguments, "root=UUID=4cbb-02 ro single");
    }

    #[test]
    fn the_sample_is_what_grub_itself_takes() {
        match crate::boot::shell::grub_takes(DEBIAN) {
            Some(takes) => assert!(takes),
            None => eprintln!("skipped: grub-script-check is not installed"),
        }
    }

    #[test]
    fn a_file_without_sections_is_all_ours() {
        let found = entries("menuentry \"x\" {\n  linux /vmlinuz a=b\n}\n");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].arguments, "a=b");
        assert_eq!(entries(""), []);
    }

    proptest! {
        #[test]
        fn never_panics(text in "(\\PC|\\n|linux |menuentry |'|\"|\\\\| ){0,60}") {
            let _ = entries(&text);
        }
    }
}
