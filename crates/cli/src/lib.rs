//! `hftune`: tunes a Linux server for low latency, proves every setting, and undoes every change.

mod args;
mod commands;
mod terminal;

use std::process::ExitCode;

use clap::CommandFactory as _;

use crate::args::Args;

/// The command line as data: what `--help` prints, man pages and completions are made of.
pub fn command_line() -> clap::Command {
    Args::command()
}

/// What a command answers: the text for standard output, and the exit code.
pub(crate) struct Answer {
    text: String,
    code: u8,
}

impl Answer {
    fn ok(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            code: 0,
        }
    }

    fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }
}

/// The whole program: reads the command line, does it, prints the answer.
pub fn run() -> ExitCode {
    let args = match Args::from_command_line() {
        Ok(args) => args,
        Err(e) => {
            // Help and version are results; anything else is a usage error, exit 2.
            let code = u8::try_from(e.exit_code()).unwrap_or(2);
            let _ = e.print();
            return ExitCode::from(code);
        }
    };
    // The application that run becomes inherits both.
    if !matches!(args.command, args::Command::Run(_)) {
        hftune_sys::identity::keep_to_itself();
    }
    match commands::run(&args) {
        Ok(answer) => {
            terminal::print(&answer.text);
            ExitCode::from(answer.code)
        }
        Err(e) => {
            terminal::error(&e);
            ExitCode::from(e.exit_code())
        }
    }
}
