//! The report of `host`: what this machine is.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use hftune_model::CpuSet;
use hftune_model::host::{BootKind, CoreKind, Cpus, Host, Irq, Nic, Node, Rival};
use hftune_model::others::{PortOwner, PortSetting};
use owo_colors::{OwoColorize as _, Style};
use schemars::JsonSchema;
use serde::Serialize;

use crate::table::{Cell, Table};
use crate::text::plural;

/// CPU lists that are longer are shortened where there is a rule in them.
const LONG_LIST: usize = 24;

/// Cache domains and unreadable files that are listed; `--json` lists all.
const MOST_CACHES: usize = 8;
const MOST_UNREAD: usize = 10;

/// The contract of `hftune host --json`.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Report<'h> {
    schema: &'static str,
    #[serde(flatten)]
    host: &'h Host,
}

/// One JSON object: every field of [`Host`].
pub fn json(host: &Host) -> String {
    crate::to_json(&Report {
        schema: "hftune/host/1",
        host,
    })
}

/// Short sections for a terminal of `width` columns. Interrupts are summed up by device.
pub fn human(host: &Host, width: usize) -> String {
    let mut out = String::new();
    let mut section = |title: &str, tables: &[Table]| {
        if tables.iter().all(Table::is_empty) {
            return;
        }
        let blank = if out.is_empty() { "" } else { "\n" };
        let _ = writeln!(out, "{blank}{}", title.bold());
        for table in tables {
            out.push_str(&table.clone().indent(2).render(width));
        }
    };
    section("Machine", &[machine(host)]);
    section("CPUs", &[cpus(&host.cpus)]);
    section("Memory", &[memory(host), nodes(&host.nodes)]);
    section("Network ports", &[nics(&host.nics)]);
    section(
        "Settings of ports made by others",
        &[port_settings(&host.port_settings)],
    );
    section("Interrupts", &[irq_facts(host), irqs(host)]);
    section("Kernel and boot", &[kernel(host)]);
    section("Services that set what hftune sets", &[rivals(host)]);
    section("Not read, or not understood", &[unread(&host.unread)]);
    out
}

/// Adds "key  value", unless there is no value.
fn fact(table: &mut Table, key: &str, value: impl Into<String>) {
    let value = value.into();
    if !value.is_empty() {
        table.push([key.to_owned(), value]);
    }
}

fn machine(host: &Host) -> Table {
    let mut table = Table::headless();
    let distribution = &host.distribution;
    let system = match distribution.name.as_str() {
        "" => format!("{} {}", distribution.id, distribution.version)
            .trim()
            .to_owned(),
        name => name.to_owned(),
    };
    fact(&mut table, "system", system);
    let kernel = &host.kernel;
    let realtime = if kernel.realtime {
        "real-time (PREEMPT_RT)"
    } else {
        ""
    };
    let words = [
        or(&kernel.release, "release unknown"),
        kernel.architecture.clone(),
        realtime.to_owned(),
    ];
    let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
    fact(&mut table, "kernel", words.join(", "));
    // What was not recorded is not known: a directory tree without DMI says nothing about bare metal.
    fact(
        &mut table,
        "runs in",
        host.virtualization.clone().unwrap_or_default(),
    );
    table
}

