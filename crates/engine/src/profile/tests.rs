//! Loading profiles, errors and all.

use std::path::Path;

use hftune_model::profile::{BootValue, Profile, Resolved, SysctlValue, ThpMode};
use hftune_model::{Error, Size};
use hftune_sys::Root;
use proptest::prelude::*;

use super::{BUILT_IN, built_in, layer, load, parse_override, starter};

/// A machine with some files in `/etc/hftune`.
fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let root = Root::tree(dir.path()).expect("root");
    root.make_dirs("/etc/hftune", 0o755).expect("directories");
    let (uid, gid) = hftune_sys::identity::owner();
    let metadata = hftune_sys::write::Metadata {
        mode: 0o644,
        uid,
        gid,
        xattrs: Vec::new(),
    };
    for (name, text) in files {
        root.write_atomic(format!("/etc/hftune/{name}"), text.as_bytes(), &metadata)
            .expect("file");
    }
    (dir, root)
}

fn loaded(files: &[(&str, &str)]) -> Resolved {
    let (_dir, root) = machine(files);
    load(&root, None, &[]).expect("loads")
}

/// The error of loading `text` as the profile of a machine, as a person sees it.
fn refused(text: &str) -> String {
    refused_files(&[("profile.toml", text)])
}

fn refused_files(files: &[(&str, &str)]) -> String {
    let (dir, root) = machine(files);
    let error = load(&root, None, &[]).expect_err("is refused");
    seen(&error).replace(&dir.path().display().to_string(), "")
}

fn seen(error: &Error) -> String {
    match &error.hint {
        Some(hint) => format!("{error}\n{hint}"),
        None => error.to_string(),
    }
}

#[test]
fn every_built_in_profile_loads() {
    for (name, _) in BUILT_IN {
        assert_eq!(built_in(name).expect("known").profile.name, *name);
    }
}

#[test]
fn hft_names_every_key_but_the_ways_to_choose_cpus() {
    let hft = built_in("hft").expect("hft");
    let every = serde_json::to_value(Profile::default()).expect("json");
    for (table, keys) in every.as_object().expect("tables") {
        let Some(keys) = keys.as_object() else {
            assert!(hft.origins.contains_key(table), "{table}");
            continue;
        };
        for key in keys.keys().filter(|key| *key != "nodes") {
            // A key that is a table has an origin for each of its values.
            let key = format!("{table}.{key}");
            let named = |origin: &String| *origin == key || origin.starts_with(&format!("{key}."));
            assert!(hft.origins.keys().any(named), "{key}");
        }
    }
}

#[test]
fn hft_has_the_values_that_operators_know() {
    let hft = built_in("hft").expect("hft").profile;
    let sysctl = |key: &str| hft.sysctl[&key.parse().expect(key)].text().expect(key);
    assert_eq!(sysctl("net.core.rmem_max"), "134217728");
    assert_eq!(sysctl("net.ipv4.tcp_wmem"), "4096 16384 134217728");
    assert_eq!(sysctl("kernel.sched_rt_runtime_us"), "-1");
    assert_eq!(hft.sysctl.len(), 17);
    assert_eq!(
        hft.boot["isolcpus"],
        BootValue::Text("managed_irq,domain,{isolated}".to_owned())
    );
    assert_eq!(
        (hft.hugepages.size, hft.hugepages.count),
        (Size(2 << 20), 1024)
    );
    assert_eq!(
        (hft.thp.enabled, hft.thp.defrag),
        (ThpMode::Never, ThpMode::Never)
    );
    assert_eq!(hft.services.off, ["irqbalance.service"]);
}

#[test]
fn a_file_extends_hft_and_changes_one_value() {
    let site = loaded(&[("profile.toml", "[thp]\r\nenabled = \"madvise\"\r\n")]);
    assert_eq!(site.profile.name, "profile");
    assert_eq!(site.profile.thp.enabled, ThpMode::Madvise);
    assert_eq!(site.profile.thp.defrag, ThpMode::Never);
    assert!(
        site.origins["thp.enabled"]
            .to_string()
            .ends_with("/etc/hftune/profile.toml:2")
    );
    assert_eq!(site.origins["thp.defrag"].to_string(), "built-in hft");
    assert_eq!(site.layers.len(), 2);
}

