//! Requests that are all numbers: rings, channels, coalescing, pause frames, energy-efficient Ethernet.
//!
//! Numbers of attributes: `ETHTOOL_A_RINGS_*` and so on, include/uapi/linux/ethtool_netlink.h.

use hftune_model::Result;
use hftune_model::ethtool::{Channels, Coalesce, Eee, Pause, PauseFrames, Rings};

use super::wire::{Attributes, Writer};
use super::{Change, Dump, Names, Request};

impl Dump for Rings {}

impl Request for Rings {
    const WORD: &'static str = "rings";
    const GET: Option<u8> = Some(15);

    fn parse(answer: &Attributes<'_>, _names: &Names) -> Result<Self> {
        Ok(Self {
            rx_max: answer.u32(2)?,
            rx_mini_max: answer.u32(3)?,
            rx_jumbo_max: answer.u32(4)?,
            tx_max: answer.u32(5)?,
            rx: answer.u32(6)?,
            rx_mini: answer.u32(7)?,
            rx_jumbo: answer.u32(8)?,
            tx: answer.u32(9)?,
        })
    }
}

impl Change for Rings {
    type Of = Self;
    const SET: u8 = 16;

    fn write(&self, writer: &mut Writer) {
        writer.u32_if(6, self.rx);
        writer.u32_if(7, self.rx_mini);
        writer.u32_if(8, self.rx_jumbo);
        writer.u32_if(9, self.tx);
    }
}

impl Dump for Channels {}

impl Request for Channels {
    const WORD: &'static str = "channels";
    const GET: Option<u8> = Some(17);

    fn parse(answer: &Attributes<'_>, _names: &Names) -> Result<Self> {
        Ok(Self {
            rx_max: answer.u32(2)?,
            tx_max: answer.u32(3)?,
            other_max: answer.u32(4)?,
            combined_max: answer.u32(5)?,
            rx: answer.u32(6)?,
            tx: answer.u32(7)?,
            other: answer.u32(8)?,
            combined: answer.u32(9)?,
        })
    }
}

impl Change for Channels {
    type Of = Self;
    const SET: u8 = 18;

    fn write(&self, writer: &mut Writer) {
        writer.u32_if(6, self.rx);
        writer.u32_if(7, self.tx);
        writer.u32_if(8, self.other);
        writer.u32_if(9, self.combined);
    }
}

impl Dump for Coalesce {}

impl Request for Coalesce {
    const WORD: &'static str = "coalescing";
    const GET: Option<u8> = Some(19);

    fn parse(answer: &Attributes<'_>, _names: &Names) -> Result<Self> {
        Ok(Self {
            rx_usecs: answer.u32(2)?,
            rx_frames: answer.u32(3)?,
            rx_usecs_irq: answer.u32(4)?,
            rx_frames_irq: answer.u32(5)?,
            tx_usecs: answer.u32(6)?,
            tx_frames: answer.u32(7)?,
            tx_usecs_irq: answer.u32(8)?,
            tx_frames_irq: answer.u32(9)?,
            adaptive_rx: answer.bool(11)?,
            adaptive_tx: answer.bool(12)?,
            cqe_mode_tx: answer.bool(24)?,
            cqe_mode_rx: answer.bool(25)?,
        })
    }
}

impl Change for Coalesce {
    type Of = Self;
    const SET: u8 = 20;

    fn write(&self, writer: &mut Writer) {
        writer.u32_if(2, self.rx_usecs);
        writer.u32_if(3, self.rx_frames);
        writer.u32_if(4, self.rx_usecs_irq);
        writer.u32_if(5, self.rx_frames_irq);
        writer.u32_if(6, self.tx_usecs);
        writer.u32_if(7, self.tx_frames);
        writer.u32_if(8, self.tx_usecs_irq);
        writer.u32_if(9, self.tx_frames_irq);
        writer.bool_if(11, self.adaptive_rx);
        writer.bool_if(12, self.adaptive_tx);
        writer.bool_if(24, self.cqe_mode_tx);
        writer.bool_if(25, self.cqe_mode_rx);
    }
}

impl Dump for Pause {}

impl Request for Pause {
    const WORD: &'static str = "pause frames";
    const GET: Option<u8> = Some(21);

    fn parse(answer: &Attributes<'_>, _names: &Names) -> Result<Self> {
        Ok(Self {
            autoneg: answer.bool(2)?,
            rx: answer.bool(3)?,
            tx: answer.bool(4)?,
        })
    }
}

impl Change for Pause {
    type Of = Self;
    const SET: u8 = 22;

    fn write(&self, writer: &mut Writer) {
        writer.bool_if(2, self.autoneg);
        writer.bool_if(3, self.rx);
        writer.bool_if(4, self.tx);
    }
}

impl Dump for PauseFrames {}

/// With `ETHTOOL_FLAG_STATS` the answer has counters (`pause_put_stats`, net/ethtool/pause.c), in Linux since 5.10.
impl Request for PauseFrames {
    const WORD: &'static str = "numbers of pause frames";
    const GET: Option<u8> = Some(21);
    const FLAGS: u32 = 4;

    fn parse(answer: &Attributes<'_>, _names: &Names) -> Result<Self> {
        let frames = answer.nest(5)?;
        Ok(Self {
            tx: frames.u64(2)?,
            rx: frames.u64(3)?,
        })
    }
}

impl Dump for Eee {}

impl Request for Eee {
    const WORD: &'static str = "energy-efficient Ethernet";
    const GET: Option<u8> = Some(23);

    fn parse(answer: &Attributes<'_>, _names: &Names) -> Result<Self> {
        Ok(Self {
            active: answer.bool(4)?,
            enabled: answer.bool(5)?,
            tx_lpi: answer.bool(6)?,
            tx_lpi_timer_us: answer.u32(7)?,
        })
    }
}

