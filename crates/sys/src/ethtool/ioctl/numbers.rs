//! Requests that are all numbers: rings, channels, coalescing, pause frames, energy-efficient Ethernet.

use hftune_model::ethtool::{Channels, Coalesce, Eee, Pause, PauseFrames, Rings};

use super::device::{Device, Fault};
use super::layout::{ChannelParam, CoalesceParam, EeeParam, PauseParam, RingParam};
use super::{ByIoctl, ChangeByIoctl};

/// A value of which there can be none at all is one that the driver does not have: netlink leaves it out then
/// (`rings_fill_reply`, net/ethtool/rings.c; `channels_fill_reply`, net/ethtool/channels.c).
fn unless_none(max: u32, value: u32) -> Option<u32> {
    (max > 0).then_some(value)
}

/// What a change holds takes the place of what is there.
fn put<T: Into<u32> + Copy>(place: &mut u32, value: Option<T>) {
    if let Some(value) = value {
        *place = value.into();
    }
}

/// Yes and no as numbers. What is yes already stays the number that the driver has for it.
fn put_bool(place: &mut u32, value: Option<bool>) {
    if let Some(value) = value.filter(|value| *value != (*place != 0)) {
        *place = value.into();
    }
}

impl ByIoctl for Rings {
    fn read(device: &mut Device<'_>) -> Result<Self, Fault> {
        let of: RingParam = device.get()?;
        let told = |max, value| (unless_none(max, value), unless_none(max, max));
        let (rx, rx_max) = told(of.rx_max, of.rx);
        let (tx, tx_max) = told(of.tx_max, of.tx);
        let (rx_mini, rx_mini_max) = told(of.rx_mini_max, of.rx_mini);
        let (rx_jumbo, rx_jumbo_max) = told(of.rx_jumbo_max, of.rx_jumbo);
        Ok(Self {
            rx,
            rx_max,
            tx,
            tx_max,
            rx_mini,
            rx_mini_max,
            rx_jumbo,
            rx_jumbo_max,
        })
    }
}

impl ChangeByIoctl for Rings {
    fn apply(&self, device: &mut Device<'_>) -> Result<Vec<String>, Fault> {
        device.change(|to: &mut RingParam| {
            put(&mut to.rx, self.rx);
            put(&mut to.tx, self.tx);
            put(&mut to.rx_mini, self.rx_mini);
            put(&mut to.rx_jumbo, self.rx_jumbo);
        })?;
        Ok(Vec::new())
    }
}

impl ByIoctl for Channels {
    fn read(device: &mut Device<'_>) -> Result<Self, Fault> {
        let of: ChannelParam = device.get()?;
        let told = |max, value| (unless_none(max, value), unless_none(max, max));
        let (rx, rx_max) = told(of.rx_max, of.rx);
        let (tx, tx_max) = told(of.tx_max, of.tx);
        let (other, other_max) = told(of.other_max, of.other);
        let (combined, combined_max) = told(of.combined_max, of.combined);
        Ok(Self {
            rx,
            rx_max,
            tx,
            tx_max,
            other,
            other_max,
            combined,
            combined_max,
        })
    }
}

impl ChangeByIoctl for Channels {
    fn apply(&self, device: &mut Device<'_>) -> Result<Vec<String>, Fault> {
        device.change(|to: &mut ChannelParam| {
            put(&mut to.rx, self.rx);
            put(&mut to.tx, self.tx);
            put(&mut to.other, self.other);
            put(&mut to.combined, self.combined);
        })?;
        Ok(Vec::new())
    }
}

