//! `hftune netlat`

use hftune_measure::netlat::{self, Wanted};
use hftune_model::{CpuSet, Result};
use hftune_report::netlat::{human, json};
use hftune_sys::Root;

use super::{need_root, need_this_machine};
use crate::args::Netlat;
use crate::{Answer, terminal};

pub(super) fn run(root: &Root, args: &Netlat) -> Result<Answer> {
    need_this_machine(root, "netlat measures")?;
    if args.server {
        terminal::progress(&format!("listening on port {}; Ctrl-C ends it", args.port));
        netlat::serve(root, args.port, args.tcp, &args.a)?;
        return Ok(Answer::ok(String::new()));
    }
    if args.namespaces {
        need_root(root, "netlat --namespaces")?;
    }
    let wanted = Wanted {
        peer: args.host,
        ways: std::iter::once(args.a.clone())
            .chain(args.b.clone())
            .collect(),
        rounds: args.rounds,
        duration: args.duration,
        size: args.size,
        tcp: args.tcp,
        port: args.port,
        cpus: args.cpus.iter().flat_map(CpuSet::iter).collect(),
    };
    let found = netlat::run(root, &wanted, terminal::progress)?;
    Ok(Answer::ok(if args.output.json {
        json(&found)
    } else {
        human(&found, terminal::width())
    }))
}
