//! The running kernel.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;
use hftune_model::host::Kernel;
use hftune_model::{Error, Kind, Result};

use super::facts::Facts;

/// The options of the configuration that something in hftune relies on.
const OPTIONS: &[&str] = &[
    "CPU_FREQ",
    "CPU_ISOLATION",
    "HUGETLBFS",
    "INTEL_IDLE",
    "NO_HZ_FULL",
    "PREEMPT_DYNAMIC",
    "PREEMPT_RT",
    "RCU_NOCB_CPU",
    "SCHED_AUTOGROUP",
    "TRANSPARENT_HUGEPAGE",
];

/// The most bytes of an unpacked `/proc/config.gz`; a real one has about 300 KiB.
const MAX_CONFIG: u64 = 4 << 20;

pub(super) fn read(facts: &Facts<'_>) -> Kernel {
    // "Linux version 6.12.0-55.el10.x86_64 (builder@host) ... #1 SMP PREEMPT_RT ..." (init/version.c)
    let banner = facts.word("/proc/version").unwrap_or_default();
    let release = facts
        .word("/proc/sys/kernel/osrelease")
        .or_else(|| banner.split_ascii_whitespace().nth(2).map(str::to_owned))
        .unwrap_or_default();
    Kernel {
        architecture: architecture(facts),
        cmdline: facts
            .text("/proc/cmdline")
            .map(|text| text.trim_end_matches(['\n', '\r']).to_owned())
            .unwrap_or_default(),
        config: config(facts, &release),
        // Kernels with the RT patch set have the file, those since 6.12 only the banner.
        realtime: facts.word("/sys/kernel/realtime").as_deref() == Some("1")
            || banner.contains("PREEMPT_RT")
            || banner.contains("PREEMPT RT"),
        lockdown: facts
            .word("/sys/kernel/security/lockdown")
            .map(|text| bracketed(&text).unwrap_or(&text).to_owned()),
        boot_id: facts.word("/proc/sys/kernel/random/boot_id"),
        release,
    }
}

/// The architecture, as `uname -m` writes it; empty where nothing tells.
fn architecture(facts: &Facts<'_>) -> String {
    // Since Linux 6.1.
    if let Some(name) = facts.word("/proc/sys/kernel/arch") {
        return name;
    }
    let built_for = || Ok(std::env::consts::ARCH.to_owned());
    if let Some(Ok(name)) = facts.root().answer("architecture", built_for) {
        return name;
    }
    let cpuinfo = facts.text("/proc/cpuinfo").unwrap_or_default();
    let has = |key: &str, word: &str| {
        cpuinfo.lines().any(|line| {
            line.split_once(':').is_some_and(|(name, value)| {
                name.trim_end() == key && value.split_ascii_whitespace().any(|w| w == word)
            })
        })
    };
    // `lm` is long mode (arch/x86/include/asm/cpufeatures.h).
    match () {
        () if has("flags", "lm") => "x86_64".to_owned(),
        () if has("CPU architecture", "8") => "aarch64".to_owned(),
        () => String::new(),
    }
}

fn config(facts: &Facts<'_>, release: &str) -> BTreeMap<String, bool> {
    if !release.is_empty() && !release.contains('/') {
        for path in [
            format!("/boot/config-{release}"),
            format!("/lib/modules/{release}/config"),
            format!("/usr/lib/modules/{release}/config"),
        ] {
            if let Some(config) = facts.parsed_text(&path, parse_config) {
                return config;
            }
        }
    }
    let path = "/proc/config.gz";
    match facts
        .root()
        .read(path)
        .and_then(|bytes| unpack(&bytes))
        .and_then(|text| parse_config(&text))
    {
        Ok(config) => config,
        Err(error) => {
            if error.kind != Kind::Missing {
                facts.note(path, error);
            }
            BTreeMap::new()
        }
    }
}

fn unpack(bytes: &[u8]) -> Result<String> {
    let mut text = String::new();
    GzDecoder::new(bytes)
        .take(MAX_CONFIG)
        .read_to_string(&mut text)
        .map_err(|e| Error::invalid(format!("it is no compressed text: {e}")))?;
    Ok(text)
}

/// The values of [`OPTIONS`]. An option that the file does not name is off: its dependencies are not met.
fn parse_config(text: &str) -> Result<BTreeMap<String, bool>> {
    if !text.lines().any(|line| line.starts_with("CONFIG_")) {
        return Err(Error::invalid(
            "it has no line CONFIG_...=, so it is no kernel configuration",
        ));
    }
    let mut config: BTreeMap<String, bool> = OPTIONS
        .iter()
        .map(|option| ((*option).to_owned(), false))
        .collect();
    for line in text.lines() {
        if let Some((option, value)) = line
            .strip_prefix("CONFIG_")
            .and_then(|line| line.split_once('='))
            && let Some(on) = config.get_mut(option)
        {
            *on = matches!(value.trim_end(), "y" | "m");
        }
    }
    Ok(config)
}

/// The chosen word of a list like "[none] integrity confidentiality".
fn bracketed(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('[')?;
    Some(rest.split_once(']')?.0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_a_configuration_plain_and_packed() {
        let text = "# CONFIG_NO_HZ_FULL is not set\nCONFIG_HUGETLBFS=y\r\nCONFIG_CPU_FREQ=m\nCONFIG_HZ=250\n";
        let config = parse_config(text).expect("config");
        assert_eq!(config.len(), OPTIONS.len());
        assert!(config["HUGETLBFS"] && config["CPU_FREQ"]);
        assert!(!config["NO_HZ_FULL"] && !config["PREEMPT_RT"]);

        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text.as_bytes()).expect("memory");
        assert_eq!(
            unpack(&packed.finish().expect("memory")).expect("gzip"),
            text
        );
        assert!(unpack(b"CONFIG_X=y").is_err());
        assert!(parse_config("").is_err());
    }

    #[test]
    fn takes_the_word_in_brackets() {
        assert_eq!(
            bracketed("none [integrity] confidentiality"),
            Some("integrity")
        );
        assert_eq!(bracketed("none"), None);
        assert_eq!(bracketed("] ["), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60), text in "[#A-Z_=ym \\[\\]\n]{0,60}") {
            let _ = unpack(&bytes);
            let _ = parse_config(&text);
            let _ = bracketed(&text);
        }
    }
}
