//! One running guest: started, waited for, rebooted, stopped, and never left behind.

use super::control::{Address, Control};
use super::image::Image;
use super::machine::{Clock, Machine};
use super::monitor;
use super::packages;
use super::ports::{Ports, TestPort};
use crate::child::OwnedChild;
use crate::progress::say;
use crate::tool;
use anyhow::{Context, Result, anyhow, ensure};
use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A boot takes about 30 s on an idle machine, and 100 s were seen on one with other work; with counted instructions 60
/// to 120 s, and 250 s of a host that is set up, with other work. One that takes longer than this hangs.
const BOOT_CAP: Duration = Duration::from_secs(240);
const COUNTED_BOOT_CAP: Duration = Duration::from_secs(540);

/// Added to a reboot: services are stopped first.
const SHUTDOWN_CAP: Duration = Duration::from_secs(90);

/// Nothing that prepares a guest takes longer to go down in good order.
pub const SHUTDOWN: Duration = Duration::from_secs(120);

/// How a guest is started.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether the disk keeps what the guest writes.
    pub keep_changes: bool,
    /// How guest time passes.
    pub clock: Clock,
    /// The network ports that it has.
    pub ports: Ports,
}

/// The guest did not come up: the emulator's fault more often than the system's, hence worth one more try.
#[derive(Debug)]
pub struct Stalled(String);

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Stalled {}

/// Runs `attempt` in an empty `logs` folder; when a boot stalls, says so, keeps that attempt's logs under `stalled/` and
/// runs it once more from a fresh copy of the disk. Every other failure is final.
pub fn with_one_retry<T>(logs: &Path, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    clear(logs)?;
    let error = match attempt() {
        Err(error) if error.is::<Stalled>() => error,
        result => return result,
    };
    say(format!("STALLED BOOT: {error:#}"));
    say("trying once more from a fresh copy of the disk");
    let aside = logs.with_extension("stalled");
    clear(&aside)?;
    fs::remove_dir(&aside)?;
    fs::rename(logs, &aside)?;
    fs::create_dir_all(logs)?;
    fs::rename(aside, logs.join("stalled"))?;
    attempt()
}

fn clear(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(fs::create_dir_all(folder)?)
}

/// A running guest with a connection to it.
pub struct Guest {
    qemu: OwnedChild,
    control: Control,
    logs: PathBuf,
    options: Options,
    ports: Vec<TestPort>,
    boot_id: String,
}

impl Guest {
    /// Starts the machine on `image` and waits until it has booted. `logs` takes serial.log, qemu.stderr and transcript.log.
    pub fn boot(image: &Image, logs: &Path, options: Options) -> Result<Self> {
        let mut guest = Self::start(image, logs, options)?;
        guest.wait_until_up(guest.boot_cap())?;
        Ok(guest)
    }

    /// Starts two machines at once, each with a folder of its own, and waits for both: they share the time of this one.
    pub fn boot_two(image: &Image, logs: [&Path; 2], options: Options) -> Result<[Self; 2]> {
        let mut guests = [
            Self::start(image, logs[0], options)?,
            Self::start(image, logs[1], options)?,
        ];
        for guest in &mut guests {
            guest.wait_until_up(2 * guest.boot_cap())?;
        }
        Ok(guests)
    }

    fn start(image: &Image, logs: &Path, options: Options) -> Result<Self> {
        let port = free_port()?;
        let tap = options.ports.tap();
        let ports = options.ports.list(tap.as_ref());
        let machine = Machine {
            disk: &image.disk,
            ports: &ports,
            keep_changes: options.keep_changes,
            clock: options.clock,
            ssh_port: port,
            monitor: true,
        };
        let mut qemu = qemu(&machine, logs)?;
        qemu.stdin(Stdio::piped())
            .stdout(File::create(logs.join("monitor.log"))?);
        let control = Control::new(
            Address {
                port,
                key: image.key.clone(),
            },
            logs,
        );
        if let Some(tap) = &tap {
            tap.inherit()?;
        }
        let qemu = OwnedChild::spawn(&mut qemu)?;
        // The emulator has the queues; nothing that is started later may have them too.
        drop(tap);
        Ok(Self {
            qemu,
            control,
            logs: logs.to_path_buf(),
            options,
            ports,
            boot_id: String::new(),
        })
    }

