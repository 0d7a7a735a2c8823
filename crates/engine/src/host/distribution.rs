//! The distribution, from os-release(5).

use hftune_model::host::Distribution;

use super::facts::Facts;

pub(super) fn read(facts: &Facts<'_>) -> Distribution {
    ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|path| facts.text(path))
        .map(|text| parse_os_release(&text))
        .unwrap_or_default()
}

/// Whether the distribution is one of `ids`, or says that it is like one of them.
pub(super) fn is_like(distribution: &Distribution, ids: &[&str]) -> bool {
    ids.contains(&distribution.id.as_str())
        || distribution
            .like
            .iter()
            .any(|id| ids.contains(&id.as_str()))
}

fn parse_os_release(text: &str) -> Distribution {
    let mut distribution = Distribution::default();
    for line in text.lines() {
        let Some((key, value)) = line.trim().split_once('=') else {
            continue;
        };
        let value = unquote(value);
        match key {
            "ID" => distribution.id = value,
            "ID_LIKE" => {
                distribution.like = value.split_ascii_whitespace().map(str::to_owned).collect();
            }
            "VERSION_ID" => distribution.version = value,
            "PRETTY_NAME" => distribution.name = value,
            _ => {}
        }
    }
    distribution
}

/// A value without its quotes. Within double quotes and without quotes a backslash takes the meaning off the next
/// character, as in the shell.
fn unquote(value: &str) -> String {
    let value = value.trim();
    if let Some(inner) = value.strip_prefix('\'') {
        return inner.strip_suffix('\'').unwrap_or(inner).to_owned();
    }
    let inner = match value.strip_prefix('"') {
        Some(inner) => inner.strip_suffix('"').unwrap_or(inner),
        None => value,
    };
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(chars.next()),
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_quotes_of_both_kinds_and_none() {
        let rocky = parse_os_release(
            "# comment\r\nNAME=\"Rocky Linux\"\r\nID=\"rocky\"\r\nID_LIKE=\"rhel centos fedora\"\r\nVERSION_ID='9.4'\r\n\
             PRETTY_NAME=\"Rocky Linux 9.4 (Blue \\\"Onyx\\\")\"\r\n",
        );
        assert_eq!(rocky.id, "rocky");
        assert_eq!(rocky.like, ["rhel", "centos", "fedora"]);
        assert_eq!(rocky.version, "9.4");
        assert_eq!(rocky.name, "Rocky Linux 9.4 (Blue \"Onyx\")");
        assert!(is_like(&rocky, &["rhel"]) && is_like(&rocky, &["rocky"]));
        let debian = parse_os_release("ID=debian\nVERSION_ID=\"12\"");
        assert_eq!(
            (debian.id.as_str(), debian.version.as_str()),
            ("debian", "12")
        );
        assert!(!is_like(&debian, &["rhel"]));
    }

    proptest! {
        #[test]
        fn never_panics(text in "(ID|PRETTY_NAME)?=?[\"'\\\\a-z \n]{0,40}") {
            let _ = parse_os_release(&text);
        }
    }
}
