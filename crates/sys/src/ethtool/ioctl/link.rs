//! The link, and where time stamps can be taken (`ETHTOOL_GLINK`, `ETHTOOL_GLINKSETTINGS`, `ETHTOOL_GET_TS_INFO`).

use hftune_model::Error;
use hftune_model::ethtool::{LinkModes, LinkState, TimeStamping};

use super::ByIoctl;
use super::device::{Device, Fault};
use super::layout::{LinkParam, LinkSettings, TsInfo};
use super::names::{LINK_MODES, RX_FILTERS, TIME_STAMPING, TX_TYPES, of_bits};
use crate::ethtool::link::{full_duplex, speed_mbps};

/// A driver that does not tell is one answer, not a refusal, as over netlink (`linkstate_prepare_data`,
/// net/ethtool/linkstate.c).
impl ByIoctl for LinkState {
    fn read(device: &mut Device<'_>) -> Result<Self, Fault> {
        match device.get::<LinkParam>().map_err(Fault::from) {
            Ok(of) => Ok(Self {
                up: Some(of.up != 0),
            }),
            Err(fault) if fault.is(libc::EOPNOTSUPP) => Ok(Self { up: None }),
            Err(fault) => Err(fault),
        }
    }
}

/// The kernel is asked for the number of its words first, which it tells as a negative number.
impl ByIoctl for LinkModes {
    fn read(device: &mut Device<'_>) -> Result<Self, Fault> {
        let words = device.get::<LinkSettings>()?.words.saturating_neg();
        let mut settings = LinkSettings {
            words,
            ..LinkSettings::default()
        };
        if words > 0 {
            device.ask(&mut settings)?;
        }
        Ok(link_modes(&settings)?)
    }
}

fn link_modes(settings: &LinkSettings) -> Result<LinkModes, Error> {
    let words = usize::try_from(settings.words).unwrap_or(0);
    if words == 0 {
        let what = "the kernel does not tell how many words of link modes it has";
        return Err(Error::invalid(what));
    }
    let mut modes = settings
        .modes
        .chunks(words)
        .map(|words| of_bits(words, LINK_MODES));
    let mut next = || modes.next().unwrap_or_default();
    Ok(LinkModes {
        autoneg: Some(settings.autoneg != 0),
        speed_mbps: speed_mbps(settings.speed),
        full_duplex: full_duplex(settings.duplex),
        supported: next(),
        advertised: next(),
        peer: next(),
    })
}

impl ByIoctl for TimeStamping {
    fn read(device: &mut Device<'_>) -> Result<Self, Fault> {
        Ok(time_stamping(&device.get()?))
    }
}

fn time_stamping(of: &TsInfo) -> TimeStamping {
    TimeStamping {
        capabilities: of_bits(&[of.capabilities], TIME_STAMPING),
        tx_types: of_bits(&[of.tx_types], TX_TYPES),
        rx_filters: of_bits(&[of.rx_filters], RX_FILTERS),
        phc_index: Some(of.phc_index).filter(|index| i32::try_from(*index).is_ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn link_modes_follow_each_other() {
        let mut settings = LinkSettings {
            words: 4,
            autoneg: 1,
            speed: 25_000,
            duplex: 1,
            ..LinkSettings::default()
        };
        settings.modes[0] = 1 << 31 | 1 << 6;
        settings.modes[4] = 1 << 31;
        settings.modes[8 + 1] = 1;
        assert_eq!(
            link_modes(&settings).expect("modes"),
            LinkModes {
                autoneg: Some(true),
                speed_mbps: Some(25_000),
                full_duplex: Some(true),
                supported: vec!["Autoneg".to_owned(), "25000baseCR/Full".to_owned()],
                advertised: vec!["25000baseCR/Full".to_owned()],
                peer: vec!["25000baseKR/Full".to_owned()]
            }
        );
        settings.words = -4;
        assert!(link_modes(&settings).is_err());
    }

    #[test]
    fn no_clock_is_none() {
        let mut of = TsInfo {
            capabilities: 0b1_1010,
            phc_index: u32::MAX,
            ..TsInfo::default()
        };
        assert_eq!(
            time_stamping(&of),
            TimeStamping {
                capabilities: [
                    "software-transmit",
                    "software-receive",
                    "software-system-clock"
                ]
                .map(str::to_owned)
                .to_vec(),
                ..TimeStamping::default()
            }
        );
        of.phc_index = 0;
        assert_eq!(time_stamping(&of).phc_index, Some(0));
    }

    proptest! {
        #[test]
        fn never_panics(words: i8, speed: u32, duplex: u8, modes in proptest::collection::vec(any::<u32>(), 400)) {
            let mut settings = LinkSettings { speed, duplex, words, ..LinkSettings::default() };
            let room = settings.modes.len();
            settings.modes.copy_from_slice(&modes[..room]);
            prop_assert_eq!(link_modes(&settings).is_ok(), words > 0);
        }
    }
}
