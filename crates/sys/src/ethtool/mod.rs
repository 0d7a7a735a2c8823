//! What network ports are set to, asked and changed over generic netlink (Documentation/networking/ethtool-netlink.rst,
//! include/uapi/linux/ethtool_netlink.h), or by ioctl where the kernel has no such netlink request. Linux 5.7 has those of
//! them that hftune needs, and RHEL 8 began without any.
//!
//! One [`Ethtool::dump`] asks all ports at once. Bit sets are asked for in compact form, with the names of the bits read
//! once: the features of a loopback interface are 160 bytes then, and 3428 in the long form (Linux 6.18).

mod bitset;
mod features;
mod flags;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod ioctl;
mod link;
mod numbers;
mod socket;
mod watch;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::io::Error as IoError;
use std::os::fd::OwnedFd;

use hftune_model::names::IfName;
use hftune_model::{Error, Kind, Result};

pub use ioctl::{ByIoctl, ChangeByIoctl, Device, Fault};
use socket::Socket;
pub use watch::{Event, Watch};
pub use wire::{Attributes, Refusal, Writer};

/// The name of the netlink family (`ETHTOOL_GENL_NAME`).
const FAMILY: &str = "ethtool";

/// Every request begins with a header in this attribute (`ETHTOOL_A_*_HEADER`), which holds the port's name and flags.
const HEADER: u16 = 1;
const HEADER_NAME: u16 = 2;
const HEADER_FLAGS: u16 = 3;
/// `ETHTOOL_FLAG_COMPACT_BITSETS`.
const COMPACT: u32 = 1;

/// `ETHTOOL_MSG_STRSET_GET` and the attributes of its answer.
const STRSET_GET: u8 = 1;
const STRSET_SETS: u16 = 2;
const SETS_SET: u16 = 1;
const SET_ID: u16 = 1;
const SET_STRINGS: u16 = 3;
const STRINGS_STRING: u16 = 1;
const STRING_INDEX: u16 = 1;
const STRING_VALUE: u16 = 2;

/// A set of names of bits (`enum ethtool_stringset`, include/uapi/linux/ethtool.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum StringSet {
    /// Statistics of one driver.
    Statistics = 1,
    /// Private flags of one driver.
    PrivateFlags = 2,
    /// Features.
    Features = 4,
    /// Link modes.
    LinkModes = 9,
    /// Where time stamps can be taken.
    TimeStamping = 12,
    /// Which packets are stamped when they are sent.
    TxTypes = 13,
    /// Which packets are stamped when they are received.
    RxFilters = 14,
}

/// The names of bits, as the running kernel has them, in the order of the bits.
#[derive(Debug, Clone, Default)]
pub struct Names(HashMap<StringSet, Vec<String>>);

impl Names {
    fn of(&self, set: StringSet) -> &[String] {
        self.0.get(&set).map(Vec::as_slice).unwrap_or_default()
    }
}

impl<const N: usize> From<[(StringSet, Vec<String>); N]> for Names {
    fn from(names: [(StringSet, Vec<String>); N]) -> Self {
        Self(HashMap::from(names))
    }
}

/// Something that a port can be asked for.
pub trait Request: ByIoctl {
    /// What it is, for messages.
    const WORD: &'static str;
    /// `ETHTOOL_MSG_*_GET`; `None` where netlink has no such request, or none that hftune uses.
    const GET: Option<u8>;
    /// The names of bits that its answer needs; a request with bit sets has some.
    const STRINGS: &'static [StringSet] = &[];
    /// `ETHTOOL_FLAG_*` of the request, besides that for bit sets.
    const FLAGS: u32 = 0;

    /// Reads the kernel's answer over netlink.
    fn parse(_answer: &Attributes<'_>, _names: &Names) -> Result<Self> {
        let what = format!("the {} cannot be read over netlink", Self::WORD);
        Err(Error::invalid(what))
    }
}

/// What all ports can be asked for at once.
///
/// Not time stamps: kernels that know several sources of them in a port may crash where the answer needs more than one
/// part (`ethnl_tsinfo_dump_one_netdev`, net/ethtool/tsinfo.c, until commit c3fc9976f686), and list a port once a source.
pub trait Dump: Request {}

/// Something that a port can be set to.
pub trait Change: ChangeByIoctl {
    /// What it changes.
    type Of: Request;
    /// `ETHTOOL_MSG_*_SET`.
    const SET: u8;

