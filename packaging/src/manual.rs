//! Manual pages, one for the program and one for each command, out of the command line that `--help` prints.

use crate::sources::{NAME, Sources};
use anyhow::Result;
use clap::Command;
use clap_mangen::Man;

/// System administration (man-pages(7)), beside ethtool(8) and tuned-adm(8).
const SECTION: &str = "8";

/// Their names, like `hftune-nic-tune.8`, and texts.
pub fn pages(sources: &Sources) -> Result<Vec<(String, Vec<u8>)>> {
    let mut command = hftune_cli::command_line();
    // Names and options of commands inside commands are known from here on.
    command.build();
    let mut pages = Vec::new();
    collect(&command, sources, &mut pages)?;
    Ok(pages)
}

fn collect(command: &Command, sources: &Sources, pages: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    let page = Man::new(command.clone())
        .section(SECTION)
        .date(sources.date("%Y-%m-%d")?)
        .source(format!("{NAME} {}", sources.version))
        .manual("System administration");
    let mut text = Vec::new();
    page.render(&mut text)?;
    pages.push((page.get_filename(), text));
    for command in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        collect(command, sources, pages)?;
    }
    Ok(())
}
