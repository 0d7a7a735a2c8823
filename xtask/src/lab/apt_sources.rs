//! Package sources, derived from the machine's own apt configuration.
//!
//! No host is named here: the machine may sit behind a mirror, and what its administrator trusts is what we use.

use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};

/// Suites by which a source of Debian is known.
const DEBIAN_SUITES: [&str; 6] = ["bookworm", "trixie", "forky", "sid", "stable", "oldstable"];

/// One `deb` source: the fields of a deb822 stanza, in the order written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    fields: Vec<(String, String)>,
}

impl Source {
    fn field(&self, name: &str) -> &str {
        let found = self
            .fields
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    fn words(&self, name: &str) -> impl Iterator<Item = &str> {
        self.field(name).split_whitespace()
    }

    fn is_enabled_binary(&self) -> bool {
        !self.field("Enabled").eq_ignore_ascii_case("no")
            && self.words("Types").any(|kind| kind == "deb")
    }

    fn with(&self, name: &str, value: &str) -> Self {
        let mut fields = self.fields.clone();
        for (key, old) in &mut fields {
            if key.eq_ignore_ascii_case(name) {
                value.clone_into(old);
            }
        }
        Self { fields }
    }

    /// The stanza as a `.sources` file holds it.
    pub fn to_deb822(&self) -> String {
        let lines = self
            .fields
            .iter()
            .map(|(key, value)| format!("{key}: {value}"));
        lines.collect::<Vec<_>>().join("\n") + "\n"
    }

    /// The first address that `debootstrap` can read.
    pub fn mirror(&self) -> Option<&str> {
        self.words("URIs").find(|uri| {
            ["http://", "https://", "file:"]
                .iter()
                .any(|scheme| uri.starts_with(scheme))
        })
    }
}

/// Reads every source that apt reads below `apt_dir` (`/etc/apt`).
pub fn read(apt_dir: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for file in files(apt_dir) {
        let text = fs::read_to_string(&file)?;
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("sources") => sources.extend(parse_deb822(&text)),
            _ => sources.extend(parse_list(&text)),
        }
    }
    Ok(sources)
}

/// The files in which apt looks for sources.
pub fn files(apt_dir: &Path) -> Vec<PathBuf> {
    let parts = fs::read_dir(apt_dir.join("sources.list.d"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut files: Vec<PathBuf> = parts
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "list" || extension == "sources")
        })
        .chain(std::iter::once(apt_dir.join("sources.list")))
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

/// The machine's source for `suite`, reduced to that suite.
pub fn for_suite(sources: &[Source], suite: &str) -> Option<Source> {
    // Other archives have suites of these names too, with components of their own.
    let serves = |source: &&Source| {
        source.is_enabled_binary()
            && source.words("Suites").any(|word| word == suite)
            && source.words("Components").any(|word| word == "main")
    };
    sources
        .iter()
        .find(serves)
        .map(|source| source.with("Types", "deb").with("Suites", suite))
}

/// The source of the backports of `suite`: same archive, same options, same key.
pub fn backports_of(sources: &[Source], suite: &str) -> Option<Source> {
    for_suite(sources, suite).map(|source| source.with("Suites", &format!("{suite}-backports")))
}

/// The source of `suite` of Debian over a network or from a file, derived from whatever of Debian the machine reads: every archive of it has all suites.
pub fn debian(sources: &[Source], suite: &str) -> Option<Source> {
    let serving = std::iter::once(suite).chain(DEBIAN_SUITES);
    let mut found = serving.filter_map(|serving| for_suite(sources, serving));
    let source = found.find(|source| source.mirror().is_some())?;
    Some(source.with("Suites", suite))
}

/// Parses a deb822 `.sources` file. A continuation line (an embedded key) stays with its field.
fn parse_deb822(text: &str) -> Vec<Source> {
    let mut sources = vec![Source { fields: Vec::new() }];
    for line in text.lines() {
        let source = sources.last_mut().expect("starts with one and only grows");
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            sources.push(Source { fields: Vec::new() });
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = source.fields.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((key, value)) = line.split_once(':') {
            source.fields.push((key.trim().into(), value.trim().into()));
        }
    }
    sources.retain(|source| !source.fields.is_empty());
    sources
}

/// Parses a one-line-style `.list` file.
fn parse_list(text: &str) -> Vec<Source> {
    text.lines().filter_map(parse_list_line).collect()
}

fn parse_list_line(line: &str) -> Option<Source> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let (kind, rest) = line.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let mut fields = vec![
        ("Types".to_string(), kind.to_string()),
        ("URIs".to_string(), words.next()?.to_string()),
        ("Suites".to_string(), words.next()?.to_string()),
        (
            "Components".to_string(),
            words.collect::<Vec<_>>().join(" "),
        ),
    ];
    for (key, value) in options
        .split_whitespace()
        .filter_map(|option| option.split_once('='))
    {
        fields.push((deb822_name(key), value.replace(',', " ")));
    }
    Some(Source { fields })
}

/// Three options have another name as a field; the others differ by case only, which apt ignores.
fn deb822_name(option: &str) -> String {
    match option {
        "arch" => "Architectures".into(),
        "lang" => "Languages".into(),
        "target" => "Targets".into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEB822: &str = "\
Types: deb deb-src
# a comment inside a stanza
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: trixie
Components: main
";

    #[test]
    fn backports_keep_archive_components_and_key() {
        let derived =
            backports_of(&parse_deb822(DEB822), "bookworm").expect("bookworm is configured");
        assert_eq!(
            derived.to_deb822(),
            "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm-backports\nComponents: main contrib\n\
             Signed-By: \n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n"
        );
        assert_eq!(derived.mirror(), Some("http://mirror.example/debian"));
    }

    #[test]
    fn one_line_style_keeps_its_options() {
        let text = "# deb http://no.example x main\n\
                    deb-src http://src.example/debian bookworm main\n\
                    deb [arch=amd64,i386 signed-by=/k.gpg] http://m.example/debian bookworm main contrib # why\n";
        let derived = backports_of(&parse_list(text), "bookworm").expect("bookworm is configured");
        assert_eq!(
            derived.to_deb822(),
            "Types: deb\nURIs: http://m.example/debian\nSuites: bookworm-backports\nComponents: main contrib\n\
             Architectures: amd64 i386\nsigned-by: /k.gpg\n"
        );
    }

    #[test]
    fn disabled_and_absent_suites_give_nothing() {
        let sources = parse_deb822(DEB822);
        assert_eq!(for_suite(&sources, "trixie"), None);
        assert_eq!(for_suite(&sources, "sid"), None);
    }

    #[test]
    fn any_suite_of_debian_leads_to_every_other() {
        let derived = debian(&parse_deb822(DEB822), "sid").expect("bookworm is configured");
        assert!(derived.to_deb822().contains("\nSuites: sid\n"));
        for other in [
            "deb http://m.example/ubuntu jammy main",
            "deb http://m.example/tool bookworm stable",
            "deb cdrom:[Debian]/ bookworm main",
        ] {
            assert_eq!(debian(&parse_list(other), "sid"), None, "{other}");
        }
    }

    #[test]
    fn a_cdrom_is_no_mirror() {
        let sources = parse_list("deb cdrom:[Debian]/ bookworm main");
        assert_eq!(
            for_suite(&sources, "bookworm").and_then(|source| source.mirror().map(str::to_string)),
            None
        );
    }
}
