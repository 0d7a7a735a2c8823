//! What the library itself says: it is loaded into a program that does nothing, and the values that it prints are compared
//! with those that are set. No socket is made, so that no card is needed.

use std::path::{Path, PathBuf};

use hftune_domains::vma;
use hftune_model::vma::banner;
use hftune_model::vma::check;
use hftune_model::vma::diagnosis::{Area, Diagnosis};
use hftune_sys::exec;

use super::variables::Sources;
use crate::machine::Machine;

const AREA: Area = Area::Effect;

/// Names a library that is not where packages put it.
const ELSEWHERE: &str = "HFTUNE_LIBVMA";

/// Programs that do nothing.
const NOTHING: [&str; 2] = ["/usr/bin/true", "/bin/true"];

/// What would hide what the library prints: files of the log, and levels below DETAILS.
const OF_THE_LOG: [&str; 4] = [
    "VMA_LOG_FILE",
    "VMA_TRACELEVEL",
    "VMA_LOG_DETAILS",
    "VMA_STATS_FILE",
];

pub(super) fn check(machine: &Machine<'_>, sources: &Sources) -> Vec<Diagnosis> {
    let root = machine.reader.root();
    if !root.is_live() {
        return vec![Diagnosis::note(
            AREA,
            "",
            "no program is started for a directory tree: the library was not asked",
        )];
    }
    let elsewhere = std::env::var_os(ELSEWHERE).map(PathBuf::from);
    let Some(library) = elsewhere.or_else(|| vma::library(root)) else {
        return vec![Diagnosis::note(
            AREA,
            "",
            "libvma is not installed: what it makes of the variables was not asked",
        )];
    };
    let Some(program) = NOTHING.iter().map(Path::new).find(|path| root.exists(path)) else {
        return vec![Diagnosis::note(
            AREA,
            "",
            "this host has no /bin/true to load the library into",
        )];
    };
    let asked: Vec<(&str, &str)> = sources
        .sets
        .iter()
        .filter(|set| set.for_all)
        .map(|set| (set.name.as_str(), set.value.as_str()))
        .collect();
    let library = library.display().to_string();
    let mut environment = vec![
        ("LD_PRELOAD", library.as_str()),
        ("VMA_TRACELEVEL", "details"),
    ];
    environment.extend(asked.iter().filter(|(name, _)| !OF_THE_LOG.contains(name)));
    match exec::run_with(program, &[], &environment) {
        Err(e) => vec![Diagnosis::fault(
            AREA,
            library.clone(),
            e.in_one_line(),
            "see why it cannot be loaded",
        )],
        Ok(output) => compare(&library, &asked, &output),
    }
}

fn compare(library: &str, asked: &[(&str, &str)], output: &exec::Output) -> Vec<Diagnosis> {
    let printed = banner::parse(&format!("{}{}", output.stdout, output.stderr));
    if printed.is_empty() {
        let said = output.stderr.trim();
        return vec![Diagnosis::fault(
            AREA,
            library,
            format!(
                "it was loaded into a program that does nothing, and printed no parameters{}",
                if said.is_empty() {
                    String::new()
                } else {
                    format!(": {said}")
                }
            ),
            "see whether it is libvma, and built for this machine",
        )];
    }
    let mut found = Vec::new();
    let mut same = 0;
    for (name, value) in asked {
        if OF_THE_LOG.contains(name) {
            continue;
        }
        match printed.get(*name) {
            Some(effective) if banner::same(name, value, effective) => same += 1,
            Some(effective) => found.push(Diagnosis::fault(
                AREA,
                "",
                format!("{name}={value} was asked for, and {effective:?} is in effect"),
                format!("hftune vma params {name} tells what it takes"),
            )),
            // A wrong name is told where it is set.
            None if check::param(name).is_some() => found.push(Diagnosis::note(
                AREA,
                "",
                format!("{name} is not among what this libvma prints: whether it has an effect cannot be told"),
            )),
            None => {}
        }
    }
    // What it warns of values it prints on standard output, whatever the level of the log.
    let warned = output
        .stdout
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && line.contains("VMA_"));
    found.extend(
        warned.map(|line| {
            Diagnosis::note(AREA, "", format!("libvma says on standard output: {line}"))
        }),
    );
    found.push(Diagnosis::ok(
        AREA,
        library,
        format!(
            "{same} of {} values that are set are in effect",
            asked.len()
        ),
    ));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use hftune_model::vma::diagnosis::Grade;

    fn line(title: &str, value: &str, name: &str) -> String {
        format!(" VMA INFO: {title:<30} {value:<26} [{name}]\n")
    }

    #[test]
    fn values_in_effect_are_compared_with_those_asked_for() {
        let stderr = line("Rx Poll Loops", "-1", "VMA_RX_POLL")
            + &line("TCP nodelay", "0", "VMA_TCP_NODELAY");
        let output = exec::Output {
            code: Some(0),
            stdout: "VMA_X: wrong value\n".to_owned(),
            stderr,
        };
        let asked = [
            ("VMA_RX_POLL", "-1"),
            ("VMA_TCP_NODELAY", "1"),
            ("VMA_NETLINK_TIMER", "1"),
        ];
        let found = compare("/lib/libvma.so", &asked, &output);
        let grades: Vec<Grade> = found.iter().map(|d| d.grade).collect();
        assert_eq!(grades, [Grade::Fault, Grade::Note, Grade::Note, Grade::Ok]);
        assert!(
            found[0].what.contains("VMA_TCP_NODELAY=1"),
            "{}",
            found[0].what
        );
        assert!(found[3].what.starts_with("1 of 3"), "{}", found[3].what);
    }

    #[test]
    fn a_library_that_prints_nothing_is_a_fault() {
        let output = exec::Output {
            code: Some(0),
            stdout: String::new(),
            stderr: String::new(),
        };
        let found = compare("/lib/other.so", &[], &output);
        assert_eq!(found[0].grade, Grade::Fault);
    }

    /// With a real library, where the machine has one.
    #[test]
    fn the_library_itself_is_asked() {
        let Some(library) = std::env::var_os(ELSEWHERE) else {
            println!("skipped: HFTUNE_LIBVMA names no libvma");
            return;
        };
        let library = library.to_str().expect("UTF-8");
        let environment = [
            ("LD_PRELOAD", library),
            ("VMA_TRACELEVEL", "details"),
            ("VMA_RX_POLL", "-1"),
        ];
        let output = exec::run_with(Path::new("/bin/true"), &[], &environment).expect("start");
        let found = compare(library, &[("VMA_RX_POLL", "-1")], &output);
        assert!(found.iter().all(|d| d.grade == Grade::Ok), "{found:?}");
    }
}
