//! A socket of generic netlink that waits for its answers.

use std::io::Error as IoError;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use hftune_model::{Error, Kind, Result};
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use rustix::io::Errno;
use rustix::net::netlink::{GENERIC, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send,
    socket_with,
};

use super::wire::{Attributes, Message, Refusal, Writer, messages, request};

/// What one datagram may hold: the kernel fills at most 32 KiB in a dump (`netlink_recvmsg`, net/netlink/af_netlink.c),
/// and a single answer of ethtool is smaller.
const DATAGRAM: usize = 64 << 10;

/// The kernel answers before it returns from the request, so that only a lost answer takes so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// `NETLINK_ROUTE` is protocol 0, which rustix has no name for.
const NETLINK_ROUTE: Option<Protocol> = None;

/// How often a dump is asked for anew where ports come and go meanwhile.
const DUMPS: usize = 5;

/// The family that knows the others (`GENL_ID_CTRL`), its question for one of them (`CTRL_CMD_GETFAMILY`), and the
/// attributes of name, number, requests and multicast groups; include/uapi/linux/genetlink.h.
const CTRL: u16 = 16;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
const FAMILY_REQUESTS: u16 = 6;
const REQUEST_ID: u16 = 1;
const FAMILY_GROUPS: u16 = 7;
const GROUP_NAME: u16 = 1;
const GROUP_ID: u16 = 2;

/// A socket that is connected to one family of the kernel.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
    family: u16,
    /// The requests that the family knows.
    requests: Vec<u32>,
    /// The multicast groups of the family, by their names.
    groups: Vec<(String, u32)>,
    sequence: u32,
}

impl Socket {
    /// Connects to the family of that name; `None` where the kernel has none of it.
    pub(super) fn connect(name: &str) -> Result<Option<Self>> {
        let mut socket = Self {
            fd: open(Some(GENERIC))?,
            family: CTRL,
            requests: Vec::new(),
            groups: Vec::new(),
            sequence: 0,
        };
        let mut wanted = Writer::default();
        wanted.text(FAMILY_NAME, name);
        let mut family = None;
        let mut requests = Vec::new();
        let mut groups = Vec::new();
        let refused = socket.exchange(GET_FAMILY, NLM_F_ACK, &wanted, |answer| {
            family = answer.u16(FAMILY_ID)?;
            for request in answer.nest(FAMILY_REQUESTS)?.all() {
                requests.extend(request?.u32(REQUEST_ID)?);
            }
            for group in answer.nest(FAMILY_GROUPS)?.all() {
                let group = group?;
                groups.extend(group.text(GROUP_NAME).zip(group.u32(GROUP_ID)?));
            }
            Ok(())
        })?;
        match (refused, family) {
            (None, Some(family)) => {
                socket.family = family;
                socket.requests = requests;
                socket.groups = groups;
                Ok(Some(socket))
            }
            (Some(refusal), _) if refusal.errno != libc::ENOENT => Err(failed(
                &format!("ask for the netlink family {name}"),
                &IoError::from_raw_os_error(refusal.errno),
            )),
            _ => Ok(None),
        }
    }

    /// Whether the family knows a request. That of ethtool got its requests one by one: Linux 5.6 has those of the link, and
    /// 5.7 those for what a port is set to.
    pub(super) fn knows(&self, command: u8) -> bool {
        self.requests.contains(&command.into())
    }