fn cpus(cpus: &Cpus) -> Table {
    let mut table = Table::headless();
    fact(&mut table, "model", cpus.model.clone().unwrap_or_default());
    let packages: BTreeSet<i32> = cpus.cores.iter().map(|core| core.package).collect();
    let mut online = format!(
        "{} ({}",
        list(&cpus.online),
        plural(cpus.online.len(), "CPU")
    );
    let _ = write!(
        online,
        " on {}, {})",
        plural(cpus.cores.len(), "core"),
        plural(packages.len(), "package")
    );
    fact(&mut table, "online", online);
    fact(
        &mut table,
        "offline",
        list(&cpus.present.difference(&cpus.online)),
    );
    if let Some(allowed) = cpus
        .allowed
        .as_ref()
        .filter(|allowed| !cpus.online.is_subset(allowed))
    {
        fact(
            &mut table,
            "allowed",
            format!("{}: the others are hidden from this process", list(allowed)),
        );
    }
    let of_kind = |kind| {
        let of_kind = cpus.cores.iter().filter(|core| core.kind == kind);
        list(&of_kind.fold(CpuSet::new(), |all, core| all.union(&core.cpus)))
    };
    fact(&mut table, "performance", of_kind(CoreKind::Performance));
    fact(&mut table, "efficient", of_kind(CoreKind::Efficient));
    fact(&mut table, "SMT", smt(cpus));
    fact(&mut table, "caches", caches(cpus));
    let now = |set: &Option<CpuSet>| match set {
        None => String::new(),
        Some(set) if set.is_empty() => "none".to_owned(),
        Some(set) => list(set),
    };
    fact(&mut table, "isolated", now(&cpus.isolated));
    fact(&mut table, "nohz_full", now(&cpus.nohz_full));
    fact(
        &mut table,
        "clock",
        cpus.clocksource.clone().unwrap_or_default(),
    );
    fact(
        &mut table,
        "cpufreq",
        cpus.cpufreq_driver
            .clone()
            .unwrap_or_else(|| "no driver".to_owned()),
    );
    let idle = cpus
        .cpuidle_driver
        .clone()
        .unwrap_or_else(|| "no driver".to_owned());
    let states: Vec<String> = cpus
        .idle_states
        .iter()
        .map(|state| format!("{} {} us", state.name, state.latency_us))
        .collect();
    fact(
        &mut table,
        "cpuidle",
        if states.is_empty() {
            idle
        } else {
            format!("{idle}: {}", states.join(", "))
        },
    );
    fact(&mut table, "flags", cpus.flags.join(" "));
    table
}

fn smt(cpus: &Cpus) -> String {
    let control = cpus
        .smt
        .as_deref()
        .map(|smt| format!(" ({smt})"))
        .unwrap_or_default();
    match cpus.cores.iter().find(|core| core.cpus.len() > 1) {
        Some(core) => format!("siblings like {}{control}", core.cpus),
        None => format!("no siblings{control}"),
    }
}

fn caches(cpus: &Cpus) -> String {
    let caches = &cpus.last_level_caches;
    let shown: Vec<String> = caches
        .iter()
        .take(MOST_CACHES)
        .map(|cache| format!("L{} {} for {}", cache.level, cache.size, list(&cache.cpus)))
        .collect();
    let more = match caches.len().saturating_sub(MOST_CACHES) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    shown.join("; ") + &more
}

fn memory(host: &Host) -> Table {
    let mut table = Table::headless();
    let memory = &host.memory;
    if memory.total.0 > 0 {
        fact(
            &mut table,
            "total",
            format!("{}, {} available", memory.total, memory.available),
        );
        fact(
            &mut table,
            "swap",
            if memory.swap.0 == 0 {
                "none".to_owned()
            } else {
                memory.swap.to_string()
            },
        );
    }
    fact(
        &mut table,
        "huge page",
        memory
            .huge_page_size
            .map(|size| size.to_string())
            .unwrap_or_default(),
    );
    table
}

fn nodes(nodes: &[Node]) -> Table {
    let mut table = Table::new(&["NODE", "MEMORY", "HUGE PAGES", "CPUS"]);
    for node in nodes {
        let pools: Vec<String> = node
            .huge_pages
            .iter()
            .filter(|(_, pool)| pool.total > 0)
            .map(|(kib, pool)| {
                let size = hftune_model::Size::from_kib(*kib);
                format!("{} x {size}, {} free", pool.total, pool.free)
            })
            .collect();
        table.push([
            node.id.to_string(),
            node.memory.to_string(),
            or(&pools.join("; "), "none"),
            or(&list(&node.cpus), "none (memory only)"),
        ]);
    }
    table
}

fn nics(nics: &[Nic]) -> Table {
    let mut table = Table::new(&["PORT", "STATE", "SPEED", "NODE", "DRIVER", "PCI", "STACK"]);
    for nic in nics {
        let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        table.push([
            Cell::from(nic.name.as_str()),
            dash(nic.state.clone()).into(),
            dash(nic.speed_mbps.map(speed)).into(),
            dash(nic.node.map(|node| node.to_string())).into(),
            dash(nic.driver.clone()).into(),
            dash(nic.pci_address.clone()).into(),
            if nic.vma_capable {
                Cell::styled("libvma or kernel", Style::new().green())
            } else {
                "kernel".into()
            },
        ]);
    }
    table
}

