//! Messages of generic netlink as bytes (Documentation/userspace-api/netlink/intro.rst, include/uapi/linux/netlink.h).

use hftune_model::{Error, Result};
use netlink_packet_core::{
    DefaultNla, Emitable, NLA_F_NESTED, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP_INTR, NLMSG_DONE,
    NLMSG_ERROR, NLMSG_NOOP, NetlinkBuffer, NetlinkHeader, NlasIterator, parse_i32, parse_u32,
};

/// Length of the header of a netlink message, in bytes.
const NETLINK_HEADER: usize = 16;
/// Length of the header of generic netlink (`struct genlmsghdr`): command, version, two reserved bytes.
const GENERIC_HEADER: usize = 4;
/// Length of the header of an attribute: length and type.
const ATTRIBUTE_HEADER: usize = 4;
/// Length of the error number that begins `NLMSG_ERROR` and `NLMSG_DONE`.
const ERRNO: usize = 4;

/// `NLMSGERR_ATTR_MSG`: why, in words.
const WHY: u16 = 1;

/// Attributes that are being written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Writer(Vec<u8>);

impl Writer {
    fn attribute(&mut self, kind: u16, value: Vec<u8>) {
        let attribute = DefaultNla::new(kind, value);
        let start = self.0.len();
        self.0.resize(start + attribute.buffer_len(), 0);
        attribute.emit(&mut self.0[start..]);
    }

    /// A number of one byte; yes and no are 1 and 0.
    pub(super) fn u8(&mut self, kind: u16, value: impl Into<u8>) {
        self.attribute(kind, vec![value.into()]);
    }

    /// A number.
    pub(super) fn u32(&mut self, kind: u16, value: u32) {
        self.attribute(kind, value.to_ne_bytes().to_vec());
    }

    /// A number, where there is one.
    pub(super) fn u32_if(&mut self, kind: u16, value: Option<u32>) {
        if let Some(value) = value {
            self.u32(kind, value);
        }
    }

    /// Yes or no, where there is either.
    pub(super) fn bool_if(&mut self, kind: u16, value: Option<bool>) {
        if let Some(value) = value {
            self.u8(kind, value);
        }
    }

    /// A text, which ends with a zero byte.
    pub(super) fn text(&mut self, kind: u16, value: &str) {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.attribute(kind, bytes);
    }

    /// An attribute whose presence means yes.
    pub(super) fn flag(&mut self, kind: u16) {
        self.attribute(kind, Vec::new());
    }

    /// Attributes in an attribute.
    pub(super) fn nest(&mut self, kind: u16, inside: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        inside(&mut inner);
        self.attribute(kind | NLA_F_NESTED, inner.0);
    }
}

/// A whole request: netlink header, generic header, attributes.
pub(super) fn request(
    family: u16,
    flags: u16,
    sequence: u32,
    command: u8,
    attributes: &Writer,
) -> Vec<u8> {
    let length = NETLINK_HEADER + GENERIC_HEADER + attributes.0.len();
    let mut header = NetlinkHeader::default();
    header.length = u32::try_from(length).expect("a request has far less than 4 GiB");
    header.message_type = family;
    header.flags = flags;
    header.sequence_number = sequence;
    let mut bytes = vec![0; NETLINK_HEADER];
    header.emit(&mut bytes);
    bytes.extend([command, 1, 0, 0]); // version 1
    bytes.extend(&attributes.0);
    bytes
}

/// The attributes of a message, in its order.
#[derive(Debug, Clone)]
pub struct Attributes<'b>(Vec<(u16, &'b [u8])>);

