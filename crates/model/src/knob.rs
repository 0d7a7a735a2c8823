//! A knob: one thing that a network port can be set to, in the words of NetworkManager's `ethtool` setting
//! (nm-settings-nmcli(5)), which are those of ethtool(8) with the group in front.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{Error, Result};

/// One thing that a port can be set to. Profiles, ids and other tools' files call it by the same word.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Knob {
    /// A number.
    Number(NumberKnob),
    /// On or off.
    Switch(SwitchKnob),
    /// A feature of the kernel's list (`rx-checksum`), or one of ethtool's words for several (`tso`).
    Feature(String),
    /// A private flag of the driver.
    Flag(String),
}

macro_rules! knobs {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All of them, in the order in which reports show them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its word.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

knobs! {
    /// Knobs that are numbers.
    NumberKnob {
        /// Descriptors in the receive ring of each queue.
        RingRx = "ring-rx",
        /// Descriptors in the transmit ring of each queue.
        RingTx = "ring-tx",
        /// Channels that only receive.
        ChannelsRx = "channels-rx",
        /// Channels that only transmit.
        ChannelsTx = "channels-tx",
        /// Channels that do both.
        ChannelsCombined = "channels-combined",
        /// Microseconds that a received packet may wait for its interrupt.
        RxUsecs = "coalesce-rx-usecs",
        /// Packets that may be received before the interrupt.
        RxFrames = "coalesce-rx-frames",
        /// The same microseconds while an interrupt is being served.
        RxUsecsIrq = "coalesce-rx-usecs-irq",
        /// The same packets while an interrupt is being served.
        RxFramesIrq = "coalesce-rx-frames-irq",
        /// Microseconds that the report of a sent packet may wait.
        TxUsecs = "coalesce-tx-usecs",
        /// Packets that may be sent before the interrupt.
        TxFrames = "coalesce-tx-frames",
        /// The same microseconds while an interrupt is being served.
        TxUsecsIrq = "coalesce-tx-usecs-irq",
        /// The same packets while an interrupt is being served.
        TxFramesIrq = "coalesce-tx-frames-irq",
    }
}

knobs! {
    /// Knobs that are on or off.
    SwitchKnob {
        /// The driver adapts receive coalescing to the traffic.
        AdaptiveRx = "coalesce-adaptive-rx",
        /// The driver adapts transmit coalescing to the traffic.
        AdaptiveTx = "coalesce-adaptive-tx",
        /// Both ends negotiate pause frames.
        PauseAutoneg = "pause-autoneg",
        /// Received pause frames are obeyed.
        PauseRx = "pause-rx",
        /// Pause frames are sent.
        PauseTx = "pause-tx",
        /// Energy-efficient Ethernet: an idle link sleeps.
        Eee = "eee",
    }
}

/// What the words of features and private flags begin with.
pub(crate) const FEATURE: &str = "feature-";
pub(crate) const FLAG: &str = "flag-";

/// The words that a misspelt one is compared with: the fixed ones, and the features that profiles name.
pub const WORDS: &[&str] = &[
    "ring-rx",
    "ring-tx",
    "channels-rx",
    "channels-tx",
    "channels-combined",
    "coalesce-rx-usecs",
    "coalesce-rx-frames",
    "coalesce-rx-usecs-irq",
    "coalesce-rx-frames-irq",
    "coalesce-tx-usecs",
    "coalesce-tx-frames",
    "coalesce-tx-usecs-irq",
    "coalesce-tx-frames-irq",
    "coalesce-adaptive-rx",
    "coalesce-adaptive-tx",
    "pause-autoneg",
    "pause-rx",
    "pause-tx",
    "eee",
    "feature-gro",
    "feature-lro",
    "feature-tso",
    "feature-gso",
    "feature-ntuple",
    "feature-NAME",
    "flag-NAME",
];

impl Knob {
    /// Whether its value is a number.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }
}

impl FromStr for Knob {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        // Of features and flags the kernel and the drivers decide on the names; these are the characters that they use.
        let named = |name: &str| {
            let good = |c: char| c.is_ascii_alphanumeric() || "-_+/".contains(c);
            (1..=64).contains(&name.len()) && name.chars().all(good)
        };
        if let Some(number) = NumberKnob::ALL.iter().find(|knob| knob.word() == text) {
            return Ok(Self::Number(*number));
        }
        if let Some(switch) = SwitchKnob::ALL.iter().find(|knob| knob.word() == text) {
            return Ok(Self::Switch(*switch));
        }
        match (text.strip_prefix(FEATURE), text.strip_prefix(FLAG)) {
            (Some(name), _) if named(name) => Ok(Self::Feature(name.to_owned())),
            (_, Some(name)) if named(name) => Ok(Self::Flag(name.to_owned())),
            _ => Err(Error::invalid(format!(
                "{text:?} is nothing that a port can be set to: expected {}",
                WORDS.join(", ")
            ))),
        }
    }
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(knob) => f.write_str(knob.word()),
            Self::Switch(knob) => f.write_str(knob.word()),
            Self::Feature(name) => write!(f, "{FEATURE}{name}"),
            Self::Flag(name) => write!(f, "{FLAG}{name}"),
        }
    }
}

crate::text_schema::text_schema!(Knob, "A value of a network port, like ring-rx");

impl Serialize for Knob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Knob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| D::Error::unknown_field(&text, WORDS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        let fixed = NumberKnob::ALL.iter().map(|knob| knob.word());
        let fixed: Vec<_> = fixed
            .chain(SwitchKnob::ALL.iter().map(|knob| knob.word()))
            .collect();
        for word in &fixed {
            assert_eq!(word.parse::<Knob>().expect("word").to_string(), *word);
            assert!(WORDS.contains(word), "{word}");
        }
        assert_eq!(
            WORDS.len(),
            fixed.len() + 7,
            "the others are features and flags"
        );
        for word in [
            "feature-gro",
            "feature-tx-udp_tnl-csum-segmentation",
            "flag-rx_cqe_compress",
        ] {
            assert_eq!(word.parse::<Knob>().expect("word").to_string(), word);
        }
        for bad in ["", "ring", "feature-", "flag-a b", "feature-a.b", "RING-RX"] {
            assert!(bad.parse::<Knob>().is_err(), "{bad}");
        }
    }
}
