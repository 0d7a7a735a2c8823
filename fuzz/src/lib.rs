//! Fuzz targets: every reader of files that others write, given whatever bytes there may be.
//!
//! A target must not panic, hang or fill the memory, and checks what its reader promises: an edit that was made is not
//! made again, what was written reads as what was meant. `cargo xtask fuzz` looks for bytes that break one, guided by
//! coverage; `cargo test` replays those in `corpus/`.

mod machine;
mod targets;
#[path = "../../crates/cli/tests/tree/mod.rs"]
mod tree;

/// A name, and what it does with some bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("archive", targets::archive),
    ("boot-bls", targets::boot_bls),
    ("boot-cmdline", targets::boot_cmdline),
    ("boot-grub-cfg", targets::boot_grub_cfg),
    ("boot-grub-default", targets::boot_grub_default),
    ("boot-grubenv", targets::boot_grubenv),
    ("boot-record", targets::boot_record),
    ("cpus", targets::cpus),
    ("host", targets::host),
    ("interrupts", targets::interrupts),
    ("journal", targets::journal),
    ("netlink", targets::netlink),
    ("profile", targets::profile),
    ("redact", targets::redact),
    ("sysctl", targets::sysctl),
    ("tuned", targets::tuned),
    ("vma", targets::vma),
    ("words", targets::words),
];

/// The target of that name.
pub fn target(name: &str) -> Option<fn(&[u8])> {
    TARGETS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, run)| *run)
}
