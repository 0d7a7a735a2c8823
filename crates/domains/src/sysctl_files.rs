//! Which of all the sysctl files has the last word at boot.
//!
//! The rules are those of systemd-sysctl (sysctl.d(5); src/sysctl/sysctl.c): of files with the same name only the one
//! in the directory of the highest rank is read; the files are read in the order of their names; a later assignment of
//! a key replaces an earlier one; a key that is spelled out anywhere wins over a pattern. `sysctl --system` of procps
//! reads the same files and then /etc/sysctl.conf, which therefore counts as the last of all.

use std::collections::BTreeMap;
use std::path::Path;

use hftune_model::finding::Proof;
use hftune_model::setting::Compare;
use hftune_model::{Kind, Result};
use hftune_sys::Reader;

/// The directories, the highest rank first.
const DIRECTORIES: [&str; 5] = [
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
];

/// The old file, which procps reads last.
const SYSCTL_CONF: &str = "/etc/sysctl.conf";

/// Our file.
pub const OWN: &str = "/etc/sysctl.d/99-hft.conf";

/// One line that says something about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The key as a path below `/proc/sys`, or a pattern of such paths.
    pub key: String,
    /// Its value; `None` where the line only exempts the key from patterns (`-net.ipv4.conf.all.rp_filter`).
    pub value: Option<String>,
    /// The file.
    pub file: String,
    /// The line in it, counted from 1.
    pub line: usize,
}

impl Assignment {
    fn is_pattern(&self) -> bool {
        self.key.contains(['*', '?', '['])
    }
}

/// Reads the lines of one file. Lines that are no assignment are skipped, as systemd-sysctl skips them.
pub fn parse(text: &str, file: &str) -> Vec<Assignment> {
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        // A leading dash says that a failure is no error; it is not part of the name.
        let (dash, rest) = match line.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let (key, value) = match rest.split_once('=') {
            Some((key, value)) => (key.trim(), Some(value.trim().to_owned())),
            None if dash => (rest.trim(), None),
            None => continue,
        };
        if key.is_empty() {
            continue;
        }
        found.push(Assignment {
            key: path_of(key),
            value,
            file: file.to_owned(),
            line: i + 1,
        });
    }
    found
}

/// A key as a path: where its first separator is a dot, dots and slashes change places.
fn path_of(key: &str) -> String {
    match key.find(['.', '/']) {
        Some(i) if key.as_bytes()[i] == b'.' => key
            .chars()
            .map(|c| match c {
                '.' => '/',
                '/' => '.',
                c => c,
            })
            .collect(),
        _ => key.to_owned(),
    }
}

/// Everything that the files of a host say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SysctlFiles {
    /// In the order in which systemd-sysctl reads them.
    assignments: Vec<Assignment>,
    /// Those of /etc/sysctl.conf.
    last: Vec<Assignment>,
}

impl SysctlFiles {
    /// Reads the files of a host.
    pub fn read(reader: &Reader<'_>) -> Result<Self> {
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for directory in DIRECTORIES {
            for name in reader.list(directory)?.iter() {
                if Path::new(name)
                    .extension()
                    .is_some_and(|kind| kind == "conf")
                    && !name.starts_with('.')
                {
                    files
                        .entry(name.clone())
                        .or_insert_with(|| format!("{directory}/{name}"));
                }
            }
        }
        let mut assignments = Vec::new();
        for path in files.values() {
            assignments.extend(read_file(reader, path)?);
        }
        Ok(Self {
            assignments,
            last: read_file(reader, SYSCTL_CONF)?,
        })
    }

    /// From parsed files, in the order in which they are read.
    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Self {
        Self {
            assignments: files
                .iter()
                .flat_map(|(file, text)| parse(text, file))
                .collect(),
            last: Vec::new(),
        }
    }

    /// The assignment that systemd-sysctl makes for a path below `/proc/sys`.
    pub fn winner(&self, path: &str) -> Option<&Assignment> {
        let exact = self
            .assignments
            .iter()
            .rfind(|a| !a.is_pattern() && a.key == path);
        exact.or_else(|| {
            self.assignments
                .iter()
                .rfind(|a| a.is_pattern() && matches(&a.key, path))
        })
    }