/// The link modes that take part, and what came of it, stay as they are.
impl Change for Eee {
    type Of = Self;
    const SET: u8 = 24;

    fn write(&self, writer: &mut Writer) {
        writer.bool_if(5, self.enabled);
        writer.bool_if(6, self.tx_lpi);
        writer.u32_if(7, self.tx_lpi_timer_us);
    }
}

/// The messages are those of ethtool 6.1 and the answers of Linux 6.18, on a virtio_net port and on a veth with two queues.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::ethtool::testing::{answer, get, set};

    #[test]
    fn rings() {
        assert_eq!(
            get::<Rings>("eth0"),
            "0f01000010000180090002006574683000000000"
        );
        let rings: Rings = answer(
            "10010000 18000180 08000100 04000000 09000200 6574683000000000 08000200 00010000 08000600 00010000
             08000500 00010000 08000900 00010000 05000d00 00000000 05000e00 00000000",
        );
        assert_eq!(
            rings,
            Rings {
                rx: Some(256),
                rx_max: Some(256),
                tx: Some(256),
                tx_max: Some(256),
                ..Rings::default()
            }
        );
        let change = Rings {
            rx: Some(4096),
            tx: Some(512),
            ..rings
        };
        assert_eq!(
            set("v0", &change),
            "100100000c000180070002007630000008000600001000000800090000020000"
        );
    }

    #[test]
    fn channels() {
        assert_eq!(get::<Channels>("v0"), "110100000c0001800700020076300000");
        let channels: Channels = answer(
            "12010000 14000180 08000100 03000000 07000200 76300000 08000200 02000000 08000600 02000000
             08000300 02000000 08000700 02000000",
        );
        assert_eq!(
            channels,
            Channels {
                rx: Some(2),
                rx_max: Some(2),
                tx: Some(2),
                tx_max: Some(2),
                ..Channels::default()
            }
        );
        let combined: Channels = answer(
            "12010000 18000180 08000100 04000000 09000200 6574683000000000 08000500 01000000 08000900 01000000",
        );
        assert_eq!(
            (combined.combined, combined.combined_max),
            (Some(1), Some(1))
        );
        let change = Channels {
            tx: Some(1),
            ..channels
        };
        assert_eq!(
            set("v0", &change),
            "120100000c000180070002007630000008000600020000000800070001000000"
        );
    }

    #[test]
    fn coalescing() {
        assert_eq!(
            get::<Coalesce>("eth0"),
            "1301000010000180090002006574683000000000"
        );
        let coalesce: Coalesce = answer(
            "14010000 18000180 08000100 04000000 09000200 6574683000000000 08000200 00000000 08000300 01000000
             08000600 00000000 08000700 01000000 05000b00 00000000",
        );
        assert_eq!(
            coalesce,
            Coalesce {
                adaptive_rx: Some(false),
                rx_usecs: Some(0),
                rx_frames: Some(1),
                tx_usecs: Some(0),
                tx_frames: Some(1),
                ..Coalesce::default()
            }
        );
        let adaptive_off = Coalesce {
            adaptive_rx: Some(false),
            adaptive_tx: Some(false),
            ..Coalesce::default()
        };
        assert_eq!(
            set("v0", &adaptive_off),
            "140100000c000180070002007630000005000b000000000005000c0000000000"
        );
        let at_once = Coalesce {
            rx_usecs: Some(0),
            tx_usecs: Some(0),
            ..Coalesce::default()
        };
        assert_eq!(
            set("v0", &at_once),
            "140100000c000180070002007630000008000200000000000800060000000000"
        );
    }

    #[test]
    fn pause_frames() {
        assert_eq!(get::<Pause>("v0"), "150100000c0001800700020076300000");
        let off = Pause {
            autoneg: Some(false),
            rx: Some(false),
            tx: Some(false),
        };
        assert_eq!(
            set("v0", &off),
            "160100000c0001800700020076300000050002000000000005000300000000000500040000000000"
        );
        // The kernel answers with the same attributes.
        assert_eq!(answer::<Pause>(&set("v0", &off)), off);
    }

    #[test]
    fn numbers_of_pause_frames() {
        assert_eq!(
            get::<PauseFrames>("v0"),
            "150100001400018007000200763000000800030004000000"
        );
        // No port here counts them: written from the definition.
        let with = |frames: &str| -> PauseFrames {
            answer(&format!(
                "16010000 14000180 08000100 03000000 07000200 76300000 05000200 01000000 05000300 01000000
                 05000400 00000000 08000600 00000000 {frames}"
            ))
        };
        assert_eq!(
            with("20000580 0c000200 0500000000000000 04000100 0c000300 0000000001000000"),
            PauseFrames {
                rx: Some(1 << 32),
                tx: Some(5)
            }
        );
        assert_eq!(with("04000580"), PauseFrames::default());
    }

    #[test]
    fn energy_efficient_ethernet() {
        assert_eq!(get::<Eee>("v0"), "170100000c0001800700020076300000");
        // No port here has it: written from the definition (net/ethtool/eee.c, eee_fill_reply).
        let eee: Eee = answer(
            "18010000 14000180 08000100 03000000 07000200 76300000 05000400 00000000 05000500 01000000
             05000600 01000000 08000700 11000000",
        );
        assert_eq!(
            eee,
            Eee {
                active: Some(false),
                enabled: Some(true),
                tx_lpi: Some(true),
                tx_lpi_timer_us: Some(17)
            }
        );
        let off = Eee {
            enabled: Some(false),
            tx_lpi: Some(false),
            ..eee
        };
        assert_eq!(
            set("v0", &off),
            "180100000c00018007000200763000000500050000000000050006000000000008000700110000 00"
                .replace(' ', "")
        );
    }
}
