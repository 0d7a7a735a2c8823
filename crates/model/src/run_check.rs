//! What a running application has of what the launcher gives: CPUs, scheduling, limits, the library.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{CpuSet, Error, Result};

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its short name.
    pub name: String,
    /// Its threads, in rising order of their ids.
    pub threads: Vec<Thread>,
    /// Bytes of memory that it may lock: "unlimited", or a number; `None` where it cannot be told.
    pub memlock: Option<String>,
    /// Files that it may ever open, the same way.
    pub open_files: Option<String>,
    /// The library libvma that it has loaded; `None` where it has none, or its maps cannot be read.
    pub libvma: Option<String>,
    /// Whether it has CAP_NET_RAW; `None` where it cannot be told.
    pub net_raw: Option<bool>,
}

/// A thread of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Thread {
    /// Its id.
    pub tid: u32,
    /// Its name.
    pub name: String,
    /// The CPUs that it may use.
    pub allowed: CpuSet,
    /// The CPU on which it ran last.
    pub cpu: u32,
    /// How it is scheduled.
    pub policy: Policy,
    /// Its real-time priority, 1 to 99; 0 for the other policies.
    pub priority: u32,
    /// How often it gave its CPU away, since it waited.
    pub voluntary: u64,
    /// How often its CPU was taken from it.
    pub involuntary: u64,
}

/// Scheduling policies (include/uapi/linux/sched.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The usual one.
    Other,
    /// Real time: runs until it gives the CPU away.
    Fifo,
    /// Real time, in turns.
    RoundRobin,
    /// For long work.
    Batch,
    /// When nothing else runs.
    Idle,
    /// By deadlines.
    Deadline,
    /// One that hftune does not know.
    Unknown,
}

impl Policy {
    /// Its name in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Fifo => "fifo",
            Self::RoundRobin => "rr",
            Self::Batch => "batch",
            Self::Idle => "idle",
            Self::Deadline => "deadline",
            Self::Unknown => "unknown",
        }
    }

    fn of_number(number: u32) -> Self {
        match number {
            0 => Self::Other,
            1 => Self::Fifo,
            2 => Self::RoundRobin,
            3 => Self::Batch,
            5 => Self::Idle,
            6 => Self::Deadline,
            _ => Self::Unknown,
        }
    }
}

/// The value of a line `NAME:\tvalue` of `/proc/PID/status`.
pub fn field<'s>(status: &'s str, name: &str) -> Option<&'s str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

/// A thread, from its `status` and `stat` (proc_pid_status(5), proc_pid_stat(5)).
pub fn thread(tid: u32, status: &str, stat: &str) -> Result<Thread> {
    let missing = |name: &str| Error::invalid(format!("it has no {name}"));
    let number = |name: &str| {
        field(status, name)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| missing(name))
    };
    // The name stands in brackets and may have blanks and brackets in it; what follows begins with the third field.
    let (_, rest) = stat.rsplit_once(')').ok_or_else(|| missing("name"))?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let nth = |n: usize| -> Result<u32> {
        fields
            .get(n - 3)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| missing(&format!("field {n}")))
    };
    Ok(Thread {
        tid,
        name: field(status, "Name").unwrap_or_default().to_owned(),
        allowed: CpuSet::parse_list(
            field(status, "Cpus_allowed_list").ok_or_else(|| missing("Cpus_allowed_list"))?,
            None,
        )?,
        cpu: nth(39)?,
        priority: nth(40)?,
        policy: Policy::of_number(nth(41)?),
        voluntary: number("voluntary_ctxt_switches")?,
        involuntary: number("nonvoluntary_ctxt_switches")?,
    })
}

/// The hard limit of a line of `/proc/PID/limits`.
pub fn hard_limit(limits: &str, name: &str) -> Option<String> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().nth(1).map(str::to_owned)
}

/// Whether a set of capabilities, as a status file has it, has CAP_NET_RAW (include/uapi/linux/capability.h).
pub fn has_net_raw(effective: &str) -> Option<bool> {
    const CAP_NET_RAW: u32 = 13;
    let set = u64::from_str_radix(effective, 16).ok()?;
    Some(set >> CAP_NET_RAW & 1 == 1)
}

/// What is not as the launcher leaves it, and what mends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fault {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// More open files than these make libvma's tables large.
const MANY_FILES: u64 = 1 << 20;

