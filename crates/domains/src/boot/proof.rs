//! The three proofs of a boot argument: in the boot loader's files, on the running command line, in the kernel's acts.

use std::path::{Path, PathBuf};

use hftune_model::finding::Proof;
use hftune_model::host::BootKind;
use hftune_model::{CpuSet, Error, Kind};
use hftune_sys::Reader;

use super::argument::{Argument, shown};
use super::cmdline::{find, same_name};
use super::loader_spec::{DEFAULT_GRUB, VARIABLE};
use super::mkconfig::Template;
use super::{bls, dropin, grub_default, kernel_cmdline, staged};
use crate::Context;
use crate::threads;

const ISOLATED: &str = "/sys/devices/system/cpu/isolated";
const NOHZ_FULL: &str = "/sys/devices/system/cpu/nohz_full";
const DEFAULT_AFFINITY: &str = "/proc/irq/default_smp_affinity";

/// Whether the argument survives the next boot: every entry that is not for recovery has it, and so has the template
/// from which the next kernel's entry is made.
pub fn saved(argument: &Argument, cx: &Context<'_>, reader: &Reader<'_>) -> Proof {
    let loader = &cx.host.boot_loader;
    let entries = staged::entries(loader);
    let mut places: Vec<(String, String)> = Vec::new();
    match loader.kind {
        BootKind::GrubMkconfig => {
            let template = Template::read(&loader.files, |_, _| true);
            if let Some((path, line)) = &template.reset
                && find(&template.command_line(), &argument.name).is_none()
            {
                let by = format!(
                    "{}:{line} assigns {} anew after {}",
                    path.display(),
                    dropin::VARIABLE,
                    dropin::PATH
                );
                return Proof::Overridden(String::new(), by);
            }
            places.push((
                "/etc/default/grub and grub.d".to_owned(),
                template.command_line(),
            ));
        }
        BootKind::Bls => {
            if let Some(text) = loader.files.get(Path::new(DEFAULT_GRUB)) {
                let value = grub_default::assignments(text, VARIABLE)
                    .unwrap_or_default()
                    .pop()
                    .map(|last| last.value);
                places.push((DEFAULT_GRUB.to_owned(), value.unwrap_or_default()));
            }
            if let Some(text) = loader.files.get(Path::new(kernel_cmdline::PATH)) {
                places.push((kernel_cmdline::PATH.to_owned(), text.clone()));
            }
        }
        _ if entries.is_empty() => {
            return Proof::None("hftune does not know what boots this machine".to_owned());
        }
        _ => {}
    }
    if let Some(proof) = unreadable(loader.kind, cx, reader, entries.is_empty()) {
        return proof;
    }
    places.extend(
        entries
            .into_iter()
            .map(|entry| (entry.place(), entry.arguments)),
    );
    judge(argument, &places)
}

/// Whether the argument is in every one of these places, each with the command line that it gives.
pub fn judge(argument: &Argument, places: &[(String, String)]) -> Proof {
    let mut wrong: Vec<String> = Vec::new();
    let mut absent = 0;
    for (place, text) in places {
        match find(text, &argument.name).map(|token| token.value()) {
            Some(value) if argument.is(value) => {}
            Some(value) => wrong.push(format!("{} in {place}", shown(value))),
            None => {
                absent += 1;
                wrong.push(format!("missing in {place}"));
            }
        }
    }
    match wrong.len() {
        0 => Proof::Holds(argument.shown()),
        count if count == absent && count == places.len() => Proof::Differs(String::new()),
        1 => Proof::Differs(wrong.remove(0)),
        count => Proof::Differs(format!(
            "{} and in {} more of {} places",
            wrong[0],
            count - 1,
            places.len()
        )),
    }
}