    /// The line of /etc/sysctl.conf about a path, which `sysctl --system` puts in force after everything else.
    fn late(&self, path: &str) -> Option<&Assignment> {
        self.last
            .iter()
            .rfind(|a| a.value.is_some() && (a.key == path || matches(&a.key, path)))
    }

    /// The same files with the line in ours that gives `key` this value, whether or not it is written yet.
    fn with_own(&self, key: &str, desired: &str) -> Self {
        let mut with = self.clone();
        with.assignments.retain(|a| a.file != OWN || a.key != key);
        let name = |a: &Assignment| a.file.rsplit('/').next().unwrap_or_default().to_owned();
        let own = OWN.rsplit('/').next().unwrap_or_default();
        let at = with
            .assignments
            .iter()
            .position(|a| name(a).as_str() > own)
            .unwrap_or(with.assignments.len());
        with.assignments.insert(
            at,
            Assignment {
                key: key.to_owned(),
                value: Some(desired.to_owned()),
                file: OWN.to_owned(),
                line: 0,
            },
        );
        with
    }
}

/// The assignments in a file; none where it does not exist, is masked by a link to `/dev/null`, or is a directory.
fn read_file(reader: &Reader<'_>, path: &str) -> Result<Vec<Assignment>> {
    match reader.text(path) {
        Ok(text) => Ok(parse(&text, path)),
        Err(e) if e.kind == Kind::Missing || reader.root().is_dir(path) => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

/// The saved proof of one value: what `path` will be after a boot, and the edit that mends it.
pub fn saved(reader: &Reader<'_>, path: &str, desired: &str) -> (Proof, Option<String>) {
    saved_by(reader, path, path, desired)
}

/// The same of a value that our file gives by `key`: the path itself or a pattern of it.
pub fn saved_by(
    reader: &Reader<'_>,
    key: &str,
    path: &str,
    desired: &str,
) -> (Proof, Option<String>) {
    let files = match SysctlFiles::read(reader) {
        Ok(files) => files,
        Err(e) if e.kind == Kind::NeedsRoot => return (Proof::NotPermitted(e.to_string()), None),
        Err(e) => return (Proof::Unknown(e.to_string()), None),
    };
    let same = |a: &Assignment| {
        a.value
            .as_deref()
            .is_some_and(|v| Compare::Words.same(v, desired))
    };
    let overridden = |by: &Assignment, how: &str| {
        let value = by.value.clone().unwrap_or_default();
        // 99-sysctl.conf is a link to /etc/sysctl.conf on most hosts: the edit belongs there.
        let link = reader.root().link_target(&by.file);
        let file = if link.is_some_and(|target| target.ends_with("/sysctl.conf")) {
            SYSCTL_CONF
        } else {
            &by.file
        };
        let what = match &by.value {
            Some(value) => format!("sets it to {value}"),
            None => "exempts it".to_owned(),
        };
        (
            Proof::Overridden(value, format!("{}:{} {what} {how}", by.file, by.line)),
            Some(format!("remove line {} of {file}", by.line)),
        )
    };
    // What wins over our line will do so after setup too, so it is told before.
    let with_own = files.with_own(key, desired);
    match with_own.winner(path) {
        Some(by) if !same(by) => return overridden(by, &format!("and wins over {OWN}")),
        _ => {}
    }
    if let Some(by) = files.late(path).filter(|by| !same(by)) {
        return overridden(by, "whenever \"sysctl --system\" is run");
    }
    let winner = files.winner(path);
    let value = winner.and_then(|a| a.value.clone()).unwrap_or_default();
    (
        Proof::of(winner.is_some_and(same), Compare::Words.value(&value)),
        None,
    )
}

/// Whether a pattern of paths matches a path, as glob(7) has it: `*` and `?` match no slash.
pub fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) =
        (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len()
        && pattern
            .iter()
            .zip(&path)
            .all(|(p, name)| matches_name(p.as_bytes(), name.as_bytes()))
}

fn matches_name(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where to go on when the last star has to take one character more.
    let mut star = None;
    loop {
        let (length, fits) = match (pattern.get(p), name.get(n)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                star = Some((p + 1, n + 1));
                p += 1;
                continue;
            }
            (Some(b'?'), Some(_)) => (1, true),
            (Some(b'['), Some(c)) => match pattern[p..].iter().skip(2).position(|b| *b == b']') {
                None => (1, *c == b'['),
                Some(end) => (end + 3, in_class(&pattern[p + 1..p + end + 2], *c)),
            },
            (Some(want), Some(c)) => (1, want == c),
            _ => (0, false),
        };
        if fits {
            p += length;
            n += 1;
            continue;
        }
        match star {
            Some((after, from)) if from <= name.len() => {
                (p, n) = (after, from);
                star = Some((after, from + 1));
            }
            _ => return false,
        }
    }
}

