//! The library, devices, modules and memory.

use hftune_domains::vma;
use hftune_model::host::Module;
use hftune_model::vma::check::drops_locks;
use hftune_model::vma::diagnosis::{Area, Diagnosis};
use hftune_model::vma::param::atoi;

use super::variables::Sources;
use crate::machine::Machine;

const AREA: Area = Area::Machine;

/// The devices that rdma-core knows, and how programs reach them.
const DEVICES: &str = "/sys/class/infiniband";
const VERBS: &str = "/dev/infiniband";

/// Pages of 2 MiB that one application takes by default.
const PAGES: u64 = 352;

pub(super) fn check(machine: &Machine<'_>, sources: &Sources) -> Vec<Diagnosis> {
    let mut found = Vec::new();
    found.push(match vma::library(machine.reader.root()) {
        Some(path) => Diagnosis::ok(AREA, path.display().to_string(), "libvma is installed"),
        None => Diagnosis::fault(AREA, "", "libvma is not installed", "hftune vma install"),
    });
    found.extend(ports(machine));
    found.extend(modules(machine));
    found.push(devices(machine));
    found.extend(memory(machine, sources));
    if let Some(what) = drops_locks(|name| sources.of_applications(name))
        && !machine.resolved.profile.vma.one_socket_thread
    {
        found.push(Diagnosis::fault(
            Area::Variables,
            "",
            format!("{what} drops the locks: an application whose threads share sockets is damaged"),
            "write VMA_THREAD_MODE = 1 beside it, or one_socket_thread = true under [vma] of the profile",
        ));
    }
    found
}

fn ports(machine: &Machine<'_>) -> Vec<Diagnosis> {
    let capable: Vec<_> = machine
        .host
        .nics
        .iter()
        .filter(|nic| nic.vma_capable)
        .collect();
    if capable.is_empty() {
        return vec![Diagnosis::fault(
            AREA,
            "",
            "no port of this host is driven by mlx5 or mlx4: libvma has nothing to offload",
            "use it on a host with an NVIDIA ConnectX card; hftune nic tune tunes other ports for the kernel",
        )];
    }
    capable
        .iter()
        .map(|nic| {
            let card = nic
                .pci_id
                .as_deref()
                .and_then(hftune_model::vma::generation)
                .unwrap_or("an NVIDIA card");
            let driver = nic.driver.as_deref().unwrap_or_default();
            Diagnosis::ok(
                AREA,
                nic.name.clone(),
                format!("{card}, driven by {driver}"),
            )
        })
        .collect()
}

fn modules(machine: &Machine<'_>) -> Vec<Diagnosis> {
    let Some(facts) = &machine.host.vma else {
        return Vec::new();
    };
    let has = |mlx4: bool| {
        machine.host.nics.iter().any(|nic| {
            let is_mlx4 = nic.driver.as_deref().is_some_and(|d| d.starts_with("mlx4"));
            nic.vma_capable && is_mlx4 == mlx4
        })
    };
    let needed = |name: &str| match name {
        "mlx5_ib" => has(false),
        "mlx4_ib" => has(true),
        _ => has(true) || has(false),
    };
    let missing: Vec<&str> = facts
        .modules
        .iter()
        .filter(|(name, module)| needed(name) && **module != Module::Loaded)
        .map(|(name, _)| name.as_str())
        .collect();
    if missing.is_empty() {
        return Vec::new();
    }
    vec![Diagnosis::fault(
        AREA,
        "",
        format!(
            "modules that libvma needs are not loaded: {}",
            missing.join(", ")
        ),
        format!(
            "modprobe -a {}, or hftune vma install for every boot",
            missing.join(" ")
        ),
    )]
}

/// Without a device the first socket of a program that loads libvma fails.
fn devices(machine: &Machine<'_>) -> Diagnosis {
    let root = machine.reader.root();
    let devices = root.list(DEVICES).unwrap_or_default();
    if devices.is_empty() {
        return Diagnosis::fault(
            AREA,
            DEVICES,
            "there is no RDMA device: the first socket of a program that loads libvma fails",
            "start programs without libvma here, or see that the modules of the card are loaded",
        );
    }
    let verbs: Vec<String> = root
        .list(VERBS)
        .unwrap_or_default()
        .into_iter()
        .filter(|name| name.starts_with("uverbs"))
        .collect();
    if verbs.is_empty() {
        return Diagnosis::fault(
            AREA,
            VERBS,
            "there is no device file of ib_uverbs",
            "modprobe ib_uverbs",
        );
    }
    // Mode bits of "others": services run as users of their own.
    let closed: Vec<&str> = verbs
        .iter()
        .filter(|name| {
            root.mode(format!("{VERBS}/{name}"))
                .is_none_or(|mode| mode & 0o6 != 0o6)
        })
        .map(String::as_str)
        .collect();
    if closed.is_empty() {
        Diagnosis::ok(AREA, DEVICES, devices.join(", "))
    } else {
        Diagnosis::fault(
            AREA,
            format!("{VERBS}/{}", closed[0]),
            "only root may use it, so that applications of other users get errno 13",
            "install rdma-core, whose udev rules open it, or write such a rule",
        )
    }
}

fn memory(machine: &Machine<'_>, sources: &Sources) -> Vec<Diagnosis> {
    let mut found = Vec::new();
    let pools = machine
        .host
        .nodes
        .iter()
        .filter_map(|node| node.huge_pages.get(&2048));
    let (total, free) = pools.fold((0, 0), |(total, free), pool| {
        (total + pool.total, free + pool.free)
    });
    let wants = sources
        .of_applications("VMA_MEM_ALLOC_TYPE")
        .is_none_or(|value| atoi(value) == 2);
    if wants && total < PAGES {
        found.push(Diagnosis::fault(
            AREA,
            "",
            format!(
                "there are {total} huge pages of 2 MiB, and an application takes about {PAGES}: libvma falls back to ordinary \
                 memory and warns once"
            ),
            "write count = 1024 under [hugepages] of the profile, then hftune setup",
        ));
    } else if wants {
        found.push(Diagnosis::ok(
            AREA,
            "",
            format!(
                "{free} of {total} huge pages of 2 MiB are free; an application takes about {PAGES}"
            ),
        ));
    }
    let limits = machine.reader.text("/proc/self/limits").ok();
    let hard = |name: &str| {
        let line = limits.as_deref()?.lines().find(|l| l.starts_with(name))?;
        line[name.len()..]
            .split_whitespace()
            .nth(1)
            .map(str::to_owned)
    };
    if let Some(memlock) = hard("Max locked memory")
        && memlock != "unlimited"
    {
        found.push(Diagnosis::fault(
            AREA,
            "",
            format!("this login may lock {memlock} bytes of memory only, and libvma registers its buffers with the card"),
            "hftune setup, then log in again; a unit needs LimitMEMLOCK=infinity",
        ));
    }
    if let Some(files) = hard("Max open files")
        && files.parse::<u64>().unwrap_or(u64::MAX) > super::units::MANY_FILES
    {
        found.push(Diagnosis::note(
            AREA,
            "",
            format!(
                "this login may open {files} files, and libvma's tables are as large as that limit; hftune run --vma lowers it"
            ),
        ));
    }
    found
}
