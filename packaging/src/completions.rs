//! Completions of shells, out of the command line that `--help` prints.

use crate::sources::NAME;
use clap_complete::Shell;

/// The completions for a shell.
pub fn of(shell: Shell) -> Vec<u8> {
    let mut command = hftune_cli::command_line();
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, NAME, &mut text);
    text
}