#[test]
fn layers_merge_key_by_key_and_the_last_one_wins() {
    let site = [
        (
            "site.toml",
            "name = \"site\"\n[sysctl]\n\"vm.swappiness\" = 1\nvm.stat_interval = 10\n[boot]\nskew_tick = 1\n",
        ),
        (
            "profile.toml",
            "name = \"desk\"\nextends = \"site.toml\"\n[sysctl]\n\"vm/swappiness\" = \"keep\"\n[boot]\nrcu_nocbs = false\n",
        ),
    ];
    let (_dir, root) = machine(&site);
    let options = [
        parse_override("cpus.housekeeping=0-1").expect("override"),
        parse_override("sysctl.vm.stat_interval = 20").expect("override"),
        parse_override("boot.irqaffinity={housekeeping}").expect("override"),
    ];
    let desk = load(&root, None, &options).expect("loads");
    let profile = &desk.profile;
    let sysctl = |key: &str| &profile.sysctl[&key.parse().expect(key)];
    assert_eq!(profile.name, "desk");
    assert_eq!(profile.description, "");
    assert_eq!(sysctl("vm.swappiness").text(), None);
    assert_eq!(sysctl("vm.stat_interval"), &SysctlValue::Number(20));
    assert_eq!(profile.sysctl.len(), 17);
    assert_eq!(profile.boot["skew_tick"], BootValue::Text("1".to_owned()));
    assert_eq!(profile.boot["rcu_nocbs"], BootValue::Flag(false));
    assert_eq!(
        profile.boot["nohz_full"],
        BootValue::Text("{isolated}".to_owned())
    );
    assert_eq!(
        profile
            .cpus
            .housekeeping
            .as_ref()
            .map(ToString::to_string)
            .as_deref(),
        Some("0-1")
    );
    let origin = |key: &str| desk.origins[key].to_string();
    assert!(origin("boot.skew_tick").ends_with("site.toml:6"));
    assert!(origin("sysctl.vm.swappiness").ends_with("profile.toml:4"));
    assert_eq!(origin("cpus.housekeeping"), "command line");
    assert_eq!(desk.layers.last().map(String::as_str), Some("command line"));
}

#[test]
fn the_later_of_two_ways_to_say_one_thing_wins() {
    let desk = loaded(&[
        (
            "site.toml",
            "[cpus]\nhousekeeping = \"0-1\"\n[hugepages]\nnodes = { 0 = 5, 1 = 6 }\n",
        ),
        (
            "profile.toml",
            "extends = \"site.toml\"\n[cpus]\nhousekeeping_cores = 3\n[hugepages]\ncount = 8\n",
        ),
    ]);
    assert_eq!(
        (
            desk.profile.cpus.housekeeping,
            desk.profile.cpus.housekeeping_cores
        ),
        (None, Some(3))
    );
    assert!(desk.profile.hugepages.nodes.is_empty());
}

#[test]
fn a_printed_profile_reads_back_as_it_was() {
    let hft = built_in("hft").expect("hft").profile;
    let printed = toml::to_string(&hft).expect("prints");
    assert_eq!(loaded(&[("profile.toml", &printed)]).profile, hft);
}

#[test]
fn without_a_file_it_is_hft() {
    assert_eq!(loaded(&[]), built_in("hft").expect("hft"));
}