    /// Sends one request and hands each answer to `take`; what the kernel said where it refused.
    pub(super) fn ask(
        &mut self,
        command: u8,
        attributes: &Writer,
        take: impl FnMut(&Attributes<'_>) -> Result<()>,
    ) -> Result<Option<Refusal>> {
        self.exchange(command, NLM_F_ACK, attributes, take)
    }

    /// The answers for all ports, or what the kernel said where it refused.
    pub(super) fn dump<T>(
        &mut self,
        command: u8,
        attributes: &Writer,
        mut take: impl FnMut(&Attributes<'_>) -> Result<Option<T>>,
    ) -> Result<Result<Vec<T>, Refusal>> {
        for _ in 0..DUMPS {
            let mut all = Vec::new();
            let refused = self.exchange(command, NLM_F_DUMP, attributes, |answer| {
                all.extend(take(answer)?);
                Ok(())
            })?;
            match refused {
                None => return Ok(Ok(all)),
                Some(refusal) if refusal.errno == libc::EINTR => {}
                Some(refusal) => return Ok(Err(refusal)),
            }
        }
        Err(Error::new(
            Kind::Io,
            "network ports come and go too fast to list them",
        ))
    }

    fn exchange(
        &mut self,
        command: u8,
        flags: u16,
        attributes: &Writer,
        mut take: impl FnMut(&Attributes<'_>) -> Result<()>,
    ) -> Result<Option<Refusal>> {
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        let bytes = request(
            self.family,
            NLM_F_REQUEST | flags,
            sequence,
            command,
            attributes,
        );
        retry(|| send(&self.fd, &bytes, SendFlags::empty()))
            .map_err(|e| failed("send a netlink request", &e.into()))?;
        let mut buffer = vec![0; DATAGRAM];
        let mut interrupted = false;
        loop {
            let (_, length) = retry(|| recv(&self.fd, buffer.as_mut_slice(), RecvFlags::TRUNC))
                .map_err(|e| failed("receive a netlink answer", &e.into()))?;
            let Some(datagram) = buffer.get(..length).filter(|datagram| !datagram.is_empty())
            else {
                let what = format!("the kernel's netlink answer has {length} bytes");
                return Err(Error::invalid(what));
            };
            for message in messages(datagram, sequence)? {
                match message {
                    Message::Answer(answer) => take(&answer)?,
                    Message::Interrupted => interrupted = true,
                    Message::Refused(refusal) => return Ok(Some(refusal)),
                    Message::End if interrupted => {
                        return Ok(Some(Refusal {
                            errno: libc::EINTR,
                            why: None,
                        }));
                    }
                    Message::End => return Ok(None),
                }
            }
        }
    }
}

/// Messages that the kernel sends without being asked: a socket in one multicast group.
#[derive(Debug)]
pub(super) struct Listener {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

/// What a listener heard.
#[derive(Debug)]
pub(super) enum Heard<'b> {
    /// The messages of one datagram.
    Datagram(&'b [u8]),
    /// There is nothing to hear now.
    Nothing,
    /// Some messages are lost: they came faster than they were read.
    Lost,
}

impl Listener {
    /// Listens to a group of rtnetlink.
    pub(super) fn route(group: u32) -> Result<Self> {
        Self::join(open(NETLINK_ROUTE)?, group)
    }

    /// Listens to a group of a family of generic netlink, and tells the number of the family; `None` where the kernel has
    /// no such family or group.
    pub(super) fn generic(family: &str, group: &str) -> Result<Option<(u16, Self)>> {
        let Some(socket) = Socket::connect(family)? else {
            return Ok(None);
        };
        let Some((_, group)) = socket.groups.iter().find(|(name, _)| name == group) else {
            return Ok(None);
        };
        Ok(Some((socket.family, Self::join(socket.fd, *group)?)))
    }

    fn join(fd: OwnedFd, group: u32) -> Result<Self> {
        // Numbers of groups are small: the kernel counts them.
        let group = libc::c_int::try_from(group).unwrap_or(libc::c_int::MAX);
        set_option(&fd, libc::NETLINK_ADD_MEMBERSHIP, group)
            .map_err(|e| failed("listen to the kernel's messages about network ports", &e))?;
        Ok(Self {
            fd,
            buffer: vec![0; DATAGRAM],
        })
    }

    /// The next datagram, where there is one already.
    pub(super) fn hear(&mut self) -> Result<Heard<'_>> {
        let flags = RecvFlags::TRUNC | RecvFlags::DONTWAIT;
        match retry(|| recv(&self.fd, self.buffer.as_mut_slice(), flags)) {
            Ok((_, length)) => Ok(self
                .buffer
                .get(..length)
                .map_or(Heard::Lost, Heard::Datagram)),
            Err(Errno::AGAIN) => Ok(Heard::Nothing),
            Err(Errno::NOBUFS) => Ok(Heard::Lost),
            Err(e) => Err(failed("receive a netlink message", &e.into())),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A socket that takes messages from the kernel only.
fn open(protocol: Option<Protocol>) -> Result<OwnedFd> {
    let open = || {
        let fd = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            protocol,
        )?;
        connect(&fd, &SocketAddrNetlink::new(0, 0))?;
        set_socket_timeout(&fd, Timeout::Recv, Some(PATIENCE))?;
        match set_option(&fd, libc::NETLINK_EXT_ACK, 1) {
            // Linux before 4.12 has no words for its errors.
            Err(e) if e.raw_os_error() != Some(libc::ENOPROTOOPT) => Err(e),
            _ => Ok(fd),
        }
    };
    open().map_err(|e| failed("open a netlink socket", &e))
}

fn set_option(fd: &OwnedFd, option: libc::c_int, value: libc::c_int) -> Result<(), IoError> {
    // SAFETY: the kernel reads the `c_int` that `value` is, which lives through the call.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_NETLINK,
            option,
            (&raw const value).cast(),
            libc::socklen_t::try_from(size_of_val(&value)).expect("four bytes"),
        )
    };
    if result < 0 {
        return Err(IoError::last_os_error());
    }
    Ok(())
}

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}

pub(super) fn failed(doing: &str, error: &IoError) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::PermissionDenied => Kind::NeedsRoot,
        _ => Kind::Io,
    };
    Error::new(kind, format!("cannot {doing}: {error}"))
}
