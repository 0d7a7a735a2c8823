//! `hftune verify --format`: what each format prints of the same machine, and where it goes.
#![allow(
    clippy::disallowed_methods,
    reason = "a test makes the files that hftune reads and reads what it wrote"
)]

mod machine;

use std::os::unix::fs::PermissionsExt as _;

use machine::Machine;

fn verify(machine: &Machine, format: &str, more: &[&str]) -> machine::Answer {
    let mut words = vec!["verify", "--format", format];
    words.extend(more);
    machine.run(&words)
}

/// How often a line begins so.
fn lines(text: &str, begin: &str) -> usize {
    text.lines()
        .filter(|line| line.trim_start().starts_with(begin))
        .count()
}

#[test]
fn every_format_counts_the_same_settings() {
    let machine = Machine::debian();
    let json = verify(&machine, "json", &[]).expect(3).json();
    let count = |verdict: &str| json["summary"][verdict].as_u64().expect("a count");
    let all = json["settings"].as_array().expect("settings").len();
    assert!(count("wrong") > 10 && count("not-applicable") > 0);

    let tap = verify(&machine, "tap", &[]).expect(3).stdout;
    assert!(tap.contains(&format!("\n1..{all}\n")), "{tap}");
    assert_eq!(lines(&tap, "ok ") + lines(&tap, "not ok "), all);
    let todo = tap.lines().filter(|line| line.contains(" # TODO ")).count();
    assert_eq!(todo as u64, count("reboot-pending"));

    let junit = verify(&machine, "junit", &[]).expect(3).stdout;
    assert_eq!(lines(&junit, "<testcase "), all);
    assert_eq!(
        lines(&junit, "<failure ") as u64,
        count("wrong") + count("overridden") + count("not-permitted")
    );

    let prometheus = verify(&machine, "prometheus", &[]).expect(3).stdout;
    for verdict in ["ok", "wrong", "unknown"] {
        let line = format!(
            "hftune_settings{{verdict=\"{verdict}\"}} {}",
            count(verdict)
        );
        assert!(
            prometheus.lines().any(|known| known == line),
            "{line}\n{prometheus}"
        );
    }
    assert_eq!(
        lines(&prometheus, "hftune_setting_ok{") as u64,
        all as u64 - count("not-applicable")
    );

    let markdown = verify(&machine, "markdown", &[]).expect(3).stdout;
    assert!(markdown.contains(&format!("\n| wrong | {} |\n", count("wrong"))));

    // The codes of plugins are not those of hftune.
    let nagios = verify(&machine, "nagios", &[]).expect(2).stdout;
    assert_eq!(nagios.lines().count(), 1);
    assert!(nagios.starts_with("HFTUNE CRITICAL - "), "{nagios}");
    assert!(
        nagios.contains(&format!(" wrong={};;0;0;{all} ", count("wrong"))),
        "{nagios}"
    );
}

#[test]
fn failed_lists_less_and_counts_the_same_and_only_does_both() {
    let machine = Machine::debian();
    machine.run(&["setup", "--yes"]).expect(4);
    machine.file("/proc/sys/vm/swappiness", "60\n");
    let of = |format: &str, more: &[&str]| verify(&machine, format, more).stdout;
    let all = of("prometheus", &[]);
    let failed = of("prometheus", &["--failed"]);
    let settings = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.starts_with("hftune_settings{"))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(settings(&all), settings(&failed));
    assert!(lines(&failed, "hftune_setting_ok{") < lines(&all, "hftune_setting_ok{"));
    assert!(!failed.contains("verdict=\"ok\"} 1\n"));
    let status = |more: &[&str]| of("nagios", more);
    assert_eq!(status(&[]), status(&["--failed"]));

    let only = of("tap", &["--only", "thp"]);
    assert!(!only.contains("sysctl/") && only.contains("thp/"), "{only}");
    let none = verify(
        &machine,
        "tap",
        &["--failed", "--only", "sysctl/vm.stat_interval"],
    )
    .expect(0);
    assert!(none.stdout.contains("1..0 # SKIP"), "{}", none.stdout);
    let none = verify(&machine, "nagios", &["--only", "sysctl/vm.stat_interval"]).expect(0);
    assert!(none.stdout.starts_with("HFTUNE OK - "), "{}", none.stdout);
}

#[test]
fn a_plugin_tells_its_failure_in_its_line() {
    let machine = Machine::debian();
    let failed = verify(&machine, "nagios", &["--only", "nothing"]).expect(3);
    assert!(
        failed
            .stdout
            .starts_with("HFTUNE UNKNOWN - no setting begins with nothing"),
        "{}",
        failed.stdout
    );
    assert_eq!(failed.stderr, "");
    machine.file("/etc/hftune/profile.toml", "nonsense = 1\n");
    let failed = verify(&machine, "nagios", &[]).expect(3);
    assert!(failed.stdout.starts_with("HFTUNE UNKNOWN - ") && failed.stdout.lines().count() == 1);
}

#[test]
fn output_replaces_a_file_that_everybody_may_read() {
    let machine = Machine::debian();
    let dir = tempfile::tempdir().expect("directory");
    let file = dir.path().join("hftune.prom");
    let name = file.to_str().expect("text");
    for _ in 0..2 {
        let answer = verify(&machine, "prometheus", &["--output", name]).expect(3);
        assert_eq!(answer.stdout, "");
    }
    let mode = std::fs::metadata(&file)
        .expect("written")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o644);
    assert!(
        std::fs::read_to_string(&file)
            .expect("text")
            .contains("\nhftune_reboot_pending ")
    );
    let left: Vec<_> = std::fs::read_dir(dir.path()).expect("list").collect();
    assert_eq!(left.len(), 1, "nothing else is left: {left:?}");

    // A table for a person has no colours there.
    verify(&machine, "human", &["--output", name]).expect(3);
    let text = std::fs::read_to_string(&file).expect("text");
    assert!(
        text.starts_with("VERDICT ") && !text.contains('\u{1b}'),
        "{text}"
    );
}

#[test]
fn a_directory_that_cannot_be_written_to_is_named_with_the_remedy() {
    let machine = Machine::debian();
    let dir = tempfile::tempdir().expect("directory");
    let missing = dir.path().join("no/such/hftune.prom");
    let missing = missing.to_str().expect("text");
    let answer = verify(&machine, "prometheus", &["--output", missing]).expect(1);
    for part in ["/no/such: cannot open the directory", "mkdir -p "] {
        assert!(answer.stderr.contains(part), "{part}: {}", answer.stderr);
    }
    // Somebody's link is not replaced.
    let link = dir.path().join("link.prom");
    std::os::unix::fs::symlink("elsewhere", &link).expect("link");
    let link = link.to_str().expect("text");
    let answer = verify(&machine, "prometheus", &["--output", link]).expect(1);
    assert!(answer.stderr.contains("symbolic link"), "{}", answer.stderr);
    // As a plugin, its own way.
    let answer = verify(&machine, "nagios", &["--output", missing]).expect(3);
    assert!(
        answer.stdout.starts_with("HFTUNE UNKNOWN - "),
        "{}",
        answer.stdout
    );
}
