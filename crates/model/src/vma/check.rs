//! Whether libvma knows a variable and takes its value. The library itself says nothing of most mistakes.

use schemars::JsonSchema;
use serde::Serialize;

use super::param::{Beyond, Param, Status, Takes, atoi, is_number};
use super::params::PARAMS;
use super::presets;
use crate::names::distance;

/// What begins the name of every parameter.
pub const PREFIX: &str = "VMA_";

/// Something that is not as whoever wrote it will have meant it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// What is wrong, and what libvma makes of it.
    pub what: String,
    /// What to write instead.
    pub remedy: String,
}

impl Problem {
    pub(super) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

/// Names that tools and papers set and that libvma does not know, each with what to write instead. The first column is
/// what is around in scripts; those below the line are names of older versions, with the last version that knew them.
const UNKNOWN: &[(&str, &str)] = &[
    ("VMA_RX_POLL_NUM", "write VMA_RX_POLL"),
    ("VMA_SELECT_POLL_NUM", "write VMA_SELECT_POLL"),
    ("VMA_HUGETLB", "write VMA_MEM_ALLOC_TYPE=2"),
    ("VMA_FORK_SAFE", "write VMA_FORK, which is 1 by default"),
    (
        "VMA_STRQ",
        "remove it: striding receive queues are a feature of XLIO, libvma has none",
    ),
    (
        "VMA_STRQ_STRIDES_NUM",
        "remove it: striding receive queues are a feature of XLIO, libvma has none",
    ),
    (
        "VMA_TCP_ABORT_ON_CLOSE",
        "remove it: it is a parameter of XLIO",
    ),
    (
        "VMA_TX_BUFS_BATCH_UDP",
        "write VMA_BUFFER_BATCHING_MODE=0 for batches of 1",
    ),
    (
        "VMA_TX_BUFS_BATCH_TCP",
        "write VMA_BUFFER_BATCHING_MODE=0 for batches of 1",
    ),
    // Older versions.
    (
        "VMA_IPOIB",
        "remove it: the last version that knew it is 9.8.80",
    ),
    (
        "VMA_TSO",
        "remove it: the last version that knew it is 9.8.80",
    ),
    (
        "VMA_TX_BUF_SIZE",
        "remove it: the last version that knew it is 9.8.80",
    ),
    (
        "VMA_INTERNAL_THREAD_TCP_TIMER_HANDLING",
        "remove it: the last version that knew it is 9.8.40",
    ),
    (
        "VMA_CB_RING",
        "remove it: the last version that knew it is 9.2.2",
    ),
    (
        "VMA_RX_SW_CSUM",
        "remove it: the last version that knew it is 8.6.7",
    ),
    ("VMA_RX_UDP_HW_TS_CONVERSION", "write VMA_HW_TS_CONVERSION"),
    (
        "VMA_TX_BACKLOG_MAX",
        "remove it: the last version that knew it is 8.3.1",
    ),
    (
        "VMA_SUPPRESS_IGMP_WARNING",
        "remove it: the last version that knew it is 8.1.4",
    ),
    (
        "VMA_SELECT_CQ_IRQ",
        "remove it: the last version that knew it is 7.0.5",
    ),
    (
        "VMA_SELECT_POLL_YIELD",
        "remove it: the last version that knew it is 7.0.5",
    ),
    (
        "VMA_TX_DROP_MODE",
        "remove it: the last version that knew it is 7.0.5",
    ),
    (
        "VMA_WINDOW_SCALING",
        "remove it: the last version that knew it is 7.0.4",
    ),
];

/// The parameter of that name.
pub fn param(name: &str) -> Option<&'static Param> {
    PARAMS
        .binary_search_by(|param| param.name.cmp(name))
        .ok()
        .map(|at| &PARAMS[at])
}

