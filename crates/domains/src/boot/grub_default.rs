//! `/etc/default/grub`: a shell script of assignments, of which one is edited and every other byte stays.
//!
//! The file is read by `sh`, so anything may be in it. What can be told without running it is followed; an assignment
//! that cannot (a command substitution, a branch, a line that goes on) is refused with its line and the remedy.

use std::ops::Range;

use hftune_model::{Error, Result};

/// An assignment of the variable, outside any branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// Its line, counted from 1.
    pub line: usize,
    /// Its value, with `$NAME` as written.
    pub value: String,
    /// Whether it keeps the value from before, by naming the variable itself.
    pub extends: bool,
    quoting: Quoting,
    /// The word after `=`, quotes included.
    word: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoting {
    None,
    Single,
    Double,
}

/// Every assignment of `name`, in order; the last one decides.
pub fn assignments(text: &str, name: &str) -> Result<Vec<Assigned>> {
    if text.contains('\0') {
        return Err(Error::invalid("it is not text (it holds a NUL byte)")
            .hint("restore the file from its package"));
    }
    let mut found = Vec::new();
    let mut depth = 0i32;
    for statement in statements(text) {
        let body = &text[statement.span.clone()];
        let refuse = |why: &str| {
            Err(
                Error::invalid(format!("{name} cannot be edited safely here: {why}"))
                    .line(statement.line)
                    .hint(format!("write it on one line as {name}=\"...\"")),
            )
        };
        if body.trim_start().starts_with('#') {
            continue;
        }
        if !statement.closed && (mentions(body, name) || found.is_empty()) {
            return refuse("a quote or a line that starts here is never closed");
        }
        match assigned_name(body) {
            Some((assigned, at)) if assigned == name => {
                if depth > 0 {
                    return refuse("it stands in a branch or a function");
                }
                match read_word(body, at) {
                    Ok((quoting, word, value)) => found.push(Assigned {
                        line: statement.line,
                        extends: refers_to(&value, name) && quoting != Quoting::Single,
                        value,
                        quoting,
                        word: statement.span.start + word.start..statement.span.start + word.end,
                    }),
                    Err(why) => return refuse(why),
                }
            }
            _ if mentions(body, name) => return refuse("it is not a plain assignment"),
            Some(_) => {}
            None => depth += nesting(body),
        }
    }
    Ok(found)
}

/// The file with the value of `name` changed by `change`, which gets an empty text where the variable is not assigned.
///
/// # Errors
/// Where the new value would not be read back: behind a branch that is never closed, or a line that goes on.
pub fn edit(text: &str, name: &str, change: impl FnOnce(&str) -> String) -> Result<String> {
    let found = assignments(text, name)?;
    let last = found.last();
    let old = last.map_or("", |last| &last.value);
    let value = change(old);
    if value == old {
        return Ok(text.to_owned());
    }
    let edited = match last {
        None => {
            let gap = if text.is_empty() || text.ends_with('\n') {
                ""
            } else {
                "\n"
            };
            format!("{text}{gap}{name}={}\n", double_quoted(&value))
        }
        Some(last) => {
            let word = match last.quoting {
                Quoting::Single if !value.contains('\'') => format!("'{value}'"),
                _ => double_quoted(&value),
            };
            let (before, after) = (&text[..last.word.start], &text[last.word.end..]);
            format!("{before}{word}{after}")
        }
    };
    let read = assignments(&edited, name)?;
    if read.last().is_none_or(|last| last.value != value) {
        return Err(Error::invalid(format!(
            "{name} cannot be edited safely here: what is written would not be read back"
        ))
        .line(read.last().map_or(1, |last| last.line))
        .hint(format!("write it on one line as {name}=\"...\"")));
    }
    Ok(edited)
}

/// The value in double quotes, `$NAME` left to the shell.
pub fn double_quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// One statement: a line, or several where a quote or a backslash carries it over.
struct Statement {
    line: usize,
    span: Range<usize>,
    closed: bool,
}

