//! A kernel command line as the kernel reads it.
//!
//! Words are split as `next_arg()` does (lib/cmdline.c): white space separates, double quotes keep it, nothing escapes a
//! quote. Names are compared as `parameq()` does (kernel/params.c): dash and underscore are the same. Words after a
//! lone `--` are for init, not for the kernel.

use std::ops::Range;

use super::argument::Argument;

/// `COMMAND_LINE_SIZE` of an architecture as `uname -m` names it, the closing NUL included; the kernel cuts off the rest
/// without a word (arch/*/include/uapi/asm/setup.h).
fn command_line_size(architecture: &str) -> usize {
    match architecture {
        "s390x" | "loongarch64" => 4096,
        "riscv64" => 1024,
        // x86, arm64 and powerpc.
        _ => 2048,
    }
}

/// One word of a command line, and where it stands in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'a> {
    /// The word as written, quotes included.
    pub raw: &'a str,
    span: Range<usize>,
}

impl<'a> Token<'a> {
    /// The name before `=`.
    pub fn name(&self) -> &'a str {
        self.split().0
    }

    /// The value after `=`, without the quotes around it.
    pub fn value(&self) -> Option<&'a str> {
        self.split().1
    }

    fn split(&self) -> (&'a str, Option<&'a str>) {
        let (body, quoted) = match self.raw.strip_prefix('"') {
            Some(body) => (body, true),
            None => (self.raw, false),
        };
        let unquoted = |text: &'a str, quoted| {
            if quoted {
                text.strip_suffix('"').unwrap_or(text)
            } else {
                text
            }
        };
        // The kernel takes an '=' in first place for a part of the name.
        match body
            .bytes()
            .skip(1)
            .position(|b| b == b'=')
            .map(|at| at + 1)
        {
            None => (unquoted(body, quoted), None),
            Some(at) => {
                let value = &body[at + 1..];
                let value = match value.strip_prefix('"') {
                    Some(inner) => unquoted(inner, true),
                    None => unquoted(value, quoted),
                };
                (&body[..at], Some(value))
            }
        }
    }
}

/// Every word of the text, those for init too.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut start = None;
    let mut in_quote = false;
    for (at, c) in text.char_indices() {
        let blank = is_space(c) && !in_quote;
        if c == '"' {
            in_quote = !in_quote;
        }
        match (blank, start) {
            (false, None) => start = Some(at),
            (true, Some(from)) => {
                found.push(token(text, from..at));
                start = None;
            }
            _ => {}
        }
    }
    if let Some(from) = start {
        found.push(token(text, from..text.len()));
    }
    found
}

fn token(text: &str, span: Range<usize>) -> Token<'_> {
    Token {
        raw: &text[span.clone()],
        span,
    }
}

/// isspace() of the kernel, as far as it goes for text.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

/// Whether two names are the same to the kernel.
pub fn same_name(a: &str, b: &str) -> bool {
    let plain = |byte: u8| if byte == b'-' { b'_' } else { byte };
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| plain(a) == plain(b))
}

/// Whether the first of several arguments of this name wins (kernel/sched/isolation.c drops a later list that differs);
/// of all others the last one does.
pub fn first_wins(name: &str) -> bool {
    same_name(name, "isolcpus") || same_name(name, "nohz_full")
}

/// The same in a word.
pub fn which_wins(name: &str) -> &'static str {
    if first_wins(name) { "first" } else { "last" }
}

/// The words that are for the kernel, not for init.
pub fn for_kernel<'t, 'a>(
    words: &'t [Token<'a>],
) -> impl DoubleEndedIterator<Item = &'t Token<'a>> {
    let end = words
        .iter()
        .position(|token| token.raw == "--")
        .unwrap_or(words.len());
    words[..end].iter()
}

/// The word that decides what `name` is, among words in the order in which the kernel sees them.
pub fn effective<'t, 'a>(words: &'t [Token<'a>], name: &str) -> Option<&'t Token<'a>> {
    let mut named = for_kernel(words).filter(|token| same_name(token.name(), name));
    if first_wins(name) {
        named.next()
    } else {
        named.next_back()
    }
}

/// The same of a text.
pub fn find<'a>(text: &'a str, name: &str) -> Option<Token<'a>> {
    effective(&tokens(text), name).cloned()
}

/// The words to take out of a command line and those to put in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edit {
    /// Words, as written.
    pub remove: Vec<String>,
    /// Words.
    pub insert: Vec<String>,
}

