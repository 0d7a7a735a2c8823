//! `/run/ostree/staged-deployment`: the deployment that ostree makes the default at shutdown, which has no boot entry
//! until then.
//!
//! libostree writes a `GVariant` of type `a{sv}` there (`ostree_sysroot_stage_tree_with_options()` in
//! src/libostree/ostree-sysroot-deploy.c); its `kargs` are strings, `as`. The serialised form is in the GVariant
//! Specification: an array of values of varying size ends with the offsets of their ends, as wide as the size of the
//! array needs; a dictionary entry begins at a multiple of 8.

/// The file.
pub(super) const PATH: &str = "/run/ostree/staged-deployment";

/// The kernel arguments in the file; `None` where it is not such a variant or has none.
pub(super) fn arguments(bytes: &[u8]) -> Option<Vec<String>> {
    let mut start = 0_usize;
    for end in ends(bytes)? {
        let entry = bytes.get(start.next_multiple_of(8)..end)?;
        start = end;
        let width = width(entry.len());
        let key_end = number(entry.get(entry.len().checked_sub(width)?..)?);
        let key = entry.get(..key_end)?.strip_suffix(b"\0")?;
        if key != b"kargs" {
            continue;
        }
        let variant = entry.get(key_end.next_multiple_of(8)..entry.len() - width)?;
        let array = variant.strip_suffix(b"\0as")?;
        return strings(array);
    }
    None
}

fn strings(array: &[u8]) -> Option<Vec<String>> {
    if array.is_empty() {
        return Some(Vec::new());
    }
    let mut start = 0;
    let mut found = Vec::new();
    for end in ends(array)? {
        let text = array.get(start..end)?.strip_suffix(b"\0")?;
        found.push(String::from_utf8(text.to_vec()).ok()?);
        start = end;
    }
    Some(found)
}

/// Where the values of an array end. The last offset is also where the offsets begin.
fn ends(array: &[u8]) -> Option<Vec<usize>> {
    let width = width(array.len());
    let table = number(array.get(array.len().checked_sub(width)?..)?);
    let offsets = array.get(table..)?.chunks_exact(width);
    (offsets.remainder().is_empty() && offsets.len() > 0).then(|| offsets.map(number).collect())
}

/// The bytes of an offset within a container of this size.
fn width(size: usize) -> usize {
    match size {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | usize::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Serialised by GLib 2.74 from `{'target': <{'name': <'fedora'>, 'csum': <'ab'>}>, 'kargs': <['root=UUID=1', 'ro',
    /// 'isolcpus=2-7']>}`.
    const GLIB: &[u8] = b"target\0\0name\0\0\0\0fedora\0\0s\x05\0\0\0\0\0\0csum\0\0\0\0ab\0\0s\x05\x12&\0a{sv}\x07\0\
        kargs\0\0\0root=UUID=1\0ro\0isolcpus=2-7\0\x0c\x0f\x1c\0as\x067c";

    /// The same with a boolean and a string of 300 bytes after it, so that offsets take two bytes.
    fn glib_large() -> Vec<u8> {
        let mut bytes = b"target\0\0name\0\0\0\0fedora\0\0s\x05\0\0\0\0\0\0csum\0\0\0\0ab\0\0s\x05\x12&\0a{sv}\x07\0\
            kargs\0\0\0root=UUID=1\0ro\0\x0c\x0f\0as\x06\0\0\0locked\0\0\x01\0b\x07\0\0\0\0long\0\0\0\0"
            .to_vec();
        bytes.extend([b'x'; 300]);
        bytes.extend(b"\0\0s\x05\x007\0U\0d\0\xa1\x01");
        bytes
    }

    #[test]
    fn reads_what_glib_writes() {
        assert_eq!(
            arguments(GLIB).unwrap(),
            ["root=UUID=1", "ro", "isolcpus=2-7"]
        );
        assert_eq!(arguments(&glib_large()).unwrap(), ["root=UUID=1", "ro"]);
    }

    #[test]
    fn what_is_damaged_has_no_arguments() {
        assert_eq!(arguments(b""), None);
        assert_eq!(arguments(b"kargs"), None);
        for end in 0..GLIB.len() {
            assert_eq!(arguments(&GLIB[..end]), None, "{end}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..600), at in 0..101_usize, byte: u8) {
            let _ = arguments(&bytes);
            let mut damaged = GLIB.to_vec();
            damaged[at] = byte;
            let _ = arguments(&damaged);
        }
    }
}
