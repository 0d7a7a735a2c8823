//! What the kernel reads and writes for the requests (include/uapi/linux/ethtool.h, include/uapi/linux/net_tstamp.h): only
//! what hftune uses.

/// One of the kernel's structures that begin with the number of the request.
///
/// # Safety
/// The type is `repr(C)` and at least as long as what the kernel reads and writes for its requests, and any bytes make a
/// value of it.
pub(super) unsafe trait Layout: Copy {
    /// The number of the request.
    fn command(&mut self) -> &mut u32;
}

/// What can be read.
pub(super) trait Readable: Layout + Default {
    /// `ETHTOOL_G*`.
    const GET: u32;
}

/// What can be set.
pub(super) trait Settable: Layout {
    /// `ETHTOOL_S*`.
    const SET: u32;
}

/// A structure of numbers of 32 bits: its length in bytes, its requests, and what follows the number of the request.
macro_rules! numbers {
    ($(#[$doc:meta])* $name:ident, $length:literal, $get:literal $(or $set:literal)?, $($field:ident)*) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub(super) struct $name {
            pub command: u32,
            $(pub $field: u32,)*
        }

        const _: () = assert!(size_of::<$name>() == $length);

        // SAFETY: numbers in C's layout, with the length that the kernel's structure has.
        unsafe impl Layout for $name {
            fn command(&mut self) -> &mut u32 {
                &mut self.command
            }
        }

        impl Readable for $name {
            const GET: u32 = $get;
        }

        $(impl Settable for $name {
            const SET: u32 = $set;
        })?
    };
}

numbers! {
    /// `struct ethtool_ringparam`.
    RingParam, 36, 0x10 or 0x11,
    rx_max rx_mini_max rx_jumbo_max tx_max rx rx_mini rx_jumbo tx
}

numbers! {
    /// `struct ethtool_channels`.
    ChannelParam, 36, 0x3c or 0x3d,
    rx_max tx_max other_max combined_max rx tx other combined
}

numbers! {
    /// `struct ethtool_coalesce`. The names of what hftune does not read tell their place.
    CoalesceParam, 92, 0x0e or 0x0f,
    rx_usecs rx_frames rx_usecs_irq rx_frames_irq tx_usecs tx_frames tx_usecs_irq tx_frames_irq stats_usecs
    adaptive_rx adaptive_tx pkt_rate_low rx_usecs_low rx_frames_low tx_usecs_low tx_frames_low
    pkt_rate_high rx_usecs_high rx_frames_high tx_usecs_high tx_frames_high sample_interval
}

numbers! {
    /// `struct ethtool_pauseparam`.
    PauseParam, 16, 0x12 or 0x13,
    autoneg rx tx
}

numbers! {
    /// `struct ethtool_eee`.
    EeeParam, 40, 0x44 or 0x45,
    supported advertised peer active enabled tx_lpi tx_lpi_timer reserved_1 reserved_2
}

numbers! {
    /// `struct ethtool_value` of `ETHTOOL_GLINK`: whether there is a link.
    LinkParam, 8, 0x0a,
    up
}

numbers! {
    /// `struct ethtool_value` of `ETHTOOL_GPFLAGS` and `ETHTOOL_SPFLAGS`: a bit each private flag.
    FlagParam, 8, 0x27 or 0x28,
    bits
}

numbers! {
    /// `struct ethtool_ts_info`. A clock's number is signed, and -1 for none.
    TsInfo, 44, 0x41,
    capabilities phc_index tx_types tx_reserved_1 tx_reserved_2 tx_reserved_3
    rx_filters rx_reserved_1 rx_reserved_2 rx_reserved_3
}

/// More words than any kernel has features: Linux 6.18 has 2 (`ETHTOOL_DEV_FEATURE_WORDS`).
pub(super) const FEATURE_WORDS: usize = 8;

/// `struct ethtool_get_features_block`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FeatureWord {
    pub available: u32,
    pub requested: u32,
    pub active: u32,
    pub never_changed: u32,
}

/// `struct ethtool_gfeatures`. The kernel writes no more words than it is told to, and says how many it has.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FeatureParam {
    pub command: u32,
    pub size: u32,
    pub words: [FeatureWord; FEATURE_WORDS],
}

const _: () = assert!(size_of::<FeatureParam>() == 8 + 16 * FEATURE_WORDS);

impl Default for FeatureParam {
    fn default() -> Self {
        Self {
            command: 0,
            size: u32::try_from(FEATURE_WORDS).expect("few words"),
            words: [FeatureWord::default(); FEATURE_WORDS],
        }
    }
}

// SAFETY: numbers in C's layout; `size` tells the kernel the room for words.
unsafe impl Layout for FeatureParam {
    fn command(&mut self) -> &mut u32 {
        &mut self.command
    }
}