impl Edit {
    /// What gives this command line the wanted arguments, when `ours` are the words that hftune wrote earlier.
    ///
    /// A word of ours that is no longer wanted goes; what is there already in the same meaning stays where it is.
    pub fn new(text: &str, ours: &[String], wanted: &[Argument]) -> Self {
        let wanted_words: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        let mut remove: Vec<String> = ours
            .iter()
            .filter(|word| !wanted_words.contains(word))
            .cloned()
            .collect();
        let all = tokens(text);
        let left: Vec<Token<'_>> = all
            .iter()
            .filter(|t| !remove.iter().any(|r| r == t.raw))
            .cloned()
            .collect();
        let mut insert = Vec::new();
        for (argument, word) in wanted.iter().zip(&wanted_words) {
            match effective(&left, &argument.name) {
                Some(token) if argument.is(token.value()) => {}
                _ => {
                    // There, but a later one wins: it moves to the end.
                    if left.iter().any(|token| token.raw == word) {
                        remove.push(word.clone());
                    }
                    insert.push(word.clone());
                }
            }
        }
        remove.retain(|word| all.iter().any(|token| token.raw == word));
        Self { remove, insert }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.insert.is_empty()
    }

    /// The command line after the edit.
    pub fn apply(&self, text: &str) -> String {
        self.put_in(&self.take_out(text))
    }

    /// The text without the words to remove, each with the white space before it.
    pub fn take_out(&self, text: &str) -> String {
        let mut kept = String::with_capacity(text.len());
        let mut from = 0;
        let mut first = true;
        let mut keep = |kept: &mut String, piece: &str| {
            // What followed a word that stood first has become the first.
            let leads = kept.is_empty() && !std::mem::take(&mut first);
            kept.push_str(if leads {
                piece.trim_start_matches(is_space)
            } else {
                piece
            });
        };
        for token in tokens(text) {
            if self.remove.iter().any(|word| word == token.raw) {
                keep(
                    &mut kept,
                    text[from..token.span.start].trim_end_matches(is_space),
                );
                from = token.span.end;
            }
        }
        keep(&mut kept, &text[from..]);
        kept
    }

    /// The text with the new words: at its end, but before what would take them from the kernel (`--`), before a word
    /// whose quote is never closed, which would swallow them, and before tuned's own variable, since the first
    /// `isolcpus=` wins.
    pub fn put_in(&self, text: &str) -> String {
        if self.insert.is_empty() {
            return text.to_owned();
        }
        let words = self.insert.join(" ");
        let before = tokens(text)
            .into_iter()
            .find(|token| is_barrier(token.raw) || is_open(token.raw));
        if let Some(token) = before {
            return format!(
                "{}{words} {}",
                &text[..token.span.start],
                &text[token.span.start..]
            );
        }
        let body = text.trim_end_matches(is_space);
        let gap = if body.is_empty() { "" } else { " " };
        format!("{body}{gap}{words}{}", &text[body.len()..])
    }
}

/// Whether a quote in this word is never closed.
fn is_open(word: &str) -> bool {
    word.matches('"').count() % 2 == 1
}

/// Whether new words belong before this one.
pub fn is_barrier(word: &str) -> bool {
    matches!(word, "--" | "$tuned_params" | "${tuned_params}")
}