/// Judges a process by the isolated CPUs of the host.
pub fn judge(process: &Process, isolated: &CpuSet) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |what: String, remedy: &str| {
        faults.push(Fault {
            what,
            remedy: remedy.to_owned(),
        });
    };
    // Threads that were put on housekeeping CPUs alone have left the application's: libvma's helper is one.
    let trading: Vec<&Thread> = process
        .threads
        .iter()
        .filter(|thread| !thread.allowed.intersection(isolated).is_empty())
        .collect();
    if trading.is_empty() {
        fault(
            "no thread may use an isolated CPU".to_owned(),
            "start it with hftune run",
        );
    }
    for thread in &trading {
        let outside = thread.allowed.difference(isolated);
        if !outside.is_empty() {
            fault(
                format!(
                    "thread {} ({}) may use CPU {outside} too, which serves the OS",
                    thread.tid, thread.name
                ),
                "start it with hftune run --cpus auto",
            );
        }
    }
    for (at, thread) in trading.iter().enumerate() {
        let others: Vec<String> = trading[at + 1..]
            .iter()
            .filter(|other| other.cpu == thread.cpu)
            .map(|other| other.tid.to_string())
            .collect();
        let first = trading[..at].iter().all(|other| other.cpu != thread.cpu);
        if first && !others.is_empty() {
            fault(
                format!(
                    "threads {} and {} share CPU {}: isolated CPUs balance nothing",
                    thread.tid,
                    others.join(", "),
                    thread.cpu
                ),
                "start it with hftune run --cpu-per-thread, on as many CPUs as it has threads",
            );
        }
    }
    if let Some(libvma) = &process.libvma {
        if process
            .memlock
            .as_deref()
            .is_some_and(|limit| limit != "unlimited")
        {
            fault(
                format!(
                    "it may lock {} bytes only, and {libvma} registers memory",
                    process.memlock.as_deref().unwrap_or_default()
                ),
                "LimitMEMLOCK=infinity in its unit, or hftune setup and a new login",
            );
        }
        if process
            .open_files
            .as_deref()
            .is_some_and(|limit| limit.parse::<u64>().unwrap_or(u64::MAX) > MANY_FILES)
        {
            fault(
                "it may open so many files that libvma's tables take much memory".to_owned(),
                "LimitNOFILE=65536 in its unit, or start it with hftune run --vma",
            );
        }
        if process.net_raw == Some(false) {
            fault(
                "it has libvma and no CAP_NET_RAW: nothing is offloaded".to_owned(),
                "AmbientCapabilities=CAP_NET_RAW in its unit",
            );
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\ttrader\nUmask:\t0022\nCpus_allowed:\tfc\nCpus_allowed_list:\t2-7\n\
        voluntary_ctxt_switches:\t4\nnonvoluntary_ctxt_switches:\t1\n";

    fn stat(name: &str, cpu: u32, priority: u32, policy: u32) -> String {
        let between = "0 ".repeat(35);
        format!("77 ({name}) R {between}{cpu} {priority} {policy} 0 0 0\n")
    }

    #[test]
    fn a_thread_is_read_in_spite_of_its_name() {
        let thread = thread(77, STATUS, &stat("a) b (c", 3, 49, 1)).expect("thread");
        assert_eq!(
            (thread.cpu, thread.priority, thread.policy),
            (3, 49, Policy::Fifo)
        );
        assert_eq!(
            (thread.allowed.to_string().as_str(), thread.involuntary),
            ("2-7", 1)
        );
        assert!(super::thread(1, "", "").is_err());
        assert!(super::thread(1, STATUS, "1 (x) R 0").is_err());
    }

    #[test]
    fn limits_and_capabilities_are_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
            Max open files            1024                 65536                files     \n\
            Max locked memory         unlimited            unlimited            bytes     \n";
        assert_eq!(
            hard_limit(limits, "Max open files").as_deref(),
            Some("65536")
        );
        assert_eq!(
            hard_limit(limits, "Max locked memory").as_deref(),
            Some("unlimited")
        );
        assert_eq!(hard_limit(limits, "Max nice"), None);
        assert_eq!(has_net_raw("0000000000806000"), Some(true));
        assert_eq!(has_net_raw("0000000000800000"), Some(false));
        assert_eq!(has_net_raw("x"), None);
    }

    fn process(threads: &[(u32, &str, u32)]) -> Process {
        Process {
            pid: 1,
            name: "a".to_owned(),
            threads: threads
                .iter()
                .map(|(tid, allowed, cpu)| Thread {
                    tid: *tid,
                    name: "t".to_owned(),
                    allowed: allowed.parse().expect("list"),
                    cpu: *cpu,
                    policy: Policy::Fifo,
                    priority: 49,
                    voluntary: 0,
                    involuntary: 0,
                })
                .collect(),
            memlock: Some("unlimited".to_owned()),
            open_files: Some("65536".to_owned()),
            libvma: None,
            net_raw: Some(true),
        }
    }

    #[test]
    fn what_is_amiss_is_told() {
        let isolated: CpuSet = "2-7".parse().expect("list");
        let told = |process: &Process| -> Vec<String> {
            judge(process, &isolated)
                .into_iter()
                .map(|f| f.what)
                .collect()
        };
        assert_eq!(
            told(&process(&[(1, "2", 2), (2, "3", 3), (3, "0-1", 1)])),
            [""; 0]
        );
        assert!(told(&process(&[(1, "0-1", 1)]))[0].contains("no thread"));
        assert!(told(&process(&[(1, "0-7", 3)]))[0].contains("CPU 0-1 too"));
        let piled = told(&process(&[(1, "2-7", 2), (2, "2-7", 2), (3, "2-7", 2)]));
        assert_eq!(
            piled,
            ["threads 1 and 2, 3 share CPU 2: isolated CPUs balance nothing"]
        );
        let mut with = process(&[(1, "2", 2)]);
        with.libvma = Some("/usr/lib64/libvma.so.9".to_owned());
        with.memlock = Some("65536".to_owned());
        with.open_files = Some("1073741816".to_owned());
        with.net_raw = Some(false);
        assert_eq!(told(&with).len(), 3);
    }
}