impl Readable for FeatureParam {
    const GET: u32 = 0x3a;
}

/// `struct ethtool_sfeatures` with its blocks of `valid` and `requested`. The kernel reads `size` blocks.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FeatureSet {
    pub command: u32,
    pub size: u32,
    pub words: [[u32; 2]; FEATURE_WORDS],
}

const _: () = assert!(size_of::<FeatureSet>() == 8 + 8 * FEATURE_WORDS);

// SAFETY: numbers in C's layout; the kernel reads `size` blocks where that is the number of its own, which is far less than
// there is room for, and writes nothing.
unsafe impl Layout for FeatureSet {
    fn command(&mut self) -> &mut u32 {
        &mut self.command
    }
}

impl Settable for FeatureSet {
    const SET: u32 = 0x3b;
}

/// As many words of link modes as fit in the number that the kernel has for it, which is a signed byte.
pub(super) const LINK_WORDS: usize = 3 * i8::MAX as usize;

/// `struct ethtool_link_settings` and the words of modes behind it: what the port can do, offers, and its peer offers.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LinkSettings {
    pub command: u32,
    pub speed: u32,
    pub duplex: u8,
    pub port: u8,
    pub phy_address: u8,
    pub autoneg: u8,
    pub mdio_support: u8,
    pub mdix: u8,
    pub mdix_control: u8,
    /// Words of each of the three; negative where the kernel tells how many it wants.
    pub words: i8,
    pub transceiver: u8,
    pub role_config: u8,
    pub role_state: u8,
    pub rate_matching: u8,
    pub reserved: [u32; 7],
    pub modes: [u32; LINK_WORDS],
}

const _: () = assert!(size_of::<LinkSettings>() == 48 + 4 * LINK_WORDS);

impl Default for LinkSettings {
    fn default() -> Self {
        Self {
            command: 0,
            speed: 0,
            duplex: 0,
            port: 0,
            phy_address: 0,
            autoneg: 0,
            mdio_support: 0,
            mdix: 0,
            mdix_control: 0,
            words: 0,
            transceiver: 0,
            role_config: 0,
            role_state: 0,
            rate_matching: 0,
            reserved: [0; 7],
            modes: [0; LINK_WORDS],
        }
    }
}

// SAFETY: numbers in C's layout; the kernel writes words only where `words` has the number of its own
// (`ethtool_get_link_ksettings`, net/ethtool/ioctl.c), and there is room for the most that this number can say.
unsafe impl Layout for LinkSettings {
    fn command(&mut self) -> &mut u32 {
        &mut self.command
    }
}

impl Readable for LinkSettings {
    const GET: u32 = 0x4c;
}

/// `struct ethtool_drvinfo`; its texts end with a zero byte where they are shorter.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct DrvInfo {
    pub command: u32,
    pub driver: [u8; 32],
    pub version: [u8; 32],
    pub firmware: [u8; 32],
    pub bus: [u8; 32],
    pub rom: [u8; 32],
    pub reserved: [u8; 12],
    pub counts: [u32; 5],
}

const _: () = assert!(size_of::<DrvInfo>() == 196);

// SAFETY: numbers and bytes in C's layout, with the length that the kernel's structure has.
unsafe impl Layout for DrvInfo {
    fn command(&mut self) -> &mut u32 {
        &mut self.command
    }
}

impl Readable for DrvInfo {
    const GET: u32 = 0x03;
}

/// `struct ethtool_sset_info` with the one number that is asked for.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SetInfo {
    pub command: u32,
    pub reserved: u32,
    /// The bits of the sets asked for; the kernel leaves those that the port has.
    pub sets: u64,
    pub count: u32,
    pub padding: u32,
}

const _: () = assert!(size_of::<SetInfo>() == 24);

// SAFETY: numbers in C's layout. The kernel writes a number for each bit of `sets`; there is room for two.
unsafe impl Layout for SetInfo {
    fn command(&mut self) -> &mut u32 {
        &mut self.command
    }
}

impl Readable for SetInfo {
    const GET: u32 = 0x37;
}

/// `ETHTOOL_GSTRINGS`, and the length of a name: `struct ethtool_gstrings` has the request, the set and the count before them.
pub(super) const GET_STRINGS: u32 = 0x1b;
pub(super) const STRING: usize = 32;

/// `ETHTOOL_GSTATS`, and the length of a number: `struct ethtool_stats` has the request and the count before them.
pub(super) const GET_STATISTICS: u32 = 0x1d;
pub(super) const STATISTIC: usize = 8;

/// `struct hwtstamp_config`, which is no structure of ethtool.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct HwtstampConfig {
    pub flags: i32,
    pub tx_type: i32,
    pub rx_filter: i32,
}

const _: () = assert!(size_of::<HwtstampConfig>() == 12);
