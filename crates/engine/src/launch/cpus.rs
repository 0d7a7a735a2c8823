//! The CPUs of an application.

use hftune_model::{CpuSet, Error, Kind, Result};
use hftune_sys::Root;

const CPU: &str = "/sys/devices/system/cpu";
const NODE: &str = "/sys/devices/system/node";

/// The CPUs that were chosen, and what is around them.
#[derive(Debug)]
pub(super) struct Chosen {
    pub cpus: CpuSet,
    pub online: CpuSet,
    pub isolated: CpuSet,
    /// The NUMA node of all of them, on a host that has several.
    pub node: Option<u32>,
}

/// The CPUs that were asked for, else the isolated ones.
pub(super) fn choose(root: &Root, asked: Option<&CpuSet>) -> Result<Chosen> {
    let list = |file: &str| -> Result<CpuSet> {
        let path = format!("{CPU}/{file}");
        CpuSet::parse_list(root.read_text(&path)?.trim(), None).map_err(|e| e.at(&path))
    };
    let online = list("online")?;
    let isolated = list("isolated")?;
    let cpus = match asked {
        Some(asked) => {
            let absent = asked.difference(&online);
            if !absent.is_empty() {
                return Err(Error::new(
                    Kind::Usage,
                    format!("CPU {absent} is offline or does not exist"),
                )
                .hint(format!("the CPUs that run here are {online}")));
            }
            asked.clone()
        }
        None => isolated.intersection(&online),
    };
    if cpus.is_empty() {
        return Err(Error::new(Kind::Missing, "no CPU of this host is isolated")
            .hint("hftune setup isolates CPUs from the next boot on; --cpus LIST takes others"));
    }
    Ok(Chosen {
        node: node(root, &cpus),
        cpus,
        online,
        isolated,
    })
}

/// The node that has all of these CPUs; `None` on a host of one node, and where they are on several.
fn node(root: &Root, cpus: &CpuSet) -> Option<u32> {
    let nodes = root.read_text(format!("{NODE}/online")).ok()?;
    let nodes = CpuSet::parse_list(nodes.trim(), None).ok()?;
    if nodes.len() < 2 {
        return None;
    }
    nodes.iter().find(|node| {
        root.read_text(format!("{NODE}/node{node}/cpulist"))
            .ok()
            .and_then(|text| CpuSet::parse_list(text.trim(), None).ok())
            .is_some_and(|of_node| cpus.is_subset(&of_node))
    })
}
