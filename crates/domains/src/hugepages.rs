//! Huge pages: so many on each NUMA node, taken as early in the boot as possible.
//!
//! An even spread of pages of the default size is one line in our sysctl file. For another size, or numbers per node,
//! which no sysctl can say, a unit writes the pools.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hftune_model::finding::{Proof, Proofs, Skipped, Verdict};
use hftune_model::setting::{Artifact, Compare, Doc, Setting, When};
use hftune_model::{Kind, Result, Size};
use hftune_sys::Reader;

use crate::unit::{Run, Service};
use crate::{Context, Desired, Domain, sysctl, sysctl_files};

/// The one instance.
#[derive(Debug)]
pub struct Hugepages;

/// Fills the pools at boot, while memory is not fragmented yet.
pub const SERVICE: Service<'static> = Service {
    name: "hft-hugepages.service",
    description: "Huge pages as the hftune profile wants them",
    order: &[
        "DefaultDependencies=no",
        "After=local-fs.target systemd-sysctl.service",
        "Before=sysinit.target shutdown.target",
        "Conflicts=shutdown.target",
    ],
    command: "live hugepages",
    run: Run::Once { then: None },
    wanted_by: "sysinit.target",
};

const SYSCTL: &str = "vm/nr_hugepages";

const DOCS: &[Doc] = &[Doc {
    id: "hugepages/NODE",
    what: "Huge pages set aside on a NUMA node, or on the whole machine where it has no nodes.",
    why: "The application's buffers, libvma's too, sit on few pages: address translation misses less, and the first \
          touch does not have to find and clear memory page by page. Pages on the node of the CPU that uses them are \
          nearer.",
    trade_off: "The memory is gone for everything that does not ask for huge pages. hftune leaves the rest of the host at \
                least a quarter of its memory. After the boot memory may be too fragmented to get them all.",
    read: "saved: vm.nr_hugepages as it wins among all sysctl.d files, or hft-hugepages.service and its link; live: \
           nr_hugepages of the node; effect: the pages that the node has, and how many are free.",
    source: "Linux Documentation/admin-guide/mm/hugetlbpage.rst; mm/hugetlb.c",
}];

/// One pool to be filled.
#[derive(Debug, PartialEq, Eq)]
struct Pool {
    id: String,
    path: PathBuf,
    pages: u64,
    /// What the host facts say is in it and used.
    used: u64,
}

/// How the pools come back at boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Persistence {
    /// `vm.nr_hugepages`: so many in all.
    Sysctl(u64),
    /// Our unit.
    Unit,
}

/// What the profile asks of this host.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wish {
    pools: Vec<Pool>,
    persistence: Option<Persistence>,
    skipped: Vec<Skipped>,
}