fn port_settings(settings: &[PortSetting]) -> Table {
    let mut table = Table::new(&["PORT", "SETTING", "BY", "WHERE"]);
    for setting in settings {
        let port = match &setting.port {
            None => "any".to_owned(),
            Some(port) if setting.uncertain => format!("{port}?"),
            Some(port) => port.clone(),
        };
        let owner = match setting.owner {
            PortOwner::NetworkManager | PortOwner::Ifcfg => "NetworkManager",
            PortOwner::SystemdLink => "systemd-udevd",
            PortOwner::Tuned => "tuned",
        };
        table.push([
            port,
            format!("{}={}", setting.knob, setting.value),
            owner.to_owned(),
            format!("{}:{}", setting.file, setting.line),
        ]);
    }
    table
}

fn irq_facts(host: &Host) -> Table {
    let mut table = Table::headless();
    if let Some(default) = &host.irqs.default_affinity {
        fact(&mut table, "new ones go to", list(default));
    }
    table
}

/// The interrupts of one device.
#[derive(Default)]
struct Device {
    /// What the names of all of them begin with.
    name: String,
    irqs: usize,
    managed: usize,
    count: u64,
    fires_on: CpuSet,
}

fn irqs(host: &Host) -> Table {
    // In the order of their first IRQ.
    let mut order: Vec<&str> = Vec::new();
    let mut devices: HashMap<&str, Device> = HashMap::new();
    let keys = device_keys(host);
    for (irq, key) in host.irqs.list.iter().zip(&keys) {
        let device = devices.entry(key).or_insert_with(|| {
            order.push(key);
            Device {
                name: irq.name.clone(),
                ..Device::default()
            }
        });
        device.name.truncate(common_prefix(&device.name, &irq.name));
        device.irqs += 1;
        device.managed += usize::from(irq.managed == Some(true));
        device.count = device.count.saturating_add(irq.count);
        if let Some(cpus) = irq.effective.as_ref().or(irq.requested.as_ref()) {
            device.fires_on = device.fires_on.union(cpus);
        }
    }
    let mut table = Table::new(&["DEVICE", "IRQS", "INTERRUPTS", "FIRE ON CPUS"]);
    for key in order {
        let device = &devices[key];
        let name = if pci_address(key).is_some() {
            format!("{key} {}", stem(&device.name))
        } else {
            key.to_owned()
        };
        let irqs = match device.managed {
            0 => device.irqs.to_string(),
            managed => format!("{} ({managed} managed)", device.irqs),
        };
        table.push([
            name,
            irqs,
            device.count.to_string(),
            or(&list(&device.fires_on), "-"),
        ]);
    }
    table
}

/// What the IRQs of one device have in common, for each IRQ: the port; the PCI address of a device with several IRQs;
/// the name without its queue.
fn device_keys(host: &Host) -> Vec<String> {
    let addresses: Vec<Option<&str>> = host.irqs.list.iter().map(irq_address).collect();
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for address in addresses.iter().flatten() {
        *uses.entry(address).or_default() += 1;
    }
    let key = |(irq, address): (&Irq, Option<&str>)| {
        if irq.name.is_empty() {
            return "(nobody)".to_owned();
        }
        if let Some(nic) = port_of(irq, address, &host.nics) {
            let driver = nic.driver.as_deref().unwrap_or("driver unknown");
            return format!("{} ({driver})", nic.name);
        }
        match address {
            Some(address) if uses[address] > 1 => address.to_owned(),
            _ => stem(&irq.name).to_owned(),
        }
    };
    host.irqs.list.iter().zip(addresses).map(key).collect()
}

/// The port whose IRQ it is: by the PCI address, or, on kernels whose chips do not tell it, by a word of its name.
fn port_of<'h>(irq: &Irq, address: Option<&str>, nics: &'h [Nic]) -> Option<&'h Nic> {
    nics.iter()
        .find(|nic| match (address, nic.pci_address.as_deref()) {
            (Some(of_irq), Some(of_nic)) => of_irq == of_nic,
            _ => irq.name.split(['-', '@', ':']).any(|word| word == nic.name),
        })
}

/// The PCI address in the chip ("IR-PCI-MSIX-0000:3b:00.0 5-edge") or the name ("mlx5_comp3@pci:0000:3b:00.0").
fn irq_address(irq: &Irq) -> Option<&str> {
    let chip = irq.chip.split(' ').next().unwrap_or_default();
    pci_address(chip).or_else(|| pci_address(irq.name.split(',').next().unwrap_or_default()))
}

