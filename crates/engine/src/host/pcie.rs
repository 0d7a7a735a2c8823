//! The PCI Express link of a device (Documentation/ABI/testing/sysfs-bus-pci; `current_link_speed_show()` and the like in
//! drivers/pci/pci-sysfs.c).

use hftune_model::host::{PcieEnd, PcieLink};
use hftune_model::names::is_pci_address;

use super::facts::Facts;

/// What `max_link_width` is where the device does not tell (`PCIE_LNK_WIDTH_UNKNOWN`, include/linux/pci.h).
const WIDTH_UNKNOWN: u32 = 0xff;

/// The link of the device in a directory like `/sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0`, the bridge above which
/// is the directory above.
pub(super) fn read(facts: &Facts<'_>, directory: &str) -> Option<PcieLink> {
    let device = end(facts, directory)?;
    let above = directory.rsplit_once('/').map(|(above, _)| above);
    let is_device = |above: &&str| above.rsplit('/').next().is_some_and(is_pci_address);
    Some(PcieLink {
        device,
        bridge: above.filter(is_device).and_then(|above| end(facts, above)),
    })
}

/// One end; `None` where nothing is known of it. A file that is there may refuse: the device sleeps.
fn end(facts: &Facts<'_>, directory: &str) -> Option<PcieEnd> {
    let word = |file: &str| facts.word_if_told(&format!("{directory}/{file}"));
    let end = PcieEnd {
        speed_mtps: word("current_link_speed").and_then(|text| speed(&text)),
        width: word("current_link_width").and_then(|text| width(&text)),
        max_speed_mtps: word("max_link_speed").and_then(|text| speed(&text)),
        max_width: word("max_link_width").and_then(|text| width(&text)),
    };
    (end != PcieEnd::default()).then_some(end)
}

/// 8000 of "8.0 GT/s PCIe", or of "8 GT/s" as kernels before 5.7 write it; "Unknown" is no speed.
fn speed(text: &str) -> Option<u32> {
    let (number, rest) = text.split_once(' ')?;
    if !rest.starts_with("GT/s") {
        return None;
    }
    let (whole, tenths) = number.split_once('.').unwrap_or((number, "0"));
    if tenths.len() != 1 {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let tenths: u32 = tenths.parse().ok()?;
    let speed = whole.checked_mul(1000)?.checked_add(tenths * 100)?;
    (speed > 0).then_some(speed)
}

/// The lanes; a link that is down has none.
fn width(text: &str) -> Option<u32> {
    let width = text.parse().ok()?;
    (width > 0 && width < WIDTH_UNKNOWN).then_some(width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_speeds_and_widths_of_several_kernels() {
        for (text, told) in [
            ("2.5 GT/s PCIe", Some(2500)),
            ("8.0 GT/s PCIe", Some(8000)),
            ("8 GT/s", Some(8000)),
            ("64.0 GT/s PCIe", Some(64_000)),
            ("Unknown", None),
            ("Unknown speed", None),
            ("8.0", None),
            ("8.0 MT/s", None),
            ("-8 GT/s", None),
            ("9999999999 GT/s", None),
            ("4294967 GT/s", Some(4_294_967_000)),
            ("4294968 GT/s", None),
        ] {
            assert_eq!(speed(text), told, "{text}");
        }
        for (text, told) in [
            ("16", Some(16)),
            ("0", None),
            ("255", None),
            ("x8", None),
            ("", None),
        ] {
            assert_eq!(width(text), told, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[0-9.]{0,12} ?(GT/s)?.{0,5}") {
            let _ = (speed(&text), width(&text));
        }
    }
}