impl<'b> Attributes<'b> {
    /// Takes attributes apart; those inside of them are left as bytes.
    pub(super) fn parse(bytes: &'b [u8]) -> Result<Self> {
        NlasIterator::new(bytes)
            .map(|attribute| {
                let attribute = attribute.map_err(|e| malformed(&e))?;
                let (kind, length) = (attribute.kind(), usize::from(attribute.length()));
                Ok((kind, &attribute.into_inner()[ATTRIBUTE_HEADER..length]))
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    fn find(&self, kind: u16) -> Option<&'b [u8]> {
        self.0
            .iter()
            .find(|(found, _)| *found == kind)
            .map(|(_, value)| *value)
    }

    /// Whether it is there.
    pub(super) fn has(&self, kind: u16) -> bool {
        self.find(kind).is_some()
    }

    /// Its bytes.
    pub(super) fn bytes(&self, kind: u16) -> &'b [u8] {
        self.find(kind).unwrap_or_default()
    }

    /// A number; `None` where it is not there.
    pub(super) fn u32(&self, kind: u16) -> Result<Option<u32>> {
        self.find(kind)
            .map(|value| parse_u32(value).map_err(|e| malformed(&e)))
            .transpose()
    }

    /// A number of eight bytes; `None` where it is not there.
    pub(super) fn u64(&self, kind: u16) -> Result<Option<u64>> {
        self.find(kind)
            .map(|value| netlink_packet_core::parse_u64(value).map_err(|e| malformed(&e)))
            .transpose()
    }

    /// A number of two bytes; `None` where it is not there.
    pub(super) fn u16(&self, kind: u16) -> Result<Option<u16>> {
        self.find(kind)
            .map(|value| netlink_packet_core::parse_u16(value).map_err(|e| malformed(&e)))
            .transpose()
    }

    /// A number of one byte; `None` where it is not there.
    pub(super) fn u8(&self, kind: u16) -> Result<Option<u8>> {
        self.find(kind)
            .map(|value| netlink_packet_core::parse_u8(value).map_err(|e| malformed(&e)))
            .transpose()
    }

    /// Yes or no, in a number of one byte; `None` where it is not there.
    pub(super) fn bool(&self, kind: u16) -> Result<Option<bool>> {
        Ok(self.u8(kind)?.map(|value| value != 0))
    }

    /// A text; `None` where it is not there.
    pub(super) fn text(&self, kind: u16) -> Option<String> {
        self.find(kind).map(|value| {
            let end = value.iter().position(|b| *b == 0).unwrap_or(value.len());
            String::from_utf8_lossy(&value[..end]).into_owned()
        })
    }

    /// The attributes inside it; none where it is not there.
    pub(super) fn nest(&self, kind: u16) -> Result<Self> {
        Self::parse(self.bytes(kind))
    }

    /// The attributes inside each attribute that there is.
    pub(super) fn all(&self) -> impl Iterator<Item = Result<Self>> {
        self.0.iter().map(|(_, value)| Self::parse(value))
    }

    /// The attributes inside each one of this kind.
    pub(super) fn nests(&self, kind: u16) -> impl Iterator<Item = Result<Self>> {
        self.0
            .iter()
            .filter(move |(found, _)| *found == kind)
            .map(|(_, value)| Self::parse(value))
    }
}

/// One message of the kernel.
#[derive(Debug)]
pub(super) enum Message<'b> {
    /// An answer.
    Answer(Attributes<'b>),
    /// There is nothing more: the end of a dump, or that a request was done.
    End,
    /// The request was refused.
    Refused(Refusal),
    /// Something changed during a dump, which has to be asked for again.
    Interrupted,
}

/// That the kernel refused a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The error number, positive.
    pub errno: i32,
    /// Why, in the words of the kernel or the driver (`NLMSGERR_ATTR_MSG`).
    pub why: Option<String>,
}

/// One netlink message with its header taken apart.
pub(super) struct Part<'b> {
    /// The family, or one of the types that all families share.
    pub kind: u16,
    flags: u16,
    sequence: u32,
    /// What is behind the header.
    pub payload: &'b [u8],
}

impl<'b> Part<'b> {
    /// The command of generic netlink.
    pub(super) fn command(&self) -> Option<u8> {
        self.payload.first().copied()
    }

    /// The attributes behind the header of generic netlink.
    pub(super) fn attributes(&self) -> Result<Attributes<'b>> {
        Attributes::parse(self.payload.get(GENERIC_HEADER..).unwrap_or_default())
    }
}

/// The messages in one datagram, whoever asked for them.
pub(super) fn parts(datagram: &[u8]) -> Result<Vec<Part<'_>>> {
    let mut found = Vec::new();
    let mut rest = datagram;
    while !rest.is_empty() {
        let message = NetlinkBuffer::new_checked(rest).map_err(|e| malformed(&e))?;
        let length = message.length() as usize;
        found.push(Part {
            kind: message.message_type(),
            flags: message.flags(),
            sequence: message.sequence_number(),
            payload: &rest[NETLINK_HEADER..length],
        });
        rest = rest.get(aligned(length)..).unwrap_or_default();
    }
    Ok(found)
}

/// The messages of one datagram that answer the request of that number.
pub(super) fn messages(datagram: &[u8], sequence: u32) -> Result<Vec<Message<'_>>> {
    let mut found = Vec::new();
    for part in parts(datagram)? {
        if part.sequence != sequence {
            continue;
        }
        if part.flags & NLM_F_DUMP_INTR != 0 {
            found.push(Message::Interrupted);
        }
        let payload = part.payload;
        match part.kind {
            NLMSG_NOOP => {}
            NLMSG_ERROR => {
                // The request follows, whole or its header only.
                let asked = if part.flags & NLM_F_CAPPED == 0 {
                    let asked = payload.get(ERRNO..ERRNO + 4).unwrap_or_default();
                    parse_u32(asked).map_err(|e| malformed(&e))? as usize
                } else {
                    NETLINK_HEADER
                };
                found.push(end(payload, part.flags, ERRNO + aligned(asked))?);
            }
            NLMSG_DONE => found.push(end(payload, part.flags, ERRNO)?),
            _ => found.push(Message::Answer(part.attributes()?)),
        }
    }
    Ok(found)
}