fn wish(cx: &Context<'_>) -> Wish {
    let asked = &cx.profile.hugepages;
    let (host, size) = (cx.host, asked.size);
    let nodes: Vec<_> = host.nodes.iter().filter(|node| node.memory.0 > 0).collect();
    let mut wish = Wish::default();
    let path = |directory: String| {
        PathBuf::from(format!(
            "{directory}/hugepages-{}kB/nr_hugepages",
            size.kib()
        ))
    };
    let pool_of = |node: &hftune_model::host::Node, pages| {
        let pool = node
            .huge_pages
            .get(&size.kib())
            .copied()
            .unwrap_or_default();
        Pool {
            id: format!("hugepages/node{}", node.id),
            path: path(format!(
                "/sys/devices/system/node/node{}/hugepages",
                node.id
            )),
            pages,
            used: pool.total.saturating_sub(pool.free),
        }
    };

    if !asked.nodes.is_empty() {
        for (name, pages) in &asked.nodes {
            match nodes.iter().find(|node| node.id.to_string() == *name) {
                Some(node) => wish.pools.push(pool_of(node, *pages)),
                None => wish.skipped.push(Skipped {
                    id: format!("hugepages/node{name}"),
                    verdict: Verdict::NotApplicable,
                    reason: format!("this host has no node {name} with memory"),
                    fix: Some("hftune host lists the nodes".to_owned()),
                }),
            }
        }
        wish.persistence = Some(Persistence::Unit);
    } else if asked.count > 0 {
        let default = host.memory.huge_page_size.unwrap_or(Size(2 << 20));
        wish.persistence = Some(if size == default {
            Persistence::Sysctl(asked.count)
        } else {
            Persistence::Unit
        });
        if nodes.is_empty() {
            wish.pools.push(Pool {
                id: "hugepages/all".to_owned(),
                path: path("/sys/kernel/mm/hugepages".to_owned()),
                pages: asked.count,
                used: 0,
            });
        }
        let share = asked.count / (nodes.len() as u64).max(1);
        let rest = asked.count - share * nodes.len() as u64;
        for (i, node) in nodes.iter().enumerate() {
            wish.pools
                .push(pool_of(node, share + if i == 0 { rest } else { 0 }));
        }
    }
    if let Some((verdict, reason, fix)) = refusal(cx, &wish.pools) {
        let refused = wish.pools.drain(..).map(|pool| Skipped {
            id: pool.id,
            verdict,
            reason: reason.clone(),
            fix: fix.clone(),
        });
        wish.skipped.extend(refused);
    }
    if wish.pools.is_empty() {
        wish.persistence = None;
    }
    wish
}

/// Why this host does not get these pools.
fn refusal(cx: &Context<'_>, pools: &[Pool]) -> Option<(Verdict, String, Option<String>)> {
    let size = cx.profile.hugepages.size;
    let known: BTreeSet<u64> = cx
        .host
        .nodes
        .iter()
        .flat_map(|node| node.huge_pages.keys().copied())
        .collect();
    let facts = !cx.host.nodes.is_empty() && !pools.is_empty();
    if facts && !known.contains(&size.kib()) {
        let sizes: Vec<String> = known
            .iter()
            .map(|kib| Size::from_kib(*kib).to_string())
            .collect();
        let reason = if sizes.is_empty() {
            "this kernel has no huge pages".to_owned()
        } else {
            format!(
                "this host has no huge pages of {size}, but of {}",
                sizes.join(" and ")
            )
        };
        return Some((Verdict::NotApplicable, reason, None));
    }

    let total = cx.host.memory.total.0;
    let asked = pools.iter().fold(0u64, |sum, pool| {
        sum.saturating_add(pool.pages.saturating_mul(size.0))
    });
    if total == 0 || asked == 0 {
        return None;
    }
    // What must be left for the OS and for programs that do not ask for huge pages.
    let left = (1 << 30).max(total / 4);
    let kept = sysctl::min_free(cx).0;
    let most = total.saturating_sub(left).saturating_sub(kept) / size.0;
    let beyond_force = asked > total / 10 * 9;
    if asked <= most.saturating_mul(size.0) || (cx.force && !beyond_force) {
        return None;
    }
    let kept = match kept {
        0 => String::new(),
        kept => format!(" and {} kept free", Size(kept)),
    };
    let reason = format!(
        "{} of huge pages{kept} would leave too little of the {} of this host for everything else",
        Size(asked),
        cx.host.memory.total
    );
    let lower = format!("set count in [hugepages] to at most {most}");
    let fix = if beyond_force {
        lower
    } else {
        format!("{lower}, or use --force")
    };
    Some((Verdict::NotPermitted, reason, Some(fix)))
}

/// The line that our sysctl file gets for the huge pages.
pub fn sysctl_line(cx: &Context<'_>) -> Option<(String, String)> {
    match wish(cx).persistence? {
        Persistence::Sysctl(count) => Some(("vm.nr_hugepages".to_owned(), count.to_string())),
        Persistence::Unit => None,
    }
}

