//! `docs/commands.md`: what `--help` of every command says, on one page.

use clap::Command;
use std::fmt::Write as _;

/// The page.
pub fn page() -> String {
    let mut command = hftune_cli::command_line();
    // Names and options of commands inside commands are known from here on.
    command.build();
    let mut text = String::from(
        "# Commands\n\nWritten by `cargo xtask docs` out of what `--help` says; the manual pages `hftune-COMMAND(8)` of the packages \
         say the same.\n",
    );
    collect(&command, &mut text);
    text
}

fn collect(command: &Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let help = command.clone().render_long_help().to_string();
    let _ = write!(text, "\n## {name}\n```text\n{}\n```\n", trimmed(&help));
    for command in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        collect(command, text);
    }
}

/// Without the blanks at the ends of lines that help is filled up with.
fn trimmed(help: &str) -> String {
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_command_has_its_part() {
        let page = super::page();
        for heading in ["## hftune\n", "## hftune nic tune\n", "## hftune verify\n"] {
            assert!(page.contains(heading), "{heading}");
        }
        assert!(!page.contains(" \n"));
    }
}
