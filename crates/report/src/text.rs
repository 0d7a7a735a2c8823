//! Words in lines of a given width.

/// Breaks text at white space; a longer word gets a line of its own.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("never empty");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Breaks a list after its separators, which stay.
pub fn wrap_after(list: &str, separator: char, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for part in list.split_inclusive(separator) {
        let line = lines.last_mut().expect("never empty");
        if line.is_empty() || line.chars().count() + part.chars().count() <= width {
            line.push_str(part);
        } else {
            lines.push(part.to_owned());
        }
    }
    lines
}

/// Wrapped text, each line after `indent` spaces.
pub fn indented(text: &str, indent: usize, width: usize) -> String {
    let margin = " ".repeat(indent);
    let lines = wrap(text, width.saturating_sub(indent));
    format!("{margin}{}\n", lines.join(&format!("\n{margin}")))
}

/// "1 change", "2 changes".
pub fn plural(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_at_white_space() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("", 7), [""]);
        assert_eq!(wrap("unbreakable x", 4), ["unbreakable", "x"]);
        assert_eq!(indented("a b", 2, 3), "  a\n  b\n");
        assert_eq!(wrap_after("1,3,5-7,9", ',', 5), ["1,3,", "5-7,9"]);
        assert_eq!(wrap_after("10-1000", ',', 3), ["10-1000"]);
    }
}
