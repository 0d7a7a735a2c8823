//! The first sectors of a disk that BIOS boots: master boot record with one partition, and GRUB's core image after it.

use anyhow::{Result, ensure};

/// Bytes in a sector.
pub const SECTOR: usize = 512;

/// Where the only partition begins: the usual 1 MiB, which leaves GRUB's core image its gap.
pub const PARTITION_SECTOR: u32 = 2048;

/// The boot code ends where the disk signature and the partition table begin.
const BOOT_CODE_BYTES: usize = 440;
const PARTITION_TABLE: usize = 446;
const ACTIVE: u8 = 0x80;
const TYPE_LINUX: u8 = 0x83;

/// The content of the disk before its partition: `boot_img` and `core_img` are GRUB's.
pub fn gap(boot_img: &[u8], core_img: &[u8], partition_sectors: u32) -> Result<Vec<u8>> {
    let room = PARTITION_SECTOR as usize * SECTOR;
    ensure!(
        boot_img.len() == SECTOR,
        "GRUB's boot.img has {} bytes, not {SECTOR}",
        boot_img.len()
    );
    ensure!(
        core_img.len() <= room - SECTOR,
        "GRUB's core.img does not fit before the partition"
    );
    let mut bytes = vec![0; room];
    bytes[..BOOT_CODE_BYTES].copy_from_slice(&boot_img[..BOOT_CODE_BYTES]);
    let entry = &mut bytes[PARTITION_TABLE..];
    entry[0] = ACTIVE;
    entry[4] = TYPE_LINUX;
    entry[8..12].copy_from_slice(&PARTITION_SECTOR.to_le_bytes());
    entry[12..16].copy_from_slice(&partition_sectors.to_le_bytes());
    bytes[SECTOR - 2..SECTOR].copy_from_slice(&[0x55, 0xaa]);
    bytes[SECTOR..SECTOR + core_img.len()].copy_from_slice(core_img);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_active_partition_after_the_gap() {
        let bytes = gap(&[0x90; 512], &[7; 1000], 0x1234).expect("it fits");
        assert_eq!(bytes.len(), 1 << 20);
        assert_eq!(bytes[439], 0x90);
        assert_eq!(bytes[440], 0);
        assert_eq!(bytes[446], 0x80);
        assert_eq!(bytes[450], 0x83);
        assert_eq!(bytes[454..462], [0, 8, 0, 0, 0x34, 0x12, 0, 0]);
        assert_eq!(bytes[510..512], [0x55, 0xaa]);
        assert_eq!(bytes[512], 7);
        assert_eq!(bytes[1512], 0);
    }

    #[test]
    fn a_core_that_would_run_into_the_partition_is_refused() {
        assert!(gap(&[0; 512], &vec![0; 1 << 20], 1).is_err());
    }
}
