//! Which CPUs can be measured or watched.

use std::path::Path;

use hftune_model::{CpuSet, Error, Kind, Result};
use hftune_sys::Root;

/// The CPUs that are measured where nobody says which: those that are isolated, or all but the first.
///
/// # Errors
/// Where the kernel does not tell them.
pub fn default_cpus(root: &Root) -> Result<CpuSet> {
    let online = online(root)?;
    let isolated = root.read_text("/sys/devices/system/cpu/isolated")?;
    let isolated = CpuSet::parse_list(&isolated, None)?.intersection(&online);
    if !isolated.is_empty() {
        return Ok(isolated);
    }
    Ok(online.iter().skip(1).collect())
}

/// The CPUs that are online, and that this process may use: a container may have a part of them. Its own affinity says
/// nothing, since isolated CPUs are in nobody's until somebody asks for them.
fn online(root: &Root) -> Result<CpuSet> {
    let online = CpuSet::parse_list(&root.read_text("/sys/devices/system/cpu/online")?, None)?;
    Ok(match cpuset(root) {
        Some(ours) => online.intersection(&ours),
        None => online,
    })
}

/// What the control group of this process leaves of the machine; `None` where it leaves all (cgroups(7), cpuset(7)).
fn cpuset(root: &Root) -> Option<CpuSet> {
    let groups = root.read_text("/proc/self/cgroup").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, group) = (fields.next()?, fields.next()?);
        let (mount, file) = match controllers {
            "" => ("/sys/fs/cgroup", "cpuset.cpus.effective"),
            _ if controllers.split(',').any(|name| name == "cpuset") => {
                ("/sys/fs/cgroup/cpuset", "cpuset.effective_cpus")
            }
            _ => return None,
        };
        // The controller may be on for a group above this one only.
        let above = Path::new(group).ancestors();
        let mut lists = above.filter_map(|group| {
            let group = group.strip_prefix("/").unwrap_or(group);
            root.read_text(Path::new(mount).join(group).join(file)).ok()
        });
        CpuSet::parse_list(&lists.next()?, None).ok()
    })
}

/// Checks that there are such CPUs, and answers which others there are.
///
/// # Errors
/// Where one is not online, or none is asked for.
pub fn check(root: &Root, cpus: &CpuSet) -> Result<CpuSet> {
    let online = online(root)?;
    let offline = cpus.difference(&online);
    if !offline.is_empty() {
        let what =
            format!("CPU {offline} is not online, or not for this process; there are {online}");
        return Err(Error::new(Kind::Usage, what));
    }
    if cpus.is_empty() {
        let what = "this machine has one CPU, which serves everything";
        return Err(Error::new(Kind::Usage, what));
    }
    Ok(online.difference(cpus))
}
