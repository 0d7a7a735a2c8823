//! The facts of the machine: one file for each kind of fact, and every file of the machine read once.
//!
//! Nothing here fails. What is not there is `None` or empty; what is there and cannot be read, or makes no sense, is
//! named in [`Host::unread`] and is not taken for a fact. No process is started.

mod boot_loader;
mod carries;
mod claims;
mod cpus;
mod distribution;
mod drops;
pub(crate) mod facts;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
pub(crate) mod ini;
mod irq_devices;
mod irqs;
mod kernel;
mod kernel_work;
mod link_files;
mod memory;
mod named_port;
mod network_manager;
mod nics;
mod nodes;
mod other_loaders;
mod pcie;
mod ports;
mod rps;
mod services;
mod shell_words;
mod staged_deployment;
mod tasks;
pub(crate) mod tuned;
mod uppers;
mod virtualization;
mod vma;
mod workqueues;

pub(crate) use drops::watch as watch_drops;
pub use named_port::named_port;
pub use ports::ports;
pub(crate) use ports::watch_pause_frames;
pub use vma::addresses;
pub(crate) use vma::read as vma;

pub use irqs::{InterruptLine, counts_now, effective_now, parse_interrupts};

use std::collections::BTreeMap;

use hftune_model::host::{BootLoader, Distribution, Host, Nic};
use hftune_sys::Reader;

use facts::Facts;

/// What boots this machine, alone.
pub(crate) fn boot_loader(reader: &Reader<'_>) -> BootLoader {
    let facts = Facts::new(reader);
    let cmdline = facts.text("/proc/cmdline").unwrap_or_default();
    boot_loader::read(&facts, &distribution::read(&facts), cmdline.trim_end())
}

/// The distribution, alone.
pub fn distribution(reader: &Reader<'_>) -> Distribution {
    distribution::read(&Facts::new(reader))
}

/// The network ports, alone, and what of them could not be read.
pub fn nics(reader: &Reader<'_>) -> (Vec<Nic>, Vec<String>) {
    let facts = Facts::new(reader);
    let mut nics = nics::read(&facts);
    carries::note(reader.root(), &mut nics);
    (nics, facts.into_unread())
}

/// What this machine is, read through `reader`.
pub fn read(reader: &Reader<'_>) -> Host {
    let facts = Facts::new(reader);
    let online = cpus::online(&facts);
    let nodes = nodes::read(&facts, &online);
    let siblings = cpus::siblings(&facts, &online);
    let nodes_make_no_sense = nodes::contradiction(&nodes, &siblings.cores);
    let believed = if nodes_make_no_sense.is_none() {
        nodes.as_slice()
    } else {
        &[]
    };
    let cpus = cpus::read(&facts, online, siblings, believed);
    let kernel = kernel::read(&facts);
    let distribution = distribution::read(&facts);
    let tasks = tasks::read(&facts);
    let mut nics = nics::read(&facts);
    carries::note(reader.root(), &mut nics);
    let (services, of_tuned) = services::read(&facts, &tasks, &cpus, &kernel);
    let mut port_settings_unread = Vec::new();
    let mut port_settings = network_manager::read(&facts, &mut port_settings_unread);
    port_settings.extend(link_files::read(&facts, &nics, &mut port_settings_unread));
    port_settings.extend(of_tuned);
    Host {
        memory: memory::read(&facts),
        nics,
        ports: BTreeMap::new(),
        pause_frames_since: BTreeMap::new(),
        vma: None,
        renamed: BTreeMap::new(),
        interfaces: nics::interfaces(&facts),
        irqs: irqs::read(&facts, kernel.version()),
        rps: rps::read(&facts),
        workqueues: workqueues::read(&facts),
        kernel_work: kernel_work::read(&facts),
        boot_loader: boot_loader::read(&facts, &distribution, &kernel.cmdline),
        virtualization: virtualization::read(&facts, &cpus.flags),
        services,
        port_settings,
        port_settings_unread,
        cpus,
        nodes,
        nodes_make_no_sense,
        kernel,
        distribution,
        tasks,
        unread: facts.into_unread(),
    }
}