/// The PCI address at the end of a word, without what is before it.
fn pci_address(word: &str) -> Option<&str> {
    let start = word.rfind(['-', '@']).map_or(0, |at| at + 1);
    let address = word[start..].trim_start_matches("pci:");
    let (domain, rest) = address.split_once(':')?;
    let hex =
        |text: &str, len: usize| text.len() == len && text.bytes().all(|b| b.is_ascii_hexdigit());
    let (bus, slot) = rest.split_once(':')?;
    let (slot, function) = slot.split_once('.')?;
    let is_address = domain.len() >= 4
        && hex(domain, domain.len())
        && hex(bus, 2)
        && hex(slot, 2)
        && hex(function, 1);
    is_address.then_some(address)
}

/// The bytes that two texts have in common at their start.
fn common_prefix(a: &str, b: &str) -> usize {
    a.char_indices()
        .zip(b.chars())
        .find(|((_, x), y)| x != y)
        .map_or(a.len().min(b.len()), |((at, _), _)| at)
}

/// The name without its queue: "nvme0q12" is of nvme0q, "i40e-eno2-TxRx-1" of i40e-eno2-TxRx.
fn stem(name: &str) -> &str {
    let first = name.split([',', '@']).next().unwrap_or(name);
    let stem = first
        .trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
        .trim_end_matches(['-', '_', ':']);
    if stem.is_empty() { name } else { stem }
}

fn kernel(host: &Host) -> Table {
    let mut table = Table::headless();
    let kernel = &host.kernel;
    let options = |on: bool| {
        let names = kernel.config.iter().filter(|(_, value)| **value == on);
        names
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    };
    if kernel.config.is_empty() {
        fact(
            &mut table,
            "compiled in",
            "unknown: the configuration of this kernel was not found",
        );
    } else {
        fact(&mut table, "compiled in", options(true));
        fact(&mut table, "left out", options(false));
    }
    fact(
        &mut table,
        "lockdown",
        kernel.lockdown.clone().unwrap_or_default(),
    );
    fact(&mut table, "booted with", kernel.cmdline.clone());
    let loader = match host.boot_loader.kind {
        BootKind::GrubMkconfig => "GRUB: /etc/default/grub and its drop-ins, then update-grub",
        BootKind::Bls => "GRUB with an entry for each kernel in /boot/loader/entries",
        BootKind::Grub2Menu => {
            "GRUB with a menu that grub2-mkconfig made, not an entry for each kernel"
        }
        BootKind::Ostree => "ostree owns the boot entries",
        BootKind::Image => "an image of bootc or ostree that is not booted: /usr/lib/bootc/kargs.d",
        BootKind::SystemdBoot if host.boot_loader.unified_booted => {
            "a unified kernel image, which carries its command line"
        }
        BootKind::SystemdBoot => "systemd-boot: an entry for each kernel in loader/entries",
        BootKind::Unknown => "none that hftune knows",
    };
    fact(&mut table, "boot loader", loader);
    table
}

fn rivals(host: &Host) -> Table {
    let services = &host.services;
    let mut table = Table::headless();
    if services.rivals.is_empty() {
        table.push(["none is installed"]);
        return table;
    }
    for rival in &services.rivals {
        let profile = match (&services.tuned_profile, rival.unit.as_str()) {
            (Some(profile), "tuned.service") => format!("profile {profile}"),
            _ => String::new(),
        };
        table.push([
            Cell::from(rival.unit.as_str()),
            if rival.running {
                Cell::styled("running", Style::new().yellow())
            } else {
                "not running".into()
            },
            at_boot(rival).into(),
            profile.into(),
        ]);
    }
    table
}

fn at_boot(rival: &Rival) -> &'static str {
    match rival {
        Rival { masked: true, .. } => "masked",
        Rival { enabled: true, .. } => "starts at boot",
        _ => "does not start at boot",
    }
}

fn unread(unread: &[String]) -> Table {
    let mut table = Table::headless();
    for entry in unread.iter().take(MOST_UNREAD) {
        table.push([entry.as_str()]);
    }
    if let more @ 1.. = unread.len().saturating_sub(MOST_UNREAD) {
        table.push([format!("and {more} more: hftune host --json")]);
    }
    table
}

