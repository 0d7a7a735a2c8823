//! Profiles: TOML layers, each checked in its own file, merged key by key.
//!
//! ```text
//! built-in hft  <-  the file it is extended by  <-  ...  <-  options of the command
//! ```

#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod layer;
mod load;
mod merge;
mod message;
mod overlay;
mod overrides;
mod starter;

pub use load::{BUILT_IN, PROFILE_PATH, built_in, is_built_in, load, load_in};
pub use overlay::Overlay;
pub use overrides::parse_override;
pub use starter::starter;

#[cfg(test)]
mod tests;