fn statements(text: &str) -> Vec<Statement> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut line = 1;
    while start < text.len() {
        let (end, closed) = statement_end(text, start);
        found.push(Statement {
            line,
            span: start..end,
            closed,
        });
        line += text[start..end].matches('\n').count();
        start = end;
    }
    found
}

/// Where the statement ends, its newline included, and whether it does so with all quotes closed.
fn statement_end(text: &str, start: usize) -> (usize, bool) {
    let bytes = text.as_bytes();
    let mut quote = None;
    let mut at = start;
    while at < bytes.len() {
        let byte = bytes[at];
        match (quote, byte) {
            (None, b'\n') => return (at + 1, true),
            (None, b'#') if at == start || b" \t;&|(".contains(&bytes[at - 1]) => {
                return match text[at..].find('\n') {
                    Some(newline) => (at + newline + 1, true),
                    None => (bytes.len(), true),
                };
            }
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (None | Some(b'"'), b'\\') => {
                if at + 1 >= bytes.len() {
                    return (bytes.len(), false);
                }
                at += 1;
            }
            _ => {}
        }
        at += 1;
    }
    (bytes.len(), quote.is_none())
}

/// The variable that the statement assigns, and where its word starts.
fn assigned_name(body: &str) -> Option<(&str, usize)> {
    let mut at = body.len() - body.trim_start_matches([' ', '\t']).len();
    if let Some(rest) = body[at..].strip_prefix("export ") {
        at = body.len() - rest.trim_start_matches([' ', '\t']).len();
    }
    let length = body[at..].find(|c: char| !is_name(c))?;
    (length > 0 && body[at + length..].starts_with('='))
        .then(|| (&body[at..at + length], at + length + 1))
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Whether the statement seems to assign `name` somewhere.
fn mentions(body: &str, name: &str) -> bool {
    body.match_indices(name).any(|(at, _)| {
        let before = body[..at].chars().next_back();
        let after = &body[at + name.len()..];
        !before.is_some_and(|c| is_name(c) || c == '$')
            && ["=", "+=", ":="].iter().any(|op| after.starts_with(op))
    })
}

/// Whether the value names the variable: `$NAME` or `${NAME}`.
fn refers_to(value: &str, name: &str) -> bool {
    value.contains(&format!("${{{name}}}"))
        || value
            .match_indices(&format!("${name}"))
            .any(|(at, found)| !value[at + found.len()..].starts_with(is_name))
}

/// How many branches, loops and functions the statement opens, less those that it closes.
fn nesting(body: &str) -> i32 {
    body.split(|c: char| c.is_whitespace() || c == ';')
        .map(|word| match word {
            "if" | "case" | "for" | "while" | "until" | "{" | "(" => 1,
            "fi" | "esac" | "done" | "}" | ")" => -1,
            _ if word.ends_with("(){") => 1,
            // A here-document: what follows is not shell any more.
            _ if word.contains("<<") => 1,
            _ => 0,
        })
        .sum()
}

type Word = (Quoting, Range<usize>, String);

/// The word at `at`, which must be all that follows on the line but a comment.
fn read_word(body: &str, at: usize) -> Result<Word, &'static str> {
    let rest = &body[at..];
    let (quoting, inner) = match rest.as_bytes().first() {
        Some(b'\'') => (
            Quoting::Single,
            at + 1..at + 1 + rest[1..].find('\'').ok_or("its quote is never closed")?,
        ),
        Some(b'"') => (
            Quoting::Double,
            at + 1..at + 1 + closing_quote(&rest[1..]).ok_or("its quote is never closed")?,
        ),
        _ => {
            let length = rest
                .find(|c: char| c.is_whitespace() || c == ';')
                .unwrap_or(rest.len());
            (Quoting::None, at..at + length)
        }
    };
    let text = &body[inner.clone()];
    if text.contains('\n') {
        return Err("it goes on on the next line");
    }
    let value = match quoting {
        Quoting::Single => text.to_owned(),
        Quoting::Double => decode_double(text)?,
        Quoting::None => decode_plain(text)?,
    };
    let word = match quoting {
        Quoting::None => inner,
        _ => inner.start - 1..inner.end + 1,
    };
    let tail = &body[word.end..];
    let comment = tail.trim_start_matches([' ', '\t']);
    let ends =
        comment.trim().is_empty() || (comment.starts_with('#') && comment.len() < tail.len());
    if ends {
        Ok((quoting, word, value))
    } else if comment.starts_with('\\') {
        Err("it goes on on the next line")
    } else if tail.starts_with([' ', '\t', ';', '&', '|']) {
        Err("more follows on the same line")
    } else {
        Err("it is put together from several parts")
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

/// What stands between double quotes: `\"` and `\\` are undone, `$NAME` stays, the rest of the shell is refused.
fn decode_double(text: &str) -> Result<String, &'static str> {
    let mut value = String::with_capacity(text.len());
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '`' => return Err("it holds a command substitution"),
            '$' => {
                check_variable(&text[at + 1..])?;
                value.push('$');
            }
            '\\' => match chars.next() {
                Some((_, c @ ('"' | '\\'))) => value.push(c),
                Some((_, '$' | '`')) => return Err("it holds an escaped $ or `"),
                Some((_, c)) => value.extend(['\\', c]),
                None => return Err("it goes on on the next line"),
            },
            c => value.push(c),
        }
    }
    Ok(value)
}