/// Why the entries cannot be judged, where they cannot.
fn unreadable(kind: BootKind, cx: &Context<'_>, reader: &Reader<'_>, none: bool) -> Option<Proof> {
    if kind == BootKind::GrubMkconfig {
        return none.then(|| match reader.text(staged::GRUB_CFG) {
            Err(e) => failed(&e),
            Ok(_) => Proof::Unknown(format!(
                "{} has no entry that boots Linux",
                staged::GRUB_CFG
            )),
        });
    }
    let names = match reader.list(bls::DIRECTORY) {
        Err(e) => return Some(failed(&e)),
        Ok(names) => names,
    };
    let left_out = names
        .iter()
        .filter(|name| {
            Path::new(name)
                .extension()
                .is_some_and(|extension| extension == "conf")
        })
        .map(|name| PathBuf::from(bls::DIRECTORY).join(name))
        .filter(|path| !cx.host.boot_loader.files.contains_key(path))
        .find_map(|path| reader.text(&path).err());
    if let Some(e) = left_out {
        return Some(failed(&e));
    }
    none.then(|| {
        Proof::Unknown(format!(
            "{} has no entry that is not for rescue",
            bls::DIRECTORY
        ))
    })
}

pub fn failed(error: &Error) -> Proof {
    match error.kind {
        Kind::NeedsRoot => Proof::NotPermitted(error.to_string()),
        _ => Proof::Unknown(error.to_string()),
    }
}

/// Whether the running kernel was booted with it.
pub fn live(argument: &Argument, reader: &Reader<'_>) -> Proof {
    match reader.text("/proc/cmdline") {
        Err(e) => failed(&e),
        Ok(text) => match find(&text, &argument.name).map(|token| token.value()) {
            None => Proof::Differs(String::new()),
            Some(value) => Proof::of(argument.is(value), shown(value)),
        },
    }
}

/// Whether the kernel acts on it. `booted`: whether it was booted with it.
pub fn effect(argument: &Argument, booted: bool, cx: &Context<'_>, reader: &Reader<'_>) -> Proof {
    let Some(cpus) = argument.cpus() else {
        return Proof::None("the kernel shows nothing but the argument itself".to_owned());
    };
    let name = argument.name.as_str();
    if same_name(name, "isolcpus") {
        let wanted = if cpus.flags.contains("domain") {
            cpus.list
        } else {
            CpuSet::new()
        };
        return match held(ISOLATED, &wanted, booted, reader) {
            Proof::Holds(value) if !wanted.is_empty() => strangers(value, &wanted, cx),
            proof => proof,
        };
    }
    if same_name(name, "nohz_full") {
        return held(NOHZ_FULL, &cpus.list, booted, reader);
    }
    if same_name(name, "rcu_nocbs") {
        return match reader.parsed(NOHZ_FULL, |text| CpuSet::parse_list(text, None)) {
            Ok(Some(set)) if cpus.list.is_subset(&set) => {
                Proof::Holds(format!("{set}, by nohz_full"))
            }
            _ => Proof::None("the kernel tells which CPUs it relieved only in its log".to_owned()),
        };
    }
    match reader.parsed(DEFAULT_AFFINITY, CpuSet::parse_mask) {
        Err(e) => failed(&e),
        Ok(None) => missing(DEFAULT_AFFINITY, booted),
        Ok(Some(set)) => {
            // The kernel adds the boot CPU (kernel/irq/irqdesc.c).
            let mut with_boot_cpu = cpus.list.clone();
            with_boot_cpu.insert(0);
            Proof::of(set == cpus.list || set == with_boot_cpu, set.to_string())
        }
    }
}

/// The CPUs in a file of the kernel against the wanted ones.
fn held(path: &str, wanted: &CpuSet, booted: bool, reader: &Reader<'_>) -> Proof {
    match reader.parsed(path, |text| CpuSet::parse_list(text, None)) {
        Err(e) => failed(&e),
        Ok(None) => missing(path, booted),
        Ok(Some(set)) => Proof::of(set == *wanted, set.to_string()),
    }
}

/// A missing file proves nothing; where the kernel was booted without the argument, it is not in effect either.
fn missing(path: &str, booted: bool) -> Proof {
    if booted {
        Proof::Unknown(format!("{path} does not exist"))
    } else {
        Proof::Differs(String::new())
    }
}

/// The CPUs are isolated; whether processes may run there all the same, besides those that belong there.
fn strangers(isolated: String, wanted: &CpuSet, cx: &Context<'_>) -> Proof {
    let found: Vec<&hftune_model::host::Task> = cx
        .host
        .tasks
        .iter()
        .filter(|task| !task.kernel && threads::may_stray(&task.allowed, wanted))
        .collect();
    if found.is_empty() {
        return Proof::Holds(isolated);
    }
    Proof::Differs(format!(
        "{isolated}, but {} may still run there",
        threads::names(&found)
    ))
}
