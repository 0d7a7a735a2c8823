//! Scenario `fleet`: two guests, brought from stock to proved by the Ansible collection over ssh; one of them is broken on
//! purpose, one is not like the other for a while, and one host of the inventory is not there.

mod controller;
mod package;
mod python;

use super::checks::Checks;
use super::guest::{Guest, Options};
use super::image::Image;
use super::machine::Clock;
use super::ports::Ports;
use super::snapshot::{self, Snapshot};
use crate::progress::say;
use anyhow::Result;
use controller::{Controller, Run};
use std::fs;
use std::path::Path;

/// The hosts, by their names in the inventory.
const GOOD: &str = "trading-1";
const BROKEN: &str = "trading-2";
const GONE: &str = "trading-3";

/// A unit that undoes a setting after every boot, late: neither plan nor setup can know, the proof after the reboot does.
const SABOTAGE: &str = "/etc/systemd/system/zz-sabotage.service";
const SABOTAGE_UNIT: &str = "[Unit]\nDescription=Sets what somebody wants otherwise\nAfter=systemd-sysctl.service\n\
    [Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo 30 > /proc/sys/vm/swappiness'\n";
const SABOTAGE_LINK: &str = "/etc/systemd/system/multi-user.target.wants/zz-sabotage.service";

/// What exit codes of `ansible-playbook` mean here.
const FINE: i32 = 0;
const HOSTS_FAILED: i32 = 2;

/// Runs the scenario with `binary`; true when every assertion held.
pub fn run(image: &Image, binary: &Path, logs: &Path) -> Result<bool> {
    controller::ensure(logs)?;
    let deb = package::debian(binary, logs)?;
    let python = python::library(logs)?;
    let [mut good, mut broken] = boot_both(image, logs)?;
    let mut checks = Checks::new(logs)?;
    for guest in [&good, &broken] {
        python::install(guest.control(), &python)?;
    }
    let hosts = [(GOOD, &good), (BROKEN, &broken)].map(|(name, guest)| (name, guest.address()));
    let controller = Controller::new(logs, &hosts, GONE)?;
    let stock = [
        snapshot::files(good.control())?,
        snapshot::files(broken.control())?,
    ];
    let static_binary = format!("hftune_binary={}", binary.display());
    let package = format!("hftune_package_file={}", deb.display());

    say("hosts that differ, and one that is not there");
    broken
        .control()
        .read("echo 0 > /sys/devices/system/cpu/cpu7/online")?;
    let run = controller.play("rolling", &[&static_binary, "hftune_hosts=all"])?;
    differing(&mut checks, &run);
    unchanged(&mut checks, "hosts that differ", &good, &broken, &stock)?;
    broken
        .control()
        .read("echo 1 > /sys/devices/system/cpu/cpu7/online")?;

    say("the plan, which changes nothing");
    let run = controller.play("plan", &[&package])?;
    planned(&mut checks, &run);
    unchanged(&mut checks, "the plan", &good, &broken, &stock)?;

    say("a rolling update, with a host that is broken on purpose");
    broken.control().put_text(SABOTAGE_UNIT, SABOTAGE)?;
    broken.control().read(&format!(
        "mkdir -p {0} && ln -s {SABOTAGE} {SABOTAGE_LINK}",
        parent(SABOTAGE_LINK)
    ))?;
    let sabotaged = snapshot::files(broken.control())?;
    let run = controller.play("rolling", &[&package, "hftune_confirm_within=45m"])?;
    reconnect(&mut good, &mut broken)?;
    rolled_back(&mut checks, &run);
    proved(&mut checks, GOOD, &good)?;
    for guest in [&good, &broken] {
        let waiting = guest.control().run("test -e /var/lib/hftune/confirm")?;
        checks.equal("nothing waits to be confirmed", &waiting.code, &Some(1));
    }
    let of_package = broken.control().read("dpkg --listfiles hftune")?;
    checks.same(
        format!("{BROKEN}: files after it was rolled back"),
        &without(sabotaged, &of_package),
        &without(snapshot::files(broken.control())?, &of_package),
    );
    let cmdline = broken.control().read("cat /proc/cmdline")?;
    checks.that(
        format!("{BROKEN}: the running kernel's arguments after it was rolled back"),
        !cmdline.contains("isolcpus"),
        "no isolcpus",
        cmdline.trim(),
    );

    say("the same again, mended");
    broken
        .control()
        .read(&format!("rm {SABOTAGE} {SABOTAGE_LINK}"))?;
    let run = controller.play("rolling", &[&package])?;
    reconnect(&mut good, &mut broken)?;
    checks.equal("mended: exit code", &run.code, &Some(FINE));
    checks.equal(
        format!("mended: {GOOD} changed"),
        &run.count(GOOD, "changed"),
        &Some(0),
    );
    changed(&mut checks, "mended", &run, BROKEN);
    proved(&mut checks, BROKEN, &broken)?;

    say("a last run, which has nothing to do");
    let run = controller.play("rolling", &[&package])?;
    checks.equal("last run: exit code", &run.code, &Some(FINE));
    for host in [GOOD, BROKEN] {
        checks.equal(
            format!("last run: {host} changed"),
            &run.count(host, "changed"),
            &Some(0),
        );
        checks.equal(
            format!("last run: {host} failed"),
            &run.count(host, "failed"),
            &Some(0),
        );
    }
    Ok(checks.finish())
}

