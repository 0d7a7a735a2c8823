//! Waits until something about a port changes: links of rtnetlink (rtnetlink(7), include/uapi/linux/rtnetlink.h), and the
//! notifications of the ethtool family (Documentation/networking/ethtool-netlink.rst, "Request translation").

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hftune_model::names::IfName;
use hftune_model::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::socket::{Heard, Listener, failed};
use super::wire::{Attributes, Part, parts};
use super::{FAMILY, HEADER, HEADER_NAME};

/// `ETHTOOL_MCGRP_MONITOR_NAME`.
const MONITOR: &str = "monitor";

/// `ETHTOOL_MSG_*_NTF` of features, private flags, rings, channels, coalescing, pause frames and energy-efficient Ethernet.
const NOTIFICATIONS: [u8; 7] = [13, 15, 17, 19, 21, 23, 25];

/// `RTNLGRP_LINK`, `RTM_NEWLINK`, `RTM_DELLINK`.
const LINKS: u32 = 1;
const NEW_LINK: u16 = 16;
const DELETED_LINK: u16 = 17;

/// `struct ifinfomsg` begins such a message: the family in the first byte, the flags from the ninth on, 16 bytes in all.
const LINK_HEADER: usize = 16;
const LINK_FLAGS: usize = 8;
/// `IFLA_IFNAME`, include/uapi/linux/if_link.h.
const LINK_NAME: u16 = 3;
/// `IFF_LOWER_UP`, include/uapi/linux/if.h.
const LOWER_UP: u32 = 1 << 16;

/// Something about a port changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The port is new, has a new name, or something of its link changed; many such events tell nothing new.
    Link {
        /// Its name, which is the new one after a renaming: nothing is said of the old one.
        port: IfName,
        /// Whether its link is up (`IFF_LOWER_UP`).
        carrier: bool,
    },
    /// Someone set its rings, channels, coalescing, features, pause frames, energy-efficient Ethernet or private flags,
    /// over netlink or by ioctl. What a driver changes by itself, as when it resets its card, is not told.
    Changed {
        /// Its name.
        port: IfName,
    },
    /// The port was removed, or moved to another network namespace.
    Gone {
        /// Its name.
        port: IfName,
    },
    /// Events came faster than they were read, and some are lost: look at all ports. What happens from now on is told.
    Lost,
}

/// Waits until something about a port of this process's network namespace changes.
///
/// Only what happens after [`Watch::open`] is told, so that ports are to be looked at after it, not before.
#[derive(Debug)]
pub struct Watch {
    links: Listener,
    /// The number of the ethtool family and its listener; kernels before 5.6 have none.
    changes: Option<(u16, Listener)>,
    found: VecDeque<Event>,
}

impl Watch {
    /// Begins to listen. Where the kernel has no netlink family ethtool, only events of links come.
    pub fn open() -> Result<Self> {
        Ok(Self {
            links: Listener::route(LINKS)?,
            changes: Listener::generic(FAMILY, MONITOR)?,
            found: VecDeque::new(),
        })
    }

    /// Waits for the next event; `None` where none came in that time. Without a time it waits for ever.
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Option<Event>> {
        // A time beyond what the clock can hold is for ever.
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if let Some(event) = self.found.pop_front() {
                return Ok(Some(event));
            }
            if self.hear()? {
                continue;
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            self.wait(left)?;
        }
    }

    /// Takes one datagram of each socket, and tells whether there was any: many tell nothing that is an event here.
    fn hear(&mut self) -> Result<bool> {
        let mut heard = true;
        let mut lost = false;
        match self.links.hear()? {
            Heard::Datagram(datagram) => self.found.extend(link_events(datagram)?),
            Heard::Lost => lost = true,
            Heard::Nothing => heard = false,
        }
        if let Some((family, changes)) = &mut self.changes {
            match changes.hear()? {
                Heard::Datagram(datagram) => {
                    heard = true;
                    self.found.extend(change_events(datagram, *family)?);
                }
                Heard::Lost => lost = true,
                Heard::Nothing => {}
            }
        }
        if lost {
            self.start_anew()?;
        }
        Ok(heard || lost)
    }

    /// Drops what is there: until a socket is empty, the kernel says only once that it drops messages
    /// (`netlink_overrun` and `netlink_rcv_wake`, net/netlink/af_netlink.c).
    fn start_anew(&mut self) -> Result<()> {
        let changes = self.changes.as_mut().map(|(_, changes)| changes);
        for listener in std::iter::once(&mut self.links).chain(changes) {
            while !matches!(listener.hear()?, Heard::Nothing) {}
        }
        self.found.clear();
        self.found.push_back(Event::Lost);
        Ok(())
    }

    fn wait(&self, left: Option<Duration>) -> Result<()> {
        let mut sockets = vec![PollFd::new(&self.links, PollFlags::IN)];
        if let Some((_, changes)) = &self.changes {
            sockets.push(PollFd::new(changes, PollFlags::IN));
        }
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut sockets, left.as_ref()) {
            // The caller looks at the clock and comes again.
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(e) => Err(failed("wait for a netlink message", &e.into())),
        }
    }
}

