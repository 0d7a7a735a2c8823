//! Other tools that set what the profile sets: each with configuration that conflicts and with configuration that does
//! not.

mod machine;

use machine::{Machine, setting};
use serde_json::Value;

const GOVERNOR: &str = "power/governor";

/// A Debian server on which the profile was set up before the rival came.
fn set_up() -> Machine {
    let machine = Machine::debian();
    machine.run(&["setup", "--yes"]);
    machine
}

/// A rival that is installed and starts at boot.
fn enable(machine: &Machine, unit: &str) {
    let file = format!("/usr/lib/systemd/system/{unit}");
    machine.file(&file, "[Service]\n");
    let link = format!("/etc/systemd/system/multi-user.target.wants/{unit}");
    machine.link(&link, &file);
}

fn verify(machine: &Machine) -> Value {
    machine.run(&["verify", "--json"]).json()
}

fn texts(value: &Value) -> Vec<&str> {
    let texts = value.as_array().expect("a list").iter();
    texts.map(|text| text.as_str().expect("text")).collect()
}

#[track_caller]
fn has(texts: &[&str], part: &str) {
    assert!(
        texts.iter().any(|text| text.contains(part)),
        "no \"{part}\" in {texts:#?}"
    );
}

/// The setting is overridden by what these words name, in verify and in the plan, and the fix is this.
#[track_caller]
fn overridden(machine: &Machine, id: &str, reason: &str, fix: &str) {
    let report = machine.run(&["verify", "--json"]).expect(3).json();
    let found = setting(&report, id);
    assert_eq!(found["verdict"], "overridden", "{found:#}");
    let told = found["reason"].as_str().expect("reason");
    assert!(told.contains(reason), "no \"{reason}\" in {told}");
    assert_eq!(found["fix"], fix);
    let plan = machine.run(&["plan", "--json"]).json();
    has(&texts(&plan["warnings"]), reason);
    has(&texts(&plan["warnings"]), fix);
}

/// The setting is ok, and there is a note with these words, in verify and in the plan.
#[track_caller]
fn noted(machine: &Machine, id: &str, note: &str) {
    let report = verify(machine);
    assert_eq!(
        setting(&report, id)["verdict"],
        "ok",
        "{:#}",
        setting(&report, id)
    );
    has(&texts(&report["notes"]), note);
    let plan = machine.run(&["plan", "--json"]).json();
    has(&texts(&plan["warnings"]), note);
    let human = machine.run(&["verify"]).stdout;
    assert!(human.contains("Other tools, no findings"), "{human}");
}

#[test]
fn a_stock_host_has_no_notes() {
    let machine = set_up();
    assert_eq!(verify(&machine)["notes"], serde_json::json!([]));
    assert_eq!(setting(&verify(&machine), GOVERNOR)["verdict"], "ok");
}

#[test]
fn cpupower_sets_another_governor() {
    let machine = set_up();
    enable(&machine, "cpupower.service");
    let opts = "CPUPOWER_START_OPTS=\"frequency-set -g ondemand\"\n";
    machine.file("/etc/sysconfig/cpupower", opts);
    overridden(
        &machine,
        GOVERNOR,
        "cpupower.service sets it to ondemand (CPUPOWER_START_OPTS, /etc/sysconfig/cpupower:1)",
        "systemctl disable --now cpupower.service && hftune setup",
    );
}

#[test]
fn cpupower_sets_the_same_governor() {
    let machine = set_up();
    enable(&machine, "cpupower.service");
    machine.file("/etc/default/cpupower", "# x\ngovernor='performance'\n");
    noted(
        &machine,
        GOVERNOR,
        "cpupower.service is active, and sets as the profile does: power/governor (governor, /etc/default/cpupower:2)",
    );
}

#[test]
fn a_rival_that_neither_runs_nor_starts_is_left_unsaid() {
    let machine = set_up();
    machine.file("/usr/lib/systemd/system/cpupower.service", "");
    machine.file("/etc/default/cpupower", "governor='powersave'\n");
    let report = verify(&machine);
    assert_eq!(setting(&report, GOVERNOR)["verdict"], "ok");
    assert_eq!(report["notes"], serde_json::json!([]));
}

