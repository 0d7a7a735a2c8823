//! The processes and kernel threads, and where each may run.
//!
//! Two files tell all of it: `status` has the name and the CPUs, `stat` the flags, and only a kernel thread's flags
//! matter. What ends while it is read is passed over.

use hftune_model::host::Task;
use hftune_model::{CpuSet, Error, Result};
use hftune_sys::Root;

use super::facts::Facts;

/// Flags of the ninth field of `stat` (include/linux/sched.h).
const PF_KTHREAD: u64 = 0x0020_0000;
const PF_NO_SETAFFINITY: u64 = 0x0400_0000;

/// The parent of all kernel threads.
const KTHREADD: u32 = 2;

/// Every task that can be seen.
pub(super) fn read(facts: &Facts<'_>) -> Vec<Task> {
    let root = facts.root();
    // The reader is not asked: it would keep the text of thousands of files that nobody reads again.
    let Ok(names) = root.list("/proc") else {
        return Vec::new();
    };
    let mut pids: Vec<u32> = names.iter().filter_map(|name| name.parse().ok()).collect();
    pids.sort_unstable();
    let mut tasks = Vec::with_capacity(pids.len());
    for pid in pids {
        if let Err(Some(error)) = read_process(root, pid, &mut tasks) {
            facts.note(&format!("/proc/{pid}/status"), error);
        }
    }
    tasks
}

/// Adds a process, and those of its threads that may use other CPUs. `Err(None)`: it has ended.
fn read_process(root: &Root, pid: u32, tasks: &mut Vec<Task>) -> Result<(), Option<Error>> {
    let text = root
        .read_text(format!("/proc/{pid}/status"))
        .map_err(|_| None)?;
    if is_dead(&text) {
        return Ok(());
    }
    let status = parse_status(&text).map_err(Some)?;
    let flags = if pid == KTHREADD || status.parent == KTHREADD {
        let text = root
            .read_text(format!("/proc/{pid}/stat"))
            .map_err(|_| None)?;
        parse_flags(&text).map_err(Some)?
    } else {
        0
    };
    let process = Task {
        pid,
        comm: status.name.to_owned(),
        kernel: flags & PF_KTHREAD != 0,
        bound: flags & PF_NO_SETAFFINITY != 0,
        allowed: status.allowed,
    };
    let first = tasks.len();
    tasks.push(process);
    if status.threads < 2 {
        return Ok(());
    }
    let names = root.list(format!("/proc/{pid}/task")).map_err(|_| None)?;
    for thread in names
        .iter()
        .filter_map(|name| name.parse::<u32>().ok())
        .filter(|thread| *thread != pid)
    {
        let Ok(text) = root.read_text(format!("/proc/{pid}/task/{thread}/status")) else {
            continue;
        };
        let status = parse_status(&text).map_err(Some)?;
        if tasks[first..]
            .iter()
            .all(|known| known.allowed != status.allowed)
        {
            tasks.push(Task {
                pid: thread,
                comm: status.name.to_owned(),
                allowed: status.allowed,
                ..Task::default()
            });
        }
    }
    Ok(())
}

/// What matters of `/proc/PID/status`.
#[derive(Debug, PartialEq, Eq)]
struct Status<'a> {
    name: &'a str,
    parent: u32,
    threads: u32,
    allowed: CpuSet,
}

fn parse_status(text: &str) -> Result<Status<'_>> {
    const FIELDS: [&str; 4] = ["Name", "PPid", "Threads", "Cpus_allowed_list"];
    let mut values = [None; FIELDS.len()];
    // In one pass: there is a file for every task, and fifty lines in each.
    for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
        if let Some(field) = FIELDS.iter().position(|field| *field == name) {
            values[field].get_or_insert(value.trim());
        }
    }
    let field = |at: usize| {
        values[at].ok_or_else(|| Error::invalid(format!("it has no line \"{}:\"", FIELDS[at])))
    };
    let number = |at: usize| {
        let value = field(at)?;
        let what = || Error::invalid(format!("{} is \"{value}\", not a number", FIELDS[at]));
        value.parse().map_err(|_| what())
    };
    Ok(Status {
        name: field(0)?,
        parent: number(1)?,
        threads: number(2)?,
        allowed: CpuSet::parse_list(field(3)?, None)?,
    })
}

