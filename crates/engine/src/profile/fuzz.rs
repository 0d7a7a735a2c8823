//! What the fuzz targets call here.

use std::path::Path;

use super::{layer, overrides};

/// A profile, and the same text as a value of the command line.
pub fn profile(text: &str) {
    let lines = text.lines().count().max(1);
    if let Ok(layer) = layer::parse(text, Path::new("fuzz.toml")) {
        for leaf in layer.leaves {
            assert!((1..=lines).contains(&leaf.line), "{leaf:?}");
        }
    }
    if let Ok((key, value)) = overrides::parse_override(text) {
        let _ = overrides::checked(&key, &value);
    }
}
