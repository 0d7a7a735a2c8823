//! `hftune irq`

use std::time::Duration;

use hftune_domains::irq::map;
use hftune_engine::host::{counts_now, effective_now};
use hftune_engine::machine::Machine;
use hftune_model::{Error, Kind, Result};
use hftune_sys::Root;

use crate::args::Irq;
use crate::{Answer, commands, terminal};

pub(super) fn run(root: &Root, command: &Irq) -> Result<Answer> {
    match command {
        Irq::Show {
            choices,
            seconds,
            output,
            ..
        } => {
            let machine = Machine::read(root, choices.choices()?)?;
            terminal::warn(&machine.warnings);
            let mut map = map(&machine.context());
            // Nothing fires in a directory tree.
            if *seconds > 0 && root.is_live() {
                let before = counts_now(root);
                let progress = terminal::Progress::new(1);
                progress.step(0, &format!("counting interrupts for {seconds} s"));
                std::thread::sleep(Duration::from_secs(*seconds));
                drop(progress);
                map.count(&before, &counts_now(root), *seconds, |irq| {
                    effective_now(root, irq)
                });
            }
            Ok(Answer::ok(if output.json {
                hftune_report::irq::json(&machine.host.irqs, &map)
            } else {
                hftune_report::irq::human(&map, terminal::width())
            }))
        }
        Irq::Apply => {
            // Only a setup records where they were, so that they can go back.
            if !root.exists(hftune_engine::in_force::PATH) {
                let why =
                    "nothing was set up on this host, so that what it changes could not be undone";
                return Err(Error::new(Kind::Conflict, why)
                    .hint("hftune setup moves interrupts, records where they were, and lets irq apply do it again"));
            }
            commands::live::run(root, &["irq".to_owned()])
        }
    }
}
