//! The facts of the machine: one file for each kind of fact, and every file of the machine read once.
//!
//! Nothing here fails. What is not there is `None` or empty; what is there and cannot be read, or makes no sense, is
//! named in [`Host::unread`] and is not taken for a fact. No process is started.

mod boot_loader;
mod cpus;
mod distribution;
mod facts;
mod irq_devices;
mod irqs;
mod kernel;
mod memory;
mod nics;
mod nodes;
mod rps;
mod services;
mod tasks;
mod virtualization;
mod workqueues;

pub use irqs::{InterruptLine, counts_now, effective_now, parse_interrupts};

use hftune_model::host::Host;
use hftune_sys::Reader;

use facts::Facts;

/// What this machine is, read through `reader`.
pub fn read(reader: &Reader<'_>) -> Host {
    let facts = Facts::new(reader);
    let online = cpus::online(&facts);
    let nodes = nodes::read(&facts, &online);
    let cpus = cpus::read(&facts, online, &nodes);
    let kernel = kernel::read(&facts);
    let distribution = distribution::read(&facts);
    let tasks = tasks::read(&facts);
    Host {
        memory: memory::read(&facts),
        nics: nics::read(&facts),
        interfaces: nics::interfaces(&facts),
        irqs: irqs::read(&facts, kernel.version()),
        rps: rps::read(&facts),
        workqueues: workqueues::read(&facts),
        boot_loader: boot_loader::read(&facts, &distribution, &kernel.cmdline),
        virtualization: virtualization::read(&facts, &cpus.flags),
        services: services::read(&facts, &tasks),
        cpus,
        nodes,
        kernel,
        distribution,
        tasks,
        unread: facts.into_unread(),
    }
}
