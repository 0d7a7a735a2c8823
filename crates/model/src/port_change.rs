//! A change of a network port: values of one kind that the kernel takes in one request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ethtool::{
    Channels, Coalesce, Eee, FeatureChange, FlagChange, Pause, Port, Rings, Told,
};

/// Values that go to the kernel in one request. What is `None`, or not named, stays as it is.
///
/// The variants stand in the order in which a port is changed: what rebuilds queues comes before what the rebuilding would
/// undo, and adaptive coalescing is off before its numbers are set, since drivers refuse or ignore them otherwise (i40e,
/// ice, mlx5; drivers/net/ethernet).
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum PortChange {
    /// Numbers of channels.
    Channels(Channels),
    /// Sizes of rings.
    Rings(Rings),
    /// Private flags.
    Flags(FlagChange),
    /// Offloads and other features.
    Features(FeatureChange),
    /// Pause frames.
    Pause(Pause),
    /// Energy-efficient Ethernet.
    Eee(Eee),
    /// Adaptive coalescing.
    Adaptive(Coalesce),
    /// Coalescing.
    Coalesce(Coalesce),
}

/// Present values of the fields that a change names; `None` where the driver does not tell one of them.
macro_rules! same_fields {
    ($change:expr, $now:expr, $type:ident { $($field:ident),* }) => {{
        let (change, now) = ($change, $now);
        let mut fields = $type::default();
        let mut whole = true;
        $(
            if change.$field.is_some() {
                fields.$field = now.$field;
                whole &= now.$field.is_some();
            }
        )*
        whole.then_some(fields)
    }};
}

impl PortChange {
    /// Its word, which with the port makes a target.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Channels(_) => "channels",
            Self::Rings(_) => "rings",
            Self::Flags(_) => "flags",
            Self::Features(_) => "features",
            Self::Pause(_) => "pause",
            Self::Eee(_) => "eee",
            Self::Adaptive(_) => "adaptive-coalescing",
            Self::Coalesce(_) => "coalescing",
        }
    }

    /// Whether the driver may rebuild the queues of the port for it, and with them forget what comes later in the order.
    pub fn rebuilds(&self) -> bool {
        matches!(self, Self::Channels(_) | Self::Rings(_) | Self::Flags(_))
    }

    /// Whether the link may go down for it: drivers rebuild the queues, reset the card or negotiate the link anew.
    pub fn may_cut_link(&self) -> bool {
        self.rebuilds() || matches!(self, Self::Pause(_) | Self::Eee(_))
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Channels(channels) => *channels == Channels::default(),
            Self::Rings(rings) => *rings == Rings::default(),
            Self::Flags(flags) => flags.0.is_empty(),
            Self::Features(features) => features.0.is_empty(),
            Self::Pause(pause) => *pause == Pause::default(),
            Self::Eee(eee) => *eee == Eee::default(),
            Self::Adaptive(coalesce) | Self::Coalesce(coalesce) => *coalesce == Coalesce::default(),
        }
    }

    /// The same values as the port has them now; `None` where one of them is not told. Of features it is what was asked
    /// for: what else stands in the way of one is not changed by asking again.
    #[must_use]
    pub fn now(&self, port: &Port) -> Option<Self> {
        fn told<T>(told: &Told<T>) -> Option<&T> {
            told.value()
        }
        Some(match self {
            Self::Channels(change) => Self::Channels(same_fields!(
                change,
                told(&port.channels)?,
                Channels {
                    rx,
                    tx,
                    other,
                    combined
                }
            )?),
            Self::Rings(change) => Self::Rings(same_fields!(
                change,
                told(&port.rings)?,
                Rings {
                    rx,
                    tx,
                    rx_mini,
                    rx_jumbo
                }
            )?),
            Self::Flags(change) => {
                let flags = told(&port.flags)?;
                let now = change
                    .0
                    .keys()
                    .map(|name| Some((name.clone(), *flags.get(name)?)));
                Self::Flags(FlagChange(now.collect::<Option<_>>()?))
            }
            Self::Features(change) => {
                let features = told(&port.features)?;
                let now = change
                    .0
                    .keys()
                    .map(|name| Some((name.clone(), features.get(name)?.wanted)));
                Self::Features(FeatureChange(now.collect::<Option<_>>()?))
            }
            Self::Pause(change) => Self::Pause(same_fields!(
                change,
                told(&port.pause)?,
                Pause { autoneg, rx, tx }
            )?),
            Self::Eee(change) => Self::Eee(same_fields!(
                change,
                told(&port.eee)?,
                Eee {
                    enabled,
                    tx_lpi,
                    tx_lpi_timer_us
                }
            )?),
            Self::Adaptive(change) => Self::Adaptive(coalescing(change, told(&port.coalesce)?)?),
            Self::Coalesce(change) => Self::Coalesce(coalescing(change, told(&port.coalesce)?)?),
        })
    }

    /// The values in words: "rx 4096, tx 512".
    pub fn shown(&self) -> String {
        // Everything in it is a flat object of numbers and switches.
        let value = serde_json::to_value(self).unwrap_or_default();
        let fields = value.as_object().into_iter().flatten();
        let fields = fields
            .filter_map(|(_, fields)| fields.as_object())
            .flatten();
        // Names of features and flags are not ours to change.
        let named = matches!(self, Self::Features(_) | Self::Flags(_));
        let shown = fields.filter_map(|(name, value)| {
            let name = if named {
                name.clone()
            } else {
                name.replace('_', "-")
            };
            match value {
                serde_json::Value::Bool(on) => {
                    Some(format!("{name} {}", if *on { "on" } else { "off" }))
                }
                serde_json::Value::Number(number) => Some(format!("{name} {number}")),
                _ => None,
            }
        });
        shown.collect::<Vec<_>>().join(", ")
    }
}

fn coalescing(change: &Coalesce, now: &Coalesce) -> Option<Coalesce> {
    same_fields!(
        change,
        now,
        Coalesce {
            adaptive_rx,
            adaptive_tx,
            rx_usecs,
            rx_frames,
            rx_usecs_irq,
            rx_frames_irq,
            tx_usecs,
            tx_frames,
            tx_usecs_irq,
            tx_frames_irq,
            cqe_mode_rx,
            cqe_mode_tx
        }
    )
}