#[test]
fn tlp_by_its_last_file() {
    let machine = set_up();
    enable(&machine, "tlp.service");
    machine.file("/usr/share/tlp/defaults.conf", "TLP_ENABLE=1\n");
    machine.file(
        "/etc/tlp.d/10-x.conf",
        "CPU_SCALING_GOVERNOR_ON_AC=powersave\n",
    );
    overridden(
        &machine,
        GOVERNOR,
        "tlp.service sets it to powersave (CPU_SCALING_GOVERNOR_ON_AC, /etc/tlp.d/10-x.conf:1) at the end of every boot",
        "systemctl disable --now tlp.service && hftune setup",
    );
    machine.file("/etc/tlp.conf", "CPU_SCALING_GOVERNOR_ON_AC=performance\n");
    noted(
        &machine,
        GOVERNOR,
        "tlp.service is active, and sets as the profile does",
    );
    machine.file("/etc/tlp.conf", "TLP_ENABLE=0\n");
    noted(
        &machine,
        GOVERNOR,
        "tlp.service is active, and sets nothing that the profile sets",
    );
}

#[test]
fn tlp_and_the_energy_bias() {
    let machine = Machine::debian();
    machine.remove("/sys/devices/system/cpu/cpufreq/policy0/scaling_driver");
    for cpu in 0..8 {
        let cpu = format!("/sys/devices/system/cpu/cpu{cpu}");
        machine.remove(&format!("{cpu}/cpufreq/scaling_driver"));
        machine.file(&format!("{cpu}/power/energy_perf_bias"), "6\n");
    }
    machine.run(&["setup", "--yes"]);
    enable(&machine, "tlp.service");
    let file = "/usr/share/tlp/defaults.conf";
    machine.file(file, "CPU_ENERGY_PERF_POLICY_ON_AC=balance_performance\n");
    overridden(
        &machine,
        "power/energy_bias",
        "tlp.service sets it to 4 (CPU_ENERGY_PERF_POLICY_ON_AC, /usr/share/tlp/defaults.conf:1)",
        "systemctl disable --now tlp.service && hftune setup",
    );
    machine.file(
        "/etc/tlp.conf",
        "CPU_ENERGY_PERF_POLICY_ON_AC=performance\n",
    );
    noted(
        &machine,
        "power/energy_bias",
        "tlp.service is active, and sets as the profile does",
    );
}

#[test]
fn power_profiles_daemon_writes_powersave_where_the_driver_has_preferences() {
    let machine = set_up();
    enable(&machine, "power-profiles-daemon.service");
    machine.file(
        "/var/lib/power-profiles-daemon/state.ini",
        "[State]\nDriver=intel_pstate\nProfile=balanced\n",
    );
    overridden(
        &machine,
        GOVERNOR,
        "power-profiles-daemon.service sets it to powersave (profile balanced, /var/lib/power-profiles-daemon/state.ini:3)",
        "systemctl disable --now power-profiles-daemon.service && hftune setup",
    );
}

#[test]
fn power_profiles_daemon_leaves_a_driver_without_preferences() {
    let machine = Machine::debian();
    machine.file(
        "/sys/devices/system/cpu/cpufreq/policy0/scaling_driver",
        "acpi-cpufreq\n",
    );
    for cpu in 0..8 {
        machine.file(
            &format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_driver"),
            "acpi-cpufreq\n",
        );
    }
    machine.run(&["setup", "--yes"]);
    enable(&machine, "power-profiles-daemon.service");
    noted(
        &machine,
        GOVERNOR,
        "power-profiles-daemon.service is active, and sets nothing",
    );
}

#[test]
fn auto_cpufreq_on_the_mains() {
    let machine = set_up();
    enable(&machine, "auto-cpufreq.service");
    noted(
        &machine,
        GOVERNOR,
        "power/governor ([charger] governor, its default)",
    );
    let text = "[battery]\ngovernor = powersave\n[charger]\ngovernor = schedutil\n";
    machine.file("/etc/auto-cpufreq.conf", text);
    overridden(
        &machine,
        GOVERNOR,
        "auto-cpufreq.service sets it to schedutil ([charger] governor, /etc/auto-cpufreq.conf:4) every few seconds",
        "systemctl disable --now auto-cpufreq.service && hftune setup",
    );
}

#[test]
fn services_beside_the_profile_are_notes_and_numad_is_a_finding() {
    let machine = set_up();
    for unit in ["thermald.service", "ksm.service", "ksmtuned.service"] {
        enable(&machine, unit);
    }
    noted(
        &machine,
        GOVERNOR,
        "systemctl disable --now ksmtuned.service",
    );
    noted(&machine, GOVERNOR, "thermald.service lowers the clock");
    enable(&machine, "numad.service");
    let report = verify(&machine);
    let numad = setting(&report, "services/numad");
    assert_eq!(numad["verdict"], "overridden");
    assert_eq!(numad["fix"], "systemctl disable --now numad.service");
}

