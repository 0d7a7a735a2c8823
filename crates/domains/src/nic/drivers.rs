//! What is known of drivers that they do not tell: how they round, what they refuse, and what a change does to traffic.
//!
//! Read in Linux 6.1 (6.1.192), drivers/net; the functions are named with each driver. Other versions may differ, so that
//! nothing here takes the place of the driver's answer: a value is judged by what is read back.

use std::ops::RangeInclusive;

use hftune_model::ethtool::{Channels, Coalesce};
use hftune_model::knob::{Knob, NumberKnob, SwitchKnob};

/// What is known of one driver.
#[derive(Debug, Clone, Copy)]
pub struct Driver {
    /// As the kernel calls it; empty for those of which nothing is known.
    name: &'static str,
    /// The cards, as people call them.
    family: &'static str,
    /// Sizes of receive rings.
    rx_ring: Sizes,
    /// Sizes of transmit rings.
    tx_ring: Sizes,
    /// Values of coalescing that it takes (`supported_coalesce_params`); empty where that is not known.
    takes: &'static [&'static str],
    /// What is special about its coalescing.
    coalescing: &'static str,
    /// Numbers of coalescing that it refuses.
    refused: &'static [(NumberKnob, &'static [RangeInclusive<u32>])],
    /// Microseconds of which it makes multiples of this many.
    usecs_step: u32,
    /// Values of rx-usecs and tx-usecs by which it adapts to the traffic.
    adaptive_usecs: &'static [u32],
    /// Whether its transmit queues have interrupts of their own.
    vectors: Vectors,
    /// Whether a change of pause frames can turn their negotiation on or off.
    negotiates_pause: bool,
    /// Whether the number of channels, which it tells, can be changed.
    sets_channels: bool,
    /// What a change of the rings does.
    rings: Effect,
    /// What a change of the channels does.
    channels: Effect,
    /// What a change of private flags does.
    flags: Effect,
    /// What a change of pause frames does.
    pause: Effect,
    /// What a change of energy-efficient Ethernet does.
    eee: Effect,
    /// What a change of LRO, or of GRO in hardware, does.
    lro: Effect,
    /// Private flags that cost or save time.
    worth: &'static [Flag],
}

/// Sizes that a ring can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// The least that the driver takes, or that it makes of less.
    least: u32,
    step: Step,
}

/// What a ring's size is rounded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nothing.
    Any,
    /// The next multiple.
    Multiple(u32),
    /// The next power of two.
    PowerUp,
    /// The power of two before.
    PowerDown,
}

/// What a change does to the traffic of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkEffect {
    /// Nothing.
    None,
    /// The queues are built anew: packets in them are lost, and the kernel may see no carrier for a moment.
    Queues,
    /// The link is negotiated anew: for seconds nothing is sent or received.
    Flap,
}

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Effect {
    link: LinkEffect,
    /// Whether interrupts come out of it with another affinity than the one that somebody gave them: the driver gives
    /// them one (`irq_set_affinity_hint()`), or they are other interrupts than before.
    moves_irqs: bool,
}

/// Interrupts of the transmit queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vectors {
    /// Whatever they are, rx-usecs and tx-usecs are two values.
    Apart,
    /// Those of the receive queues, always.
    Shared,
    /// Those of the receive queues, where more than half of the possible channels are in use.
    SharedOverHalf {
        /// Whether the driver tells the value of rx-usecs for tx-usecs then, instead of 0.
        repeats_rx: bool,
    },
}

/// A private flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag {
    /// The driver's name of it.
    pub name: &'static str,
    /// Whether it is to be on, for low latency.
    pub on: bool,
    /// Why, and what it costs.
    pub why: &'static str,
}

const NOTHING: Effect = Effect {
    link: LinkEffect::None,
    moves_irqs: false,
};
const QUEUES: Effect = Effect {
    link: LinkEffect::Queues,
    ..NOTHING
};
const FLAP: Effect = Effect {
    link: LinkEffect::Flap,
    ..NOTHING
};

const fn moving(effect: Effect) -> Effect {
    Effect {
        moves_irqs: true,
        ..effect
    }
}

const fn multiples(of: u32, least: u32) -> Sizes {
    Sizes {
        least,
        step: Step::Multiple(of),
    }
}

