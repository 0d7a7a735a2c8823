//! libFuzzer over one target: its name is in `HFTUNE_FUZZ_TARGET`.
#![no_main]

use std::sync::OnceLock;

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let run = TARGET.get_or_init(|| {
        let name =
            std::env::var("HFTUNE_FUZZ_TARGET").expect("HFTUNE_FUZZ_TARGET names the target");
        hftune_fuzz::target(&name).unwrap_or_else(|| panic!("there is no target {name}"))
    });
    run(bytes);
});