/// tuned with its stock profile for throughput, in short.
fn tuned(machine: &Machine, profile: &str) {
    enable(machine, "tuned.service");
    machine.file("/etc/tuned/active_profile", "test\n");
    machine.file("/usr/lib/tuned/test/tuned.conf", profile);
}

#[test]
fn tuned_overrides_what_it_does_not_apply_again() {
    let machine = set_up();
    let profile = "[main]\nsummary=x\n[vm]\ntransparent_hugepages=always\n[cpu]\ngovernor=performance\n\
                   [sysctl]\nvm.swappiness=10\n[script]\nscript=${i:PROFILE_DIR}/script.sh\n\
                   [bootloader]\ncmdline=skew_tick=1\n[scheduler]\nisolated_cores=4-7\n";
    tuned(&machine, profile);
    overridden(
        &machine,
        "thp/enabled",
        "tuned.service sets it to always ([vm] transparent_hugepages, /usr/lib/tuned/test/tuned.conf:4) whenever",
        "tuned-adm off && systemctl disable --now tuned.service && hftune setup",
    );
    for note in [
        "sysctl/vm.swappiness to 10 instead of 0 ([sysctl] vm.swappiness, /usr/lib/tuned/test/tuned.conf:8), and then applies",
        "tuned runs /usr/lib/tuned/test/script.sh",
        "tuned has boot arguments of its own (/usr/lib/tuned/test/tuned.conf:12)",
        "off the CPUs 4-7, while the profile isolates 2-7",
    ] {
        noted(&machine, "sysctl/vm.swappiness", note);
    }
    noted(&machine, GOVERNOR, "/etc/sysctl.d/99-hft.conf wins");
    machine.file("/etc/tuned/tuned-main.conf", "reapply_sysctl = 0\n");
    overridden(
        &machine,
        "sysctl/vm.swappiness",
        "tuned.service sets it to 10",
        "tuned-adm off && systemctl disable --now tuned.service && hftune setup",
    );
}

#[test]
fn tuned_with_the_same_values_is_harmless() {
    let machine = set_up();
    tuned(
        &machine,
        "[vm]\ntransparent_hugepages=never\n[cpu]\ngovernor=performance|ondemand\n[sysctl]\nnet.core.rmem_max=>1000\n",
    );
    noted(
        &machine,
        "thp/enabled",
        "tuned.service is active, and sets as the profile does: ",
    );
    let report = verify(&machine);
    let settings = report["settings"].as_array().expect("settings");
    assert!(
        settings
            .iter()
            .all(|setting| setting["id"] != "services/tuned")
    );
}

#[test]
fn tuned_whose_profile_is_not_known_is_no_pass() {
    let machine = set_up();
    enable(&machine, "tuned.service");
    for (active, why) in [
        ("gone\n", "there is no profile gone"),
        ("\n", "names no profile"),
    ] {
        machine.file("/etc/tuned/active_profile", active);
        let report = verify(&machine);
        let tuned = setting(&report, "services/tuned");
        assert_eq!(tuned["verdict"], "unknown");
        assert!(
            tuned["reason"].as_str().expect("reason").contains(why),
            "{tuned:#}"
        );
    }
    machine.file("/etc/tuned/active_profile", "bad\n");
    std_write(
        &machine,
        "/usr/lib/tuned/bad/tuned.conf",
        b"[vm]\n\xff\xfe\x00\n",
    );
    let report = verify(&machine);
    assert_eq!(setting(&report, "services/tuned")["verdict"], "unknown");
    let host = machine.run(&["host", "--json"]).json();
    has(&texts(&host["unread"]), "/usr/lib/tuned/bad/tuned.conf");
}

#[allow(clippy::disallowed_methods, reason = "tests build trees")]
fn std_write(machine: &Machine, path: &str, bytes: &[u8]) {
    machine.file(path, "");
    std::fs::write(machine.path(path), bytes).expect("write");
}

