//! Any text as words of a POSIX shell.

/// One word that means this text and nothing else: in single quotes, which have no escapes (POSIX, "Single-Quotes"). A NUL,
/// which no word can hold, is left out.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,=+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let text = text.replace('\0', "");
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Commands that print exactly these bytes, each on a line of its own, indented.
pub(super) fn print(content: &[u8]) -> Vec<u8> {
    let mut commands = Vec::new();
    for (i, part) in content.split(|byte| *byte == 0).enumerate() {
        if i > 0 {
            commands.extend(b"    printf '\\000'\n");
        }
        if !part.is_empty() || content.is_empty() {
            commands.extend(b"    printf %s '");
            for byte in part {
                if *byte == b'\'' {
                    commands.extend(b"'\\''");
                } else {
                    commands.push(*byte);
                }
            }
            commands.extend(b"'\n");
        }
    }
    commands
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "the test asks the real shell what it makes of the words"
)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    /// What `sh` prints when it runs a script.
    fn run(script: &[u8]) -> Vec<u8> {
        let mut sh = Command::new("sh")
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh");
        let mut input = sh.stdin.take().expect("piped");
        input.write_all(script).expect("written");
        drop(input);
        let output = sh.wait_with_output().expect("ended");
        assert!(output.status.success());
        output.stdout
    }

    #[test]
    fn plain_words_stay_readable() {
        assert_eq!(word("/proc/sys/vm/swappiness"), "/proc/sys/vm/swappiness");
        assert_eq!(word(""), "''");
        assert_eq!(word("a'b $c"), "'a'\\''b $c'");
    }

    #[test]
    fn bytes_that_shells_love_survive() {
        let nasty: &[&[u8]] = &[
            b"",
            b"\0",
            b"\0\0a\0",
            b"%s%d\\n\\\\\\0101",
            b"'\"`$(reboot)`\n\n\n",
            b"EOF\n\tEOF\n",
            b"\xff\xfe\x80\r\n\x1b[0m",
            b"-n",
            b"!!\\",
        ];
        for bytes in nasty {
            assert_eq!(&run(&print(bytes)), bytes, "{bytes:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn any_bytes_survive(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(run(&print(&bytes)), bytes);
        }

        #[test]
        fn any_text_is_one_word(text in "[^\0]{0,60}") {
            let script = format!("printf %s {}", word(&text));
            prop_assert_eq!(run(script.as_bytes()), text.into_bytes());
        }
    }
}
