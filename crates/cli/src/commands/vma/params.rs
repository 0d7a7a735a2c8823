//! `hftune vma params`

use hftune_model::vma::check;
use hftune_model::{Error, Kind, Result};
use hftune_report::vma_params;

use crate::{Answer, terminal};

pub(super) fn run(name: Option<&str>, json: bool) -> Result<Answer> {
    let Some(name) = name else {
        return Ok(Answer::ok(if json {
            vma_params::json()
        } else {
            vma_params::list(terminal::width())
        }));
    };
    let name = name.to_ascii_uppercase();
    let param = check::param(&name).ok_or_else(|| {
        let problem = check::name(&name);
        let hint = problem.map_or_else(String::new, |problem| problem.remedy);
        Error::new(Kind::Usage, format!("libvma knows no {name}")).hint(hint)
    })?;
    Ok(Answer::ok(if json {
        hftune_report::to_json(param)
    } else {
        vma_params::one(param, terminal::width())
    }))
}