/// Any driver of which nothing is known: no rounding, and the worst of each change.
const OTHER: Driver = Driver {
    name: "",
    family: "",
    rx_ring: Sizes {
        least: 1,
        step: Step::Any,
    },
    tx_ring: Sizes {
        least: 1,
        step: Step::Any,
    },
    takes: &[],
    coalescing: "",
    refused: &[],
    usecs_step: 1,
    adaptive_usecs: &[],
    vectors: Vectors::Apart,
    negotiates_pause: true,
    sets_channels: true,
    rings: moving(FLAP),
    channels: moving(FLAP),
    flags: moving(FLAP),
    pause: FLAP,
    eee: FLAP,
    lro: FLAP,
    worth: &[],
};

/// What igb and igc refuse (`IGB_MIN_ITR_USECS`, `IGB_MAX_ITR_USECS` and the same of igc).
const GIGABIT: &[RangeInclusive<u32>] = &[2..=2, 4..=9, 10_001..=u32::MAX];
/// What i40e and ice refuse (`I40E_MAX_ITR`, `ICE_ITR_MAX`).
const OVER_8160: &[RangeInclusive<u32>] = &[8161..=u32::MAX];

/// Drivers, by name.
const DRIVERS: &[Driver] = &[
    // broadcom/bnxt: bnxt_set_ringparam(), bnxt_set_coalesce(), bnxt_hwrm_set_coal_params(), bnxt_set_channels(),
    // bnxt_request_irq(), bnxt_hwrm_set_pause(), bnxt_set_eee(), bnxt_set_features().
    Driver {
        name: "bnxt_en",
        family: "Broadcom NetXtreme-C/E",
        // BNXT_MIN_TX_DESC_CNT, with the usual 17 fragments of a packet.
        tx_ring: Sizes {
            least: 19,
            step: Step::Any,
        },
        takes: &[
            "adaptive-rx",
            "rx-usecs",
            "rx-frames",
            "rx-usecs-irq",
            "rx-frames-irq",
            "tx-usecs",
            "tx-frames",
            "tx-usecs-irq",
            "tx-frames-irq",
        ],
        coalescing: "what turns adaptive coalescing off ignores the numbers of the same request; 0 microseconds is the \
                     shortest time that the card knows, and 0 frames is 1",
        rings: QUEUES,
        channels: moving(QUEUES),
        lro: QUEUES,
        ..OTHER
    },
    // intel/e1000e: e1000_set_ringparam(), e1000_set_coalesce(), e1000e_write_itr(), e1000_set_pauseparam(),
    // e1000e_set_eee(), e1000e_set_priv_flags().
    Driver {
        name: "e1000e",
        family: "Intel PRO/1000 PCIe",
        rx_ring: multiples(8, 64),
        tx_ring: multiples(8, 64),
        takes: &["rx-usecs"],
        coalescing: "rx-usecs is of all interrupts, those of sent packets too; 1, 3 and 4 are modes and no times",
        refused: &[(NumberKnob::RxUsecs, &[2..=2, 5..=9, 10_001..=u32::MAX])],
        adaptive_usecs: &[1, 3, 4],
        rings: FLAP,
        flags: NOTHING,
        ..OTHER
    },
    // amazon/ena: ena_set_ringparam(), ena_set_coalesce(), ena_set_channels(), ena_update_queue_sizes(),
    // ena_request_io_irq(). It has no pause frames, no energy-efficient Ethernet and no private flags.
    Driver {
        name: "ena",
        family: "Amazon ENA",
        rx_ring: Sizes {
            least: 256,
            step: Step::PowerDown,
        },
        tx_ring: Sizes {
            least: 256,
            step: Step::PowerDown,
        },
        takes: &["adaptive-rx", "rx-usecs", "tx-usecs"],
        coalescing: "it takes adaptive-rx but no adaptive-tx, and rounds microseconds down to what the card knows",
        rings: moving(QUEUES),
        channels: moving(QUEUES),
        ..OTHER
    },
    // intel/i40e: i40e_set_ringparam(), __i40e_set_coalesce(), i40e_set_itr_per_queue(), i40e_set_channels(),
    // i40e_set_pauseparam(), i40e_set_priv_flags(), i40e_vsi_request_irq_msix(), i40e_atr().
    Driver {
        name: "i40e",
        family: "Intel 700 series",
        rx_ring: multiples(32, 64),
        tx_ring: multiples(32, 64),
        takes: &[
            "adaptive-rx",
            "adaptive-tx",
            "rx-usecs",
            "rx-frames-irq",
            "tx-usecs",
            "tx-frames-irq",
        ],
        coalescing: "it refuses other microseconds while adaptive coalescing is on, and takes a new value at the next \
                     interrupt of each queue",
        refused: &[
            (NumberKnob::RxUsecs, OVER_8160),
            (NumberKnob::TxUsecs, OVER_8160),
        ],
        usecs_step: 2,
        negotiates_pause: false,
        rings: QUEUES,
        channels: QUEUES,
        // Only some of the flags reset the card.
        flags: QUEUES,
        worth: &[
            Flag {
                name: "flow-director-atr",
                on: false,
                why: "the card then no longer moves TCP streams to the queue of the CPU that sends, which is a filter to \
                      write every few packets; without it the hash alone decides on the queue",
            },
            Flag {
                name: "link-down-on-close",
                on: false,
                why: "with it, a change of the rings takes the link down as well",
            },
        ],
        ..OTHER
    },
    // intel/ice: ice_set_ringparam(), ice_set_rc_coalesce(), ice_set_channels(), ice_vsi_recfg_qs(),
    // ice_vsi_req_irq_msix(), ice_set_pauseparam(), ice_set_priv_flags().
    Driver {
        name: "ice",
        family: "Intel E800 series",
        rx_ring: multiples(32, 64),
        tx_ring: multiples(32, 64),
        takes: &["adaptive-rx", "adaptive-tx", "rx-usecs", "tx-usecs"],
        coalescing: "it refuses other microseconds while adaptive coalescing is on; odd ones are told as set, and the \
                     card counts the even number below",
        refused: &[
            (NumberKnob::RxUsecs, OVER_8160),
            (NumberKnob::TxUsecs, OVER_8160),
        ],
        negotiates_pause: false,
        rings: QUEUES,
        channels: moving(QUEUES),
        // fw-lldp-agent starts the negotiation anew.
        flags: FLAP,
        ..OTHER
    },
    // intel/igb: igb_set_ringparam(), igb_set_coalesce(), igb_get_coalesce(), igb_set_flag_queue_pairs(),
    // igb_set_channels(), igb_reinit_queues(), igb_set_pauseparam(), igb_set_eee(), igb_set_priv_flags().
    Driver {
        name: "igb",
        family: "Intel I210, I350 and relatives",
        rx_ring: multiples(8, 64),
        tx_ring: multiples(8, 64),
        takes: &["rx-usecs", "tx-usecs"],
        coalescing: "it has no adaptive-rx and adaptive-tx: rx-usecs 1 and 3 are its adaptive modes",
        refused: &[
            (NumberKnob::RxUsecs, GIGABIT),
            (NumberKnob::TxUsecs, GIGABIT),
        ],
        adaptive_usecs: &[1, 3],
        vectors: Vectors::SharedOverHalf { repeats_rx: false },
        rings: FLAP,
        flags: FLAP,
        ..OTHER
    },
    // intel/igc: igc_ethtool_set_ringparam(), igc_ethtool_set_coalesce(), igc_ethtool_get_coalesce(),
    // igc_set_flag_queue_pairs(), igc_ethtool_set_channels(), igc_reinit_queues(), igc_ethtool_set_pauseparam(),
    // igc_ethtool_set_eee(), igc_ethtool_set_priv_flags().
    Driver {
        name: "igc",
        family: "Intel I225 and I226",
        rx_ring: multiples(8, 64),
        tx_ring: multiples(8, 64),
        takes: &["rx-usecs", "tx-usecs"],
        coalescing: "it has no adaptive-rx and adaptive-tx: rx-usecs 1 and 3 are its adaptive modes",
        refused: &[
            (NumberKnob::RxUsecs, GIGABIT),
            (NumberKnob::TxUsecs, GIGABIT),
        ],
        adaptive_usecs: &[1, 3],
        vectors: Vectors::SharedOverHalf { repeats_rx: true },
        rings: FLAP,
        flags: FLAP,
        ..OTHER
    },
    // intel/ixgbe: ixgbe_set_ringparam(), ixgbe_set_coalesce(), ixgbe_update_rsc(), ixgbe_alloc_q_vectors(),
    // ixgbe_set_channels(), ixgbe_setup_tc(), ixgbe_set_pauseparam(), ixgbe_set_eee(), ixgbe_set_priv_flags(),
    // ixgbe_set_features().
    Driver {
        name: "ixgbe",
        family: "Intel 82599, X540 and X550",
        rx_ring: multiples(8, 64),
        tx_ring: multiples(8, 64),
        takes: &["rx-usecs", "tx-usecs"],
        coalescing: "it has no adaptive-rx and adaptive-tx: rx-usecs 1 is its adaptive mode; a change between that or \
                     10 and more, and less, resets the card and takes the link down",
        // IXGBE_MAX_EITR >> 2
        refused: &[
            (NumberKnob::RxUsecs, &[1023..=u32::MAX]),
            (NumberKnob::TxUsecs, &[1023..=u32::MAX]),
        ],
        adaptive_usecs: &[1],
        vectors: Vectors::Shared,
        rings: FLAP,
        flags: FLAP,
        ..OTHER
    },
    // mellanox/mlx4: mlx4_en_set_ringparam(), mlx4_en_set_coalesce(), mlx4_en_set_channels(), mlx4_en_stop_port(),
    // mlx4_set_eq_affinity_hint(), mlx4_en_set_pauseparam(), mlx4_en_set_priv_flags(), mlx4_en_xmit().
    Driver {
        name: "mlx4_core",
        family: "Mellanox ConnectX-3",
        // MLX4_EN_MIN_RX_SIZE and MLX4_EN_MIN_TX_SIZE with pages of 4 KiB.
        rx_ring: Sizes {
            least: 256,
            step: Step::PowerUp,
        },
        tx_ring: Sizes {
            least: 64,
            step: Step::PowerUp,
        },
        takes: &[
            "adaptive-rx",
            "rx-usecs",
            "rx-frames",
            "tx-usecs",
            "tx-frames",
            "tx-frames-irq",
        ],
        coalescing: "it takes adaptive-rx but no adaptive-tx, and refuses all coalescing while tx-frames-irq is 0",
        refused: &[(NumberKnob::TxFramesIrq, &[0..=0])],
        negotiates_pause: false,
        channels: FLAP,
        rings: FLAP,
        flags: NOTHING,
        pause: NOTHING,
        worth: &[Flag {
            name: "blueflame",
            on: true,
            why: "the driver then writes a small packet right into the card, which saves the card a read of memory; \
                  packets with a VLAN tag do not get it",
        }],
        ..OTHER
    },
    // mellanox/mlx5/core: mlx5e_ethtool_set_ringparam(), mlx5e_ethtool_set_coalesce(), mlx5e_reset_rx_moderation(),
    // mlx5e_switch_priv_channels(), mlx5e_ethtool_set_channels(), mlx5e_ethtool_set_pauseparam(), mlx5_irq_alloc(),
    // set_feature_lro(), set_pflag_rx_cqe_compress(), mlx5e_hwstamp_set(), set_pflag_skb_tx_mpwqe().
    Driver {
        name: "mlx5_core",
        family: "NVIDIA ConnectX-4 and later",
        // MLX5E_PARAMS_MINIMUM_LOG_SQ_SIZE; of receive rings it is less and not the same in all versions.
        rx_ring: Sizes {
            least: 64,
            step: Step::PowerUp,
        },
        tx_ring: Sizes {
            least: 64,
            step: Step::PowerUp,
        },
        takes: &[
            "adaptive-rx",
            "adaptive-tx",
            "rx-usecs",
            "rx-frames",
            "tx-usecs",
            "tx-frames",
        ],
        coalescing: "it takes microseconds while adaptive coalescing is on and does not act on them, and what turns it on \
                     or off sets the driver's defaults (16 microseconds, 32 frames) in place of the numbers of the same \
                     request",
        negotiates_pause: false,
        rings: QUEUES,
        channels: QUEUES,
        flags: QUEUES,
        pause: NOTHING,
        lro: QUEUES,
        worth: &[
            Flag {
                name: "rx_cqe_compress",
                on: false,
                why: "the card then reports each packet by itself, with its own time stamp; it takes more of a slow PCIe \
                      slot",
            },
            Flag {
                name: "skb_tx_mpwqe",
                on: false,
                why: "packets are then handed to the card one by one; a burst takes more of the PCIe slot",
            },
        ],
        ..OTHER
    },
    // sfc: efx_ethtool_set_ringparam(), efx_realloc_channels(), efx_ethtool_set_coalesce(), efx_init_irq_moderation(),
    // efx_ethtool_set_pauseparam(), efx_pci_probe_main(). It has no change of channels and no private flags.
    Driver {
        name: "sfc",
        family: "Solarflare",
        // It tells a size as it was asked for, and makes a power of two of at least 512 of it inside.
        rx_ring: Sizes {
            least: 128,
            step: Step::Any,
        },
        // EFX_TXQ_MIN_ENT hangs on the card and the kernel: 634 with 17 fragments of a packet.
        tx_ring: Sizes {
            least: 1024,
            step: Step::Any,
        },
        takes: &[
            "adaptive-rx",
            "rx-usecs",
            "rx-usecs-irq",
            "tx-usecs",
            "tx-usecs-irq",
        ],
        coalescing: "rx-usecs and tx-usecs have to be equal where queues share interrupts; where rx-usecs stays as it is, \
                     rx-usecs-irq takes its place",
        rings: QUEUES,
        ..OTHER
    },
    // virtio_net.c: virtnet_set_ringparam(), virtnet_set_coalesce(), virtnet_coal_params_supported(),
    // virtnet_set_channels(), virtnet_set_affinity(), virtnet_set_features(); drivers/virtio: virtqueue_resize(),
    // vring_alloc_queue_split(), vp_set_vq_affinity(). It has no pause frames and no private flags.
    Driver {
        name: "virtio_net",
        family: "virtio",
        rx_ring: Sizes {
            least: 1,
            step: Step::PowerDown,
        },
        tx_ring: Sizes {
            least: 1,
            step: Step::PowerDown,
        },
        takes: &["rx-usecs", "rx-frames", "tx-usecs", "tx-frames"],
        coalescing: "microseconds take a host that offers VIRTIO_NET_F_NOTF_COAL; tx-frames 0 or more than 0 can only be \
                     chosen while the port is down",
        rings: QUEUES,
        channels: moving(NOTHING),
        lro: NOTHING,
        ..OTHER
    },
    // vmxnet3: vmxnet3_set_ringparam(), vmxnet3_set_coalesce(), vmxnet3_set_features(). It has no change of channels, no
    // pause frames and no private flags.
    Driver {
        name: "vmxnet3",
        family: "VMware VMXNET3",
        // Multiples of 32, and powers of two from version 7 of the device: a power of two is good for both.
        rx_ring: Sizes {
            least: 32,
            step: Step::PowerDown,
        },
        tx_ring: Sizes {
            least: 32,
            step: Step::PowerDown,
        },
        takes: &["adaptive-rx", "rx-usecs", "rx-frames", "tx-frames"],
        coalescing: "it takes one of rx-usecs, adaptive-rx and frames, and refuses two; without all three there is no \
                     coalescing, and it needs version 3 of the device",
        sets_channels: false,
        rings: QUEUES,
        lro: NOTHING,
        ..OTHER
    },
];

