//! `hftune host`

use hftune_sys::{Reader, Root};

use crate::{Answer, terminal};

pub(super) fn run(root: &Root, json: bool) -> Answer {
    let host = hftune_engine::host::read(&Reader::new(root));
    Answer::ok(if json {
        hftune_report::host::json(&host)
    } else {
        hftune_report::host::human(&host, terminal::width())
    })
}
