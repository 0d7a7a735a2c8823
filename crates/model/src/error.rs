//! The one error type: what went wrong, where, and what to type next.

use std::fmt;
use std::path::{Path, PathBuf};

/// Result with hftune's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure it is. The sort decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command line is wrong: exit 2.
    Usage,
    /// Something read is malformed (a profile, a kernel file, a boot file): exit 1.
    Invalid,
    /// The system refused a read or a write: exit 1.
    Io,
    /// Only root may do this: exit 5.
    NeedsRoot,
    /// A file or interface that should be there is not: exit 1.
    Missing,
    /// A device is busy for a moment: exit 1.
    Busy,
    /// Another hftune is at work, or a target changed since it was recorded: exit 1.
    Conflict,
    /// A program that was run failed: exit 1.
    Command,
}

/// An error that names the place and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The sort of failure.
    pub kind: Kind,
    /// What went wrong, with the offending text.
    pub what: String,
    /// The file concerned.
    pub path: Option<PathBuf>,
    /// The line in that file, counted from 1.
    pub line: Option<usize>,
    /// What to do: a command or an edit.
    pub hint: Option<String>,
}

impl Error {
    /// An error of this kind, with no place and no remedy yet.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            path: None,
            line: None,
            hint: None,
        }
    }

    /// Something read is malformed.
    pub fn invalid(what: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, what)
    }

    /// The error of a system call on `path`.
    ///
    /// EACCES and EPERM become [`Kind::NeedsRoot`], ENOENT becomes [`Kind::Missing`].
    pub fn io(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::PermissionDenied => Kind::NeedsRoot,
            std::io::ErrorKind::NotFound => Kind::Missing,
            _ => Kind::Io,
        };
        let hint = match error.kind() {
            std::io::ErrorKind::StorageFull => {
                Some("free some space on that file system, then run the command again".to_owned())
            }
            std::io::ErrorKind::ReadOnlyFilesystem => {
                Some("mount that file system read-write, then run the command again".to_owned())
            }
            std::io::ErrorKind::PermissionDenied => Some("run it as root".to_owned()),
            _ => None,
        };
        Self {
            kind,
            what: format!("cannot {doing}: {error}"),
            path: Some(path.to_owned()),
            line: None,
            hint,
        }
    }

    /// Names the file.
    #[must_use]
    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Names the line, counted from 1.
    #[must_use]
    pub fn line(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The error with its remedy, in one line.
    pub fn in_one_line(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{self} ({hint})"),
            None => self.to_string(),
        }
    }

    /// The exit code by the contract: 2 usage, 5 needs root, 1 otherwise.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Usage => 2,
            Kind::NeedsRoot => 5,
            _ => 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}:", path.display())?;
            if let Some(line) = self.line {
                write!(f, "{line}:")?;
            }
            write!(f, " ")?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for Error {}
