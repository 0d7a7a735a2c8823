//! `hftune live`

use std::fmt::Write as _;

use hftune_domains::ALL;
use hftune_engine::live;
use hftune_model::{Error, Kind, Result};
use hftune_sys::Root;

use crate::{Answer, commands, terminal};

pub(super) fn run(root: &Root, domains: &[String]) -> Result<Answer> {
    if let Some(unknown) = domains.iter().find(|name| {
        let domain_of = name.split('/').next();
        ALL.iter().all(|domain| Some(domain.name()) != domain_of)
    }) {
        let known: Vec<_> = ALL.iter().map(|domain| domain.name()).collect();
        return Err(
            Error::new(Kind::Usage, format!("there is no domain \"{unknown}\""))
                .hint(known.join(", ")),
        );
    }
    commands::need_root(root, "live")?;
    let applied = live::apply(root, domains)?;
    terminal::warn(&applied.warnings);
    let mut text = format!(
        "{} values written, {} as desired already\n",
        applied.written, applied.unchanged
    );
    for refused in &applied.refused {
        let _ = writeln!(text, "refused: {refused}");
    }
    Ok(Answer::ok(text))
}