/// Every value is told, whether the driver has it or not: the kernel does not say which of them are supported, and one that
/// is not is 0 as a rule (`ethtool_get_coalesce`, net/ethtool/ioctl.c). How a timer starts anew (`cqe_mode_rx`,
/// `cqe_mode_tx`) has no place in the request.
impl ByIoctl for Coalesce {
    fn read(device: &mut Device<'_>) -> Result<Self, Fault> {
        let of: CoalesceParam = device.get()?;
        Ok(Self {
            adaptive_rx: Some(of.adaptive_rx != 0),
            adaptive_tx: Some(of.adaptive_tx != 0),
            rx_usecs: Some(of.rx_usecs),
            rx_frames: Some(of.rx_frames),
            rx_usecs_irq: Some(of.rx_usecs_irq),
            rx_frames_irq: Some(of.rx_frames_irq),
            tx_usecs: Some(of.tx_usecs),
            tx_frames: Some(of.tx_frames),
            tx_usecs_irq: Some(of.tx_usecs_irq),
            tx_frames_irq: Some(of.tx_frames_irq),
            cqe_mode_rx: None,
            cqe_mode_tx: None,
        })
    }
}

impl ChangeByIoctl for Coalesce {
    fn apply(&self, device: &mut Device<'_>) -> Result<Vec<String>, Fault> {
        if self.cqe_mode_rx.is_some() || self.cqe_mode_tx.is_some() {
            let why = "this kernel cannot set how a timer of coalescing starts anew";
            return Err(Fault::unsupported(why));
        }
        device.change(|to: &mut CoalesceParam| {
            put_bool(&mut to.adaptive_rx, self.adaptive_rx);
            put_bool(&mut to.adaptive_tx, self.adaptive_tx);
            put(&mut to.rx_usecs, self.rx_usecs);
            put(&mut to.rx_frames, self.rx_frames);
            put(&mut to.rx_usecs_irq, self.rx_usecs_irq);
            put(&mut to.rx_frames_irq, self.rx_frames_irq);
            put(&mut to.tx_usecs, self.tx_usecs);
            put(&mut to.tx_frames, self.tx_frames);
            put(&mut to.tx_usecs_irq, self.tx_usecs_irq);
            put(&mut to.tx_frames_irq, self.tx_frames_irq);
        })?;
        Ok(Vec::new())
    }
}

impl ByIoctl for Pause {
    fn read(device: &mut Device<'_>) -> Result<Self, Fault> {
        let of: PauseParam = device.get()?;
        Ok(Self {
            autoneg: Some(of.autoneg != 0),
            rx: Some(of.rx != 0),
            tx: Some(of.tx != 0),
        })
    }
}

impl ChangeByIoctl for Pause {
    fn apply(&self, device: &mut Device<'_>) -> Result<Vec<String>, Fault> {
        device.change(|to: &mut PauseParam| {
            put_bool(&mut to.autoneg, self.autoneg);
            put_bool(&mut to.rx, self.rx);
            put_bool(&mut to.tx, self.tx);
        })?;
        Ok(Vec::new())
    }
}

/// The kernel counts them for netlink only.
impl ByIoctl for PauseFrames {
    fn read(_device: &mut Device<'_>) -> Result<Self, Fault> {
        Err(Fault::unsupported("this kernel does not count them"))
    }
}

impl ByIoctl for Eee {
    fn read(device: &mut Device<'_>) -> Result<Self, Fault> {
        let of: EeeParam = device.get()?;
        Ok(Self {
            active: Some(of.active != 0),
            enabled: Some(of.enabled != 0),
            tx_lpi: Some(of.tx_lpi != 0),
            tx_lpi_timer_us: Some(of.tx_lpi_timer),
        })
    }
}

/// The link modes that take part are sent as they were read; the request has room for the first 32 of them only.
impl ChangeByIoctl for Eee {
    fn apply(&self, device: &mut Device<'_>) -> Result<Vec<String>, Fault> {
        device.change(|to: &mut EeeParam| {
            put_bool(&mut to.enabled, self.enabled);
            put_bool(&mut to.tx_lpi, self.tx_lpi);
            put(&mut to.tx_lpi_timer, self.tx_lpi_timer_us);
        })?;
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_stays_as_the_driver_has_it() {
        let mut place = 3;
        put_bool(&mut place, Some(true));
        put_bool(&mut place, None);
        put(&mut place, None::<u32>);
        assert_eq!(place, 3);
        put_bool(&mut place, Some(false));
        assert_eq!(place, 0);
        put(&mut place, Some(7_u32));
        assert_eq!(place, 7);
        assert_eq!((unless_none(0, 5), unless_none(8, 0)), (None, Some(0)));
    }
}