    /// Writes the attributes behind the header. What is not written stays as it is.
    fn write(&self, writer: &mut Writer);

    /// What the kernel's answer says was not done, though the request was taken.
    fn refused(_answer: &Attributes<'_>, _names: &Names) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

/// What a port answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// It told this.
    Told(T),
    /// It does not support the request (EOPNOTSUPP), with the kernel's words where it has some.
    Unsupported(Option<String>),
}

/// The connection to the kernel: netlink for the requests that it knows, ioctls for the others. The answers are the same,
/// but for these: by ioctl every value of coalescing is told, supported or not, and none of `cqe_mode_rx` and `cqe_mode_tx`;
/// pause frames are not counted; and a refusal has no words.
#[derive(Debug)]
pub struct Ethtool {
    netlink: Option<Socket>,
    ioctl: OwnedFd,
    names: Names,
}

impl Ethtool {
    /// Connects to the running kernel, and asks for the ports of this process's network namespace.
    pub fn connect() -> Result<Self> {
        Ok(Self {
            netlink: Socket::connect(FAMILY)?,
            ..Self::over_ioctl()?
        })
    }

    /// Connects as to a kernel without the netlink family, for tests.
    pub fn over_ioctl() -> Result<Self> {
        Ok(Self {
            netlink: None,
            ioctl: ioctl::open()?,
            names: Names::default(),
        })
    }

    /// Asks one port.
    pub fn get<T: Request>(&mut self, port: &IfName) -> Result<Answer<T>> {
        let doing = || format!("read the {} of {port}", T::WORD);
        let Some((command, socket)) = speaks(&mut self.netlink, T::GET) else {
            let mut device = Device::new(&self.ioctl, port, &mut self.names);
            return match T::read(&mut device) {
                Ok(told) => Ok(Answer::Told(told)),
                Err(fault) => fault_or_unsupported(&doing(), fault),
            };
        };
        learn(socket, &mut self.names, T::STRINGS)?;
        let mut told = None;
        let refused = socket.ask(command, &get_message::<T>(Some(port)), |answer| {
            told = Some(T::parse(answer, &self.names)?);
            Ok(())
        })?;
        match (refused, told) {
            (Some(refusal), _) => unsupported_or_failed(&doing(), refusal),
            (None, Some(told)) => Ok(Answer::Told(told)),
            (None, None) => Err(Error::new(
                Kind::Io,
                format!("cannot {}: the kernel did not answer", doing()),
            )),
        }
    }

    /// Asks all ports at once; by ioctl, one after the other. A port that does not support the request is not in the answer,
    /// nor is one whose name is none that hftune takes.
    pub fn dump<T: Dump>(&mut self) -> Result<BTreeMap<IfName, T>> {
        let Some((command, socket)) = speaks(&mut self.netlink, T::GET) else {
            return self.each();
        };
        learn(socket, &mut self.names, T::STRINGS)?;
        let answers = socket
            .dump(command, &get_message::<T>(None), |answer| {
                let name = answer.nest(HEADER)?.text(HEADER_NAME).unwrap_or_default();
                let Ok(name) = name.parse::<IfName>() else {
                    return Ok(None);
                };
                Ok(Some((name, T::parse(answer, &self.names)?)))
            })?
            .map_err(|refusal| failed(&format!("read the {} of all ports", T::WORD), &refusal))?;
        Ok(answers.into_iter().collect())
    }

    fn each<T: Request>(&mut self) -> Result<BTreeMap<IfName, T>> {
        let mut all = BTreeMap::new();
        for port in ioctl::ports()? {
            match self.get(&port) {
                Ok(Answer::Told(told)) => {
                    all.insert(port, told);
                }
                Ok(Answer::Unsupported(_)) => {}
                // It went since the ports were listed.
                Err(e) if e.kind == Kind::Missing => {}
                Err(e) => return Err(e),
            }
        }
        Ok(all)
    }

