//! `vma check`: what of a set-up of libvma does nothing, whoever wrote it.

mod effect;
mod everywhere;
mod machine;
mod rules;
mod units;
mod variables;

use hftune_model::Result;
use hftune_model::vma::diagnosis::{Area, Diagnosis};
use hftune_model::vma::sockets::Socket;
use hftune_sys::Root;

use crate::in_force::Choices;
use crate::machine::Machine;
use crate::vma_stats;

use variables::Sources;

/// All findings, by what they are about.
pub fn run(root: &Root) -> Result<Vec<Diagnosis>> {
    let mut machine = Machine::read(root, Choices::default())?;
    if machine.host.vma.is_none() {
        // It may be set up by somebody else.
        machine.host.vma = Some(crate::host::vma(
            &machine.reader,
            &machine.host.kernel.release,
        ));
    }
    let sources = Sources::read(&machine.reader);
    let mut found = machine::check(&machine, &sources);
    found.extend(rules::check(&machine, &sources));
    found.extend(variables::check(&machine, &sources));
    found.extend(units::check(&machine.reader, &sources));
    found.extend(everywhere::check(&machine.reader));
    found.extend(effect::check(&machine, &sources));
    found.extend(applications(root));
    found.sort_by_key(|diagnosis| diagnosis.area);
    Ok(found)
}

/// Whether the packets of running applications go through the card.
fn applications(root: &Root) -> Vec<Diagnosis> {
    let running = vma_stats::processes(root)
        .into_iter()
        .filter(|process| !process.name.is_empty());
    running
        .map(|process| {
            let place = format!("{} ({})", process.name, process.pid);
            match vma_stats::sockets(root, &process) {
                Err(e) => Diagnosis::note(Area::Applications, place, e.in_one_line()),
                Ok(sockets) => {
                    let card: u64 = sockets.iter().map(Socket::offloaded).sum();
                    let kernel: u64 = sockets.iter().map(Socket::kernel).sum();
                    let what = format!("{card} packets through the card, {kernel} through the kernel");
                    if kernel > 0 && card == 0 {
                        let remedy = format!(
                            "hftune vma stats {} shows the sockets; bind them to the address of a chosen port",
                            process.pid
                        );
                        Diagnosis::fault(Area::Applications, place, what, remedy)
                    } else {
                        Diagnosis::ok(Area::Applications, place, what)
                    }
                }
            }
        })
        .collect()
}