fn or(text: &str, otherwise: &str) -> String {
    if text.is_empty() { otherwise } else { text }.to_owned()
}

/// 25000 Mbit/s as "25 Gbit/s".
fn speed(mbps: u64) -> String {
    match mbps {
        1000.. if mbps.is_multiple_of(1000) => format!("{} Gbit/s", mbps / 1000),
        1000.. => format!("{}.{} Gbit/s", mbps / 1000, mbps % 1000 / 100),
        _ => format!("{mbps} Mbit/s"),
    }
}

/// A CPU list for people: the kernel's notation, but "0-78, every 2nd" where it would be long.
pub(crate) fn list(cpus: &CpuSet) -> String {
    let text = cpus.to_string();
    if text.len() <= LONG_LIST {
        return text;
    }
    let numbers: Vec<u32> = cpus.iter().collect();
    let step = numbers[1] - numbers[0];
    let first = numbers[0];
    if step > 1 && numbers.windows(2).all(|pair| pair[1] - pair[0] == step) {
        let last = numbers[numbers.len() - 1];
        let nth = if step == 2 {
            "2nd".to_owned()
        } else if step == 3 {
            "3rd".to_owned()
        } else {
            format!("{step}th")
        };
        return format!("{first}-{last}, every {nth}");
    }
    // Blanks let a long list break between two numbers.
    text.replace(',', ", ")
}

#[cfg(test)]
mod tests {
    use hftune_model::Size;
    use hftune_model::host::{
        BootLoader, Cache, Core, Distribution, HugePages, IdleState, Irqs, Kernel, Memory, Services,
    };
    use insta::assert_snapshot;

    use super::*;

    fn set(text: &str) -> CpuSet {
        text.parse().expect("a list")
    }

    fn words(text: &str) -> Vec<String> {
        text.split_ascii_whitespace().map(str::to_owned).collect()
    }

    fn nic(name: &str, driver: &str, pci: &str, gbps: u64) -> Nic {
        Nic {
            name: name.to_owned(),
            driver: Some(driver.to_owned()),
            pci_address: Some(pci.to_owned()),
            node: Some(0),
            speed_mbps: (gbps > 0).then_some(gbps * 1000),
            state: Some(if gbps > 0 { "up" } else { "down" }.to_owned()),
            vma_capable: driver == "mlx5_core",
            ..Nic::default()
        }
    }

    fn queues(list: &mut Vec<Irq>, pci: &str, name: impl Fn(u32) -> String) {
        for queue in 0..8 {
            list.push(Irq {
                number: 100 + u32::try_from(list.len()).expect("few"),
                name: name(queue),
                chip: format!("IR-PCI-MSIX-{pci} {queue}-edge"),
                count: 1000,
                effective: Some(set(&queue.to_string())),
                ..Irq::default()
            });
        }
    }