    /// Changes one port, and answers with what was not done though the kernel took the request. Some drivers take the link
    /// down for it, even where nothing differs.
    pub fn set<C: Change>(&mut self, port: &IfName, change: &C) -> Result<Answer<Vec<String>>> {
        let doing = || format!("set the {} of {port}", C::Of::WORD);
        let Some((command, socket)) = speaks(&mut self.netlink, Some(C::SET)) else {
            let mut device = Device::new(&self.ioctl, port, &mut self.names);
            return match change.apply(&mut device) {
                Ok(not_done) => Ok(Answer::Told(not_done)),
                Err(fault) => fault_or_unsupported(&doing(), fault),
            };
        };
        learn(socket, &mut self.names, C::Of::STRINGS)?;
        let mut not_done = Vec::new();
        let refused = socket.ask(command, &set_message(port, change), |answer| {
            not_done = C::refused(answer, &self.names)?;
            Ok(())
        })?;
        match refused {
            Some(refusal) => unsupported_or_failed(&doing(), refusal),
            None => Ok(Answer::Told(not_done)),
        }
    }

    /// The names that the kernel tells over netlink; `None` where it has no such request.
    #[cfg(test)]
    fn names_over_netlink(&mut self, set: StringSet) -> Option<Vec<String>> {
        let (_, socket) = speaks(&mut self.netlink, Some(STRSET_GET))?;
        learn(socket, &mut self.names, &[set]).expect("names");
        Some(self.names.of(set).to_vec())
    }
}

/// The request and the socket for it, where the kernel knows it over netlink.
fn speaks(netlink: &mut Option<Socket>, command: Option<u8>) -> Option<(u8, &mut Socket)> {
    let (command, socket) = command.zip(netlink.as_mut())?;
    socket.knows(command).then_some((command, socket))
}

/// Reads the names of bits that are not known yet.
fn learn(socket: &mut Socket, known: &mut Names, sets: &[StringSet]) -> Result<()> {
    for set in sets {
        if known.0.contains_key(set) {
            continue;
        }
        let mut names = Vec::new();
        let refused = socket.ask(STRSET_GET, &strings_message(*set), |answer| {
            names = parse_strings(answer, *set)?;
            Ok(())
        })?;
        if let Some(refusal) = refused {
            return Err(failed("read the names of bits", &refusal));
        }
        known.0.insert(*set, names);
    }
    Ok(())
}

/// The attributes of a question for one port or all.
fn get_message<T: Request>(port: Option<&IfName>) -> Writer {
    let mut writer = Writer::default();
    header(&mut writer, port, T::FLAGS | compact::<T>());
    writer
}

/// The attributes of a change.
fn set_message<C: Change>(port: &IfName, change: &C) -> Writer {
    let mut writer = Writer::default();
    header(&mut writer, Some(port), compact::<C::Of>());
    change.write(&mut writer);
    writer
}

/// `ETHTOOL_FLAG_COMPACT_BITSETS`, where the names of the bits are asked for beside them.
fn compact<T: Request>() -> u32 {
    if T::STRINGS.is_empty() { 0 } else { COMPACT }
}

fn header(writer: &mut Writer, port: Option<&IfName>, flags: u32) {
    writer.nest(HEADER, |header| {
        if let Some(port) = port {
            header.text(HEADER_NAME, port.as_str());
        }
        if flags != 0 {
            header.u32(HEADER_FLAGS, flags);
        }
    });
}

/// The attributes of the question for names that belong to no port.
fn strings_message(set: StringSet) -> Writer {
    let mut writer = Writer::default();
    header(&mut writer, None, 0);
    writer.nest(STRSET_SETS, |sets| {
        sets.nest(SETS_SET, |wanted| wanted.u32(SET_ID, set as u32));
    });
    writer
}

/// The names of a set, each at the place of its bit.
fn parse_strings(answer: &Attributes<'_>, set: StringSet) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for found in answer.nest(STRSET_SETS)?.nests(SETS_SET) {
        let found = found?;
        if found.u32(SET_ID)? != Some(set as u32) {
            continue;
        }
        for string in found.nest(SET_STRINGS)?.nests(STRINGS_STRING) {
            let string = string?;
            let index = string.u32(STRING_INDEX)?.unwrap_or(0) as usize;
            // The kernel lists them in order; a gap, as one that leaves out empty names would have, is no name.
            if index < names.len() || index > usize::from(u16::MAX) {
                let what = format!("the kernel's name {index} of a set of bits is out of order");
                return Err(Error::invalid(what));
            }
            names.resize(index, String::new());
            names.push(string.text(STRING_VALUE).unwrap_or_default());
        }
    }
    Ok(names)
}

