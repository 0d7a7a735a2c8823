//! Scenario `package`: the deb is installed, does the main job, will not go while it is needed, is upgraded in the middle of a
//! setup, and leaves nothing.

use super::image::Image;
use super::machine::Clock;
use super::ports::Ports;
use super::scenario::{Scenario, Stock};
use super::snapshot::{self, Snapshot};
use super::steps;
use crate::progress::say;
use crate::tool::Answer;
use anyhow::Result;
use std::path::Path;

/// Where the package is put in the guest: not on its disk, which is compared.
const DEB: &str = "/run/hftune.deb";

/// The other half of the stock state, which installing a package could change: what is on the rest of the disk, which units
/// there are and whether they are enabled, and which packages are installed.
struct Host {
    disk: Snapshot,
    units: String,
    packages: String,
}

/// The package, and the same one with a higher version.
pub struct Packages<'p> {
    /// What is installed first.
    pub deb: &'p Path,
    /// What it is upgraded to.
    pub newer: &'p Path,
    /// The version of that.
    pub newer_version: &'p str,
}

/// Runs the scenario; true when every assertion held.
pub fn run(image: &Image, packages: &Packages, logs: &Path) -> Result<bool> {
    let mut scenario = Scenario::boot(image, logs, Clock::Host, Ports::OfEveryScenario)?;
    // It leaves manuals and documents of packages out.
    scenario.control().read("rm /etc/dpkg/dpkg.cfg.d/lab")?;
    let stock = scenario.record()?;
    let host = host(&scenario)?;

    install(&mut scenario, packages.deb)?;
    changed_nothing_else(&mut scenario, &stock, &host)?;

    steps::plan(&mut scenario)?;
    steps::set_up(&mut scenario, &stock)?;
    calls_the_packaged_binary(&mut scenario)?;
    scenario.reboot("tuned")?;
    steps::verified(&mut scenario, "after the reboot")?;

    stays(&mut scenario)?;
    steps::verified(&mut scenario, "after the refused removal")?;

    steps::roll_back(&mut scenario, &stock)?;
    upgraded_during_setup(&mut scenario, packages)?;
    let answer = steps::hftune(&scenario, "rollback --all --yes")?;
    steps::exits_with_reboot_missing(&mut scenario.checks, "the second rollback", &answer);
    scenario.reboot("stock again")?;

    say("purging the package");
    let answer = scenario.control().run("apt-get purge -y hftune")?;
    scenario
        .checks
        .equal("apt-get purge exits with", &answer.code, &Some(0));
    steps::as_before(&mut scenario, &stock)?;
    as_before(&mut scenario, &host)?;
    scenario.finish()
}

fn host(scenario: &Scenario) -> Result<Host> {
    let control = scenario.control();
    Ok(Host {
        disk: snapshot::everything(control)?,
        // After a reload of all units, on an emulated CPU, systemd takes longer than the usual 25 s to answer.
        units: control
            .read("SYSTEMD_BUS_TIMEOUT=200s systemctl list-unit-files --no-legend --no-pager")?,
        packages: control.read("dpkg-query --show")?,
    })
}

/// Installs it as an operator would, who has the file and no repository.
fn install(scenario: &mut Scenario, deb: &Path) -> Result<()> {
    say("installing the package");
    scenario.control().put(deb, DEB, 0o644)?;
    let answer = scenario
        .control()
        .run(&format!("apt-get install -y {DEB}"))?;
    scenario
        .checks
        .equal("apt-get install exits with", &answer.code, &Some(0));
    let answer = scenario.control().run("dpkg --verify hftune")?;
    let said = format!("{}{}", answer.stdout, answer.stderr);
    scenario.checks.equal("dpkg --verify says", said.trim(), "");
    Ok(())
}

