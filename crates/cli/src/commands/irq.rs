//! `hftune irq`

use hftune_engine::machine::Machine;
use hftune_model::Result;
use hftune_sys::Root;

use crate::args::Irq;
use crate::{Answer, commands, terminal};

pub(super) fn run(root: &Root, command: &Irq) -> Result<Answer> {
    match command {
        Irq::Show {
            choices, output, ..
        } => {
            let machine = Machine::read(root, choices.choices()?)?;
            terminal::warn(&machine.warnings);
            let (irqs, cpus) = (&machine.host.irqs, &machine.cpus);
            Ok(Answer::ok(if output.json {
                hftune_report::irq::json(irqs, cpus)
            } else {
                hftune_report::irq::human(irqs, cpus, terminal::width())
            }))
        }
        Irq::Apply => commands::live::run(root, &["irq".to_owned()]),
    }
}