fn fault_or_unsupported<T>(doing: &str, fault: Fault) -> Result<Answer<T>> {
    match fault {
        Fault::Refused(refusal) => unsupported_or_failed(doing, refusal),
        Fault::Failed(mut error) => {
            error.what = format!("cannot {doing}: {}", error.what);
            Err(error)
        }
    }
}

fn unsupported_or_failed<T>(doing: &str, refusal: Refusal) -> Result<Answer<T>> {
    if refusal.errno == libc::EOPNOTSUPP {
        return Ok(Answer::Unsupported(refusal.why));
    }
    Err(failed(doing, &refusal))
}

/// The error of a request, with the kernel's own words.
fn failed(doing: &str, refusal: &Refusal) -> Error {
    let mut what = format!(
        "cannot {doing}: {}",
        IoError::from_raw_os_error(refusal.errno)
    );
    if let Some(why) = &refusal.why {
        what = format!("{what}: {why}");
    }
    match refusal.errno {
        libc::EPERM | libc::EACCES => Error::new(Kind::NeedsRoot, what).hint("run it as root"),
        libc::ENODEV => Error::new(Kind::Missing, what).hint("hftune host lists the interfaces"),
        libc::EBUSY => {
            Error::new(Kind::Busy, what).hint("run the command again when the port is idle")
        }
        _ => Error::new(Kind::Io, what),
    }
}

#[cfg(test)]
mod testing {
    use super::*;
    use wire::bytes;

    /// Generic header and attributes, in hexadecimal digits.
    fn hex(command: u8, writer: &Writer) -> String {
        let request = wire::request(0, 0, 0, command, writer);
        let digits =
            |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16));
        request[16..].iter().flat_map(digits).flatten().collect()
    }

    fn port(name: &str) -> IfName {
        name.parse().expect("name")
    }

    pub(super) fn get<T: Request>(name: &str) -> String {
        hex(
            T::GET.expect("netlink"),
            &get_message::<T>(Some(&port(name))),
        )
    }

    pub(super) fn set<C: Change>(name: &str, change: &C) -> String {
        hex(C::SET, &set_message(&port(name), change))
    }

    pub(super) fn answer<T: Request>(hex: &str) -> T {
        answer_with(hex, &Names::default())
    }

    pub(super) fn answer_with<T: Request>(hex: &str, names: &Names) -> T {
        let bytes = bytes(hex);
        let attributes = Attributes::parse(&bytes[4..]).expect("attributes");
        T::parse(&attributes, names).expect("answer")
    }

    #[test]
    fn asks_for_names_as_ethtool_does() {
        assert_eq!(
            hex(STRSET_GET, &strings_message(StringSet::Features)),
            "0101000004000180100002800c0001800800010004000000"
        );
        let dump = get_message::<hftune_model::ethtool::Channels>(None);
        assert_eq!(hex(17, &dump), "1101000004000180");
    }

    /// The beginning of Linux 6.18's answer, with the lengths of what is left of it.
    #[test]
    fn reads_names_in_their_places() {
        let answer = bytes(
            "54000280 50000180 08000100 04000000 08000200 40000000 3c000380
             24000180 08000100 00000000 16000200 74782d736361747465722d676174686572000000
             14000180 08000100 02000000 05000200 00000000",
        );
        let answer = Attributes::parse(&answer).expect("attributes");
        assert_eq!(
            parse_strings(&answer, StringSet::Features).expect("names"),
            ["tx-scatter-gather", "", ""]
        );
        assert!(
            parse_strings(&answer, StringSet::LinkModes)
                .expect("another set")
                .is_empty()
        );
    }

    #[test]
    fn an_error_names_the_port_the_request_and_the_reason() {
        let refused = |errno, why: Option<&str>| {
            unsupported_or_failed::<()>(
                "set the channels of v0",
                Refusal {
                    errno,
                    why: why.map(str::to_owned),
                },
            )
        };
        let why = "requested channel count exceeds maximum";
        let error = refused(libc::EINVAL, Some(why)).expect_err("refused");
        assert_eq!(
            error.what,
            format!("cannot set the channels of v0: Invalid argument (os error 22): {why}")
        );
        let error = refused(libc::EPERM, None).expect_err("refused");
        assert_eq!(error.kind, Kind::NeedsRoot);
        let error = refused(libc::ENODEV, None).expect_err("refused");
        assert_eq!(error.kind, Kind::Missing);
        assert_eq!(
            refused(libc::EOPNOTSUPP, None),
            Ok(Answer::Unsupported(None))
        );
    }
}
