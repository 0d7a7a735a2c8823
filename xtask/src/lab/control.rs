//! Commands in the guest, over ssh that never leaves the loopback interface.
//!
//! One master connection is kept, so that a command costs a tenth of a second and no new login in the guest.

use crate::child::OwnedChild;
use crate::progress;
use crate::tool::{self, Answer};
use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The socket of the master connection, named relative to the folder that ssh runs in: a socket's path has 108 bytes
/// at most, and a workspace may lie deeper.
const MASTER_SOCKET: &str = "ssh.ctl";

/// What ssh itself exits with when the connection fails.
const SSH_FAILED: i32 = 255;

/// No command in a scenario takes longer, the slowest (`update-grub` on an emulated CPU) a tenth of it.
const COMMAND_CAP: Duration = Duration::from_secs(300);

/// How often a command in the background is asked after.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// A guest that is up sends its banner within this time, or at the next attempt.
const BANNER_CAP: Duration = Duration::from_secs(3);

/// How long one attempt to connect may take; the guest needs a few seconds for the key exchange.
const CONNECT_CAP: Duration = Duration::from_secs(30);

/// How to reach one guest.
#[derive(Debug, Clone)]
pub struct Address {
    /// Port on the loopback interface.
    pub port: u16,
    /// Private key of the guest's root.
    pub key: PathBuf,
}

impl Address {
    /// Whether an ssh server answers. Asked before ssh is: QEMU accepts the connection long before the guest can, and
    /// an ssh that waits on such a connection notices the guest only many seconds after it came up.
    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else {
            return false;
        };
        let mut banner = [0; 4];
        stream.set_read_timeout(Some(BANNER_CAP)).is_ok()
            && stream.read_exact(&mut banner).is_ok()
            && banner == *b"SSH-"
    }

    /// An ssh command, up to and including the name of the guest.
    pub fn ssh(&self, options: &[&str]) -> Command {
        let mut command = tool::command("ssh");
        // The developer's own ssh configuration must not have a say.
        command
            .args(["-F", "none", "-i"])
            .arg(&self.key)
            .args(["-p", &self.port.to_string()]);
        for option in [
            "BatchMode=yes",
            "ConnectTimeout=30",
            "IdentitiesOnly=yes",
            "LogLevel=ERROR",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
        ] {
            command.args(["-o", option]);
        }
        command.args(options).arg("root@127.0.0.1");
        command
    }
}

/// The way to run commands in a guest.
pub struct Control {
    address: Address,
    folder: PathBuf,
    master: Option<OwnedChild>,
}

impl Control {
    /// Nothing is connected yet. `folder` takes the socket and the transcript.
    pub fn new(address: Address, folder: &Path) -> Self {
        Self {
            address,
            folder: folder.to_path_buf(),
            master: None,
        }
    }

