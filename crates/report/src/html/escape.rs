//! Text from outside: names of devices, of threads, of files.

use std::fmt::{self, Display, Write};

/// Text that is shown as it is, in elements and in quoted attributes, whatever is in it.
pub(super) struct Text<T>(pub T);

impl<T: Display> Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaper(f), "{}", self.0)
    }
}

/// Escapes what is written to it.
struct Escaper<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Escaper<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.write_str("&amp;")?,
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '"' => self.0.write_str("&quot;")?,
                '\'' => self.0.write_str("&#39;")?,
                // Controls are no text, and marks of direction would turn the text around them.
                c if (c.is_control() && !c.is_whitespace()) || is_direction(c) => {
                    self.0.write_char('\u{fffd}')?;
                }
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(
            Text("<b a=\"1\" c='2'>&amp;").to_string(),
            "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;"
        );
        assert_eq!(
            Text("a\0b\u{1b}[1m\u{202e}c\n").to_string(),
            "a\u{fffd}b\u{fffd}[1m\u{fffd}c\n"
        );
        assert_eq!(Text(7).to_string(), "7");
    }
}
