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

/// Files that this process makes are for their owner unless it says otherwise, and what was in its memory is in no core
/// file.
pub fn keep_to_itself() {
    use rustix::process::{Resource, Rlimit, setrlimit, umask};
    umask(rustix::fs::Mode::from_raw_mode(0o077));
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Lowering a limit takes no right; where it fails nevertheless, nothing depends on it.
    let _ = setrlimit(Resource::Core, none);
}

/// Whether standard output goes to the journal, which reads how grave a line is at its beginning (systemd.exec(5),
/// `$JOURNAL_STREAM`).
pub fn writes_to_journal() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some_and(|of| {
        let stat = rustix::fs::fstat(std::io::stdout());
        stat.is_ok_and(|stat| of == format!("{}:{}", stat.st_dev, stat.st_ino).as_str())
    })
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
