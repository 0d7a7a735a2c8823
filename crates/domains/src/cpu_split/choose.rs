//! Choosing the cores that serve the OS, and why each.

use std::collections::BTreeMap;

use hftune_model::CpuSet;
use hftune_model::host::CoreKind;

use super::view::View;

/// The cores that serve the OS, in the order in which they were chosen.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Index in [`View::cores`], and the reason.
    pub cores: Vec<(usize, Reason)>,
    /// The CPUs, where the profile lists them.
    pub list: Option<CpuSet>,
}

/// Why a core serves the OS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It booted the machine.
    Boots,
    /// Its node has interrupts to serve.
    Serves,
    /// One of the number that is needed.
    Counted,
    /// It would share its last-level cache with the OS.
    SharesCache,
    /// An efficient core of a hybrid chip.
    Efficient,
    /// The profile asks for cores of its node.
    OfNode,
}

impl Chosen {
    /// Whether a core is chosen.
    pub fn has(&self, core: usize) -> bool {
        self.cores.iter().any(|(chosen, _)| *chosen == core)
    }

    fn add(&mut self, core: usize, reason: Reason) {
        if !self.has(core) {
            self.cores.push((core, reason));
        }
    }
}

/// The number of cores that the rule gives to the OS on a host of so many.
pub fn by_size(rule: &BTreeMap<String, u32>, cores: usize) -> usize {
    rule.iter()
        .filter_map(|(size, count)| Some((size.parse::<usize>().ok()?, *count as usize)))
        .filter(|(size, _)| *size <= cores)
        .max()
        .map_or(1, |(_, count)| count)
}

/// As the profile's rule has it: so many cores by the size of the host, one for each large node with interrupts, and
/// all efficient cores.
pub fn by_rule(rule: &BTreeMap<String, u32>, view: &View<'_>) -> Chosen {
    let cores = view.cores.len();
    // One core is left to the application wherever there are two.
    let most = cores.saturating_sub(1).max(1);
    let mut chosen = Chosen::default();
    chosen.add(view.boot, Reason::Boots);
    if view.is_hybrid() {
        let performance = |core: &usize| view.cores[*core].kind != CoreKind::Efficient;
        if (0..cores).filter(performance).any(|core| core != view.boot) {
            for core in (0..cores).filter(|core| !performance(core)) {
                chosen.add(core, Reason::Efficient);
            }
        }
    }
    serve_nodes(&mut chosen, view, most);
    fill(&mut chosen, view, by_size(rule, cores).min(most), |_| true);
    keep_caches_whole(&mut chosen, view);
    chosen
}

/// So many cores in all: the boot CPU's, one for each large node with interrupts as far as they go, and more.
pub fn by_count(count: usize, view: &View<'_>) -> Chosen {
    let mut chosen = Chosen::default();
    chosen.add(view.boot, Reason::Boots);
    serve_nodes(&mut chosen, view, count);
    fill(&mut chosen, view, count, |_| true);
    chosen
}

/// So many cores of each of these nodes, the boot CPU's among them where it is on one.
pub fn by_node(counts: &BTreeMap<u32, usize>, view: &View<'_>) -> Chosen {
    let mut chosen = Chosen::default();
    for (node, count) in counts.iter().filter(|(_, count)| **count > 0) {
        let here = |core: usize| view.cores[core].node == Some(*node);
        let before = chosen.cores.len();
        if here(view.boot) {
            chosen.add(view.boot, Reason::Boots);
        }
        fill(&mut chosen, view, before + count, here);
        for (_, reason) in &mut chosen.cores[before..] {
            if *reason == Reason::Counted {
                *reason = Reason::OfNode;
            }
        }
    }
    chosen
}

/// One core on each large node with interrupts that has none yet, while there are fewer than `most`.
fn serve_nodes(chosen: &mut Chosen, view: &View<'_>, most: usize) {
    for node in &view.serving {
        if chosen.cores.len() >= most {
            return;
        }
        if view.on_node(*node).any(|core| chosen.has(core)) {
            continue;
        }
        let first = view
            .on_node(*node)
            .min_by_key(|core| (view.cores[*core].kind != CoreKind::Efficient, *core));
        if let Some(core) = first {
            chosen.add(core, Reason::Serves);
        }
    }
}

/// More cores up to `count`: efficient ones first, away from the trading ports, in caches that the OS is in already,
/// near the boot CPU.
fn fill(chosen: &mut Chosen, view: &View<'_>, count: usize, from: impl Fn(usize) -> bool) {
    let boot_node = view.cores[view.boot].node;
    while chosen.cores.len() < count {
        let in_cache_of_os = |core: usize| {
            let mut chosen = chosen.cores.iter();
            chosen.any(|(other, _)| view.caches[*other] == view.caches[core])
        };
        let next = (0..view.cores.len())
            .filter(|&core| !chosen.has(core) && from(core))
            .min_by_key(|&core| {
                (
                    view.cores[core].kind != CoreKind::Efficient,
                    view.is_near_trading(core),
                    !in_cache_of_os(core),
                    view.cores[core].node != boot_node,
                    core,
                )
            });
        match next {
            Some(core) => chosen.add(core, Reason::Counted),
            None => return,
        }
    }
}

/// The rest of a last-level cache that the OS has most of: it would evict what the application keeps there. At most
/// half as many cores again, and no more than an eighth of the host.
fn keep_caches_whole(chosen: &mut Chosen, view: &View<'_>) {
    let most = (chosen.cores.len() * 3 / 2).min(view.cores.len() / 8);
    loop {
        let whole = chosen.cores.iter().find_map(|(core, _)| {
            let (there, rest): (Vec<usize>, Vec<usize>) = (0..view.cores.len())
                .filter(|&other| view.caches[other] == view.caches[*core])
                .partition(|&core| chosen.has(core));
            let worth = !rest.is_empty()
                && rest.len() < there.len()
                && chosen.cores.len() + rest.len() <= most;
            worth.then_some(rest)
        });
        let Some(rest) = whole else { return };
        for core in rest {
            chosen.add(core, Reason::SharesCache);
        }
    }
}
