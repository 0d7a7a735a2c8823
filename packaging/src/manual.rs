//! Manual pages, one for the program and one for each command, out of the command line that `--help` prints.

use crate::sources::{NAME, Sources};
use anyhow::Result;
use clap::Command;
use clap_mangen::Man;

/// System administration (man-pages(7)), beside ethtool(8) and tuned-adm(8).
const SECTION: &str = "8";

/// What the page of the program says besides the command line.
const FILES: &str = r#".SH FILES
.TP
\fI/etc/hftune/profile.toml\fR
What the administrator wants, in place of the built\-in profile "hft", which it extends: \fBhftune profile new\fR writes one to
begin with.
.TP
\fI/usr/share/hftune/profiles\fR
The built\-in profiles, to read.
.TP
\fI/var/lib/hftune\fR
What was changed when, and what was there before: \fBhftune rollback\fR needs it.
.TP
\fI/usr/share/doc/hftune\fR
Every setting, what is promised, and how it was tested.
"#;

/// What the page of every command says besides.
const SEE_ALSO: &str = r#".SH "SEE ALSO"
\fBhftune\fR(8), for exit codes, too
"#;

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
    let is_program = command.get_name() == NAME;
    let more = if is_program { FILES } else { SEE_ALSO };
    text.extend_from_slice(more.as_bytes());
    pages.push((page.get_filename(), text));
    for command in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        collect(command, sources, pages)?;
    }
    Ok(())
}
