//! What packages run when they come and go.

use crate::list::Entry;
use crate::sources::Sources;
use anyhow::Result;

/// The scripts of a package.
pub struct Scripts {
    /// Before its files go. The same one serves both: dpkg tells it the word, rpm the number of packages that stay.
    pub before_removal: String,
    /// After its files are gone.
    pub after_removal: String,
    /// After its files came.
    pub after_installation: String,
}

/// As they are in the checkout.
pub fn scripts(sources: &Sources) -> Result<Scripts> {
    let read = |name| -> Result<String> {
        Ok(String::from_utf8(
            sources.read(&format!("packaging/scripts/{name}"))?,
        )?)
    };
    Ok(Scripts {
        before_removal: read("before-removal.sh")?,
        after_removal: read("after-removal.sh")?,
        after_installation: read("after-installation.sh")?,
    })
}

/// Whether a package holds units, so that systemd has to be told when they come and go.
pub fn has_units(list: &[&Entry]) -> bool {
    list.iter()
        .any(|entry| entry.path.starts_with("/usr/lib/systemd/system/"))
}
