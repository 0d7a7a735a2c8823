//! Who runs hftune, and where its binary is.

use std::path::PathBuf;

/// Whether this process has the rights of root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The effective user and group.
pub fn owner() -> (u32, u32) {
    (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    )
}

/// The path of the running binary.
pub fn binary() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// Process id of this process.
pub fn pid() -> u32 {
    std::process::id()
}

/// Columns of the terminal on standard output or standard error; `None` where neither is one.
pub fn terminal_columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout())
        .or_else(|_| rustix::termios::tcgetwinsize(std::io::stderr()))
        .ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}
