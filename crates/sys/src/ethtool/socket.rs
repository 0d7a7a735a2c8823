//! A socket of generic netlink that waits for its answers.

use std::io::Error as IoError;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use hftune_model::{Error, Kind, Result};
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use rustix::io::Errno;
use rustix::net::netlink::{GENERIC, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
};

use super::wire::{Attributes, Message, Refusal, Writer, messages, request};

/// What one datagram may hold: the kernel fills at most 32 KiB in a dump (`netlink_recvmsg`, net/netlink/af_netlink.c),
/// and a single answer of ethtool is smaller.
const DATAGRAM: usize = 64 << 10;

/// The kernel answers before it returns from the request, so that only a lost answer takes so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a dump is asked for anew where ports come and go meanwhile.
const DUMPS: usize = 5;

/// The family that knows the others (`GENL_ID_CTRL`), its question for one of them (`CTRL_CMD_GETFAMILY`), and the
/// attributes of name and number; include/uapi/linux/genetlink.h.
const CTRL: u16 = 16;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

/// A socket that is connected to one family of the kernel.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
    family: u16,
    sequence: u32,
}

impl Socket {
    /// Connects to the family of that name; `None` where the kernel has none of it.
    pub(super) fn connect(name: &str) -> Result<Option<Self>> {
        let fd = open().map_err(|e| failed("open a netlink socket", &e))?;
        let mut socket = Self {
            fd,
            family: CTRL,
            sequence: 0,
        };
        let mut wanted = Writer::default();
        wanted.text(FAMILY_NAME, name);
        let mut family = None;
        let refused = socket.exchange(GET_FAMILY, NLM_F_ACK, &wanted, |answer| {
            family = answer.u16(FAMILY_ID)?;
            Ok(())
        })?;
        match (refused, family) {
            (None, Some(family)) => {
                socket.family = family;
                Ok(Some(socket))
            }
            (Some(refusal), _) if refusal.errno != libc::ENOENT => Err(failed(
                &format!("ask for the netlink family {name}"),
                &IoError::from_raw_os_error(refusal.errno),
            )),
            _ => Ok(None),
        }
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

/// A socket that takes messages from the kernel only.
fn open() -> Result<OwnedFd, IoError> {
    let fd = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(GENERIC),
    )?;
    connect(&fd, &SocketAddrNetlink::new(0, 0))?;
    set_socket_timeout(&fd, Timeout::Recv, Some(PATIENCE))?;
    let on: libc::c_int = 1;
    // SAFETY: the kernel reads the `c_int` that `on` is, which lives through the call.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_NETLINK,
            libc::NETLINK_EXT_ACK,
            (&raw const on).cast(),
            libc::socklen_t::try_from(size_of_val(&on)).expect("four bytes"),
        )
    };
    // Linux before 4.12 has no words for its errors.
    if result < 0 && IoError::last_os_error().raw_os_error() != Some(libc::ENOPROTOOPT) {
        return Err(IoError::last_os_error());
    }
    Ok(fd)
}

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}

fn failed(doing: &str, error: &IoError) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::PermissionDenied => Kind::NeedsRoot,
        _ => Kind::Io,
    };
    Error::new(kind, format!("cannot {doing}: {error}"))
}
