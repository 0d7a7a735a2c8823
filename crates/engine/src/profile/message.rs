//! What the TOML reader says, as an error of hftune: place first, then the line with the fault marked.

use std::path::Path;

use hftune_model::names::distance;
use hftune_model::{Error, Kind};

use super::layer::line_of;

/// An error in a file.
pub(super) fn of_file(mut error: toml::de::Error, text: &str, path: &Path) -> Error {
    let (what, hint) = reworded(error.message());
    let Some(span) = error.span() else {
        return Error {
            hint,
            ..Error::invalid(what).at(path)
        };
    };
    let line = line_of(text, span.start);
    error.set_input(Some(text));
    let drawn = error.to_string();
    // The first line repeats the place, the last ones the message; between them is the marked line.
    let marked: Vec<&str> = drawn.lines().skip(1).take(3).map(str::trim_end).collect();
    Error {
        hint,
        ..Error::invalid(format!("{what}\n{}", marked.join("\n")))
            .at(path)
            .line(line)
    }
}

/// An error in a value that was given on the command line.
pub(super) fn of_option(error: &toml::de::Error, key: &str) -> Error {
    let (what, hint) = reworded(error.message());
    Error {
        hint,
        ..Error::new(Kind::Usage, format!("{key}: {what}"))
    }
}

/// The message and the hint: serde says "unknown field `x`, expected one of `a`, `b`"; a profile has keys, and one that
/// is nearly right was meant.
fn reworded(message: &str) -> (String, Option<String>) {
    let Some(rest) = message.strip_prefix("unknown field `") else {
        return (in_words(message), None);
    };
    let mut names = rest.split('`').step_by(2);
    let unknown = names.next().unwrap_or_default();
    let known: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
    let what = if known.is_empty() {
        format!("unknown key \"{unknown}\"")
    } else {
        format!("unknown key \"{unknown}\": expected {}", known.join(", "))
    };
    let nearest = known
        .iter()
        .map(|name| (distance(unknown, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= 2.max(name.len() / 3));
    (
        what,
        nearest.map(|(_, name)| format!("did you mean \"{name}\"?")),
    )
}

/// "invalid type: integer `1`, expected struct Thp" in the words of TOML.
fn in_words(message: &str) -> String {
    const WORDS: [(&str, &str); 7] = [
        ("struct", "a table"),
        ("a map", "a table"),
        ("a sequence", "an array"),
        ("a string", "a text in quotes"),
        ("a boolean", "true or false"),
        ("i", "a whole number"),
        ("u", "a whole number, not negative"),
    ];
    let Some((found, expected)) = message.rsplit_once(", expected ") else {
        return message.to_owned();
    };
    let is_integer = |kind: &str| {
        expected
            .strip_prefix(kind)
            .is_some_and(|bits| bits.parse::<u8>().is_ok())
    };
    let word = WORDS.iter().find(|(rust, _)| match *rust {
        "i" | "u" => is_integer(rust),
        rust => {
            expected == rust
                || expected
                    .strip_prefix(rust)
                    .is_some_and(|rest| rest.starts_with(' '))
        }
    });
    match word {
        Some((_, word)) => format!(
            "{}: expected {word}",
            found
                .replace("invalid type: ", "")
                .replace("invalid value: ", "")
                .replace('`', "")
        ),
        None => message.to_owned(),
    }
}
