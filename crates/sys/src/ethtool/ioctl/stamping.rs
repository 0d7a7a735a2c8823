//! Which time stamping is enabled (`SIOCGHWTSTAMP`, Documentation/networking/timestamping.rst).

use hftune_model::ethtool::StampingNow;

use super::ByIoctl;
use super::device::{Device, Fault};
use super::layout::HwtstampConfig;
use super::names::{RX_FILTERS, TX_TYPES};
use crate::ethtool::Request;

/// Netlink has it since Linux 6.14 only (`ETHTOOL_MSG_TSCONFIG_GET`).
impl Request for StampingNow {
    const WORD: &'static str = "time stamping that is enabled";
    const GET: Option<u8> = None;
}

impl ByIoctl for StampingNow {
    fn read(device: &mut Device<'_>) -> Result<Self, Fault> {
        match device.stamping() {
            Ok(config) => Ok(stamping(config)),
            // What drivers of old kernels say to an ioctl that they do not know.
            Err(e) if e.raw_os_error() == Some(libc::ENOTTY) => {
                Err(Fault::unsupported("the driver does not tell"))
            }
            Err(e) => Err(e.into()),
        }
    }
}

fn stamping(config: HwtstampConfig) -> StampingNow {
    let name = |names: &[&str], number: i32| {
        let name = usize::try_from(number).ok().and_then(|at| names.get(at));
        name.map(|name| (*name).to_owned())
    };
    StampingNow {
        tx: name(TX_TYPES, config.tx_type),
        rx_filter: name(RX_FILTERS, config.rx_filter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_names() {
        let of = |tx_type, rx_filter| {
            let now = stamping(HwtstampConfig {
                tx_type,
                rx_filter,
                ..HwtstampConfig::default()
            });
            [now.tx, now.rx_filter].map(Option::unwrap_or_default)
        };
        assert_eq!(of(0, 0), ["off", "none"]);
        // What ptp4l asks for.
        assert_eq!(of(1, 12), ["on", "ptpv2-event"]);
        assert_eq!(of(-1, 16), ["", ""]);
        assert_eq!(of(4, i32::MAX), ["", ""]);
    }
}