/// The parameter whose name is nearest to one that does not exist; `None` where none is like it.
pub fn nearest(name: &str) -> Option<&'static Param> {
    let upper = name.to_ascii_uppercase();
    PARAMS
        .iter()
        .map(|param| (distance(&upper, param.name), param))
        .min_by_key(|(distance, param)| (*distance, param.name))
        .filter(|(distance, param)| *distance <= 2.max(param.name.len() / 5))
        .map(|(_, param)| param)
}

/// What is wrong with a variable of that name, whatever its value.
pub fn name(name: &str) -> Option<Problem> {
    if let Some(param) = param(name) {
        return match param.status {
            Status::Ignored => Some(Problem::new(
                format!("{name} does nothing any more"),
                if name == "VMA_HUGETBL" {
                    "write VMA_MEM_ALLOC_TYPE=2"
                } else {
                    "remove it"
                },
            )),
            Status::OldNameOf(new) => Some(Problem::new(
                format!("{name} is an old name, which wins over {new}"),
                format!("write {new}"),
            )),
            Status::Debug | Status::SpecialBuild => Some(Problem::new(
                format!("{name} is for those who look for faults in libvma"),
                "remove it",
            )),
            Status::Active => None,
        };
    }
    let what = format!("libvma knows no {name}, and ignores it in silence");
    if let Some((_, remedy)) = UNKNOWN.iter().find(|(known, _)| *known == name) {
        return Some(Problem::new(what, *remedy));
    }
    let remedy = match nearest(name) {
        Some(param) => format!("write {}", param.name),
        None => "remove it; hftune vma params lists what there is".to_owned(),
    };
    Some(Problem::new(what, remedy))
}

/// What is wrong with the value of a parameter.
pub fn value(param: &Param, value: &str) -> Option<Problem> {
    let given = format!("{}={value}", param.name);
    let expected = || format!("write {}", param.takes.allowed());
    if param.takes.is_number() && !is_number(value) {
        return Some(Problem::new(
            format!(
                "{given}: libvma reads numbers only, and takes this for {}",
                atoi(value)
            ),
            expected(),
        ));
    }
    let number = atoi(value);
    match param.takes {
        Takes::Switch if !matches!(number, 0 | 1) => Some(Problem::new(
            format!("{given} is neither off nor on"),
            expected(),
        )),
        Takes::Number {
            least,
            most,
            beyond,
        } if number < least || number > most => Some(Problem::new(
            format!(
                "{given}: {}",
                outside(param, beyond, number.clamp(least, most))
            ),
            expected(),
        )),
        Takes::Choice { of, beyond } if of.iter().all(|(known, _)| *known != number) => {
            Some(Problem::new(
                format!("{given}: {}", outside(param, beyond, number)),
                expected(),
            ))
        }
        Takes::Preset if presets::named(value).is_none() => Some(Problem::new(
            format!("{given}: there is no such preset, and libvma takes none in silence"),
            expected(),
        )),
        Takes::Level if level(value).is_none() => Some(Problem::new(
            format!("{given}: there is no such level, and libvma takes info in silence"),
            expected(),
        )),
        Takes::Cpus if !is_cpus(value) => Some(Problem::new(
            format!(
                "{given} is neither a list of CPUs nor a mask: the helper thread runs unpinned"
            ),
            expected(),
        )),
        Takes::Address if value.parse::<std::net::Ipv4Addr>().is_err() => Some(Problem::new(
            format!("{given} is no IPv4 address"),
            expected(),
        )),
        // The path is copied into 255 bytes without a look at its length.
        Takes::Path if value.len() >= 255 => Some(Problem::new(
            format!(
                "{}: a path of 255 characters or more overruns libvma's memory",
                param.name
            ),
            "write a shorter path",
        )),
        _ => also_raised(param, number),
    }
}

