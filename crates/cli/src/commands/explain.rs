//! `hftune explain`

use std::fmt::Write as _;

use hftune_domains::{ALL, doc_of};
use hftune_engine::in_force::Choices;
use hftune_engine::machine::Machine;
use hftune_model::{Error, Kind, Result};
use hftune_sys::Root;

use crate::{Answer, terminal};

pub(super) fn run(root: &Root, id: Option<&str>, json: bool) -> Result<Answer> {
    let docs = ALL.iter().flat_map(|domain| domain.docs());
    let Some(id) = id else {
        if json {
            return Ok(Answer::ok(hftune_report::explain::json_list(docs)));
        }
        let mut text = String::new();
        for doc in docs {
            let _ = writeln!(
                text,
                "{:<40}  {}",
                doc.id,
                doc.what.split(['.', ':', ';']).next().unwrap_or_default()
            );
        }
        return Ok(Answer::ok(text));
    };
    let doc = doc_of(id).ok_or_else(|| {
        Error::new(Kind::Usage, format!("there is no setting \"{id}\""))
            .hint("hftune explain lists all of them")
    })?;
    if json {
        return Ok(Answer::ok(hftune_report::explain::json(doc)));
    }
    // How this host stands is a help, not the point: the words are told even where the host cannot be read.
    let here = Machine::read(root, Choices::default())
        .and_then(|machine| machine.verify())
        .map_or_else(
            |_| Vec::new(),
            |(findings, _)| findings.into_iter().filter(|f| f.id == id).collect(),
        );
    Ok(Answer::ok(hftune_report::explain::human(
        doc,
        &here,
        terminal::width(),
    )))
}
