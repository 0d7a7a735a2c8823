//! The three proofs of a boot argument: in the boot loader's files, on the running command line, in the kernel's acts.

use std::path::{Path, PathBuf};

use hftune_model::finding::Proof;
use hftune_model::host::{BootKind, BootLoader};
use hftune_model::{CpuSet, Error, Kind};
use hftune_sys::Reader;

use super::argument::{Argument, shown};
use super::cmdline::{find, same_name, tokens, which_wins};
use super::loader_spec::{DEFAULT_GRUB, VARIABLE, default_variable};
use super::mkconfig::Template;
use super::staged::Staged;
use super::{bls, dropin, grub_default, kernel_cmdline, staged, tuned};
use crate::Context;
use crate::threads;

const ISOLATED: &str = "/sys/devices/system/cpu/isolated";
const NOHZ_FULL: &str = "/sys/devices/system/cpu/nohz_full";
const DEFAULT_AFFINITY: &str = "/proc/irq/default_smp_affinity";

/// Whether the argument survives the next boot: every entry that is not for recovery has it, and so has the template
/// from which the next kernel's entry is made. The remedy comes with it, where it is not another set-up.
pub fn saved(
    argument: &Argument,
    cx: &Context<'_>,
    reader: &Reader<'_>,
) -> (Proof, Option<String>) {
    let loader = &cx.host.boot_loader;
    let entries = staged::entries(loader);
    if let Some(proof) = undecided(argument, cx, reader, entries.is_empty()) {
        return (proof, None);
    }
    if let Some(rival) = tuned::rival(argument, loader).filter(|rival| rival.wins) {
        let by = format!(
            "tuned adds {} ({}), and the kernel takes the {} {}=",
            rival.argument,
            rival.place,
            which_wins(&argument.name),
            argument.name
        );
        return (
            Proof::Overridden(rival.argument.to_string(), by),
            Some(tuned::FIX.to_owned()),
        );
    }
    let templates = templates(loader);
    let told = [
        lacking_entries(argument, &entries),
        lacking_templates(argument, &templates),
    ];
    let nowhere = || {
        let mut lines = entries
            .iter()
            .map(|entry| &entry.arguments)
            .chain(templates.iter().map(|template| &template.arguments));
        lines.all(|line| find(line, &argument.name).is_none())
    };
    let told: Vec<String> = told.into_iter().flatten().collect();
    let proof = if told.is_empty() {
        Proof::Holds(argument.shown())
    } else if nowhere() {
        Proof::Differs(String::new())
    } else {
        Proof::Differs(told.join("; "))
    };
    (proof, None)
}

/// The proof where the entries and templates need not, or cannot, be compared.
fn undecided(
    argument: &Argument,
    cx: &Context<'_>,
    reader: &Reader<'_>,
    no_entries: bool,
) -> Option<Proof> {
    let loader = &cx.host.boot_loader;
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
                return Some(Proof::Overridden(String::new(), by));
            }
        }
        BootKind::Ostree | BootKind::Unknown if no_entries => {
            let why = "hftune does not know what boots this machine";
            return Some(Proof::None(why.to_owned()));
        }
        BootKind::Bls | BootKind::Grub2Menu | BootKind::Ostree | BootKind::Unknown => {}
    }
    unreadable(loader.kind, cx, reader, no_entries)
}

/// What entries to come are made from.
struct Source {
    /// What is made from it: "the next kernel".
    makes: &'static str,
    place: String,
    arguments: String,
}

fn templates(loader: &BootLoader) -> Vec<Source> {
    let file = |path: &str| loader.files.get(Path::new(path));
    let kernel = |place: &str, text: &str| Source {
        makes: "the next kernel",
        place: place.to_owned(),
        arguments: text.to_owned(),
    };
    match loader.kind {
        BootKind::GrubMkconfig => {
            let text = Template::read(&loader.files, |_, _| true).command_line();
            vec![kernel("/etc/default/grub and grub.d", &text)]
        }
        BootKind::Bls | BootKind::Grub2Menu => {
            let mut found = Vec::new();
            if let Some(text) = file(DEFAULT_GRUB) {
                let assigned = grub_default::assignments(text, VARIABLE).unwrap_or_default();
                let value = assigned.last().map_or("", |last| &last.value);
                let (after, _) = default_variable(text).unwrap_or_default();
                found.push(Source {
                    makes: "the next grub2-mkconfig",
                    place: DEFAULT_GRUB.to_owned(),
                    arguments: format!("{value} {after}"),
                });
            }
            if loader.kind == BootKind::Bls {
                let own = [kernel_cmdline::PATH, kernel_cmdline::VENDOR]
                    .into_iter()
                    .find_map(|path| Some(kernel(path, file(path)?)));
                found.extend(own);
            }
            found
        }
        BootKind::Ostree | BootKind::Unknown => Vec::new(),
    }
}

