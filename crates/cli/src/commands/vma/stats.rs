//! `hftune vma stats`

use hftune_engine::vma_stats::{self, Process};
use hftune_model::{Error, Kind, Result};
use hftune_report::vma_stats::{Application, human, json as as_json};
use hftune_sys::Root;

use crate::{Answer, terminal};

pub(super) fn run(root: &Root, wanted: Option<&str>, json: bool) -> Result<Answer> {
    let mut processes = vma_stats::processes(root);
    if let Some(wanted) = wanted {
        let is_it = |process: &Process| process.name == wanted || process.pid.to_string() == wanted;
        processes.retain(is_it);
        if processes.is_empty() {
            return Err(Error::new(
                Kind::Missing,
                format!("no process {wanted} has statistics of libvma"),
            )
            .hint("hftune vma stats lists those that have; hftune run --check tells whether a process loaded libvma"));
        }
    } else {
        // A file that is left over tells of nobody who runs.
        processes.retain(|process| !process.name.is_empty());
    }
    let applications = processes
        .into_iter()
        .map(|process| {
            Ok(Application {
                sockets: vma_stats::sockets(root, &process)?,
                pid: process.pid,
                name: process.name,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Answer::ok(if json {
        as_json(&applications)
    } else {
        human(&applications, terminal::width())
    }))
}
