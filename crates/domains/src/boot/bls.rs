//! An entry of the Boot Loader Specification, `/boot/loader/entries/*.conf`: its `options` are edited, every other line
//! stays as it is.

use std::path::Path;

use hftune_model::{Error, Result};

use super::cmdline::Edit;

/// Where the entries are.
pub const DIRECTORY: &str = "/boot/loader/entries";

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `title`.
    pub title: String,
    /// `linux`.
    pub kernel: String,
    /// The line of the first `options`, counted from 1.
    pub line: Option<usize>,
    /// The first `options`, which is all that GRUB reads (`bls_get_val()` in grub-core/commands/blscfg.c).
    pub options: String,
    /// All `options`, joined as systemd-boot joins them.
    pub all_options: String,
    /// Whether it is a rescue entry, which is to boot when nothing else does.
    pub rescue: bool,
}

/// Reads an entry; the file's name tells a rescue entry too (dracut names it `MACHINE-0-rescue.conf`).
pub fn parse(path: &Path, text: &str) -> Entry {
    let mut entry = Entry {
        title: String::new(),
        kernel: String::new(),
        line: None,
        options: String::new(),
        all_options: String::new(),
        rescue: path
            .file_stem()
            .is_some_and(|name| name.to_string_lossy().contains("-0-rescue")),
    };
    for (number, line) in text.lines().enumerate() {
        match key_and_value(line) {
            Some(("title", value)) => {
                value.clone_into(&mut entry.title);
                entry.rescue |= value.to_ascii_lowercase().contains("rescue");
            }
            Some(("version", value)) => entry.rescue |= value.contains("0-rescue"),
            Some(("linux", value)) => value.clone_into(&mut entry.kernel),
            Some(("options", value)) => {
                if entry.line.is_none() {
                    entry.line = Some(number + 1);
                    value.clone_into(&mut entry.options);
                }
                if !entry.all_options.is_empty() && !value.is_empty() {
                    entry.all_options.push(' ');
                }
                entry.all_options.push_str(value);
            }
            _ => {}
        }
    }
    entry
}

