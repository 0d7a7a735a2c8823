//! What a network port is set to, as the kernel's ethtool interface tells it.
//!
//! The words are those of Documentation/networking/ethtool-netlink.rst. `None` is a value that the driver does not have:
//! the kernel leaves it out of its answer. In a change, `None` is a value that stays as it is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sizes of the rings, in descriptors. The maxima are never part of a change.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub struct Rings {
    /// Receive ring of each queue.
    pub rx: Option<u32>,
    /// The most that the driver takes for it.
    pub rx_max: Option<u32>,
    /// Transmit ring of each queue.
    pub tx: Option<u32>,
    /// The most that the driver takes for it.
    pub tx_max: Option<u32>,
    /// Receive ring of small buffers.
    pub rx_mini: Option<u32>,
    /// The most that the driver takes for it.
    pub rx_mini_max: Option<u32>,
    /// Receive ring of large buffers.
    pub rx_jumbo: Option<u32>,
    /// The most that the driver takes for it.
    pub rx_jumbo_max: Option<u32>,
}

/// Numbers of channels; a channel is an interrupt and the queues that raise it. The maxima are never part of a change.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub struct Channels {
    /// Channels that only receive.
    pub rx: Option<u32>,
    /// The most of them.
    pub rx_max: Option<u32>,
    /// Channels that only transmit.
    pub tx: Option<u32>,
    /// The most of them.
    pub tx_max: Option<u32>,
    /// Channels for other purposes, like link interrupts.
    pub other: Option<u32>,
    /// The most of them.
    pub other_max: Option<u32>,
    /// Channels that receive and transmit.
    pub combined: Option<u32>,
    /// The most of them.
    pub combined_max: Option<u32>,
}

/// Interrupt coalescing: how long and for how many packets a port waits before it interrupts.
///
/// The limits of old adaptive schemes (`pkt-rate-low`, `rx-usecs-high` and the like) are not read.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub struct Coalesce {
    /// Whether the driver adapts receive coalescing to the traffic.
    pub adaptive_rx: Option<bool>,
    /// Whether the driver adapts transmit coalescing to the traffic.
    pub adaptive_tx: Option<bool>,
    /// Microseconds after a packet was received.
    pub rx_usecs: Option<u32>,
    /// Packets received.
    pub rx_frames: Option<u32>,
    /// Microseconds after a packet was received, while an interrupt is being served.
    pub rx_usecs_irq: Option<u32>,
    /// Packets received while an interrupt is being served.
    pub rx_frames_irq: Option<u32>,
    /// Microseconds after a packet was sent.
    pub tx_usecs: Option<u32>,
    /// Packets sent.
    pub tx_frames: Option<u32>,
    /// Microseconds after a packet was sent, while an interrupt is being served.
    pub tx_usecs_irq: Option<u32>,
    /// Packets sent while an interrupt is being served.
    pub tx_frames_irq: Option<u32>,
    /// Whether a receive timer starts anew with each completion.
    pub cqe_mode_rx: Option<bool>,
    /// Whether a transmit timer starts anew with each completion.
    pub cqe_mode_tx: Option<bool>,
}

/// Offloads and other features of a port, by the kernel's name (`rx-gro`, `tx-tcp-segmentation`).
pub type Features = BTreeMap<String, Feature>;

/// One feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Feature {
    /// Whether it is on.
    pub active: bool,
    /// Whether it was asked to be on; differs from `active` where something else stands in the way.
    pub wanted: bool,
    /// Whether it cannot be changed (`[fixed]`).
    pub fixed: bool,
}

/// Features to turn on or off, by the kernel's name.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
pub struct FeatureChange(pub BTreeMap<String, bool>);

/// Private flags of a driver, by its own names.
pub type PrivateFlags = BTreeMap<String, bool>;

/// Private flags to turn on or off, by the driver's names.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
pub struct FlagChange(pub BTreeMap<String, bool>);

/// Pause frames, by which a port asks its peer to stop sending.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub struct Pause {
    /// Whether both ends negotiate them.
    pub autoneg: Option<bool>,
    /// Whether received ones are obeyed.
    pub rx: Option<bool>,
    /// Whether they are sent.
    pub tx: Option<bool>,
}

/// How many pause frames there were, since the driver began to count. `None` is what it does not count.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub struct PauseFrames {
    /// Received.
    pub rx: Option<u64>,
    /// Sent.
    pub tx: Option<u64>,
}