    /// A typical trading server: 8 cores, two ports of a ConnectX-6 and two of an X710.
    fn server() -> Host {
        let mut list = vec![
            Irq {
                number: 0,
                name: "timer".to_owned(),
                chip: "IO-APIC 2-edge".to_owned(),
                count: 57,
                effective: Some(set("0")),
                ..Irq::default()
            },
            Irq {
                number: 3,
                requested: Some(set("0-7")),
                ..Irq::default()
            },
        ];
        queues(&mut list, "0000:3b:00.0", |q| {
            format!("mlx5_comp{q}@pci:0000:3b:00.0")
        });
        // A kernel whose chips do not name the device.
        queues(&mut list, "", |q| format!("i40e-eno1-TxRx-{q}"));
        queues(&mut list, "0000:5e:00.0", |q| format!("nvme0q{q}"));
        list.iter_mut()
            .filter(|irq| irq.name.starts_with("nvme0q"))
            .skip(1)
            .for_each(|irq| irq.managed = Some(true));
        Host {
            cpus: Cpus {
                present: set("0-7"),
                online: set("0-7"),
                allowed: Some(set("0-7")),
                model: Some("Intel(R) Xeon(R) Gold 6250 CPU @ 3.90GHz".to_owned()),
                cores: (0..8).map(|cpu| Core { cpus: set(&cpu.to_string()), ..Core::default() }).collect(),
                siblings_unknown: CpuSet::new(),
                isolated: Some(CpuSet::new()),
                nohz_full: Some(CpuSet::new()),
                smt: Some("forceoff".to_owned()),
                flags: words("tsc constant_tsc nonstop_tsc pdpe1gb"),
                last_level_caches: vec![Cache { level: 3, size: "36608K".to_owned(), cpus: set("0-7") }],
                clocksource: Some("tsc".to_owned()),
                cpufreq_driver: Some("intel_pstate".to_owned()),
                cpuidle_driver: Some("intel_idle".to_owned()),
                idle_states: [("POLL", 0), ("C1", 2), ("C1E", 10), ("C6", 133)]
                    .iter()
                    .map(|(name, latency_us)| IdleState {
                        name: (*name).to_owned(),
                        latency_us: *latency_us,
                        ..IdleState::default()
                    })
                    .collect(),
            },
            nodes: vec![Node {
                id: 0,
                cpus: set("0-7"),
                memory: Size(187 << 30),
                distances: vec![10],
                huge_pages: [(2048, HugePages { total: 1024, free: 1000 }), (1 << 20, HugePages::default())].into(),
            }],
            memory: Memory {
                total: Size(187 << 30),
                available: Size(180 << 30),
                huge_page_size: Some(Size(2 << 20)),
                swap: Size(4 << 30),
            },
            nics: vec![
                nic("ens1f0", "mlx5_core", "0000:3b:00.0", 100),
                nic("ens1f1", "mlx5_core", "0000:3b:00.1", 100),
                nic("eno1", "i40e", "0000:19:00.0", 10),
                nic("eno2", "i40e", "0000:19:00.1", 0),
            ],
            irqs: Irqs { list, default_affinity: Some(set("0-7")), ..Irqs::default() },
            kernel: Kernel {
                release: "5.14.0-427.13.1.el9_4.x86_64".to_owned(),
                architecture: "x86_64".to_owned(),
                cmdline: "BOOT_IMAGE=(hd0,gpt2)/vmlinuz-5.14.0-427.13.1.el9_4.x86_64 \
                          root=/dev/mapper/rl-root ro crashkernel=1G-4G:192M,4G-64G:256M,64G-:512M rhgb quiet"
                    .to_owned(),
                config: [("NO_HZ_FULL", true), ("RCU_NOCB_CPU", true), ("PREEMPT_RT", false)]
                    .iter()
                    .map(|(name, on)| ((*name).to_owned(), *on))
                    .collect(),
                lockdown: Some("none".to_owned()),
                ..Kernel::default()
            },
            distribution: Distribution {
                id: "rocky".to_owned(),
                name: "Rocky Linux 9.4 (Blue Onyx)".to_owned(),
                ..Distribution::default()
            },
            boot_loader: BootLoader { kind: BootKind::Bls, ..BootLoader::default() },
            services: Services {
                systemd: true,
                rivals: vec![
                    Rival { unit: "irqbalance.service".to_owned(), enabled: true, running: true, ..Rival::default() },
                    Rival { unit: "tuned.service".to_owned(), masked: true, ..Rival::default() },
                ],
                tuned_profile: Some("throughput-performance".to_owned()),
                ..Services::default()
            },
            unread: vec!["/boot/grub2/grubenv: cannot read it: Permission denied (os error 13)".to_owned()],
            ..Host::default()
        }
    }

    fn plain(host: &Host, width: usize) -> String {
        anstream::adapter::strip_str(&human(host, width)).to_string()
    }

