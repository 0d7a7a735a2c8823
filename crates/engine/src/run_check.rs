//! What of the launcher's promises a running process has, from `/proc`.

use hftune_model::run_check::{Process, field, hard_limit, has_net_raw, thread};
use hftune_model::{CpuSet, Error, Kind, Result};
use hftune_sys::Root;

/// The processes of that id or short name, and the isolated CPUs of this host.
pub fn read(root: &Root, wanted: &str) -> Result<(Vec<Process>, CpuSet)> {
    let isolated = root.read_text("/sys/devices/system/cpu/isolated")?;
    let isolated = CpuSet::parse_list(isolated.trim(), None)?;
    let pids: Vec<u32> = if let Ok(pid) = wanted.parse() {
        vec![pid]
    } else {
        let all = root.list("/proc")?;
        all.iter()
            .filter_map(|name| name.parse().ok())
            .filter(|pid: &u32| {
                let name = root.read_text(format!("/proc/{pid}/comm"));
                name.is_ok_and(|name| name.trim_end() == wanted)
            })
            .collect()
    };
    // One that ends meanwhile is none.
    let processes: Vec<Process> = pids
        .iter()
        .filter_map(|pid| process(root, *pid).ok())
        .collect();
    if processes.is_empty() {
        return Err(
            Error::new(Kind::Missing, format!("there is no process {wanted}"))
                .hint("write its id, or its name as \"ps -o comm\" shows it"),
        );
    }
    Ok((processes, isolated))
}

fn process(root: &Root, pid: u32) -> Result<Process> {
    let text = |file: &str| root.read_text(format!("/proc/{pid}/{file}"));
    let status = text("status")?;
    let mut threads = Vec::new();
    for name in root.list(format!("/proc/{pid}/task"))? {
        let Ok(tid) = name.parse() else { continue };
        // A thread that ended meanwhile.
        let (Ok(status), Ok(stat)) = (
            text(&format!("task/{name}/status")),
            text(&format!("task/{name}/stat")),
        ) else {
            continue;
        };
        threads.push(thread(tid, &status, &stat)?);
    }
    threads.sort_by_key(|thread| thread.tid);
    let limits = text("limits").unwrap_or_default();
    let maps = text("maps").unwrap_or_default();
    let libvma = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .find(|path| {
            path.rsplit('/')
                .next()
                .is_some_and(|name| name.starts_with("libvma.so"))
        });
    Ok(Process {
        pid,
        name: field(&status, "Name").unwrap_or_default().to_owned(),
        threads,
        memlock: hard_limit(&limits, "Max locked memory"),
        open_files: hard_limit(&limits, "Max open files"),
        libvma: libvma.map(str::to_owned),
        net_raw: field(&status, "CapEff").and_then(has_net_raw),
    })
}