/// The text with the edit made: words go from every `options` line and come to the first, which every boot loader reads.
pub fn edit(text: &str, edit: &Edit) -> Result<String> {
    if edit.is_empty() {
        return Ok(text.to_owned());
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let options: Vec<usize> = (0..lines.len()).filter(|&i| is_options(lines[i])).collect();
    let Some(&target) = options.first() else {
        // An added line would take the place of what GRUB falls back to (default_kernelopts), the root device with it.
        return Err(Error::invalid(
            "it has no options line, so GRUB takes the arguments from elsewhere",
        )
        .hint("give the entry an options line with all of its arguments, root= among them"));
    };
    let mut edited = String::with_capacity(text.len() + 128);
    for (i, line) in lines.iter().enumerate() {
        match key_and_value(line) {
            Some(("options", value)) => {
                let start = line.rfind(value).filter(|_| !value.is_empty());
                let (head, tail) = match start {
                    Some(start) => (&line[..start], &line[start + value.len()..]),
                    None => line.split_at(line.trim_end().len()),
                };
                let mut new = edit.take_out(value);
                if i == target {
                    new = edit.put_in(&new);
                }
                let gap = if head.ends_with([' ', '\t']) || new.is_empty() {
                    ""
                } else {
                    " "
                };
                edited.extend([head, gap, &new, tail]);
            }
            _ => edited.push_str(line),
        }
    }
    Ok(edited)
}

/// A line is a key, white space and a value; `#` starts a comment.
fn key_and_value(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    Some(match line.split_once([' ', '\t']) {
        Some((key, value)) => (key, value.trim()),
        None => (line, ""),
    })
}

fn is_options(line: &str) -> bool {
    key_and_value(line).is_some_and(|(key, _)| key == "options")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROCKY: &str = "title Rocky Linux (5.14.0-427.el9.x86_64) 9.4 (Blue Onyx)\nversion 5.14.0-427.el9.x86_64\n\
        linux /vmlinuz-5.14.0-427.el9.x86_64\ninitrd /initramfs-5.14.0-427.el9.x86_64.img $tuned_initrd\n\
        options root=/dev/mapper/rl-root ro crashkernel=1G-4G:192M rhgb quiet $tuned_params\n\
        grub_users $grub_users\ngrub_arg --unrestricted\ngrub_class rocky\n";

    fn add(text: &str) -> String {
        let words = Edit {
            remove: vec!["isolcpus=4-7".to_owned()],
            insert: vec!["isolcpus=2-7".to_owned()],
        };
        edit(text, &words).unwrap()
    }

    #[test]
    fn edits_the_options_and_nothing_else() {
        let edited = add(ROCKY);
        assert_eq!(
            edited,
            ROCKY.replace("quiet $tuned_params", "quiet isolcpus=2-7 $tuned_params")
        );
        assert_eq!(
            parse(Path::new("a.conf"), &edited)
                .options
                .split(' ')
                .nth(5),
            Some("isolcpus=2-7")
        );
    }

    #[test]
    fn keeps_how_the_file_is_laid_out() {
        for (before, after) in [
            (
                "options\tro\r\nx y\r\n",
                "options\tro isolcpus=2-7\r\nx y\r\n",
            ),
            ("options ro", "options ro isolcpus=2-7"),
            ("options\n", "options isolcpus=2-7\n"),
            ("  options   ro  \n", "  options   ro isolcpus=2-7  \n"),
            (
                "options a isolcpus=4-7 b\noptions c\n",
                "options a b isolcpus=2-7\noptions c\n",
            ),
            (
                "options a -- b\noptions c\n",
                "options a isolcpus=2-7 -- b\noptions c\n",
            ),
            ("options isolcpus=4-7\n", "options isolcpus=2-7\n"),
            (
                "# options x\noptions o\n",
                "# options x\noptions o isolcpus=2-7\n",
            ),
            ("options ns options\n", "options ns options isolcpus=2-7\n"),
        ] {
            assert_eq!(add(before), after);
        }
    }

    #[test]
    fn knows_rescue_entries() {
        let rescue = |name: &str, text: &str| parse(Path::new(name), text).rescue;
        assert!(rescue("/boot/loader/entries/0123-0-rescue.conf", ""));
        assert!(rescue("x.conf", "title Rocky Linux (0-rescue-0123) 9.4\n"));
        assert!(rescue("x.conf", "version 0-rescue-0123\n"));
        assert!(!rescue("x.conf", ROCKY));
    }

    #[test]
    fn refuses_an_entry_without_options() {
        let words = Edit {
            remove: Vec::new(),
            insert: vec!["a".to_owned()],
        };
        assert!(
            edit("title x\nlinux /vmlinuz\n", &words)
                .unwrap_err()
                .hint
                .is_some()
        );
        assert!(edit("", &words).is_err());
        assert_eq!(edit("", &Edit::default()).unwrap(), "");
    }

    proptest! {
        #[test]
        fn never_panics(text in "(\\PC|\\n|\\r\\n|options |\"|#|\t){0,60}") {
            let _ = parse(Path::new("x.conf"), &text);
            let words = Edit { remove: vec!["a".to_owned()], insert: vec!["b".to_owned()] };
            let _ = edit(&text, &words);
        }

        #[test]
        fn unrelated_lines_stay_and_the_edit_is_read_again(
            above in "((title|linux|#) [a-z /.-]{0,10}\r?\n){0,3}",
            options in "[a-z]{1,5}(=[a-z0-9]{0,4})?( [a-z]{1,5}){0,3}",
            below in "((initrd|grub_class) [a-z /.-]{0,10}\n){0,3}",
        ) {
            let text = format!("{above}options {options}\n{below}");
            let edited = add(&text);
            prop_assert!(edited.starts_with(&above) && edited.ends_with(&below));
            let parsed = parse(Path::new("x.conf"), &edited).options;
            prop_assert_eq!(parsed, format!("{options} isolcpus=2-7"));
            let back = Edit { remove: vec!["isolcpus=2-7".to_owned()], insert: Vec::new() };
            prop_assert_eq!(edit(&edited, &back).unwrap(), text);
        }
    }
}