/// What is known of a driver, by the kernel's name of it.
pub fn of(name: Option<&str>) -> &'static Driver {
    // The module with the ports of mlx4 is mlx4_en, and the driver of the device below them is mlx4_core.
    let name = match name {
        Some("mlx4_en") => Some("mlx4_core"),
        name => name,
    };
    DRIVERS
        .iter()
        .find(|driver| Some(driver.name) == name)
        .unwrap_or(&OTHER)
}

impl Driver {
    /// The sizes that a ring can have; `None` for what is no ring.
    pub fn ring(&self, knob: NumberKnob) -> Option<Sizes> {
        match knob {
            NumberKnob::RingRx => Some(self.rx_ring),
            NumberKnob::RingTx => Some(self.tx_ring),
            _ => None,
        }
    }

    /// What is special about its coalescing, and of which cards that is said.
    pub fn about_coalescing(&self) -> Option<String> {
        (!self.coalescing.is_empty())
            .then(|| format!("{} ({}): {}", self.family, self.name, self.coalescing))
    }

    /// Whether it takes a value of coalescing, by the knob's word.
    ///
    /// Netlink tells only those that a driver takes, and is believed: drivers of newer kernels take more. Where everything
    /// is told, the kernel was asked by ioctl, and what is 0 there may not be known to the driver at all.
    pub fn takes(&self, word: &str, told: &Coalesce) -> bool {
        let switches = [told.adaptive_rx, told.adaptive_tx];
        let numbers = [
            told.rx_usecs,
            told.rx_frames,
            told.rx_usecs_irq,
            told.rx_frames_irq,
            told.tx_usecs,
            told.tx_frames,
            told.tx_usecs_irq,
            told.tx_frames_irq,
        ];
        let all_told = switches.iter().all(Option::is_some) && numbers.iter().all(Option::is_some);
        let word = word.strip_prefix("coalesce-").unwrap_or(word);
        !all_told || self.takes.is_empty() || self.takes.contains(&word)
    }

