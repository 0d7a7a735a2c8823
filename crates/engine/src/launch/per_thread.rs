//! A CPU for each thread: threads are looked for as they appear, and pinned in the order of their birth.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hftune_model::CpuSet;
use hftune_sys::{Root, sched};

/// How long after its start an application makes most of its threads, and how often it is looked at then, and later.
const YOUNG: Duration = Duration::from_secs(5);
const OFTEN: Duration = Duration::from_millis(1);
const SELDOM: Duration = Duration::from_millis(100);

/// Who is where.
pub(super) struct Pins {
    root: Root,
    cpus: CpuSet,
    by_thread: BTreeMap<u32, u32>,
    began: Option<Instant>,
    warned: bool,
}

impl Pins {
    pub(super) fn new(cpus: &CpuSet) -> Self {
        Self {
            root: Root::live(),
            cpus: cpus.clone(),
            by_thread: BTreeMap::new(),
            began: None,
            warned: false,
        }
    }

    /// Pins threads that are new. The first time it goes out of the application's way, to the CPUs `away`.
    pub(super) fn look(&mut self, pid: u32, away: &CpuSet) -> Duration {
        let began = *self.began.get_or_insert_with(|| {
            if !away.is_empty() {
                // On a host without other CPUs it shares one.
                let _ = sched::set_affinity(0, away);
            }
            Instant::now()
        });
        let names = self
            .root
            .list(format!("/proc/{pid}/task"))
            .unwrap_or_default();
        let mut threads: Vec<u32> = names.iter().filter_map(|name| name.parse().ok()).collect();
        threads.sort_unstable();
        self.by_thread.retain(|thread, _| threads.contains(thread));
        for thread in threads {
            if !self.by_thread.contains_key(&thread) {
                self.pin(thread);
            }
        }
        if began.elapsed() < YOUNG {
            OFTEN
        } else {
            SELDOM
        }
    }

    fn pin(&mut self, thread: u32) {
        // It ended meanwhile.
        let Ok(now) = sched::affinity(thread) else {
            return;
        };
        let taken = |cpu: u32| self.by_thread.values().filter(|used| **used == cpu).count();
        // One that chose a CPU itself, inside or outside of these, keeps it; the one that this process was born with is no
        // choice, since every thread inherits it.
        let inherited = self
            .cpus
            .first()
            .is_some_and(|first| now.len() == 1 && now.contains(first));
        let own = now.len() == 1 && !inherited || now.intersection(&self.cpus).is_empty();
        if own {
            let cpu = now.first().unwrap_or_default();
            self.by_thread.insert(thread, cpu);
            return;
        }
        let Some(cpu) = self.cpus.iter().min_by_key(|cpu| (taken(*cpu), *cpu)) else {
            return;
        };
        if taken(cpu) > 0 && !self.warned {
            self.warned = true;
            eprintln!(
                "hftune: warning: the application has more threads than the {} CPUs {}: some share one",
                self.cpus.len(),
                self.cpus
            );
        }
        if sched::set_affinity(thread, &std::iter::once(cpu).collect()).is_ok() {
            self.by_thread.insert(thread, cpu);
        }
    }
}
