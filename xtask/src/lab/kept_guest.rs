//! A guest that stays: `lab up` starts it, `lab shell` opens a shell in it, `lab down` ends it.

use super::control::{Address, Control};
use super::guest;
use super::image::Image;
use super::machine::{Clock, Machine};
use super::ports::Ports;
use crate::child;
use crate::progress::say;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Long enough for a guest with counted instructions on a busy machine.
const BOOT_CAP: Duration = Duration::from_secs(300);

/// The file that tells `shell` and `down` about the guest.
const STATE: &str = "guest.json";

struct Kept {
    pid: u32,
    address: Address,
}

/// Starts a guest and leaves it running.
pub fn up(image: &Image, binary: Option<&Path>, folder: &Path, clock: Clock) -> Result<()> {
    if let Ok(kept) = running(folder) {
        bail!(
            "a guest is running already (process {}); end it with: cargo xtask lab down",
            kept.pid
        );
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let port = guest::free_port()?;
    let machine = Machine {
        disk: &image.disk,
        ports: &Ports::OfEveryScenario.list(None),
        keep_changes: false,
        clock,
        ssh_port: port,
        monitor: false,
    };
    let mut qemu = guest::qemu(&machine, folder)?;
    qemu.process_group(0)
        .stdin(Stdio::null())
        .stdout(File::create(folder.join("qemu.stdout"))?);
    let pid = qemu.spawn()?.id();
    let address = Address {
        port,
        key: image.key.clone(),
    };
    fs::write(
        folder.join(STATE),
        json!({ "pid": pid, "port": port, "key": image.key }).to_string(),
    )?;
    say(format!("booting a guest that stays (process {pid})"));
    let mut control = Control::new(address, folder);
    if let Err(error) = wait_and_fill(&mut control, folder, binary) {
        down(folder)?;
        return Err(error);
    }
    println!("A shell in the guest:  cargo xtask lab shell");
    println!("End it:                cargo xtask lab down");
    println!(
        "Its console:           {}",
        folder.join("serial.log").display()
    );
    Ok(())
}

fn wait_and_fill(control: &mut Control, folder: &Path, binary: Option<&Path>) -> Result<()> {
    let began = Instant::now();
    while !control.connect()? {
        running(folder)?;
        ensure!(
            began.elapsed() < BOOT_CAP,
            "no ssh from the guest after {} s",
            BOOT_CAP.as_secs()
        );
        std::thread::sleep(Duration::from_secs(1));
    }
    if let Some(binary) = binary {
        control.put(binary, "/usr/local/bin/hftune", 0o755)?;
    }
    Ok(())
}

/// Becomes an ssh in the running guest; with `words`, runs them there.
pub fn shell(folder: &Path, words: &[String]) -> Result<()> {
    let kept = running(folder)?;
    let options: &[&str] = if words.is_empty() { &["-t"] } else { &[] };
    let error = kept.address.ssh(options).args(words).exec();
    Err(error).context("cannot start ssh")
}

/// Ends the guest that `up` started.
pub fn down(folder: &Path) -> Result<()> {
    let kept = running(folder)?;
    child::kill_group(kept.pid);
    let began = Instant::now();
    while is_our_qemu(kept.pid, folder) && began.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(100));
    }
    fs::remove_file(folder.join(STATE))?;
    say(format!("guest ended (process {})", kept.pid));
    Ok(())
}

/// The guest that `up` started, if it still runs.
fn running(folder: &Path) -> Result<Kept> {
    let text = fs::read_to_string(folder.join(STATE))
        .context("no guest is running; start one: cargo xtask lab up")?;
    let state: Value = serde_json::from_str(&text)?;
    let number = |key: &str| {
        state[key]
            .as_u64()
            .with_context(|| format!("{STATE} has no {key}"))
    };
    let pid = u32::try_from(number("pid")?)?;
    let port = u16::try_from(number("port")?)?;
    let key = PathBuf::from(state["key"].as_str().context("guest.json has no key")?);
    ensure!(
        is_our_qemu(pid, folder),
        "the guest has ended; see {}",
        folder.join("serial.log").display()
    );
    Ok(Kept {
        pid,
        address: Address { port, key },
    })
}

/// A number may have passed to another process since: ours is the emulator that runs in this folder.
fn is_our_qemu(pid: u32, folder: &Path) -> bool {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let cwd = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
    name.starts_with("qemu-system") && folder.canonicalize().is_ok_and(|folder| folder == cwd)
}
