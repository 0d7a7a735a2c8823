//! Programs: what a file is that is to be executed, and executing it in place of this process.

use std::ffi::{CString, OsStr, OsString};
use std::path::{Path, PathBuf};

use hftune_model::{Error, Kind, Result};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::{Errno, pread};

/// What is executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its file.
    pub path: PathBuf,
    /// What it is.
    pub form: Form,
    /// Why the loader drops LD_PRELOAD for it (ld.so(8), secure execution); `None` where it does not.
    pub privileged: Option<&'static str>,
}

/// Forms of programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Loaded by the dynamic loader, which preloads libraries.
    Dynamic,
    /// An ELF file without a loader.
    Static,
    /// A script, and the program that runs it.
    Script(String),
    /// Anything else: the kernel decides.
    Other,
}

/// The type of an ELF program header that names the loader (elf(5), `PT_INTERP`).
const PT_INTERP: u32 = 3;

/// How much of a file is looked at: the headers, and the first line of a script.
const HEAD: usize = 4096;

/// Finds a program, in the directories of `PATH` where its name has no slash, and looks at it.
///
/// # Errors
/// Where there is no such file, or it is none that can be executed.
pub fn find(name: &OsStr) -> Result<Program> {
    let path = Path::new(name);
    if name.as_encoded_bytes().contains(&b'/') {
        return look(path);
    }
    let directories = std::env::var_os("PATH").unwrap_or_default();
    let mut last = None;
    for directory in std::env::split_paths(&directories) {
        match look(&directory.join(path)) {
            Ok(program) => return Ok(program),
            Err(e) if e.kind == Kind::Missing => {}
            Err(e) => last = Some(e),
        }
    }
    Err(last.unwrap_or_else(|| {
        Error::new(
            Kind::Missing,
            format!("there is no program {}", path.display()),
        )
        .hint("write its path")
    }))
}

fn look(path: &Path) -> Result<Program> {
    let fail = |e: Errno| Error::io("execute it", path, &e.into());
    let file = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(fail)?;
    let stat = fstat(&file).map_err(fail)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => {
            return Err(Error::new(Kind::Invalid, "it is a directory, not a program").at(path));
        }
        _ => return Err(Error::new(Kind::Invalid, "it is no regular file").at(path)),
    }
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).map_err(|_| {
        Error::new(Kind::Invalid, "it is not executable")
            .at(path)
            .hint(format!("chmod +x {}", path.display()))
    })?;
    Ok(Program {
        form: form(path),
        privileged: privileged(path, stat.st_mode),
        path: path.to_owned(),
    })
}

fn privileged(path: &Path, mode: u32) -> Option<&'static str> {
    if mode & 0o6000 != 0 {
        return Some("it is setuid or setgid");
    }
    let mut value = [0u8; 64];
    rustix::fs::getxattr(path, "security.capability", &mut value)
        .is_ok()
        .then_some("its file has capabilities")
}

/// A file that may be executed and not read is judged by the kernel alone.
fn form(path: &Path) -> Form {
    let Ok(file) = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) else {
        return Form::Other;
    };
    let mut head = [0u8; HEAD];
    let Ok(length) = pread(&file, &mut head, 0) else {
        return Form::Other;
    };
    let head = &head[..length];
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|b| *b == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let interpreter = line.split_whitespace().next().unwrap_or_default();
        return Form::Script(interpreter.to_owned());
    }
    elf(head).unwrap_or(Form::Other)
}

/// What a 64-bit little-endian ELF file is by its program headers (elf(5)); `None` for other files.
fn elf(head: &[u8]) -> Option<Form> {
    let number = |at: usize, bytes: usize| -> Option<u64> {
        let bytes = head.get(at..at + bytes)?;
        Some(bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
    };
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = usize::try_from(number(32, 8)?).ok()?;
    let size = usize::try_from(number(54, 2)?).ok()?;
    let count = usize::try_from(number(56, 2)?).ok()?;
    for index in 0..count {
        let at = table.checked_add(index.checked_mul(size)?)?;
        if number(at, 4)? == u64::from(PT_INTERP) {
            return Some(Form::Dynamic);
        }
    }
    Some(Form::Static)
}

/// Executes a program in place of this process, with exactly this environment; returns only where that fails.
///
/// It is one execve(2). What the standard library offers goes through execvp(3), which hands a file that is no program to a
/// shell.
pub fn execute(
    program: &Program,
    name: &OsStr,
    args: &[OsString],
    environment: &[(OsString, OsString)],
) -> Error {
    let words = std::iter::once(name).chain(args.iter().map(OsString::as_os_str));
    let variables = environment.iter().map(|(name, value)| {
        let mut variable = name.clone();
        variable.push("=");
        variable.push(value);
        variable
    });
    let texts = (
        c_string(program.path.as_os_str()),
        words.map(c_string).collect::<Option<Vec<_>>>(),
        variables
            .map(|variable| c_string(&variable))
            .collect::<Option<Vec<_>>>(),
    );
    let (Some(path), Some(args), Some(environment)) = texts else {
        return Error::new(Kind::Usage, "an argument or a variable has a NUL in it");
    };
    let (args, environment) = (pointers(&args), pointers(&environment));
    // SAFETY: SIGPIPE is a signal that may be set so; nothing else of this process depends on it any more. The standard
    // library ignores it, and what is ignored stays so through execve.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    // SAFETY: `path` and everything that the two lists point to are strings that end with a zero and live through the call;
    // both lists end with a null pointer.
    unsafe { libc::execve(path.as_ptr(), args.as_ptr(), environment.as_ptr()) };
    let error = std::io::Error::last_os_error();
    let failed = Error::io("execute it", &program.path, &error);
    if error.raw_os_error() == Some(libc::ENOEXEC) {
        return failed
            .hint("it is no program for this machine; a script begins with a line like #!/bin/sh");
    }
    failed
}

fn c_string(text: &OsStr) -> Option<CString> {
    CString::new(text.as_encoded_bytes()).ok()
}

fn pointers(texts: &[CString]) -> Vec<*const libc::c_char> {
    texts
        .iter()
        .map(|text| text.as_ptr())
        .chain(std::iter::once(std::ptr::null()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_apart() {
        let shell = find(OsStr::new("/bin/sh")).expect("a shell");
        assert_eq!((shell.form, shell.privileged), (Form::Dynamic, None));
        assert_eq!(elf(b"\x7fELF"), None);
        let error = find(OsStr::new("/no/such/program")).expect_err("missing");
        assert_eq!(error.kind, Kind::Missing);
        let error = find(OsStr::new("/")).expect_err("a directory");
        assert!(error.what.contains("a directory"));
        assert!(find(OsStr::new("no-such-program-hftune")).is_err());
    }
}