impl Domain for Hugepages {
    fn name(&self) -> &'static str {
        "hugepages"
    }

    fn docs(&self) -> &'static [Doc] {
        DOCS
    }

    fn desire(&self, cx: &Context<'_>) -> Desired {
        let wish = wish(cx);
        let persistence = match wish.persistence {
            Some(Persistence::Sysctl(_)) => vec![sysctl::file(cx)],
            Some(Persistence::Unit) => SERVICE.artifacts(cx),
            None => Vec::new(),
        };
        let settings = wish.pools.into_iter().map(|pool| {
            let mut artifacts = vec![Artifact::Kernel {
                path: pool.path,
                value: pool.pages.to_string(),
                compare: Compare::Words,
            }];
            artifacts.extend(persistence.iter().cloned());
            Setting {
                id: pool.id,
                desired: pool.pages.to_string(),
                when: When::Now,
                doc: &DOCS[0],
                note: (pool.used > pool.pages).then(|| {
                    format!(
                        "{} pages are in use, which the kernel does not take away",
                        pool.used
                    )
                }),
                artifacts,
            }
        });
        Desired {
            settings: settings.collect(),
            skipped: wish.skipped,
            warnings: Vec::new(),
        }
    }

    fn prove(&self, setting: &Setting, cx: &Context<'_>, reader: &Reader<'_>) -> Result<Proofs> {
        let (saved, mut fix) = match wish(cx).persistence {
            Some(Persistence::Sysctl(count)) => {
                sysctl_files::saved(reader, SYSCTL, &count.to_string())
            }
            Some(Persistence::Unit) => (SERVICE.saved(cx, reader), None),
            None => (
                Proof::Unknown("the profile sets no huge pages here".to_owned()),
                None,
            ),
        };
        let path = setting
            .artifacts
            .iter()
            .find_map(|artifact| match artifact {
                Artifact::Kernel { path, .. } => Some(path.clone()),
                _ => None,
            });
        let path = path.unwrap_or_default();
        let (live, effect) = match reader.value(&path) {
            Ok(Some(pages)) => {
                let holds = pages == setting.desired;
                let file = path.with_file_name("free_hugepages");
                let effect = match reader.value(&file) {
                    Ok(Some(free)) if free.parse::<u64>().is_ok() => {
                        Proof::of(holds, format!("{pages}, {free} free"))
                    }
                    Ok(Some(free)) => Proof::Unknown(format!(
                        "{} is \"{free}\", expected a number",
                        file.display()
                    )),
                    Ok(None) => Proof::Unknown(format!("there is no {}", file.display())),
                    Err(e) if e.kind == Kind::NeedsRoot => Proof::NotPermitted(e.to_string()),
                    Err(e) => Proof::Unknown(e.to_string()),
                };
                // The file is there and the kernel still has fewer: it was asked and could not.
                let short = matches!((pages.parse(), setting.desired.parse()), (Ok(has), Ok(wants)) if u64::lt(&has, &wants));
                if short && fix.is_none() && matches!(saved, Proof::Holds(_)) {
                    fix = Some(
                        "reboot, since memory is too fragmented now; or lower count in [hugepages]"
                            .to_owned(),
                    );
                }
                (Proof::of(holds, pages), effect)
            }
            Ok(None) if !reader.root().is_dir("/sys/kernel") => {
                let why = "there is no /sys here".to_owned();
                (Proof::Unknown(why.clone()), Proof::Unknown(why))
            }
            Ok(None) => {
                let why = format!("this kernel has no {}", path.display());
                (Proof::NotApplicable(why.clone()), Proof::NotApplicable(why))
            }
            Err(e) if e.kind == Kind::NeedsRoot => (
                Proof::NotPermitted(e.to_string()),
                Proof::NotPermitted(e.to_string()),
            ),
            Err(e) => (Proof::Unknown(e.to_string()), Proof::Unknown(e.to_string())),
        };
        Ok(Proofs {
            saved,
            live,
            effect,
            fix,
        })
    }
}

#[cfg(test)]
mod tests;
