//! What happens to ports that are tuned: cables, and people with ethtool. All must be mended, and no link be taken down more
//! often than the disturbance and its mending need.

use super::super::scenario::Scenario;
use super::super::snapshot::Snapshot;
use super::ethtool_text;
use super::expected;
use super::guest_ports::GuestPorts;
use super::wait::{self, Wanted};
use crate::progress::say;
use anyhow::Result;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a link goes and comes for what takes it down once: down, and up.
const ONCE: u64 = 2;

/// For a value that a driver sets by starting its queues anew: once for the disturbance, and once for its mending.
const BOTH: u64 = 2 * ONCE;

/// Pulls and plugs every cable, and takes every interface down and up.
pub fn links(scenario: &mut Scenario, ports: &GuestPorts, wanted: &Wanted) -> Result<()> {
    let before = ports.carrier_changes(scenario.control())?;
    say("pulling every cable, and plugging it in again");
    for state in ["off", "on"] {
        for (_, card) in ports.iter() {
            scenario
                .guest
                .monitor(&format!("set_link {} {state}", card.id()))?;
        }
        // The guest's drivers look after links once or twice a second.
        std::thread::sleep(Duration::from_secs(3));
    }
    ports.links_up(scenario.control())?;
    mended(scenario, ports, wanted, "a cable pulled", &before, ONCE)?;

    for (what, meanwhile, most) in [
        ("ip link set down and up", "", ONCE),
        // A ring that is set then is there when the interface comes up, and the kernel tells of it before that.
        (
            "a ring set between ip link set down and up",
            "ethtool -G PORT rx 128; ",
            BOTH,
        ),
    ] {
        let before = ports.carrier_changes(scenario.control())?;
        let line = format!("ip link set dev PORT down; {meanwhile}ip link set dev PORT up");
        let lines: Vec<String> = ports
            .names()
            .iter()
            .map(|name| line.replace("PORT", name))
            .collect();
        say(what);
        scenario.control().read(&lines.join("; "))?;
        ports.links_up(scenario.control())?;
        mended(scenario, ports, wanted, what, &before, most)?;
    }
    Ok(())
}

/// How long something that is set again and again is left alone, and more.
const LEFT_ALONE: Duration = Duration::from_secs(90);

/// What somebody does with ethtool: the arguments, `PORT` standing for the port; the models that take them; how often links
/// may come and go until all is well again. hftune leaves the number of channels alone.
const WRONG: [(&str, &[&str], u64); 5] = [
    ("-G PORT rx 128", ALL, BOTH),
    ("-C PORT rx-usecs 50", &["igb", "e1000e"], 0),
    ("-K PORT gro on lro on tso on gso on", ALL, 0),
    ("-L PORT combined 2", &["igb", "virtio-net-pci"], ONCE),
    (
        "-L PORT combined COMBINED",
        &["igb", "virtio-net-pci"],
        ONCE,
    ),
];

const ALL: &[&str] = &["igb", "e1000e", "vmxnet3", "virtio-net-pci"];

/// Sets wrong values, and builds queues anew.
pub fn values(scenario: &mut Scenario, ports: &GuestPorts, wanted: &Wanted) -> Result<()> {
    let tuned = ethtool_text::ask(scenario.control(), &ports.line())?;
    let mut held: Option<Wanted> = None;
    for (arguments, models, most) in WRONG {
        let before = ports.carrier_changes(scenario.control())?;
        let lines: Vec<String> = ports
            .iter()
            .filter(|(_, card)| models.contains(&card.model()))
            .filter_map(|(name, _)| line(arguments, name, &tuned))
            .collect();
        let what = format!("ethtool {arguments}");
        say(&what);
        let seen = scenario.control().read(&lines.join("; "))?;
        // A disturbance that disturbs nothing proves nothing.
        scenario.checks.equal(
            format!("{what}: ports on which ethtool sees a difference"),
            &seen.lines().count(),
            &lines.len(),
        );
        let channels = arguments.contains("combined 2");
        if channels {
            // hftune leaves the number of channels alone: all else is as before.
            held = Some(Wanted::new(
                with_channels(&expected::judged(&tuned), ports, models, "2"),
                ports,
            ));
        } else if arguments.starts_with("-L") {
            held = None;
        }
        mended(
            scenario,
            ports,
            held.as_ref().unwrap_or(wanted),
            &what,
            &before,
            most,
        )?;
    }
    Ok(())
}

/// Sets a wrong value again and again, as another tool would that wants it otherwise. hftune may give in for a while, but not
/// for ever: when nobody sets the port any more, it is tuned again.
pub fn again_and_again(scenario: &mut Scenario, ports: &GuestPorts, wanted: &Wanted) -> Result<()> {
    let (name, _) = ports.of_model("vmxnet3")?;
    say(format!("somebody sets {name} again and again"));
    scenario.control().read(&format!(
        "for time in $(seq 14); do ethtool -K {name} gro on; sleep 1; done; \
         for time in $(seq 4); do ethtool -K {name} gro on; sleep 0.2; done"
    ))?;
    wanted.within(scenario, "set again and again", LEFT_ALONE)
}

/// The command for one port, which prints the port's name if ethtool shows something else then, in the same breath: what
/// mends it is quick. `None` where the port does not have what is to be set.
fn line(arguments: &str, name: &str, tuned: &Snapshot) -> Option<String> {
    // -G sets what -g shows, and so on.
    let show = arguments.split(' ').next()?.to_lowercase();
    let mut line = format!(
        "before=$(ethtool {show} PORT); ethtool {arguments} >/dev/null; [ \"$before\" = \"$(ethtool {show} PORT)\" ] || echo PORT"
    )
    .replace("PORT", name);
    if line.contains("COMBINED") {
        line = line.replace("COMBINED", tuned.get(&format!("{name}/channels/combined"))?);
    }
    // A virtio port of one queue has no two.
    let most = tuned.get(&format!("{name}/channels/combined-max"));
    (!line.contains("combined") || most.is_some_and(|most| most != "1")).then_some(line)
}

fn with_channels(state: &Snapshot, ports: &GuestPorts, models: &[&str], number: &str) -> Snapshot {
    let mut state = state.clone();
    for (name, _) in ports
        .iter()
        .filter(|(_, card)| models.contains(&card.model()))
    {
        if let Some(channels) = state.get_mut(&format!("{name}/channels/combined"))
            && channels != "1"
        {
            *channels = number.to_string();
        }
    }
    state
}

/// Asserts that all is as wanted soon, interrupts included, and that no link came or went more often than `most`.
fn mended(
    scenario: &mut Scenario,
    ports: &GuestPorts,
    wanted: &Wanted,
    what: &str,
    before: &BTreeMap<String, u64>,
    most: u64,
) -> Result<()> {
    wanted.soon(scenario, what)?;
    ports.interrupts_on_housekeeping(scenario, what)?;
    let after = ports.carrier_changes(scenario.control())?;
    let too_often: Vec<&str> = ports
        .names()
        .into_iter()
        .filter(|name| after[*name].saturating_sub(before[*name]) > most)
        .collect();
    scenario.checks.that(
        format!("{what}: how often the links came or went"),
        too_often.is_empty(),
        format!("no more than needed, but for {}", too_often.join(", ")),
        wait::since(before, &after),
    );
    Ok(())
}
