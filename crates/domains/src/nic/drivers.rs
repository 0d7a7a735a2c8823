//! What is known of drivers and cannot be asked over netlink.

/// How a driver makes a ring size out of the one that it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Any number is taken, as far as is known.
    Any,
    /// Up to the next power of two.
    PowerOfTwo,
}

/// What is known of a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Driver {
    name: &'static str,
    step: Step,
    coalescing: &'static str,
}

/// Sources are the files below drivers/net/ethernet (Linux 6.12).
const DRIVERS: &[Driver] = &[
    // intel/e1000e/ethtool.c, e1000_set_coalesce()
    Driver {
        name: "e1000e",
        step: Step::Any,
        coalescing: "one number serves both directions",
    },
    // intel/i40e/i40e_ethtool.c, __i40e_set_coalesce()
    Driver {
        name: "i40e",
        step: Step::Any,
        coalescing: "it refuses numbers while adaptive coalescing is on",
    },
    // intel/ice/ice_ethtool.c, ice_set_rc_coalesce()
    Driver {
        name: "ice",
        step: Step::Any,
        coalescing: "it refuses numbers while adaptive coalescing is on",
    },
    // intel/igb/igb_ethtool.c, igb_set_coalesce()
    Driver {
        name: "igb",
        step: Step::Any,
        coalescing: "queues that share an interrupt share the receive number",
    },
    // intel/ixgbe/ixgbe_ethtool.c, ixgbe_set_coalesce()
    Driver {
        name: "ixgbe",
        step: Step::Any,
        coalescing: "queues that share an interrupt share the receive number",
    },
    // mellanox/mlx5/core/en_ethtool.c, mlx5e_ethtool_set_ringparam() and mlx5e_ethtool_set_coalesce()
    Driver {
        name: "mlx5_core",
        step: Step::PowerOfTwo,
        coalescing: "it ignores numbers while adaptive coalescing is on, and forgets them when that is turned on or off",
    },
    // drivers/net/virtio_net.c, virtnet_set_coalesce()
    Driver {
        name: "virtio_net",
        step: Step::Any,
        coalescing: "its device has to offer VIRTIO_NET_F_NOTF_COAL for numbers",
    },
];

const OTHER: Driver = Driver {
    name: "",
    step: Step::Any,
    coalescing: "",
};

/// What is known of the driver of this name.
pub fn of(name: Option<&str>) -> Driver {
    let known = DRIVERS.iter().find(|driver| Some(driver.name) == name);
    known.copied().unwrap_or(OTHER)
}

impl Driver {
    /// The ring size that the driver makes of one that it is asked for, where it holds at most `most`.
    pub fn round(&self, asked: u32, most: u32) -> u32 {
        let rounded = match self.step {
            Step::Any => asked,
            Step::PowerOfTwo => asked.checked_next_power_of_two().unwrap_or(asked),
        };
        rounded.min(most)
    }

    /// What an operator should know of its coalescing, if anything.
    pub fn coalescing(&self) -> Option<&'static str> {
        (!self.coalescing.is_empty()).then_some(self.coalescing)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_driver_is_there_once() {
        let names: Vec<_> = DRIVERS.iter().map(|driver| driver.name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
        assert_eq!(of(Some("mlx5_core")).round(3000, 8192), 4096);
        assert_eq!(of(Some("unheard-of")).round(3000, 8192), 3000);
        assert_eq!(of(None).coalescing(), None);
    }

    proptest! {
        #[test]
        fn a_size_that_was_rounded_stays(asked in 1u32.., most in 1u32..) {
            for driver in DRIVERS {
                let got = driver.round(asked, most);
                prop_assert!(got <= most);
                // A maximum that is itself no power of two is the most that there is.
                prop_assert_eq!(driver.round(got, most), got);
            }
        }
    }
}
