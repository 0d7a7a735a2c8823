//! What a driver says of itself, and what it counts (`ETHTOOL_GDRVINFO`, `ETHTOOL_GSTATS`).

use hftune_model::ethtool::{DriverInfo, Statistics};
use hftune_model::{Error, Kind};

use super::ByIoctl;
use super::device::{Device, Fault, text};
use super::layout::{DrvInfo, GET_STATISTICS, STATISTIC};
use crate::ethtool::{Request, StringSet};

/// Netlink has no such request.
impl Request for DriverInfo {
    const WORD: &'static str = "driver";
    const GET: Option<u8> = None;
}

impl ByIoctl for DriverInfo {
    fn read(device: &mut Device<'_>) -> Result<Self, Fault> {
        Ok(driver_info(&device.get()?))
    }
}

fn driver_info(info: &DrvInfo) -> DriverInfo {
    DriverInfo {
        driver: text(&info.driver),
        version: text(&info.version),
        firmware: text(&info.firmware),
        bus: text(&info.bus),
    }
}

/// Netlink has only those that the kernel has names for.
impl Request for Statistics {
    const WORD: &'static str = "statistics";
    const GET: Option<u8> = None;
}

/// Where a driver gives two of them one name, the later one is told.
impl ByIoctl for Statistics {
    fn read(device: &mut Device<'_>) -> Result<Self, Fault> {
        let set = StringSet::Statistics;
        let names = device.strings(set)?;
        let numbers = device.table(set, &[GET_STATISTICS], STATISTIC, |bytes| {
            u64::from_ne_bytes(bytes.try_into().expect("eight bytes"))
        })?;
        if names.len() != numbers.len() {
            let what = "the driver changed the number of its statistics meanwhile";
            return Err(Error::new(Kind::Busy, what).into());
        }
        let pairs = names.into_iter().zip(numbers);
        Ok(pairs.filter(|(name, _)| !name.is_empty()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_leaves_empty_what_it_does_not_know() {
        let mut info = DrvInfo::default();
        info.driver[..4].copy_from_slice(b"veth");
        info.version = [b'1'; 32];
        assert_eq!(
            driver_info(&info),
            DriverInfo {
                driver: Some("veth".to_owned()),
                version: Some("1".repeat(32)),
                ..DriverInfo::default()
            }
        );
    }
}