/// Whether a character is in a class like `a-f0` or `!x`.
fn in_class(class: &[u8], c: u8) -> bool {
    let (not, class) = match class {
        [b'!' | b'^', rest @ ..] if !rest.is_empty() => (true, rest),
        class => (false, class),
    };
    let mut rest = class;
    let mut found = false;
    while let [first, tail @ ..] = rest {
        if let [b'-', last, tail @ ..] = tail {
            found |= (first..=last).contains(&&c);
            rest = tail;
        } else {
            found |= *first == c;
            rest = tail;
        }
    }
    found != not
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_tree::tree;
    use proptest::prelude::*;

    fn proof(files: &[(&str, &str)], path: &str, desired: &str) -> (Proof, Option<String>) {
        let (_dir, root) = tree(files);
        saved(&Reader::new(&root), path, desired)
    }

    #[test]
    fn reads_what_systemd_sysctl_reads() {
        let text = "# a comment\n; another\n\n vm.swappiness=1\r\n-net.ipv4.conf.all.rp_filter\n\
                    -net/ipv4/conf/eth0.100/rp_filter = 2\nno assignment\n= 3\nkernel.core_pattern=|/bin/x a=b # c\n";
        let read: Vec<_> = parse(text, "f")
            .into_iter()
            .map(|a| (a.line, a.key, a.value))
            .collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            read,
            [
                (4, "vm/swappiness".to_owned(), some("1")),
                (5, "net/ipv4/conf/all/rp_filter".to_owned(), None),
                (6, "net/ipv4/conf/eth0.100/rp_filter".to_owned(), some("2")),
                (9, "kernel/core_pattern".to_owned(), some("|/bin/x a=b # c")),
            ]
        );
    }

    #[test]
    fn a_later_file_wins_and_is_named() {
        let files = [
            ("/etc/sysctl.d/99-hft.conf", "vm.swappiness = 0\n"),
            ("/etc/sysctl.d/99-sysctl.conf", "-> ../sysctl.conf"),
            ("/etc/sysctl.conf", "#\nvm/swappiness = 60\n"),
        ];
        let (proof, fix) = proof(&files, "vm/swappiness", "0");
        assert_eq!(
            proof,
            Proof::Overridden(
                "60".to_owned(),
                "/etc/sysctl.d/99-sysctl.conf:2 sets it to 60 and wins over /etc/sysctl.d/99-hft.conf".to_owned()
            )
        );
        assert_eq!(fix.as_deref(), Some("remove line 2 of /etc/sysctl.conf"));
    }

    #[test]
    fn sysctl_conf_counts_even_where_no_link_leads_to_it() {
        let files = [
            (OWN, "vm.swappiness = 0\n"),
            ("/etc/sysctl.conf", "vm.swappiness = 60\n"),
        ];
        let (proof, fix) = proof(&files, "vm/swappiness", "0");
        assert!(
            matches!(proof, Proof::Overridden(value, by) if value == "60" && by.contains("sysctl --system"))
        );
        assert_eq!(fix.as_deref(), Some("remove line 1 of /etc/sysctl.conf"));
    }

    #[test]
    fn an_earlier_file_and_a_masked_one_lose() {
        let files = [
            ("/usr/lib/sysctl.d/50-default.conf", "vm.swappiness = 10\n"),
            ("/usr/lib/sysctl.d/zz.conf", "vm.swappiness = 20\n"),
            ("/etc/sysctl.d/zz.conf", "-> /dev/null"),
            ("/run/sysctl.d/99-hft.conf", "vm.swappiness = 30\n"),
            ("/etc/sysctl.d/zz.disabled", "vm.swappiness = 40\n"),
            ("/etc/sysctl.d/dir.conf/x", ""),
            (OWN, "vm.swappiness = 0\n"),
        ];
        assert_eq!(
            proof(&files, "vm/swappiness", "0"),
            (Proof::Holds("0".to_owned()), None)
        );
    }

    #[test]
    fn what_will_win_over_our_file_is_told_before_it_is_written() {
        let late = [("/run/sysctl.d/zz.conf", "\nvm.swappiness = 20\n")];
        let (told, fix) = proof(&late, "vm/swappiness", "0");
        assert!(
            matches!(told, Proof::Overridden(value, by) if value == "20" && by.starts_with("/run/sysctl.d/zz.conf:2 "))
        );
        assert_eq!(
            fix.as_deref(),
            Some("remove line 2 of /run/sysctl.d/zz.conf")
        );
        let early = [("/etc/sysctl.d/50-x.conf", "vm.swappiness = 20\n")];
        assert_eq!(
            proof(&early, "vm/swappiness", "0").0,
            Proof::Differs("20".to_owned())
        );
        let old_values_of_ours = [(OWN, "vm.swappiness = 20\n")];
        assert_eq!(
            proof(&old_values_of_ours, "vm/swappiness", "0").0,
            Proof::Differs("20".to_owned())
        );
        assert_eq!(
            proof(&[], "vm/swappiness", "0").0,
            Proof::Differs(String::new())
        );
        let same = [("/etc/sysctl.d/a.conf", "net.ipv4.tcp_rmem = 1\t2  3\n")];
        assert_eq!(
            proof(&same, "net/ipv4/tcp_rmem", "1 2 3").0,
            Proof::Holds("1 2 3".to_owned())
        );
    }

    #[test]
    fn a_key_spelled_out_wins_over_a_pattern() {
        let files = SysctlFiles::of(&[
            (
                "a.conf",
                "net.ipv4.conf.eth0.rp_filter = 1\n-net.ipv4.conf.all.rp_filter\n",
            ),
            ("b.conf", "net.ipv4.conf.*.rp_filter = 0\n"),
            ("c.conf", "net.ipv4.conf.e*.rp_filter = 2\n"),
        ]);
        let winner = |name: &str| {
            files
                .winner(&format!("net/ipv4/conf/{name}/rp_filter"))
                .and_then(|a| a.value.as_deref())
        };
        assert_eq!(winner("eth0"), Some("1"));
        assert_eq!(winner("eth1"), Some("2"));
        assert_eq!(winner("lo"), Some("0"));
        assert_eq!(winner("all"), None);
    }

    #[test]
    fn patterns_match_as_glob_does() {
        assert!(matches("net/*/conf/eth?/x", "net/ipv4/conf/eth0/x"));
        assert!(!matches("net/*", "net/ipv4/conf"));
        assert!(matches("a/[a-c]*", "a/bxy"));
        assert!(!matches("a/[!a-c]*", "a/bxy"));
        assert!(matches("a[", "a["));
        assert!(matches("[]]", "]"));
        assert!(matches("a*b*c", "aXbYbZc"));
        assert!(!matches("*a*a*a*a*a*a*a*a*b", &"a".repeat(200)));
    }

    proptest! {
        #[test]
        fn never_panics(text in "[-a-z.*?\\[\\]/=#;! \n0-9]{0,80}", path in "[a-z/]{0,20}") {
            let files = SysctlFiles::of(&[("a.conf", &text)]);
            let _ = files.winner(&path);
            for a in &files.assignments {
                prop_assert!(!a.key.is_empty());
                let _ = matches(&a.key, &path);
            }
        }

        #[test]
        fn the_last_assignment_of_a_key_wins(values in proptest::collection::vec((0usize..3, 0u32..100), 1..30)) {
            let lines: Vec<_> = values.iter().map(|(key, value)| format!("vm.k{key} = {value}")).collect();
            let text = lines.join("\n");
            let files = SysctlFiles::of(&[("a.conf", &text)]);
            for key in 0..3 {
                let last = values.iter().rfind(|(k, _)| *k == key).map(|(_, value)| value.to_string());
                let won = files.winner(&format!("vm/k{key}")).and_then(|a| a.value.clone());
                prop_assert_eq!(won, last);
            }
        }
    }
}
