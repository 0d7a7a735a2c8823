//! Files of variables: what systemd reads with `EnvironmentFile=` (systemd.exec(5)), and the launcher too.

/// A variable and where it is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value, without quotes.
    pub value: String,
    /// The line, counted from 1.
    pub line: usize,
}

/// The variables of a file. Empty lines and those that begin with `#` or `;` are comments; a pair of quotes around the
/// value is taken away. A line that is none of these is skipped, as systemd skips it.
pub fn parse(text: &str) -> Vec<Variable> {
    let variable = |(at, line): (usize, &str)| {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            return None;
        }
        let (name, value) = line.split_once('=')?;
        let name = name.trim_end();
        is_name(name).then(|| Variable {
            name: name.to_owned(),
            value: unquoted(value.trim()).to_owned(),
            line: at + 1,
        })
    };
    text.lines().enumerate().filter_map(variable).collect()
}

/// Whether a text may name a variable.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = value
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner;
        }
    }
    value
}

/// The words of a unit's `Environment=` or of a line of a shell: pairs, parted by white space outside of quotes.
pub fn words(text: &str) -> Vec<(String, String)> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, c) if c.is_whitespace() => words.push(String::new()),
            (_, c) => words.last_mut().expect("never empty").push(c),
        }
    }
    words
        .iter()
        .filter_map(|word| word.split_once('='))
        .filter(|(name, _)| is_name(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_systemd_reads_them() {
        let read: Vec<_> = parse(
            "# VMA_A=1\n; VMA_B=1\n\nVMA_C=2 \n VMA_D=\"a b\"\nnonsense\n1A=2\nexport X=1\nE=\n",
        )
        .into_iter()
        .map(|v| (v.name, v.value, v.line))
        .collect();
        let expected = [("VMA_C", "2", 4), ("VMA_D", "a b", 5), ("E", "", 9)];
        assert_eq!(
            read,
            expected.map(|(name, value, line)| (name.to_owned(), value.to_owned(), line))
        );
    }

    #[test]
    fn words_of_a_unit_are_parted_outside_of_quotes() {
        let read = words("VMA_A=1 \"VMA_B=x y\" VMA_C='z' alone");
        let expected = [("VMA_A", "1"), ("VMA_B", "x y"), ("VMA_C", "z")];
        assert_eq!(read, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
