//! What libvma prints when it is loaded: its parameters as they are in effect, after presets and bounds.

use std::collections::BTreeMap;

use super::check;
use super::param::{Takes, atoi};
use super::presets;

/// Columns of a value: shorter ones are padded to these (`FORMAT_STRING` and the like, src/vma/main.cpp).
const VALUE_COLUMNS: usize = 26;

/// The value of each parameter in the text of a log at level DETAILS: `VMA INFO: Rx Poll Loops   -1   [VMA_RX_POLL]`. Colours,
/// which libvma writes to files too, are skipped.
pub fn parse(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| parameter(&plain(line)))
        .collect()
}

fn parameter(line: &str) -> Option<(String, String)> {
    let (before, name) = line.trim_end().strip_suffix(']')?.rsplit_once('[')?;
    if !name.starts_with(check::PREFIX) {
        return None;
    }
    let before = before.strip_suffix(' ').unwrap_or(before);
    let start = before
        .char_indices()
        .rev()
        .nth(VALUE_COLUMNS - 1)
        .map_or(0, |(at, _)| at);
    let value = if before[..start].ends_with(' ') {
        before[start..].trim()
    } else {
        // It is longer than its columns: a path, or words.
        before.rsplit(' ').next().unwrap_or_default()
    };
    Some((name.to_owned(), value.to_owned()))
}

/// A line without escape sequences (ECMA-48, CSI ... m).
fn plain(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("\u{1b}[") {
        out.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        rest = after
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or("", |end| &after[end + 1..]);
    }
    out.push_str(rest);
    out
}

/// Whether the value that libvma printed is the one that was asked for. It prints most switches as words, some numbers with a
/// remark behind them, and "Disabled" for 0 where that turns something off.
pub fn same(name: &str, asked: &str, printed: &str) -> bool {
    let Some(param) = check::param(name) else {
        return printed == asked;
    };
    match param.takes {
        Takes::Cpus => match (check::cpus(asked), check::cpus(printed)) {
            (Some(a), Some(b)) => a == b,
            (a, b) => a == b && asked == printed,
        },
        Takes::Level => {
            let (a, b) = (check::level(asked), check::level(printed));
            a.is_some() && a == b
        }
        Takes::Preset => {
            let title = presets::named(asked).and_then(title);
            title.is_some_and(|title| printed == title)
        }
        takes if takes.is_number() => number(name, printed) == Some(atoi(asked)),
        _ => printed == asked,
    }
}

/// The number that a printed value stands for.
fn number(name: &str, printed: &str) -> Option<i64> {
    match printed {
        "Enabled" => return Some(1),
        "Disabled" => return Some(0),
        _ => {}
    }
    if name == "VMA_THREAD_MODE" {
        return THREAD_MODES
            .iter()
            .position(|mode| printed == *mode)
            .and_then(|at| i64::try_from(at).ok())
            // The last of them is longer than its columns.
            .or_else(|| (printed == "cores").then_some(3));
    }
    let end = printed
        .char_indices()
        .find(|(at, c)| !(c.is_ascii_digit() || (*at == 0 && *c == '-')))
        .map_or(printed.len(), |(at, _)| at);
    printed[..end].parse().ok()
}

/// How the modes of `VMA_THREAD_MODE` are printed (`thread_mode_str()`, src/vma/main.cpp).
const THREAD_MODES: [&str; 3] = ["Single", "Multi spin lock", "Multi mutex lock"];