/// The staged state, where it is not as wanted: "the entry A has 4-7, as 2 of 3 entries differ".
fn lacking_entries(argument: &Argument, entries: &[Staged]) -> Option<String> {
    let mut wrong = entries
        .iter()
        .filter(|entry| !argument.is_on(&entry.arguments));
    let first = wrong.next()?;
    let what = match value_on(argument, &first.arguments) {
        None => "lacks it".to_owned(),
        Some(value) => format!("has {value}"),
    };
    let more = match wrong.count() {
        0 => String::new(),
        more => format!(", and {more} more of {} entries differ", entries.len()),
    };
    Some(format!("the entry {what}: {}{more}", first.place()))
}

/// The template state, where it is not as wanted.
fn lacking_templates(argument: &Argument, templates: &[Source]) -> Option<String> {
    let wrong = templates
        .iter()
        .filter(|template| !argument.is_on(&template.arguments))
        .map(|template| match value_on(argument, &template.arguments) {
            None => format!("{} will lack it: {}", template.makes, template.place),
            Some(value) => format!("{} will get {value}: {}", template.makes, template.place),
        });
    let wrong: Vec<String> = wrong.collect();
    (!wrong.is_empty()).then(|| wrong.join("; "))
}

fn value_on(argument: &Argument, line: &str) -> Option<String> {
    find(line, &argument.name).map(|token| shown(token.value()))
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
    if let Some((path, _)) = staged::menu(&cx.host.boot_loader) {
        let why = format!("{} has no entry that boots Linux", path.display());
        return none.then_some(Proof::Unknown(why));
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

fn failed(error: &Error) -> Proof {
    match error.kind {
        Kind::NeedsRoot => Proof::NotPermitted(error.to_string()),
        _ => Proof::Unknown(error.to_string()),
    }
}

/// Whether the running kernel was booted with it.
pub fn live(argument: &Argument, reader: &Reader<'_>) -> Proof {
    let text = match reader.text("/proc/cmdline") {
        Err(e) => return failed(&e),
        Ok(text) => text,
    };
    let Some(found) = find(&text, &argument.name) else {
        return Proof::Differs(String::new());
    };
    let value = shown(found.value());
    if argument.is(found.value()) {
        return Proof::Holds(value);
    }
    let running = Argument::new(found.name(), found.value());
    let why = match (running.dropped_on(&text), running.isolates_nothing()) {
        (Some(dropped), _) => format!(
            "; the kernel dropped the later {dropped}, since the first {}= wins",
            argument.name
        ),
        (None, Some(why)) => format!("; {why}"),
        (None, None) => String::new(),
    };
    Proof::Differs(value + &why)
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
            proof => explained(proof, argument, booted, cx),
        };
    }
    if same_name(name, "nohz_full") {
        let proof = held(NOHZ_FULL, &cpus.list, booted, reader);
        return explained(proof, argument, booted, cx);
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

/// Why a kernel that was booted with it does not act on it: where `isolcpus=` and `nohz_full=` name other CPUs, a kernel
/// before 5.18, which has one mask for both, drops the later of the two (kernel/sched/isolation.c).
fn explained(proof: Proof, argument: &Argument, booted: bool, cx: &Context<'_>) -> Proof {
    let one_mask = cx
        .host
        .kernel
        .version()
        .is_none_or(|version| version < (5, 18));
    let Proof::Differs(value) = &proof else {
        return proof;
    };
    let other = if same_name(&argument.name, "isolcpus") {
        "nohz_full"
    } else {
        "isolcpus"
    };
    let words = tokens(&cx.host.kernel.cmdline);
    let at = |name: &str| words.iter().position(|token| same_name(token.name(), name));
    match (at(other), at(&argument.name)) {
        (Some(first), Some(ours)) if booted && one_mask && first < ours => {
            let first = Argument::new(other, words[first].value());
            let same = first.cpus().map(|cpus| cpus.list) == argument.cpus().map(|cpus| cpus.list);
            if same {
                return proof;
            }
            Proof::Differs(format!(
                "{}; {first} comes first, and kernels before 5.18 drop a later list that differs",
                if value.is_empty() { "not set" } else { value }
            ))
        }
        _ => proof,
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