    /// Whether it refuses a number of coalescing.
    pub fn refuses(&self, knob: NumberKnob, number: u32) -> bool {
        let ranges = self.refused.iter().filter(|(known, _)| *known == knob);
        ranges
            .flat_map(|(_, ranges)| *ranges)
            .any(|range| range.contains(&number))
    }

    /// What it makes of a number of coalescing that it does not refuse.
    pub fn coalesced(&self, knob: NumberKnob, number: u32) -> u32 {
        match knob {
            NumberKnob::RxUsecs | NumberKnob::TxUsecs => Sizes {
                least: 0,
                step: Step::Multiple(self.usecs_step),
            }
            .round(number, u32::MAX),
            _ => number,
        }
    }

    /// Whether a number of microseconds is none, but stands for adapting to the traffic.
    pub fn adapts_by(&self, knob: NumberKnob, number: u32) -> bool {
        matches!(knob, NumberKnob::RxUsecs | NumberKnob::TxUsecs)
            && self.adaptive_usecs.contains(&number)
    }

    /// Whether rx-usecs counts for transmit queues too, because they share their interrupts.
    pub fn ties_tx(&self, coalesce: &Coalesce, channels: Option<&Channels>) -> bool {
        match self.vectors {
            Vectors::Apart => false,
            Vectors::Shared => true,
            Vectors::SharedOverHalf { repeats_rx } => {
                let told = if repeats_rx {
                    coalesce.rx_usecs
                } else {
                    Some(0)
                };
                let over_half = channels
                    .and_then(|channels| Some((channels.combined?, channels.combined_max?)))
                    .is_some_and(|(now, most)| now > most / 2);
                over_half && coalesce.tx_usecs == told
            }
        }
    }

