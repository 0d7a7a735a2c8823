//! Variables of a tuned profile: `${name}` stands for a text, `${f:name:...}` for what tuned works out itself.

use std::collections::BTreeMap;

/// The variables known so far.
#[derive(Debug, Default)]
pub(crate) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Defines a variable. Its value is expanded now, so that variables cannot go in circles.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        if !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_') {
            let value = self.expand(value);
            self.0.insert(name.to_owned(), value);
        }
    }

    /// The text with the known variables put in.
    pub(crate) fn expand(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let escaped = rest[..at].ends_with('\\');
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let value = rest
                .find('}')
                .filter(|_| !escaped)
                .and_then(|end| Some((end, self.0.get(&rest[2..end])?)));
            if let Some((end, value)) = value {
                out.push_str(value);
                rest = &rest[end + 1..];
            } else {
                out.push_str("${");
                rest = &rest[2..];
            }
        }
        out.push_str(rest);
        out
    }
}

/// Whether a text still holds what only tuned can work out.
pub(crate) fn unresolved(text: &str) -> bool {
    text.match_indices("${")
        .any(|(at, _)| !text[..at].ends_with('\\'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_variables_are_put_in_and_the_rest_is_told() {
        let mut variables = Variables::default();
        variables.set("cores", "2-7");
        variables.set("cores", "${cores},9");
        variables.set("loop", "${loop}");
        variables.set("no name", "x");
        assert_eq!(
            variables.expand("nohz_full=${cores} x"),
            "nohz_full=2-7,9 x"
        );
        assert!(!unresolved("nohz_full=2-7,9"));
        for text in ["${f:cpulist2hex:2-7,9}", "${loop}", "${no name}", "${open"] {
            assert_eq!(variables.expand(text), text);
            assert!(unresolved(text), "{text}");
        }
        assert_eq!(variables.expand("${f:strip:${cores}}"), "${f:strip:2-7,9}");
        assert_eq!(variables.expand("\\${cores}"), "\\${cores}");
        assert!(!unresolved("\\${cores}"));
    }

    proptest! {
        #[test]
        fn never_panics(value in "[a${}\\\\:\u{e4}]{0,40}", text in "[a${}\\\\:\u{e4}]{0,40}") {
            let mut variables = Variables::default();
            variables.set("a", &value);
            let _ = unresolved(&variables.expand(&text));
        }
    }
}