fn boot_both(image: &Image, logs: &Path) -> Result<[Guest; 2]> {
    say("booting two stock guests");
    let folders = [GOOD, BROKEN].map(|name| logs.join(name));
    for folder in &folders {
        fs::create_dir_all(folder)?;
    }
    let options = Options {
        keep_changes: false,
        clock: Clock::Host,
        ports: Ports::OfEveryScenario,
    };
    Guest::boot_two(image, [&folders[0], &folders[1]], options)
}

/// The playbooks reboot the guests.
fn reconnect(good: &mut Guest, broken: &mut Guest) -> Result<()> {
    good.reconnect()?;
    broken.reconnect()
}

/// Nothing was changed, and the hosts are named.
fn differing(checks: &mut Checks, run: &Run) {
    let name = "hosts that differ";
    checks.that(
        format!("{name}: exit code"),
        run.code.is_some_and(|code| code != FINE),
        "not 0",
        format!("{:?}", run.code),
    );
    for words in [
        &[BROKEN, "isolated CPUs", "2-6", "2-7"][..],
        &[BROKEN, "CPUs online", "0-6"],
    ] {
        run.says(checks, name, words);
    }
    checks.equal(
        format!("{name}: {GONE} unreachable"),
        &run.count(GONE, "unreachable"),
        &Some(1),
    );
    run.says(checks, name, &[GONE, "UNREACHABLE"]);
    run.says(checks, name, &["Nothing was changed."]);
    for host in [GOOD, BROKEN] {
        checks.equal(
            format!("{name}: {host} changed"),
            &run.count(host, "changed"),
            &Some(0),
        );
    }
}

/// The plan is shown.
fn planned(checks: &mut Checks, run: &Run) {
    checks.equal("the plan: exit code", &run.code, &Some(FINE));
    for words in [
        &["+boot/isolcpus = ", "2-7", "(after a reboot)"][..],
        &["-sysctl/vm.swappiness = 60"],
        &["+sysctl/vm.swappiness = 1", "(at once)"],
        &["housekeeping CPUs 0-1, isolated CPUs 2-7"],
    ] {
        run.says(checks, "the plan", words);
    }
    for host in [GOOD, BROKEN] {
        changed(checks, "the plan", run, host);
    }
}

/// One host is proved, the other one given back.
fn rolled_back(checks: &mut Checks, run: &Run) {
    let name = "with a broken host";
    checks.equal(format!("{name}: exit code"), &run.code, &Some(HOSTS_FAILED));
    checks.equal(
        format!("{name}: {GOOD} failed"),
        &run.count(GOOD, "failed"),
        &Some(0),
    );
    checks.equal(
        format!("{name}: {BROKEN} failed"),
        &run.count(BROKEN, "failed"),
        &Some(1),
    );
    changed(checks, name, run, GOOD);
    run.says(checks, name, &[GOOD, "set up and proved"]);
    run.says(
        checks,
        name,
        &[
            BROKEN,
            "FAILED",
            "rolled back",
            "Prove every setting",
            "sysctl/vm.swappiness",
        ],
    );
}

fn changed(checks: &mut Checks, when: &str, run: &Run, host: &str) {
    let count = run.count(host, "changed");
    checks.that(
        format!("{when}: {host} changed"),
        count.is_some_and(|count| count > 0),
        "some",
        format!("{count:?}"),
    );
}

fn unchanged(
    checks: &mut Checks,
    when: &str,
    good: &Guest,
    broken: &Guest,
    stock: &[Snapshot; 2],
) -> Result<()> {
    for ((host, guest), stock) in [(GOOD, good), (BROKEN, broken)].into_iter().zip(stock) {
        checks.same(
            format!("{when}: files of {host}"),
            stock,
            &snapshot::files(guest.control())?,
        );
        let left = guest
            .control()
            .read("ls -d /var/lib/hftune* 2> /dev/null || :")?;
        checks.equal(format!("{when}: left on {host}"), left.trim(), "");
    }
    Ok(())
}

/// What hftune and the kernel say on the host itself.
fn proved(checks: &mut Checks, host: &str, guest: &Guest) -> Result<()> {
    let answer = guest.control().run("hftune verify")?;
    checks.equal(
        format!("{host}: verify exits with"),
        &answer.code,
        &Some(FINE),
    );
    let isolated = guest
        .control()
        .read("cat /sys/devices/system/cpu/isolated")?;
    checks.equal(format!("{host}: isolated CPUs"), isolated.trim(), "2-7");
    Ok(())
}

/// Without what the package brought: the role does not take hftune itself away again.
fn without(mut files: Snapshot, package: &str) -> Snapshot {
    files.retain(|path, _| !package.lines().any(|of_package| of_package == path));
    files
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("/", |(parent, _)| parent)
}
