//! `hftune nic show` against the ethtool commands that show the same: on the ports of this machine, and on 16 ports in a
//! network namespace of the benchmark's own.

use super::{Contestant, print_table, ratio, side_by_side};
use crate::progress::say;
use crate::skip::skip;
use crate::{static_build, tool, workspace};
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Runs of each process.
const ROUNDS: usize = 20;

/// Ports in the namespace.
const PORTS: usize = 16;

const NET: &str = "/sys/class/net";

/// What ethtool is asked of each port, a process each.
const ASKED: &[&str] = &[
    "-g",
    "-c",
    "-k",
    "-l",
    "-a",
    "-i",
    "-T",
    "--show-eee",
    "--show-priv-flags",
];

#[derive(clap::Args)]
pub struct Args {
    /// The benchmark starts itself with this in its namespace: the binary to measure
    #[arg(long, hide = true)]
    in_namespace: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    if let Some(hftune) = &args.in_namespace {
        in_namespace(hftune)?;
        return Ok(ExitCode::SUCCESS);
    }
    for program in ["bash", "ethtool"] {
        if tool::find(program).is_none() {
            return Err(skip(format!("{program} is not installed")));
        }
    }
    let hftune = static_build::hftune()?;
    println!(
        "compared: one hftune nic show, and bash that starts ethtool {} for each port; the output of both is thrown away.\n\
         hftune tells the link, its speed, PCI Express and lost packets besides, which is not asked of ethtool.",
        ASKED.join(", ")
    );
    let ports = ports_of_this_machine()?;
    if ports.is_empty() {
        println!("\nskipped here: no port of this machine has a device");
    } else {
        println!("\nthe ports of this machine: {}", ports.join(" "));
        compare(&hftune, &ports)?;
    }
    let namespace = tool::find("unshare").context("unshare is not installed");
    let inside = namespace.and_then(|unshare| {
        tool::run(
            tool::command(&unshare.to_string_lossy())
                .args(["--map-root-user", "--net", "--mount"])
                .arg(std::env::current_exe()?)
                .args(["bench", "nic", "--in-namespace"])
                .arg(&hftune),
        )
    });
    if let Err(e) = inside {
        println!("\nskipped: {PORTS} ports in a network namespace: {e:#}");
    }
    Ok(ExitCode::SUCCESS)
}

fn ports_of_this_machine() -> Result<Vec<String>> {
    let mut ports = Vec::new();
    for entry in fs::read_dir(NET)? {
        let entry = entry?;
        if entry.path().join("device").exists() {
            ports.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    ports.sort();
    Ok(ports)
}

fn compare(hftune: &Path, ports: &[String]) -> Result<()> {
    say(format!("{ROUNDS} rounds"));
    let mut show = tool::command(&hftune.to_string_lossy());
    show.args(["nic", "show"]);
    let seen = tool::read(&mut show)?;
    let sections = seen
        .lines()
        .filter(|line| line.starts_with(|c: char| !c.is_whitespace()));
    if sections.count() != ports.len() {
        bail!("hftune shows other ports than {}", ports.join(" "));
    }
    let mut ethtool = tool::command("bash");
    ethtool
        .arg("-c")
        .arg(format!(
            "for port in \"$@\"; do for asked in {}; do ethtool $asked \"$port\"; done; done",
            ASKED.join(" ")
        ))
        .arg("bash")
        .args(ports);
    let mut contestants = [
        Contestant::new("hftune nic show", show),
        Contestant::new("ethtool in bash", ethtool),
    ];
    side_by_side(&mut contestants, ROUNDS)?;
    print_table(&contestants);
    println!(
        "{} starts of ethtool take {:.1} times as long as one hftune nic show (goal: at least 5)",
        ASKED.len() * ports.len(),
        ratio(&contestants[1], &contestants[0])
    );
    Ok(())
}

/// Makes ports in the namespace in which this process was started, and compares on them.
fn in_namespace(hftune: &Path) -> Result<()> {
    // A new namespace has the loopback interface only; anywhere else nothing is made.
    let devices = fs::read_to_string("/proc/net/dev")?;
    let mut names = devices
        .lines()
        .skip(2)
        .filter_map(|line| line.split_once(':'));
    if names.any(|(name, _)| name.trim() != "lo") {
        bail!("this is no new network namespace");
    }
    let dir = workspace::target_dir()?.join("bench/ports");
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    let (sys, net, device) = (dir.join("sys"), dir.join("net"), dir.join("device"));
    for dir in [&sys, &net, &device] {
        fs::create_dir_all(dir)?;
    }
    tool::run(
        tool::command("mount")
            .args(["-t", "sysfs", "sysfs"])
            .arg(&sys),
    )?;
    let ports: Vec<String> = (0..PORTS).map(|number| format!("v{number}")).collect();
    for port in &ports {
        let peer = port.replace('v', "w");
        tool::run(
            tool::command("ip").args(["link", "add", port, "type", "veth", "peer", "name", &peer]),
        )?;
        let of_port = net.join(port);
        fs::create_dir(&of_port)?;
        for entry in fs::read_dir(sys.join("class/net").join(port))? {
            let entry = entry?;
            symlink(entry.path(), of_port.join(entry.file_name()))?;
        }
        symlink(&device, of_port.join("device"))?;
    }
    // Seen by this process and what it starts only: it has a mount namespace of its own.
    tool::run(tool::command("mount").arg("--bind").arg(&net).arg(NET))?;
    println!(
        "\n{PORTS} veth ports in a network namespace of their own. hftune shows ports with a device, which veth has not, so that \
         their directories in {NET} have a link to one and are else the kernel's. veth tells features, channels, drivers and time \
         stamps, and refuses the rest to both."
    );
    compare(hftune, &ports)
}