/// Values that are taken and then changed.
fn also_raised(param: &Param, number: i64) -> Option<Problem> {
    match (param.name, number) {
        ("VMA_RX_POLL", 0) => Some(Problem::new(
            "VMA_RX_POLL=0: libvma makes it 1",
            "write -1 to poll without end, or 1 to poll once",
        )),
        ("VMA_RX_PREFETCH_BYTES_BEFORE_POLL", 1..32) => Some(Problem::new(
            format!("{}={number}: libvma takes 0 instead", param.name),
            "write 0, or 32 to 2044",
        )),
        ("VMA_RX_BUFS" | "VMA_TX_BUFS" | "VMA_RX_WRE" | "VMA_TX_WRE", ..=0) => Some(Problem::new(
            format!(
                "{}={number}: libvma checks no bound and takes it for a huge number, or none",
                param.name
            ),
            "write a number above 0",
        )),
        _ => None,
    }
}

fn outside(param: &Param, beyond: Beyond, bound: i64) -> String {
    match beyond {
        Beyond::DefaultWithWarning => format!("libvma warns and takes {}", param.default),
        Beyond::DefaultInSilence => format!("libvma takes {} in silence", param.default),
        Beyond::BoundWithWarning => format!("libvma warns and takes {bound}"),
        Beyond::BoundInSilence => format!("libvma takes {bound} in silence"),
        Beyond::Used => "libvma has no such choice, and checks nothing".to_owned(),
    }
}

/// The number of a level; names and numbers are taken in any case.
pub fn level(value: &str) -> Option<i64> {
    const NAMES: &[(&str, i64)] = &[
        ("none", -1),
        ("panic", 0),
        ("0", 0),
        ("error", 1),
        ("1", 1),
        ("warn", 2),
        ("warning", 2),
        ("2", 2),
        ("info", 3),
        ("information", 3),
        ("3", 3),
        ("details", 4),
        ("debug", 5),
        ("4", 5),
        ("fine", 5),
        ("func", 5),
        ("5", 5),
        ("finer", 5),
        ("func+", 5),
        ("funcall", 5),
        ("func_all", 5),
        ("func-all", 5),
        ("6", 5),
        ("all", 5),
    ];
    NAMES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(value))
        .map(|(_, level)| *level)
}

fn is_cpus(value: &str) -> bool {
    if value == "-1" {
        return true;
    }
    match value.strip_prefix("0x") {
        Some(mask) => !mask.is_empty() && mask.bytes().all(|b| b.is_ascii_hexdigit()),
        None => cpus(value).is_some_and(|set| !set.is_empty()),
    }
}

/// The CPUs that a value of `VMA_INTERNAL_THREAD_AFFINITY` names; `None` for -1 and for what is neither list nor mask.
pub fn cpus(value: &str) -> Option<crate::CpuSet> {
    match value.strip_prefix("0x") {
        Some(mask) => crate::CpuSet::parse_mask(mask).ok(),
        None if value == "-1" => None,
        None => crate::CpuSet::parse_list(value, None).ok(),
    }
}

