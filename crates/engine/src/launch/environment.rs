//! The environment of an application: this process's own, then what the profile gives to applications of libvma, then what
//! the command line says, each over the one before, but that a variable of this process wins over the profile's.

use std::ffi::OsString;
use std::path::Path;

use hftune_model::vma::check::PREFIX;
use hftune_model::vma::{ENVIRONMENT_FILE, environment};
use hftune_model::{Kind, Result};
use hftune_sys::Root;

use super::{Environment, Launch};

const PRELOAD: &str = "LD_PRELOAD";

pub(super) fn of(root: &Root, launch: &Launch, library: Option<&Path>) -> Result<Environment> {
    let mut all: Environment = std::env::vars_os().collect();
    if launch.vma {
        for variable in of_profile(root)? {
            if !has(&all, &variable.name) {
                all.push((variable.name.into(), variable.value.into()));
            }
        }
    }
    for (name, value) in &launch.environment {
        set(&mut all, name, value.into());
    }
    if let Some(library) = library {
        let mut value = OsString::from(library);
        let others = all.iter().find(|(name, _)| name == PRELOAD);
        if let Some((_, others)) = others.filter(|(_, others)| !others.is_empty()) {
            value.push(":");
            value.push(others);
        }
        set(&mut all, PRELOAD, value);
    }
    Ok(all)
}

fn has(all: &Environment, name: &str) -> bool {
    all.iter().any(|(known, _)| known == name)
}

fn set(all: &mut Environment, name: &str, value: OsString) {
    all.retain(|(known, _)| known != name);
    all.push((name.into(), value));
}

/// Of several lines of one variable the last counts, as with systemd.
fn of_profile(root: &Root) -> Result<Vec<environment::Variable>> {
    let text = match root.read_text(ENVIRONMENT_FILE) {
        Ok(text) => text,
        Err(e) if e.kind == Kind::Missing => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut variables: Vec<environment::Variable> = Vec::new();
    for variable in environment::parse(&text) {
        if variable.name.starts_with(PREFIX) {
            variables.retain(|known| known.name != variable.name);
            variables.push(variable);
        }
    }
    Ok(variables)
}