/// Energy-efficient Ethernet, which lets an idle link sleep.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub struct Eee {
    /// Whether both ends agreed on it.
    pub active: Option<bool>,
    /// Whether it is enabled here.
    pub enabled: Option<bool>,
    /// Whether the transmitter may sleep.
    pub tx_lpi: Option<bool>,
    /// Idle microseconds after which it does.
    pub tx_lpi_timer_us: Option<u32>,
}

/// What the link is set to, and what it came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LinkModes {
    /// Whether speed and duplex are negotiated.
    pub autoneg: Option<bool>,
    /// Speed in Mbit/s; `None` where it is unknown, as without a link.
    pub speed_mbps: Option<u32>,
    /// Whether both ends may send at once; `None` where it is unknown.
    pub full_duplex: Option<bool>,
    /// Modes that the port can do, by the kernel's name (`25000baseCR/Full`).
    pub supported: Vec<String>,
    /// Modes that it offers its peer.
    pub advertised: Vec<String>,
    /// Modes that its peer offers.
    pub peer: Vec<String>,
}

/// Whether there is a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LinkState {
    /// Whether the link is up; `None` where the driver does not tell.
    pub up: Option<bool>,
}

/// What a port can do about time stamps, by the kernel's names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct TimeStamping {
    /// Where stamps can be taken, like `hardware-receive`.
    pub capabilities: Vec<String>,
    /// Packets that can be stamped in hardware when they are sent, like `on`.
    pub tx_types: Vec<String>,
    /// Packets that can be stamped in hardware when they are received, like `all`.
    pub rx_filters: Vec<String>,
    /// N of `/dev/ptpN`, the clock of the port; `None` where it has none.
    pub phc_index: Option<u32>,
}

/// Which time stamping is enabled now, by the kernel's names; `None` for one without a name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct StampingNow {
    /// Which packets are stamped in hardware when they are sent, like `on`.
    pub tx: Option<String>,
    /// Which packets are stamped in hardware when they are received, like `all`.
    pub rx_filter: Option<String>,
}

/// What a driver says of itself and its device. `None` is what it leaves empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct DriverInfo {
    /// Its name.
    pub driver: Option<String>,
    /// Its version; that of the kernel where it has none of its own.
    pub version: Option<String>,
    /// Version of the device's firmware.
    pub firmware: Option<String>,
    /// Place of the device on its bus, like a PCI address.
    pub bus: Option<String>,
}

/// What a driver counts, by its own names.
pub type Statistics = BTreeMap<String, u64>;

/// What is known of one thing of a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Told<T> {
    /// The driver told it.
    Value(T),
    /// The port does not have it (EOPNOTSUPP).
    Unsupported,
    /// Nobody knows, and why.
    Unknown(String),
}

impl<T> Told<T> {
    /// The value, where the driver told one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Unsupported | Self::Unknown(_) => None,
        }
    }
}

/// A thing of which nothing was asked is not known.
impl<T> Default for Told<T> {
    fn default() -> Self {
        Self::Unknown("nobody asked".to_owned())
    }
}

/// What the kernel tells of one port.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Port {
    /// Sizes of its rings.
    pub rings: Told<Rings>,
    /// Numbers of its channels.
    pub channels: Told<Channels>,
    /// Interrupt coalescing.
    pub coalesce: Told<Coalesce>,
    /// Offloads and other features.
    pub features: Told<Features>,
    /// Private flags of the driver.
    pub flags: Told<PrivateFlags>,
    /// Pause frames.
    pub pause: Told<Pause>,
    /// Energy-efficient Ethernet.
    pub eee: Told<Eee>,
    /// Speed, duplex and link modes.
    pub link_modes: Told<LinkModes>,
    /// Whether there is a link.
    pub link_state: Told<LinkState>,
    /// Time stamps.
    pub time_stamping: Told<TimeStamping>,
    /// Numbers of pause frames. Captures before it was asked for do not hold it, nor what follows.
    #[serde(default)]
    pub pause_frames: Told<PauseFrames>,
    /// Which time stamping is enabled.
    #[serde(default)]
    pub stamping: Told<StampingNow>,
    /// What the driver says of itself.
    #[serde(default)]
    pub driver: Told<DriverInfo>,
}

impl Port {
    /// A port of which nothing is known, for one reason.
    pub fn unknown(why: &str) -> Self {
        fn told<T>(why: &str) -> Told<T> {
            Told::Unknown(why.to_owned())
        }
        Self {
            rings: told(why),
            channels: told(why),
            coalesce: told(why),
            features: told(why),
            flags: told(why),
            pause: told(why),
            eee: told(why),
            link_modes: told(why),
            link_state: told(why),
            time_stamping: told(why),
            pause_frames: told(why),
            stamping: told(why),
            driver: told(why),
        }
    }
}
