//! The terminal: its width, questions, progress and errors. Results go to standard output elsewhere; all here goes to
//! standard error.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use hftune_model::{Error, Kind, Result};

/// Width for reports where standard output is no terminal.
const DEFAULT_WIDTH: usize = 80;

/// Columns of the terminal; 80 for pipes and files.
pub(crate) fn width() -> usize {
    hftune_sys::identity::terminal_columns().map_or(DEFAULT_WIDTH, |columns| columns.clamp(40, 160))
}

/// Prints a result to standard output, in one piece, without colours where nobody would see them.
pub(crate) fn print(text: &str) {
    // A reader that went away (a pipe to head) is no failure.
    let mut out = std::io::stdout().lock();
    if !text.contains('\u{1b}') {
        // JSON, which may be megabytes, has no colours to take out.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        return;
    }
    let choice = anstream::AutoStream::choice(&out);
    let mut plain = anstream::AutoStream::new(Vec::new(), choice);
    let _ = plain.write_all(text.as_bytes());
    let _ = out
        .write_all(&plain.into_inner())
        .and_then(|()| out.flush());
}

/// Text without its colours.
pub(crate) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// Prints an error with its remedy.
pub(crate) fn error(e: &Error) {
    let mut err = anstream::stderr();
    let _ = writeln!(err, "hftune: {e}");
    if let Some(hint) = &e.hint {
        let _ = writeln!(err, "        {hint}");
    }
}

/// Prints warnings, each on a line.
pub(crate) fn warn(warnings: &[String]) {
    let mut err = anstream::stderr();
    for warning in warnings {
        let _ = writeln!(err, "hftune: warning: {warning}");
    }
}

/// Says what is being done that takes a while; nothing where standard error is no terminal.
pub(crate) fn progress(what: &str) {
    if std::io::stderr().is_terminal() {
        show(&format!("hftune: {what}\n"));
    }
}

/// Prints text before the question that follows it, to standard error.
pub(crate) fn show(text: &str) {
    let _ = anstream::stderr().write_all(text.as_bytes());
}

/// Asks for consent on the terminal.
///
/// # Errors
/// A usage error where there is nobody to ask.
pub(crate) fn consent(question: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::new(Kind::Usage, "there is no terminal to ask on")
            .hint("add --yes to go ahead without asking"));
    }
    show(&format!("{question} [y/N] "));
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|e| Error::new(Kind::Io, format!("the answer cannot be read: {e}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Progress of steps on one line of the terminal; nothing where standard error is no terminal.
pub(crate) struct Progress {
    total: usize,
    terminal: bool,
}

impl Progress {
    pub(crate) fn new(total: usize) -> Self {
        Self {
            total,
            terminal: std::io::stderr().is_terminal(),
        }
    }

    pub(crate) fn step(&self, number: usize, what: &str) {
        if self.terminal {
            let what: String = what.chars().take(60).collect();
            show(&format!("\r\x1b[K[{}/{}] {what}", number + 1, self.total));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal {
            show("\r\x1b[K");
        }
    }
}
