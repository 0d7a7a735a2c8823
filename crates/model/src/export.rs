//! What a host is to be, for those who write it down in the words of another tool.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::cpu_plan::CpuPlan;
use crate::finding::Skipped;
use crate::setting::Setting;

/// Everything that the profile wants of one host, whether it differs or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Name of the profile.
    pub profile: String,
    /// The split of the CPUs.
    pub cpus: CpuPlan,
    /// How the CPUs hang together, as file and content: what was decided here is wrong on a machine where they differ.
    pub layout: Vec<(String, String)>,
    /// The settings, in the order of the domains.
    pub settings: Vec<Setting>,
    /// The boot arguments among them: id and word.
    pub arguments: Vec<(String, String)>,
    /// What is in the place of each file that the settings name.
    pub found: BTreeMap<PathBuf, Found>,
    /// The binary that units of hftune call, which is not to be needed.
    pub binary: PathBuf,
    /// Settings of the profile that this host does not get.
    pub skipped: Vec<Skipped>,
}

/// What is in the place of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Absent,
    /// A symbolic link to there.
    Link(String),
    /// A regular file with this sum of cksum(1).
    File(Sum),
}

/// What cksum(1) tells of a file: enough to see that somebody changed it, and there on every host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// The cyclic redundancy check of POSIX.
    pub crc: u32,
    /// The length in bytes.
    pub length: u64,
}

impl Sum {
    /// The sum of a content.
    pub fn of(bytes: &[u8]) -> Self {
        let length = bytes.len() as u64;
        let mut crc = bytes.iter().fold(0, |crc, byte| step(crc, *byte));
        // The length follows, its lowest byte first, without leading zeros (POSIX, cksum).
        let mut rest = length;
        while rest > 0 {
            crc = step(crc, rest.to_le_bytes()[0]);
            rest >>= 8;
        }
        Self { crc: !crc, length }
    }
}

/// One byte of the polynomial 0x04c11db7, the highest bit first.
fn step(crc: u32, byte: u8) -> u32 {
    (0..8).fold(crc ^ (u32::from(byte) << 24), |crc, _| {
        let shifted = crc << 1;
        if crc & (1 << 31) == 0 {
            shifted
        } else {
            shifted ^ 0x04c1_1db7
        }
    })
}

/// What an export is made of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// The files; the first one is the one that stands alone where there is one only.
    pub files: Vec<Output>,
    /// What the format cannot say.
    pub unsaid: Vec<Unsaid>,
}

/// A file of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its path in the folder of the export.
    pub path: PathBuf,
    /// Its content.
    pub content: String,
    /// Its permission bits.
    pub mode: u32,
}

/// A setting that a format cannot express.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsaid {
    /// Its id.
    pub id: String,
    /// Why.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::Sum;

    #[test]
    fn sums_are_those_of_cksum() {
        // Told by cksum(1).
        for (text, crc) in [
            ("", 4_294_967_295),
            ("a\n", 2_418_082_923),
            ("hello, world\n", 1_398_783_287),
        ] {
            let sum = Sum::of(text.as_bytes());
            assert_eq!((sum.crc, sum.length), (crc, text.len() as u64), "{text:?}");
        }
    }
}