/// A word without quotes.
fn decode_plain(text: &str) -> Result<String, &'static str> {
    for (at, c) in text.char_indices() {
        match c {
            '`' => return Err("it holds a command substitution"),
            '$' => check_variable(&text[at + 1..])?,
            '\'' | '"' => return Err("it is put together from several parts"),
            '{' | '}' if text.contains("${") => {}
            '\\' => return Err("it holds a backslash outside quotes"),
            '~' | '&' | '|' | '<' | '>' | '(' | ')' | '{' | '}' | '#' => {
                return Err("it holds a character that the shell reads in its own way");
            }
            _ => {}
        }
    }
    Ok(text.to_owned())
}

/// What follows a `$` must be a plain variable.
fn check_variable(after: &str) -> Result<(), &'static str> {
    if after.starts_with('(') {
        return Err("it holds a command substitution");
    }
    let name = match after.strip_prefix('{') {
        Some(braced) => braced.split_once('}').map_or("", |(name, _)| name),
        None => after.split(|c| !is_name(c)).next().unwrap_or(""),
    };
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(is_name);
    if plain {
        Ok(())
    } else {
        Err("it holds an expansion of the shell")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::boot::shell;

    const NAME: &str = "GRUB_CMDLINE_LINUX";
    const FEDORA: &str = "GRUB_TIMEOUT=5\nGRUB_DISTRIBUTOR=\"$(sed 's, release .*$,,g' /dev/null)\"\n\
        GRUB_DEFAULT=saved\nGRUB_CMDLINE_LINUX=\"crashkernel=1G-4G:192M rd.lvm.lv=rl/root rhgb quiet\"\n\
        GRUB_DISABLE_RECOVERY=\"true\"\nGRUB_ENABLE_BLSCFG=true\n";

    fn append(text: &str) -> Result<String> {
        edit(text, NAME, |value| {
            format!("{value} isolcpus=2-7").trim().to_owned()
        })
    }

    /// The value as a real shell sees it.
    fn seen(text: &str) -> Option<String> {
        shell::value(&[text], NAME)
    }

    #[test]
    fn edits_what_administrators_write() {
        for (before, after) in [
            (
                "GRUB_CMDLINE_LINUX=\"quiet\"\n",
                "GRUB_CMDLINE_LINUX=\"quiet isolcpus=2-7\"\n",
            ),
            (
                "GRUB_CMDLINE_LINUX='quiet'\n",
                "GRUB_CMDLINE_LINUX='quiet isolcpus=2-7'\n",
            ),
            (
                "GRUB_CMDLINE_LINUX=quiet\n",
                "GRUB_CMDLINE_LINUX=\"quiet isolcpus=2-7\"\n",
            ),
            (
                "GRUB_CMDLINE_LINUX=\n",
                "GRUB_CMDLINE_LINUX=\"isolcpus=2-7\"\n",
            ),
            (
                "GRUB_CMDLINE_LINUX=\"\"",
                "GRUB_CMDLINE_LINUX=\"isolcpus=2-7\"",
            ),
            ("", "GRUB_CMDLINE_LINUX=\"isolcpus=2-7\"\n"),
            (
                "# GRUB_CMDLINE_LINUX=\"x\"",
                "# GRUB_CMDLINE_LINUX=\"x\"\nGRUB_CMDLINE_LINUX=\"isolcpus=2-7\"\n",
            ),
            (
                "GRUB_CMDLINE_LINUX=\"a\"\nGRUB_CMDLINE_LINUX=\"b\" # mine\n",
                "GRUB_CMDLINE_LINUX=\"a\"\nGRUB_CMDLINE_LINUX=\"b isolcpus=2-7\" # mine\n",
            ),
            (
                "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n  export GRUB_CMDLINE_LINUX=\"$X ${Y}\"\n",
                "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n  export GRUB_CMDLINE_LINUX=\"$X ${Y} isolcpus=2-7\"\n",
            ),
            (
                "GRUB_CMDLINE_LINUX=\"dyndbg=\\\"file a.c +p\\\"\"\n",
                "GRUB_CMDLINE_LINUX=\"dyndbg=\\\"file a.c +p\\\" isolcpus=2-7\"\n",
            ),
            (
                "if true; then\n:\nfi\nGRUB_CMDLINE_LINUX=\"\"\n",
                "if true; then\n:\nfi\nGRUB_CMDLINE_LINUX=\"isolcpus=2-7\"\n",
            ),
        ] {
            assert_eq!(append(before).expect(before), after);
            let (was, is) = (
                seen(before).unwrap_or_default(),
                seen(after).expect("assigned"),
            );
            let words: Vec<&str> = was.split_whitespace().chain(["isolcpus=2-7"]).collect();
            assert_eq!(is.split_whitespace().collect::<Vec<_>>(), words, "{before}");
        }
    }

    #[test]
    fn refuses_what_would_not_be_read_back() {
        for open in ["if true; then\n", "f() {\n", "A=1 \\\n"] {
            let text = format!("GRUB_TIMEOUT=5\n{open}");
            let edited = edit(&text, "GRUB_CMDLINE_LINUX", |_| "quiet".to_owned());
            assert!(edited.is_err(), "{edited:?}");
        }
    }

    #[test]
    fn keeps_windows_line_ends() {
        let before = "A=1\r\nGRUB_CMDLINE_LINUX=\"quiet\"\r\nB=2\r\n";
        let after = append(before).unwrap();
        assert_eq!(
            after,
            "A=1\r\nGRUB_CMDLINE_LINUX=\"quiet isolcpus=2-7\"\r\nB=2\r\n"
        );
        assert_eq!(
            seen(&after).unwrap().split_whitespace().collect::<Vec<_>>(),
            ["quiet", "isolcpus=2-7"]
        );
        assert_eq!(
            append("GRUB_CMDLINE_LINUX=quiet\r\n").unwrap(),
            "GRUB_CMDLINE_LINUX=\"quiet isolcpus=2-7\"\r\n"
        );
    }

    #[test]
    fn edits_the_file_of_a_distribution() {
        let after = append(FEDORA).unwrap();
        let changed: Vec<_> = FEDORA
            .lines()
            .zip(after.lines())
            .filter(|(a, b)| a != b)
            .collect();
        assert_eq!(changed.len(), 1);
        assert!(seen(&after).unwrap().ends_with("rhgb quiet isolcpus=2-7"));
    }

    #[test]
    fn follows_what_debian_and_ubuntu_ship() {
        for distributor in [
            "GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`\n",
            "GRUB_DISTRIBUTOR=`( . /etc/os-release; echo ${NAME:-Ubuntu} ) 2>/dev/null || echo Ubuntu`\n",
        ] {
            let text = format!(
                "# it's \"odd\"\nGRUB_TIMEOUT=5\n{distributor}GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n\
                 GRUB_CMDLINE_LINUX=\"\"\n#GRUB_BADRAM=\"0x01,0xfe\"\n"
            );
            let after = append(&text).unwrap();
            assert_eq!(after, text.replace("LINUX=\"\"", "LINUX=\"isolcpus=2-7\""));
            assert_eq!(seen(&after).unwrap(), "isolcpus=2-7");
        }
    }

    #[test]
    fn refuses_what_it_cannot_follow() {
        for (text, line, why) in [
            (
                "A=1\nGRUB_CMDLINE_LINUX=\"$(cat /x)\"\n",
                2,
                "command substitution",
            ),
            (
                "GRUB_CMDLINE_LINUX=\"`cat /x`\"\n",
                1,
                "command substitution",
            ),
            ("GRUB_CMDLINE_LINUX=\"a\" \\\n", 1, "next line"),
            ("GRUB_CMDLINE_LINUX=\"a \\\nb\"\n", 1, "next line"),
            ("GRUB_CMDLINE_LINUX=\"a\nb\"\n", 1, "next line"),
            ("GRUB_CMDLINE_LINUX=\"a\"'b'\n", 1, "several parts"),
            ("GRUB_CMDLINE_LINUX=\"a\n", 1, "never closed"),
            ("GRUB_CMDLINE_LINUX=\"${A:-b}\"\n", 1, "expansion"),
            ("GRUB_CMDLINE_LINUX=a b\n", 1, "more follows"),
            ("GRUB_CMDLINE_LINUX+=\" a\"\n", 1, "plain assignment"),
            ("[ -f /x ] && GRUB_CMDLINE_LINUX=a\n", 1, "plain assignment"),
            (
                "if [ -f /x ]; then\n  GRUB_CMDLINE_LINUX=a\nfi\n",
                2,
                "branch",
            ),
            ("f() {\n  GRUB_CMDLINE_LINUX=a\n}\n", 2, "branch"),
            ("cat <<EOF\nGRUB_CMDLINE_LINUX=a\nEOF\n", 2, "branch"),
        ] {
            let error = append(text).expect_err(text);
            assert_eq!(error.line, Some(line), "{text}");
            assert!(error.what.contains(why), "{text}: {}", error.what);
            assert!(error.hint.is_some());
        }
        assert!(append("GRUB_CMDLINE_LINUX=\"a\"\0").is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "(\\PC|\\n|\"|'|\\\\|GRUB_CMDLINE_LINUX=|\\$\\{?|#| ){0,60}") {
            let _ = append(&text);
        }

        #[test]
        fn what_is_written_is_read_again_and_the_rest_stays(
            before in "([A-Z]{1,3}=\"?[a-z ]{0,4}\"?\n|# [a-z=\"']{0,8}\n|\n){0,5}",
            value in "[a-zA-Z0-9=,./_ \"-]{0,20}",
            after in "(([A-F]{1,3}='[a-z \\\\]{0,4}')\r?\n){0,3}",
        ) {
            // Odd quotes in the lines before are their own case: they must be refused, not mangled.
            prop_assume!(assignments(&before, NAME).is_ok());
            let text = format!("{before}{NAME}={}\n{after}", double_quoted(&value));
            prop_assume!(assignments(&text, NAME).is_ok_and(|found| found.len() == 1 && found[0].value == value));
            let edited = append(&text).unwrap();
            let again = assignments(&edited, NAME).unwrap();
            let wanted = format!("{value} isolcpus=2-7").trim().to_owned();
            prop_assert_eq!(&again[0].value, &wanted);
            prop_assert!(edited.starts_with(&before) && edited.ends_with(&after));
            prop_assert_eq!(edit(&edited, NAME, str::to_owned).unwrap(), edited);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn a_shell_reads_what_was_meant(value in "[a-zA-Z0-9=,./_ \"'\\\\-]{0,20}") {
            let text = edit("A=1\n", NAME, |_| format!("{value}x")).unwrap();
            prop_assert_eq!(seen(&text), Some(format!("{value}x")));
            let parsed = assignments(&text, NAME).unwrap();
            prop_assert_eq!(&parsed[0].value, &format!("{value}x"));
        }
    }
}
