//! `hftune import`

use hftune_engine::import;
use hftune_model::{Error, Result};
use hftune_sys::{Reader, Root};

use super::profile::new_file;
use crate::args::Import;
use crate::{Answer, terminal};

pub(super) fn run(root: &Root, args: &Import) -> Result<Answer> {
    let mut named = args.tuned.clone();
    // A folder is one of this machine's, or below --root.
    if named.contains('/') && root.is_live() {
        let path =
            std::path::absolute(&named).map_err(|e| Error::io("find it", named.as_ref(), &e))?;
        named = path.display().to_string();
    }
    let imported = import::tuned(&Reader::new(root), &named)?;
    let left: Vec<String> = imported
        .left
        .iter()
        .map(|left| {
            format!(
                "not imported: {}:{}: {}: {}",
                left.file, left.line, left.what, left.reason
            )
        })
        .collect();
    terminal::warn(&left);
    new_file(args.output.as_deref(), imported.text)
}
