//! Shell patterns, as fnmatch(3) reads them: `*`, `?` and `[...]`.

/// Whether a name fits a pattern.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    fit(&pattern, &name)
}

fn fit(pattern: &[char], name: &[char]) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['*', rest @ ..] => (0..=name.len()).any(|taken| fit(rest, &name[taken..])),
        ['?', rest @ ..] => !name.is_empty() && fit(rest, &name[1..]),
        ['[', rest @ ..] => match set(rest) {
            Some((inside, rest)) => name
                .split_first()
                .is_some_and(|(first, others)| inside(*first) && fit(rest, others)),
            // A bracket that is not closed stands for itself.
            None => name.first() == Some(&'[') && fit(rest, &name[1..]),
        },
        [c, rest @ ..] => name.first() == Some(c) && fit(rest, &name[1..]),
    }
}

type Inside<'p> = Box<dyn Fn(char) -> bool + 'p>;

/// The set behind an opening bracket, and what follows it.
fn set(pattern: &[char]) -> Option<(Inside<'_>, &[char])> {
    let (not, body) = match pattern {
        ['!' | '^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    // A bracket at the beginning of the set belongs to it.
    let end = 1 + body.iter().skip(1).position(|c| *c == ']')?;
    let (members, rest) = (&body[..end], &body[end + 1..]);
    let inside = move |c: char| {
        let mut at = 0;
        let mut found = false;
        while at < members.len() {
            if at + 2 < members.len() && members[at + 1] == '-' {
                found |= (members[at]..=members[at + 2]).contains(&c);
                at += 3;
            } else {
                found |= members[at] == c;
                at += 1;
            }
        }
        found != not
    };
    Some((Box::new(inside), rest))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, name, fit) in [
            ("*", "", true),
            ("trad*", "trader", true),
            ("trad*", "atrader", false),
            ("tr?der", "trader", true),
            ("app[0-3]", "app2", true),
            ("app[!0-3]", "app2", false),
            ("app[", "app[", true),
            ("[]x]", "]", true),
            ("a", "ab", false),
        ] {
            assert_eq!(fits(pattern, name), fit, "{pattern} {name}");
        }
    }
}