/// How a preset is printed (`vma_spec::to_str()`, src/vma/util/sys_vars.cpp).
fn title(preset: &str) -> Option<&'static str> {
    const TITLES: &[(&str, &str)] = &[
        ("ultra-latency", "Ultra Latency"),
        ("latency", "Latency"),
        ("29west", "29West LBM Logic"),
        ("wombat_fh", "Wombat FH LBM Logic"),
        ("mcd", "Memcached Logic"),
        ("mcd-irq", "Memcached Interrupt Mode"),
        ("rti", "RTI Logic"),
        ("7750", "7750 Low Latency Profile"),
        ("multi_ring_latency", "Multi Ring Latency Profile"),
    ];
    TITLES
        .iter()
        .find(|(name, _)| *name == preset)
        .map(|(_, title)| *title)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line as the library formats it.
    fn line(level: &str, title: &str, value: &str, name: &str) -> String {
        format!(" VMA {level}: {title:<30} {value:<26} [{name}]\n")
    }

    #[test]
    fn values_are_read_in_spite_of_colours() {
        let long = "/a/path/that/is/longer/than/its/columns.conf";
        let text = [
            " VMA INFO: ---------------------------------------------------------------------------\n".to_owned(),
            " VMA INFO: VMA_VERSION: 9.8.84-0 Release built on Feb  8 2026\n".to_owned(),
            format!("\u{1b}[2m{}", line("DETAILS", "Conf File", long, "VMA_CONFIG_FILE")),
            line("INFO", "Rx Poll Loops", "-1", "VMA_RX_POLL"),
            line("INFO", "CQ AIM Interrupts Rate (per sec)", "5000", "VMA_CQ_AIM_INTERRUPTS_RATE_PER_SEC"),
            line("DETAILS", "Log File", "", "VMA_LOG_FILE"),
            line("INFO", "Mem Allocate type", "2 (Huge Pages)", "VMA_MEM_ALLOC_TYPE"),
            line("INFO", "Thread mode", "Multi more threads than cores", "VMA_THREAD_MODE"),
        ]
        .concat();
        let values = parse(&text);
        let expected = [
            ("VMA_CONFIG_FILE", long),
            ("VMA_CQ_AIM_INTERRUPTS_RATE_PER_SEC", "5000"),
            ("VMA_LOG_FILE", ""),
            ("VMA_MEM_ALLOC_TYPE", "2 (Huge Pages)"),
            ("VMA_RX_POLL", "-1"),
            ("VMA_THREAD_MODE", "cores"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(values, BTreeMap::from(expected));
    }

    #[test]
    fn printed_values_are_compared_by_what_they_mean() {
        for (name, asked, printed, holds) in [
            ("VMA_RX_POLL", "-1", "-1", true),
            ("VMA_RX_POLL", "0", "1", false),
            ("VMA_BF", "1", "Enabled", true),
            ("VMA_BF", "0", "Enabled", false),
            ("VMA_BF", "1", "Perhaps", false),
            ("VMA_TCP_NODELAY", "1", "1", true),
            ("VMA_THREAD_MODE", "0", "Single", true),
            ("VMA_THREAD_MODE", "1", "Single", false),
            ("VMA_THREAD_MODE", "3", "cores", true),
            ("VMA_MEM_ALLOC_TYPE", "2", "2 (Huge Pages)", true),
            ("VMA_MEM_ALLOC_TYPE", "2", "(Huge Pages)", false),
            (
                "VMA_RING_ALLOCATION_LOGIC_TX",
                "20",
                "20(Ring per thread)",
                true,
            ),
            (
                "VMA_RING_ALLOCATION_LOGIC_TX",
                "2",
                "20(Ring per thread)",
                false,
            ),
            ("VMA_PROGRESS_ENGINE_INTERVAL", "0", "Disabled", true),
            (
                "VMA_EXCEPTION_HANDLING",
                "-2",
                "-2(Exit on failed startup)",
                true,
            ),
            ("VMA_INTERNAL_THREAD_AFFINITY", "0-1", "0,1", true),
            ("VMA_INTERNAL_THREAD_AFFINITY", "1", "-1", false),
            ("VMA_INTERNAL_THREAD_AFFINITY", "-1", "-1", true),
            ("VMA_TRACELEVEL", "4", "DEBUG", true),
            ("VMA_SPEC", "15", "Latency", true),
            ("VMA_SPEC", "latency", "Ultra Latency", false),
            ("VMA_LOG_FILE", "/x", "/x", true),
        ] {
            assert_eq!(
                same(name, asked, printed),
                holds,
                "{name} {asked} {printed}"
            );
        }
    }
}
