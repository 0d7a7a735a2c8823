//! The host as the split sees it: the cores that can be given away, and what is near them.

use std::collections::{BTreeMap, BTreeSet};

use hftune_model::host::{Core, CoreKind, Host, Nic};
use hftune_model::profile::Profile;
use hftune_model::{CpuSet, Error, Result};

/// A node with fewer cores gives none of them away only because a device hangs on it: a host of two small nodes is
/// treated as one of eight cores is. From this many on a host gives two cores (`housekeeping_rule` of the profile).
const LARGE_NODE: usize = 6;

/// What the split decides from.
pub struct View<'h> {
    /// The facts.
    pub host: &'h Host,
    /// CPUs that run and are not hidden by a container.
    pub visible: CpuSet,
    /// CPUs that run, but not for this container.
    pub hidden: CpuSet,
    /// The cores of the visible CPUs, in rising order of their first.
    pub cores: Vec<Core>,
    /// The last-level cache of each core, by its first CPU; a core without one has its own.
    pub caches: Vec<u32>,
    /// The core that booted the machine and keeps its time.
    pub boot: usize,
    /// The ports that the application trades through.
    pub ports: Vec<&'h Nic>,
    /// How they were chosen, for the explanation.
    pub ports_by: PortsBy,
    /// Names of ports in the profile that this host lacks.
    pub ports_absent: Vec<String>,
    /// The nodes of the trading ports, or the nearest with CPUs.
    pub trading: BTreeSet<u32>,
    /// Large nodes with interrupts to serve.
    pub serving: BTreeSet<u32>,
}

/// How the trading ports were chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortsBy {
    /// The profile names them.
    Profile,
    /// libvma can drive them.
    Vma,
    /// They are up.
    Up,
}

impl<'h> View<'h> {
    /// Looks at a host.
    pub fn new(host: &'h Host, profile: &Profile) -> Result<Self> {
        let online = &host.cpus.online;
        let hidden = hidden(host);
        let visible = online.difference(&hidden);
        let cores: Vec<Core> = host
            .cpus
            .cores
            .iter()
            .map(|core| Core {
                cpus: core.cpus.intersection(&visible),
                ..core.clone()
            })
            .filter(|core| !core.cpus.is_empty())
            .collect();
        let Some(boot_cpu) = visible.first().filter(|_| !cores.is_empty()) else {
            return Err(Error::invalid(
                "the CPUs of this host cannot be read, so they cannot be split",
            )
            .at("/sys/devices/system/cpu/online")
            .hint("hftune host says what could not be read"));
        };
        let boot = cores
            .iter()
            .position(|core| core.cpus.contains(boot_cpu))
            .unwrap_or(0);
        let (ports, ports_by) = trading_ports(host, profile);
        let mut view = Self {
            host,
            visible,
            hidden,
            caches: caches(host, &cores),
            cores,
            boot,
            ports,
            ports_by,
            ports_absent: profile
                .cpus
                .nics
                .iter()
                .map(ToString::to_string)
                .filter(|name| host.nics.iter().all(|nic| nic.name != *name))
                .collect(),
            trading: BTreeSet::new(),
            serving: BTreeSet::new(),
        };
        view.trading = view
            .ports
            .iter()
            .filter_map(|port| view.nearest(port.node?))
            .collect();
        let interrupts = host.irqs.list.iter().filter(|irq| !irq.name.is_empty());
        // There may be thousands of interrupts, and there are few nodes.
        let with_interrupts: BTreeSet<u32> = interrupts
            .filter_map(|irq| irq.node)
            .chain(host.nics.iter().filter_map(|nic| nic.node))
            .collect();
        view.serving = with_interrupts
            .into_iter()
            .filter_map(|node| view.nearest(node))
            .filter(|node| view.on_node(*node).count() >= LARGE_NODE)
            .collect();
        Ok(view)
    }

    /// The cores of a node, as indexes.
    pub fn on_node(&self, node: u32) -> impl Iterator<Item = usize> + '_ {
        (0..self.cores.len()).filter(move |&core| self.cores[core].node == Some(node))
    }

    /// The nodes that have cores.
    pub fn nodes(&self) -> BTreeSet<u32> {
        self.cores.iter().filter_map(|core| core.node).collect()
    }

    /// The CPUs of some cores.
    pub fn union(&self, cores: impl IntoIterator<Item = usize>) -> CpuSet {
        cores
            .into_iter()
            .fold(CpuSet::new(), |all, core| all.union(&self.cores[core].cpus))
    }

    /// The CPUs on the nodes of the trading ports.
    pub fn trading_cpus(&self) -> CpuSet {
        self.union((0..self.cores.len()).filter(|&core| self.is_near_trading(core)))
    }

    /// Whether a core is on the node of a trading port.
    pub fn is_near_trading(&self, core: usize) -> bool {
        self.cores[core]
            .node
            .is_some_and(|node| self.trading.contains(&node))
    }

    /// Whether the machine has efficient cores besides others.
    pub fn is_hybrid(&self) -> bool {
        let efficient = |core: &Core| core.kind == CoreKind::Efficient;
        self.cores.iter().any(efficient) && !self.cores.iter().all(efficient)
    }

    /// The node itself where it has cores, else the nearest that does: memory may hang on a node without CPUs, and a
    /// port with it.
    pub fn nearest(&self, node: u32) -> Option<u32> {
        let with_cores = self.nodes();
        if with_cores.contains(&node) {
            return Some(node);
        }
        let of = self.host.nodes.iter().find(|known| known.id == node)?;
        self.host
            .nodes
            .iter()
            .zip(&of.distances)
            .filter(|(other, _)| with_cores.contains(&other.id))
            .min_by_key(|(other, distance)| (**distance, other.id))
            .map(|(other, _)| other.id)
    }
}

/// The CPUs that a container's cpuset hides. On the machine itself the mask of this process says nothing: after set-up
/// it leaves out the isolated CPUs.
fn hidden(host: &Host) -> CpuSet {
    let in_container = host
        .virtualization
        .as_deref()
        .is_some_and(|kind| kind.starts_with("container"));
    match &host.cpus.allowed {
        Some(allowed) if in_container => host.cpus.online.difference(allowed),
        _ => CpuSet::new(),
    }
}

fn caches(host: &Host, cores: &[Core]) -> Vec<u32> {
    let mut first_of: BTreeMap<u32, u32> = BTreeMap::new();
    for cache in &host.cpus.last_level_caches {
        for cpu in cache.cpus.iter() {
            first_of.insert(cpu, cache.cpus.first().unwrap_or(cpu));
        }
    }
    let own = |core: &Core| core.cpus.first().unwrap_or(0);
    cores
        .iter()
        .map(|core| first_of.get(&own(core)).copied().unwrap_or(own(core)))
        .collect()
}

/// The profile's ports, else every VMA-capable port, else every port that is up.
fn trading_ports<'h>(host: &'h Host, profile: &Profile) -> (Vec<&'h Nic>, PortsBy) {
    let those = |wanted: &dyn Fn(&Nic) -> bool| -> Vec<&'h Nic> {
        host.nics.iter().filter(|nic| wanted(nic)).collect()
    };
    let named = those(&|nic| {
        profile
            .cpus
            .nics
            .iter()
            .any(|name| name.as_str() == nic.name)
    });
    if !named.is_empty() {
        return (named, PortsBy::Profile);
    }
    let capable = those(&|nic| nic.vma_capable);
    if !capable.is_empty() {
        return (capable, PortsBy::Vma);
    }
    (
        those(&|nic| nic.state.as_deref() == Some("up")),
        PortsBy::Up,
    )
}