/// The presets and values that drop the locks, which is safe only where one thread uses sockets; `None` where they stay.
pub fn drops_locks<'v>(get: impl Fn(&str) -> Option<&'v str>) -> Option<String> {
    match get("VMA_THREAD_MODE") {
        Some(mode) if atoi(mode) == 0 => Some("VMA_THREAD_MODE=0".to_owned()),
        Some(_) => None,
        None => {
            let preset = presets::named(get("VMA_SPEC")?)?;
            presets::values(preset)
                .contains(&("VMA_THREAD_MODE", "0"))
                .then(|| format!("VMA_SPEC={preset}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_consistent() {
        assert_eq!(PARAMS.len(), 103);
        assert!(PARAMS.is_sorted_by(|a, b| a.name < b.name));
        for param in PARAMS {
            assert_eq!(super::param(param.name), Some(param));
            if param.takes.is_number() && param.status == Status::Active {
                // Zero is what libvma itself calls one preset's default of polls, and it is in the range.
                let problem = value(param, param.default);
                assert_eq!(problem, None, "{}", param.name);
            }
        }
        for preset in presets::PRESETS {
            for (name, _) in preset.values {
                assert!(super::param(name).is_some(), "{name}");
            }
        }
        for (name, _) in UNKNOWN {
            assert!(super::param(name).is_none(), "{name}");
        }
    }

    #[test]
    fn wrong_names_get_the_right_one() {
        for (wrong, remedy) in [
            ("VMA_HUGETLB", "write VMA_MEM_ALLOC_TYPE=2"),
            ("VMA_RX_POLL_NUM", "write VMA_RX_POLL"),
            ("VMA_SELECT_POLL_NUM", "write VMA_SELECT_POLL"),
            ("VMA_FORK_SAFE", "write VMA_FORK, which is 1 by default"),
            ("VMA_RX_POL", "write VMA_RX_POLL"),
            ("vma_thread_mode", "write VMA_THREAD_MODE"),
            (
                "VMA_NOTHING_LIKE_IT",
                "remove it; hftune vma params lists what there is",
            ),
        ] {
            assert_eq!(name(wrong).expect(wrong).remedy, remedy, "{wrong}");
        }
        assert!(name("VMA_STRQ").expect("problem").remedy.contains("XLIO"));
        assert_eq!(name("VMA_RX_POLL"), None);
        assert!(name("VMA_HUGETBL").expect("problem").remedy.contains("=2"));
    }

    #[test]
    fn values_that_libvma_turns_into_something_else_are_told() {
        for (param, given, told) in [
            ("VMA_TCP_NODELAY", "yes", "takes this for 0"),
            ("VMA_MEM_ALLOC_TYPE", "hugepages", "takes this for 0"),
            ("VMA_RX_POLL", "abc", "takes this for 0"),
            ("VMA_RX_POLL", "0", "makes it 1"),
            ("VMA_RX_POLL", "-2", "warns and takes 100000"),
            ("VMA_SPEC", "tcp:*:*", "none in silence"),
            ("VMA_SPEC", "latency ", "none in silence"),
            ("VMA_THREAD_MODE", "7", "takes 1 in silence"),
            ("VMA_TX_WRE_BATCHING", "100", "takes 64 in silence"),
            ("VMA_STATS_FD_NUM", "5000", "warns and takes 1024"),
            ("VMA_RING_ALLOCATION_LOGIC_TX", "11", "warns and takes 0"),
            ("VMA_TRACELEVEL", "loud", "info in silence"),
            ("VMA_INTERNAL_THREAD_AFFINITY", "first", "unpinned"),
            ("VMA_RX_BUFS", "-1", "huge number"),
        ] {
            let problem = value(super::param(param).expect(param), given).expect(given);
            assert!(problem.what.contains(told), "{param}: {}", problem.what);
        }
        for (param, given) in [
            ("VMA_SPEC", "LATENCY"),
            ("VMA_SPEC", "15"),
            ("VMA_INTERNAL_THREAD_AFFINITY", "0x3"),
            ("VMA_INTERNAL_THREAD_AFFINITY", "0,4,7-10"),
            ("VMA_TRACELEVEL", "Debug"),
            ("VMA_RX_POLL", "-1"),
            ("VMA_EXCEPTION_HANDLING", "-2"),
        ] {
            assert_eq!(
                value(super::param(param).expect(param), given),
                None,
                "{given}"
            );
        }
    }

    #[test]
    fn presets_without_locks_are_known() {
        let with = |pairs: &'static [(&'static str, &'static str)]| {
            drops_locks(move |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| *v))
        };
        assert_eq!(
            with(&[("VMA_SPEC", "15")]).as_deref(),
            Some("VMA_SPEC=latency")
        );
        assert_eq!(
            with(&[("VMA_SPEC", "latency"), ("VMA_THREAD_MODE", "1")]),
            None
        );
        assert_eq!(
            with(&[("VMA_THREAD_MODE", "0")]).as_deref(),
            Some("VMA_THREAD_MODE=0")
        );
        assert_eq!(with(&[("VMA_SPEC", "multi_ring_latency")]), None);
        assert_eq!(with(&[]), None);
    }
}
