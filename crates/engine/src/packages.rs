//! Packages: what the repositories have, what an installation would add, installing, and taking away what was added.

mod apt;
mod dnf;

use std::path::Path;

use hftune_model::transaction::{Outcome, State};
use hftune_model::{Error, Kind, Result};
use hftune_sys::Root;

/// The programs that a distribution installs packages with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manager {
    Apt,
    Dnf,
}

impl Manager {
    fn of(root: &Root) -> Result<Self> {
        if root.exists(apt::APT_GET) {
            Ok(Self::Apt)
        } else if root.exists(dnf::DNF) {
            Ok(Self::Dnf)
        } else {
            Err(Error::new(
                Kind::Missing,
                "this host has neither apt-get nor dnf, and hftune knows no other way to install packages",
            ))
        }
    }

    /// Those of these packages that a repository has.
    fn available(self, names: &[String]) -> Result<Vec<String>> {
        match self {
            Self::Apt => apt::available(names),
            Self::Dnf => dnf::available(names),
        }
    }

    /// What installing these would add: they themselves, and what they need.
    fn additions(self, names: &[String]) -> Result<Vec<String>> {
        match self {
            Self::Apt => apt::additions(names),
            Self::Dnf => dnf::additions(names),
        }
    }

    fn install(self, names: &[String]) -> Result<()> {
        match self {
            Self::Apt => apt::install(names),
            Self::Dnf => dnf::install(names),
        }
    }

    fn remove(self, names: &[String]) -> Result<()> {
        match self {
            Self::Apt => apt::remove(names),
            Self::Dnf => dnf::remove(names),
        }
    }

    /// Those of these packages that are not installed.
    fn absent(self, names: &[String]) -> Result<Vec<String>> {
        match self {
            Self::Apt => apt::absent(names),
            Self::Dnf => dnf::absent(names),
        }
    }
}

/// Those of these packages that the repositories have; an error where the first is not among them.
pub fn available(root: &Root, names: &[String]) -> Result<Vec<String>> {
    let manager = Manager::of(root)?;
    let have = manager.available(names)?;
    match names.first() {
        Some(first) if !have.contains(first) => Err(Error::new(
            Kind::Missing,
            hftune_domains::vma::ELSEWHERE.to_owned(),
        )
        .hint("add a repository that has it, then hftune vma install")),
        _ => Ok(have),
    }
}

/// The state before an installation: what is not there and would be added. Nothing is known of a tree.
pub(crate) fn before(root: &Root, names: &[String]) -> Result<State> {
    let absent = if root.is_live() {
        let have = available(root, names)?;
        Manager::of(root)?.additions(&have)?
    } else {
        names.to_vec()
    };
    Ok(State::Packages { absent })
}

/// Which of the packages of a recorded state are not there now.
pub(crate) fn now(root: &Root, recorded: &[String]) -> Result<State> {
    let absent = if root.is_live() {
        Manager::of(root)?.absent(recorded)?
    } else {
        recorded.to_vec()
    };
    Ok(State::Packages { absent })
}

/// Installs packages. A failure that added nothing is none of the rest's business; one that added something stops the
/// apply.
pub(crate) fn install(root: &Root, names: &[String], before: &State) -> Outcome {
    if !root.is_live() {
        return Outcome::Untried {
            why: format!(
                "install {} in the image: no program is started for a directory tree",
                names.join(" ")
            ),
        };
    }
    let done = available(root, names).and_then(|have| Manager::of(root)?.install(&have));
    match done {
        Ok(()) => Outcome::Made,
        Err(e) => {
            let State::Packages { absent } = before else {
                return Outcome::Failed {
                    why: e.in_one_line(),
                };
            };
            let why = e.in_one_line();
            match now(root, absent) {
                Ok(now) if now == *before => Outcome::Refused { why },
                _ => Outcome::Failed { why },
            }
        }
    }
}

/// Takes away what was added and is still there, and nothing else.
pub(crate) fn restore(root: &Root, absent: &[String]) -> Outcome {
    if !root.is_live() {
        return Outcome::Untried {
            why: "no program is started for a directory tree".to_owned(),
        };
    }
    let removed = Manager::of(root).and_then(|manager| {
        let gone = manager.absent(absent)?;
        let there: Vec<String> = absent
            .iter()
            .filter(|name| !gone.contains(name))
            .cloned()
            .collect();
        if there.is_empty() {
            return Ok(());
        }
        manager.remove(&there)
    });
    match removed {
        Ok(()) => Outcome::Made,
        Err(e) => Outcome::Failed {
            why: e.in_one_line(),
        },
    }
}

/// Refuses a removal that takes along what nobody asked for.
fn only(wanted: &[String], removed: &[String]) -> Result<()> {
    let others: Vec<&str> = removed
        .iter()
        .filter(|name| !wanted.contains(name))
        .map(String::as_str)
        .collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Kind::Conflict,
        format!(
            "{} would go with {}, since it needs them now",
            others.join(", "),
            wanted.join(", ")
        ),
    )
    .hint("remove the packages by hand"))
}

/// Names of packages as arguments after fixed ones; none of them begins like an option.
fn with<'a>(fixed: &[&'a str], names: &'a [String]) -> Vec<&'a str> {
    let names = names
        .iter()
        .map(String::as_str)
        .filter(|name| !name.starts_with('-'));
    fixed.iter().copied().chain(names).collect()
}

/// Runs a package manager, which asks nobody anything.
fn run_ok(program: &str, args: &[&str]) -> Result<hftune_sys::exec::Output> {
    hftune_sys::exec::run_ok_with(
        Path::new(program),
        args,
        &[("DEBIAN_FRONTEND", "noninteractive")],
    )
}
