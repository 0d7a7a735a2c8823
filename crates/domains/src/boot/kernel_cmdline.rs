//! `/etc/kernel/cmdline`: the arguments that `kernel-install` gives to the next kernel, white space between them.

use hftune_model::{Error, Result};

use super::cmdline::Edit;

/// The file.
pub const PATH: &str = "/etc/kernel/cmdline";

/// The file of the distribution, which kernel-install reads where the other does not exist.
pub const VENDOR: &str = "/usr/lib/kernel/cmdline";

/// The text with the edit made; white space at the end stays, and a new file ends with a newline.
pub fn edit(text: &str, edit: &Edit) -> Result<String> {
    if let Some(line) = text
        .lines()
        .position(|line| line.trim_start().starts_with('#'))
    {
        // Some kernel-install scripts skip comments and some pass them on to the kernel.
        return Err(Error::invalid(
            "it holds a comment, which not every kernel-install understands",
        )
        .line(line + 1)
        .hint("take the comment out"));
    }
    if text.contains('\0') {
        return Err(Error::invalid("it is not text (it holds a NUL byte)")
            .hint("write the arguments on one line"));
    }
    let edited = edit.apply(text);
    let newline = if text.is_empty() && !edited.is_empty() {
        "\n"
    } else {
        ""
    };
    Ok(edited + newline)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn add(text: &str) -> Result<String> {
        let words = Edit {
            remove: Vec::new(),
            insert: vec!["isolcpus=2-7".to_owned()],
        };
        edit(text, &words)
    }

    #[test]
    fn adds_at_the_end_of_the_line() {
        assert_eq!(
            add("root=/dev/sda ro\n").unwrap(),
            "root=/dev/sda ro isolcpus=2-7\n"
        );
        assert_eq!(
            add("root=/dev/sda ro\r\n").unwrap(),
            "root=/dev/sda ro isolcpus=2-7\r\n"
        );
        assert_eq!(add("ro").unwrap(), "ro isolcpus=2-7");
        assert_eq!(add("").unwrap(), "isolcpus=2-7\n");
        assert_eq!(add("ro\n# mine\n").unwrap_err().line, Some(2));
    }

    proptest! {
        #[test]
        fn what_was_there_stays(text in "[a-z=0-9 ]{0,30}\n?") {
            let edited = add(&text).unwrap();
            prop_assert!(edited.starts_with(text.trim_end()));
            prop_assert!(edited.trim_end().ends_with("isolcpus=2-7"));
        }
    }
}
