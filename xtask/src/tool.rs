//! Running other programs: found on the path, untranslated, and never silent about a failure.

use crate::child::OwnedChild;
use anyhow::{Context, Result, bail};
use std::env;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

/// mke2fs and debootstrap live here, which a login shell's path may lack.
const SYSTEM_DIRS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// What a program answered.
#[derive(Debug)]
pub struct Answer {
    /// Exit code; `None` when it was killed by a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

fn search_path() -> OsString {
    let current = env::var_os("PATH").unwrap_or_default();
    let dirs = env::split_paths(&current).chain(SYSTEM_DIRS.iter().map(PathBuf::from));
    env::join_paths(dirs).unwrap_or(current)
}

/// A command with the system directories on its path and untranslated messages.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("PATH", search_path())
        .env("LC_ALL", "C.UTF-8")
        .env_remove("LANGUAGE");
    command
}

/// Where `program` is, if it is installed.
pub fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&search_path())
        .map(|dir| dir.join(program))
        .find(|path| path.is_file())
}

/// Runs a command whose output the developer sees; anything but success is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", name(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", line(command));
    }
    Ok(())
}

/// Runs a command that talks a lot: its output goes to `log`, and the end of it into the error.
pub fn run_logged(command: &mut Command, log: &Path) -> Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(log)?;
    writeln!(file, "$ {}", line(command))?;
    let status = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .with_context(|| format!("cannot start {}", name(command)))?;
    if !status.success() {
        bail!(
            "{} failed ({status}); the end of {}:\n{}",
            line(command),
            log.display(),
            tail(log)
        );
    }
    Ok(())
}

/// Runs a command and returns what it printed.
pub fn read(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", name(command)))?;
    if !output.status.success() {
        bail!(
            "{} failed ({}): {}",
            line(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command that is given `input` and killed after `cap`: what runs in a guest may hang with it.
pub fn converse(command: &mut Command, input: &[u8], cap: Duration) -> Result<Answer> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = OwnedChild::spawn(command)?;
    let stdin = child.inner().stdin.take();
    let stdout = child.inner().stdout.take().map(collect);
    let stderr = child.inner().stderr.take().map(collect);
    if let Some(mut stdin) = stdin {
        let input = input.to_vec();
        // In a thread, so that the cap holds for a reader that hangs. A program that does not read its input closes
        // the pipe; its exit code says what it made of that.
        std::thread::spawn(move || stdin.write_all(&input));
    }
    let Some(status) = child.wait_at_most(cap)? else {
        drop(child);
        bail!("no end after {} s: {}", cap.as_secs(), line(command));
    };
    Ok(Answer {
        code: status.code(),
        stdout: text(stdout),
        stderr: text(stderr),
    })
}

fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

fn text(reader: Option<JoinHandle<Vec<u8>>>) -> String {
    let bytes = reader
        .and_then(|thread| thread.join().ok())
        .unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The last lines of a log, to put into an error message.
pub fn tail(log: &Path) -> String {
    const LINES: usize = 15;
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