/// What the messages of rtnetlink tell; ports whose names hftune does not take are left out.
fn link_events(datagram: &[u8]) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    for part in parts(datagram)? {
        if matches!(part.kind, NEW_LINK | DELETED_LINK) {
            events.extend(link_event(&part)?);
        }
    }
    Ok(events)
}

fn link_event(part: &Part<'_>) -> Result<Option<Event>> {
    let Some((header, attributes)) = part.payload.split_at_checked(LINK_HEADER) else {
        return Err(Error::invalid(format!(
            "the kernel's message about a link has {} bytes",
            part.payload.len()
        )));
    };
    // A bridge tells of its ports in the same group, and says that one is deleted which left it (br_ifinfo_notify,
    // net/bridge/br_netlink.c); its messages have AF_BRIDGE here.
    if i32::from(header[0]) != libc::AF_UNSPEC {
        return Ok(None);
    }
    let flags = header[LINK_FLAGS..LINK_FLAGS + 4].try_into();
    let flags = u32::from_ne_bytes(flags.expect("four bytes"));
    let named = name(&Attributes::parse(attributes)?, LINK_NAME);
    Ok(named.map(|port| {
        if part.kind == DELETED_LINK {
            return Event::Gone { port };
        }
        Event::Link {
            port,
            carrier: flags & LOWER_UP != 0,
        }
    }))
}

fn name(attributes: &Attributes<'_>, kind: u16) -> Option<IfName> {
    attributes.text(kind)?.parse().ok()
}

/// What the notifications of the ethtool family tell.
fn change_events(datagram: &[u8], family: u16) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    for part in parts(datagram)? {
        let tells = |command| NOTIFICATIONS.contains(&command);
        if part.kind != family || !part.command().is_some_and(tells) {
            continue;
        }
        // Of each of these messages the first attribute is the header.
        let named = name(&part.attributes()?.nest(HEADER)?, HEADER_NAME);
        events.extend(named.map(|port| Event::Changed { port }));
    }
    Ok(events)
}

/// The messages are those of Linux 6.18.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::ethtool::wire::bytes;
    use proptest::prelude::*;

    fn port(name: &str) -> IfName {
        name.parse().expect("name")
    }

    /// A message about v0 up to its third attribute: the whole has 1492 bytes, most of them counters.
    fn link(kind: &str, family: &str, flags: &str) -> Vec<Event> {
        let message = format!(
            "34000000 {kind}0000 00000000 00000000 {family}000100 03000000 {flags} 00000000
             07000300 76300000 08000d00 e8030000 05001000 02000000"
        );
        let mut message = bytes(&message);
        message[0] = u8::try_from(message.len()).expect("length");
        link_events(&message).expect("events")
    }

    #[test]
    fn tells_of_links() {
        let (port, up, down) = (port("v0"), "43100100", "03100000");
        let event = Event::Link {
            port: port.clone(),
            carrier: true,
        };
        assert_eq!(link("1000", "00", up), [event]);
        let event = Event::Link {
            port: port.clone(),
            carrier: false,
        };
        assert_eq!(link("1000", "00", down), [event]);
        assert_eq!(link("1100", "00", down), [Event::Gone { port }]);
    }

    #[test]
    fn a_port_that_leaves_its_bridge_is_not_gone() {
        let left = bytes(
            "54000000 11000000 00000000 00000000 07000100 02000000 43100100 00000000 07000300 77300000
             08000a00 04000000 08000400 dc050000 05001000 06000000 0a000100 ba960a7e938d0000 08000500 03000000",
        );
        assert_eq!(link_events(&left), Ok(Vec::new()));
        // RTM_NEWADDR.
        assert_eq!(link("1400", "02", "43100100"), []);
    }

    #[test]
    fn tells_of_changes() {
        let channels = "48000000 15000000 04000000 00000000 13010000 14000180 08000100 03000000 07000200 76300000
             08000200 02000000 08000600 02000000 08000300 02000000 08000700 01000000";
        let channels = bytes(channels);
        let event = Event::Changed { port: port("v0") };
        let events = |family| change_events(&channels, family).expect("events");
        assert_eq!(events(0x15), [event]);
        assert_eq!(events(0x16), [], "another family");
        // ETHTOOL_MSG_CABLE_TEST_NTF.
        let mut other = channels.clone();
        other[16] = 27;
        assert_eq!(change_events(&other, 0x15), Ok(Vec::new()));
        assert!(change_events(&channels[..70], 0x15).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(mut datagram in proptest::collection::vec(any::<u8>(), 0..80), kind in 15u8..19, length in 0u8..90) {
            let _ = (link_events(&datagram), change_events(&datagram, 16));
            if let Some(header) = datagram.get_mut(..6) {
                header.copy_from_slice(&[length, 0, 0, 0, kind, 0]);
                let _ = (link_events(&datagram), change_events(&datagram, 16));
            }
        }
    }
}