#[test]
fn the_starter_is_hft_as_it_is_and_with_every_key_uncommented() {
    let text = starter();
    let hft = built_in("hft").expect("hft").profile;
    let as_it_is = loaded(&[("hft.toml", ""), ("profile.toml", &text)]).profile;
    let named = Profile {
        name: hft.name.clone(),
        description: hft.description.clone(),
        ..as_it_is
    };
    assert_eq!(named, hft);

    let mut keys = 0;
    let uncommented: String = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') && !key.is_empty() => {
                keys += 1;
                format!("{key}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let steps = hft.cpus.housekeeping_rule.len();
    assert_eq!(
        keys + steps - 1,
        built_in("hft").expect("hft").origins.len()
    );
    assert_eq!(loaded(&[("profile.toml", &uncommented)]).profile, hft);
}

#[test]
fn errors_name_the_file_the_line_and_what_was_expected() {
    insta::assert_snapshot!(refused("[thp]\nenabeld = \"never\"\n"), @r#"
    /etc/hftune/profile.toml:2: unknown key "enabeld": expected enabled, defrag
      |
    2 | enabeld = "never"
      | ^^^^^^^
    did you mean "enabled"?
    "#);
    insta::assert_snapshot!(refused("[trp]\nx = 1\n"), @r#"
    /etc/hftune/profile.toml:1: unknown key "trp": expected name, description, cpus, sysctl, boot, hugepages, thp, power, irq, threads, rps, workqueue, kernel, nic, vma, services, limits, drift
      |
    1 | [trp]
      |  ^^^
    did you mean "thp"?
    "#);
    insta::assert_snapshot!(refused("[thp]\nenabled = \"of\"\n"), @r#"
    /etc/hftune/profile.toml:2: "of" is not a mode: expected "always", "madvise", "never" or "keep"
      |
    2 | enabled = "of"
      |           ^^^^
    "#);
    insta::assert_snapshot!(refused("[thp]\nenabled = 1\n"), @r#"
    /etc/hftune/profile.toml:2: expected "always", "madvise", "never" or "keep"
      |
    2 | enabled = 1
      |           ^
    "#);
    insta::assert_snapshot!(refused("thp = 1\n"), @r#"
    /etc/hftune/profile.toml:1: integer 1: expected a table
      |
    1 | thp = 1
      |       ^
    "#);
    insta::assert_snapshot!(refused("[thp\n"), @r#"
    /etc/hftune/profile.toml:1: unclosed table, expected `]`
      |
    1 | [thp
      |     ^
    "#);
    insta::assert_snapshot!(refused("[thp]\nenabled = \"never\"\nenabled = \"never\"\n"), @r#"
    /etc/hftune/profile.toml:3: duplicate key
      |
    3 | enabled = "never"
      | ^^^^^^^
    "#);
    insta::assert_snapshot!(refused("[sysctl]\n\"vm.swappiness\" = 1\nvm.swappiness = 2\n"), @r#"
    /etc/hftune/profile.toml:3: sysctl.vm.swappiness is set twice
    remove one of the two
    "#);
    insta::assert_snapshot!(refused("[sysctl]\n\"vm.swappiness\" = 1.5\n"), @r#"
    /etc/hftune/profile.toml:2: expected an integer, a text like "4096 131072 134217728", or "keep"
      |
    2 | "vm.swappiness" = 1.5
      |                   ^^^
    "#);
    insta::assert_snapshot!(refused("[sysctl]\n\"vm.x\" = \"a\\nb\"\n"), @r#"
    /etc/hftune/profile.toml:2: "a\nb" is not a sysctl's value: expected one line of text, or "keep" for the host's own value
      |
    2 | "vm.x" = "a\nb"
      |          ^^^^^^
    "#);
    insta::assert_snapshot!(refused("[sysctl]\n\"../etc\" = 1\n"), @r#"
    /etc/hftune/profile.toml:2: "../etc" is not the name of a sysctl: expected one like vm.swappiness
      |
    2 | "../etc" = 1
      | ^^^^^^^^
    "#);
    insta::assert_snapshot!(refused("[sysctl]\n\"vm.nr_hugepages\" = 1\n"), @r#"
    /etc/hftune/profile.toml:2: huge pages are set by count in [hugepages], not by vm.nr_hugepages
      |
    2 | "vm.nr_hugepages" = 1
      | ^^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(refused("[cpus]\nhousekeeping = \"7-2\"\n"), @r#"
    /etc/hftune/profile.toml:2: "7-2" is not a CPU list: "7-2" runs backwards
      |
    2 | housekeeping = "7-2"
      |                ^^^^^
    "#);
    insta::assert_snapshot!(refused("[cpus]\nhousekeeping = \"0\"\nhousekeeping_cores = 1\n"), @r#"
    /etc/hftune/profile.toml:3: housekeeping and housekeeping_cores both say which CPUs serve the OS
    remove one of the two
    "#);
    insta::assert_snapshot!(refused("[hugepages]\nsize = \"2X\"\n"), @r#"
    /etc/hftune/profile.toml:2: "2X" is not the size of a huge page: expected "2M" or "1G"
      |
    2 | size = "2X"
      |        ^^^^
    "#);
    insta::assert_snapshot!(refused("[boot]\nisolcpus = \"{isolate}\"\n"), @r#"
    /etc/hftune/profile.toml:2: "{isolate}": expected only {isolated} and {housekeeping} in braces
      |
    2 | isolcpus = "{isolate}"
      |            ^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(refused("[boot]\nquiet = \"a b\"\n"), @r#"
    /etc/hftune/profile.toml:2: "a b" is not a boot argument's value: expected letters, digits and .,:=/+@%~^_- without white space, quotes, $ or backslash
      |
    2 | quiet = "a b"
      |         ^^^^^
    "#);
    insta::assert_snapshot!(refused("extends = \"hft2\"\n"), @r#"
    /etc/hftune/profile.toml:1: "hft2" is not a built-in profile: expected hft, hft-max or the path of a file
    for a file beside this one write extends = "hft2.toml"
    "#);
    insta::assert_snapshot!(refused("name = 'a'\nextends = \"./none.toml\"\n"), @"/etc/hftune/profile.toml:2: it extends /etc/hftune/none.toml, which does not exist");
    insta::assert_snapshot!(refused("extends = 1\n"), @r#"
    /etc/hftune/profile.toml:1: integer 1: expected a text in quotes
      |
    1 | extends = 1
      |           ^
    "#);
}

#[test]
fn bad_values_of_every_kind_are_refused() {
    for bad in [
        "[cpus]\nhousekeeping = \"0-\"",
        "[cpus]\nhousekeeping = \"1,,2\"",
        "[cpus]\nhousekeeping = \"99999999999\"",
        "[cpus]\nhousekeeping = \"\"",
        "[cpus]\nhousekeeping_cores = 0",
        "[cpus]\nhousekeeping_rule = { 0 = 1 }",
        "[cpus]\nhousekeeping_rule = { 8 = 0 }",
        "[cpus]\nhousekeeping_rule = 2",
        "[cpus]\nhousekeeping_cores_by_node = { 00 = 1 }",
        "[cpus]\nhousekeeping_cores_by_node = { a = 1 }",
        "[cpus]\nhousekeeping_cores_by_node = { 0 = -1 }",
        "[cpus]\nhousekeeping_cores = 2\nhousekeeping_rule = { 8 = 3 }",
        "[cpus]\nnics = [\"a/b\"]",
        "[sysctl]\n\"vm.x\" = \"\"",
        "[sysctl]\n\"vm.x\" = true",
        "[sysctl]\n\"-vm.x\" = 1",
        "[sysctl.vm]",
        "[boot]\n\"a b\" = true",
        "[boot]\n\"--\" = true",
        "[boot]\nx = \"$y\"",
        "[boot]\nx = \"y\\\\z\"",
        "[boot]\nx = \"'y'\"",
        "[boot]\nx = \"a;b\"",
        "[boot]\nx = \"\"",
        "[hugepages]\nsize = 3000000",
        "[hugepages]\ncount = -1",
        "[hugepages.nodes]\n00 = 1",
        "[power]\ngovernor = \"perfomance\"",
        "[power]\nenergy_bias = 16",
        "[power]\nmax_idle_latency_us = -2",
        "[irq]\nhousekeeping = \"yes\"",
        "[services]\noff = [\"irqbalance\"]",
        "[services]\noff = [\"../x.service\"]",
        "[limits]\ndomain = \"a b\"",
        "[limits]\ndomain = \"@\"",
        "[limits]\nmemlock = \"-1\"",
        "[limits]\nrtprio = 100",
        "name = \"a\\nb\"",
        "description = \"a\\nb\"",
        "name = 1",
    ] {
        let error = refused(bad);
        assert!(
            error.starts_with("/etc/hftune/profile.toml:"),
            "{bad}: {error}"
        );
    }
}

#[test]
fn profiles_that_extend_one_another_are_refused() {
    let circle = [
        ("profile.toml", "extends = \"a.toml\""),
        ("a.toml", "\nextends = \"../hftune/./profile.toml\""),
    ];
    insta::assert_snapshot!(refused_files(&circle), @r#"
    /etc/hftune/a.toml:2: it extends /etc/hftune/profile.toml, which leads back to it
    remove one of the extends lines
    "#);

    let names: Vec<String> = (0..9).map(|i| format!("p{i}.toml")).collect();
    let texts: Vec<String> = (1..10)
        .map(|i| format!("extends = \"p{i}.toml\""))
        .collect();
    let mut files: Vec<(&str, &str)> = names
        .iter()
        .map(String::as_str)
        .zip(texts.iter().map(String::as_str))
        .collect();
    files.push(("p9.toml", ""));
    files.push(("profile.toml", "extends = \"p0.toml\""));
    assert!(refused_files(&files).contains("more than 8 profiles"));
}

#[test]
fn an_error_in_a_base_names_the_base() {
    let files = [
        ("profile.toml", "extends = \"site.toml\""),
        ("site.toml", "\n\n[power]\ngovernor = 3\n"),
    ];
    assert!(refused_files(&files).starts_with("/etc/hftune/site.toml:4: "));
}

#[test]
fn odd_files_are_refused() {
    let live = |path: &Path| seen(&load(&Root::live(), Some(path), &[]).expect_err("is refused"));
    let (dir, root) = machine(&[("open.toml", ""), ("big.toml", &"#\n".repeat(600 << 10))]);
    root.make_dirs("/etc/hftune/dir.toml", 0o755)
        .expect("directory");
    root.write_link("/etc/hftune/loop.toml", "loop.toml")
        .expect("link");
    root.write_link("/etc/hftune/link.toml", "open.toml")
        .expect("link");
    let at = |name: &str| dir.path().join("etc/hftune").join(name);
    assert!(live(&at("none.toml")).contains("there is no such file"));
    assert!(live(&at("dir.toml")).contains("not a regular file"));
    assert!(live(&at("loop.toml")).contains("in a circle"));
    assert!(live(&at("big.toml")).contains("at most 1024"));
    assert!(live(Path::new("/dev/zero")).contains("not a regular file"));
    assert!(load(&Root::live(), Some(&at("link.toml")), &[]).is_ok());

    let everyone = hftune_sys::write::Metadata {
        mode: 0o666,
        ..root
            .metadata("/etc/hftune/open.toml")
            .expect("stat")
            .expect("exists")
    };
    root.write_atomic("/etc/hftune/open.toml", b"", &everyone)
        .expect("file");
    assert!(live(&at("open.toml")).contains("chmod go-w"));
    root.write_atomic(
        "/etc/hftune/open.toml",
        b"\xff\n",
        &root
            .metadata("/etc/hftune/big.toml")
            .expect("stat")
            .expect("exists"),
    )
    .expect("file");
    assert!(live(&at("open.toml")).contains("not text"));
}

#[test]
fn options_are_checked_and_named() {
    let (_dir, root) = machine(&[]);
    let refused = |text: &str| {
        let error = parse_override(text)
            .and_then(|option| load(&root, None, &[option]))
            .expect_err("is refused");
        assert_eq!(error.exit_code(), 2, "{error}");
        seen(&error)
    };
    insta::assert_snapshot!(refused("thp.enabled"), @r#"
    "thp.enabled" sets nothing
    write KEY=VALUE, like thp.enabled=madvise
    "#);
    insta::assert_snapshot!(refused("thp.enabled=of"), @r#"thp.enabled: "of" is not a mode: expected "always", "madvise", "never" or "keep""#);
    insta::assert_snapshot!(refused("thp.enabeld=never"), @r#"
    thp.enabeld: unknown key "enabeld": expected enabled, defrag
    did you mean "enabled"?
    "#);
    insta::assert_snapshot!(refused("cpus.housekeeping=7-2"), @r#"cpus.housekeeping: "7-2" is not a CPU list: "7-2" runs backwards"#);
    insta::assert_snapshot!(refused("sysctl.vm..x=1"), @r#"sysctl.vm..x: "vm..x" is not the name of a sysctl: expected one like vm.swappiness"#);
    insta::assert_snapshot!(refused("=1"), @r#"
    "" is not a key of a profile
    hftune profile show lists the keys
    "#);
}

proptest! {
    #[test]
    fn never_panics(text in "[\\[\\]a-z.=\"\n# {}0-9,-]{0,120}") {
        let _ = layer::parse(&text, Path::new("x"));
        let _ = parse_override(&text);
    }

    #[test]
    fn nearly_right_profiles_never_panic(at in 0usize..4000, junk in "\\PC{0,4}") {
        let text = BUILT_IN[0].1;
        let at = (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        let _ = layer::parse(&format!("{}{junk}{}", &text[..at], &text[at..]), Path::new("x"));
    }

    #[test]
    fn what_a_layer_says_is_what_the_profile_has(swappiness in any::<i64>(), rtprio in -1..=99i32, pages in 0u64..1 << 40) {
        let text = format!("[sysctl]\nvm.swappiness = {swappiness}\n[limits]\nrtprio = {rtprio}\n[hugepages]\ncount = {pages}\n");
        let profile = loaded(&[("profile.toml", &text)]).profile;
        prop_assert_eq!(&profile.sysctl[&"vm.swappiness".parse().unwrap()], &SysctlValue::Number(swappiness));
        prop_assert_eq!(profile.limits.rtprio, rtprio);
        prop_assert_eq!(profile.hugepages.count, pages);
    }
}

#[test]
fn the_section_that_is_nearest_to_a_port_wins() {
    use hftune_model::host::Nic as Port;
    use hftune_model::profile::nic::Wanted;

    let text = "[nic]\nports = [\"ens1f0\"]\n[nic.all]\nring-rx = 2048\n[nic.driver.i40e]\nring-tx = \"max\"\n\
                [nic.pci.\"0000:3b:00.0\"]\nring-rx = 1024\npause-rx = false\n[nic.port.\"a.b\"]\nring-rx = 512\neee = false\n";
    let resolved = loaded(&[("profile.toml", text)]);
    assert!(
        resolved
            .origins
            .contains_key("nic.pci.0000:3b:00.0.ring-rx")
    );
    let port = |name: &str, driver: &str, address: &str| Port {
        name: name.to_owned(),
        driver: Some(driver.to_owned()),
        pci_address: Some(address.to_owned()),
        ..Port::default()
    };
    let wanted = |port: &Port, knob: &str| {
        let wanted = resolved.profile.nic.of(port);
        wanted.get(&knob.parse().expect("knob")).copied()
    };
    let other = port("ens9", "igb", "0000:3c:00.0");
    assert_eq!(wanted(&other, "ring-rx"), Some(Wanted::Number(2048)));
    assert_eq!(wanted(&other, "ring-tx"), Some(Wanted::Number(4096)));
    assert_eq!(wanted(&other, "pause-rx"), None);
    let near = port("a.b", "i40e", "0000:3b:00.0");
    assert_eq!(wanted(&near, "ring-rx"), Some(Wanted::Number(512)));
    assert_eq!(wanted(&near, "ring-tx"), Some(Wanted::Most));
    assert_eq!(wanted(&near, "pause-rx"), Some(Wanted::Switch(false)));
    assert_eq!(wanted(&near, "eee"), Some(Wanted::Switch(false)));
}

#[test]
fn what_no_port_can_be_set_to_is_refused_with_its_line() {
    for (text, line, expected) in [
        ("[nic.all]\nring-rxx = 1\n", 2, "did you mean \"ring-rx\"?"),
        (
            "[nic.all]\nring-rx = 0\n",
            2,
            "a whole number, \"max\" or \"keep\"",
        ),
        ("[nic.all]\nfeature-gro = 1\n", 2, "true, false or \"keep\""),
        (
            "[nic.all]\ncoalesce-rx-usecs = \"max\"\n",
            2,
            "not negative",
        ),
        ("[nic]\nports = [\"a/b\"]\n", 2, "is no port"),
        ("[nic.pci.\"3b:00.0\"]\nring-rx = 1\n", 1, "domain and all"),
        ("[nic.port.\"a b\"]\nring-rx = 1\n", 1, "is not the name"),
    ] {
        let error = refused(text);
        assert!(
            error.contains(expected) && error.contains(&format!("profile.toml:{line}:")),
            "{text}\n{error}"
        );
    }
}