#[test]
fn later_sysctl_files_are_named_before_setup_and_after() {
    let machine = Machine::debian();
    machine.file("/etc/sysctl.conf", "# x\nvm.swappiness = 60\n");
    machine.link("/etc/sysctl.d/99-sysctl.conf", "../sysctl.conf");
    machine.file(
        "/usr/lib/sysctl.d/zz-vendor.conf",
        "\n\nvm.stat_interval = 1\n",
    );
    machine.file("/etc/sysctl.d/50-early.conf", "net.ipv4.tcp_sack = 1\n");
    for _ in 0..2 {
        overridden(
            &machine,
            "sysctl/vm.swappiness",
            "/etc/sysctl.d/99-sysctl.conf:2 sets it to 60 and wins over /etc/sysctl.d/99-hft.conf",
            "remove line 2 of /etc/sysctl.conf",
        );
        overridden(
            &machine,
            "sysctl/vm.stat_interval",
            "/usr/lib/sysctl.d/zz-vendor.conf:3 sets it to 1",
            "remove line 3 of /usr/lib/sysctl.d/zz-vendor.conf",
        );
        machine.run(&["setup", "--yes"]);
    }
    assert_eq!(
        setting(&verify(&machine), "sysctl/net.ipv4.tcp_sack")["verdict"],
        "ok"
    );
    machine.remove("/etc/sysctl.d/99-sysctl.conf");
    overridden(
        &machine,
        "sysctl/vm.swappiness",
        "/etc/sysctl.conf:2 sets it to 60 whenever \"sysctl --system\" is run",
        "remove line 2 of /etc/sysctl.conf",
    );
}

#[test]
fn ufw_applies_sysctls_of_its_own() {
    let machine = set_up();
    enable(&machine, "ufw.service");
    machine.file("/etc/default/ufw", "IPT_SYSCTL=/etc/ufw/sysctl.conf\n");
    machine.file(
        "/etc/ufw/sysctl.conf",
        "# rp_filter\nnet/ipv4/conf/all/rp_filter=1\nnet/ipv4/tcp_sack=0\n",
    );
    machine.file("/etc/ufw/ufw.conf", "ENABLED=no\n");
    let id = "sysctl/net.ipv4.conf.all.rp_filter";
    assert_eq!(setting(&verify(&machine), id)["verdict"], "ok");
    machine.file("/etc/ufw/ufw.conf", "ENABLED=yes\n");
    overridden(
        &machine,
        id,
        "ufw.service sets it to 1 (IPT_SYSCTL, /etc/ufw/sysctl.conf:2) whenever it starts or is reloaded",
        "remove line 2 of /etc/ufw/sysctl.conf",
    );
    assert_eq!(
        setting(&verify(&machine), "sysctl/net.ipv4.tcp_sack")["verdict"],
        "ok"
    );
}

/// A port with a device behind it.
fn port(machine: &Machine, name: &str, address: &str, driver: &str) {
    let device = format!("/sys/devices/pci0000:3a/{address}");
    machine.file(&format!("{device}/vendor"), "0x15b3\n");
    machine.file(&format!("/sys/bus/pci/drivers/{driver}/x"), "");
    machine.link(
        &format!("{device}/driver"),
        &format!("/sys/bus/pci/drivers/{driver}"),
    );
    machine.file(
        &format!("{device}/net/{name}/address"),
        "b8:ce:f6:00:00:01\n",
    );
    machine.link(
        &format!("{device}/net/{name}/device"),
        &format!("../../../{address}"),
    );
    machine.link(
        &format!("/sys/class/net/{name}"),
        &format!("../../devices/pci0000:3a/{address}/net/{name}"),
    );
}

#[test]
fn network_manager_owns_what_its_connections_set() {
    let machine = set_up();
    machine.file(
        "/etc/NetworkManager/system-connections/Trading A.nmconnection",
        "[connection]\nid=Trading A\ninterface-name=ens1f0\n[802-1x]\npassword=hunter2\n\
         [ethtool]\nring-rx=512\nfeature-gro=true\n",
    );
    machine.file(
        "/etc/NetworkManager/system-connections/plain.nmconnection",
        "[connection]\nid=plain\ninterface-name=ens1f1\n[ipv4]\nmethod=auto\n",
    );
    let host = machine.run(&["host", "--json"]).json();
    let settings = host["port_settings"].as_array().expect("settings");
    assert_eq!(settings.len(), 2, "{settings:#?}");
    assert_eq!(settings[0]["knob"], "ring-rx");
    assert_eq!(settings[0]["owner"], "network-manager");
    assert_eq!(settings[0]["line"], 7);
    assert_eq!(
        verify(&machine)["notes"],
        serde_json::json!([]),
        "it does not run"
    );

    enable(&machine, "NetworkManager.service");
    let code = machine.run(&["verify", "--json"]).code;
    noted(
        &machine,
        GOVERNOR,
        "ens1f0: NetworkManager sets ring-rx=512, feature-gro=true \
         (/etc/NetworkManager/system-connections/Trading A.nmconnection:7,8) at every activation",
    );
    noted(
        &machine,
        GOVERNOR,
        "nmcli connection modify 'Trading A' ethtool.ring-rx '' ethtool.feature-gro ''",
    );
    assert_eq!(code, machine.run(&["verify", "--json"]).code, "no finding");
    for args in [
        vec!["host"],
        vec!["host", "--json"],
        vec!["plan"],
        vec!["verify"],
    ] {
        let answer = machine.run(&args);
        assert!(!answer.stdout.contains("hunter2") && !answer.stderr.contains("hunter2"));
    }
    assert!(machine.run(&["host"]).stdout.contains("ring-rx=512"));
}

