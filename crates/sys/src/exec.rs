//! Starting programs: by absolute path, with a clean environment, without a shell.

use std::path::Path;
use std::process::{Command, Stdio};

use hftune_model::{Error, Kind, Result};

/// What a program answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs a program and waits for it.
///
/// The environment is `PATH` with the system directories and `LC_ALL=C`, so that its words are the same everywhere.
pub fn run(program: &Path, args: &[&str]) -> Result<Output> {
    run_with(program, args, &[])
}

/// The same, with more variables in its environment.
pub fn run_with(program: &Path, args: &[&str], environment: &[(&str, &str)]) -> Result<Output> {
    let output = command(program, args)?
        .env("SYSTEMD_PAGER", "")
        .envs(environment.iter().copied())
        .output()
        .map_err(|e| Error::io("start it", program, &e))?;
    Ok(Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// What every program gets: nothing to read, a clean environment, and no directory that somebody could take away.
fn command(program: &Path, args: &[&str]) -> Result<Command> {
    if !program.is_absolute() {
        return Err(
            Error::new(Kind::Command, "a program is started by its absolute path").at(program),
        );
    }
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place where processes are started"
    )]
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .current_dir("/");
    Ok(command)
}

/// Runs a program that must succeed; its own words are in the error where it does not.
pub fn run_ok(program: &Path, args: &[&str]) -> Result<Output> {
    run_ok_with(program, args, &[])
}

/// The same, with more variables in its environment.
pub fn run_ok_with(program: &Path, args: &[&str], environment: &[(&str, &str)]) -> Result<Output> {
    let output = run_with(program, args, environment)?;
    if output.code == Some(0) {
        return Ok(output);
    }
    let said = if output.stderr.trim().is_empty() {
        &output.stdout
    } else {
        &output.stderr
    };
    let code = output
        .code
        .map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
    Err(Error::new(
        Kind::Command,
        format!(
            "\"{} {}\" ended with {code}: {}",
            program.display(),
            args.join(" "),
            said.trim()
        ),
    ))
}

/// A program that runs meanwhile, and is ended when this is dropped.
#[derive(Debug)]
pub struct Background(std::process::Child);

impl Background {
    /// Starts a program whose output is thrown away, with the environment of [`run`].
    pub fn start(program: &Path, args: &[&str]) -> Result<Self> {
        let child = command(program, args)?
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| Error::io("start it", program, &e))?;
        Ok(Self(child))
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_is_told_in_its_own_words() {
        let error = run_ok(Path::new("/bin/ls"), &["/no/such/place"]).expect_err("it fails");
        assert_eq!(error.kind, Kind::Command);
        assert!(
            error
                .what
                .starts_with("\"/bin/ls /no/such/place\" ended with exit code 2: ")
                && error.what.contains("No such file or directory"),
            "{}",
            error.what
        );
        // Where it has nothing to say on standard error.
        let error = run_ok(Path::new("/usr/bin/expr"), &["1", "=", "2"]).expect_err("it fails");
        assert!(error.what.ends_with("exit code 1: 0"), "{}", error.what);
        assert!(run_ok(Path::new("ls"), &[]).is_err());
    }
}