/// Why the kernel of this architecture would not take all of this command line; `None` where it would.
pub fn too_long(text: &str, architecture: &str) -> Option<String> {
    let size = command_line_size(architecture);
    (text.len() >= size).then(|| {
        format!(
            "the command line would be {} bytes long, and the kernel takes {}",
            text.len(),
            size - 1
        )
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(text: &str) -> Vec<(&str, Option<&str>)> {
        tokens(text).iter().map(|t| (t.name(), t.value())).collect()
    }

    #[test]
    fn an_open_quote_swallows_nothing_of_ours() {
        let wanted = [Argument::new("nohz_full", Some("2-7"))];
        let text = "ro a=\"b c";
        let edited = Edit::new(text, &[], &wanted).apply(text);
        assert_eq!(edited, "ro nohz_full=2-7 a=\"b c");
        assert!(Edit::new(&edited, &[], &wanted).is_empty());
    }

    #[test]
    fn splits_as_the_kernel_does() {
        assert_eq!(
            pairs("ro  root=UUID=1\tdyndbg=\"file a.c +p\" \"x=y z\" \"q\" =a=b e= \n"),
            [
                ("ro", None),
                ("root", Some("UUID=1")),
                ("dyndbg", Some("file a.c +p")),
                ("x", Some("y z")),
                ("q", None),
                ("=a", Some("b")),
                ("e", Some("")),
            ]
        );
        assert_eq!(pairs("a=\" b c"), [("a", Some(" b c"))]);
        assert_eq!(pairs("a=\""), [("a", Some(""))]);
        assert_eq!(pairs(""), []);
    }

    #[test]
    fn knows_which_one_wins() {
        let found = |text, name| find(text, name).map(|token| token.raw);
        assert_eq!(
            found("isolcpus=2-7 isolcpus=1", "isolcpus"),
            Some("isolcpus=2-7")
        );
        assert_eq!(
            found("rcu-nocbs=2-7 rcu_nocbs=1", "rcu_nocbs"),
            Some("rcu_nocbs=1")
        );
        assert_eq!(found("quiet -- isolcpus=2-7", "isolcpus"), None);
        assert_eq!(found("nowatchdog", "nowatchdog"), Some("nowatchdog"));
        assert_eq!(found("xisolcpus=1 isolcpusx=1", "isolcpus"), None);
    }

    fn edit(text: &str, ours: &str, wanted: &[(&str, &str)]) -> String {
        let ours: Vec<String> = ours.split_whitespace().map(str::to_owned).collect();
        let wanted: Vec<Argument> = wanted
            .iter()
            .map(|(name, value)| Argument::new(name, Some(value)))
            .collect();
        Edit::new(text, &ours, &wanted).apply(text)
    }

    #[test]
    fn keeps_what_the_administrator_wrote() {
        let new = [("isolcpus", "2-7")];
        assert_eq!(edit("ro quiet", "", &new), "ro quiet isolcpus=2-7");
        assert_eq!(
            edit("ro isolcpus=4-7 quiet", "isolcpus=4-7", &new),
            "ro quiet isolcpus=2-7"
        );
        assert_eq!(edit("isolcpus=4-7", "isolcpus=4-7", &[]), "");
        assert_eq!(edit("isolcpus=4-7 ro", "isolcpus=4-7", &[]), "ro");
        assert_eq!(
            edit("ro  isolcpus=2,3-7\tquiet ", "", &new),
            "ro  isolcpus=2,3-7\tquiet "
        );
        assert_eq!(
            edit("ro $tuned_params", "", &new),
            "ro isolcpus=2-7 $tuned_params"
        );
        assert_eq!(edit("ro -- 3", "", &new), "ro isolcpus=2-7 -- 3");
        assert_eq!(edit("", "", &new), "isolcpus=2-7");
    }

    #[test]
    fn moves_its_own_word_when_a_later_one_wins() {
        assert_eq!(
            edit(
                "irqaffinity=0-1 irqaffinity=3",
                "irqaffinity=0-1",
                &[("irqaffinity", "0-1")]
            ),
            "irqaffinity=3 irqaffinity=0-1"
        );
    }

    #[test]
    fn knows_the_limit() {
        for (architecture, size) in [
            ("x86_64", 2048),
            ("aarch64", 2048),
            ("", 2048),
            ("s390x", 4096),
        ] {
            assert_eq!(too_long(&"x".repeat(size - 1), architecture), None);
            let why = too_long(&"x".repeat(size), architecture).unwrap();
            assert!(why.ends_with(&format!("takes {}", size - 1)), "{why}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,80}", quoted in "[a=\" -]{0,40}") {
            for text in [&text, &quoted] {
                for token in tokens(text) {
                    let _ = (token.name(), token.value());
                }
                let _ = edit(text, "a=a", &[("isolcpus", "2-7")]);
            }
        }

        #[test]
        fn splits_the_same_after_it_was_joined(text in "[a-c=\" $-]{0,40}") {
            let words: Vec<String> = tokens(&text).iter().map(|t| t.raw.to_owned()).collect();
            let joined = words.join(" ");
            let again: Vec<String> = tokens(&joined).iter().map(|t| t.raw.to_owned()).collect();
            prop_assert_eq!(words, again);
        }

        #[test]
        fn an_edit_holds_is_stable_and_can_be_taken_back(
            words in prop::collection::vec("[a-z]{1,6}(=[a-z0-9,]{0,5})?", 0..8),
            tuned in any::<bool>(),
        ) {
            let mut before = words.join(" ");
            if tuned {
                before.push_str(" $tuned_params");
            }
            let wanted = [Argument::new("isolcpus", Some("2-7")), Argument::new("nowatchdog", None)];
            let ours: Vec<String> = wanted.iter().map(ToString::to_string).collect();
            let after = Edit::new(&before, &[], &wanted).apply(&before);
            for argument in &wanted {
                prop_assert!(argument.is_on(&after), "{}", after);
            }
            prop_assert!(Edit::new(&after, &ours, &wanted).is_empty());
            let back = Edit::new(&after, &ours, &[]).apply(&after);
            prop_assert_eq!(back.trim(), before.trim());
        }
    }
}
