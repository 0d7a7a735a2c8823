//! Network ports as targets: what a driver holds of one, read and set over netlink or by ioctl.

use std::thread::sleep;
use std::time::{Duration, Instant};

use hftune_model::ethtool::{Port, Told};
use hftune_model::host::Nic;
use hftune_model::names::IfName;
use hftune_model::port_change::PortChange;
use hftune_model::transaction::Outcome;
use hftune_model::{Error, Kind, Result};
use hftune_sys::ethtool::{Answer, Ethtool, Request};
use hftune_sys::{Reader, Root};

use crate::host;

/// How long a driver may take until it tells what it was set to.
const SETTLE: Duration = Duration::from_secs(1);
/// How long a link may take to come back: a speed is negotiated, and the other end learns of it.
const LINK: Duration = Duration::from_secs(10);
/// How long is waited between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// How often a port that is busy is asked.
const TRIES: usize = 5;

/// What stands for a port in the key of a target: its device, which keeps its identity when the interface is renamed.
fn is(nic: &Nic, id: &str) -> bool {
    match &nic.device {
        Some(device) => device == id,
        None => nic.name == id,
    }
}

/// The port that a key means, by the name that it has now.
pub fn find(root: &Root, id: &str) -> Result<Nic> {
    if !root.is_live() {
        return Err(Error::new(
            Kind::Missing,
            "there are no ports in a directory tree",
        ));
    }
    let (nics, _) = host::nics(&Reader::new(root));
    let nic = nics
        .iter()
        .find(|nic| is(nic, id))
        .or_else(|| nics.iter().find(|nic| nic.name == id));
    nic.cloned()
        .ok_or_else(|| Error::new(Kind::Missing, format!("the port {id} is gone")))
}

/// The present values of what a change names.
pub fn now(root: &Root, id: &str, like: &PortChange) -> Result<PortChange> {
    let name: IfName = find(root, id)?.name.parse()?;
    read(&mut Ethtool::connect()?, &name, like)
}

fn read(ethtool: &mut Ethtool, name: &IfName, like: &PortChange) -> Result<PortChange> {
    fn told<T: Request>(ethtool: &mut Ethtool, name: &IfName) -> Result<Told<T>> {
        Ok(match ethtool.get(name)? {
            Answer::Told(value) => Told::Value(value),
            Answer::Unsupported(_) => Told::Unsupported,
        })
    }
    let mut port = Port::default();
    match like {
        PortChange::Channels(_) => port.channels = told(ethtool, name)?,
        PortChange::Rings(_) => port.rings = told(ethtool, name)?,
        PortChange::Flags(_) => port.flags = told(ethtool, name)?,
        PortChange::Features(_) => port.features = told(ethtool, name)?,
        PortChange::Pause(_) => port.pause = told(ethtool, name)?,
        PortChange::Eee(_) => port.eee = told(ethtool, name)?,
        PortChange::Adaptive(_) | PortChange::Coalesce(_) => port.coalesce = told(ethtool, name)?,
    }
    like.now(&port).ok_or_else(|| {
        Error::new(
            Kind::Missing,
            format!("{name} does not tell its {}", like.word()),
        )
    })
}

/// Sets what differs, and reads it back when the driver has settled and the link, if there was one, is back.
///
/// Values that are there already are not written: many drivers take the link down for a request that changes nothing.
pub fn set(root: &Root, id: &str, change: &PortChange) -> Outcome {
    match try_set(root, id, change) {
        Ok(outcome) => outcome,
        // Other ports go on.
        Err(e) => Outcome::Refused {
            why: e.in_one_line(),
        },
    }
}

fn try_set(root: &Root, id: &str, change: &PortChange) -> Result<Outcome> {
    let name: IfName = find(root, id)?.name.parse()?;
    let mut ethtool = Ethtool::connect()?;
    let before = read(&mut ethtool, &name, change)?;
    if before == *change {
        return Ok(Outcome::Made);
    }
    let had_link = has_link(root, &name);
    match write(&mut ethtool, &name, change)? {
        Answer::Told(_) => {}
        Answer::Unsupported(why) => {
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            return Ok(Outcome::Refused {
                why: format!(
                    "the driver of {name} does not set its {}{why}",
                    change.word()
                ),
            });
        }
    }
    let settled = Instant::now() + SETTLE;
    let mut after = read(&mut ethtool, &name, change);
    while after.as_ref() != Ok(change) && Instant::now() < settled {
        sleep(PAUSE);
        after = read(&mut ethtool, &name, change);
    }
    let back = Instant::now() + LINK;
    while had_link && !has_link(root, &name) && Instant::now() < back {
        sleep(PAUSE);
    }
    let after = after?;
    Ok(if after == *change {
        Outcome::Made
    } else if after == before {
        Outcome::Refused {
            why: format!("the driver of {name} took it and left {}", after.shown()),
        }
    } else {
        Outcome::Rounded { got: after.shown() }
    })
}

fn write(ethtool: &mut Ethtool, name: &IfName, change: &PortChange) -> Result<Answer<Vec<String>>> {
    let mut write = || match change {
        PortChange::Channels(channels) => ethtool.set(name, channels),
        PortChange::Rings(rings) => ethtool.set(name, rings),
        PortChange::Flags(flags) => ethtool.set(name, flags),
        PortChange::Features(features) => ethtool.set(name, features),
        PortChange::Pause(pause) => ethtool.set(name, pause),
        PortChange::Eee(eee) => ethtool.set(name, eee),
        PortChange::Adaptive(coalesce) | PortChange::Coalesce(coalesce) => {
            ethtool.set(name, coalesce)
        }
    };
    for _ in 1..TRIES {
        match write() {
            // A driver that is resetting its card says so, and is done in a moment.
            Err(e) if e.kind == Kind::Busy => sleep(PAUSE * 4),
            done => return done,
        }
    }
    write()
}

/// Whether the link is up. EINVAL while the interface is down.
fn has_link(root: &Root, name: &IfName) -> bool {
    root.read_text(format!("/sys/class/net/{name}/carrier"))
        .is_ok_and(|text| text.trim() == "1")
}

/// How often the link came and went since the device appeared; `None` where nobody counts.
pub fn carrier_changes(root: &Root, name: &str) -> Option<u64> {
    let text = root.read_text(format!("/sys/class/net/{name}/carrier_changes"));
    text.ok()?.trim().parse().ok()
}

/// The names of the ports that there are.
pub fn names(root: &Root) -> Vec<IfName> {
    let (nics, _) = host::nics(&Reader::new(root));
    nics.iter()
        .filter_map(|nic| nic.name.parse().ok())
        .collect()
}