/// Asserts that nothing is different but the files of the package.
fn changed_nothing_else(scenario: &mut Scenario, stock: &Stock, before: &Host) -> Result<()> {
    let after = scenario.record()?;
    scenario.checks.same(
        "files under /etc, /boot and /usr/local after the installation",
        &stock.files,
        &after.files,
    );
    scenario.checks.same(
        "live values after the installation",
        &stock.live,
        &after.live,
    );
    let listed = scenario.control().read("dpkg-query --listfiles hftune")?;
    let mut rest = snapshot::everything(scenario.control())?;
    let mut missing = Vec::new();
    let mut own = 0;
    for path in listed
        .lines()
        .filter(|path| !before.disk.contains_key(*path))
    {
        // The first line of the list is the root.
        if path == "/." {
            continue;
        }
        match rest.remove(path) {
            Some(_) => own += 1,
            None => missing.push(path.to_owned()),
        }
    }
    scenario.checks.that(
        "files that the package brought",
        own > 50 && missing.is_empty(),
        "more than 50, all of them there",
        format!("{own}, missing: {missing:?}"),
    );
    scenario
        .checks
        .same("the rest of the disk", &before.disk, &rest);
    let units = host(scenario)?.units;
    let enabled: Vec<&str> = units
        .lines()
        .filter(|line| !before.units.contains(line) && !line.contains(" disabled "))
        .collect();
    scenario
        .checks
        .equal("new units that are not disabled", &enabled[..], &[]);
    Ok(())
}

/// Asserts that what set-up wrote calls the binary of the package.
fn calls_the_packaged_binary(scenario: &mut Scenario) -> Result<()> {
    let called = scenario
        .control()
        .read("grep -rhos '[^ =\"]*/hftune ' /etc/systemd/system /etc/udev/rules.d /usr/local/bin | sort -u")?;
    let called: Vec<&str> = called.lines().map(str::trim).collect();
    scenario.checks.equal(
        "what units and scripts call",
        &called[..],
        &["/usr/bin/hftune"],
    );
    Ok(())
}

/// Asserts that the package does not go while its changes are in force, and says what to do first.
fn stays(scenario: &mut Scenario) -> Result<()> {
    say("removing the package, which must not work");
    for verb in ["remove", "purge"] {
        let answer = scenario
            .control()
            .run(&format!("apt-get {verb} -y hftune"))?;
        let said = both(&answer);
        scenario.checks.that(
            format!("apt-get {verb} while changes are in force exits with"),
            answer.code.is_some_and(|code| code != 0),
            "a failure",
            format!("{:?}", answer.code),
        );
        scenario.checks.that(
            format!("apt-get {verb} says"),
            said.contains("hftune rollback --all"),
            "hftune rollback --all",
            said.trim(),
        );
        let state = scenario.control().read(
            "dpkg-query --show --showformat='${db:Status-Status}' hftune; dpkg --verify hftune",
        )?;
        scenario
            .checks
            .equal("the package is then", state.trim(), "installed");
    }
    Ok(())
}

/// Asserts that an upgrade in the middle of a setup disturbs neither.
fn upgraded_during_setup(scenario: &mut Scenario, packages: &Packages) -> Result<()> {
    say("upgrading while a setup runs");
    scenario.control().put(packages.newer, DEB, 0o644)?;
    let script = include_str!("scripts/upgrade_during_setup.sh");
    let said = scenario
        .control()
        .script("upgrade_during_setup.sh", script, DEB)?;
    let line = |key: &str| {
        said.lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap_or("nothing")
            .to_owned()
    };
    scenario.checks.equal(
        "dpkg --install meanwhile exits with",
        line("dpkg ").as_str(),
        "0",
    );
    scenario.checks.equal(
        "the setup, still at work then, runs",
        line("runs ").as_str(),
        "/usr/bin/hftune (deleted)",
    );
    let code = line("setup ");
    scenario.checks.that(
        "the setup exits with",
        ["0", "4"].contains(&code.as_str()),
        "0 or 4",
        code,
    );
    let version = scenario
        .control()
        .read("dpkg-query --show --showformat='${Version}' hftune")?;
    scenario
        .checks
        .equal("the version then", version.trim(), packages.newer_version);
    calls_the_packaged_binary(scenario)?;
    // The kernel still has the arguments of the first setup.
    steps::verified(scenario, "by the new version")
}

/// Asserts that the rest of the host is as it was before the package came.
fn as_before(scenario: &mut Scenario, before: &Host) -> Result<()> {
    let after = host(scenario)?;
    scenario.checks.same(
        "the rest of the disk after purging",
        &before.disk,
        &after.disk,
    );
    scenario
        .checks
        .equal("units after purging", &after.units, &before.units);
    scenario
        .checks
        .equal("packages after purging", &after.packages, &before.packages);
    Ok(())
}

fn both(answer: &Answer) -> String {
    format!("{}{}", answer.stdout, answer.stderr)
}
