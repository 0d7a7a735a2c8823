//! Values given on the command line, which have the last word.

use hftune_model::profile::Profile;
use hftune_model::{Error, Kind, Result};
use serde::Deserialize;

use super::layer::{canonical, parts};
use super::{merge, message};

/// Reads `KEY=VALUE`, as in `thp.enabled=madvise`. What is no TOML value is taken as text.
pub fn parse_override(text: &str) -> Result<(String, toml::Value)> {
    let Some((key, value)) = text.split_once('=') else {
        return Err(Error::new(Kind::Usage, format!("{text:?} sets nothing"))
            .hint("write KEY=VALUE, like thp.enabled=madvise"));
    };
    let (key, value) = (key.trim(), value.trim());
    let parsed = toml::de::ValueDeserializer::parse(value).and_then(toml::Value::deserialize);
    // A table would be a whole subtree; braces are those of {isolated}.
    let value = match parsed {
        Ok(toml::Value::Table(_)) | Err(_) => toml::Value::String(value.to_owned()),
        Ok(parsed) => parsed,
    };
    Ok((key.to_owned(), value))
}

/// Checks one override by itself and returns its key as the layers below write it.
pub(super) fn checked(key: &str, value: &toml::Value) -> Result<String> {
    let key = match key.split_once('.') {
        Some(("sysctl", name)) => format!("sysctl.{}", canonical(name)),
        _ => key.to_owned(),
    };
    let parts = parts(&key);
    if parts.iter().any(|part| part.is_empty()) {
        return Err(
            Error::new(Kind::Usage, format!("{key:?} is not a key of a profile"))
                .hint("hftune profile show lists the keys"),
        );
    }
    let mut table = toml::Table::new();
    merge::insert(&mut table, &parts, value.clone());
    Profile::deserialize(table).map_err(|e| message::of_option(&e, &key))?;
    Ok(key)
}
