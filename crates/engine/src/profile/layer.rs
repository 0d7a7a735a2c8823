//! One layer: the text of one TOML file, checked as it stands.

use std::path::Path;

use hftune_model::names::SysctlKey;
use hftune_model::profile::Profile;
use hftune_model::{Error, Result};
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::message;

/// The tables whose keys are the kernel's own, dots and all.
const KERNEL_NAMES: [&str; 2] = ["sysctl", "boot"];

/// A value that a layer sets.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leaf {
    /// Its key from the top, like `sysctl.vm.swappiness`.
    pub key: String,
    /// Its value.
    pub value: toml::Value,
    /// The line it is on, counted from 1.
    pub line: usize,
}

/// What a file says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    /// The profile it extends and the line that says so.
    pub extends: Option<(String, usize)>,
    /// Its values.
    pub leaves: Vec<Leaf>,
}

/// Reads a layer. `path` is for messages only.
pub(super) fn parse(text: &str, path: &Path) -> Result<Layer> {
    let fail = |error: toml::de::Error| message::of_file(error, text, path);
    let line = |offset: usize| line_of(text, offset);
    let table = DeTable::parse(text).map_err(fail)?;
    let whole = table.span();

    let mut extends = None;
    let mut rest = DeTable::new();
    for (name, value) in table.into_inner() {
        let value = match (name.get_ref().as_ref(), value) {
            ("extends", value) => {
                let at = value.span();
                let base =
                    String::deserialize(toml::de::ValueDeserializer::from(value)).map_err(fail)?;
                extends = Some((base, line(at.start)));
                continue;
            }
            (table, value) if KERNEL_NAMES.contains(&table) => {
                let span = value.span();
                let inner = match value.into_inner() {
                    DeValue::Table(inner) => {
                        let mut flat = DeTable::new();
                        flatten("", inner, table == "sysctl", &mut flat).map_err(
                            |(key, offset)| {
                                Error::invalid(format!("{table}.{key} is set twice"))
                                    .at(path)
                                    .line(line(offset))
                                    .hint("remove one of the two")
                            },
                        )?;
                        DeValue::Table(flat)
                    }
                    other => other,
                };
                Spanned::new(span, inner)
            }
            (_, value) => value,
        };
        rest.insert(name, value);
    }

    Profile::deserialize(Deserializer::from(Spanned::new(whole, rest.clone()))).map_err(fail)?;
    let mut leaves = Vec::new();
    collect("", rest, &mut |key, value, offset| {
        let value =
            toml::Value::deserialize(toml::de::ValueDeserializer::from(value)).map_err(fail)?;
        leaves.push(Leaf {
            key,
            value,
            line: line(offset),
        });
        Ok(())
    })?;
    one_way_to_split(path, &leaves)?;
    Ok(Layer { extends, leaves })
}

/// Refuses a layer that says in two ways which CPUs serve the OS.
fn one_way_to_split(path: &Path, leaves: &[Leaf]) -> Result<()> {
    let mut ways: Vec<(&str, usize)> = leaves
        .iter()
        .filter(|leaf| leaf.key.starts_with("cpus.housekeeping"))
        .map(|leaf| (parts(&leaf.key)[1], leaf.line))
        .collect();
    ways.sort_by_key(|(_, line)| *line);
    let first = ways.first().copied();
    match (
        first,
        ways.iter()
            .find(|(key, _)| Some(*key) != first.map(|(key, _)| key)),
    ) {
        (Some((one, _)), Some((other, line))) => Err(Error::invalid(format!(
            "{one} and {other} both say which CPUs serve the OS"
        ))
        .at(path)
        .line(*line)
        .hint("remove one of the two")),
        _ => Ok(()),
    }
}

/// Turns `net.ipv4.tcp_sack = 0` and `[sysctl.net.ipv4]` into the one key `"net.ipv4.tcp_sack"`, since nobody quotes
/// the dots of a kernel name. The error is a key that is there twice, and where.
fn flatten<'i>(
    prefix: &str,
    table: DeTable<'i>,
    sysctl: bool,
    flat: &mut DeTable<'i>,
) -> Result<(), (String, usize)> {
    for (key, value) in table {
        let span = key.span();
        let name = format!("{prefix}{}", key.get_ref());
        let at = value.span();
        match value.into_inner() {
            DeValue::Table(inner) if !inner.is_empty() => {
                flatten(&format!("{name}."), inner, sysctl, flat)?;
            }
            value => {
                let name = if sysctl { canonical(&name) } else { name };
                let start = at.start;
                if let Some(other) = flat.insert(
                    Spanned::new(span, name.clone().into()),
                    Spanned::new(at, value),
                ) {
                    return Err((name, start.max(other.span().start)));
                }
            }
        }
    }
    Ok(())
}

/// A sysctl's name with dots: `net/ipv4/conf/eth0.100/rp_filter` is `net.ipv4.conf.eth0/100.rp_filter`.
pub(super) fn canonical(name: &str) -> String {
    match name.parse::<SysctlKey>() {
        Err(_) => name.to_owned(),
        Ok(key) => key
            .path()
            .chars()
            .map(|c| match c {
                '/' => '.',
                '.' => '/',
                c => c,
            })
            .collect(),
    }
}

/// Calls `leaf` with each value that is not a table, its key from the top, and where its key starts.
fn collect<'i>(
    prefix: &str,
    table: DeTable<'i>,
    leaf: &mut impl FnMut(String, Spanned<DeValue<'i>>, usize) -> Result<()>,
) -> Result<()> {
    for (key, value) in table {
        let start = key.span().start;
        let name = format!("{prefix}{}", key.get_ref());
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(inner) => collect(&format!("{name}."), inner, leaf)?,
            value => leaf(name, Spanned::new(span, value), start)?,
        }
    }
    Ok(())
}

/// The line of a byte, counted from 1.
#[allow(clippy::naive_bytecount, reason = "a page of text")]
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    let end = offset.min(text.len());
    1 + text.as_bytes()[..end]
        .iter()
        .filter(|b| **b == b'\n')
        .count()
}

/// The tables of `[nic]` whose keys name ports: PCI addresses and interfaces have dots of their own, what is set of them
/// has none.
const PORT_NAMES: [&str; 3] = ["nic.driver.", "nic.pci.", "nic.port."];

/// The parts of a key: the names of kernel tables and of ports keep their dots.
pub(super) fn parts(key: &str) -> Vec<&str> {
    let of_ports = PORT_NAMES.iter().find(|table| key.starts_with(**table));
    if let Some(table) = of_ports
        && let Some((port, knob)) = key[table.len()..].rsplit_once('.')
    {
        let mut parts: Vec<&str> = table.trim_end_matches('.').split('.').collect();
        parts.extend([port, knob]);
        return parts;
    }
    match key.split_once('.') {
        Some((table, name)) if KERNEL_NAMES.contains(&table) => vec![table, name],
        _ => key.split('.').collect(),
    }
}