/// Whether the process has ended and only waits for its parent: it will run nowhere (proc_pid_status(5)).
fn is_dead(text: &str) -> bool {
    let state = text.lines().find_map(|line| line.strip_prefix("State:"));
    state.is_some_and(|state| state.trim_start().starts_with(['Z', 'X']))
}

/// The flags in `/proc/PID/stat`. The name stands in parentheses and may hold any character, parentheses too.
fn parse_flags(text: &str) -> Result<u64> {
    text.rsplit_once(')')
        .and_then(|(_, rest)| rest.split_ascii_whitespace().nth(6))
        .and_then(|flags| flags.parse().ok())
        .ok_or_else(|| Error::invalid(format!("\"{}\" has no flags", text.trim())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STATUS: &str = "Name:\tkworker/0:1\nUmask:\t0000\nState:\tI (idle)\nTgid:\t9\nPid:\t9\nPPid:\t2\n\
        Threads:\t1\nCpus_allowed:\t03\nCpus_allowed_list:\t0-1\nMems_allowed_list:\t0\n";

    #[test]
    fn reads_what_the_kernel_writes() {
        let status = parse_status(STATUS).unwrap();
        assert_eq!(
            (status.name, status.parent, status.threads),
            ("kworker/0:1", 2, 1)
        );
        assert_eq!(status.allowed, "0-1".parse().unwrap());
        let flags = parse_flags("9 (a) b) I 2 0 0 0 -1 69238880 0 0\n").unwrap();
        assert_eq!(flags, 69_238_880);
        assert_ne!(flags & PF_KTHREAD, 0);
        assert_ne!(flags & PF_NO_SETAFFINITY, 0);
        assert!(parse_status("Name:\tx\n").is_err());
        assert!(!is_dead(STATUS));
        assert!(is_dead(&STATUS.replace("I (idle)", "Z (zombie)")));
        assert!(parse_flags("").is_err());
    }

    #[test]
    fn finds_threads_that_may_run_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            write(&path, text);
        };
        let status = |name: &str, parent: u32, threads: u32, cpus: &str| {
            format!(
                "Name:\t{name}\nPPid:\t{parent}\nThreads:\t{threads}\nCpus_allowed_list:\t{cpus}\n"
            )
        };
        put("proc/2/status", &status("kthreadd", 0, 1, "0-7"));
        put("proc/2/stat", "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0\n");
        put("proc/40/status", &status("app", 1, 3, "0-1"));
        put("proc/40/task/40/status", &status("app", 1, 3, "0-1"));
        put("proc/40/task/41/status", &status("hot", 1, 3, "4"));
        put("proc/40/task/42/status", &status("log", 1, 3, "0-1"));
        put("proc/41x/status", "");
        put("proc/50/status", "rubbish");
        put("proc/60/cmdline", "");
        let root = Root::tree(dir.path()).unwrap();
        let reader = hftune_sys::Reader::new(&root);
        let facts = Facts::new(&reader);
        let tasks = read(&facts);
        let shown: Vec<_> = tasks
            .iter()
            .map(|t| {
                (
                    t.pid,
                    t.comm.as_str(),
                    t.kernel,
                    t.bound,
                    t.allowed.to_string(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (2, "kthreadd", true, false, "0-7".to_owned()),
                (40, "app", false, false, "0-1".to_owned()),
                (41, "hot", false, false, "4".to_owned()),
            ]
        );
        let unread = facts.into_unread();
        assert_eq!(unread.len(), 1);
        assert!(unread[0].contains("/proc/50/status"), "{unread:?}");
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "a test prepares its own directory"
    )]
    fn write(path: &std::path::Path, text: &str) {
        std::fs::write(path, text).unwrap();
    }

    proptest! {
        #[test]
        fn never_panics(text in "(\\PC|\\n|Name:|PPid:|Threads:|Cpus_allowed_list:|\\)|[0-9 ,-]){0,60}") {
            let _ = (parse_status(&text), parse_flags(&text));
        }
    }
}