/// What a message says that begins with an error number; the words are from `words` on.
fn end(payload: &[u8], flags: u16, words: usize) -> Result<Message<'static>> {
    // A dump of old kernels may end without a number.
    let errno = payload.get(..ERRNO).map_or(Ok(0), parse_i32);
    let errno = errno.map_err(|e| malformed(&e))?;
    if errno == 0 {
        return Ok(Message::End);
    }
    let why = if flags & NLM_F_ACK_TLVS == 0 {
        None
    } else {
        Attributes::parse(payload.get(words..).unwrap_or_default())?.text(WHY)
    };
    Ok(Message::Refused(Refusal {
        errno: errno.saturating_abs(),
        why: why.filter(|why| !why.is_empty()),
    }))
}

/// Messages and attributes begin at multiples of four bytes.
fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn malformed(error: &netlink_packet_core::DecodeError) -> Error {
    Error::invalid(format!(
        "the kernel's netlink message is malformed: {error}"
    ))
}

/// Bytes from hexadecimal digits.
#[cfg(test)]
pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST};
    use proptest::prelude::*;

    /// `ethtool -L v0 rx 20` on a veth with two queues: the message that `ethtool` sent, and Linux 6.18's answer.
    const TOO_MANY: &str =
        "28000000 15000500 02000000 00000000 12010000 0c000180 07000200 76300000 08000600 14000000";
    const REFUSED: &str = "70000000 02000002 02000000 21450000 eaffffff 28000000 15000500 02000000 00000000 12010000
        0c000180 07000200 76300000 08000600 14000000
        2c000100 726571756573746564206368616e6e656c20636f756e742065786365656473206d6178696d756d00 08000200 20000000";

    #[test]
    fn writes_what_ethtool_writes() {
        let mut writer = Writer::default();
        writer.nest(1, |header| header.text(2, "v0"));
        writer.u32(6, 20);
        let sent = request(0x15, NLM_F_REQUEST | NLM_F_ACK, 2, 18, &writer);
        assert_eq!(sent, bytes(TOO_MANY));
    }

    #[test]
    fn reads_why_a_request_was_refused() {
        let datagram = bytes(REFUSED);
        let found = messages(&datagram, 2).expect("messages");
        let [Message::Refused(refusal)] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(refusal.errno, libc::EINVAL);
        assert_eq!(
            refusal.why.as_deref(),
            Some("requested channel count exceeds maximum")
        );
        assert!(messages(&datagram, 3).expect("messages").is_empty());
    }

    #[test]
    fn a_dump_ends_with_its_error() {
        let done = |errno: &str| bytes(&format!("14000000 03000200 02000000 91450000 {errno}"));
        let ended = done("00000000");
        assert!(matches!(
            messages(&ended, 2).expect("messages").as_slice(),
            [Message::End]
        ));
        let failed = done("a6ffffff");
        let found = messages(&failed, 2).expect("messages");
        assert!(matches!(
            found.as_slice(),
            [Message::Refused(Refusal {
                errno: libc::EMSGSIZE,
                why: None
            })]
        ));
        // NLM_F_DUMP_INTR, in the flags.
        let mut interrupted = ended;
        interrupted[6] |= 0x10;
        assert!(matches!(
            messages(&interrupted, 2).expect("messages").as_slice(),
            [Message::Interrupted, Message::End]
        ));
    }

    #[test]
    fn a_message_that_is_cut_off_is_an_error() {
        let whole = bytes(REFUSED);
        assert!(messages(&whole[..whole.len() - 4], 2).is_err());
        // A length that leaves the request's own copy no room.
        let mut short = whole;
        short.truncate(20);
        short[0] = 20;
        assert!(messages(&short, 2).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(mut datagram in proptest::collection::vec(any::<u8>(), 0..80), kind in 0u8..5, length in 0u8..90) {
            let _ = messages(&datagram, 2);
            if datagram.len() > 16 {
                let flags = [datagram[6], datagram[7]];
                datagram[..12].copy_from_slice(&[length, 0, 0, 0, kind, 0, flags[0], flags[1], 2, 0, 0, 0]);
                let _ = messages(&datagram, 2);
            }
        }
    }
}