    /// Whether a change of pause frames can turn their negotiation on or off.
    pub fn negotiates_pause(&self) -> bool {
        self.negotiates_pause
    }

    /// Whether the number of channels, which it tells, can be changed.
    pub fn sets_channels(&self) -> bool {
        self.sets_channels
    }

    /// What is known of a private flag.
    pub fn flag(&self, name: &str) -> Option<&'static Flag> {
        self.worth.iter().find(|flag| flag.name == name)
    }

    /// Private flags that cost or save time, each with the better value.
    pub fn flags_worth(&self) -> &'static [Flag] {
        self.worth
    }

    /// What a change of a knob does to the link.
    pub fn link_effect(&self, knob: &Knob) -> LinkEffect {
        self.effect(knob).link
    }

    fn effect(&self, knob: &Knob) -> Effect {
        use NumberKnob as N;
        use SwitchKnob as S;
        match knob {
            Knob::Number(N::RingRx | N::RingTx) => self.rings,
            Knob::Number(N::ChannelsRx | N::ChannelsTx | N::ChannelsCombined) => self.channels,
            Knob::Switch(S::PauseAutoneg | S::PauseRx | S::PauseTx) => self.pause,
            Knob::Switch(S::Eee) => self.eee,
            Knob::Flag(_) => self.flags,
            Knob::Feature(word) if matches!(word.as_str(), "lro" | "rx-lro" | "rx-gro-hw") => {
                self.lro
            }
            Knob::Number(_) | Knob::Feature(_) | Knob::Switch(S::AdaptiveRx | S::AdaptiveTx) => {
                NOTHING
            }
        }
    }

    /// What a change of a knob does besides, in words; `None` where it is nothing.
    pub fn about_change(&self, knob: &Knob) -> Option<String> {
        let sure = !self.name.is_empty();
        let link = match (self.link_effect(knob), sure) {
            (LinkEffect::None, _) => None,
            (LinkEffect::Queues, _) => Some("builds its queues anew and loses the packets in them"),
            (LinkEffect::Flap, true) => Some("takes the link down for a while"),
            (LinkEffect::Flap, false) => Some("may take the link down for a while"),
        };
        let irqs = match (self.effect(knob).moves_irqs, sure) {
            (false, _) => None,
            (true, true) => Some("gives its interrupts another affinity"),
            (true, false) => Some("may give its interrupts another affinity"),
        };
        let does: Vec<&str> = link.into_iter().chain(irqs).collect();
        (!does.is_empty()).then(|| format!("for the change, the driver {}", does.join(" and ")))
    }
}