#[test]
fn ethtool_opts_of_rhel_8_are_told() {
    let machine = set_up();
    enable(&machine, "NetworkManager.service");
    machine.file(
        "/etc/sysconfig/network-scripts/ifcfg-ens1f0",
        "DEVICE=ens1f0\nETHTOOL_OPTS=\"-G ${DEVICE} rx 512; -K ens1f0 gro on\"\n",
    );
    machine.file(
        "/etc/sysconfig/network-scripts/keys-ens1f0",
        "KEY=hunter2\n",
    );
    noted(
        &machine,
        GOVERNOR,
        "ens1f0: ETHTOOL_OPTS sets ring-rx=512, feature-gro=on (/etc/sysconfig/network-scripts/ifcfg-ens1f0:2)",
    );
}

#[test]
fn the_first_link_file_that_fits_a_port_is_told() {
    let machine = set_up();
    port(&machine, "ens1f0", "0000:3b:00.0", "mlx5_core");
    port(&machine, "eno1", "0000:3c:00.0", "i40e");
    machine.file(
        "/etc/systemd/network/10-mlx.link",
        "[Match]\nDriver=mlx5_core\n[Link]\nRxBufferSize=1024\n",
    );
    machine.file(
        "/etc/systemd/network/10-mlx.link.d/x.conf",
        "[Link]\nRxBufferSize=8192\n",
    );
    machine.file(
        "/usr/lib/systemd/network/20-off.link",
        "[Match]\nOriginalName=*\n[Link]\nMTUBytes=9000\n",
    );
    machine.file(
        "/usr/lib/systemd/network/99-default.link",
        "[Match]\nOriginalName=*\n[Link]\nGenericReceiveOffload=yes\n",
    );
    noted(
        &machine,
        GOVERNOR,
        "ens1f0: systemd-udevd sets ring-rx=8192 (/etc/systemd/network/10-mlx.link.d/x.conf:2) when the device appears",
    );
    let report = verify(&machine);
    assert_eq!(texts(&report["notes"]).len(), 1, "{:#}", report["notes"]);
    machine.remove("/usr/lib/systemd/network/20-off.link");
    noted(
        &machine,
        GOVERNOR,
        "eno1: systemd-udevd sets feature-gro=yes",
    );
}

#[test]
fn bad_files_are_named_and_nothing_else_suffers() {
    let machine = set_up();
    enable(&machine, "NetworkManager.service");
    enable(&machine, "tlp.service");
    let bad = [
        "/etc/NetworkManager/system-connections/bad.nmconnection",
        "/etc/systemd/network/00-bad.link",
        "/etc/tlp.conf",
        "/etc/sysconfig/network-scripts/ifcfg-bad",
    ];
    for path in bad {
        std_write(
            &machine,
            path,
            b"[ethtool]\nring-rx=1\xff\xfe password=hunter2\n",
        );
    }
    machine.file("/etc/systemd/network/dir.link/x", "");
    let answer = machine.run(&["host", "--json"]).expect(0);
    assert!(!answer.stdout.contains("hunter2"));
    let host = answer.json();
    for path in bad {
        has(&texts(&host["unread"]), path);
    }
    assert_eq!(setting(&verify(&machine), GOVERNOR)["verdict"], "ok");
    has(&texts(&verify(&machine)["notes"]), "00-bad.link");
    // What TLP sets is not known, and that is no pass.
    let report = verify(&machine);
    let tlp = setting(&report, "services/tlp");
    assert_eq!(tlp["verdict"], "unknown");
    assert_eq!(
        tlp["reason"],
        "tlp.service is active, and not all that it sets is known: /etc/tlp.conf cannot be read"
    );
}
