//! GRUB's environment block, where RHEL 8 keeps the arguments of all its entries (`kernelopts=`).
//!
//! The block is exactly 1024 bytes: a header line, `name=value` lines, and `#` to the end. GRUB writes to it in place at
//! boot and refuses a block of another size.

use std::borrow::Cow;

use hftune_model::{Error, Result};

/// Size of the block.
pub const SIZE: usize = 1024;

const HEADER: &str = "# GRUB Environment Block\n";

/// The value of a variable.
pub fn value<'a>(text: &'a str, name: &str) -> Option<Cow<'a, str>> {
    raw(text, name).map(unescape)
}

/// The value of a variable as it stands in the block, backslashes included.
pub fn raw<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    find(text, name).map(|(_, raw)| raw)
}

/// A value as it stands in a block.
pub fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\n', "\\\n")
}

/// The line of a variable, counted from 1.
pub fn line(text: &str, name: &str) -> Option<usize> {
    find(text, name).map(|(at, _)| text[..at].matches('\n').count() + 1)
}

/// The block with the variable, which must be there, set to a value as it stands in a block.
///
/// # Errors
/// If the text is no block, does not set the variable, or has no room for the value.
pub fn set(text: &str, name: &str, escaped: &str) -> Result<String> {
    if text.len() != SIZE || !text.starts_with(HEADER) {
        return Err(Error::invalid(format!(
            "it is not a GRUB environment block of {SIZE} bytes"
        ))
        .hint(
            "make it anew with: grub2-editenv - create; grub2-mkconfig -o /boot/grub2/grub.cfg",
        ));
    }
    let Some((at, old)) = find(text, name) else {
        return Err(Error::invalid(format!(
            "it does not set {name}, which the boot entries use"
        ))
        .hint("grub2-mkconfig -o /boot/grub2/grub.cfg sets it"));
    };
    let body = text.trim_end_matches('#');
    // The variable may stand in what looked like padding only if the block holds none: it never does.
    let rest = &body[at + old.len()..];
    // A last line without its newline would take the padding for a part of the value.
    let rest = if rest.is_empty() { "\n" } else { rest };
    let edited = format!("{}{escaped}{rest}", &body[..at]);
    if edited.len() > SIZE {
        return Err(Error::invalid(format!(
            "{name} would need {} bytes more than the {SIZE} of the block",
            edited.len() - SIZE
        ))
        .hint("take arguments that are no longer needed out of kernelopts: grub2-editenv - list shows them"));
    }
    Ok(format!("{edited}{}", "#".repeat(SIZE - edited.len())))
}

/// Where the raw value starts, and the raw value.
fn find<'a>(text: &'a str, name: &str) -> Option<(usize, &'a str)> {
    let body = text.trim_end_matches('#');
    let mut start = 0;
    while start < body.len() {
        let end = line_end(body, start);
        let line = &body[start..end];
        if let Some(value) = line
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('='))
        {
            return Some((end - value.len(), value));
        }
        start = end + 1;
    }
    None
}

/// The end of the line: a newline after a backslash belongs to the value.
fn line_end(text: &str, start: usize) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(start) {
        if byte == b'\n' && !escaped {
            return at;
        }
        escaped = byte == b'\\' && !escaped;
    }
    text.len()
}

/// A value without the backslashes that stand in the block.
pub fn unescape(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut value = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        value.push(if c == '\\' {
            chars.next().unwrap_or(c)
        } else {
            c
        });
    }
    Cow::Owned(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(body: &str) -> String {
        format!("{:#<SIZE$}", format!("{HEADER}{body}"))
    }

    #[test]
    fn a_last_line_without_its_newline_is_ended() {
        let edited = set(&block("kernelopts=ro"), "kernelopts", "a#").expect("set");
        assert_eq!(value(&edited, "kernelopts").as_deref(), Some("a#"));
        assert_eq!(edited.len(), SIZE);
    }

    #[test]
    fn sets_one_variable_and_keeps_the_size() {
        let before =
            block("saved_entry=0123-4.18\nkernelopts=root=/dev/sda ro quiet\nboot_success=0\n");
        let after = set(&before, "kernelopts", "root=/dev/sda ro quiet isolcpus=2-7").unwrap();
        assert_eq!(after.len(), SIZE);
        assert_eq!(
            after,
            block(
                "saved_entry=0123-4.18\nkernelopts=root=/dev/sda ro quiet isolcpus=2-7\nboot_success=0\n"
            )
        );
        assert_eq!(
            value(&after, "kernelopts").unwrap(),
            "root=/dev/sda ro quiet isolcpus=2-7"
        );
        assert_eq!(line(&after, "kernelopts"), Some(3));
        assert_eq!(value(&after, "kernelopt"), None);
    }

    #[test]
    fn refuses_more_than_the_block_holds() {
        let before = block("kernelopts=a\n");
        let room = SIZE - HEADER.len() - "kernelopts=\n".len();
        assert_eq!(
            set(&before, "kernelopts", &"x".repeat(room)).unwrap().len(),
            SIZE
        );
        let error = set(&before, "kernelopts", &"x".repeat(room + 1)).unwrap_err();
        assert!(error.what.contains("1 bytes more"), "{}", error.what);
    }

    #[test]
    fn refuses_what_is_no_block() {
        for text in [
            "",
            "kernelopts=a\n",
            &block("boot_success=0\n"),
            &"#".repeat(SIZE),
        ] {
            assert!(set(text, "kernelopts", "a").unwrap_err().hint.is_some());
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "(\\PC|\\n|\\\\|=|a=){0,60}") {
            let _ = (value(&text, "a"), line(&text, "a"), set(&text, "a", "b"));
        }

        #[test]
        fn a_variable_is_put_back_whatever_became_of_the_others(
            raw in "([a-z =]|\\\\[a-z\\\\\n]){0,20}",
            saved in "[a-z]{0,9}",
            later in "[a-z]{0,9}",
            value in "[a-z=\\\\ \n]{0,30}",
        ) {
            let with = |saved: &str| block(&format!("saved_entry={saved}\na={raw}\nboot_success=0\n"));
            let before = with(&saved);
            prop_assert_eq!(super::raw(&before, "a"), Some(raw.as_str()));
            let ours = set(&before, "a", &escape(&value)).unwrap();
            let grub_wrote = set(&ours, "saved_entry", &later).unwrap();
            prop_assert_eq!(super::value(&grub_wrote, "a").unwrap(), value);
            prop_assert_eq!(set(&grub_wrote, "a", &raw).unwrap(), with(&later));
        }

        #[test]
        fn reads_what_was_set(others in "([b-z]{1,5}=[a-z \\\\]{0,6}x\n){0,4}", text in "[a-z=\\\\ \n]{0,30}") {
            let before = block(&format!("{others}a=\n{others}"));
            prop_assume!(value(&before, "a").is_some_and(|v| v.is_empty()));
            let after = set(&before, "a", &escape(&text)).unwrap();
            prop_assert_eq!(value(&after, "a").unwrap(), text);
            prop_assert_eq!(set(&after, "a", "").unwrap(), before);
        }
    }
}
