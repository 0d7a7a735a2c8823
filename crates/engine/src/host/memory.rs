//! Memory of the whole machine, from `/proc/meminfo` (Documentation/filesystems/proc.rst).

use hftune_model::host::Memory;
use hftune_model::{Error, Result, Size};

use super::facts::Facts;

const MEMINFO: &str = "/proc/meminfo";

pub(super) fn read(facts: &Facts<'_>) -> Memory {
    facts
        .parsed_text(MEMINFO, parse_meminfo)
        .unwrap_or_default()
}

fn parse_meminfo(text: &str) -> Result<Memory> {
    let size = |field: &str| Ok::<_, Error>(meminfo_kib(text, field)?.map(Size::from_kib));
    Ok(Memory {
        total: size("MemTotal")?.ok_or_else(|| Error::invalid("there is no line MemTotal"))?,
        // Kernels before 3.14 have no MemAvailable; what is free is certainly available.
        available: match size("MemAvailable")? {
            Some(available) => available,
            None => size("MemFree")?.unwrap_or_default(),
        },
        huge_page_size: size("Hugepagesize")?,
        swap: size("SwapTotal")?.unwrap_or_default(),
    })
}

/// A field in KiB of `/proc/meminfo` or of a node's `meminfo`, whose lines begin with "Node 0 ".
pub(super) fn meminfo_kib(text: &str, field: &str) -> Result<Option<u64>> {
    for (index, line) in text.lines().enumerate() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        if key.split_ascii_whitespace().next_back() != Some(field) {
            continue;
        }
        let value = value.trim();
        let kib = value.strip_suffix("kB").unwrap_or(value).trim_end();
        return kib.parse().map(Some).map_err(|_| {
            Error::invalid(format!("expected a number of kB, found \"{value}\"")).line(index + 1)
        });
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_both_kinds_of_meminfo() {
        let memory = parse_meminfo(
            "MemTotal:       16316412 kB\nMemFree:    1 kB\nMemAvailable:    9000000 kB\nSwapTotal:  0 kB\n\
             Hugepagesize:       2048 kB\n",
        )
        .expect("meminfo");
        assert_eq!(memory.total, Size::from_kib(16_316_412));
        assert_eq!(memory.available, Size::from_kib(9_000_000));
        assert_eq!(memory.huge_page_size, Some(Size::from_kib(2048)));
        assert_eq!(memory.swap, Size(0));
        let node = "Node 1 MemTotal:       8063936 kB\nNode 1 MemFree: 7 kB\n";
        assert_eq!(
            meminfo_kib(node, "MemTotal").expect("node"),
            Some(8_063_936)
        );
    }

    #[test]
    fn names_the_line_that_makes_no_sense() {
        let error = parse_meminfo("Rubbish\nMemTotal: lots kB\n").expect_err("rubbish");
        assert_eq!(error.line, Some(2));
        assert_eq!(error.what, "expected a number of kB, found \"lots kB\"");
        let error = parse_meminfo("").expect_err("empty");
        assert_eq!(error.what, "there is no line MemTotal");
    }

    proptest! {
        #[test]
        fn never_panics(text in "(Node 0 )?(MemTotal)?:?[ 0-9kB:\n]{0,40}") {
            let _ = parse_meminfo(&text);
        }
    }
}
