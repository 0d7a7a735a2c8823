//! The presets of `VMA_SPEC`: values of other parameters, each of which an explicit variable overrides.

/// Names and numbers by which a preset may be asked for; upper and lower case are the same.
pub const NAMES: &[(&str, Option<i64>)] = &[
    ("none", Some(0)),
    ("ultra-latency", Some(10)),
    ("latency", Some(15)),
    ("29west", Some(29)),
    ("wombat_fh", Some(554)),
    ("mcd", Some(623)),
    ("mcd-irq", Some(624)),
    ("rti", Some(784)),
    ("7750", None),
    ("multi_ring_latency", None),
];

/// A preset and the values that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// Parameters and values.
    pub values: &'static [(&'static str, &'static str)],
}

/// The presets that change anything.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "latency",
        values: &[
            ("VMA_AVOID_SYS_CALLS_ON_TCP_FD", "1"),
            ("VMA_CQ_AIM_INTERVAL_MSEC", "0"),
            ("VMA_CQ_AIM_MAX_COUNT", "128"),
            ("VMA_CQ_KEEP_QP_FULL", "0"),
            ("VMA_CQ_MODERATION_ENABLE", "0"),
            ("VMA_GRO_STREAMS_MAX", "0"),
            ("VMA_INTERNAL_THREAD_AFFINITY", "0"),
            ("VMA_MEM_ALLOC_TYPE", "2"),
            ("VMA_PROGRESS_ENGINE_INTERVAL", "100"),
            ("VMA_RING_DEV_MEM_TX", "16384"),
            ("VMA_RX_POLL", "-1"),
            ("VMA_RX_PREFETCH_BYTES_BEFORE_POLL", "256"),
            ("VMA_RX_WRE", "256"),
            ("VMA_RX_WRE_BATCHING", "4"),
            ("VMA_SELECT_POLL", "-1"),
            ("VMA_SELECT_POLL_OS_RATIO", "1"),
            ("VMA_SELECT_SKIP_OS", "1"),
            ("VMA_TCP_NODELAY", "1"),
            ("VMA_THREAD_MODE", "0"),
            ("VMA_TX_WRE", "256"),
            ("VMA_TX_WRE_BATCHING", "4"),
        ],
    },
    Preset {
        name: "ultra-latency",
        values: &[
            ("VMA_AVOID_SYS_CALLS_ON_TCP_FD", "1"),
            ("VMA_CQ_AIM_INTERVAL_MSEC", "0"),
            ("VMA_CQ_AIM_MAX_COUNT", "128"),
            ("VMA_CQ_KEEP_QP_FULL", "0"),
            ("VMA_CQ_MODERATION_ENABLE", "0"),
            ("VMA_GRO_STREAMS_MAX", "0"),
            ("VMA_INTERNAL_THREAD_AFFINITY", "0"),
            ("VMA_MEM_ALLOC_TYPE", "2"),
            ("VMA_PROGRESS_ENGINE_INTERVAL", "0"),
            ("VMA_RING_DEV_MEM_TX", "16384"),
            ("VMA_RX_BUFS", "1024"),
            ("VMA_RX_POLL", "-1"),
            ("VMA_RX_PREFETCH_BYTES_BEFORE_POLL", "256"),
            ("VMA_RX_UDP_POLL_OS_RATIO", "0"),
            ("VMA_RX_WRE", "256"),
            ("VMA_RX_WRE_BATCHING", "4"),
            ("VMA_SELECT_POLL", "-1"),
            ("VMA_SELECT_POLL_OS_RATIO", "0"),
            ("VMA_SELECT_SKIP_OS", "0"),
            ("VMA_TCP_NODELAY", "1"),
            ("VMA_THREAD_MODE", "0"),
            ("VMA_TX_BUFS", "512"),
            ("VMA_TX_SEGS_TCP", "512"),
            ("VMA_TX_WRE", "256"),
            ("VMA_TX_WRE_BATCHING", "4"),
        ],
    },
    Preset {
        name: "multi_ring_latency",
        values: &[
            ("VMA_MEM_ALLOC_TYPE", "2"),
            ("VMA_RING_ALLOCATION_LOGIC_TX", "20"),
            ("VMA_RX_POLL", "-1"),
            ("VMA_RX_POLL_ON_TX_TCP", "1"),
            ("VMA_SELECT_POLL", "-1"),
            ("VMA_SELECT_POLL_OS_RATIO", "0"),
            ("VMA_SELECT_SKIP_OS", "0"),
            ("VMA_TRIGGER_DUMMY_SEND_GETSOCKNAME", "1"),
        ],
    },
    Preset {
        name: "29west",
        values: &[
            ("VMA_RX_POLL", "0"),
            ("VMA_SPEC_PARAM1", "5000"),
            ("VMA_SPEC_PARAM2", "50"),
        ],
    },
    Preset {
        name: "wombat_fh",
        values: &[
            ("VMA_RX_POLL", "0"),
            ("VMA_SPEC_PARAM1", "5000"),
            ("VMA_SPEC_PARAM2", "50"),
        ],
    },
    Preset {
        name: "mcd",
        values: &[("VMA_RING_ALLOCATION_LOGIC_TX", "31")],
    },
    Preset {
        name: "mcd-irq",
        values: &[
            ("VMA_RING_ALLOCATION_LOGIC_TX", "31"),
            ("VMA_RX_POLL", "0"),
            ("VMA_SELECT_POLL", "0"),
        ],
    },
    Preset {
        name: "rti",
        values: &[("VMA_RX_POLL", "-1")],
    },
    Preset {
        name: "7750",
        values: &[
            ("VMA_AVOID_SYS_CALLS_ON_TCP_FD", "1"),
            ("VMA_BUFFER_BATCHING_MODE", "0"),
            ("VMA_INTERNAL_THREAD_AFFINITY", "0x3"),
            ("VMA_RX_BUFS", "204800"),
            ("VMA_RX_POLL", "-1"),
            ("VMA_SELECT_POLL", "-1"),
            ("VMA_SELECT_POLL_OS_RATIO", "0"),
            ("VMA_STATS_FD_NUM", "1024"),
            ("VMA_TCP_3T_RULES", "1"),
            ("VMA_TCP_CTL_THREAD", "2"),
            ("VMA_TRACELEVEL", "warn"),
            ("VMA_TX_BUFS", "8192"),
        ],
    },
];

/// The preset that a value of `VMA_SPEC` asks for, by its name; `None` where libvma knows none like it, and takes none in
/// silence. It compares the whole text: a blank at its end is another preset.
pub fn named(value: &str) -> Option<&'static str> {
    NAMES
        .iter()
        .find(|(name, number)| {
            name.eq_ignore_ascii_case(value)
                || number.is_some_and(|number| number.to_string() == value)
        })
        .map(|(name, _)| *name)
}

/// The values of a preset; none for one that changes nothing.
pub fn values(name: &str) -> &'static [(&'static str, &'static str)] {
    PRESETS
        .iter()
        .find(|preset| preset.name == name)
        .map_or(&[], |preset| preset.values)
}

/// The presets that set a parameter, with the value.
pub fn setting(param: &str) -> Vec<(&'static str, &'static str)> {
    let of = |preset: &Preset| {
        let (_, value) = preset.values.iter().find(|(name, _)| *name == param)?;
        Some((preset.name, *value))
    };
    PRESETS.iter().filter_map(of).collect()
}