    /// How the guest is reached.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Tries once to open the master connection.
    pub fn connect(&mut self) -> Result<bool> {
        self.disconnect();
        if !self.address.answers() {
            return Ok(false);
        }
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("ssh.log"))?;
        let mut ssh = self.address.ssh(&[
            "-M",
            "-N",
            "-S",
            MASTER_SOCKET,
            "-o",
            "ServerAliveInterval=60",
        ]);
        ssh.current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let mut master = OwnedChild::spawn(&mut ssh)?;
        let deadline = Instant::now() + CONNECT_CAP;
        while Instant::now() < deadline && master.ended()?.is_none() {
            if self.folder.join(MASTER_SOCKET).exists() {
                self.master = Some(master);
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(false)
    }

    /// Drops the master connection, before the guest goes away under it.
    pub fn disconnect(&mut self) {
        self.master = None;
        let _ = fs::remove_file(self.folder.join(MASTER_SOCKET));
    }

    /// Runs a shell command line in the guest.
    pub fn run(&self, line: &str) -> Result<Answer> {
        self.converse(line, b"", line)
    }

    /// Runs a shell command line and returns what it printed; anything but success is an error.
    pub fn read(&self, line: &str) -> Result<String> {
        let answer = self.run(line)?;
        ensure!(
            answer.code == Some(0),
            "in the guest, `{line}` failed: {}",
            answer.stderr.trim()
        );
        Ok(answer.stdout)
    }

    /// The same for what takes longer than one command may: it runs in the background, and is asked after. Its answer is in
    /// memory, so that no disk disturbs a measurement.
    pub fn read_slowly(&self, line: &str) -> Result<String> {
        self.put_text(line, "/run/lab-slow")?;
        self.read(
            "rm -f /run/lab-slow.code; nohup sh -c 'sh /run/lab-slow > /run/lab-slow.out 2> /run/lab-slow.err; \
             echo $? > /run/lab-slow.code' > /dev/null 2>&1 < /dev/null & echo",
        )?;
        loop {
            std::thread::sleep(LOOK_EVERY);
            let code = self.read("cat /run/lab-slow.code 2> /dev/null || :")?;
            match code.trim() {
                "" => {}
                "0" => return self.read("cat /run/lab-slow.out"),
                code => bail!(
                    "in the guest, `{line}` exits with {code}: {}{}",
                    self.read("tail -n 20 /run/lab-slow.out")?,
                    self.read("cat /run/lab-slow.err")?
                ),
            }
        }
    }

    /// Runs a shell script with arguments; `name` stands for its text in the transcript.
    pub fn script(&self, name: &str, text: &str, arguments: &str) -> Result<String> {
        // On a housekeeping CPU: reading must not disturb what is measured.
        let line = format!("taskset -c 0,1 sh -s -- {arguments}");
        let answer = self.converse(&line, text.as_bytes(), &format!("{name} {arguments}"))?;
        ensure!(
            answer.code == Some(0),
            "in the guest, {name} failed: {}",
            answer.stderr.trim()
        );
        Ok(answer.stdout)
    }

    /// Copies a file into the guest.
    pub fn put(&self, local: &Path, remote: &str, mode: u32) -> Result<()> {
        let bytes = fs::read(local).with_context(|| format!("cannot read {}", local.display()))?;
        let line = format!("cat > '{remote}' && chmod {mode:o} '{remote}'");
        let answer = self.converse(&line, &bytes, &line)?;
        ensure!(
            answer.code == Some(0),
            "cannot copy {} into the guest: {}",
            local.display(),
            answer.stderr.trim()
        );
        Ok(())
    }

    /// Puts a text into a file of the guest.
    pub fn put_text(&self, text: &str, remote: &str) -> Result<()> {
        let line = format!("cat > '{remote}'");
        let answer = self.converse(&line, text.as_bytes(), &line)?;
        ensure!(
            answer.code == Some(0),
            "cannot write {remote} in the guest: {}",
            answer.stderr.trim()
        );
        Ok(())
    }

    /// Copies a file out of the guest.
    pub fn get(&self, remote: &str, local: &Path) -> Result<()> {
        let mut ssh = self.address.ssh(&["-S", MASTER_SOCKET]);
        ssh.arg(format!("cat '{remote}'"))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(File::create(local)?);
        tool::run(&mut ssh)
    }

    fn converse(&self, line: &str, input: &[u8], name: &str) -> Result<Answer> {
        let mut ssh = self.address.ssh(&["-S", MASTER_SOCKET]);
        ssh.arg(line).current_dir(&self.folder);
        let began = Instant::now();
        let answer = tool::converse(&mut ssh, input, COMMAND_CAP)?;
        self.note(name, &answer, began.elapsed())?;
        if answer.code == Some(SSH_FAILED) {
            bail!(
                "the connection to the guest failed during `{name}`: {}",
                answer.stderr.trim()
            );
        }
        Ok(answer)
    }

    fn note(&self, name: &str, answer: &Answer, took: Duration) -> Result<()> {
        let mut log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("transcript.log"))?;
        writeln!(
            log,
            "[{:>4} s] $ {name}\n{}",
            progress::elapsed_s(),
            answer.stdout.trim_end()
        )?;
        if !answer.stderr.trim().is_empty() {
            writeln!(log, "standard error:\n{}", answer.stderr.trim_end())?;
        }
        let code = answer
            .code
            .map_or_else(|| "killed".to_string(), |code| code.to_string());
        writeln!(log, "exit {code}, {:.1} s\n", took.as_secs_f64())?;
        Ok(())
    }
}
