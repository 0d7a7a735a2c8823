//! `cargo xtask setup`: the main job from a checkout. Builds the static binary, installs it, and runs `hftune setup`.

use crate::progress::say;
use crate::{static_build, tool};
use anyhow::Result;
use clap::Args as ClapArgs;
use std::process::ExitCode;

/// Where units find the binary.
const INSTALLED: &str = "/usr/local/bin/hftune";

#[derive(ClapArgs)]
pub struct Args {
    /// Options of `hftune setup`, like --yes or --profile FILE
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

/// Ends with the exit code of `hftune setup`.
pub fn run(args: &Args) -> Result<ExitCode> {
    let built = static_build::hftune()?;
    say(format!("installing {INSTALLED}"));
    let built = built.to_string_lossy().into_owned();
    tool::run(&mut privileged(&[
        "install", "-m", "755", &built, INSTALLED,
    ]))?;
    let mut words = vec![INSTALLED, "setup"];
    words.extend(args.options.iter().map(String::as_str));
    let status = privileged(&words).status()?;
    // The contract of hftune's exit codes ends at 5; a signal has none and is a failure.
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The command as root: through sudo where this is another user.
fn privileged(words: &[&str]) -> std::process::Command {
    let is_root = tool::read(tool::command("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    let mut command = if is_root {
        tool::command(words[0])
    } else {
        let mut sudo = tool::command("sudo");
        sudo.arg(words[0]);
        sudo
    };
    command.args(&words[1..]);
    command
}