impl Sizes {
    /// The size that the driver makes of one, where it has at most `most`: one that it leaves as it is.
    pub fn round(self, asked: u32, most: u32) -> u32 {
        let down = |size: u32| match self.step {
            Step::Any => size,
            Step::Multiple(of) => size - size % of,
            Step::PowerUp | Step::PowerDown => size.checked_ilog2().map_or(0, |log| 1 << log),
        };
        let asked = asked.min(most);
        let stepped = match self.step {
            Step::Any | Step::PowerDown => down(asked),
            Step::Multiple(of) => asked.checked_next_multiple_of(of).unwrap_or(u32::MAX),
            Step::PowerUp => asked.checked_next_power_of_two().unwrap_or(u32::MAX),
        };
        stepped.min(down(most)).max(self.least.min(most))
    }

    /// Why it makes another size of one that is not more than the most.
    pub fn why(self, asked: u32) -> String {
        match self.step {
            _ if asked < self.least => format!("at least {}", self.least),
            Step::Any => "that size".to_owned(),
            Step::Multiple(of) => format!("multiples of {of}"),
            Step::PowerUp | Step::PowerDown => "powers of two".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sizes() -> impl Iterator<Item = Sizes> {
        let drivers = DRIVERS.iter().chain([&OTHER]);
        drivers.flat_map(|driver| [driver.rx_ring, driver.tx_ring])
    }

    #[test]
    fn drivers_stand_once_and_in_order() {
        assert!(DRIVERS.is_sorted_by(|a, b| a.name < b.name));
        for driver in DRIVERS {
            assert!(!driver.name.is_empty() && !driver.family.is_empty());
            assert_eq!(of(Some(driver.name)).name, driver.name);
        }
        assert_eq!(of(Some("mlx4_en")).name, "mlx4_core");
        assert_eq!(of(Some("r8169")).name, "");
        assert_eq!(of(None).name, "");
    }

    #[test]
    fn the_least_is_a_size_that_stays() {
        for sizes in sizes() {
            assert_eq!(sizes.round(0, 8192), sizes.least, "{sizes:?}");
            assert_eq!(sizes.round(sizes.least, 8192), sizes.least, "{sizes:?}");
        }
    }

    #[test]
    fn rings_are_rounded_as_the_drivers_do() {
        for (driver, asked, most, got) in [
            ("i40e", 100, 8160, 128),
            ("i40e", 8192, 8160, 8160),
            ("igb", 1001, 4096, 1008),
            ("igb", 10, 4096, 64),
            ("mlx5_core", 3000, 8192, 4096),
            ("mlx4_en", 100, 8192, 256),
            ("ena", 3000, 8192, 2048),
            ("bnxt_en", 4096, 2047, 2047),
            ("sfc", 1000, 4096, 1000),
            ("vmxnet3", 3000, 4096, 2048),
            ("virtio_net", 4096, 256, 256),
            ("r8169", 77, 256, 77),
        ] {
            let sizes = of(Some(driver)).ring(NumberKnob::RingRx).expect("ring");
            assert_eq!(sizes.round(asked, most), got, "{driver} {asked}");
        }
    }

    proptest! {
        #[test]
        fn rounding_stays_in_its_bounds_and_in_order(a: u32, b: u32, most in 1u32..) {
            let (small, large) = (a.min(b), a.max(b));
            for sizes in sizes() {
                let (low, high) = (sizes.round(small, most), sizes.round(large, most));
                prop_assert!(low <= high, "{:?}", sizes);
                prop_assert!((sizes.least.min(most)..=most).contains(&low), "{:?}", sizes);
                prop_assert_eq!(sizes.round(low, most), low, "{:?}", sizes);
            }
        }
    }

    #[test]
    fn microseconds_that_a_driver_refuses_are_known() {
        let igb = of(Some("igb"));
        for (usecs, refused) in [(0, false), (1, false), (2, true), (9, true), (10, false)] {
            assert_eq!(igb.refuses(NumberKnob::RxUsecs, usecs), refused, "{usecs}");
        }
        assert!(of(Some("mlx4_core")).refuses(NumberKnob::TxFramesIrq, 0));
        assert!(!of(Some("mlx4_core")).refuses(NumberKnob::TxFrames, 0));
        assert!(of(Some("i40e")).refuses(NumberKnob::TxUsecs, 8161));
        assert_eq!(of(Some("i40e")).coalesced(NumberKnob::RxUsecs, 3), 4);
        assert_eq!(of(Some("i40e")).coalesced(NumberKnob::RxFrames, 3), 3);
        assert!(igb.adapts_by(NumberKnob::RxUsecs, 3));
        // What a number is rounded to is never one that is refused.
        for driver in DRIVERS {
            for (knob, ranges) in driver.refused {
                for usecs in ranges.iter().map(|range| range.start().wrapping_sub(1)) {
                    let got = driver.coalesced(*knob, usecs);
                    assert_eq!(driver.refuses(*knob, got), driver.refuses(*knob, usecs));
                }
            }
        }
    }

    #[test]
    fn by_ioctl_only_what_the_driver_takes_is_believed() {
        let by_ioctl = Coalesce {
            adaptive_rx: Some(false),
            adaptive_tx: Some(false),
            rx_usecs: Some(3),
            rx_frames: Some(0),
            rx_usecs_irq: Some(0),
            rx_frames_irq: Some(0),
            tx_usecs: Some(0),
            tx_frames: Some(0),
            tx_usecs_irq: Some(0),
            tx_frames_irq: Some(0),
            ..Coalesce::default()
        };
        let e1000e = of(Some("e1000e"));
        assert!(e1000e.takes("coalesce-rx-usecs", &by_ioctl));
        assert!(!e1000e.takes("coalesce-adaptive-rx", &by_ioctl));
        assert!(of(Some("r8169")).takes("coalesce-adaptive-rx", &by_ioctl));
        let by_netlink = Coalesce {
            rx_frames: None,
            ..by_ioctl
        };
        assert!(e1000e.takes("coalesce-adaptive-rx", &by_netlink));
        // Every word is one of a knob, and what is refused is of what is taken.
        for driver in DRIVERS {
            for word in driver.takes {
                let knob = format!("coalesce-{word}").parse::<Knob>();
                assert!(
                    matches!(knob, Ok(Knob::Number(_) | Knob::Switch(_))),
                    "{word}"
                );
            }
            for (knob, _) in driver.refused {
                assert!(driver.takes(knob.word(), &by_ioctl), "{}", driver.name);
            }
        }
    }

    #[test]
    fn transmit_queues_share_interrupts_where_the_driver_says_so() {
        let told = |rx, tx| Coalesce {
            rx_usecs: Some(rx),
            tx_usecs: Some(tx),
            ..Coalesce::default()
        };
        let channels = |now| Channels {
            combined: Some(now),
            combined_max: Some(4),
            ..Channels::default()
        };
        for (driver, rx, tx, now, tied) in [
            ("igb", 3, 0, 4, true),
            ("igb", 3, 3, 4, false),
            ("igb", 3, 3, 2, false),
            ("igc", 3, 3, 4, true),
            ("igc", 3, 0, 4, false),
            ("igc", 3, 3, 2, false),
            ("ixgbe", 1, 0, 4, true),
            ("i40e", 50, 50, 4, false),
        ] {
            let of = of(Some(driver));
            assert_eq!(
                of.ties_tx(&told(rx, tx), Some(&channels(now))),
                tied,
                "{driver} {now}"
            );
        }
    }

    #[test]
    fn what_a_change_does_is_told_for_what_it_does_something_to() {
        let about =
            |driver, knob: &str| of(Some(driver)).about_change(&knob.parse().expect("knob"));
        let queues =
            "for the change, the driver builds its queues anew and loses the packets in them";
        assert_eq!(about("i40e", "ring-rx").as_deref(), Some(queues));
        let both = format!("{queues} and gives its interrupts another affinity");
        assert_eq!(about("ena", "ring-tx"), Some(both));
        assert_eq!(
            about("virtio_net", "channels-combined").as_deref(),
            Some("for the change, the driver gives its interrupts another affinity")
        );
        assert_eq!(about("mlx5_core", "pause-rx"), None);
        assert_eq!(about("mlx5_core", "coalesce-rx-usecs"), None);
        assert_eq!(
            about("r8169", "eee").as_deref(),
            Some("for the change, the driver may take the link down for a while")
        );
        assert_eq!(about("i40e", "feature-tso"), None);
        let lro = "feature-lro".parse().expect("knob");
        assert_eq!(of(Some("ixgbe")).link_effect(&lro), LinkEffect::Flap);
    }
}