    /// The way to run commands in the guest.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// How others reach it.
    pub fn address(&self) -> &Address {
        self.control.address()
    }

    /// Connects anew, after somebody else may have rebooted it.
    pub fn reconnect(&mut self) -> Result<()> {
        self.control.disconnect();
        self.boot_id.clear();
        self.wait_until_up(self.boot_cap())
    }

    /// Its ports under test.
    pub fn ports(&self) -> &[TestPort] {
        &self.ports
    }

    /// Has the emulator's monitor do something with the machine, which the guest learns as it would of a cable or a card.
    pub fn monitor(&mut self, command: &str) -> Result<()> {
        let input = self.qemu.inner().stdin.as_mut();
        let input = input.context("the emulator was started without a monitor")?;
        monitor::run(input, &self.logs.join("monitor.log"), command)
    }

    /// Reboots through the guest's own GRUB and waits until it is up again.
    pub fn reboot(&mut self) -> Result<()> {
        self.control.read(&start_target("reboot.target"))?;
        self.wait_until_up(self.boot_cap() + SHUTDOWN_CAP)
    }

    /// Shuts the guest down in good order: its disk is then clean.
    pub fn power_off(mut self, cap: Duration) -> Result<()> {
        self.control.read(&start_target("poweroff.target"))?;
        let ended = self.qemu.wait_at_most(cap)?;
        ensure!(
            ended.is_some(),
            "the guest did not power off in {} s",
            cap.as_secs()
        );
        Ok(())
    }

    fn boot_cap(&self) -> Duration {
        match self.options.clock {
            Clock::Host => BOOT_CAP,
            Clock::Instructions => COUNTED_BOOT_CAP,
        }
    }

    /// Waits for a boot that is not the last one, and for the end of its start jobs.
    fn wait_until_up(&mut self, cap: Duration) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < cap {
            if let Some(status) = self.qemu.ended()? {
                let stderr = tool::tail(&self.logs.join("qemu.stderr"));
                return Err(anyhow!(
                    "QEMU ended ({status}) while the guest booted: {stderr}"
                ));
            }
            if self.is_new_boot()? {
                // Prints the state and fails for "degraded"; scenarios judge units themselves.
                self.control.run("systemctl is-system-running --wait")?;
                say(format!("guest is up after {} s", began.elapsed().as_secs()));
                return Ok(());
            }
            std::thread::sleep(Duration::from_secs(1));
        }
        self.dump_cpus();
        let logs = self.logs.display();
        Err(Stalled(format!(
            "no ssh from the guest after {} s; see serial.log and monitor.log in {logs}",
            cap.as_secs()
        ))
        .into())
    }

    fn is_new_boot(&mut self) -> Result<bool> {
        if !self.control.connect()? {
            return Ok(false);
        }
        // A guest that is just going down may still answer once, or half.
        match self.control.read("cat /proc/sys/kernel/random/boot_id") {
            Ok(boot_id) if boot_id != self.boot_id => {
                self.boot_id = boot_id;
                Ok(true)
            }
            _ => {
                self.control.disconnect();
                Ok(false)
            }
        }
    }

    /// Leaves in monitor.log what every CPU was doing.
    fn dump_cpus(&mut self) {
        if let Some(monitor) = self.qemu.inner().stdin.as_mut() {
            let _ = writeln!(monitor, "info cpus");
            for cpu in 0..8 {
                let _ = writeln!(monitor, "info lapic {cpu}");
                let _ = writeln!(monitor, "cpu {cpu}\ninfo registers");
            }
            let _ = monitor.flush();
            std::thread::sleep(Duration::from_secs(2));
        }
    }
}

/// The command that starts `machine` with `logs` as its folder; standard input and output are the caller's to set.
pub fn qemu(machine: &Machine<'_>, logs: &Path) -> Result<Command> {
    let mut qemu = tool::command(packages::QEMU);
    qemu.args(machine.arguments())
        .current_dir(logs)
        .env("TMPDIR", logs) // snapshot=on writes its changes to a file in there
        .stderr(File::create(logs.join("qemu.stderr"))?);
    Ok(qemu)
}

/// What `systemctl reboot` does, without asking systemd-logind first, which the guest has masked.
fn start_target(target: &str) -> String {
    format!("systemctl start --no-block --job-mode=replace-irreversibly {target}")
}

/// A port of the loopback interface that nobody listens on.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}
