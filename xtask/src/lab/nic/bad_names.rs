//! What is no port: hftune must say which name it means, leave everything as it is, and go on with the ports that there are.

use super::super::scenario::Scenario;
use super::super::steps::hftune;
use super::guest_ports::GuestPorts;
use crate::progress::say;
use anyhow::Result;

/// Interfaces that the guest has, with no device behind them; each is made for the test.
const VIRTUAL: [&str; 4] = ["bond9", "vlan9", "bridge9", "dummy9"];

/// Names that are none. Of a name that cannot be printed as it is, a part that is seen.
const NO_NAMES: [(&str, &str); 12] = [
    ("nope0", "nope0"),
    ("lo", "lo"),
    ("a/b", "a/b"),
    ("a b", "a b"),
    ("$(reboot)", "$(reboot)"),
    ("sixteen-bytes-16", "sixteen-bytes-16"),
    ("..", ".."),
    (".", "."),
    ("../ens1", "../ens1"),
    ("a\nb", "b"),
    ("tune;reboot", "tune;reboot"),
    ("%s", "%s"),
];

/// Tries them one by one, and one together with a port.
pub fn check(scenario: &mut Scenario, ports: &GuestPorts) -> Result<()> {
    say("names that are no ports");
    let (port, _) = ports.of_model("e1000e")?;
    scenario.control().read(&format!(
        "ip link add bond9 type bond && ip link add bridge9 type bridge && ip link add dummy9 type dummy && \
         ip link add link {port} name vlan9 type vlan id 9"
    ))?;
    let before = transactions(scenario)?;
    for name in VIRTUAL {
        refused(scenario, &quoted(name), name, name)?;
    }
    for (name, seen) in NO_NAMES {
        refused(scenario, &quoted(name), name, seen)?;
    }
    refused(scenario, "-- -h", "-h", "-h")?;
    refused(scenario, "''", "an empty name", "")?;
    no_port_at_all(scenario)?;

    let counts = ports.carrier_changes(scenario.control())?;
    let answer = hftune(scenario, &format!("nic tune --yes nope0 {port}"))?;
    scenario.checks.that(
        "nic tune of a port and of a name that is none",
        answer.code == Some(1) && answer.stderr.contains("nope0") && answer.stdout.contains(port),
        "exit code 1, nope0 on standard error, the port on standard output",
        format!("{:?}: {}", answer.code, answer.stderr.trim()),
    );
    scenario.checks.equal(
        "links that came or went meanwhile",
        &ports.carrier_changes(scenario.control())?,
        &counts,
    );
    scenario.checks.equal(
        "/var/lib/hftune/transactions after names that are no ports",
        &transactions(scenario)?[..],
        &before,
    );
    // Their modules go too: the kernel makes a bond with its module.
    scenario.control().read(
        "for name in vlan9 dummy9 bridge9 bond9; do ip link delete $name; done; modprobe -r bonding 8021q bridge dummy",
    )?;
    Ok(())
}

fn refused(scenario: &mut Scenario, words: &str, name: &str, seen: &str) -> Result<()> {
    let answer = hftune(scenario, &format!("nic tune --yes {words}"))?;
    scenario.checks.that(
        format!("nic tune {name:?}"),
        matches!(answer.code, Some(1 | 2))
            && answer.stdout.is_empty()
            && !answer.stderr.trim().is_empty()
            && answer.stderr.contains(seen),
        "exit code 1 or 2, the name on standard error, and nothing on standard output",
        format!(
            "{:?}: {}{}",
            answer.code,
            answer.stdout.trim(),
            answer.stderr.trim()
        ),
    );
    Ok(())
}

/// Neither a port nor `--all`, or both.
fn no_port_at_all(scenario: &mut Scenario) -> Result<()> {
    for words in ["", "--all lo"] {
        let answer = hftune(scenario, &format!("nic tune --yes {words}"))?;
        scenario.checks.that(
            format!("nic tune {words:?} exits with"),
            answer.code == Some(2),
            "2",
            format!("{:?}: {}", answer.code, answer.stderr.trim()),
        );
    }
    Ok(())
}

fn transactions(scenario: &Scenario) -> Result<String> {
    scenario
        .control()
        .read("ls -lR --time-style=full-iso /var/lib/hftune/transactions")
}

/// One word for the guest's shell.
fn quoted(name: &str) -> String {
    format!("'{}'", name.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_for_the_shell() {
        assert_eq!(quoted("$(reboot)"), "'$(reboot)'");
        assert_eq!(quoted("a'b"), r"'a'\''b'");
    }
}