    #[test]
    fn a_trading_server_in_80_columns() {
        assert_snapshot!(plain(&server(), 80), @r"
        Machine
          system  Rocky Linux 9.4 (Blue Onyx)
          kernel  5.14.0-427.13.1.el9_4.x86_64, x86_64

        CPUs
          model      Intel(R) Xeon(R) Gold 6250 CPU @ 3.90GHz
          online     0-7 (8 CPUs on 8 cores, 1 package)
          SMT        no siblings (forceoff)
          caches     L3 36608K for 0-7
          isolated   none
          nohz_full  none
          clock      tsc
          cpufreq    intel_pstate
          cpuidle    intel_idle: POLL 0 us, C1 2 us, C1E 10 us, C6 133 us
          flags      tsc constant_tsc nonstop_tsc pdpe1gb

        Memory
          total      187 GiB, 180 GiB available
          swap       4 GiB
          huge page  2 MiB
          NODE  MEMORY   HUGE PAGES               CPUS
          0     187 GiB  1024 x 2 MiB, 1000 free  0-7

        Network ports
          PORT    STATE  SPEED       NODE  DRIVER     PCI           STACK
          ens1f0  up     100 Gbit/s  0     mlx5_core  0000:3b:00.0  libvma or kernel
          ens1f1  up     100 Gbit/s  0     mlx5_core  0000:3b:00.1  libvma or kernel
          eno1    up     10 Gbit/s   0     i40e       0000:19:00.0  kernel
          eno2    down   -           0     i40e       0000:19:00.1  kernel

        Interrupts
          new ones go to  0-7
          DEVICE               IRQS           INTERRUPTS  FIRE ON CPUS
          timer                1              57          0
          (nobody)             1              0           0-7
          ens1f0 (mlx5_core)   8              8000        0-7
          eno1 (i40e)          8              8000        0-7
          0000:5e:00.0 nvme0q  8 (7 managed)  8000        0-7

        Kernel and boot
          compiled in  NO_HZ_FULL RCU_NOCB_CPU
          left out     PREEMPT_RT
          lockdown     none
          booted with  BOOT_IMAGE=(hd0,gpt2)/vmlinuz-5.14.0-427.13.1.el9_4.x86_64
                       root=/dev/mapper/rl-root ro
                       crashkernel=1G-4G:192M,4G-64G:256M,64G-:512M rhgb quiet
          boot loader  GRUB with an entry for each kernel in /boot/loader/entries

        Services that set what hftune sets
          irqbalance.service  running      starts at boot
          tuned.service       not running  masked          profile
                                                           throughput-performance

        Not read, or not understood
          /boot/grub2/grubenv: cannot read it: Permission denied (os error 13)
        ");
    }

    #[test]
    fn fits_the_terminal() {
        for width in [40, 60, 80, 132] {
            let text = plain(&server(), width);
            assert!(
                text.lines().all(|line| line.chars().count() <= width),
                "{width}:\n{text}"
            );
        }
        // Nothing known is said in few words.
        assert!(plain(&Host::default(), 80).contains("release unknown"));
    }

    #[test]
    fn json_has_the_schema_and_the_fields_of_the_host() {
        let value: serde_json::Value = serde_json::from_str(&json(&server())).expect("JSON");
        assert_eq!(value["schema"], "hftune/host/1");
        assert_eq!(value["cpus"]["online"], "0-7");
        assert_eq!(value["irqs"]["list"].as_array().map(Vec::len), Some(26));
        assert_eq!(value["boot_loader"]["kind"], "bls");
        assert_eq!(value["nodes"][0]["huge_pages"]["2048"]["free"], 1000);
    }

    #[test]
    fn long_lists_are_shortened_where_there_is_a_rule() {
        let numbers = |step: usize| (0..80u32).step_by(step).collect::<CpuSet>();
        assert_eq!(list(&numbers(2)), "0-78, every 2nd");
        assert_eq!(list(&numbers(4)), "0-76, every 4th");
        assert_eq!(list(&set("0-19,40-59")), "0-19,40-59");
        assert_eq!(
            list(&set("0,2,4,6,8,10,12,14,16,21,25")),
            "0, 2, 4, 6, 8, 10, 12, 14, 16, 21, 25"
        );
        assert_eq!(list(&CpuSet::new()), "");
    }

    #[test]
    fn finds_the_device_in_a_name() {
        assert_eq!(
            pci_address("IR-PCI-MSIX-0000:3b:00.0"),
            Some("0000:3b:00.0")
        );
        assert_eq!(
            pci_address("mlx5_comp3@pci:0000:3b:00.0"),
            Some("0000:3b:00.0")
        );
        assert_eq!(pci_address("IO-APIC"), None);
        assert_eq!(pci_address("ahci[0000:00:11.5]"), None);
        assert_eq!(stem("nvme0q12"), "nvme0q");
        assert_eq!(stem("i40e-eno1-TxRx-3"), "i40e-eno1-TxRx");
        assert_eq!(stem("virtio1-req.0"), "virtio1-req");
        assert_eq!(stem("42"), "42");
        assert_eq!(common_prefix("é1", "é2"), 2);
        assert_eq!(common_prefix("a", "ab"), 1);
    }
}
